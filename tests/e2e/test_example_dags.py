"""Every example DAG runs in Airflow, as `airflow dags test` runs it, and does what its docstring says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.demo import ORDERS_ID, plant_demo

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture(scope="module")
def dags():
    """All example DAGs, parsed by Airflow into a fresh database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag(EXAMPLES)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    assert not bag.import_errors
    return bag.dags


@pytest.fixture
def airbyte(monkeypatch, tmp_path):
    with FakeAirbyte() as airbyte:
        plant_demo(airbyte, seconds_per_step=0.01)
        connection = {"conn_type": "airbyteconfig", "host": airbyte.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_VAR_AIRBYTE_SNAPSHOT_STORE", str(tmp_path / "snapshots"))
        yield airbyte


def test_each_file_holds_one_dag_of_its_name_tagged_as_an_example(dags) -> None:
    assert set(dags) == {path.stem for path in EXAMPLES.glob("*.py")}
    for dag in dags.values():
        assert "example" in dag.tags
        assert not dag.catchup
        assert dag.doc_md


@pytest.mark.parametrize("dag_id", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_the_example_runs_to_success(dags, airbyte, dag_id) -> None:
    if dag_id == "example_airbyte_restore_state":
        dags["example_airbyte_backup_workspace"].test()
    if dag_id == "example_airbyte_wait_for_sync":
        airbyte.start_job(ORDERS_ID)
    run = dags[dag_id].test()
    assert run.state == "success"
    assert {job["status"] for job in airbyte.jobs()} <= {"succeeded"}
