"""A task that starts again finds the job of its earlier try, and a connection that cannot run says why."""

from __future__ import annotations

import pytest
from submitting import PlainReset, submit_sync

from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionDeletedError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionLockedError,
    AirbyteConnectionUnusableError,
    AirbyteJobRunningError,
)
from airflow_airbyte_ext.testing import Fault, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
LONG = [Step("running", polls=1000)]


@pytest.mark.parametrize("status", ["pending", "running", "incomplete", "succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("era", ["0.36", "2.0"])
def test_the_job_of_a_crashed_try_is_found(start_fake, connect, clock, era, status):
    """Running or over: it is ours, and no other is started."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step(status, polls=1000)])
    job_id = airbyte.start_job(connection_id)
    submission = submit_sync(connect(airbyte), connection_id, clock=clock, earlier=0)
    assert (submission.job.id, submission.attached) == (job_id, False)
    assert airbyte.calls("syncConnection") == []


@pytest.mark.parametrize("later", [1, 5, 25, 60])
def test_the_job_of_a_crashed_try_is_found_behind_later_ones(airbyte, client, clock, later):
    """A schedule ran on while the task was down: the first job after the note is ours, not the last."""
    connection_id = airbyte.add_connection()
    noted = airbyte.start_job(connection_id)
    airbyte.advance(noted, "succeeded")
    for _ in range(1 + later):
        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
    submission = submit_sync(client, connection_id, clock=clock, earlier=noted)
    assert submission.job.id == noted + 1
    assert not submission.attached


def test_a_job_of_another_connection_is_not_ours(airbyte, client, clock):
    """Ids grow over the whole instance."""
    connection_id, other = airbyte.add_connection(), airbyte.add_connection("Other")
    airbyte.start_job(other)
    submission = submit_sync(client, connection_id, clock=clock, earlier=0)
    assert submission.job.id == 2
    assert submission.job.config_id == connection_id


def test_a_reset_since_then_is_not_our_sync(airbyte, client, clock):
    """The earlier try sent nothing; somebody reset the connection meanwhile."""
    connection_id = airbyte.add_connection()
    airbyte.advance(airbyte.start_job(connection_id, "reset_connection"), "succeeded")
    submission = submit_sync(client, connection_id, clock=clock, earlier=0)
    assert (submission.job.id, submission.job.config_type) == (2, "sync")


def test_where_the_earlier_try_started_nothing_a_job_is_started(airbyte, client, clock):
    """The note alone is no job."""
    connection_id = airbyte.add_connection()
    airbyte.advance(airbyte.start_job(connection_id), "succeeded")
    submission = submit_sync(client, connection_id, clock=clock, earlier=1)
    assert (submission.job.id, submission.attached) == (2, False)


def test_the_job_of_a_crashed_try_is_found_though_attaching_is_not_wanted(airbyte, client, clock):
    """It is our own."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    assert submit_sync(client, connection_id, clock=clock, earlier=0, attach=False).job.id == 1


PROBLEMS = {
    "inactive": (AirbyteConnectionInactiveError, "inactive.*Enable"),
    "deprecated": (AirbyteConnectionDeletedError, "deleted.*id"),
    "locked": (AirbyteConnectionLockedError, "locked.*Unlock"),
}


@pytest.mark.parametrize(
    ("era", "status"),
    # Airbyte locks connections in head only.
    [(era, status) for era in ERAS for status in PROBLEMS if status != "locked" or era == "head"],
)
def test_a_connection_that_cannot_run_says_why(start_fake, connect, clock, era, status):
    """Servers before 0.43.2 would run it and move nothing; since 2.0 they give an errorId only."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection("Orders", status=status)
    kind, words = PROBLEMS[status]
    with pytest.raises(kind, match=words) as caught:
        submit_sync(connect(airbyte), connection_id, clock=clock)
    assert "Orders" in str(caught.value)
    assert connection_id in str(caught.value)
    assert caught.value.connection_id == connection_id
    assert isinstance(caught.value, AirbyteConnectionUnusableError)
    assert not caught.value.retryable
    assert airbyte.jobs() == []
    assert sum(clock.sleeps) < 5


def test_the_reason_of_a_lock_is_passed_on(start_fake, connect, clock):
    """Airbyte says why it locked a connection."""
    airbyte = start_fake("head")
    connection_id = airbyte.add_connection(status="locked")
    with pytest.raises(AirbyteConnectionLockedError, match="locked by the platform"):
        submit_sync(connect(airbyte), connection_id, clock=clock)


def test_a_reason_that_cannot_be_read_does_not_hide_the_job(airbyte, client, clock):
    """The check the connection fails: that is no reason to give up."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.drop_before())
    airbyte.fail_next("getConnection", Fault.status(503), times=5)
    assert submit_sync(client, connection_id, clock=clock).job.id == 1


@pytest.mark.parametrize("fault", [None, Fault.drop_after(), Fault.drop_before(), Fault.status(504, effect=True)])
def test_a_reset_is_submitted_once_too(airbyte, client, clock, fault):
    """The same rules hold for every kind of job."""
    connection_id = airbyte.add_connection()
    if fault:
        airbyte.fail_next("resetConnection", fault)
    submission = PlainReset(client, connection_id, clock=clock).submit()
    assert [(job["id"], job["kind"]) for job in airbyte.jobs()] == [(submission.job.id, "reset_connection")]
    assert not submission.attached


@pytest.mark.parametrize("era", ERAS)
def test_a_running_sync_is_never_taken_for_our_reset(start_fake, connect, clock, era):
    """A reset would cancel it silently (or, before 0.39, do nothing): nothing is sent."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match="sync"):
        PlainReset(connect(airbyte), connection_id, clock=clock).submit()
    assert [job["status"] for job in airbyte.jobs()] == ["running"]
