"""The DAGs of docs/migration.md, run in Airflow against the fake Airbyte, as those who move here would."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from pages import block_with
from parsed_dags import parsed

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.demo import plant_demo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def on_sqlite(monkeypatch):
    if not find_spec("airflow.sdk"):
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")  # SQLite takes no other in Airflow 2


@pytest.fixture
def airbyte(monkeypatch, on_sqlite):
    """The Airflow Connection is of the official provider's type, and points at its public API."""
    with FakeAirbyte(auth="client_credentials") as airbyte:
        plant_demo(airbyte, seconds_per_step=0)
        connection = {
            "conn_type": "airbyte",
            "host": f"{airbyte.url}/api/public/v1/",
            "login": airbyte.client_id,
            "password": airbyte.client_secret,
            "schema": "v1/applications/token",
        }
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", json.dumps(connection))
        yield airbyte


@pytest.fixture
def open_airbyte(monkeypatch, on_sqlite):
    """The Airflow Connection is one of Airflow's HttpHook."""
    with FakeAirbyte() as airbyte:
        plant_demo(airbyte, seconds_per_step=0)
        connection = {"conn_type": "http", "host": airbyte.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_HTTP", json.dumps(connection))
        yield airbyte


def run_of(note: str, folder: Path) -> Any:
    """Let Airflow parse and run a DAG of the page."""
    (folder / "dag.py").write_text(block_with("docs/migration.md", note))
    bag = parsed(folder)
    assert not bag.import_errors
    (dag,) = bag.dags.values()
    return dag.test()


@pytest.mark.parametrize("note", ["the official example", "own operators"])
def test_a_dag_of_the_page_runs(airbyte, tmp_path, note) -> None:
    run = run_of(note, tmp_path)
    assert run.state == "success"
    assert [job["status"] for job in airbyte.jobs()] == ["succeeded", "succeeded"]
    returned = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}
    ids = [value if isinstance(value, int) else value["job_id"] for value in returned.values()]
    assert sorted(ids) == [1, 2, 2]


@pytest.mark.parametrize("note", ["with the http provider: the chain", "instead of the chain"])
def test_a_chain_and_what_replaces_it_run_one_job(open_airbyte, tmp_path, note) -> None:
    assert run_of(note, tmp_path).state == "success"
    assert [job["status"] for job in open_airbyte.jobs()] == ["succeeded"]
