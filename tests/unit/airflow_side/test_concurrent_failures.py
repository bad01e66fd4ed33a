"""One job per task, also where two things go wrong at once: each of these once made a second job, or an orphan."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.clock import TaskKilledError
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteJobFailedError, AirbyteJobTimeoutError
from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator
from airflow_airbyte_ext.testing import Fault, Step

LONG = [Step("running", seconds=3600)]


def sync(connection_id=None, **arguments) -> AirbyteSyncConnectionOperator:
    values = {"task_id": "t", "connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, **arguments}
    return AirbyteSyncConnectionOperator(**values)


def reset(connection_id) -> AirbyteResetConnectionOperator:
    return AirbyteResetConnectionOperator(
        task_id="t", connection_id=connection_id, poll_interval=0.01, deferrable=False
    )


def by_name(airbyte, **arguments) -> AirbyteSyncConnectionOperator:
    return sync(connection_name="Orders", workspace_id=airbyte.workspace_id, **arguments)


def rename(airbyte, connection_id, name) -> None:
    with AirbyteClient(ClientSettings(base_url=airbyte.url)) as client:
        client.update_connection(connection_id=connection_id, name=name)


def jobs(airbyte, connection_id) -> list[str]:
    return [job["status"] for job in airbyte.jobs(connection_id)]


@pytest.fixture
def airflow_says(mocker):
    """What Airflow says of the task when it is killed."""

    def say(state: str) -> None:
        mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value=state)

    return say


class Resumed:
    """A task that goes on after the triggerer's wait, to be killed as one that runs."""

    def __init__(self, go_on, on_kill) -> None:
        self.go_on, self.on_kill = go_on, on_kill

    def execute(self, context) -> None:
        self.go_on()


def killed(task, context, after=0.3) -> float:
    """Run the task, kill it, and return how long it took to end after that."""
    killed_at: list[float] = []

    def kill() -> None:
        killed_at.append(time.monotonic())
        task.on_kill()

    timer = threading.Timer(after, kill)
    timer.start()
    with pytest.raises(TaskKilledError):
        task.execute(context)
    timer.join()
    return time.monotonic() - killed_at[0]


@pytest.mark.parametrize("make", [sync, reset])
def test_a_lost_response_is_searched_for_by_the_retry(airbyte, connection_id, context, make) -> None:
    """The response is lost, and then the list of jobs is refused, too: that says nothing of the job."""
    store = context["task_state_store"]
    keep = store.set

    def refuse_the_list_from_now_on(key, value):
        keep(key, value)
        airbyte.fail_next("listJobsFor", Fault.status(429, headers={"Retry-After": "0"}), times=5)

    store.set = refuse_the_list_from_now_on
    for operation in ("syncConnection", "clearConnection"):
        if (operation == "syncConnection") is (make is sync):
            airbyte.fail_next(operation, Fault.drop_after())
    with pytest.raises(AirbyteApiError):
        make(connection_id).execute(context)
    store.set = keep
    report = make(connection_id).execute(context)
    assert jobs(airbyte, connection_id) == ["succeeded"]
    assert not report["attached"]


def test_a_request_that_surely_was_refused_is_nobodys_job(airbyte, connection_id, context) -> None:
    """The next try must not take a job for its own that somebody else starts in between."""
    airbyte.fail_next("syncConnection", Fault.status(403))
    with pytest.raises(Exception, match="403"):
        sync(connection_id).execute(context)
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    task = sync(connection_id, wait_for_completion=False)
    assert task.execute(context)["attached"]


def test_a_job_of_ours_is_ours_although_an_earlier_try_had_adopted_one(
    airbyte, connection_id, context, airflow_says
) -> None:
    airflow_says("failed")
    airbyte.script(connection_id, [Step("running"), Step("failed")])
    airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id).execute(context)
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("syncConnection", Fault.delay(0.6))
    killed(sync(connection_id), context)
    assert jobs(airbyte, connection_id) == ["failed", "cancelled"]


def test_a_retry_finds_its_job_although_the_connection_was_renamed(
    airbyte, connection_id, context, airflow_says
) -> None:
    airflow_says("running")
    airbyte.script(connection_id, LONG)
    killed(by_name(airbyte), context)
    rename(airbyte, connection_id, "Orders of the past")
    airbyte.add_connection(name="Orders")
    [job] = airbyte.jobs(connection_id)
    airbyte.advance(job["id"], "succeeded")
    assert by_name(airbyte).execute(context)["job_id"] == job["id"]
    assert len(airbyte.jobs()) == 1


def test_a_task_that_was_deferred_behind_another_job_keeps_its_connection(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id)
    with pytest.raises(TaskDeferred) as deferred:
        by_name(airbyte, deferrable=True, if_running="wait").execute(context)
    rename(airbyte, connection_id, "Orders of the past")
    airbyte.advance(other, "succeeded")
    task = by_name(airbyte, deferrable=True, if_running="wait")
    with pytest.raises(TaskDeferred):
        task.execute_after_another(context, {"job_id": other, "status": "succeeded"}, **deferred.value.kwargs)
    assert len(airbyte.jobs(connection_id)) == 2


def test_after_an_execution_timeout_no_request_goes_on_by_itself(airbyte, connection_id, context) -> None:
    """The request that starts the job runs in a thread, and was to be repeated in three seconds."""
    airbyte.fail_next("syncConnection", Fault.status(429, headers={"Retry-After": "2"}))

    def alarm(*_arguments):
        raise AirflowTaskTimeout("Timeout")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.6)
    try:
        with pytest.raises(AirflowTaskTimeout):
            sync(connection_id).execute(context)
    finally:
        signal.signal(signal.SIGALRM, before)
    for thread in threading.enumerate():
        if thread.name == "airbyte-request":
            thread.join()
    assert jobs(airbyte, connection_id) == []


@pytest.mark.parametrize(
    ("slow", "arguments"), [("getJobInfoLight", {}), ("getAttemptForJob", {"log_attempts": "always"})]
)
def test_a_kill_is_noticed_while_a_read_takes_long(
    airbyte, connection_id, context, airflow_says, monkeypatch, slow, arguments
) -> None:
    """Airflow kills for good five seconds later; a log may take longer than that to read."""
    airflow_says("failed")
    monkeypatch.setattr("airflow_airbyte_ext.operators.outcome.READ_LOG_INTERVAL", 0.2)
    airbyte.script(connection_id, LONG)
    airbyte.fail_next(slow, Fault.delay(6))
    task = sync(connection_id, **{"poll_interval": 0.1, **arguments})
    assert killed(task, context, after=1.5) < 3
    assert jobs(airbyte, connection_id) == ["cancelled"]


@pytest.mark.parametrize("has_store", [True, False])
def test_a_kill_is_noticed_while_the_report_is_read(
    airbyte, connection_id, context, airflow_says, caplog, has_store
) -> None:
    """Of a task that has come back from the triggerer; its job has ended, and its record is closed."""
    airflow_says("failed")
    if not has_store:
        del context["task_state_store"]
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, "succeeded")
    airbyte.fail_next("getJobInfoWithoutLogs", Fault.status(503), times=1000)
    task = sync(connection_id, poll_error_timeout=600)
    event = {"job_id": job_id, "status": "succeeded"}
    resumed = Resumed(lambda: task.execute_complete(context, event), task.on_kill)
    assert killed(resumed, context, after=1.5) < 2
    assert "No job was started" not in caplog.text
    assert jobs(airbyte, connection_id) == ["succeeded"]
    if has_store:
        assert context["task_state_store"]["airbyte_job"]["ended"]


@pytest.mark.parametrize("retryable", [True, False])
def test_a_job_in_the_way_that_is_gone_is_in_nobodys_way(airbyte, connection_id, context, retryable) -> None:
    """Whether or not the error that says so may be retried."""
    event = {"job_id": 4711, "error": "AirbyteJobNotFoundError", "message": "gone", "retryable": retryable}
    report = sync(connection_id).execute_after_another(context, event, deadline=None, connection_id=connection_id)
    assert (report["status"], report["attached"]) == ("succeeded", False)


@pytest.mark.parametrize("is_adopted", [True, False])
def test_a_clear_of_a_running_task_begins_anew_also_where_its_job_is_left(
    airbyte, connection_id, context, airflow_says, is_adopted
) -> None:
    """`max_tries` does not grow then, so the record says that it is over."""
    airflow_says("restarting")
    airbyte.script(connection_id, LONG)
    if is_adopted:
        airbyte.start_job(connection_id)
    killed(sync(connection_id, cancel_on_kill=is_adopted), context)
    [job] = airbyte.jobs(connection_id)
    airbyte.advance(job["id"], "succeeded")
    assert sync(connection_id).execute(context)["job_id"] != job["id"]


def test_a_resumed_task_does_not_call_what_airflow_guards(airbyte, connection_id, context, caplog) -> None:
    """Airflow refuses a call of `execute` that does not come from itself."""
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id)
    with pytest.raises(TaskDeferred) as deferred:
        sync(connection_id, deferrable=True, if_running="wait").execute(context)
    airbyte.advance(other, "succeeded")
    resumed = {**deferred.value.kwargs, "event": {"job_id": other, "status": "succeeded"}}
    caplog.clear()
    with pytest.raises(TaskDeferred):
        sync(connection_id, deferrable=True, if_running="wait").resume_execution(
            "execute_after_another", resumed, context
        )
    assert "cannot be called outside" not in caplog.text


def test_a_task_whose_time_is_over_when_it_may_begin_starts_nothing(airbyte, connection_id, context) -> None:
    """The job in its way took all of its time."""
    airbyte.script(connection_id, LONG)
    other = airbyte.start_job(connection_id)
    airbyte.advance(other, "succeeded")
    task = sync(connection_id, deferrable=True, if_running="wait", wait_timeout=5)
    event = {"job_id": other, "status": "succeeded"}
    with pytest.raises(AirbyteJobTimeoutError):
        task.execute_after_another(context, event, deadline=time.time() - 1, connection_id=connection_id)
    assert len(airbyte.jobs(connection_id)) == 1
