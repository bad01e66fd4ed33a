from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from airflow_airbyte_ext.api.clock import KillableClock
from airflow_airbyte_ext.operators import base, job_run
from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.triggers import watching

if TYPE_CHECKING:
    from collections.abc import Iterator


class TaskStateStore(dict[str, Any]):
    """Airflow 3.3's store, which outlives a try of a task."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


class OutletEvents:
    """What Airflow gives a task to attach what its outlets are told; not all that Airflow has can be keys."""

    def __init__(self) -> None:
        self._accessors: list[tuple[Any, Accessor]] = []

    def __iter__(self) -> Iterator[Any]:
        return (outlet for outlet, _ in self._accessors)

    def __getitem__(self, outlet: Any) -> Accessor:
        for known, accessor in self._accessors:
            if known == outlet:
                return accessor
        self._accessors.append((outlet, Accessor()))
        return self._accessors[-1][1]


class Accessor:
    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[Any, dict[str, Any]]] = []

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.added.append((asset, extra))


@dataclass
class TaskInstance:
    """What our code asks of a task instance."""

    max_tries: int = 2
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "task_state_store": TaskStateStore(), "outlet_events": OutletEvents()}


@pytest.fixture(autouse=True)
def watched_by_nobody_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a triggerer that has just begun."""
    monkeypatch.setattr(watching, "_watched", {})


class HurriedClock(KillableClock):
    """The clock of a task whose long waits are over at once."""

    waits: ClassVar[list[float]] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        super().sleep(min(seconds, 0.05))


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the waits of tasks be short, and return how long each wanted to be."""
    monkeypatch.setattr(base, "KillableClock", HurriedClock)
    monkeypatch.setattr(HurriedClock, "waits", [])
    return HurriedClock.waits


@pytest.fixture(autouse=True)
def defers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for what a job may do in the moment before a deferral, but those of that moment."""
    monkeypatch.setattr(job_run, "POLLS_BEFORE_DEFERRAL", 0)


@pytest.fixture
def airbyte(monkeypatch: pytest.MonkeyPatch):
    """A fake Airbyte that the Airflow Connection `airbyte_config_default` points at."""
    with FakeAirbyte() as airbyte:
        connection = {"conn_type": "airbyteconfig", "host": airbyte.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        yield airbyte


@pytest.fixture
def start_airbyte(monkeypatch: pytest.MonkeyPatch):
    """Start a fake Airbyte of another era in that one's place; returns it, with a connection of its own."""
    with ExitStack() as running:

        def start(era: str) -> tuple[FakeAirbyte, str]:
            airbyte = running.enter_context(FakeAirbyte(era=era))
            connection = {"conn_type": "airbyteconfig", "host": airbyte.url}
            monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
            return airbyte, airbyte.add_connection(name="Orders", streams=[("public", "orders")])

        yield start


@pytest.fixture
def connection_id(airbyte: FakeAirbyte) -> str:
    return airbyte.add_connection(name="Orders", streams=[("public", "orders")])
