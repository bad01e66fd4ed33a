"""Every example DAG runs in Airflow, as `airflow dags test` runs it, and does what its docstring says."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.demo import ORDERS_ID, plant_demo

EXAMPLES = Path(__file__).parents[2] / "example_dags"


# Assets have watchers from Airflow 3 on: before, an example of them is an import error.
NEED_AIRFLOW_3 = set() if find_spec("airflow.sdk") else {"example_airbyte_on_sync"}


@pytest.fixture(scope="module")
def dags():
    """All example DAGs, parsed by Airflow into a fresh database."""
    from airflow.utils.db import initdb

    initdb()
    bag = parsed()
    assert {Path(path).stem for path in bag.import_errors} == NEED_AIRFLOW_3
    return bag.dags


def parsed() -> Any:
    """Let Airflow parse the examples and keep them, which each of its lines does in another way."""
    since_3_2 = "airflow.dag_processing.dagbag"
    dagbag: Any = import_module(since_3_2 if find_spec(since_3_2) else "airflow.models.dagbag")
    bag = dagbag.DagBag(EXAMPLES)
    if not find_spec("airflow.sdk"):  # 2
        bag.sync_to_db()
        return bag
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    if hasattr(dagbag, "sync_bag_to_db"):  # 3.1
        dagbag.sync_bag_to_db(bag, "dags-folder", None)
    else:
        bag.sync_to_db("dags-folder", None)
    return bag


@pytest.fixture
def airbyte(monkeypatch, tmp_path):
    with FakeAirbyte() as airbyte:
        plant_demo(airbyte, seconds_per_step=0.01)
        connection = {"conn_type": "airbyteconfig", "host": airbyte.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_VAR_AIRBYTE_SNAPSHOT_STORE", str(tmp_path / "snapshots"))
        if not find_spec("airflow.sdk"):
            monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")  # SQLite takes no other in Airflow 2
        yield airbyte


def test_each_file_holds_one_dag_of_its_name_tagged_as_an_example(dags) -> None:
    assert set(dags) == {path.stem for path in EXAMPLES.glob("*.py")} - NEED_AIRFLOW_3
    for dag in dags.values():
        assert "example" in dag.tags
        assert not dag.catchup
        assert dag.doc_md


def test_what_needs_airflow_3_says_so_first(dags) -> None:
    for name in NEED_AIRFLOW_3:
        assert "Needs Airflow 3" in (EXAMPLES / f"{name}.py").read_text()


@pytest.mark.parametrize("dag_id", sorted({path.stem for path in EXAMPLES.glob("*.py")} - NEED_AIRFLOW_3))
def test_the_example_runs_to_success(dags, airbyte, dag_id) -> None:
    if dag_id == "example_airbyte_restore_state":
        dags["example_airbyte_backup_workspace"].test()
    if dag_id == "example_airbyte_wait_for_sync":
        airbyte.start_job(ORDERS_ID)
    run = dags[dag_id].test()
    assert run.state == "success"
    assert {job["status"] for job in airbyte.jobs()} <= {"succeeded"}
