"""One side's part of the comparison, each time in a new process: `python -m benchmarks.fresh TASK RESULT ARGUMENTS`."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fleet import connection_id
from benchmarks.fleet_stub import FleetStub
from benchmarks.official import ROOT
from benchmarks.sides import OURS, SIDES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sides import Side


def in_new_process(python: Path | None, task: str, side: Side, url: str = "", **arguments: Any) -> dict[str, float]:
    """
    Run a task in a new process, and return the figures that it found.

    :param python: Which Python; None for this one.
    :param task: A name of TASKS.
    :param side: Whose Airflow Connection and classes it has.
    :param url: The stub server.
    :param arguments: What else the task wants, JSON-safe.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AIRBYTE_", "AIRFLOW_"))}
    with tempfile.TemporaryDirectory() as home:
        environment = {**kept, **side.environment(url), "AIRFLOW_HOME": home, "NO_PROXY": "*"}
        result = Path(home) / "result.json"
        whole = json.dumps({"side": side.name, "url": url, **arguments})
        command = [str(python or sys.executable), "-m", "benchmarks.fresh", task, str(result), whole]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{task} of {side.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        figures: dict[str, float] = json.loads(result.read_text())
    return figures


def imports(side: Side, **_others: Any) -> dict[str, float]:
    """Import what a DAG file imports from a provider; it has `DAG` itself already."""
    from airflow.sdk import DAG  # noqa: F401 (all that is lazy in airflow.sdk comes with it)

    before = set(sys.modules)
    started = time.perf_counter()
    for module in side.modules:
        importlib.import_module(module)
    seconds = time.perf_counter() - started
    new = set(sys.modules) - before
    return {"seconds": seconds, "modules": len(new), "requests": float("requests" in sys.modules)}


def submit(side: Side, url: str, latency: float, **_others: Any) -> dict[str, float]:
    """
    Call an operator's `execute`, once in the fresh process and once more.

    `with_imports` begins before the operator's module is imported, `seconds` and `again` when `execute` is called. All
    end when the stub has the request that starts the sync.
    """
    # What a task process has before it looks at the task.
    from airflow.sdk import DAG  # noqa: F401
    from airflow.sdk.execution_time import task_runner  # noqa: F401

    stub = FleetStub(url)
    stub.prepare(latency=latency)
    beginning = time.monotonic()
    operator = getattr(importlib.import_module(side.modules[0]), side.operator)
    called, sent, before = _submitted(side, operator, stub, connection_id(1))
    stub.prepare(latency=latency)
    again_called, again_sent, again_before = _submitted(side, operator, stub, connection_id(2))
    return {
        "seconds": sent - called,
        "with_imports": sent - beginning,
        "requests_before": before,
        "again": again_sent - again_called,
        "again_requests_before": again_before,
    }


class _Store(dict[str, Any]):
    """Airflow's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class _TaskInstance:
    """What an operator asks of a task instance."""

    max_tries = 0
    try_number = 1

    def xcom_push(self, key: str, value: Any) -> None:
        """Take an XCom."""


def _submitted(side: Side, operator: Any, stub: FleetStub, connection: str) -> tuple[float, float, int]:
    """Return when `execute` was called, when the submission arrived, and how many requests came before it."""
    task = operator(**side.operator_arguments(connection))
    # Airflow wraps `execute` in what refuses it outside of its own task runner; the method itself lies below.
    execute = getattr(operator.execute, "__wrapped__", operator.execute)
    called = time.monotonic()
    execute(task, {"ti": _TaskInstance(), "task_state_store": _Store()})
    arrivals = stub.counts()["arrivals"]
    number = next(number for number, (_, path) in enumerate(arrivals) if path == side.submission)
    return called, arrivals[number][0], number


def waits(**arguments: Any) -> dict[str, float]:
    """Wait as a triggerer does; see `benchmarks.triggerer`."""
    from benchmarks.triggerer import run_waits

    return run_waits(**arguments)


TASKS: dict[str, Callable[..., dict[str, float]]] = {task.__name__: task for task in (imports, submit, waits)}


def _main(task: str, result: str, arguments: str) -> None:
    given = json.loads(arguments)
    side = SIDES.get(given.pop("side"), OURS)
    figures = TASKS[task](side=side, **given)
    Path(result).write_text(json.dumps(figures))
    # Hundreds of clients and their sockets need long to be taken apart, and nobody measures that.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
