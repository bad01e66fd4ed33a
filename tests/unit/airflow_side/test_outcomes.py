"""How a job's end becomes the task's: nothing moved, only a part moved, skipped, and with Airbyte's own log."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from rendering import rendered

from airflow_airbyte_ext.api.clock import TaskKilledError
from airflow_airbyte_ext.exceptions import (
    AirbyteJobFailedError,
    AirbyteJobTimeoutError,
    AirbyteNoRecordsError,
)
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)
from airflow_airbyte_ext.testing import Failure, Fault, Step

LONG = [Step("running", seconds=3600)]
EMPTY = [Step("running"), Step("succeeded", records=0, bytes=0)]


def sync(connection_id, **arguments) -> AirbyteSyncConnectionOperator:
    values = {"connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, **arguments}
    return rendered(AirbyteSyncConnectionOperator, **values)


def test_a_sync_that_moved_nothing_is_a_success_unless_asked_otherwise(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, EMPTY)
    assert sync(connection_id).execute(context)["records_synced"] == 0


def test_a_sync_that_moved_nothing_can_be_warned_about(airbyte, connection_id, context, caplog) -> None:
    airbyte.script(connection_id, EMPTY)
    sync(connection_id, on_zero_records="warn").execute(context)
    assert "moved no records" in caplog.text


@pytest.mark.parametrize(("choice", "error"), [("skip", AirflowSkipException), ("fail", AirbyteNoRecordsError)])
def test_a_sync_that_moved_nothing_can_skip_or_fail_the_task(airbyte, connection_id, context, choice, error) -> None:
    airbyte.script(connection_id, EMPTY)
    with pytest.raises(error, match="moved no records"):
        sync(connection_id, on_zero_records=choice).execute(context)


@pytest.mark.parametrize("is_resumed", [True, False])
def test_a_retry_of_a_task_that_refused_an_empty_sync_runs_another(airbyte, connection_id, context, is_resumed) -> None:
    """The source may have something by then; to judge the same job again would fail again."""
    airbyte.script(connection_id, EMPTY)
    task = sync(connection_id, on_zero_records="fail")
    run = partial(task.execute, context)
    if is_resumed:
        sync(connection_id, wait_for_completion=False).execute(context)
        airbyte.advance(1, "succeeded")
        run = partial(task.execute_complete, context, {"job_id": 1, "status": "succeeded"})
    with pytest.raises(AirbyteNoRecordsError):
        run()
    assert sync(connection_id, on_zero_records="fail").execute(context)["job_id"] == 2


def test_a_sync_that_moved_something_is_not_concerned(airbyte, connection_id, context) -> None:
    assert sync(connection_id, on_zero_records="fail").execute(context)["records_synced"] == 100


def test_a_deferred_sync_is_judged_alike(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, EMPTY)
    task = sync(connection_id, deferrable=True, on_zero_records="skip")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    [job] = airbyte.jobs(connection_id)
    airbyte.advance(job["id"], "succeeded")
    with pytest.raises((AirflowSkipException, AirbyteNoRecordsError)):
        task.execute_complete(context, {"job_id": job["id"], "status": "succeeded"}, **deferred.value.kwargs)


def fail_partially(airbyte, connection_id) -> None:
    failure = Failure("destination", "system_error", "One stream broke.", partial_success=True)
    airbyte.script(connection_id, [Step("running", records=50), Step("failed", failure=failure)])


def test_a_partial_success_is_a_failure_unless_asked_otherwise(airbyte, connection_id, context) -> None:
    fail_partially(airbyte, connection_id)
    with pytest.raises(AirbyteJobFailedError, match="One stream broke"):
        sync(connection_id).execute(context)


def test_a_partial_success_can_be_a_warning(airbyte, connection_id, context, caplog) -> None:
    fail_partially(airbyte, connection_id)
    assert sync(connection_id, on_partial_success="warn").execute(context)["status"] == "failed"
    assert "partial success" in caplog.text


def test_a_partial_success_can_skip_the_task(airbyte, connection_id, context) -> None:
    fail_partially(airbyte, connection_id)
    with pytest.raises(AirflowSkipException, match="One stream broke"):
        sync(connection_id, on_partial_success="skip").execute(context)


def test_a_whole_failure_is_never_taken_for_a_partial_success(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("failed", failure=Failure("source", "config_error", "No."))])
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id, on_partial_success="warn").execute(context)


@pytest.mark.parametrize(
    "operator", [AirbyteSyncConnectionOperator, AirbyteResetConnectionOperator, AirbyteRefreshConnectionOperator]
)
def test_a_job_that_runs_can_skip_the_task(airbyte, connection_id, context, operator) -> None:
    airbyte.script(connection_id, LONG)
    job_id = airbyte.start_job(connection_id)
    with pytest.raises(AirflowSkipException, match=rf'if_running="skip"\. Job {job_id} .* runs'):
        operator(task_id="t", connection_id=connection_id, if_running="skip", deferrable=False).execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["running"]


def test_a_deferrable_task_waits_for_a_running_job_in_the_triggerer(airbyte, connection_id, context) -> None:
    """Then it begins again, and runs its own; the other one's job is never cancelled with it."""
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id, kind="reset_connection")
    task = sync(connection_id, deferrable=True, wait_timeout=600)
    with pytest.raises(TaskDeferred) as first:
        task.execute(context)
    assert (first.value.trigger.job_id, first.value.trigger.cancel_on_kill) == (other, False)
    airbyte.advance(other, "failed")
    resume = getattr(task, first.value.method_name)
    with pytest.raises(TaskDeferred) as second:
        resume(context, {"job_id": other, "status": "failed"}, **first.value.kwargs)
    [_, own] = airbyte.jobs(connection_id)
    assert (second.value.trigger.job_id, second.value.trigger.cancel_on_kill) == (own["id"], True)
    assert second.value.trigger.deadline == first.value.trigger.deadline


def test_a_running_job_that_outlives_the_wait_fails_the_task(airbyte, connection_id, context) -> None:
    """A job in the way that outlives the wait fails the task and runs on."""
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id, kind="reset_connection")
    task = sync(connection_id, deferrable=True, wait_timeout=600)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    event = {"job_id": other, "error": "AirbyteJobTimeoutError", "message": "still running", "retryable": True}
    with pytest.raises(AirbyteJobTimeoutError):
        task.execute_after_another(context, event, **deferred.value.kwargs)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["running"]


def test_a_kill_is_noticed_while_airbyte_still_holds_the_request(airbyte, connection_id, context, mocker) -> None:
    """Airflow kills for good five seconds later; Airbyte may hold a request for minutes."""
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value="failed")
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("syncConnection", Fault.delay(4.0))
    task = sync(connection_id)
    threading.Timer(0.3, task.on_kill).start()
    began = time.monotonic()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    assert time.monotonic() - began < 4.0


@pytest.mark.parametrize(
    ("wait_timeout", "execution_timeout", "error"),
    [(60, None, AirbyteJobTimeoutError), (60, 120, AirbyteJobTimeoutError), (60, 30, AirflowTaskTimeout)],
)
def test_a_deferred_task_says_which_of_its_times_was_over(
    airbyte, connection_id, context, wait_timeout, execution_timeout, error
) -> None:
    """Airflow's own error for its own time-out, as a worker raises it; and the job is cancelled."""
    airbyte.script(connection_id, LONG)
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    task = sync(connection_id, deferrable=True, wait_timeout=wait_timeout, execution_timeout=limit)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    [job] = airbyte.jobs(connection_id)
    event = {"job_id": job["id"], "error": "AirbyteJobTimeoutError", "message": "still running"}
    with pytest.raises(error):
        task.execute_complete(context, event, **deferred.value.kwargs)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled"]


@pytest.mark.parametrize("era", ["0.50", "2.0"])
def test_airbytes_log_comes_with_a_failure(start_airbyte, context, caplog, era) -> None:
    """In either of Airbyte's formats; its last lines, with their levels."""
    airbyte, connection_id = start_airbyte(era)
    airbyte.script(connection_id, [Step("running"), Step("failed")])
    with caplog.at_level(logging.INFO), pytest.raises(AirbyteJobFailedError):
        sync(connection_id, log_attempts="on_failure").execute(context)
    assert "lines of Airbyte's log of the last attempt" in caplog.text


def test_airbytes_log_comes_with_a_success_only_when_always_is_asked_for(start_airbyte, context, caplog) -> None:
    airbyte, connection_id = start_airbyte("2.0")
    with caplog.at_level(logging.INFO):
        sync(connection_id, log_attempts="on_failure").execute(context)
    assert airbyte.calls("getAttemptForJob") == []
    with caplog.at_level(logging.INFO):
        sync(airbyte.add_connection(name="B"), log_attempts="always").execute({**context, "task_state_store": None})
    assert airbyte.calls("getAttemptForJob") != []


@pytest.mark.parametrize("name", ["log_attempts", "on_zero_records", "on_partial_success"])
def test_a_choice_that_there_is_not_is_named(airbyte, connection_id, context, name) -> None:
    with pytest.raises(AirflowFailException, match=f"{name} is 'sometimes'; give one of"):
        sync(connection_id, **{name: "sometimes"}).execute(context)
    assert airbyte.journal == []
