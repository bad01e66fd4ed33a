"""Saving, restoring and resetting state in a real Airflow, with the fake Airbyte over HTTP."""

from __future__ import annotations

import pytest
from real_airflow import Run, until


def set_cursor(airbyte, connection_id: str, cursor: str) -> None:
    entry = {"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": cursor}}
    state = {"stateType": "stream", "connectionId": connection_id, "streamState": [entry]}
    airbyte.set_state(connection_id, state)


@pytest.mark.parametrize("dag_id", ["backup", "mapped_backup"])
def test_a_backup_starts_the_dag_that_is_scheduled_on_snapshots(airflow, airbyte, tmp_path, dag_id) -> None:
    """The asset event carries the snapshot's reference; a mapped task is called by its connection's name."""
    connection_id = airbyte.add_connection(name="told", streams=[("public", "orders")])
    set_cursor(airbyte, connection_id, "7")
    until(lambda: airflow.has_dag("on_snapshot"), "the DAG that listens is parsed")
    run = airflow.trigger(dag_id, connection_id=connection_id, store=str(tmp_path))
    if dag_id == "mapped_backup":
        run.path += "/0"
        until(lambda: airflow.look(run.path), "the task is mapped")
    assert run.end() == "success"
    assert run.task()["rendered_map_index"] == ("told" if dag_id == "mapped_backup" else None)

    def shown() -> bool | None:
        runs = airflow.call("GET", "/api/v2/dags/on_snapshot/dagRuns")["dag_runs"]
        extras = [Run(airflow, "on_snapshot", run["dag_run_id"]).xcom() or [] for run in runs]
        return any(each["connection_id"] == connection_id for extra in extras for each in extra) or None

    until(shown, "the DAG that listens has run with the snapshot's reference")


def test_a_reset_keeps_the_state_and_a_restore_brings_it_back(airflow, airbyte, tmp_path) -> None:
    connection_id = airbyte.add_connection(name="back", streams=[("public", "orders")])
    set_cursor(airbyte, connection_id, "7")
    before = airbyte.state(connection_id)
    arguments = {"connection_id": connection_id, "store": str(tmp_path)}
    reset = airflow.trigger("reset", **arguments)
    assert reset.end() == "success"
    assert airbyte.state(connection_id)["stateType"] == "not_set"
    restore = airflow.trigger("restore", **arguments)
    assert restore.end() == "success"
    assert airbyte.state(connection_id) == before
    assert restore.xcom()["safety_snapshot"] in restore.log()
    assert '"7"' not in restore.log()
