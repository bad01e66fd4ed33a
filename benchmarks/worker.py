"""
What is measured, each time in a new process: `python -m benchmarks.worker TASK RESULT ARGUMENT...`.

Imports come before the clock starts, in all tasks but `command`. The result is a JSON file: seconds and peak bytes.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Measured:
    """
    What one process needed.

    :param seconds: Wall time of the task.
    :param peak: The most memory that the process held, imports and interpreter too, in bytes.
    :param value: What else the task has to tell.
    """

    seconds: float
    peak: int
    value: int = 0


def measure(task: str, *arguments: str) -> Measured:
    """Run a task in a new process, in which nothing but its arguments says where Airbyte is."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("AIRBYTE_", "AIRFLOW_"))}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks.worker", task, str(result), *arguments]
        started = time.perf_counter()
        done = subprocess.run(command, env={**environment, "NO_PROXY": "*"}, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{task} failed:\n{done.stdout}\n{done.stderr}")
        measured = Measured(**json.loads(result.read_text()))
    return Measured(seconds, measured.peak) if task == "command" else measured


def snapshot(url: str, connection_id: str, store: str) -> Callable[[], int]:
    """Take a snapshot and keep it in a local folder."""
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.settings import ClientSettings
    from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
    from airflow_airbyte_ext.snapshots.store import SnapshotStore

    def run() -> int:
        with AirbyteClient(ClientSettings(base_url=url, auth="none")) as client:
            SnapshotStore(store).write(take_snapshot(client, connection_id))
        return 0

    return run


def plain(url: str, connection_id: str, *paths: str) -> Callable[[], int]:
    """Read paths with nothing but `requests` and `json`, and hold what they say."""
    import requests

    def run() -> int:
        held = [requests.post(url + path, json={"connectionId": connection_id}).json() for path in paths]
        return len(held)

    return run


def plain_backup(url: str, connection_id: str, path: str, file: str) -> Callable[[], int]:
    """Do what a short script would do for a backup: read, write JSON, and make sure that it is on the disk."""
    import requests

    def run() -> int:
        state = requests.post(url + path, json={"connectionId": connection_id}).json()
        with open(file, "w") as opened:
            opened.write(json.dumps(state))
            opened.flush()
            os.fsync(opened.fileno())
        return 0

    return run


def plain_workspace(url: str, parallel: str, connections: str, *paths: str) -> Callable[[], int]:
    """Read the same paths for each connection in as many threads, each with a session, and keep nothing."""
    from concurrent.futures import ThreadPoolExecutor

    import requests

    from benchmarks.responses import connection_id

    def read(numbers: range) -> int:
        with requests.Session() as session:
            for number in numbers:
                for path in paths:
                    session.post(url + path, json={"connectionId": connection_id(number)}).json()
        return len(numbers)

    def run() -> int:
        shares = [range(share, int(connections), int(parallel)) for share in range(int(parallel))]
        with ThreadPoolExecutor(int(parallel)) as threads:
            return sum(threads.map(read, shares))

    return run


def size(url: str, connection_id: str, path: str) -> Callable[[], int]:
    """Return how many bytes a response has in memory, as Python objects."""
    import requests

    def run() -> int:
        data = requests.post(url + path, json={"connectionId": connection_id}).content
        tracemalloc.start()
        held = json.loads(data)
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return taken if held else 0

    return run


def command(*arguments: str) -> Callable[[], int]:
    """Run `airbyte-state`, whose imports count."""

    def run() -> int:
        from airflow_airbyte_ext.cli.main import main

        if code := main(arguments):
            sys.exit(code)
        return 0

    return run


def idle_snapshot(*arguments: str) -> Callable[[], int]:
    """Import what `snapshot` imports, and do nothing."""
    snapshot(*arguments)
    return lambda: 0


def idle_plain(*arguments: str) -> Callable[[], int]:
    """Import what `plain` imports, and do nothing."""
    plain(*arguments)
    return lambda: 0


TASKS: dict[str, Callable[..., Callable[[], int]]] = {
    task.__name__: task
    for task in (snapshot, plain, plain_backup, plain_workspace, size, command, idle_snapshot, idle_plain)
}


def peak_memory() -> int:
    """Return the most bytes that this process held; Linux' getrusage also counts the process that started it."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _main(task: str, result: str, *arguments: str) -> None:
    run = TASKS[task](*arguments)
    started = time.perf_counter()
    value = run()
    seconds = time.perf_counter() - started
    figures: dict[str, Any] = {"seconds": seconds, "peak": peak_memory(), "value": value}
    Path(result).write_text(json.dumps(figures))


if __name__ == "__main__":
    _main(*sys.argv[1:])
