"""What a user sees in a real Airflow, with real processes, real kills, and the fake Airbyte over HTTP."""

from __future__ import annotations

import json

import pytest
from real_airflow import RealAirflow, Run, until

from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS
from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Step

LONG = [Step("pending"), Step("running", seconds=3600)]
XCOM_KEYS = {
    "job_id",
    "connection_id",
    "status",
    "job_type",
    "attempts",
    "records_synced",
    "bytes_synced",
    "started_at",
    "ended_at",
    "attached",
    "streams",
}


def start(airflow: RealAirflow, airbyte: FakeAirbyte, dag_id: str, steps: list[Step] | None = None) -> tuple[Run, str]:
    """Start a DAG on a connection of its own, and wait until its job is known to Airflow."""
    connection_id = airbyte.add_connection(name=dag_id, streams=[("public", "orders")])
    if steps:
        airbyte.script(connection_id, steps)
    run = airflow.trigger(dag_id, connection_id=connection_id)
    until(lambda: run.xcom("job_id"), "the job id is pushed")
    return run, connection_id


def statuses(airbyte: FakeAirbyte, connection_id: str) -> list[str]:
    return [job["status"] for job in airbyte.jobs(connection_id)]


def until_statuses(airbyte: FakeAirbyte, connection_id: str, *expected: str) -> None:
    until(
        lambda: statuses(airbyte, connection_id) == list(expected) or None,
        f"jobs become {expected} (they are {statuses(airbyte, connection_id)})",
    )


@pytest.mark.parametrize("dag_id", ["waiting", "deferred"])
def test_a_sync_returns_the_same_report_in_the_worker_and_in_the_triggerer(airflow, airbyte, dag_id) -> None:
    run, connection_id = start(airflow, airbyte, dag_id)
    assert run.end() == "success"
    report = run.xcom()
    assert set(report) == XCOM_KEYS
    assert report | {"started_at": "", "ended_at": "", "job_id": 0} == {
        "job_id": 0,
        "connection_id": connection_id,
        "status": "succeeded",
        "job_type": "sync",
        "attempts": 1,
        "records_synced": 100,
        "bytes_synced": 2048,
        "started_at": "",
        "ended_at": "",
        "attached": False,
        "streams": [{"name": "orders", "namespace": "public", "records": 100, "bytes": 2048}],
    }
    assert report["job_id"] == run.xcom("job_id") == airbyte.jobs(connection_id)[0]["id"]


def test_no_task_fails_whose_job_ends_around_its_deferral(airflow, airbyte) -> None:
    """Airflow fails at times what is resumed while the worker that deferred it is still taken for running."""
    runs = []
    for number, seconds in enumerate([1, 3, 4, 5, 4, 3]):
        connection_id = airbyte.add_connection(name=f"brief {number}", streams=["orders"])
        airbyte.script(connection_id, [Step("running", seconds=seconds), Step("succeeded")])
        runs.append(airflow.trigger("deferred", connection_id=connection_id))
    ends = [run.wait_for("success", "failed", "up_for_retry", seconds=180) for run in runs]
    assert [(end["state"], end["try_number"]) for end in ends] == [("success", 1)] * len(runs)


@pytest.mark.parametrize("dag_id", ["waiting", "deferred"])
def test_a_failed_job_fails_the_task_with_airbytes_reason_and_no_secret(airflow, airbyte, dag_id) -> None:
    failure = Failure(origin="source", type="config_error", message="The API key was rejected.")
    run, _ = start(airflow, airbyte, dag_id, [Step("running"), Step("failed", failure=failure)])
    run.wait_for("up_for_retry", "failed")
    log = run.log()
    assert "The API key was rejected. [source, config_error]" in log
    assert airbyte.client_secret not in log


@pytest.mark.parametrize("dag_id", ["waiting", "deferred"])
def test_the_link_to_the_job_works_while_the_job_runs(airflow, airbyte, dag_id) -> None:
    run, connection_id = start(airflow, airbyte, dag_id, LONG)
    run.wait_for("running" if dag_id == "waiting" else "deferred")
    job_id = airbyte.jobs(connection_id)[0]["id"]
    link = until(lambda: run.links()["Airbyte job"], "the link is there")
    assert link.endswith(f"/connections/{connection_id}/timeline?jobId={job_id}&openLogs=true")
    airbyte.advance(job_id, "succeeded")
    assert run.end() == "success"


@pytest.mark.parametrize("dag_id", ["waiting", "deferred"])
def test_marking_the_task_as_failed_cancels_its_job(airflow, airbyte, dag_id) -> None:
    run, connection_id = start(airflow, airbyte, dag_id, LONG)
    run.wait_for("running" if dag_id == "waiting" else "deferred")
    until(lambda: ": running" in run.log() or None, "the wait has begun")
    run.mark("failed")
    until_statuses(airbyte, connection_id, "cancelled")


def test_clearing_a_deferred_task_cancels_its_job_and_runs_a_new_one(airflow, airbyte) -> None:
    run, connection_id = start(airflow, airbyte, "deferred", LONG)
    run.wait_for("deferred")
    until(lambda: ": running" in run.log() or None, "the trigger polls")
    run.clear()
    until_statuses(airbyte, connection_id, "cancelled", "succeeded")
    assert run.end() == "success"
    assert run.xcom("job_id") == airbyte.jobs(connection_id)[1]["id"]


def test_a_retry_after_kill_9_goes_on_with_the_job_of_the_first_try(airflow, airbyte) -> None:
    run, connection_id = start(airflow, airbyte, "waiting", LONG)
    until(lambda: airbyte.jobs(connection_id)[0]["status"] == "running" or None, "the worker polls")
    run.kill_worker()
    run.wait_for("running", try_number=2)
    airbyte.advance(airbyte.jobs(connection_id)[0]["id"], "succeeded")
    assert run.end() == "success"
    assert statuses(airbyte, connection_id) == ["succeeded"]
    assert "was submitted by an earlier try of this task" in run.log(2)


@pytest.mark.parametrize("dag_id", ["impatient", "impatient_deferred"])
def test_a_time_out_cancels_the_job(airflow, airbyte, dag_id) -> None:
    run, connection_id = start(airflow, airbyte, dag_id, LONG)
    assert run.end() == "failed"
    assert statuses(airbyte, connection_id) == ["cancelled"]


@pytest.mark.parametrize("dag_id", ["sensor_poke", "sensor_reschedule", "sensor_deferred"])
def test_the_sensor_waits_for_a_job_that_somebody_else_started(airflow, airbyte, dag_id) -> None:
    connection_id = airbyte.add_connection(name=dag_id, streams=["orders"])
    airbyte.script(connection_id, LONG)
    job_id = airbyte.start_job(connection_id)
    run = airflow.trigger(dag_id, job_id=job_id)
    until(lambda: airbyte.jobs(connection_id)[0]["status"] == "running" or None, "the sensor looks")
    airbyte.advance(job_id, "succeeded")
    assert run.end() == "success"
    assert set(run.xcom()) == XCOM_KEYS


@pytest.mark.parametrize("dag_id", ["sensor_poke", "sensor_reschedule", "sensor_deferred"])
def test_the_sensor_fails_on_a_job_that_this_airbyte_does_not_know(airflow, airbyte, dag_id) -> None:
    run = airflow.trigger(dag_id, job_id=987654)
    assert run.end(seconds=120) == "failed"
    assert "has no job 987654" in run.log()
    assert airbyte.base_url in run.log()


@pytest.mark.parametrize("dag_id", ["rotated", "rotated_deferred"])
def test_a_token_that_is_rotated_while_a_task_waits_is_read_again(airflow, dag_id) -> None:
    """In the worker and in the triggerer; the job's end is read with the new one."""
    with FakeAirbyte(auth="bearer") as airbyte:
        conn_id = f"airbyte_{dag_id}"
        extra = {"auth": None, "token": airbyte.token}  # as the form stores it
        airflow.add_connection(conn_id, conn_type="airbyteconfig", host=airbyte.url, extra=json.dumps(extra))
        run, connection_id = start(airflow, airbyte, dag_id, LONG)
        run.wait_for("running" if dag_id == "rotated" else "deferred")
        until(lambda: len(airbyte.calls("getJobInfoLight")) > 3 or None, "the wait has begun")
        token = f"token-of-{dag_id}"
        airbyte.rotate_credentials(token=token)
        until(lambda: any(call.status == 401 for call in airbyte.journal) or None, "the old token is refused")
        body = {"connection_id": conn_id, "conn_type": "airbyteconfig", "extra": json.dumps({**extra, "token": token})}
        airflow.call("PATCH", f"/api/v2/connections/{conn_id}?update_mask=extra", body)
        [job] = airbyte.jobs(connection_id)
        seen = len(airbyte.journal)
        until(lambda: any(call.status == 200 for call in airbyte.journal[seen:]) or None, "the new one is used")
        airbyte.advance(job["id"], "succeeded")
        assert run.end() == "success"
        assert (run.task()["try_number"], statuses(airbyte, connection_id)) == (1, ["succeeded"])
    assert token not in run.log()
    assert "Skipping masking" not in run.log()


def test_the_test_button_tells_right_credentials_from_wrong_ones(airflow, airbyte) -> None:
    fields = {"connection_id": "tested", "conn_type": "airbyteconfig", "host": airbyte.url, "login": airbyte.client_id}
    right = airflow.call("POST", "/api/v2/connections/test", {**fields, "password": airbyte.client_secret})
    wrong = airflow.call("POST", "/api/v2/connections/test", {**fields, "password": "wrong-secret"})
    assert (right["status"], wrong["status"]) == (True, False)
    assert "Airbyte 2.0.0" in right["message"]
    assert "Airbyte gave no token for this client id and secret" in wrong["message"]
    assert "wrong-secret" not in wrong["message"]


def test_the_test_button_of_a_stored_connection_works_where_its_port_is_0(airflow, airbyte) -> None:
    """Airflow 3.3 sends what the form has hidden or left empty as 0, and stars for the password."""
    fields = {"connection_id": "stored", "conn_type": "airbyteconfig", "host": airbyte.url, "port": 0, "extra": "{}"}
    fields |= {"login": airbyte.client_id}
    airflow.call("POST", "/api/v2/connections", {**fields, "password": airbyte.client_secret})
    stored = airflow.call("GET", "/api/v2/connections/stored")
    assert (stored["port"], stored["password"]) == (0, "***")
    tested = airflow.call("POST", "/api/v2/connections/test", {**fields, "password": stored["password"], "schema": ""})
    assert tested["status"], tested["message"]


def test_the_connection_form_has_our_fields(airflow) -> None:
    forms = airflow.call("GET", "/ui/connections/hook_meta")
    form = next(form for form in forms if form["connection_type"] == "airbyteconfig")
    assert form["hook_name"] == "Airbyte (Config API)"
    assert form["standard_fields"]["host"]["title"] == "Airbyte URL"
    assert form["standard_fields"]["url_schema"]["hidden"]
    assert not form["standard_fields"]["port"]["hidden"]
    auth = form["extra_fields"]["auth"]
    shown = auth["schema"]["values_display"]
    assert (auth["value"], auth["schema"]["enum"][0], shown) == (None, None, {"null": "auto"})
    assert list(form["extra_fields"]) == list(CONNECTION_FIELDS)
