from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_airbyte_ext.testing import FakeAirbyte


class TaskStateStore(dict[str, Any]):
    """Airflow 3.3's store, which outlives a try of a task."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


@dataclass
class TaskInstance:
    """What our code asks of a task instance."""

    max_tries: int = 2
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "task_state_store": TaskStateStore()}


@pytest.fixture
def airbyte(monkeypatch: pytest.MonkeyPatch):
    """A fake Airbyte that the Airflow Connection `airbyte_config_default` points at."""
    with FakeAirbyte() as airbyte:
        connection = {"conn_type": "airbyteconfig", "host": airbyte.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        yield airbyte


@pytest.fixture
def connection_id(airbyte: FakeAirbyte) -> str:
    return airbyte.add_connection(name="Orders", streams=[("public", "orders")])
