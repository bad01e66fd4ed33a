"""
Runs the example DAGs in a real Airflow, against a fake Airbyte or, with AIRBYTE_URL, against a real one.

`bash scripts/demo` makes the environment and then runs this.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
DAGS = ROOT / "example_dags"
PREFIX = "example_airbyte_"
# What tells the most, and how long a step of its jobs takes.
FAST = ("example_airbyte_reset_and_restore",)
FAST_SECONDS_PER_STEP = "0.2"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_END = 5.0
AIRFLOW = (sys.executable, "-m", "airflow")
# What the Connection form's test button does.
CHECK = """
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
works, response = AirbyteConfigHook().test_connection()
print(response)
raise SystemExit(not works)
"""
OUR_LINE = re.compile(r"\S+Z \[(?P<level>\w+) *\] (?P<text>.*\S) +\[\S*\bairflow_airbyte_ext\.(?P<who>\w+?)s?[.\]]")
AIRFLOWS_WORDS = "Success criteria met. Exiting."  # which every sensor's logger says
EXCEPTION = re.compile(r"(?:\w+\.)*(?P<text>\w+(?:Error|Exception|Timeout): .+)")
STYLES = {"info": "", "warning": "yellow", "error": "red", "critical": "red"}

MARGIN = 18
console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)


class DemoError(Exception):
    """What the demo cannot go on with, and what to do about it."""


class Stopped(BaseException):
    """A signal asks the demo to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Children:
    """The processes that the demo has started, each in a process group of its own."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []
        self._signal = 0
        self._busy = False
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def start(self, command: Sequence[str], environment: Mapping[str, str], errors: int) -> subprocess.Popen[str]:
        """Start a process whose output is read."""
        self._busy = True  # a signal now must wait until the process is known, or nobody would end it
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                errors="replace",
                env=environment,
                process_group=0,
            )
            self._running.append(process)
        finally:
            self._busy = False
        if self._signal:
            raise Stopped(self._signal)
        return process

    def end(self) -> None:
        """End every process that still runs, with all that it has started."""
        self._busy = True
        for process in self._running:
            _signal_group(process, signal.SIGTERM)
        while self._running:
            self.finish(self._running[-1], SECONDS_TO_END)

    def finish(self, process: subprocess.Popen[str], timeout: float | None = None) -> int:
        """Wait for a process, leave nothing of its group, and return its exit status."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
        _signal_group(process, signal.SIGKILL)
        status = process.wait()
        self._running.remove(process)
        return status

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signal:
            return
        self._signal = number
        if not self._busy:
            raise Stopped(number)


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@dataclass(frozen=True)
class Airbyte:
    """The Airbyte to sync with: its Airflow Connection, and what the DAG runs are to be told."""

    connection: dict[str, Any]
    conf: dict[str, str] | None = None


@dataclass
class TaskRow:
    """A task as it ended, and its XComs."""

    dag_id: str
    task: str
    state: str | None
    xcoms: dict[str, Any] = field(default_factory=dict)


class Demo:
    """
    One run of example DAGs in an Airflow of its own.

    :param folder: For what is gone afterwards.
    :param logs: Where all that Airflow says is written.
    :param chosen: The ids of the DAGs to run; all of them when empty.
    :param is_fast: Whether the fake's jobs are to take little time.
    """

    def __init__(
        self, children: Children, folder: Path, logs: Path, *, chosen: Sequence[str] = (), is_fast: bool = False
    ) -> None:
        self.children = children
        self.home = folder / "airflow"
        self.logs = logs
        self.chosen = chosen
        self.is_fast = is_fast
        self.environment: dict[str, str] = {}

    def run(self) -> bool:
        """Run the DAGs one after the other, and return whether all succeeded."""
        started = time.monotonic()
        real = real_airbyte(os.environ)
        dag_ids = chosen_examples(self.chosen, changing_data=real is None)
        airbyte = real or self._fake_airbyte(os.environ.get("AIRBYTE_ERA"))
        self.environment = airflow_environment(self.home, airbyte.connection)
        self._prepare()
        for number, dag_id in enumerate(dag_ids, start=1):
            console.print(f"\n[{number}/{len(dag_ids)}] {dag_id}", style="bold", markup=False)
            self._run_dag(dag_id, airbyte.conf)
        with closing(sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True)) as database:
            states = dict(database.execute("SELECT dag.dag_id, state FROM dag LEFT JOIN dag_run USING (dag_id)"))
            rows = list(task_rows(database))
        console.print("", table_of(rows), "", sep="\n")
        if real and not self.chosen:
            names = ", ".join(sorted(set(examples()) - set(dag_ids)))
            console.print(f"Not run on a real Airbyte, since they change more than a sync does: {names}.")
        failed = [dag_id for dag_id in dag_ids if states.get(dag_id) != "success"]
        seconds = f"{time.monotonic() - started:.0f} s"
        if failed:
            console.print(f"Not every DAG succeeded, after {seconds}: {', '.join(failed)}.", style="bold red")
        elif len(dag_ids) == 1:
            console.print(f"The DAG succeeded, in {seconds}.", style="bold green")
        else:
            console.print(f"All {len(dag_ids)} DAGs succeeded, in {seconds}.", style="bold green")
        return not failed

    def _fake_airbyte(self, era: str | None) -> Airbyte:
        command = [sys.executable, "-m", "airflow_airbyte_ext.testing", "--port", "0", "--seed", "demo"]
        if self.is_fast:
            command += ["--seconds-per-step", FAST_SECONDS_PER_STEP]
        log = self.logs / "fake-airbyte.log"
        with log.open("w") as errors:
            process = self.children.start(
                [*command, "--era", era] if era else command, child_environment(), errors.fileno()
            )
        assert process.stdout
        ready = re.match(r"fake Airbyte at (\S+) era=(\S+)", process.stdout.readline())
        if not ready:
            reason = log.read_text().strip().rpartition("\n")[2]
            raise DemoError(f"The fake Airbyte does not start: {reason}")
        console.print(f"Fake Airbyte, as of {ready[2]}, at {ready[1]}")
        return Airbyte({"conn_type": "airbyteconfig", "host": ready[1]})

    def _prepare(self) -> None:
        with console.status("Airflow signs in to Airbyte ..."):
            status, response = self._follow([sys.executable, "-c", CHECK], "connection.log")
        if status:
            raise DemoError(f"Airflow cannot use this Airbyte: {response}")
        console.print(response, markup=False)
        with console.status("Airflow makes its database ..."):
            status, _ = self._follow([*AIRFLOW, "db", "migrate"], "database.log")
        if status:
            raise DemoError(f"Airflow cannot make its database: see {self.logs / 'database.log'}")

    def _run_dag(self, dag_id: str, conf: dict[str, str] | None) -> None:
        started = time.monotonic()
        command = [*AIRFLOW, "dags", "test", dag_id]
        with console.status("Airflow runs it ..."):
            status, _ = self._follow(
                [*command, "--conf", json.dumps(conf)] if conf else command,
                f"{dag_id}.log",
                lambda line: show(line, time.monotonic() - started),
            )
        result, style = ("failed", "bold red") if status else ("succeeded", "green")
        seconds = f"{time.monotonic() - started:5.0f} s"
        console.print(Text.assemble((f"{seconds}  ", "dim"), (result, style)))

    def _follow(
        self, command: Sequence[str], log_name: str, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, str]:
        """Run a command to its end; return its exit status and its last line. All lines go to its log."""
        last = ""
        process = self.children.start(command, self.environment, subprocess.STDOUT)
        assert process.stdout
        with (self.logs / log_name).open("w", encoding="utf-8") as log:
            for line in process.stdout:
                print(line, end="", file=log, flush=True)
                last = line.rstrip()
                if on_line:
                    on_line(last)
        return self.children.finish(process), last


def examples(*, changing_data: bool = True) -> list[str]:
    """Return the ids of the example DAGs, which are their files' names; without those that do more than sync."""
    texts = {path.stem: path.read_text() for path in DAGS.glob("*.py")}
    only_sync = {name for name, text in texts.items() if '"connection_id"' in text and "changes-data" not in text}
    return sorted(texts if changing_data else only_sync)


def chosen_examples(chosen: Sequence[str], *, changing_data: bool = True) -> list[str]:
    """Return the ids of the DAGs to run: those that are named, with or without what all names begin with."""
    there = examples(changing_data=changing_data)
    ids = [name if name.startswith(PREFIX) else PREFIX + name for name in chosen]
    for name in ids:
        if name not in examples():
            names = ", ".join(known.removeprefix(PREFIX) for known in there)
            raise DemoError(f"There is no DAG {name!r}. There are: {names}.")
        if name not in there:
            raise DemoError(f"{name} changes more than a sync does, so it is not run on a real Airbyte.")
    return ids or there


def real_airbyte(given: Mapping[str, str]) -> Airbyte | None:
    """Return the Airbyte that AIRBYTE_URL and its fellows name."""
    if not (url := given.get("AIRBYTE_URL")):
        return None
    if not (connection_id := given.get("AIRBYTE_CONNECTION_ID")):
        raise DemoError("AIRBYTE_URL needs AIRBYTE_CONNECTION_ID beside it: the id of the Airbyte connection to sync.")
    kinds = {
        "basic": ("AIRBYTE_USERNAME", "AIRBYTE_PASSWORD"),
        "client_credentials": ("AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET"),
        "bearer": ("AIRBYTE_TOKEN",),
    }
    chosen = [kind for kind, names in kinds.items() if any(map(given.get, names))]
    if len(chosen) > 1:
        raise DemoError(f"One kind of credentials is needed, and {' and '.join(chosen)} are given.")
    connection: dict[str, Any] = {"conn_type": "airbyteconfig", "host": url}
    for kind in chosen:
        if missing := [name for name in kinds[kind] if not given.get(name)]:
            raise DemoError(f"{missing[0]} is missing.")
        values = [given[name] for name in kinds[kind]]
        secrets = {"password": values[-1]} if kind == "bearer" else {"login": values[0], "password": values[1]}
        connection |= {**secrets, "extra": {"auth": kind}}
    return Airbyte(connection, {"connection_id": connection_id})


def child_environment() -> dict[str, str]:
    """Return this environment without what belongs to another Airflow, and without Airbyte's secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRBYTE_"))}
    kept.pop("FORCE_COLOR", None)
    local = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"]))
    ours = {"NO_COLOR": "1", "NO_PROXY": local, "no_proxy": local, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    return kept | ours


def airflow_environment(home: Path, connection: dict[str, Any]) -> dict[str, str]:
    """Return the environment of an Airflow that shares nothing with others on this machine."""
    return child_environment() | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT": json.dumps(connection),
        "AIRFLOW_VAR_AIRBYTE_SNAPSHOT_STORE": str(home.parent / "snapshots"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def show(line: str, seconds: float) -> None:
    """Show a line of Airflow's output if a task, sensor or trigger of ours says it, or if it tells an exception."""
    if (match := OUR_LINE.match(line)) and match["text"] != AIRFLOWS_WORDS:
        style, who = STYLES.get(match["level"], ""), match["who"]
    elif match := EXCEPTION.fullmatch(line):
        style, who = "red", "error"
    else:
        return
    width = max(console.width - MARGIN, 40)
    # An address stays in one piece, to be clicked at.
    lines = textwrap.wrap(match["text"], width, break_long_words=False, break_on_hyphens=False) or [""]
    lines = [match["text"]] if match["text"].startswith(("|", "+")) else lines
    text = Text.assemble((f"{seconds:5.0f} s  ", "dim"), (f"{who:<9}", "cyan"), (lines[0], style))
    console.print(text, soft_wrap=True)
    for line in lines[1:]:
        console.print(Text(" " * MARGIN + line, style), soft_wrap=True)


def task_rows(database: sqlite3.Connection) -> Iterator[TaskRow]:
    """Read the tasks from Airflow's metadata database, in the order in which they ran."""
    tasks = database.execute(
        "SELECT task.dag_id, task.run_id, task.task_id, task.map_index, task.state FROM task_instance task"
        " JOIN dag_run run USING (dag_id, run_id) ORDER BY run.id, task.start_date IS NULL, task.start_date"
    ).fetchall()
    for *key, state in tasks:
        dag_id, _, task_id, index = key
        xcoms = database.execute(
            "SELECT key, value FROM xcom WHERE (dag_id, run_id, task_id, map_index) = (?, ?, ?, ?)", key
        )
        values = {name: json.loads(str(value)) for name, value in xcoms if value is not None}
        yield TaskRow(dag_id, task_id if index < 0 else f"{task_id}[{index}]", state, values)


def table_of(rows: Sequence[TaskRow]) -> Table:
    """Return the table of what each task did."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("DAG", overflow="fold")
    table.add_column("task", overflow="fold")
    for name in ("job", "status", "tries", "records", "size", "time"):
        table.add_column(name, justify="left" if name == "status" else "right", no_wrap=True)
    shown = ""
    for row in rows:
        table.add_row(row.dag_id.removeprefix(PREFIX) if row.dag_id != shown else "", row.task, *cells(row))
        shown = row.dag_id
    return table


def cells(row: TaskRow) -> tuple[str | Text, ...]:
    """Return what the task's XComs say of its job; a job that the task has not waited for has no figures yet."""
    returned = row.xcoms.get("return_value")
    report = returned if isinstance(returned, dict) and "job_id" in returned else {}
    job = str(report.get("job_id") or row.xcoms.get("job_id") or "")
    if row.state != "success":
        return job, Text(row.state or "not run", "red"), "", "", "", ""
    if not report.get("ended_at"):
        return job, Text("submitted" if job else outcome(returned), "green"), "", "", "", ""
    records, size = report["records_synced"], report["bytes_synced"]
    return (
        job,
        Text(report["status"], "green"),
        str(report["attempts"]),
        "?" if records is None else f"{records:,}",
        "?" if size is None else decimal(size),
        str(datetime.fromisoformat(report["ended_at"]) - datetime.fromisoformat(report["started_at"])),
    )


def outcome(returned: object) -> str:
    """Return one word for what a task did that ran no job."""
    if isinstance(returned, list) and all(isinstance(each, dict) for each in returned):
        return f"{len(returned)} found"
    if not isinstance(returned, dict):
        return "success"
    if "written" in returned:
        return "dry run" if returned["dry_run"] else "restored" if returned["written"] else "equal"
    if "applied" in returned:
        return "changed" if returned["applied"] else "unchanged"
    return "saved" if returned.get("path") else "success"


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line, which the head of `scripts/demo` documents."""
    parser = argparse.ArgumentParser("bash scripts/demo", add_help=False, allow_abbrev=False)
    parser.add_argument("dags", nargs="*", metavar="DAG")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--logs", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.fast and not options.dags:
        options.dags = list(FAST)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, leave nothing running and no files, and return the exit status."""
    options = options_of(sys.argv[1:] if arguments is None else arguments)
    if options.list:
        print(*(name.removeprefix(PREFIX) for name in examples()), sep="\n")
        return 0
    children = Children()
    folder = Path(tempfile.mkdtemp(prefix="airflow-airbyte-demo-"))
    logs = options.logs or folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    is_wanted = False
    try:
        demo = Demo(children, folder, logs, chosen=options.dags, is_fast=options.fast)
        try:
            is_wanted = not demo.run()
            return int(is_wanted)
        finally:
            children.end()
    except DemoError as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        is_wanted = any(logs.iterdir())
        return 1
    except Stopped as stopped:
        children.end()
        console.print("\nStopped. Nothing of the demo is left running.", style="bold")
        if os.environ.get("AIRBYTE_URL"):
            console.print("A job that runs in Airbyte goes on there.")
        return 128 + stopped.number
    finally:
        shutil.rmtree(demo.home, ignore_errors=True)
        if is_wanted or options.logs:
            console.print(f"All that Airflow says is in {logs}", soft_wrap=True)
        if options.logs or not is_wanted:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
