from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import jinja2
import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from lines import OF_EVENT_TRIGGERS
from rendering import rendered

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteJobStatusUnavailableError
from airflow_airbyte_ext.jobs import throttle
from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor
from airflow_airbyte_ext.testing import Fault, Step
from airflow_airbyte_ext.testing.world import WORKSPACE_ID
from airflow_airbyte_ext.triggers import airbyte as module
from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

LONG_AGO = "2026-01-01T00:00:00+00:00"
UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"


def sensor(connection_id=None, **arguments) -> AirbyteConnectionSensor:
    values = {"completed_after": LONG_AGO, "poke_interval": 0.01, "deferrable": False, **arguments}
    return rendered(AirbyteConnectionSensor, connection_id=connection_id, **values)


def ended(airbyte, connection_id, status="succeeded") -> int:
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, status)
    return job_id


def deferral_of(task, context) -> AirbyteConnectionTrigger:
    """Let a task defer, and make its trigger again from what Airflow's database holds."""
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    path, kept = json.loads(json.dumps(deferral.value.trigger.serialize()))
    assert path.endswith("triggers.airbyte.AirbyteConnectionTrigger")
    return AirbyteConnectionTrigger(**kept)


def fire(trigger) -> dict:
    """Run a trigger as the triggerer does, and return its only event."""

    async def events() -> list[dict]:
        return [event.payload async for event in trigger.run()]

    [event] = asyncio.run(events())
    return json.loads(json.dumps(event))


def test_the_sensor_returns_the_report_of_another_ones_sync(airbyte, connection_id, context) -> None:
    """The sensor returns the report of a sync that somebody else started."""
    job_id = ended(airbyte, connection_id)
    report = sensor(connection_id).execute(context)
    assert (report["job_id"], report["status"], report["attached"]) == (job_id, "succeeded", True)
    assert context["ti"].xcoms["job_id"] == job_id
    assert context["ti"].xcoms["airbyte_job_link"].endswith(f"jobId={job_id}&openLogs=true")


def test_a_connection_is_named_by_its_name_as_well(airbyte, connection_id, context) -> None:
    job_id = ended(airbyte, connection_id)
    assert sensor(connection_name="Orders", workspace_id=WORKSPACE_ID).execute(context)["job_id"] == job_id


@pytest.mark.parametrize("arguments", [{}, {"connection_name": "Orders"}])
def test_a_connection_that_is_not_named_is_an_error_when_the_dag_is_parsed(arguments) -> None:
    with pytest.raises(AirbyteConfigurationError, match="Give connection_id, or connection_name and workspace_id"):
        sensor(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"completed_after": ""}, "completed_after is '', which is not a time"),
        ({"completed_after": "2026-01-01"}, "does not say its time zone"),
        ({"on_failure": "ignore"}, "on_failure is 'ignore'"),
        ({"poll_error_timeout": 0}, "poll_error_timeout is 0"),
        ({"connection_id": "None"}, "connection_id is 'None'"),
    ],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_wrong_argument_fails_for_good_before_any_request(
    airbyte, connection_id, context, arguments, message, deferrable
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        sensor(**{"connection_id": connection_id, "deferrable": deferrable, **arguments}).execute(context)
    assert airbyte.journal == []


def test_a_sync_before_the_time_does_not_count(airbyte, connection_id, context) -> None:
    ended(airbyte, connection_id)
    later = datetime.fromtimestamp(time.time() + 60, tz=UTC)
    assert sensor(connection_id, completed_after=later).poke(context) is False


def test_the_deferred_sensor_looks_before_it_defers(airbyte, connection_id, context) -> None:
    job_id = ended(airbyte, connection_id)
    assert sensor(connection_id, deferrable=True).execute(context)["job_id"] == job_id


def test_the_deferred_sensor_ends_as_the_other_one(airbyte, connection_id, context) -> None:
    task = sensor(connection_id, deferrable=True)
    trigger = deferral_of(task, context)
    job_id = ended(airbyte, connection_id)
    event = fire(trigger)
    assert event == {"job_id": job_id, "status": "succeeded"}
    assert task.execute_complete(context, event)["job_id"] == job_id


def test_the_deferred_wait_for_the_next_sync_knows_the_last_one(airbyte, connection_id, context) -> None:
    """Also when it ends before the triggerer has taken over."""
    ended(airbyte, connection_id)
    trigger = deferral_of(sensor(connection_id, deferrable=True, completed_after=None), context)
    job_id = ended(airbyte, connection_id)
    assert fire(trigger)["job_id"] == job_id


def test_a_retry_of_the_wait_for_the_next_sync_goes_on_from_the_first_try(airbyte, connection_id, context) -> None:
    ended(airbyte, connection_id)
    assert sensor(connection_id, completed_after=None).poke(context) is False
    job_id = ended(airbyte, connection_id)
    assert sensor(connection_id, completed_after=None).poke(context).xcom_value["job_id"] == job_id
    context["ti"].max_tries += 3  # a user's Clear wants to begin again
    assert sensor(connection_id, completed_after=None).poke(context) is False


def test_in_reschedule_mode_an_outage_spans_processes(airbyte, connection_id, context) -> None:
    """In reschedule mode the time without an response adds up over processes."""
    poll_error_timeout = {"mode": "reschedule", "poll_error_timeout": 100}
    assert sensor(connection_id, **poll_error_timeout).poke(context) is False
    airbyte.fail_next("listJobsFor", Fault.status(423, body={"message": "locked"}), times=2)
    assert sensor(connection_id, **poll_error_timeout).poke(context) is False
    context["task_state_store"]["airbyte_job"]["known"]["failing_since"] = time.time() - 200
    with pytest.raises(AirbyteJobStatusUnavailableError, match="could not be read for 200 s"):
        sensor(connection_id, **poll_error_timeout).poke(context)
    assert sensor(connection_id, **poll_error_timeout).poke(context) is False


def test_in_reschedule_mode_a_name_is_looked_up_once(airbyte, connection_id, context) -> None:
    named = {"connection_name": "Orders", "workspace_id": WORKSPACE_ID, "mode": "reschedule"}
    assert sensor(**named).poke(context) is False
    airbyte.reset()
    assert sensor(**named).poke(context) is False
    assert not airbyte.calls("webBackendListConnectionsForWorkspace")
    assert airbyte.calls("listJobsFor")


def test_in_reschedule_mode_a_failure_is_told_once(airbyte, connection_id, context, monkeypatch) -> None:
    ended(airbyte, connection_id, "failed")
    shown = []
    for _ in range(3):
        task = sensor(connection_id, mode="reschedule")
        monkeypatch.setattr(task.log, "warning", lambda _form, message: shown.append(message))
        assert task.poke(context) is False
    [warning] = shown
    assert warning.startswith("Job 1 failed after")


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_failed_sync_fails_the_sensor_for_good_where_that_is_asked_for(
    airbyte, connection_id, context, deferrable
) -> None:
    ended(airbyte, connection_id, "failed")
    with pytest.raises(AirflowFailException, match="Job 1 failed"):
        sensor(connection_id, on_failure="fail", deferrable=deferrable).execute(context)


def test_a_sync_that_fails_during_the_deferral_fails_the_sensor_for_good(airbyte, connection_id, context) -> None:
    task = sensor(connection_id, on_failure="fail", deferrable=True)
    trigger = deferral_of(task, context)
    ended(airbyte, connection_id, "cancelled")
    with pytest.raises(AirflowFailException, match="Job 1 was cancelled in Airbyte"):
        task.execute_complete(context, fire(trigger))


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_unknown_connection_fails_or_skips_the_sensor(airbyte, context, deferrable) -> None:
    """An unknown connection fails the sensor or skips it where it shall be soft."""
    with pytest.raises(AirflowFailException, match=f"has no connection {UNKNOWN_ID}"):
        sensor(UNKNOWN_ID, deferrable=deferrable).execute(context)
    with pytest.raises(AirflowSkipException):
        sensor(UNKNOWN_ID, deferrable=deferrable, soft_fail=True).execute(context)


def test_too_long_a_wait_is_airflows_own_time_out(airbyte, connection_id, context) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(connection_id, timeout=0.05).execute(context)
    task = sensor(connection_id, timeout=0.05, deferrable=True)
    event = fire(deferral_of(task, context))
    with pytest.raises(AirflowSensorTimeout, match=r"No sync of connection .* has ended well at or after 2026-01-01"):
        task.execute_complete(context, event)


def test_a_trigger_survives_looks_that_fail(airbyte, connection_id, context, monkeypatch) -> None:
    monkeypatch.setattr(throttle, "MAX_BACK_OFF", 0.1)
    trigger = deferral_of(sensor(connection_id, deferrable=True, poke_interval=0.1), context)
    job_id = ended(airbyte, connection_id)
    for fault in (Fault.status(503), Fault.drop_before(), Fault.html(), Fault.truncated(), Fault.status(500)):
        airbyte.fail_next("listJobsFor", fault)
    assert fire(trigger)["job_id"] == job_id
    assert airbyte.pending_faults() == []


def test_a_trigger_tells_by_name_why_it_gave_up(airbyte, connection_id, context) -> None:
    task = sensor(connection_id, deferrable=True, poll_error_timeout=0.05)
    trigger = deferral_of(task, context)
    airbyte.fail_next("listJobsFor", Fault.status(503), times=1000)
    with pytest.raises(AirbyteJobStatusUnavailableError, match="HTTP 503"):
        task.execute_complete(context, fire(trigger))


def test_a_moment_in_which_airflow_does_not_give_the_connection_is_borne(
    airbyte, connection_id, context, monkeypatch
) -> None:
    trigger = deferral_of(sensor(connection_id, deferrable=True), context)
    job_id = ended(airbyte, connection_id)
    real, requested = module.watcher_of, []

    async def moody(conn_id):
        requested.append(conn_id)
        if len(requested) == 1:
            raise RuntimeError("the API server is away")
        return await real(conn_id)

    monkeypatch.setattr(module, "watcher_of", moody)
    assert fire(trigger)["job_id"] == job_id


def test_a_slow_airbyte_does_not_block_the_event_loop(airbyte, connection_id, context) -> None:
    """The look waits in a thread; the loop goes on with other triggers."""
    trigger = deferral_of(sensor(connection_id, deferrable=True), context)
    ended(airbyte, connection_id)
    airbyte.fail_next("listJobsFor", Fault.delay(0.5))

    async def heartbeat_beside_trigger() -> tuple[int, list[dict]]:
        async def collect() -> list[dict]:
            return [event.payload async for event in trigger.run()]

        waiting, beats = asyncio.create_task(collect()), 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats, waiting.result()

    beats, events = asyncio.run(heartbeat_beside_trigger())
    assert events[0]["status"] == "succeeded"
    assert beats > 20


def test_running_jobs_and_steps_of_a_script_are_followed(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=2), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    assert sensor(connection_id).execute(context)["job_id"] == job_id


@pytest.fixture
def hung(monkeypatch):
    """The Airflow Connection of an Airbyte that accepts and never responses; returns anyone who has come."""
    listening, come = socket.create_server(("127.0.0.1", 0), backlog=200), []

    def accept() -> None:
        with suppress(OSError):
            while True:
                come.append(listening.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    connection = {"conn_type": "airbyteconfig", "host": f"http://127.0.0.1:{listening.getsockname()[1]}"}
    monkeypatch.setenv("AIRFLOW_CONN_HUNG", json.dumps(connection))
    yield come
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for one in come:
        one.close()


def waiting_trigger(connection_id, airbyte_conn_id="airbyte_config_default", **arguments) -> AirbyteConnectionTrigger:
    values = {"since": 0.0, "poll_interval": 0.1, "poll_error_timeout": 600, "known": {"after_job": 1}, **arguments}
    return AirbyteConnectionTrigger(connection_id=connection_id, airbyte_conn_id=airbyte_conn_id, **values)


async def beside(others, first) -> float:
    """Run the others for a moment; return how long the first event of another one then takes."""
    waits = [asyncio.create_task(anext(trigger.run())) for trigger in others]
    await asyncio.sleep(0.3)
    started = time.monotonic()
    try:
        await asyncio.wait_for(anext(first.run()), 10)
        return time.monotonic() - started
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def test_a_hung_airbyte_holds_up_no_other_one(airbyte, connection_id, hung) -> None:
    ended(airbyte, connection_id)
    others = [waiting_trigger(UNKNOWN_ID, "hung") for _ in range(40)]
    assert asyncio.run(beside(others, waiting_trigger(connection_id))) < 2
    assert 0 < len(hung) <= 20, "it is not asked by all of them at once"


@OF_EVENT_TRIGGERS
def test_a_hung_airbyte_holds_up_no_asset_of_another_one(airbyte, connection_id, hung) -> None:
    others = [AirbyteSyncEventTrigger(connection_id=UNKNOWN_ID, airbyte_conn_id="hung") for _ in range(40)]

    async def story() -> float:
        running = asyncio.create_task(
            beside(others, AirbyteSyncEventTrigger(connection_id=connection_id, poll_interval=0.1))
        )
        while not airbyte.calls("listJobsFor"):
            assert not running.done()
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        ended(airbyte, connection_id)
        return await running

    assert asyncio.run(story()) < 3
    assert hung


def test_the_deadline_ends_a_look_that_hangs(hung, monkeypatch) -> None:
    monkeypatch.setattr("airflow_airbyte_ext.jobs.poll.FINAL_POLL_TIMEOUT", 0.2)
    started = time.monotonic()
    event = fire(waiting_trigger(UNKNOWN_ID, "hung", deadline=time.time() + 0.2))
    assert event["error"] == "AirbyteJobTimeoutError"
    assert time.monotonic() - started < 3


def test_an_airbyte_that_is_down_is_polled_once_at_a_time(airbyte, connection_id) -> None:
    """An Airbyte that is down is looked at once at a time and all bear it."""
    airbyte.fail_next("*", Fault.status(503), times=1000)

    async def story() -> list[dict]:
        triggers = [waiting_trigger(connection_id, poll_error_timeout=2) for _ in range(30)]
        return [event.payload for event in await asyncio.gather(*(anext(trigger.run()) for trigger in triggers))]

    assert {event["error"] for event in asyncio.run(story())} == {"AirbyteJobStatusUnavailableError"}
    assert 2 <= len(airbyte.journal) <= 20


def test_before_airflow_3_3_the_next_sync_needs_no_reschedule(airbyte, connection_id, context) -> None:
    """Before Airflow 3.3 the wait for the next sync cannot be rescheduled."""
    context["task_state_store"] = None
    arguments = {"completed_after": None, "mode": "reschedule"}
    with pytest.raises(AirflowFailException, match=r"needs Airflow 3.3.*Take mode=.poke. or deferrable=True, or give"):
        sensor(connection_id, **arguments).poke(context)
    assert sensor(connection_id, completed_after=None).poke(context) is False
    assert sensor(connection_id, mode="reschedule").poke(context) is False
    with pytest.raises(TaskDeferred):
        sensor(connection_id, deferrable=True, **arguments).execute(context)


def said_by(one, monkeypatch) -> list[str]:
    said: list[str] = []
    for level in ("info", "warning"):
        monkeypatch.setattr(one.log, level, lambda form, *values: said.append(form % values))
    return said


@pytest.mark.parametrize("soft", [True, False])
def test_the_log_says_what_was_waited_for_also_at_the_time_out(
    airbyte, connection_id, context, monkeypatch, soft
) -> None:
    ended(airbyte, connection_id)
    later = datetime(2100, 1, 1, tzinfo=UTC)
    task = sensor(connection_id, completed_after=later, timeout=0.05, soft_fail=soft)
    said = said_by(task, monkeypatch)
    with pytest.raises(AirflowSkipException if soft else AirflowSensorTimeout):
        task.execute(context)
    what, newest = f"connection 'Orders' ({connection_id})", "the newest one that succeeded: job 1, ended "
    ours = [line for line in said if what in line]
    assert ours[0].startswith(
        f"Waiting for a sync of {what} that ended at or after 2100-01-01T00:00:00+00:00; {newest}"
    )
    assert ours[-1].startswith(f"No sync of {what} has ended well at or after 2100-01-01T00:00:00+00:00; {newest}")
    assert len(ours) == 2


def test_a_deferred_wait_tells_the_same_in_the_triggers_log(airbyte, connection_id, context, monkeypatch) -> None:
    task = sensor(connection_id, deferrable=True, poke_interval=0.1)
    in_worker = said_by(task, monkeypatch)
    trigger = deferral_of(task, context)
    assert [line for line in in_worker if line.startswith("Waiting for a sync of connection 'Orders'")]
    in_triggerer = said_by(trigger, monkeypatch)
    airbyte.script(connection_id, [Step("running", seconds=1), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    assert fire(trigger)["job_id"] == job_id
    assert in_triggerer[0] == f"Job {job_id} runs."
    assert re.match(
        rf"Job {job_id} of connection 'Orders' \({connection_id}\) succeeded; it ended at 20", in_triggerer[1]
    )
    assert len(in_triggerer) == 2


def test_a_retry_tells_anew_what_is_waited_for(airbyte, connection_id, context, monkeypatch) -> None:
    for _ in range(2):
        task = sensor(connection_id, completed_after=None)
        said = said_by(task, monkeypatch)
        assert task.poke(context) is False
        assert [line for line in said if line.startswith("Waiting for the next sync of connection 'Orders'")]


def test_what_takes_long_to_import_is_imported_beside_the_event_loop(airbyte, connection_id) -> None:
    code = f"""
import asyncio, sys, threading
imported = {{}}
class Finder:
    def find_spec(self, name, *_):
        imported.setdefault(name, threading.current_thread() is threading.main_thread())
sys.meta_path.insert(0, Finder())
from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger
before = set(imported)
values = dict(since=0.0, poll_interval=1, poll_error_timeout=9, deadline=1.0, known={{"after_job": 1}})
trigger = AirbyteConnectionTrigger(connection_id="{connection_id}", airbyte_conn_id="airbyte_config_default", **values)
async def run():
    return [event async for event in trigger.run()]
asyncio.run(run())
slow = ("airflow_airbyte_ext.api.client", "requests", "airflow_airbyte_ext.jobs.syncs")
print([name for name in slow if name not in before and imported[name]], "airflow_airbyte_ext.api.client" in before)
"""
    said = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout
    assert said.strip().splitlines()[-1] == "[] False"


@pytest.mark.parametrize(
    ("run", "time"),
    [
        ({"data_interval_end": "end", "logical_date": "logical", "run_after": "after"}, "end"),
        ({"data_interval_end": None, "logical_date": None, "run_after": "after"}, "after"),
        ({"data_interval_end": None, "logical_date": "logical"}, "logical"),
    ],
    ids=["with interval", "without", "Airflow 2, without"],
)
def test_the_default_time_is_that_of_the_run_in_every_airflow(run, time) -> None:
    template = jinja2.Template(
        AirbyteConnectionSensor(task_id="t", connection_id=UNKNOWN_ID).completed_after, undefined=jinja2.StrictUndefined
    )
    assert template.render(dag_run=SimpleNamespace(**run)) == time
