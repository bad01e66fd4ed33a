"""Every example DAG runs in Airflow, as `airflow dags test` runs it, and does what its docstring says."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from parsed_dags import parsed

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.demo import ORDERS_ID, plant_demo

EXAMPLES = Path(__file__).parents[2] / "example_dags"


# Assets have watchers from Airflow 3 on: before, an example of them is an import error.
NEED_AIRFLOW_3 = set() if find_spec("airflow.sdk") else {"example_airbyte_on_sync"}


@pytest.fixture(scope="module")
def dags():
    """All example DAGs, parsed by Airflow into a fresh database."""
    bag = parsed(EXAMPLES)
    assert {Path(path).stem for path in bag.import_errors} == NEED_AIRFLOW_3
    return bag.dags


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
