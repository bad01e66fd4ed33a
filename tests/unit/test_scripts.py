"""The parts of `scripts/` that need no Airflow."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONNECTION_ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def demo() -> Any:
    spec = importlib.util.spec_from_file_location("demo_script", ROOT / "scripts" / "demo.py")
    assert spec
    assert spec.loader
    module = sys.modules["demo_script"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        (
            {"AIRBYTE_USERNAME": "u", "AIRBYTE_PASSWORD": "p"},
            {"login": "u", "password": "p", "extra": {"auth": "basic"}},
        ),
        (
            {"AIRBYTE_CLIENT_ID": "i", "AIRBYTE_CLIENT_SECRET": "s"},
            {"login": "i", "password": "s", "extra": {"auth": "client_credentials"}},
        ),
        ({"AIRBYTE_TOKEN": "t"}, {"password": "t", "extra": {"auth": "bearer"}}),
    ],
)
def test_variables_become_an_airflow_connection(demo: Any, given: dict[str, str], expected: dict[str, Any]) -> None:
    """Each kind of credentials becomes the Airflow Connection that the hook reads it from."""
    airbyte = demo.real_airbyte({"AIRBYTE_URL": "http://a", "AIRBYTE_CONNECTION_ID": CONNECTION_ID, **given})
    assert airbyte.connection == {"conn_type": "airbyteconfig", "host": "http://a", **expected}
    assert airbyte.conf == {"connection_id": CONNECTION_ID}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AIRBYTE_CONNECTION_ID": ""}, "AIRBYTE_URL needs AIRBYTE_CONNECTION_ID"),
        ({"AIRBYTE_USERNAME": "u"}, "AIRBYTE_PASSWORD is missing"),
        ({"AIRBYTE_CLIENT_SECRET": "s"}, "AIRBYTE_CLIENT_ID is missing"),
        (
            {"AIRBYTE_TOKEN": "t", "AIRBYTE_USERNAME": "u", "AIRBYTE_PASSWORD": "p"},
            "One kind of credentials is needed, and basic and bearer are given",
        ),
    ],
)
def test_wrong_variables_are_named(demo: Any, given: dict[str, str], message: str) -> None:
    """Variables that do not fit together are refused with a message that names them, and shows no value."""
    with pytest.raises(demo.DemoError, match=message):
        demo.real_airbyte({"AIRBYTE_URL": "http://a", "AIRBYTE_CONNECTION_ID": CONNECTION_ID, **given})


def test_without_a_url_the_airbyte_is_a_fake(demo: Any) -> None:
    """Without AIRBYTE_URL no real Airbyte is used, whatever else is set."""
    assert demo.real_airbyte({"AIRBYTE_CONNECTION_ID": CONNECTION_ID}) is None


def test_airflow_gets_nothing_of_another_airflow(demo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables of another Airflow, and Airbyte's credentials, do not reach the demo's Airflow."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "Nonsense")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/nowhere")
    monkeypatch.setenv("AIRBYTE_PASSWORD", "p")
    monkeypatch.setenv("NO_PROXY", "example.org")
    environment = demo.airflow_environment(tmp_path, {"conn_type": "airbyteconfig"})
    assert not {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONFIG", "AIRBYTE_PASSWORD"} & set(environment)
    assert environment["AIRFLOW_HOME"] == str(tmp_path)
    assert json.loads(environment["AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT"]) == {"conn_type": "airbyteconfig"}
    assert environment["no_proxy"] == "example.org,127.0.0.1"


def test_dags_are_chosen_by_their_names(demo: Any) -> None:
    """With or without what all names begin with; on a real Airbyte those alone that only sync."""
    assert demo.chosen_examples(["sync", "example_airbyte_refresh"]) == [
        "example_airbyte_sync",
        "example_airbyte_refresh",
    ]
    assert demo.chosen_examples([]) == demo.examples()
    assert demo.options_of(["--fast"]).dags == ["example_airbyte_reset_and_restore"]
    with pytest.raises(demo.DemoError, match=r"There is no DAG 'example_airbyte_x'\. There are: backup_workspace,"):
        demo.chosen_examples(["x"])
    with pytest.raises(demo.DemoError, match="example_airbyte_refresh changes more than a sync does"):
        demo.chosen_examples(["refresh"], changing_data=False)


def test_help_needs_no_environment(tmp_path: Path) -> None:
    (tmp_path / "demo").write_bytes((ROOT / "scripts" / "demo").read_bytes())
    shown = subprocess.run(["bash", tmp_path / "demo", "--help"], check=True, capture_output=True, text=True)
    assert shown.stdout.startswith("Run the example DAGs in a real Airflow, against a fake Airbyte.\n")
    assert "--fast" in shown.stdout
    assert "set -euo" not in shown.stdout
    assert not shown.stderr


def test_a_long_line_is_wrapped_beside_its_speaker_and_an_address_is_not(
    demo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "http://127.0.0.1:8000/" + "x" * 90
    said = f"See the job, which has moved one thousand records and more, at {address}"
    demo.show(f"2026-01-01T00:00:00Z [info     ] {said} [airflow_airbyte_ext.triggers.airbyte.T] x=1", 1.0)
    assert capsys.readouterr().out.splitlines() == [
        "    1 s  trigger  See the job, which has moved one thousand records and more, at",
        " " * 18 + address,
    ]


def test_tasks_without_a_job_and_without_success_have_no_figures(demo: Any) -> None:
    """A task that failed shows its state and its job's id; one that runs no job shows its state alone."""
    failed = demo.TaskRow("dag", "task", "failed", {"job_id": 7})
    other = demo.TaskRow("dag", "task", "success", {"return_value": ["anything"]})
    skipped = demo.TaskRow("dag", "task", None)
    assert [str(cell) for cell in demo.cells(failed)][:2] == ["7", "failed"]
    assert [str(cell) for cell in demo.cells(other)][:2] == ["", "success"]
    assert [str(cell) for cell in demo.cells(skipped)][:2] == ["", "not run"]


def test_only_lines_of_this_package_and_exceptions_are_shown(demo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Of Airflow's output, what this package's loggers say is shown with its speaker, and so are exceptions."""
    ours = "airflow.task.operators.airflow_airbyte_ext.operators.airbyte.AirbyteSyncConnectionOperator"
    for line in (
        f"2026-01-01T00:00:00.000000Z [info     ] Job 1: failed [source]   [{ours}] loc=job.py:1",
        "2026-01-01T00:00:00Z [info     ] Job 2: x [airflow_airbyte_ext.triggers.airbyte.AirbyteJobTrigger] x=1",
        "2026-01-01T00:00:00.000000Z [info     ] Pushing xcom      [task] loc=task_runner.py:1",
        f"2026-01-01T00:00:00.000000Z [info     ] Success criteria met. Exiting. [{ours}] loc=sensor.py:250",
        '  File "x.py", line 1, in <module>',
        "airflow_airbyte_ext.exceptions.AirbyteJobFailedError: Job 1 failed",
    ):
        demo.show(line, 1.0)
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()] == [
        "operator Job 1: failed [source]",
        "trigger  Job 2: x",
        "error    AirbyteJobFailedError: Job 1 failed",
    ]


class Checkout:
    """A copy of the scripts, whose Python notes what it is requested instead of doing it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        (folder / "scripts").mkdir()
        for name in ("scripts/_environment.sh", "scripts/test", "scripts/constraints.txt", "pyproject.toml"):
            (folder / name).write_bytes((ROOT / name).read_bytes())
        self.add_python(".venv/bin/python", "")

    def add_python(self, name: str, body: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "$*" >>"{self.calls}"\n{body}\n')
        path.chmod(0o755)

    def run(self, command: str) -> tuple[int, list[str]]:
        """Return the exit status, and the first words of what Python was requested, apart from questions."""
        self.calls.write_text("")
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        ended = subprocess.run(
            ["bash", "-c", f"set -euo pipefail; {command}"],
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )
        calls = [" ".join(call.split()[1:3]) for call in self.calls.read_text().splitlines()]
        return ended.returncode, [call for call in calls if call.startswith(("pip install", "venv"))]

    def environment(self, kind: str) -> list[str]:
        status, calls = self.run(f"source scripts/_environment.sh; environment {kind}")
        assert status == 0
        return calls


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_environment_is_installed_only_when_it_has_changed(checkout: Checkout) -> None:
    """pip installs when nothing is installed, not the second time, and again when pyproject.toml has changed."""
    requested = [len(checkout.environment(kind)) for kind in ("demo", "demo", "dev", "dev", "demo")]
    assert requested == [2, 0, 2, 0, 0]
    with (checkout.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert checkout.environment("demo") == ["pip install", "pip install"]


def test_a_failed_install_is_done_again(checkout: Checkout) -> None:
    """When pip fails, so does the script, with pip's exit status, and nothing counts as installed."""
    checkout.add_python(".venv/bin/python", 'if [ "$3" = install ]; then exit 3; fi')
    assert checkout.run("bash scripts/test") == (3, ["pip install"])
    assert not list((checkout.folder / ".venv").glob(".installed-*"))


def test_an_environment_whose_making_was_broken_off_is_made_anew(checkout: Checkout) -> None:
    """A .venv without pip is cleared and made again."""
    checkout.add_python(".venv/bin/python", "exit 1")
    checkout.add_python("sound", "")
    checkout.add_python("bin/python3", 'if [ "$2" = venv ]; then cp sound .venv/bin/python; fi')
    assert checkout.environment("demo") == ["venv --clear", "pip install", "pip install"]


def test_constraints_are_plain_versions() -> None:
    """The constraints name packages and versions: no address, no path, and not this package."""
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 and not set(line) & set("/@:") for line in pins)
    assert not any(line.startswith("airflow-airbyte-ext=") for line in pins)
