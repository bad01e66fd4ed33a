"""What becomes of a job when its task ends before it: which is cancelled, and what the log says of the others."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.clock import KillableClock, TaskKilledError
from airflow_airbyte_ext.hooks.task import KEY, TaskRecord
from airflow_airbyte_ext.operators import interrupt
from airflow_airbyte_ext.operators.interrupt import JobEnding, user_requested_stop
from airflow_airbyte_ext.testing import Fault, Step

LONG = [Step("running", polls=10_000)]
KILLED, OUT_OF_TIME = TaskKilledError(), TimeoutError()


class Store(dict[str, Any]):
    """Airflow's task state store."""

    set = dict.__setitem__


@pytest.fixture
def scene(airbyte, connection_id, monkeypatch, mocker, caplog):
    """A task that has submitted a job which runs; `says` is what Airflow says of the task."""
    caplog.set_level("INFO")
    airbyte.script(connection_id, LONG, repeat=True)
    monkeypatch.setattr(interrupt, "POLL_INTERVAL", 0.2)
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", side_effect=lambda ti: ti.says)
    return Scene(airbyte, connection_id, caplog)


class Scene:
    def __init__(self, airbyte, connection_id: str, caplog) -> None:
        self.airbyte, self.connection_id, self.caplog = airbyte, connection_id, caplog

    def ending(self, *, record: dict[str, Any], kill: bool = True, timeout: bool = True) -> JobEnding:
        self.store = Store({KEY: {"connection_id": self.connection_id, **record, "max_tries": 2}})
        record = TaskRecord({"ti": SimpleNamespace(max_tries=2), "task_state_store": self.store})  # type: ignore[assignment]
        settings = ClientSettings(base_url=self.airbyte.url, timeout=5.0)
        return JobEnding(
            lambda: AirbyteClient(settings, attempts=1),
            self.connection_id,
            record,
            kind="sync",
            cancel_on_kill=kill,
            cancel_on_timeout=timeout,
        )

    @property
    def statuses(self) -> list[str]:
        return [job["status"] for job in self.airbyte.jobs(self.connection_id)]

    @property
    def is_over(self) -> bool:
        """Whether the next try begins with nothing."""
        return bool(self.store[KEY].get("ended"))


def context(says: str = "failed") -> dict[str, Any]:
    return {"ti": SimpleNamespace(says=says)}


@pytest.mark.parametrize(
    ("says", "attached", "cancels", "status", "is_over"),
    [
        ("failed", False, True, "cancelled", True),
        ("failed", True, True, "running", True),
        ("failed", False, False, "running", True),
        ("running", False, True, "running", False),
        ("running", True, True, "running", False),
        ("up_for_retry", False, False, "running", False),
    ],
)
def test_a_kill_cancels_the_tasks_own_job_where_somebody_wanted_it(scene, says, attached, cancels, status, is_over):
    """And only then does the next try begin with nothing."""
    job_id = scene.airbyte.start_job(scene.connection_id)
    scene.ending(record={"job_id": job_id}, kill=cancels).after_kill(job_id, context(says), attached=attached)
    assert scene.statuses == [status]
    assert scene.is_over is is_over
    assert ("somebody else started it" in scene.caplog.text) is (attached and True)


@pytest.mark.parametrize(
    ("attached", "cancels", "status"),
    [(False, True, "cancelled"), (True, True, "running"), (False, False, "running")],
)
def test_a_timeout_cancels_the_tasks_own_job(scene, attached, cancels, status):
    job_id = scene.airbyte.start_job(scene.connection_id)
    scene.ending(record={"job_id": job_id}, timeout=cancels).after_timeout(job_id, attached=attached)
    assert scene.statuses == [status]


def test_a_timeout_without_a_job_cancels_nothing(scene):
    """Somebody else's job runs on."""
    scene.airbyte.start_job(scene.connection_id)
    scene.ending(record={}).after_timeout(None, attached=False)
    assert scene.statuses == ["running"]
    assert scene.airbyte.journal == []
    assert "could not be cancelled" not in scene.caplog.text


def test_a_job_id_that_belongs_to_another_connection_by_now_is_left(scene):
    """This Airbyte was set up again, and counts its jobs from 1."""
    other = scene.airbyte.add_connection("Other")
    scene.airbyte.script(other, LONG)
    job_id = scene.airbyte.start_job(other)
    scene.ending(record={"job_id": job_id}).after_timeout(job_id, attached=False)
    assert scene.airbyte.jobs(other)[0]["status"] != "cancelled"


@pytest.mark.parametrize("error", [KILLED, OUT_OF_TIME], ids=["kill", "timeout"])
@pytest.mark.parametrize("attached", [True, False])
def test_a_submission_whose_job_is_known_ends_it_at_once(scene, error, attached, monkeypatch):
    """By what the record says of whose it is; Airflow gives five seconds."""
    monkeypatch.setattr(interrupt, "POLL_INTERVAL", 5.0)
    job_id = scene.airbyte.start_job(scene.connection_id)
    began = time.monotonic()
    scene.ending(record={"job_id": job_id, "baseline": 0, "attached": attached}).interrupted(
        context(), timed_out=error is OUT_OF_TIME
    )
    assert time.monotonic() - began < 3
    assert scene.statuses == ["running" if attached else "cancelled"]


@pytest.mark.parametrize("error", [KILLED, OUT_OF_TIME], ids=["kill", "timeout"])
def test_a_submission_whose_response_is_out_is_looked_for(scene, error):
    """The job appears some time after the request."""
    threading.Timer(0.3, scene.airbyte.start_job, [scene.connection_id]).start()
    scene.ending(record={"job_id": None, "baseline": 0}).interrupted(context(), timed_out=error is OUT_OF_TIME)
    assert scene.statuses == ["cancelled"]


@pytest.mark.parametrize("error", [KILLED, OUT_OF_TIME], ids=["kill", "timeout"])
def test_the_job_that_was_there_before_the_request_is_left(scene, error, monkeypatch):
    """Airbyte gives a job that is pending to everybody."""
    monkeypatch.setattr(interrupt, "POLL_INTERVAL", 5.0)
    began = time.monotonic()
    scene.airbyte.start_job(scene.connection_id)
    created = scene.airbyte.jobs(scene.connection_id)[0]["created_at"]
    record = {"job_id": None, "baseline": 0, "sent": [created - 20, created + 20]}
    scene.ending(record=record).interrupted(context(), timed_out=error is OUT_OF_TIME)
    assert scene.statuses == ["running"]
    assert time.monotonic() - began < 4


def test_a_submission_that_never_began_is_not_looked_for(scene, monkeypatch):
    """Nothing was noted, so nothing was sent."""
    monkeypatch.setattr(interrupt, "POLL_INTERVAL", 5.0)
    began = time.monotonic()
    scene.airbyte.start_job(scene.connection_id)
    scene.ending(record={"job_id": None}).interrupted(context(), timed_out=False)
    assert scene.airbyte.journal == []
    assert scene.statuses == ["running"]
    assert "No job was started." in scene.caplog.text
    assert time.monotonic() - began < 4


def test_a_submission_without_a_job_is_looked_for_four_times(scene):
    scene.ending(record={"job_id": None, "baseline": 0}).interrupted(context(), timed_out=False)
    assert len(scene.airbyte.calls("listJobsFor")) == 4
    assert "No job was started." in scene.caplog.text


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_request_that_is_stored_is_told(scene, is_stored):
    """It runs one day, and nobody can take it back."""
    scene.ending(record={"job_id": None, "baseline": 0, "is_stored": is_stored}).interrupted(context(), timed_out=False)
    assert ("has stored the refresh" in scene.caplog.text) is is_stored
    assert ("No job was started." in scene.caplog.text) is not is_stored


def test_a_stored_request_whose_job_runs_is_that_job(scene):
    job_id = scene.airbyte.start_job(scene.connection_id)
    scene.ending(record={"job_id": job_id, "is_stored": True}).interrupted(context(), timed_out=False)
    assert scene.statuses == ["cancelled"]


def test_where_airbyte_cannot_be_asked_the_log_says_so(scene):
    """What ended the task stays the error."""
    scene.airbyte.fail_next("listJobsFor", Fault.status(503), times=10)
    scene.ending(record={"job_id": None, "baseline": 0}).interrupted(context(), timed_out=False)
    assert "It is unknown whether a job was started" in scene.caplog.text
    assert "No job was started" not in scene.caplog.text


def test_a_cancellation_that_is_refused_is_told(scene):
    job_id = scene.airbyte.start_job(scene.connection_id)
    scene.airbyte.fail_next("*", Fault.status(401), times=100)
    scene.ending(record={"job_id": job_id}).after_timeout(job_id, attached=False)
    assert "could not be cancelled, and may still run" in scene.caplog.text


def test_a_job_that_is_gone_needs_no_cancellation(start_airbyte, scene):
    """Servers before 2.0 say that they do not have it."""
    scene.airbyte, scene.connection_id = start_airbyte("1.0")
    scene.ending(record={"job_id": 77}).after_timeout(77, attached=False)
    assert "Job 77 is gone." in scene.caplog.text


def test_a_job_that_cannot_be_cancelled_is_told(scene, monkeypatch):
    """Airbyte took the request, and the job runs on."""
    job_id = scene.airbyte.start_job(scene.connection_id)
    left = SimpleNamespace(status="running")
    monkeypatch.setattr("airflow_airbyte_ext.operators.interrupt.cancel_job", lambda *_args, **_more: left)
    scene.ending(record={"job_id": job_id}).after_timeout(job_id, attached=False)
    assert f"Job {job_id} is running, and was not cancelled" in scene.caplog.text
    left.status = "cancelled"
    scene.caplog.clear()
    scene.ending(record={"job_id": job_id}).after_timeout(job_id, attached=False)
    assert f"Job {job_id} is cancelled." in scene.caplog.text


@pytest.mark.parametrize("says", ["running", "up_for_retry", "scheduled", "queued"])
def test_airflow_may_want_the_task_to_go_on(scene, says):
    """A worker shuts down, or Airflow had lost sight of it."""
    assert user_requested_stop(context(says)) is False


@pytest.mark.parametrize("says", ["failed", "success", "restarting", "removed", "skipped", None])
def test_otherwise_somebody_wanted_the_end(scene, says):
    assert user_requested_stop(context(says)) is True


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("x"), ImportError("x")])
def test_an_airflow_that_is_away_does_not_say(mocker, error):
    """Then the job is left: a retry finds it."""
    mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", side_effect=error)
    assert user_requested_stop(context()) is False


def test_a_kill_ends_a_wait_at_once():
    clock = KillableClock()
    threading.Timer(0.2, clock.kill).start()
    began = time.monotonic()
    with pytest.raises(TaskKilledError):
        clock.sleep(60)
    assert 0.1 < time.monotonic() - began < 5
    with pytest.raises(TaskKilledError):
        clock.sleep(0)


def test_without_a_kill_a_wait_takes_its_time():
    """And no processor's."""
    clock, began, worked = KillableClock(), time.monotonic(), time.thread_time()
    clock.sleep(0.35)
    clock.sleep(-1)
    assert 0.35 <= time.monotonic() - began < 5
    assert time.thread_time() - worked < 0.15


def test_a_kill_leaves_a_request_that_takes_minutes():
    """It goes on by itself."""
    clock, release, went_on = KillableClock(), threading.Event(), threading.Event()

    def request() -> None:
        release.wait(20)
        went_on.set()

    threading.Timer(0.2, clock.kill).start()
    with pytest.raises(TaskKilledError):
        clock.run(request)
    release.set()
    assert went_on.wait(5)


def test_a_request_returns_and_raises_what_it_does():
    clock = KillableClock()
    assert clock.run(lambda: 42) == 42
    began = time.monotonic()
    clock.run(lambda: time.sleep(0.25))
    assert time.monotonic() - began < 0.9
    with pytest.raises(ZeroDivisionError):
        clock.run(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        clock.run(lambda: (_ for _ in ()).throw(SystemExit))


def test_a_request_that_hangs_keeps_no_process_alive():
    clock, hangs = KillableClock(), threading.Event()
    threading.Timer(0.2, clock.kill).start()
    with pytest.raises(TaskKilledError):
        clock.run(hangs.wait)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "airbyte-request")
    hangs.set()
