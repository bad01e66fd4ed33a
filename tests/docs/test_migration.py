"""The DAGs of docs/migration.md, run in Airflow against the fake Airbyte, as those who move here would."""

from __future__ import annotations

import json

import pytest
from pages import block_with

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.demo import plant_demo


@pytest.fixture
def airbyte(monkeypatch):
    """The Airflow Connection is of the official provider's type, and points at its public API."""
    with FakeAirbyte(auth="client_credentials") as airbyte:
        plant_demo(airbyte, seconds_per_step=0.01)
        connection = {
            "conn_type": "airbyte",
            "host": f"{airbyte.url}/api/public/v1/",
            "login": airbyte.client_id,
            "password": airbyte.client_secret,
            "schema": "v1/applications/token",
        }
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", json.dumps(connection))
        yield airbyte


@pytest.mark.parametrize("note", ["the official example", "own operators"])
def test_a_dag_of_the_page_runs(airbyte, tmp_path, note) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    (tmp_path / "dag.py").write_text(block_with("docs/migration.md", note))
    initdb()
    bag = DagBag(tmp_path)
    assert not bag.import_errors
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    (dag,) = bag.dags.values()
    run = dag.test()
    assert run.state == "success"
    assert [job["status"] for job in airbyte.jobs()] == ["succeeded", "succeeded"]
    returned = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in run.get_task_instances()}
    ids = [value if isinstance(value, int) else value["job_id"] for value in returned.values()]
    assert sorted(ids) == [1, 2, 2]
