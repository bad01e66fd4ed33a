"""Exactly one job of ours, with an honest status, whatever Airbyte's servers really do; see `true_jobs`."""

from __future__ import annotations

import json

import pytest
from raw_server import RawServer
from submitting import settled, submit_refresh, submit_reset, submit_sync
from true_bytes import CONNECTION, http
from true_jobs import EVENTS, TrueJobs, between, cooling, lost

from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionInactiveError,
    AirbyteJobFailedError,
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteRefreshUnsupportedError,
)
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.running import resolve_running_job

RELEASES = ("0.36.0", "0.39.20", "0.39.40", "0.40.32", "0.50.8", "0.50.31", "0.57.4", "0.63.0", "0.64.7", "1.2.0")
RELEASES += ("1.3.0", "1.4.0", "1.8.0", "2.0.0", "2.4.0")  # type: ignore[assignment]
WITH_REFRESHES = ("0.63.0", "0.63.9", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "2.0.0", "2.4.0")
NEW_SCHEDULER = tuple(release for release in RELEASES if release != "0.36.0")
SUBMIT = {
    "sync": submit_sync,
    "reset_connection": submit_reset,
    "refresh": lambda *args, **kwargs: submit_refresh(*args, mode="Truncate", **kwargs),
}


class World:
    """One true Airbyte, a client of it, and what the operators do, in short."""

    def __init__(self, airbyte, server, client, clock):
        self.airbyte, self.server, self.client, self.clock = airbyte, server, client, clock

    def submit(self, kind="sync", *, how=None, **options):
        if how:
            except_kind = "sync" if how == "attach" else None
            words = {"attach": "wait", "skip": "fail"}.get(how, how)

            def way():
                return resolve_running_job(
                    self.client,
                    CONNECTION,
                    how=words,
                    clock=self.clock,
                    except_kind=except_kind,
                    polling=Polling(1),
                )

            if kind == "sync":
                options |= {"attach": how == "attach", "resolve_running_job": way}
            else:
                options["resolve_running_job"] = lambda: settled(self.client, CONNECTION, way, clock=self.clock)
        return SUBMIT[kind](self.client, CONNECTION, clock=self.clock, **options)

    def count(self, path):
        return self.server.count(path)

    def starts(self):
        return sum(self.count(f"connections/{path}") for path in ("sync", "refresh", "reset", "clear"))


@pytest.fixture
def start(connect_to, clock):
    running = []

    def start(release, **options):
        airbyte = TrueJobs(release, clock=clock, **options)
        server = RawServer(airbyte)
        running.append((server, airbyte))
        return World(airbyte, server, connect_to(server.url), clock)

    yield start
    for server, airbyte in running:
        server.close()
        assert not airbyte.unprepared
        assert len(server.journal) < 200, "that is a loop"


def kinds_of(release):
    return ["sync", "reset_connection", *(["refresh"] if release in WITH_REFRESHES else [])]


KIND_BY_RELEASE = [(release, kind) for release in sorted({*RELEASES, *WITH_REFRESHES}) for kind in kinds_of(release)]
each = pytest.mark.parametrize(("release", "kind"), KIND_BY_RELEASE)


# -- what somebody else does, combined with every kind and release ----------------------------------


@pytest.mark.parametrize("event", EVENTS)
@each
def test_one_job_of_ours(start, release, kind, event):
    """One job stands for the request, it is the one reported, and it succeeded or runs; nothing else was started."""
    world = start(release)
    EVENTS[event](world)
    submission = world.submit(kind, how="wait")
    world.clock.sleep(200)
    jobs = world.airbyte.oldest_first
    [ours] = [job for job in jobs if job.id == submission.job.id]
    assert ours.kind == kind
    # Where a run of the schedule began in the same moment nobody can tell whose it is: then it stands for ours.
    started = [job.id for job in world.airbyte.ours()]
    assert started == [ours.id] or (not started and event.startswith("started") and ours.by == "schedule")
    assert [job for job in jobs if job.status not in ("succeeded", "cancelled")] == []
    assert world.airbyte.refreshes == world.airbyte.resets == 0, "nothing may be left for a later run"
    assert not submission.attached


@pytest.mark.parametrize(
    ("kind", "stored", "kinds"),
    [
        ("sync", "refreshes", ["refresh"]),
        ("reset_connection", "refreshes", ["reset_connection"]),
        ("refresh", "refreshes", ["refresh"]),
        ("sync", "resets", ["reset_connection", "sync"]),
        ("reset_connection", "resets", ["reset_connection"]),
        ("refresh", "resets", ["reset_connection", "refresh"]),
    ],
)
@pytest.mark.parametrize("event", ["nothing", "lost after", "500 after it took effect", "cooling", "pending"])
@pytest.mark.parametrize("release", WITH_REFRESHES)
def test_what_was_stored_before_runs_once_and_ours_once(start, release, event, kind, stored, kinds):
    """What Airbyte has stored comes first; nothing is left behind but a refresh that somebody else stored."""
    world = start(release)
    EVENTS[event](world)
    if event == "pending":
        world.airbyte.after(3, lambda: setattr(world.airbyte, stored, 1))
    else:
        setattr(world.airbyte, stored, 1)
    submission = world.submit(kind, how="wait", wait=lambda job: wait_here(world, job))
    world.clock.sleep(100)
    started = world.airbyte.ours()
    assert [job.kind for job in started] == kinds
    assert submission.job.id == started[-1].id
    assert world.airbyte.resets == 0
    assert world.airbyte.refreshes == (kind == "reset_connection" and stored == "refreshes")


# -- 1: a connection that is not active -------------------------------------------------------------


@each
def test_an_inactive_connection_is_not_reset_nor_refreshed(start, release, kind):
    """Airbyte would delete its state and move nothing; nothing is sent, and no job that runs is cancelled."""
    world = start(release, status="inactive")
    before = world.airbyte.state
    with pytest.raises(AirbyteConnectionInactiveError, match="inactive") as caught:
        world.submit(kind)
    assert kind == "sync" or "would delete state and move nothing" in str(caught.value)
    assert world.starts() <= (kind == "sync")
    assert world.airbyte.state == before
    assert world.airbyte.jobs == []


@pytest.mark.parametrize("release", ["0.50.31", "1.2.0", "2.4.0"])
def test_single_streams_of_an_inactive_connection_neither(start, release):
    world = start(release, status="inactive")
    with pytest.raises(AirbyteConnectionInactiveError):
        world.submit("reset_connection", streams=[("public", "orders")])
    assert world.airbyte.jobs == []
    assert world.count("connections/reset/stream") + world.count("connections/clear/stream") == 0


def test_a_connection_that_is_paused_while_another_job_is_waited_for(start):
    """The check holds at the moment of the request, not an hour before."""
    world = start("2.0.0")
    world.airbyte.start(plan=[("running", 50.0), ("succeeded", 0.0)])
    world.airbyte.after(40, lambda: setattr(world.airbyte, "status", "inactive"))
    with pytest.raises(AirbyteConnectionInactiveError):
        world.submit("reset_connection", how="wait")
    assert len(world.airbyte.jobs) == 1


# -- 2: stored refreshes ----------------------------------------------------------------------------

refreshing = pytest.mark.parametrize("release", WITH_REFRESHES)


@pytest.mark.parametrize("release", ["0.57.4", *WITH_REFRESHES])
def test_a_destination_without_refreshes_is_told_before_anything_is_stored(start, release):
    world = start(release, supports_refreshes=False)
    with pytest.raises(AirbyteRefreshUnsupportedError, match="does not support refreshes") as caught:
        world.submit("refresh")
    assert caught.value.connection_id == CONNECTION
    assert world.airbyte.jobs == []
    assert world.airbyte.refreshes == 0


@refreshing
def test_a_refresh_of_a_busy_connection_is_requested_once(start, release):
    """40 s after a job's end Airbyte still refuses: stored, and then started by the run that takes it."""
    world = start(release)
    cooling(40.0)(world)
    submission = world.submit("refresh")
    assert submission.job.config_type == "refresh"
    assert world.count("connections/refresh") == 1
    assert world.airbyte.refreshes == 0


@refreshing
def test_a_stored_refresh_that_the_schedule_takes_is_ours(start, release):
    world = start(release)
    cooling(40.0)(world)
    world.airbyte.after(39.9, world.airbyte.schedule_runs)
    submission = world.submit("refresh")
    assert [job.kind for job in world.airbyte.oldest_first] == ["sync", "refresh"]
    assert submission.job.id == world.airbyte.jobs[0].id
    assert not submission.attached


@pytest.mark.parametrize("how", ["fail", "skip"])
@refreshing
def test_a_refresh_that_is_stored_beside_a_job_says_so(start, release, how):
    """Where the job is not to be waited for, the error says what becomes of the refresh; a retry goes on with it."""
    world = start(release)
    between("running", 100.0)(world)
    kept = {}
    options = {"before_start": lambda newest: kept.update(after=newest), "on_stored": lambda: kept.update(stored=True)}
    refused = []
    with pytest.raises(AirbyteJobRunningError, match=r"has stored the refresh.*next run") as caught:
        world.submit("refresh", how=how, **options, on_refusal=lambda: refused.append(1))
    assert caught.value.retryable
    assert (kept, refused) == ({"after": 0, "stored": True}, [])
    with pytest.raises(AirbyteJobRunningError, match="has stored the refresh"):
        world.submit("refresh", how=how, earlier=0, is_stored=True)
    world.clock.sleep(200)
    again = world.submit("refresh", how=how, earlier=0, is_stored=True)
    assert again.job.config_type == "refresh"
    assert world.count("connections/refresh") == 1
    assert [job.kind for job in world.airbyte.oldest_first] == ["sync", "refresh"]


@pytest.mark.parametrize("how", ["attach", "wait", "fail"])
@refreshing
def test_a_sync_that_becomes_a_stored_refresh_is_that_refresh(start, caplog, release, how):
    """It moves what a sync moves: one job, named, and no error about another kind of job."""
    world = start(release, refreshes=1)
    submission = world.submit(how=how)
    assert (submission.job.config_type, submission.attached) == ("refresh", False)
    assert "a refresh that was requested before and stored, as this sync" in caplog.text
    assert len(world.airbyte.jobs) == 1


@refreshing
def test_a_sync_that_is_lost_and_becomes_a_stored_refresh_is_found(start, release):
    world = start(release, refreshes=1)
    lost("after")(world)
    assert world.submit().job.config_type == "refresh"
    assert len(world.airbyte.jobs) == 1


@pytest.mark.parametrize("response", ["{}", '{"value": true}'])
def test_a_refresh_that_never_comes_ends_with_an_error(start, clock, response):
    """Airbyte says 200 and neither a refresh nor anything else starts: bounded, and said."""
    world = start("2.0.0" if response == "{}" else "1.1.0", cooling=1e9)
    world.airbyte.start(plan=[("succeeded", 0.0)])
    world.server.on("connections/refresh", http("200 OK", response))
    began = clock.now
    with pytest.raises(AirbyteJobNotStartedError, match="stored the refresh"):
        world.submit("refresh")
    assert clock.now - began < 300
    assert world.count("connections/refresh") == 1


@pytest.mark.parametrize(
    ("response", "words"),
    [("{}", "does not say whether it has stored it"), ('{"value": true}', "has stored the refresh")],
)
def test_a_refresh_of_a_destination_that_does_not_say_whether_it_can(start, response, words):
    """Without a job and without a word of it nobody knows; the old form of the response says that it is stored."""
    world = start("1.1.0", cooling=1e9)
    world.airbyte.start(plan=[("succeeded", 0.0)])
    connection = world.airbyte.web_connection()
    del connection["destinationActorDefinitionVersion"]
    world.server.on("web_backend/connections/get", http("200 OK", json.dumps(connection)))
    world.server.on("connections/refresh", http("200 OK", response))
    kept = []
    with pytest.raises(AirbyteJobNotStartedError, match=words) as caught:
        world.submit("refresh", on_stored=lambda: kept.append(True))
    assert caught.value.connection_id == CONNECTION
    assert kept == [True] * ("value" in response)


def test_words_of_a_stored_refresh_in_another_status_say_nothing(start):
    """Only Airbyte's own 500 says that it is stored."""
    world = start("1.1.0")
    body = json.dumps({"message": "Internal Server Error: No value present"})
    world.server.on("connections/refresh", http("503 Service Unavailable", body))
    kept = []
    with pytest.raises(AirbyteJobNotStartedError):
        world.submit("refresh", on_stored=lambda: kept.append(True))
    assert kept == []


def test_words_of_a_running_job_in_another_status_say_nothing(start):
    """Only Airbyte's own 500 says that a job runs: another response is inspected, as a lost one."""
    world = start("0.39.20")
    body = json.dumps({"message": "A sync is already running for: us"})
    world.server.on("connections/sync", http("503 Service Unavailable", body))
    with pytest.raises(AirbyteJobNotStartedError, match="in 3 tries"):
        world.submit("sync", how="wait")


# -- 3: stored resets -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["attach", "wait", "skip", "fail"])
@pytest.mark.parametrize("release", NEW_SCHEDULER)
def test_a_stored_reset_comes_first_and_then_our_sync(start, caplog, release, how):
    world = start(release, resets=1)
    submission = world.submit(how=how, wait=lambda job: wait_here(world, job))
    assert [job.kind for job in world.airbyte.oldest_first] == ["reset_connection", "sync"]
    assert submission.job.id == world.airbyte.jobs[0].id
    assert "a reset that had been requested before" in caplog.text


def wait_here(world, job):
    from airflow_airbyte_ext.jobs.poll import wait_for_job

    return wait_for_job(world.client, job.id, clock=world.clock, connection_id=CONNECTION, polling=Polling(1))


@pytest.mark.parametrize(
    ("release", "kind"),
    [(release, kind) for release in NEW_SCHEDULER for kind in kinds_of(release) if kind in ("sync", "refresh")],
)
def test_a_stored_reset_that_fails_again_is_said_and_not_started_once_more(start, release, kind):
    world = start(release, resets=1, ends=["failed"])
    with pytest.raises(AirbyteJobFailedError, match=r"failed again.*until it succeeds or is cancelled"):
        world.submit(kind, wait=lambda job: wait_here(world, job))
    assert [job.kind for job in world.airbyte.oldest_first] == ["reset_connection"]


def test_a_repeated_reset_is_not_followed_twice(start):
    """A reset that comes again though it succeeded is not followed twice."""
    world = start("2.0.0", resets=1)
    world.airbyte.on_request["connections/sync"] = lambda: setattr(world.airbyte, "resets", 1)

    def wait(job):
        ended = wait_here(world, job)
        world.airbyte.resets = 1
        return ended

    with pytest.raises(AirbyteJobFailedError, match="came again"):
        world.submit(wait=wait)
    assert len(world.airbyte.jobs) == 2


@pytest.mark.parametrize("release", ["1.2.0", "2.0.0"])
def test_a_followed_reset_that_is_gone_is_no_failure(start, release):
    """A followed reset that Airbyte does not have any more is no reason to fail."""
    world = start(release)
    assert world.submit(followed=4711).job.config_type == "sync"


@pytest.mark.parametrize("release", ["1.2.0", "2.0.0"])
def test_a_followed_reset_that_has_failed_ends_the_task_that_goes_on(start, release):
    world = start(release, resets=1)
    reset = world.airbyte.start("reset_connection", plan=[("failed", 0.0)])
    with pytest.raises(AirbyteJobFailedError, match="failed again"):
        world.submit(followed=reset.id)
    assert len(world.airbyte.jobs) == 1


def test_a_stored_refresh_of_a_paused_connection_says_both(start):
    """A refresh that is stored on a connection that is paused then says both."""
    world = start("2.0.0", refreshes=1, status="inactive")
    with pytest.raises(AirbyteConnectionInactiveError, match="is inactive") as caught:
        world.submit("refresh", earlier=0, is_stored=True)
    assert world.airbyte.jobs == []
    assert "stored the refresh" in str(caught.value)


# -- 4: busy after the end --------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [3.0, 30.0, 55.0])
@pytest.mark.parametrize("kind", ["sync", "reset_connection"])
@pytest.mark.parametrize("release", NEW_SCHEDULER)
def test_a_connection_that_is_busy_after_a_job_is_tried_for_a_minute(start, release, kind, seconds):
    world = start(release)
    cooling(seconds)(world)
    assert world.submit(kind).job.config_type == kind
    assert len(world.airbyte.ours()) == 1


@pytest.mark.parametrize("kind", ["sync", "reset_connection"])
@pytest.mark.parametrize("release", NEW_SCHEDULER)
def test_a_connection_that_stays_busy_is_said_with_what_may_hold_it(start, clock, release, kind):
    world = start(release)
    cooling(1e6)(world)
    began, refused = clock.now, []
    with pytest.raises(AirbyteJobNotStartedError, match=r"busy.*webhooks.*deletes or locks"):
        world.submit(kind, on_refusal=lambda: refused.append(True))
    assert refused == [True]
    assert 55 < clock.now - began < 90
    assert len(world.airbyte.jobs) == 1


# -- 5: the same job for two requests ---------------------------------------------------------------


@pytest.mark.parametrize("attach", [True, False])
@pytest.mark.parametrize("seconds", [3.5, 10.0])
@pytest.mark.parametrize("release", RELEASES)
def test_a_job_that_was_there_before_our_request_is_attached_to(start, clock, release, seconds, attach):
    """Pending while the list was already read; the server's own times tell."""
    world = start(release, pending=60.0)

    def somebody_first(_newest):
        clock.sleep(1)
        world.airbyte.start()
        clock.sleep(seconds)

    if attach:
        assert world.submit(before_start=somebody_first).attached
    else:
        with pytest.raises(AirbyteJobRunningError):
            world.submit(attach=False, before_start=somebody_first)
    assert len(world.airbyte.jobs) == 1


@pytest.mark.parametrize("attach", [True, False])
@pytest.mark.parametrize("release", RELEASES)
def test_a_job_that_was_there_before_a_lost_request_is_not_ours_either(start, clock, release, attach):
    """Attached to; or, where that is not wanted, waited for, and then our own is started."""
    world = start(release)
    lost("after")(world)

    def somebody_first(_newest):
        if not world.airbyte.jobs:
            clock.sleep(1)
            world.airbyte.start(plan=[("pending", 20.0), ("running", 30.0), ("succeeded", 0.0)])
            clock.sleep(4)

    submission = world.submit(how="attach" if attach else "wait", before_start=somebody_first)
    assert submission.attached is attach
    assert [job.by for job in world.airbyte.oldest_first] == ["somebody"] + ["request"] * (not attach)


@pytest.mark.parametrize("setup", [{"dates": False}, {"date_ahead": 3600.0}, {"date_ahead": -3600.0}], ids=str)
@pytest.mark.parametrize("seconds", [0.0, 10.0])
@pytest.mark.parametrize("kind", ["sync", "reset_connection", "refresh"])
def test_our_own_job_is_ours_whatever_the_clocks_say(start, clock, kind, setup, seconds):
    """Without a Date, or with a proxy's that is an hour off, nothing is taken for somebody else's."""
    world = start("2.0.0", pending=3.0, **setup)
    submission = world.submit(kind, before_start=lambda _: clock.sleep(seconds))
    assert not submission.attached
    assert len(world.airbyte.jobs) == 1


# -- 11: cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [2.0, 20.0])
@pytest.mark.parametrize("release", NEW_SCHEDULER)
def test_a_pending_job_is_cancelled_as_soon_as_it_runs(start, release, seconds):
    world = start(release)
    world.airbyte.start(plan=[("pending", seconds), ("running", 500.0), ("succeeded", 0.0)])
    submission = world.submit("reset_connection", how="cancel")
    assert next((job.kind, job.status) for job in world.airbyte.oldest_first) == ("sync", "cancelled")
    assert submission.job.config_type == "reset_connection"


@pytest.mark.parametrize(("release", "status"), [("2.0.0", "pending"), ("0.40.32", "incomplete")])
def test_a_job_that_cannot_be_cancelled_now_is_a_refusal_with_the_reason(start, clock, release, status):
    world = start(release)
    world.airbyte.start(plan=[(status, 5000.0), ("running", 5.0), ("succeeded", 0.0)])
    began = clock.now
    with pytest.raises(AirbyteJobRunningError, match=f"is {status}, and was not cancelled: .*Airbyte ignores a cancel"):
        world.submit("reset_connection", how="cancel")
    assert clock.now - began < 100
    assert world.starts() == 0


@pytest.mark.parametrize("release", NEW_SCHEDULER)
def test_a_scheduled_run_that_starts_again_when_it_is_cancelled(start, release):
    """Up to 1.3: one cancellation, and a refusal that says what to do; later the reset runs."""
    world = start(release, schedule="basic", running=1000.0)
    world.airbyte.start(by="schedule", plan=[("running", 1000.0), ("succeeded", 0.0)])
    if world.airbyte.since("1.4.0"):
        assert world.submit("reset_connection", how="cancel").job.config_type == "reset_connection"
        return
    with pytest.raises(AirbyteJobRunningError, match=r"basic schedule starts a run that was cancelled again") as caught:
        world.submit("reset_connection", how="cancel")
    assert not caught.value.retryable
    assert [job.status for job in world.airbyte.oldest_first] == ["cancelled", "running"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("status", ["pending", "running", "incomplete"])
def test_a_cancellation_is_bounded_and_true(start, clock, release, status):
    """The job that is returned is as the server has it, after seconds."""
    world = start(release)
    job = world.airbyte.start(plan=[(status, 1000.0), ("running", 5.0), ("succeeded", 0.0)])
    began = clock.now
    ended = cancel_job(world.client, job.id, connection_id=CONNECTION, clock=clock)
    assert ended.status == world.airbyte.oldest_first[0].status
    assert clock.now - began < 10


# -- 10: cancel, then reset -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_connection", "refresh"])
@pytest.mark.parametrize("dates", [True, False])
@pytest.mark.parametrize("short_job", [False, True])
def test_state_that_a_cancelled_job_still_writes_comes_before_the_reset(start, clock, kind, dates, short_job):
    """Its pod writes up to a minute later, also behind a short job; without a Date it is waited for once."""
    world = start("2.0.0", dates=dates)
    job = world.airbyte.start(plan=[("running", 1000.0), ("succeeded", 0.0)])
    written = []
    world.airbyte.after(60, lambda: written.append(clock.now))
    cancel_job(world.client, job.id, connection_id=CONNECTION, clock=clock)
    if short_job and dates:
        world.airbyte.start(plan=[("running", 1.0), ("succeeded", 0.0)])
    began = clock.now
    submission = world.submit(kind, how="wait")
    assert written
    assert submission.job.created_at >= int(written[0])
    assert clock.now - began < 120


def test_a_job_that_was_cancelled_long_ago_is_not_waited_for(start, clock):
    world = start("2.0.0")
    job = world.airbyte.start(plan=[("running", 1000.0), ("succeeded", 0.0)])
    cancel_job(world.client, job.id, connection_id=CONNECTION, clock=clock)
    clock.sleep(100)
    began = clock.now
    world.submit("reset_connection")
    assert clock.now - began < 1
