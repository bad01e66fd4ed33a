"""Airflow after Airbyte: a sensor and an asset's watcher see the syncs that Airbyte's own schedule starts."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from real_airflow import RealAirflow, Run, until

from airflow_airbyte_ext.testing import FakeAirbyte, Step

LONG = [Step("pending"), Step("running", seconds=3600)]
WATCHED = [f"eeeeeeee-0000-4000-8000-00000000000{number}" for number in (1, 2)]


def scheduled_sync(airbyte: FakeAirbyte, connection_id: str) -> int:
    """Start a sync as Airbyte's schedule does; it runs until somebody ends it."""
    airbyte.script(connection_id, LONG)
    return airbyte.start_job(connection_id)


def start(airflow: RealAirflow, airbyte: FakeAirbyte, dag_id: str, **params: Any) -> tuple[Run, str]:
    """Start a sensor on a connection that was synced an hour ago, before the time that the sensor requests."""
    connection_id = airbyte.add_connection(name=dag_id, streams=["orders"])
    airbyte.advance(scheduled_sync(airbyte, connection_id), "succeeded")
    time.sleep(1.1)  # Airbyte's times are whole seconds
    after = datetime.now(tz=UTC).isoformat()
    return airflow.trigger(dag_id, connection_id=connection_id, completed_after=after, **params), connection_id


def found(airbyte: FakeAirbyte, connection_id: str) -> None:
    def look() -> bool | None:
        return any(call.body["configId"] == connection_id for call in airbyte.calls("listJobsFor")) or None

    until(look, "the sensor looks")


MODES = ["connection_poke", "connection_reschedule", "connection_deferred", "connection_next"]


@pytest.mark.parametrize("dag_id", MODES)
def test_the_sensor_sees_a_sync_that_airbyte_itself_has_started(airflow, airbyte, dag_id) -> None:
    run, connection_id = start(airflow, airbyte, dag_id)
    found(airbyte, connection_id)
    job_id = scheduled_sync(airbyte, connection_id)
    if dag_id in ("connection_deferred", "connection_next"):
        run.wait_for("deferred")
    time.sleep(4)  # a task that comes back sooner is at times taken for lost by Airflow's own scheduler
    assert run.task()["state"] not in ("success", "failed")
    airbyte.advance(job_id, "succeeded")
    assert run.end() == "success"
    assert (run.xcom()["job_id"], run.xcom("job_id")) == (job_id, job_id)
    assert run.links()["Airbyte job"].endswith(f"jobId={job_id}&openLogs=true")


def test_without_a_time_the_runs_own_time_counts(airflow, airbyte) -> None:
    """This run is triggered without a logical date, so it has no data interval."""
    run, connection_id = start(airflow, airbyte, "connection_default_time")
    found(airbyte, connection_id)
    time.sleep(1.1)
    airbyte.advance(scheduled_sync(airbyte, connection_id), "succeeded")
    assert run.end() == "success"


def test_a_failed_sync_is_waited_over_or_ends_the_sensor(airflow, airbyte) -> None:
    patient, first = start(airflow, airbyte, "connection_deferred")
    strict, second = start(airflow, airbyte, "connection_strict")
    for run, connection_id in ((patient, first), (strict, second)):
        run.wait_for("deferred")
        time.sleep(4)
        airbyte.advance(scheduled_sync(airbyte, connection_id), "failed")
    assert strict.end() == "failed"
    until(lambda: "Waiting for a sync that succeeds." in patient.log() or None, "the failure is told of")
    airbyte.advance(scheduled_sync(airbyte, first), "succeeded")
    assert patient.end() == "success"


def test_a_time_out_skips_the_sensor_where_that_is_asked_for(airflow, airbyte) -> None:
    run, _ = start(airflow, airbyte, "connection_soft")
    assert run.end() == "skipped"


def test_an_unknown_connection_fails_the_sensor_at_once(airflow) -> None:
    unknown = "99999999-9999-4999-8999-999999999999"
    run = airflow.trigger("connection_deferred", connection_id=unknown, completed_after="2026-01-01T00:00:00Z")
    assert run.end() == "failed"
    assert f"has no connection {unknown}" in run.log()


def consumer_runs(airflow: RealAirflow, dag_id: str) -> list[int]:
    """The jobs of all events that the runs of a consumer have had, in order."""
    response = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=run_after")
    jobs: list[int] = []
    for row in response["dag_runs"]:
        run = Run(airflow, dag_id, row["dag_run_id"])
        assert run.end() == "success"
        payloads = run.xcom()
        assert len(payloads) == 1
        assert set(payloads[0]) == {"connection_id", "job_id", "status", "records", "ended_at"}
        jobs.append(payloads[0]["job_id"])
    return jobs


def sync_and_wait(airflow: RealAirflow, airbyte: FakeAirbyte, number: int, shown: list[int]) -> None:
    job_id = scheduled_sync(airbyte, WATCHED[number - 1])
    airbyte.advance(job_id, "succeeded")
    shown.append(job_id)
    until(lambda: consumer_runs(airflow, f"on_sync_{number}") == shown or None, f"{shown} is told of", seconds=90)


def test_an_assets_watcher_runs_its_dag_once_for_each_sync(airflow, airbyte) -> None:
    """Also over a kill of the triggerer, and for a sync that ends while there is none."""
    until(lambda: airflow.has_dag("on_sync_2"), "the DAGs are parsed")
    for connection_id in WATCHED:
        found(airbyte, connection_id)
        airbyte.add_connection(connection_id=connection_id, name=connection_id, streams=["orders"])
    first: list[int] = []
    second: list[int] = []
    sync_and_wait(airflow, airbyte, 1, first)
    sync_and_wait(airflow, airbyte, 2, second)
    airbyte.advance(scheduled_sync(airbyte, WATCHED[0]), "failed")
    sync_and_wait(airflow, airbyte, 1, first)
    time.sleep(5)  # until what was configured is noted as told
    os.killpg(airflow.components["triggerer"].pid, signal.SIGKILL)
    airflow.components["triggerer"].wait()
    missed = scheduled_sync(airbyte, WATCHED[0])
    airbyte.advance(missed, "succeeded")
    airflow.start("triggerer")
    first.append(missed)
    until(lambda: consumer_runs(airflow, "on_sync_1") == first or None, "the missed sync is told of", seconds=180)
    sync_and_wait(airflow, airbyte, 2, second)
    assert consumer_runs(airflow, "on_sync_1") == first
