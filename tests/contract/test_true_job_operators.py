"""What tasks do where Airbyte's jobs are not what was requested, deferred or not; see `true_jobs`."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred
from raw_server import RawServer
from true_bytes import CONNECTION
from true_jobs import EVENTS, TrueJobs

from airflow_airbyte_ext.api.clock import KillableClock, TaskKilledError
from airflow_airbyte_ext.exceptions import (
    AirbyteJobCancelledError,
    AirbyteJobFailedError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteNoRecordsError,
)
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)

OPERATORS = {
    "sync": AirbyteSyncConnectionOperator,
    "reset_connection": AirbyteResetConnectionOperator,
    "refresh": AirbyteRefreshConnectionOperator,
}


class ClockOfTask(KillableClock):
    """The test's clock, as a task that can be killed has it."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock
        self.time, self.monotonic = clock.time, clock.monotonic

    def sleep(self, seconds):
        if self._is_killed:
            raise TaskKilledError("killed")
        self._clock.sleep(seconds)


class Store(dict):
    def set(self, key, value):
        self[key] = json.loads(json.dumps(value))


@dataclass
class TaskInstance:
    max_tries: int = 2
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key, value):
        self.xcoms[key] = value


class Task:
    """Runs operators of one task, and the triggerer's part of it."""

    def __init__(self, airbyte, server, clock, client, *, has_store):
        self.airbyte, self.server, self.clock, self.client = airbyte, server, clock, client
        self.context = {"ti": TaskInstance(), "task_state_store": Store() if has_store else None}
        self.deferrals = 0

    def operator(self, kind="sync", **arguments):
        values = {"task_id": "t", "connection_id": CONNECTION, "poll_interval": 1, "deferrable": False, **arguments}
        return OPERATORS[kind](**values)

    def run(self, kind="sync", **arguments):
        """Run a try of the task to its end; each time that it is deferred another process goes on with it."""
        make = lambda: self.operator(kind, **arguments)  # noqa: E731
        step = lambda: make().execute(self.context)  # noqa: E731
        while True:
            try:
                return step()
            except TaskDeferred as deferred:
                self.deferrals += 1
                assert self.deferrals < 30, "that is a loop"
                trigger = deferred.trigger
                ended = wait_for_job(self.client, trigger.job_id, clock=self.clock, connection_id=CONNECTION)
                event = {"job_id": ended.id, "status": ended.status}
                kwargs = json.loads(json.dumps(deferred.kwargs or {}))
                method = deferred.method_name
                step = lambda: getattr(make(), method)(self.context, event, **kwargs)  # noqa: B023, E731

    @property
    def jobs(self):
        return [(job.kind, job.status) for job in self.airbyte.oldest_first]


@pytest.fixture
def start(connect_to, clock, monkeypatch):
    monkeypatch.setattr("airflow_airbyte_ext.operators.base.KillableClock", lambda: ClockOfTask(clock))
    monkeypatch.setattr(
        "airflow_airbyte_ext.operators.interrupt.task_state", lambda _ti: None
    )  # somebody ended the task
    running = []

    def start(release, *, has_store=True, **options):
        airbyte = TrueJobs(release, clock=clock, **options)
        server = RawServer(airbyte)
        running.append((server, airbyte))
        connection = {"conn_type": "airbyteconfig", "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        return Task(airbyte, server, clock, connect_to(server.url), has_store=has_store)

    yield start
    for server, airbyte in running:
        server.close()
        assert not airbyte.unprepared
        assert len(server.journal) < 400, "that is a loop"


def scheduled_in_between(task, seconds=30.0):
    def begin():
        task.airbyte.on_request.clear()
        task.airbyte.start(by="schedule", plan=[("running", seconds), ("succeeded", 0.0)])

    task.airbyte.on_request = dict.fromkeys(["connections/refresh", "connections/sync"], begin)


# 0.40.32 has no refreshes, and cancels nothing between two attempts.
KINDS = [
    ("sync", "attach"),
    ("sync", "wait"),
    ("reset_connection", "wait"),
    ("reset_connection", "cancel"),
    ("refresh", "wait"),
    ("refresh", "cancel"),
]

deferred_or_not = pytest.mark.parametrize("deferrable", [False, True], ids=["waits", "defers"])
stored_or_not = pytest.mark.parametrize("has_store", [True, False], ids=["store", "no-store"])


@pytest.mark.parametrize(
    ("deferrable", "has_store"), [(False, True), (True, False)], ids=["waits-store", "defers-no-store"]
)
@pytest.mark.parametrize(
    ("release", "kind", "how", "event"),
    [
        (release, kind, how, event)
        for release in ("0.40.32", "1.3.0", "2.0.0")
        for kind, how in KINDS
        for event in EVENTS
        if release != "0.40.32" or (kind != "refresh" and (how, event) != ("cancel", "incomplete"))
    ],
)
def test_one_job_for_each_task(start, release, kind, how, event, deferrable, has_store):
    """Whatever happens: one job of the task at most, the one that is reported, and never cancelled by the task."""
    task = start(release, has_store=has_store)
    EVENTS[event](task)
    report = task.run(kind, if_running=how, deferrable=deferrable)
    assert (report["job_type"], report["status"]) == (kind, "succeeded")
    ours = [(job.id, job.status) for job in task.airbyte.ours()]
    [reported] = [job for job in task.airbyte.oldest_first if job.id == report["job_id"]]
    assert ours == [(reported.id, "succeeded")] or (not ours and reported.by != "request" and kind == "sync")
    assert task.airbyte.refreshes == task.airbyte.resets == 0


@pytest.mark.parametrize("release", ["0.50.31", "1.2.0"])
def test_our_own_reset_is_not_cancelled_with_the_run_that_came_before_it(start, release):
    """The response is lost while a scheduled run is pending; that one is cancelled, and what starts at once is ours."""
    task = start(release, schedule="basic")

    def begin():
        task.airbyte.on_request.clear()
        task.airbyte.start(by="schedule", plan=[("pending", 5.0), ("running", 1000.0), ("succeeded", 0.0)])

    task.airbyte.on_request = dict.fromkeys(["connections/reset", "connections/clear"], begin)
    report = task.run("reset_connection", if_running="cancel")
    assert task.jobs == [("sync", "cancelled"), ("reset_connection", "succeeded")]
    assert report["job_id"] == task.airbyte.jobs[0].id


@stored_or_not
@deferred_or_not
@pytest.mark.parametrize("release", ["0.40.32", "1.2.0", "2.0.0"])
def test_a_stored_reset_comes_before_the_sync(start, release, deferrable, has_store):
    task = start(release, resets=1, has_store=has_store)
    report = task.run(deferrable=deferrable)
    assert task.jobs == [("reset_connection", "succeeded"), ("sync", "succeeded")]
    assert (report["job_type"], report["attached"]) == ("sync", False)


@stored_or_not
@deferred_or_not
@pytest.mark.parametrize("release", ["0.40.32", "1.2.0", "2.0.0"])
def test_a_stored_reset_that_fails_again_is_the_tasks_error(start, release, deferrable, has_store):
    """A retry may try once more: that is one job for each try."""
    task = start(release, resets=1, ends=["failed"], has_store=has_store)
    for tries in (1, 2):
        with pytest.raises(AirbyteJobFailedError, match="a reset that had been requested before"):
            task.run(deferrable=deferrable)
        assert task.jobs == [("reset_connection", "failed")] * tries


@deferred_or_not
@pytest.mark.parametrize("release", ["0.63.0", "1.2.0", "2.0.0"])
def test_a_sync_that_becomes_a_stored_refresh_reports_it(start, release, deferrable):
    task = start(release, refreshes=1)
    assert task.run(deferrable=deferrable)["job_type"] == "refresh"
    assert task.jobs == [("refresh", "succeeded")]


@stored_or_not
@deferred_or_not
@pytest.mark.parametrize("how", ["wait", "cancel"])
@pytest.mark.parametrize("release", ["0.63.0", "0.64.7", "1.3.0", "1.4.0", "2.0.0"])
def test_a_refresh_that_is_stored_beside_a_job_is_started_after_it(start, release, how, deferrable, has_store):
    """Requested once, run once, also where the task goes on in another process that remembers nothing."""
    task = start(release, has_store=has_store)
    scheduled_in_between(task)
    report = task.run("refresh", deferrable=deferrable, if_running=how)
    assert (report["job_type"], report["attached"]) == ("refresh", False)
    assert [kind for kind, _ in task.jobs] == ["sync", "refresh"]
    assert task.server.count("connections/refresh") == 1
    assert task.airbyte.refreshes == 0


@pytest.mark.parametrize("release", ["0.63.0", "1.3.0", "2.0.0"])
def test_a_stored_refresh_that_is_skipped_is_taken_by_a_retry(start, release):
    """A refresh that is stored and skipped says what becomes of it and a retry takes it."""
    task = start(release)
    scheduled_in_between(task)
    with pytest.raises(AirflowSkipException, match="has stored the refresh"):
        task.run("refresh", if_running="skip")
    task.clock.sleep(100)
    assert task.run("refresh", if_running="skip")["job_type"] == "refresh"
    assert task.server.count("connections/refresh") == 1
    assert [kind for kind, _ in task.jobs] == ["sync", "refresh"]


@pytest.mark.parametrize("release", ["0.40.32", "0.50.31", "1.2.0", "2.0.0"])
def test_a_reset_right_after_a_sync_runs(start, release):
    """`sync >> reset`: webhooks keep the connection busy for 40 s."""
    task = start(release, cooling=40.0)
    task.run()
    assert start_next(task, "reset_connection")["job_type"] == "reset_connection"
    assert task.jobs == [("sync", "succeeded"), ("reset_connection", "succeeded")]


def start_next(task, kind, **arguments):
    """Run the next task of the DAG."""
    task.context = {"ti": TaskInstance(), "task_state_store": Store()}
    return task.run(kind, **arguments)


@pytest.mark.parametrize(("how", "error"), [("fail", AirbyteJobRunningError), ("skip", AirflowSkipException)])
def test_fail_and_skip_hold_for_a_job_that_was_pending_before_our_request(start, how, error):
    """Airbyte gives the pending job of somebody else to our request, too."""
    task = start("2.0.0", pending=50.0)
    pend_before_the_request(task)
    with pytest.raises(error):
        task.run(if_running=how)
    assert task.airbyte.shown()[0][2] == "somebody"
    assert len(task.jobs) == 1
    assert task.server.count("jobs/cancel") == 0


def pend_before_the_request(task):
    store = task.context["task_state_store"]
    keep = store.set

    def slow(key, value):
        keep(key, value)
        if not task.airbyte.jobs:
            task.clock.sleep(1)
            task.airbyte.start()
            task.clock.sleep(5)

    store.set = slow


@pytest.mark.parametrize("end", ["kill", "timeout"])
def test_a_job_that_was_pending_before_our_request_survives_our_task(start, end):
    task = start("2.0.0", pending=50.0, running=100.0)
    pend_before_the_request(task)
    operator = task.operator(wait_timeout=20)
    if end == "kill":
        task.airbyte.after(30, operator.on_kill)
    with pytest.raises(Exception, match=r"killed|Timed out"):
        operator.execute(task.context)
    assert task.server.count("jobs/cancel") == 0
    assert [status for _, status in task.jobs] in (["pending"], ["running"])


@pytest.mark.parametrize("is_theirs", [True, False])
def test_a_kill_while_the_request_is_held_cancels_our_job_alone(start, is_theirs):
    """Airbyte holds a request while the job is pending; one that was there before it is left running."""
    task = start("2.0.0", pending=1.0, running=100.0)
    if is_theirs:
        pend_before_the_request(task)
    operator = task.operator()
    task.server.on("connections/sync", lambda request: held(task, operator, request))
    with pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert [(job.by, job.status) for job in task.airbyte.oldest_first] == (
        [("somebody", "running")] if is_theirs else [("request", "cancelled")]
    )


def held(task, operator, request):
    """The task is killed while Airbyte holds its request."""
    response = task.airbyte(request)
    task.clock.sleep(5)
    operator.on_kill()
    time.sleep(0.3)
    return response


def test_a_kill_while_a_stored_reset_is_waited_for_leaves_it(start):
    """It was requested by somebody else, and to cancel it would drop what is stored."""
    task = start("2.0.0", resets=1, running=100.0)
    operator = task.operator()
    task.airbyte.after(30, operator.on_kill)
    with pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert task.jobs == [("reset_connection", "running")]
    assert task.server.count("jobs/cancel") == 0


def test_a_kill_while_a_refresh_is_stored_says_so(start, caplog):
    task = start("2.0.0")
    scheduled_in_between(task, seconds=100.0)
    operator = task.operator("refresh")
    task.airbyte.after(30, operator.on_kill)
    with pytest.raises(TaskKilledError):
        operator.execute(task.context)
    assert task.jobs == [("sync", "running")]
    assert task.server.count("jobs/cancel") == 0
    assert "Airbyte has stored the refresh" in caplog.text
    assert "No job was started" not in caplog.text


@deferred_or_not
def test_a_time_limit_while_a_refresh_is_stored_says_so(start, deferrable):
    task = start("2.0.0")
    scheduled_in_between(task, seconds=100.0)
    operator = task.operator("refresh", wait_timeout=20, deferrable=deferrable)
    with pytest.raises((AirbyteJobTimeoutError, TaskDeferred)) as caught:
        operator.execute(task.context)
    if deferrable:
        late = {"error": "AirbyteJobTimeoutError", "message": "Too late.", "job_id": 1, "retryable": True}
        with pytest.raises(AirbyteJobTimeoutError) as caught_later:
            task.operator("refresh").execute_after_another(task.context, late, **caught.value.kwargs)  # type: ignore[attr-defined]
        caught = caught_later
    assert "Airbyte has stored the refresh" in str(caught.value)


# -- a connection that is not active by the end -----------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "reset_connection", "refresh"])
def test_a_cancelled_end_says_that_the_connection_is_inactive_by_then(start, kind):
    """Airbyte switches it off in its schema step, say."""
    task = start("2.0.0", pending=3.0)
    task.airbyte.after(2, lambda: setattr(task.airbyte, "status", "inactive"))
    with pytest.raises(AirbyteJobCancelledError, match=r"was cancelled in Airbyte.* is inactive\. .*Enable it"):
        task.run(kind)


@pytest.mark.parametrize("how", ["ignore", "fail"])
def test_an_empty_success_says_that_the_connection_is_inactive_by_then(start, caplog, how):
    """Up to 0.58.0 such a job succeeds."""
    task = start("0.57.4", pending=3.0)
    task.airbyte.after(2, lambda: setattr(task.airbyte, "status", "inactive"))
    if how == "fail":
        with pytest.raises(AirbyteNoRecordsError, match="is inactive"):
            task.run(on_zero_records="fail")
    else:
        assert task.run()["status"] == "succeeded"
    assert "is inactive" in caplog.text


def test_an_inactive_connection_fails_for_good_before_anything_is_sent(start):
    task = start("2.0.0", status="inactive")
    task.airbyte.start(plan=[("running", 50.0), ("succeeded", 0.0)])
    with pytest.raises(AirflowFailException, match="would delete state and move nothing"):
        task.run("reset_connection", if_running="cancel")
    assert task.jobs == [("sync", "cancelled")]  # by Airbyte itself
    assert task.server.count("jobs/cancel") == 0


# -- cancel, then reset -----------------------------------------------------------------------------


@deferred_or_not
@pytest.mark.parametrize("dates", [True, False])
def test_cancel_and_reset_waits_for_the_last_state_of_the_cancelled_job(start, tmp_path, deferrable, dates):
    """The snapshot before the reset holds that state, too."""
    task = start("2.0.0", dates=dates)
    task.airbyte.start(plan=[("running", 500.0), ("succeeded", 0.0)])
    late = {"stateType": "stream", "connectionId": CONNECTION}
    late["streamState"] = [{"streamDescriptor": {"name": "orders"}, "streamState": {"cursor": 8}}]  # type: ignore[assignment]
    task.airbyte.after(55, lambda: setattr(task.airbyte, "state", late))
    task.run("reset_connection", if_running="cancel", deferrable=deferrable, backup_to=str(tmp_path))
    assert task.jobs == [("sync", "cancelled"), ("reset_connection", "succeeded")]
    assert task.airbyte.state["stateType"] == "not_set"
    [snapshot] = [path for path in tmp_path.rglob("*.json*") if path.is_file()]
    assert '"cursor": 8' in snapshot.read_text()
