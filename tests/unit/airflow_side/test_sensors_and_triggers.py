from __future__ import annotations

import asyncio
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred
from rendering import rendered

from airflow_airbyte_ext.exceptions import AirbyteJobStatusUnavailableError
from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteJobSensor
from airflow_airbyte_ext.testing import Fault, Step
from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger
from airflow_airbyte_ext.triggers.base import raise_for_event


def sensor(job_id, **arguments) -> AirbyteJobSensor:
    return rendered(AirbyteJobSensor, airbyte_job_id=job_id, poke_interval=0.01, deferrable=False, **arguments)


def fire(**arguments) -> dict:
    """Run a trigger as the triggerer does, and return its only event."""
    values = {"airbyte_conn_id": "airbyte_config_default", "poll_interval": 0.01, "poll_error_timeout": 5, **arguments}

    async def events() -> list[dict]:
        return [event.payload async for event in AirbyteJobTrigger(**values).run()]

    [event] = asyncio.run(events())
    return event


def test_the_sensor_waits_for_the_job_and_returns_its_report(airbyte, connection_id, context) -> None:
    job_id = airbyte.start_job(connection_id)
    report = sensor(str(job_id)).execute(context)
    assert (report["job_id"], report["status"], report["attached"]) == (job_id, "succeeded", True)


def test_a_failed_job_fails_the_sensor_for_good(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running"), Step("failed")])
    with pytest.raises(AirflowFailException, match="failed after 1 attempt"):
        sensor(airbyte.start_job(connection_id)).execute(context)


def test_a_job_of_another_kind_is_refused_by_name(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", seconds=3600)])
    job_id = airbyte.start_job(connection_id)
    with pytest.raises(AirflowFailException, match=f"has no job {job_id + 1}"):
        sensor(job_id + 1).execute(context)


@pytest.mark.parametrize("value", ["", "None", None, "x", 0, -1, True, "1.5"])
def test_a_malformed_job_id_fails_for_good_before_any_request(airbyte, context, value) -> None:
    with pytest.raises(AirflowFailException, match=r"airbyte_job_id is .*, which is not an Airbyte job id"):
        sensor(value).execute(context)
    assert airbyte.journal == []


def test_the_sensor_takes_what_the_submitting_task_returned(airbyte, connection_id, context) -> None:
    """`airbyte_job_id=submit.output`, without ["job_id"]."""
    submit = AirbyteSyncConnectionOperator(task_id="s", connection_id=connection_id, wait_for_completion=False)
    returned = submit.execute(context)
    assert sensor(returned).execute(context)["job_id"] == returned["job_id"]
    with pytest.raises(AirflowFailException, match="airbyte_job_id is all that the task returned, as text"):
        sensor(str(returned)).execute(context)


def test_a_deferrable_sensor_does_not_defer_for_a_job_that_has_ended(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("succeeded")])
    task = AirbyteJobSensor(task_id="t", airbyte_job_id=airbyte.start_job(connection_id), deferrable=True)
    assert task.execute(context)["status"] == "succeeded"


def test_a_look_that_fails_is_not_the_end(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=2), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    task = sensor(job_id)
    assert not task.poke(context)
    airbyte.fail_next("getJobInfoLight", Fault.status(503), times=1)
    assert task.poke(context) is False
    assert not task.poke(context)
    assert task.poke(context).is_done


def test_in_reschedule_mode_an_outage_spans_processes(airbyte, connection_id, context) -> None:
    """In reschedule mode the time without an response adds up over processes."""
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(423, body={"message": "locked"}), times=2)
    assert sensor(job_id, mode="reschedule", poll_error_timeout=100).poke(context) is False
    context["task_state_store"]["airbyte_job"]["failing_since"] = time.time() - 200
    with pytest.raises(AirbyteJobStatusUnavailableError, match=r"could not be read for 2\d\d s"):
        sensor(job_id, mode="reschedule", poll_error_timeout=100).poke(context)


def test_the_deferred_sensor_ends_by_its_own_time_out(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", seconds=3600)])
    task = AirbyteJobSensor(task_id="t", airbyte_job_id=airbyte.start_job(connection_id), deferrable=True, timeout=0.05)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    event = fire(**deferral.value.trigger.serialize()[1])
    with pytest.raises(AirflowSensorTimeout, match="still running"):
        task.execute_complete(context, event)


def test_a_trigger_fires_once_with_the_jobs_own_status(airbyte, connection_id) -> None:
    job_id = airbyte.start_job(connection_id)
    assert fire(job_id=job_id) == {"job_id": job_id, "status": "succeeded"}
    assert raise_for_event({"job_id": job_id, "status": "succeeded"}) is None


def test_a_trigger_survives_polls_that_fail(airbyte, connection_id) -> None:
    job_id = airbyte.start_job(connection_id)
    for fault in (Fault.status(503), Fault.html(), Fault.status(500)):
        airbyte.fail_next("getJobInfoLight", fault)
    assert fire(job_id=job_id)["status"] == "succeeded"
    assert airbyte.pending_faults() == []


def test_a_trigger_tells_by_name_why_it_gave_up(airbyte, connection_id) -> None:
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(503), times=1000)
    event = fire(job_id=job_id, poll_error_timeout=0.05)
    with pytest.raises(AirbyteJobStatusUnavailableError, match="HTTP 503") as caught:
        raise_for_event(event)
    assert caught.value.job_id == job_id


def test_a_slow_airbyte_does_not_block_the_event_loop(airbyte, connection_id) -> None:
    """The poll waits in a thread; the loop goes on with other triggers."""
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.delay(0.5))

    async def heartbeat_beside_trigger() -> tuple[int, list[dict]]:
        trigger = AirbyteJobTrigger(
            job_id=job_id, airbyte_conn_id="airbyte_config_default", poll_interval=0.01, poll_error_timeout=5
        )
        beats = 0

        async def collect() -> list[dict]:
            return [event.payload async for event in trigger.run()]

        waiting = asyncio.create_task(collect())
        while not waiting.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats, waiting.result()

    beats, events = asyncio.run(heartbeat_beside_trigger())
    assert events[0]["status"] == "succeeded"
    assert beats > 20


def test_in_reschedule_mode_two_hiccups_far_apart_are_no_reason_to_fail(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", seconds=3600)])
    job_id = airbyte.start_job(connection_id)
    locked = Fault.status(423, body={"message": "locked"})
    airbyte.fail_next("getJobInfoLight", locked)
    assert sensor(job_id, mode="reschedule", poll_error_timeout=100).poke(context) is False
    assert not sensor(job_id, mode="reschedule", poll_error_timeout=100).poke(context)
    assert context["task_state_store"]["airbyte_job"]["failing_since"] is None
    airbyte.fail_next("getJobInfoLight", locked)
    assert sensor(job_id, mode="reschedule", poll_error_timeout=100).poke(context) is False


def test_in_reschedule_mode_a_job_that_was_seen_is_never_taken_for_unknown(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", seconds=3600)])
    job_id = airbyte.start_job(connection_id)
    assert not sensor(job_id, mode="reschedule").poke(context)
    airbyte.fail_next("getJobInfoLight", Fault.status(500), times=1)
    assert sensor(job_id, mode="reschedule").poke(context) is False
    assert airbyte.pending_faults() == []


def test_slow_waits_leave_the_triggerers_own_threads_alone(airbyte, connection_id) -> None:
    """Other triggers, and the ending of killed tasks, use them."""
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.delay(1.0), times=12)

    async def beside() -> float:
        values = {"airbyte_conn_id": "airbyte_config_default", "poll_interval": 0.01, "poll_error_timeout": 5}
        triggers = [AirbyteJobTrigger(job_id=job_id, **values) for _ in range(12)]
        waits = [asyncio.create_task(anext(trigger.run())) for trigger in triggers]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        await asyncio.to_thread(time.sleep, 0)
        spent = time.monotonic() - started
        await asyncio.gather(*waits)
        return spent

    assert asyncio.run(beside()) < 0.3
