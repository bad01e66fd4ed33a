"""Saving, restoring and resetting state in a real Airflow, with the fake Airbyte over HTTP."""

from __future__ import annotations

from real_airflow import Run, until


def set_cursor(airbyte, connection_id: str, cursor: str) -> None:
    entry = {"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": cursor}}
    state = {"stateType": "stream", "connectionId": connection_id, "streamState": [entry]}
    airbyte.set_state(connection_id, state)


def test_a_backup_starts_the_dag_that_is_scheduled_on_snapshots(airflow, airbyte, tmp_path) -> None:
    """The asset event carries the snapshot's reference."""
    connection_id = airbyte.add_connection(name="told", streams=[("public", "orders")])
    set_cursor(airbyte, connection_id, "7")
    until(lambda: airflow.has_dag("on_snapshot"), "the DAG that listens is parsed")
    run = airflow.trigger("backup", connection_id=connection_id, store=str(tmp_path))
    assert run.end() == "success"
    reference = run.xcom()

    def told() -> bool | None:
        runs = airflow.call("GET", "/api/v2/dags/on_snapshot/dagRuns")["dag_runs"]
        extras = [Run(airflow, "on_snapshot", run["dag_run_id"]).xcom() or [] for run in runs]
        return any(reference in extra for extra in extras) or None

    until(told, "the DAG that listens has run with the snapshot's reference")


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
