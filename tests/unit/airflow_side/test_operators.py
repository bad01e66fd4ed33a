"""The operators, executed as Airflow executes them, against the fake Airbyte."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from rendering import rendered

from airflow_airbyte_ext.api.clock import TaskKilledError
from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionInactiveError,
    AirbyteJobCancelledError,
    AirbyteJobError,
    AirbyteJobFailedError,
    AirbyteJobNotFoundError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.jobs.running import MAX_WAITED_FOR
from airflow_airbyte_ext.operators import job_run
from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.testing import Failure, Fault, Step

LONG = [Step("running", seconds=3600)]


def sync(connection_id, **arguments) -> AirbyteSyncConnectionOperator:
    values = {"connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, **arguments}
    return rendered(AirbyteSyncConnectionOperator, **values)


def test_a_sync_pushes_its_job_before_it_waits(airbyte, connection_id, context) -> None:
    """A sync pushes its job and link before it waits and returns the report."""
    report = sync(connection_id).execute(context)
    job_id = airbyte.jobs(connection_id)[0]["id"]
    assert report["job_id"] == context["ti"].xcoms["job_id"] == job_id
    assert report["status"] == "succeeded"
    assert report["records_synced"] == 100
    assert context["ti"].xcoms["airbyte_job_link"].endswith(f"/timeline?jobId={job_id}&openLogs=true")


def test_without_waiting_the_report_is_of_the_running_job(airbyte, connection_id, context) -> None:
    report = sync(connection_id, wait_for_completion=False).execute(context)
    assert (report["status"], report["records_synced"], report["ended_at"]) == ("pending", None, None)
    assert report["started_at"] is not None


@pytest.mark.parametrize("value", ["", "None", "42", "11111111-1111-4111-8111-11111111111", "{{ x }}"])
def test_a_malformed_connection_id_fails_for_good_before_any_request(airbyte, context, value) -> None:
    with pytest.raises(AirflowFailException, match=r"connection_id is .*, which is not a UUID") as caught:
        sync(value).execute(context)
    assert repr(value) in str(caught.value)
    assert airbyte.journal == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"poll_interval": 0}, "poll_interval is 0; give seconds above 0"),
        ({"wait_timeout": -5}, "wait_timeout is -5; give seconds"),
        ({"poll_error_timeout": "soon"}, "poll_error_timeout is 'soon'; give seconds"),
        ({"if_running": "maybe"}, "if_running is 'maybe'; give one of 'attach', 'wait', 'skip', 'fail'"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(airbyte, connection_id, context, arguments, words) -> None:
    with pytest.raises(AirflowFailException) as caught:
        sync(connection_id, **arguments).execute(context)
    assert words in str(caught.value)
    assert airbyte.journal == []


@pytest.mark.parametrize("operation", ["listJobsFor", "syncConnection"])
def test_where_nothing_was_started_the_error_says_so(airbyte, connection_id, context, operation) -> None:
    """The list of jobs cannot be read before the submission; or the submission is refused."""
    airbyte.fail_next(operation, Fault.status(403), times=9)
    with pytest.raises(AirflowFailException, match=r"HTTP 403.* Nothing was started\.$"):
        sync(connection_id).execute(context)
    assert airbyte.jobs() == []


def test_where_a_job_may_have_been_started_the_error_does_not_deny_it(airbyte, connection_id, context) -> None:
    """The response is lost, and then the list cannot be read any more; nor by a retry."""
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("syncConnection", Fault.drop_after())
    store = context["task_state_store"]
    keep = store.set

    def kept(key: str, value: dict) -> None:
        keep(key, value)
        airbyte.fail_next("listJobsFor", Fault.status(403), times=9)

    store.set = kept
    for _ in range(2):
        with pytest.raises(AirflowFailException) as caught:
            sync(connection_id).execute(context)
        assert "Nothing was started" not in str(caught.value)
    assert len(airbyte.jobs()) == 1


def test_a_failed_job_may_be_retried_and_tells_airbytes_reason(airbyte, connection_id, context) -> None:
    failure = Failure(origin="destination", type="system_error", message="Disk full.")
    airbyte.script(connection_id, [Step("running"), Step("failed", failure=failure)])
    with pytest.raises(
        AirbyteJobFailedError, match=r"failed after 1 attempt: Disk full. \[destination, system_error\]"
    ):
        sync(connection_id).execute(context)


def test_a_retry_after_a_failed_job_starts_a_new_one(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("failed")])
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id).execute(context)
    assert sync(connection_id).execute(context)["status"] == "succeeded"
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["failed", "succeeded"]


def test_a_cancelled_job_is_not_a_success(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running"), Step("cancelled")])
    with pytest.raises(AirbyteJobCancelledError, match="was cancelled in Airbyte"):
        sync(connection_id).execute(context)


def test_an_inactive_connection_fails_for_good_and_says_what_to_do(airbyte, connection_id, context) -> None:
    airbyte.set_connection_status(connection_id, "inactive")
    with pytest.raises(AirflowFailException, match=r"'Orders' .* is inactive. Enable it in Airbyte") as caught:
        sync(connection_id).execute(context)
    assert isinstance(caught.value.__cause__, AirbyteConnectionInactiveError)


@pytest.mark.parametrize("era", ["0.40", "0.50", "1.0", "2.0", "head"])
def test_a_paused_connection_is_not_called_unclear_first(start_airbyte, context, caplog, era) -> None:
    """Airbyte returns 500 to its sync; what is wrong is known at once."""
    airbyte, connection_id = start_airbyte(era)
    airbyte.set_connection_status(connection_id, "inactive")
    with caplog.at_level("INFO"), pytest.raises(AirflowFailException, match="is inactive"):
        sync(connection_id).execute(context)
    assert "unclear" not in caplog.text
    assert airbyte.jobs(connection_id) == []


def test_a_running_sync_is_attached_to_and_told_so(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=3), Step("succeeded", records=7)])
    foreign = airbyte.start_job(connection_id)
    report = sync(connection_id).execute(context)
    assert (report["job_id"], report["attached"]) == (foreign, True)
    assert airbyte.calls("syncConnection") == []


def test_a_running_sync_is_an_error_where_that_is_asked_for(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    foreign = airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match=f"Job {foreign} .* runs on connection"):
        sync(connection_id, if_running="fail").execute(context)


def test_a_retry_finds_the_job_whose_answer_and_id_were_lost(airbyte, connection_id, context) -> None:
    """The try died between submitting and keeping the id: the store knows only what came before."""
    context["task_state_store"]["airbyte_job"] = {"max_tries": 2, "baseline": 0, "connection_id": connection_id}
    airbyte.script(connection_id, [Step("succeeded", records=5)])
    lost = airbyte.start_job(connection_id)
    report = sync(connection_id).execute(context)
    assert (report["job_id"], report["attached"]) == (lost, False)
    assert airbyte.calls("syncConnection") == []


def test_the_intent_is_kept_before_the_request(airbyte, connection_id, context) -> None:
    """Kept on, it would make the next try take a job of somebody else for its own."""
    kept: list[dict] = []
    store, keep = context["task_state_store"], context["task_state_store"].set

    def watched(key: str, value: dict) -> None:
        assert bool(kept) == bool(airbyte.calls("syncConnection"))
        kept.append(value)
        keep(key, value)

    store.set = watched
    airbyte.fail_next("syncConnection", Fault.status(403))
    with pytest.raises(AirflowFailException):
        sync(connection_id).execute(context)
    assert [record["baseline"] for record in kept] == [0, None]
    foreign = airbyte.start_job(connection_id)
    report = sync(connection_id).execute(context)
    assert (report["job_id"], report["attached"]) == (foreign, True)


def test_a_retry_goes_on_with_its_running_job(airbyte, connection_id, context) -> None:
    first = sync(connection_id, wait_for_completion=False).execute(context)
    again = sync(connection_id).execute(context)
    assert again["job_id"] == first["job_id"]
    assert len(airbyte.jobs(connection_id)) == 1


def test_a_cleared_task_starts_a_new_job(airbyte, connection_id, context) -> None:
    """A Clear raises max_tries; the store would still have the finished job."""
    first = sync(connection_id).execute(context)
    context["ti"].max_tries += 2
    again = sync(connection_id).execute(context)
    assert again["job_id"] == first["job_id"] + 1


def test_a_cleared_task_waits_for_the_end_of_its_own_job(airbyte, connection_id, context) -> None:
    """Its cancellation goes on while the new try begins; that job is not attached to, and is no other job's."""
    airbyte.script(connection_id, [Step("running", polls=6), Step("cancelled")])
    first = sync(connection_id, wait_for_completion=False).execute(context)
    context["ti"].max_tries += 2
    again = sync(connection_id, if_running="fail").execute(context)
    assert again["job_id"] == first["job_id"] + 1
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled", "succeeded"]


def test_a_cleared_task_whose_job_nobody_cancels_goes_by_if_running(airbyte, connection_id, context) -> None:
    """With `cancel_on_kill=False` the job runs on, as any job that runs already."""
    airbyte.script(connection_id, [Step("running", polls=6), Step("succeeded")])
    first = sync(connection_id, wait_for_completion=False).execute(context)
    context["ti"].max_tries += 2
    assert sync(connection_id, cancel_on_kill=False).execute(context)["job_id"] == first["job_id"]
    assert len(airbyte.jobs(connection_id)) == 1


def test_a_cleared_task_does_not_wait_for_a_job_that_it_had_attached_to(airbyte, connection_id, context) -> None:
    """Nobody cancels that one."""
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    sync(connection_id, wait_for_completion=False).execute(context)
    context["ti"].max_tries += 2
    began = time.monotonic()
    with pytest.raises(AirbyteJobRunningError):
        sync(connection_id, if_running="fail").execute(context)
    assert time.monotonic() - began < 10


def test_a_cleared_task_waits_two_minutes_at_most(airbyte, connection_id, context, monkeypatch) -> None:
    """Where the cancellation never comes, `if_running` says what to do."""
    monkeypatch.setattr("airflow_airbyte_ext.operators.earlier_try.CANCELLATION_TIME", 1.5)
    airbyte.script(connection_id, LONG)
    sync(connection_id, wait_for_completion=False).execute(context)
    context["ti"].max_tries += 2
    with pytest.raises(AirbyteJobRunningError):
        sync(connection_id, if_running="fail").execute(context)


def test_without_a_store_a_running_job_is_found_in_airbytes_list(airbyte, connection_id, context) -> None:
    del context["task_state_store"]
    airbyte.script(connection_id, [Step("running", polls=4), Step("succeeded")])
    first = sync(connection_id, wait_for_completion=False).execute(context)
    again = sync(connection_id).execute(context)
    assert again["job_id"] == first["job_id"]


def test_a_wait_that_takes_too_long_cancels_the_job(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    with pytest.raises(AirbyteJobTimeoutError, match=r"Timed out waiting for job 1 \(still running\)"):
        sync(connection_id, wait_timeout=0.05).execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled"]


def test_a_wait_that_takes_too_long_leaves_the_job_where_that_is_asked_for(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    with pytest.raises(AirbyteJobTimeoutError):
        sync(connection_id, wait_timeout=0.05, cancel_on_timeout=False).execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["running"]


def test_an_adopted_job_is_never_cancelled(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobTimeoutError):
        sync(connection_id, wait_timeout=0.05).execute(context)
    assert airbyte.calls("cancelJob") == []


def test_a_cancellation_that_fails_does_not_hide_why_the_task_ended(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("cancelJob", Fault.status(403))
    with pytest.raises(AirbyteJobTimeoutError):
        sync(connection_id, wait_timeout=0.05).execute(context)


def test_a_kill_that_airflow_does_not_confirm_leaves_the_job(airbyte, connection_id, context) -> None:
    """As when the API server is away: the job is fine, and the next try will look for it."""
    airbyte.script(connection_id, LONG)
    task = sync(connection_id, poll_interval=3600)
    killer = threading.Timer(0.5, task.on_kill)
    killer.start()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    killer.join()
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["running"]


def test_on_kill_before_anything_was_submitted_does_nothing(airbyte, connection_id) -> None:
    sync(connection_id).on_kill()
    assert airbyte.journal == []


def test_a_deferred_task_hands_over_json_without_secrets(airbyte, connection_id, context) -> None:
    with pytest.raises(TaskDeferred) as deferral:
        sync(connection_id, deferrable=True, wait_timeout=60).execute(context)
    path, values = deferral.value.trigger.serialize()
    assert path == "airflow_airbyte_ext.triggers.airbyte.AirbyteJobTrigger"
    assert values.pop("deadline") > 0
    assert values.pop("updated_at") > 0
    assert time.time() + 9 < values.pop("not_before") <= time.time() + 10
    assert values == {
        "job_id": airbyte.jobs(connection_id)[0]["id"],
        "airbyte_conn_id": "airbyte_config_default",
        "connection_id": connection_id,
        "poll_interval": 0.01,
        "poll_error_timeout": 600.0,
        "cancel_on_kill": True,
        "seen": True,
        "workspace_id": airbyte.workspace_id,
    }


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("attached", [True, False])
def test_a_deferred_task_cancels_its_own_job_alone(airbyte, connection_id, context, attached, wanted) -> None:
    """And that only where it may: the trigger is told so, and the task that goes on knows whose job it was."""
    airbyte.script(connection_id, LONG)
    if attached:
        airbyte.start_job(connection_id)
    with pytest.raises(TaskDeferred) as deferral:
        sync(connection_id, deferrable=True, cancel_on_kill=wanted).execute(context)
    assert deferral.value.trigger.cancel_on_kill is (wanted and not attached)
    assert deferral.value.kwargs == {"attached": attached, "connection_id": connection_id}


def test_a_task_stops_after_so_and_so_many_jobs_of_others(airbyte, connection_id, context) -> None:
    """A connection on which one job follows the other never lets ours in."""
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id)
    for deferrals in (0, MAX_WAITED_FOR - 1):
        with pytest.raises(TaskDeferred) as deferral:
            sync(connection_id, deferrable=True, if_running="wait")._run(context, deferrals=deferrals, followed=7)
        assert deferral.value.kwargs["deferrals"] == deferrals + 1
        assert deferral.value.kwargs["followed"] == 7
    with pytest.raises(AirbyteJobRunningError, match=f"Job {other} .* after {MAX_WAITED_FOR} others") as caught:
        sync(connection_id, deferrable=True, if_running="wait")._run(context, deferrals=MAX_WAITED_FOR)
    assert (caught.value.job_id, caught.value.connection_id) == (other, connection_id)


def test_each_status_is_logged_once(airbyte, connection_id, context, capsys) -> None:
    """However often it is read."""
    airbyte.script(connection_id, [Step("running", polls=4), Step("succeeded")])
    job_id = sync(connection_id).execute(context)["job_id"]
    shown = capsys.readouterr().out
    assert (shown.count(f"Job {job_id}: running"), shown.count(f"Job {job_id}: succeeded")) == (1, 1)


@pytest.mark.parametrize(("log_attempts", "calls"), [("always", 1), ("on_failure", 0), ("never", 0)])
def test_the_log_of_a_deferred_job_comes_at_its_end(airbyte, connection_id, context, log_attempts, calls) -> None:
    airbyte.script(connection_id, [Step("running"), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, "succeeded")
    task = sync(connection_id, log_attempts=log_attempts)
    report = task.execute_complete(context, {"job_id": job_id, "status": "succeeded"}, attached=True)
    assert report["attached"] is True
    assert len(airbyte.calls("getAttemptForJob")) == calls


@pytest.fixture
def looks_before_deferral(monkeypatch) -> None:
    monkeypatch.setattr(job_run, "POLLS_BEFORE_DEFERRAL", 2)
    monkeypatch.setattr(job_run, "POLL_BEFORE_DEFERRAL_INTERVAL", 0.02)


def test_a_job_that_ends_at_once_is_not_deferred(airbyte, connection_id, context, looks_before_deferral) -> None:
    """Airflow takes longer for a deferral, and at times fails a task that comes back from it too soon."""
    airbyte.script(connection_id, [Step("running"), Step("succeeded", records=7)])
    assert sync(connection_id, deferrable=True).execute(context)["records_synced"] == 7


def test_a_job_that_takes_longer_is_deferred_after_few_looks(
    airbyte, connection_id, context, looks_before_deferral
) -> None:
    airbyte.script(connection_id, LONG)
    with pytest.raises(TaskDeferred):
        sync(connection_id, deferrable=True).execute(context)
    assert len(airbyte.calls("getJobInfoLight")) == 2


def test_an_outage_before_a_deferral_is_left_to_the_triggerer(
    airbyte, connection_id, context, looks_before_deferral
) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("getJobInfoLight", Fault.status(503), times=2)
    with pytest.raises(TaskDeferred):
        sync(connection_id, deferrable=True).execute(context)


def test_a_kill_before_a_deferral_ends_the_task_at_once(airbyte, connection_id, context, monkeypatch) -> None:
    monkeypatch.setattr(job_run, "POLLS_BEFORE_DEFERRAL", 1)
    monkeypatch.setattr(job_run, "POLL_BEFORE_DEFERRAL_INTERVAL", 3600.0)
    airbyte.script(connection_id, LONG)
    task = sync(connection_id, deferrable=True)
    killer = threading.Timer(0.5, task.on_kill)
    killer.start()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    killer.join()


class KilledWhileRead(dict[str, Any]):
    """A task state store; the task is killed while it is read."""

    def __init__(self, task: Any, kept: dict[str, Any]) -> None:
        super().__init__({"airbyte_job": kept} if kept else {})
        self._task = task

    def get(self, key: str, default: Any = None) -> Any:
        self._task.on_kill()
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_a_kill_before_the_first_request_starts_no_job(airbyte, connection_id, context) -> None:
    """Airflow kills for good some seconds later, and nobody would wait for the job."""
    task = sync(connection_id)
    context["task_state_store"] = KilledWhileRead(task, {})
    with pytest.raises(TaskKilledError):
        task.execute(context)
    assert airbyte.jobs(connection_id) == []


def test_a_kill_before_the_first_request_ends_the_job_of_an_earlier_try(
    airbyte, connection_id, context, mocker
) -> None:
    """It runs on, and nobody waits for it any more."""
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value="failed")
    airbyte.script(connection_id, LONG)
    kept = {"job_id": airbyte.start_job(connection_id), "connection_id": connection_id, "max_tries": 2}
    task = sync(connection_id)
    context["task_state_store"] = KilledWhileRead(task, kept)
    with pytest.raises(TaskKilledError):
        task.execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled"]


@pytest.mark.parametrize("event", [None, {}, {"job_id": 1}, "succeeded", {"status": "weird word"}])
def test_an_event_that_cannot_be_read_never_is_a_success(airbyte, connection_id, context, event) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  whichever it is, it is not a success
        sync(connection_id, deferrable=True).execute_complete(context, event)


def test_an_event_that_says_succeeded_is_checked_against_airbyte(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("failed")])
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, "failed")
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id).execute_complete(context, {"job_id": job_id, "status": "succeeded"})


def test_execution_timeout_bounds_the_deferred_time_too(airbyte, connection_id, context) -> None:
    """Airflow itself counts the time in the worker only."""
    task = sync(connection_id, deferrable=True, execution_timeout=timedelta(seconds=60))
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    assert deferral.value.trigger.deadline <= time.time() + 60


def test_a_third_try_finds_the_job_that_the_second_lost(airbyte, connection_id, context) -> None:
    """The store still knew the failed job when the second try died between submitting and keeping the id."""
    airbyte.script(connection_id, [Step("running"), Step("failed")])
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id).execute(context)
    store, keep = context["task_state_store"], context["task_state_store"].set

    def die_after_submitting(key: str, value: dict) -> None:
        if value.get("job_id") is not None:
            raise RuntimeError("the worker is gone")
        keep(key, value)

    store.set = die_after_submitting
    with pytest.raises(RuntimeError):
        sync(connection_id).execute(context)
    store.set = keep
    report = sync(connection_id).execute(context)
    assert (report["job_id"], report["attached"]) == (airbyte.jobs(connection_id)[1]["id"], False)
    assert len(airbyte.jobs(connection_id)) == 2


def test_an_outage_after_the_job_has_ended_does_not_fail_the_task(airbyte, connection_id, context) -> None:
    """An Airbyte that is away when the job has ended does not fail the task."""
    airbyte.fail_next("getJobInfoWithoutLogs", Fault.status(503, headers={"Retry-After": "0"}), times=6)
    assert sync(connection_id).execute(context)["status"] == "succeeded"
    assert airbyte.pending_faults() == []


@pytest.mark.parametrize("arguments", [{}, {"deferrable": True}, {"wait_for_completion": False}])
@pytest.mark.parametrize(("state", "status"), [("failed", "cancelled"), ("running", "running"), ("queued", "running")])
def test_a_kill_during_the_submission_cancels_only_when_requested(
    airbyte, connection_id, context, mocker, arguments, state, status
) -> None:
    """Airbyte may hold the request for minutes. What Airflow says of the task is put in its place here."""
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value=state)
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("syncConnection", Fault.delay(0.5))
    task = sync(connection_id, **arguments)

    def kill_once_requested() -> None:
        while not airbyte.calls("syncConnection"):
            time.sleep(0.01)
        task.on_kill()

    killer = threading.Thread(target=kill_once_requested, daemon=True)
    killer.start()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    killer.join()
    assert [job["status"] for job in airbyte.jobs(connection_id)] == [status]


def test_an_execution_timeout_while_the_job_is_being_submitted_cancels_it(airbyte, connection_id, context) -> None:
    """Airflow raises it wherever the task is: here while the response of the submission is lost, and looked for."""
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("listJobsFor", Fault.delay(0))
    task = sync(connection_id)

    class OutOfTime(dict):
        def set(self, key: str, value: dict) -> None:
            self[key] = value
            if value.get("job_id") is not None:
                raise AirflowTaskTimeout("Timeout")

    context["task_state_store"] = OutOfTime()
    with pytest.raises(AirflowTaskTimeout):
        task.execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled"]


def test_a_task_that_a_user_ended_starts_over_when_cleared(airbyte, connection_id, context, mocker) -> None:
    """Airflow does not raise max_tries when a running task is cleared."""
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value="restarting")
    airbyte.script(connection_id, LONG)
    task = sync(connection_id, poll_interval=3600)
    killer = threading.Timer(0.3, task.on_kill)
    killer.start()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    killer.join()
    report = sync(connection_id).execute(context)
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled", "succeeded"]
    assert report["job_id"] == airbyte.jobs(connection_id)[1]["id"]


def test_a_job_that_runs_again_after_it_had_ended_is_no_success(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    job_id = airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobError, match="is running again after it had ended"):
        sync(connection_id).execute_complete(context, {"job_id": job_id, "status": "succeeded"})


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.status(404), Fault.html()])
def test_an_unreadable_report_does_not_fail_a_job_that_succeeded(airbyte, connection_id, context, fault) -> None:
    """A report that cannot be read at all does not fail a job that succeeded."""
    airbyte.fail_next("getJobInfoWithoutLogs", fault, times=100)
    report = sync(connection_id, poll_error_timeout=0.1).execute(context)
    assert (report["status"], report["records_synced"]) == ("succeeded", None)


def test_a_job_id_that_was_given_again_is_no_success(airbyte, connection_id, context) -> None:
    """Its job ids count from 1 again, and somebody else's job has ours."""
    foreign = airbyte.start_job(airbyte.add_connection(name="Other", streams=["a"]))
    context["task_state_store"]["airbyte_job"] = {
        "max_tries": 2,
        "job_id": foreign,
        "attached": False,
        "connection_id": connection_id,
    }
    report = sync(connection_id).execute(context)
    assert (report["connection_id"], report["job_id"]) == (connection_id, foreign + 1)
    with pytest.raises(AirbyteJobNotFoundError, match=r"belongs to connection .* now, and not to"):
        sync(connection_id).execute_complete(context, {"job_id": foreign, "status": "succeeded"})
    assert airbyte.calls("cancelJob") == []


def test_a_retry_starts_a_new_job_where_airbyte_has_lost_the_old_one(airbyte, connection_id, context) -> None:
    record = {"max_tries": 2, "job_id": 4711, "attached": False, "connection_id": connection_id}
    context["task_state_store"]["airbyte_job"] = record
    assert sync(connection_id).execute(context)["job_id"] == 1
