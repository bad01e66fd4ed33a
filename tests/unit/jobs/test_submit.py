"""Exactly one job: whatever happens to the response of a sync, one job is in Airbyte, and it is the one reported."""

from __future__ import annotations

import pytest
from submitting import submit_reset, submit_sync

from airflow_airbyte_ext.api.models.jobs import JobRead
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionUnknownError,
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteRateLimitError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.kinds import SyncSubmitter
from airflow_airbyte_ext.jobs.submit import was_there_before
from airflow_airbyte_ext.testing import Fault, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
UNKNOWN = "99999999-9999-4999-8999-999999999999"
LOST = {
    "dropped before": Fault.drop_before(),
    "dropped after": Fault.drop_after(),
    "truncated": Fault.truncated(),
    "web page": Fault.html(),
    "redirect": Fault.redirect("https://sso.example.com/login"),
    **{
        f"{status} {'after' if effect else 'before'}": Fault.status(status, effect=effect)
        for status in (408, 500, 502, 503, 504)
        for effect in (False, True)
    },
    "500 opaque after": Fault.status(500, {"errorId": "x"}, effect=True),
    "404 page after": Fault.status(404, effect=True),
}
LONG = [Step("running", polls=1000)]


@pytest.mark.parametrize("era", ERAS)
def test_a_sync_is_started(start_fake, connect, clock, era):
    """The plain case, in every era: one request, one job, not attached."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    submission = submit_sync(connect(airbyte), connection_id, clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    assert not submission.attached
    assert submission.job.config_id == connection_id
    assert len(airbyte.calls("syncConnection")) == 1


@pytest.mark.parametrize("script", [LONG, [Step("succeeded")], [Step("failed")]], ids=["long", "short", "failed"])
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("era", ["0.36", "0.40", "2.0"])
def test_one_job_whatever_happens_to_the_answer(start_fake, connect, clock, era, fault, script):
    """Lost before or after it took effect, cut, hidden by a proxy: one job, also one that is over already, and ours."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, script, repeat=True)
    airbyte.fail_next("syncConnection", LOST[fault])
    submission = submit_sync(connect(airbyte), connection_id, clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    assert not submission.attached


@pytest.mark.parametrize(
    "faults",
    [
        ["dropped before", "dropped before"],
        ["dropped before", "dropped after"],
        ["502 before", "truncated"],
        ["web page", "504 after"],
        ["503 before", "500 before"],
    ],
    ids=" then ".join,
)
def test_one_job_after_several_faults_in_a_row(airbyte, client, clock, faults):
    """A bad night: each try goes wrong in another way."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG, repeat=True)
    for fault in faults:
        airbyte.fail_next("syncConnection", LOST[fault])
    submission = submit_sync(client, connection_id, clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    assert not submission.attached


@pytest.mark.parametrize("fault", ["dropped after", "504 after"])
def test_one_job_where_looking_fails_too(airbyte, client, clock, fault):
    """The list of jobs is out of reach for a while after the response was lost."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", LOST[fault])

    def list_fails(_newest: int) -> None:
        airbyte.fail_next("listJobsFor", Fault.status(503), times=3)

    submit_sync(client, connection_id, clock=clock, before_start=list_fails)
    assert len(airbyte.jobs(connection_id)) == 1


def test_a_sync_that_outlives_the_timeout_is_found(airbyte, connect, clock):
    """A time-out says nothing: Airbyte holds the request while it starts the job."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(504, effect=True))
    submission = submit_sync(connect(airbyte, timeout=0.5), connection_id, clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]


def test_a_job_that_appears_late_is_waited_for(airbyte, client, clock):
    """The request was accepted, its response lost, and the job shows up in the list some seconds later."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.drop_before())
    appears_at = clock.now + 3

    class LateClock:
        time, monotonic = clock.time, clock.monotonic

        def sleep(self, seconds: float) -> None:
            clock.sleep(seconds)
            if clock.now >= appears_at and not airbyte.jobs():
                airbyte.start_job(connection_id)

    submission = submit_sync(client, connection_id, clock=LateClock())
    assert submission.job.id == 1
    assert len(airbyte.calls("syncConnection")) == 1


def test_a_server_that_never_starts_a_job_is_told_after_some_tries(airbyte, client, clock):
    """An error that names the connection and says what to do, and no orphan."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(500, {"errorId": "abc"}), times=3)
    with pytest.raises(AirbyteJobNotStartedError, match=rf"{connection_id}.*server's log.*abc") as caught:
        submit_sync(client, connection_id, clock=clock)
    assert airbyte.jobs() == []
    assert caught.value.connection_id == connection_id
    assert sum(clock.sleeps) < 120


def test_too_many_requests_are_not_a_lost_answer(airbyte, client, clock):
    """429 says that nothing was taken: wait and ask again; at last say so."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(429, headers={"Retry-After": "2"}), times=2)
    assert not submit_sync(client, connection_id, clock=clock).attached
    assert clock.sleeps == [2, 2]
    other = airbyte.add_connection("Other")
    airbyte.fail_next("syncConnection", Fault.status(429), times=5)
    with pytest.raises(AirbyteRateLimitError):
        submit_sync(client, other, clock=clock)


@pytest.mark.parametrize("status", ["pending", "running", "incomplete"])
@pytest.mark.parametrize("era", ERAS)
def test_a_running_sync_is_adopted(start_fake, connect, clock, era, status):
    """Airbyte allows one job: the one that somebody else started stands for ours, and is marked so."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step(status, polls=1000)])
    running = airbyte.start_job(connection_id)
    submission = submit_sync(connect(airbyte), connection_id, clock=clock)
    assert (submission.job.id, submission.attached) == (running, True)
    assert len(airbyte.jobs(connection_id)) == 1


@pytest.mark.parametrize("era", ERAS)
def test_a_sync_that_starts_just_before_ours_is_adopted(start_fake, connect, clock, era):
    """Between our look and our request a schedule started one: a 409, or (before 0.39) its job in the response."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG)
    submission = submit_sync(
        connect(airbyte), connection_id, clock=clock, before_start=lambda _: airbyte.start_job(connection_id)
    )
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    # The old scheduler returns 200 with the other's job, which looks like our own.
    assert submission.attached or era == "0.36"


def test_where_attaching_is_not_wanted_a_running_sync_is_an_error(airbyte, client, clock):
    """The error names the running job and the way out; nothing was sent."""
    connection_id = airbyte.add_connection()
    running = airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match=rf"Job {running} .*if_running") as caught:
        submit_sync(client, connection_id, clock=clock, attach=False)
    assert (caught.value.job_id, caught.value.connection_id) == (running, connection_id)
    assert airbyte.calls("syncConnection") == []


@pytest.mark.parametrize(
    ("era", "when"),
    [(era, when) for era in ERAS for when in ("before", "between") if (era, when) != ("0.36", "between")],
)
def test_a_running_reset_is_never_taken_for_our_sync(start_fake, connect, clock, era, when):
    """It moves no data: the error says what runs, and that it passes."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG)

    def reset(_newest: int = 0) -> None:
        airbyte.start_job(connection_id, "reset_connection")

    if when == "before":
        reset()
    with pytest.raises(AirbyteJobRunningError, match="reset_connection") as caught:
        submit_sync(
            connect(airbyte), connection_id, clock=clock, before_start=reset if when == "between" else lambda _: None
        )
    assert caught.value.retryable
    assert len(airbyte.jobs(connection_id)) == 1


def test_a_submitter_goes_through_its_steps_by_itself(start_fake, connect, clock):
    """It waits for a reset that comes first, and submits one job."""
    airbyte = start_fake("2.0")
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    airbyte.script(connection_id, [Step("failed")])
    client.clear_connection(connection_id=connection_id)
    # That reset stays stored, and comes before the sync.
    airbyte.script(connection_id, [Step("running"), Step("succeeded")], repeat=True)
    submission = SyncSubmitter(client, connection_id, clock=clock).submit()
    assert [job["kind"] for job in airbyte.jobs(connection_id)] == ["reset_connection", "reset_connection", "sync"]
    assert (submission.job.id, submission.attached) == (3, False)


def test_the_old_scheduler_gives_us_a_reset_of_others_which_is_waited_for(start_fake, connect, clock):
    """It responds with the job that runs: nobody can tell it from a reset that was stored."""
    airbyte = start_fake("0.36")
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running"), Step("succeeded")])
    begin = [lambda: airbyte.start_job(connection_id, "reset_connection")]
    submission = submit_sync(
        connect(airbyte), connection_id, clock=clock, before_start=lambda _newest: begin and begin.pop()()
    )
    assert [job["kind"] for job in airbyte.jobs(connection_id)] == ["reset_connection", "sync"]
    assert (submission.job.id, submission.attached) == (2, False)


@pytest.mark.parametrize("era", ["1.0", "2.0", "head"])
def test_a_running_refresh_is_never_taken_for_our_sync(start_fake, connect, clock, era):
    """Refreshes occupy a connection since 0.57.2."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id, "refresh")
    with pytest.raises(AirbyteJobRunningError, match="refresh"):
        submit_sync(connect(airbyte), connection_id, clock=clock)


def test_a_reset_that_follows_a_lost_sync_does_not_hide_it(airbyte, client, clock):
    """Our sync started, its response got lost, and somebody's reset took its place before the list was read."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.drop_before())

    class Meddler:
        time, monotonic = clock.time, clock.monotonic

        def sleep(self, seconds: float) -> None:
            clock.sleep(seconds)
            airbyte.advance(airbyte.start_job(connection_id), "cancelled")
            airbyte.start_job(connection_id, "reset_connection")

    submission = submit_sync(client, connection_id, clock=Meddler())
    assert (submission.job.id, submission.job.config_type, submission.job.status) == (1, "sync", "cancelled")


def test_a_conflict_that_has_passed_is_no_reason_to_give_up(airbyte, client, clock):
    """409 because another sync ran, which ended before we looked: nothing runs now, so ours can start."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(409, {"message": "A sync is already running for: x"}))
    submission = submit_sync(client, connection_id, clock=clock)
    assert [job["id"] for job in airbyte.jobs()] == [submission.job.id]


@pytest.mark.parametrize("era", ERAS)
def test_an_unknown_connection_is_told_with_id_and_server(start_fake, connect, clock, era):
    """The id may be wrong, or the Airbyte."""
    airbyte = start_fake(era)
    with pytest.raises(AirbyteConnectionUnknownError, match=rf"{airbyte.base_url}.*{UNKNOWN}"):
        submit_sync(connect(airbyte), UNKNOWN, clock=clock)
    assert clock.sleeps == []


def test_an_airbyte_that_is_not_there_is_unreachable(connect_to, clock):
    """Nothing was started, and the error is the network's."""
    with pytest.raises(AirbyteUnreachableError):
        submit_sync(connect_to("http://127.0.0.1:9"), UNKNOWN, clock=clock)


def test_the_newest_job_is_told_before_anything_is_sent(airbyte, client, clock):
    """Whoever must survive a crash writes it down first; where that fails nothing is started."""
    connection_id = airbyte.add_connection()
    airbyte.advance(airbyte.start_job(connection_id), "succeeded")

    def cannot_write(newest: int) -> None:
        assert newest == 1
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        submit_sync(client, connection_id, clock=clock, before_start=cannot_write)
    assert airbyte.calls("syncConnection") == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_for_want_of_rights_is_told_as_it_is(airbyte, client, clock, status):
    """It is not a lost response: one request, and the status' own error."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(status, ""))
    with pytest.raises(AirbyteApiError, match=str(status)):
        submit_sync(client, connection_id, clock=clock)
    assert len(airbyte.calls("syncConnection")) == 1


@pytest.mark.parametrize(
    ("created", "listed", "sent", "is_others"),
    [
        (100, 90, 110, True),
        (88, 90, 110, False),
        (88.1, 90, 110, True),
        (108, 90, 110, True),
        (108.1, 90, 110, False),
        (120, 90, 110, False),
        (None, 90, 110, False),
        (100, None, 110, False),
        (100, 90, None, False),
    ],
)
def test_a_job_that_was_created_between_list_and_request_is_somebody_elses(created, listed, sent, is_others):
    """Both times are whole seconds, so two of them do not count; what is not known says nothing."""
    job = JobRead.model_construct(id=1, created_at=created)
    assert was_there_before(job, (listed, sent)) is is_others


@pytest.mark.parametrize(("era", "start"), [("0.50", "resetConnectionStream"), ("2.0", "clearConnectionStream")])
def test_a_reset_of_single_streams_names_them_and_nothing_else_is_asked(start_fake, connect, clock, era, start):
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection(streams=["a", "b"])
    submission = submit_reset(connect(airbyte), connection_id, streams=[(None, "a")], clock=clock)
    operations = [request.operation_id for request in airbyte.journal]
    assert operations == ["getConnection", "getInstanceConfiguration", "listJobsFor", "getConnection", start]
    [request] = airbyte.calls(start)
    assert request.body == {"connectionId": connection_id, "streams": [{"streamName": "a"}]}
    assert submission.job.config_type == "reset_connection"


def test_without_a_token_nothing_was_sent_and_nothing_is_looked_for(start_fake, connect, clock):
    """It ended between the list and the request; no job can have been started."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    refusals = []

    def token_ends(_newest):
        clock.sleep(100_000)
        airbyte.fail_next("applicationTokenRequest", Fault.status(503))

    with pytest.raises(AirbyteApiError) as caught:
        submit_sync(
            connect(airbyte, attempts=1),
            connection_id,
            clock=clock,
            before_start=token_ends,
            on_refusal=lambda: refusals.append(1),
        )
    assert caught.value.operation == "applicationTokenRequest"
    assert refusals == [1]
    assert len(airbyte.calls("listJobsFor")) == 1
    assert airbyte.jobs(connection_id) == []
