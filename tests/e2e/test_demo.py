"""`bash scripts/demo`, run as a user runs it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from airflow_airbyte_ext.testing.demo import ORDERS_ID, plant_demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_airbyte_ext.testing import FakeAirbyte

ROOT = Path(__file__).parents[2]
PASSWORD = "a-secret-of-the-demo"
RUNNING = r"Job \d+: running"


class DemoRun:
    """A running demo; a mark in its environment finds all that it has started."""

    def __init__(self, folder: Path, *arguments: str, root: Path = ROOT, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self.folder = folder
        # A file, since a pipe would stay open until the last survivor ends, and so hide it.
        with (folder / "output.txt").open("w") as output:
            self.process = subprocess.Popen(
                ["bash", root / "scripts" / "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_clean_environment() | {"DEMO_MARK": self.mark, "TMPDIR": str(folder), **environment},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def wait_for_output(self, pattern: str, seconds: float = 240.0) -> None:
        """Wait until the pattern is found in the output."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.output):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def wait_for_process(self, argument: str, seconds: float = 30.0) -> None:
        """Wait until a process with this argument runs."""
        deadline = time.monotonic() + seconds
        while not any(argument in command for command in self.processes().values()):
            assert time.monotonic() < deadline, f"no process with {argument!r}"
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Send a signal as a terminal does: to the whole process group."""
        os.killpg(self.process.pid, number)

    def end(self, seconds: float = 240.0) -> int:
        """Wait for the end, and return the exit status."""
        return self.process.wait(timeout=seconds)

    def left_running(self, seconds: float = 0.5) -> list[str]:
        """Return the processes that the demo started and that do not end within these seconds."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [" ".join(command) for command in left.values()]

    def processes(self) -> dict[psutil.Process, list[str]]:
        """Return the living processes of this demo, with their command lines."""
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("DEMO_MARK") == self.mark:
                    found[process] = process.cmdline()
        return found

    def left_behind(self) -> set[str]:
        """Return what the demo has left in its folder for temporary files."""
        return {path.name for path in self.folder.iterdir()} - {"output.txt"}

    def texts(self) -> str:
        """Return all that is in the demo's output and files."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in files)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRBYTE_"))}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., DemoRun]]:
    """Start a demo with these arguments; it writes below `tmp_path` alone."""
    runs = []

    def start(*arguments: str) -> DemoRun:
        runs.append(DemoRun(tmp_path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        _clear(run)


@pytest.fixture
def demo(start: Callable[..., DemoRun]) -> DemoRun:
    return start()


def _clear(run: DemoRun) -> None:
    for process in run.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()


def _expected_tasks() -> set[tuple[str, str]]:
    return {
        (path.stem, task_id[0] or task_id[1])
        for path in (ROOT / "example_dags").glob("*.py")
        for task_id in re.findall(r'task_id="(\w+)"|@task\n    def (\w+)', path.read_text())
    }


def _table(output: str) -> dict[tuple[str, str], list[str]]:
    """Return the cells of the last table, by DAG and task; a DAG is named in its first row only."""
    lines = output[output.rindex("DAG  ") :].split("\n\n")[0].splitlines()[2:]
    rows, dag_id = {}, ""
    for line in lines:
        cells = re.split(r" {2,}", line.strip())
        dag_id = dag_id if line[0] == " " else f"example_airbyte_{cells.pop(0)}"
        rows[dag_id, cells[0]] = cells[1:]
    return rows


def test_demo_runs_every_example_dag_and_ends_with_a_table(start: Callable[..., DemoRun], tmp_path: Path) -> None:
    """The demo shows a job's progress while it runs, tells what every task did, exits with 0 and leaves nothing."""
    demo = start("--logs", str(tmp_path / "logs"))
    demo.wait_for_output(RUNNING)
    assert demo.process.poll() is None
    assert demo.end(seconds=900) == 0, demo.output
    table = _table(demo.output)
    assert {(dag_id, re.sub(r"\[\d+\]$", "", task)) for dag_id, task in table} == _expected_tasks()
    assert table["example_airbyte_reset_and_restore", "restore"] == ["restored"]
    *figures, duration = table["example_airbyte_sync", "sync"][1:]
    assert figures == ["succeeded", "1", "1,250", "320.0 kB"]
    assert re.fullmatch(r"0:00:\d\d", duration)
    assert table["example_airbyte_sync_and_sensor", "submit"][1:] == ["submitted"]
    assert table["example_airbyte_sync_and_sensor", "wait"][1:5] == ["succeeded", "1", "1,250", "320.0 kB"]
    assert table["example_airbyte_sync_deferrable", "sync"][1:5] == ["succeeded", "2", "1,300", "260.0 kB"]
    assert re.search(r"All \d+ DAGs succeeded, in \d+ s\.", demo.output)
    for dag_id, _ in table:
        assert "[DAG TEST]" in (tmp_path / "logs" / f"{dag_id}.log").read_text()
    assert not demo.left_running()
    assert demo.left_behind() == {"logs"}


def test_the_fast_demo_runs_in_80_columns_and_leaves_nothing(start: Callable[..., DemoRun]) -> None:
    """Addresses and paths alone are longer, so that they stay in one piece."""
    demo = start("--fast")
    assert demo.end() == 0, demo.output
    assert [task for _, task in _table(demo.output)] == ["sync", "backup", "reset", "restore", "sync_again"]
    assert re.search(r"The DAG succeeded, in \d+ s\.", demo.output)
    assert [line for line in demo.output.splitlines() if len(line) > 80 and not re.fullmatch(r" *\S+", line)] == []
    assert not demo.left_running()
    assert demo.left_behind() == set()


def test_one_dag_is_run_by_its_name_and_a_name_that_is_none_is_told(start: Callable[..., DemoRun]) -> None:
    demo = start("migrate_state")
    assert demo.end() == 0, demo.output
    assert {dag_id for dag_id, _ in _table(demo.output)} == {"example_airbyte_migrate_state"}
    wrong = start("nonsense")
    assert wrong.end() == 1
    assert "There is no DAG 'example_airbyte_nonsense'. There are: backup_workspace, " in wrong.output
    assert wrong.left_behind() == set()


def test_ctrl_c_ends_the_demo_in_the_middle_of_a_sync(demo: DemoRun) -> None:
    """After Ctrl-C while a job runs the demo exits with 130, and neither Airflow nor the fake Airbyte is left."""
    demo.wait_for_output(RUNNING)
    assert len(demo.processes()) >= 3
    demo.signal(signal.SIGINT)
    assert demo.end() == 130, demo.output
    assert "Nothing of the demo is left running" in demo.output
    assert not demo.left_running()
    assert demo.left_behind() == set()


def test_sigterm_ends_the_demo_while_airflow_starts(demo: DemoRun) -> None:
    """After SIGTERM to the demo alone, once the fake Airbyte is up, it exits with 143 and leaves nothing running."""
    demo.wait_for_output("Fake Airbyte")
    demo.process.terminate()
    assert demo.end() == 143, demo.output
    assert not demo.left_running()


def test_sigterm_ends_the_installation(tmp_path: Path) -> None:
    """SIGTERM to a demo that makes its environment ends the making too, and the exit status is 143."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/demo", "scripts/_environment.sh", "scripts/constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    demo = DemoRun(tmp_path, root=tmp_path)
    try:
        demo.wait_for_process("venv")
        demo.process.terminate()
        assert demo.end() == 143, demo.output
        assert not demo.left_running()
        assert not list((tmp_path / ".venv").glob(".installed-*"))
    finally:
        _clear(demo)


@pytest.mark.airbyte(auth="basic", username="ada", password=PASSWORD)
def test_demo_syncs_the_given_connection_of_the_given_airbyte(fake_airbyte: FakeAirbyte, tmp_path: Path) -> None:
    """With AIRBYTE_URL the DAGs sync AIRBYTE_CONNECTION_ID there; the password is in no output, log or command line."""
    plant_demo(fake_airbyte, 1.0)
    demo = DemoRun(
        tmp_path,
        AIRBYTE_URL=fake_airbyte.url,
        AIRBYTE_USERNAME="ada",
        AIRBYTE_PASSWORD=PASSWORD,
        AIRBYTE_CONNECTION_ID=ORDERS_ID,
    )
    try:
        demo.wait_for_output(RUNNING)
        commands = [" ".join(command) for command in demo.processes().values()]
        texts = demo.texts()
        demo.signal(signal.SIGINT)
        assert demo.end() == 130, demo.output
        assert "Fake Airbyte" not in demo.output
        assert re.search(rf"Airbyte 2.0.0 at {fake_airbyte.url}/api for connection\s+{ORDERS_ID}", demo.output)
        assert any("dags test" in command for command in commands)
        assert PASSWORD not in "".join([texts, demo.texts(), *commands])
        assert not demo.left_running()
    finally:
        _clear(demo)


def test_demo_says_that_airbyte_does_not_answer(tmp_path: Path) -> None:
    """An AIRBYTE_URL at which nothing listens makes the demo exit with 1, name the address and leave nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    demo = DemoRun(tmp_path, AIRBYTE_URL=url, AIRBYTE_CONNECTION_ID=ORDERS_ID)
    assert demo.end() == 1, demo.output
    assert f"cannot connect to {url}" in demo.output
    assert "Traceback" not in demo.output
    assert not demo.left_running()
