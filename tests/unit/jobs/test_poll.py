"""Waiting: tolerant of polls that fail, with a deadline, and never for ever."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteJobNotFoundError,
    AirbyteJobStatusUnavailableError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import JobWatch, poll_job, wait_for_job
from airflow_airbyte_ext.testing import Fault, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
FAULTS = {
    "dropped": Fault.drop_before(),
    "truncated": Fault.truncated(),
    "web page": Fault.html(),
    "redirect": Fault.redirect("https://sso.example.com/"),
    **{str(status): Fault.status(status) for status in (401, 403, 404, 408, 429, 500, 502, 503, 504)},
    "500 opaque": Fault.status(500, {"errorId": "x"}),
}


@pytest.fixture
def connection_id(airbyte):
    return airbyte.add_connection()


@pytest.fixture
def job_id(airbyte, connection_id):
    airbyte.script(connection_id, [Step("running", polls=1000)])
    return airbyte.start_job(connection_id)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("era", ERAS)
def test_the_job_is_returned_as_it_ended(start_fake, connect, clock, era, end):
    """Waiting judges nothing: every end is an end. Retries and unknown words are not."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    words = ["pending", "running", "incomplete", "floating", "running", end]
    airbyte.script(connection_id, [Step(word) for word in words])
    polls = poll_job(
        connect(airbyte),
        airbyte.start_job(connection_id),
        connection_id=connection_id,
        clock=clock,
        polling=Polling(7),
    )
    assert [job.status for job in polls] == words
    assert clock.sleeps == [7] * 5


@pytest.mark.parametrize("era", ERAS)
def test_polls_are_the_lightest_that_the_release_has(start_fake, connect, clock, era):
    """getJobInfo carries up to a million log lines: only 0.36, which has nothing else, may be asked by list."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    wait_for_job(connect(airbyte), airbyte.start_job(connection_id), connection_id=connection_id, clock=clock)
    requested = {request.operation_id for request in airbyte.journal if request.status == 200}
    assert requested == ({"listJobsFor"} if era == "0.36" else {"getJobInfoLight"})


def test_without_its_connection_an_old_job_is_read_with_logs_once(start_fake, connect, clock):
    """0.36 can list jobs by connection only, and says in the job which one it is."""
    airbyte = start_fake("0.36")
    wait_for_job(connect(airbyte), airbyte.start_job(airbyte.add_connection()), clock=clock)
    assert len(airbyte.calls("getJobInfo")) == 1
    assert len(airbyte.calls("listJobsFor")) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_poll_that_fails_is_borne(airbyte, client, clock, connection_id, job_id, fault):
    """Whatever goes wrong for a while, the job itself may be fine."""
    airbyte.fail_next("getJobInfoLight", FAULTS[fault], times=5)
    watch = JobWatch(
        client, job_id, connection_id=connection_id, clock=clock, seen=True, polling=Polling(poll_error_timeout=600)
    )
    assert [watch.poll() for _ in range(5)] == [None] * 5
    assert watch.poll().status == "running"
    assert len(airbyte.calls("getJobInfoLight")) == 6


@pytest.mark.parametrize("fault", FAULTS)
def test_a_status_that_stays_unreadable_ends_the_wait(airbyte, client, clock, connection_id, job_id, fault):
    """After `poll_error_timeout`, with the last response in the error and the job left alone."""
    airbyte.fail_next("getJobInfoLight", FAULTS[fault], times=7)
    started = clock.now
    with pytest.raises(
        AirbyteJobStatusUnavailableError, match=rf"job {job_id}.*may be fine.*getJobInfoLight"
    ) as caught:
        wait_for_job(
            client,
            job_id,
            connection_id=connection_id,
            clock=clock,
            polling=Polling(10, poll_error_timeout=60),
        )
    assert 60 <= clock.now - started <= 70
    assert caught.value.job_id == job_id
    assert airbyte.jobs()[0]["status"] == "running"


def test_time_counts_as_unreadable_only_while_it_is(airbyte, client, clock, connection_id):
    """Failures that are hours apart never add up."""
    airbyte.script(connection_id, [Step("running", polls=20), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    for _ in range(5):
        airbyte.fail_next("getJobInfoLight", Fault.status(503), times=4)
        airbyte.fail_next("getJobInfoLight", Fault.delay(0))
    job = wait_for_job(client, job_id, clock=clock, polling=Polling(10, poll_error_timeout=45))
    assert job.status == "succeeded"


def test_a_retry_after_is_honoured_while_waiting(airbyte, client, clock, connection_id):
    """A server that is overrun says when to come back: not before."""
    airbyte.script(connection_id, [Step("succeeded")])
    airbyte.fail_next("getJobInfoLight", Fault.status(429, headers={"Retry-After": "25"}))
    wait_for_job(client, airbyte.start_job(connection_id), clock=clock, polling=Polling(5))
    assert sum(clock.sleeps) >= 25


@pytest.mark.parametrize("seen", [True, False])
def test_the_wait_ends_at_its_deadline(airbyte, client, clock, connection_id, job_id, seen):
    """Another error than a failed job: the job goes on, and the error says how it was."""
    started = clock.now
    with pytest.raises(AirbyteJobTimeoutError, match=rf"job {job_id} .still running") as caught:
        wait_for_job(client, job_id, clock=clock, polling=Polling(10, deadline=started + 35), seen=seen)
    assert clock.now - started == 35
    assert clock.sleeps == [10, 10, 10, 5]
    assert caught.value.job_id == job_id
    assert airbyte.jobs()[0]["status"] == "running"
    assert airbyte.calls("cancelJob") == []


def test_a_job_that_ends_with_the_deadline_is_not_late(airbyte, client, clock, connection_id):
    """The last poll comes at the deadline, not before it."""
    airbyte.script(connection_id, [Step("running", seconds=30), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    assert wait_for_job(client, job_id, clock=clock, polling=Polling(20, deadline=clock.now + 30)).status == "succeeded"


def test_a_deadline_that_has_passed_still_allows_one_look(airbyte, client, clock, connection_id):
    """A job that is over is over."""
    airbyte.script(connection_id, [Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    assert wait_for_job(client, job_id, clock=clock, polling=Polling(deadline=clock.now - 100)).status == "succeeded"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("era", ERAS)
def test_a_job_that_the_server_never_had_is_told_soon(start_fake, connect, clock, era, known):
    """500 in all eras: the error has the id and the server, and comes within a minute."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    started = clock.now
    with pytest.raises(AirbyteJobNotFoundError, match=rf"{airbyte.base_url} has no job 4711") as caught:
        wait_for_job(connect(airbyte), 4711, connection_id=connection_id if known else None, clock=clock, seen=False)
    assert clock.now - started < 60
    assert caught.value.job_id == 4711
    assert not caught.value.retryable


@pytest.mark.parametrize("status", [403, 404])
def test_a_job_that_may_not_be_seen_is_told_soon(airbyte, client, clock, connection_id, status):
    """Non-admin tokens get 403 for an unknown id."""
    airbyte.fail_next("getJobInfoLight", Fault.status(status, {"errorId": "x"}))
    with pytest.raises(AirbyteJobNotFoundError, match="4711"):
        wait_for_job(client, 4711, clock=clock, seen=False)


def test_a_server_that_is_ill_is_not_one_without_the_job(airbyte, client, clock, connection_id):
    """500 from the job and no health: the wait goes on."""
    airbyte.script(connection_id, [Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(500), times=5)
    airbyte.fail_next("getHealthCheck", Fault.status(503), times=5)
    assert wait_for_job(client, job_id, clock=clock, seen=False).status == "succeeded"


@pytest.mark.parametrize("seen", [True, False])
def test_a_job_that_vanishes_for_ever_does_not_hold_the_worker_for_ever(airbyte, connect, clock, seen):
    """A restored database has no such job any more: whether it was seen or not, the wait ends."""
    client = connect(airbyte)
    started = clock.now
    with pytest.raises((AirbyteJobNotFoundError, AirbyteJobStatusUnavailableError), match="4711"):
        wait_for_job(client, 4711, clock=clock, seen=seen, polling=Polling(poll_error_timeout=300))
    assert clock.now - started < 400


def test_wrong_credentials_at_the_first_look_are_told_at_once(airbyte, client, clock, job_id):
    """They will not get better by waiting."""
    airbyte.fail_next("getJobInfoLight", Fault.status(401, ""))
    with pytest.raises(AirbyteAuthenticationError):
        wait_for_job(client, job_id, clock=clock, seen=False)
    assert clock.sleeps == []


def test_a_web_page_at_the_first_look_is_told_at_once(airbyte, client, clock, job_id):
    """A wrong base URL does not get right by waiting."""
    airbyte.fail_next("getJobInfoLight", Fault.html())
    with pytest.raises(AirbyteApiError, match="web app"):
        wait_for_job(client, job_id, clock=clock, seen=False)


def test_a_job_of_another_kind_is_refused(airbyte, client, clock, connection_id):
    """A check of a source is a job for Airbyte, and nothing to wait for here."""
    job_id = airbyte.start_job(connection_id, "check_connection_source")
    with pytest.raises(AirbyteJobNotFoundError, match="check_connection_source"):
        wait_for_job(client, job_id, clock=clock, seen=False)


@pytest.mark.parametrize("later", [5, 30])
@pytest.mark.parametrize("era", ERAS)
def test_an_old_job_is_found_behind_many_later_ones(start_fake, connect, clock, era, later):
    """A sensor may wait for a job that ended days ago."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    for _ in range(later + 1):
        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
    job = wait_for_job(connect(airbyte), 1, connection_id=connection_id, clock=clock, seen=False)
    assert (job.id, job.status) == (1, "succeeded")


def test_the_time_of_the_last_reading_can_be_handed_on(airbyte, client, clock, connection_id, job_id):
    """A trigger that moves to another process goes on counting where it stood."""
    airbyte.fail_next("getJobInfoLight", Fault.status(503))
    watch = JobWatch(
        client, job_id, clock=clock, seen=True, polling=Polling(poll_error_timeout=60), failing_since=clock.now - 61
    )
    with pytest.raises(AirbyteJobStatusUnavailableError):
        watch.poll()


def test_a_job_that_airbyte_had_and_lists_no_more_has_vanished_at_once(airbyte, client, clock):
    """An Airbyte that was set up again returns 500 for it, as for a moment of weakness; its list of jobs tells."""
    connection_id = airbyte.add_connection()
    watch = JobWatch(client, 4711, clock=clock, connection_id=connection_id, seen=True)
    with pytest.raises(AirbyteJobNotFoundError, match="reset or restored") as caught:
        watch.poll()
    assert caught.value.retryable


def test_polls_that_fail_are_told_once_a_minute_with_their_end(airbyte, client, clock, caplog):
    connection_id = airbyte.add_connection()
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(503), times=13)
    watch = JobWatch(client, job_id, clock=clock, connection_id=connection_id, seen=True)
    for _ in range(13):
        assert watch.poll() is None
        clock.sleep(10)
    shown = [record.getMessage() for record in caplog.records if "could not be read since" in record.getMessage()]
    assert len(shown) == 3
    assert "giving up at" in shown[0]


def test_without_a_deadline_no_interval_is_a_time_out(airbyte, client, clock):
    """The caller may wait by itself between two polls."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running", polls=3), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    job = wait_for_job(client, job_id, connection_id=connection_id, clock=clock, polling=Polling(0))
    assert job.status == "succeeded"
