"""Running `airbyte-state` against the fake Airbyte, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from cli_states import state_of

from airflow_airbyte_ext.cli.main import main

HOUR = 3600


@dataclass
class Run:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AIRBYTE_", "AIRFLOW_CONN_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def environment(airbyte, store, monkeypatch):
    """Name the fake and an empty store."""
    monkeypatch.setenv("AIRBYTE_URL", airbyte.url)
    monkeypatch.setenv("AIRBYTE_STATE_STORE", str(store))


@pytest.fixture
def cli(environment, clock, capsys):
    """Run the command on the test's clock; every run is an hour after the one before."""

    def run(*arguments: str) -> Run:
        clock.now += HOUR
        try:
            code = main([str(argument) for argument in arguments], clock=clock)
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture
def process(environment):
    """Start the command as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "airflow_airbyte_ext.cli", *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, **{**pipes, **options})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def orders(airbyte):
    """A connection with two streams that have state."""
    connection_id = airbyte.add_connection("Orders", [("public", "orders"), ("public", "users")])
    airbyte.set_state(connection_id, state_of(orders="10", users="20"))
    return connection_id
