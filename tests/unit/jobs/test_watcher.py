"""One poll loop for many waits: few requests, no wait forgotten, and Airbyte left in peace when it is ill."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from airflow_airbyte_ext.api.models.jobs import JobRead, JobReadList, JobWithAttemptsRead
from airflow_airbyte_ext.exceptions import (
    AirbyteJobNotFoundError,
    AirbyteJobStatusUnavailableError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import FINAL_POLL_TIMEOUT, JobWait
from airflow_airbyte_ext.jobs.throttle import MAX_BACK_OFF, READS_PER_SECOND
from airflow_airbyte_ext.jobs.watcher import READ_THREADS, JobWatcher
from airflow_airbyte_ext.testing import Fault, Step

LISTING = ("1.0", "1.8.0", "2.0", "head")
NOT_LISTING = ("0.36", "0.40", "0.50")
UNAVAILABLE = Fault.status(503)


class AtOnce(Executor):
    """Does everything at once, in the thread that asks."""

    def submit(self, fn, /, *args, **kwargs):
        done: Future = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


class ByHand(Executor):
    """Does what was requested when the test says so: a read that hangs is one that is not done yet."""

    def __init__(self) -> None:
        self.requested: list = []

    def submit(self, fn, /, *args, **kwargs):
        self.requested.append(lambda: fn(*args, **kwargs))
        return Future()

    def do(self, count: int = 1_000) -> None:
        for _ in range(min(count, len(self.requested))):
            self.requested.pop(0)()


class Wait(JobWait):
    """A wait that remembers what it was configured, and when."""

    def __init__(self, clock, job_id: int, **values) -> None:
        self.outcomes: list = []
        self.changes: list[str | None] = []
        self.warnings: list[str] = []
        self.ended_at: float | None = None
        self._clock = clock
        shown = {"on_end": self._end, "on_change": lambda job: self.changes.append(job.status)}
        super().__init__(job_id, **{**shown, "warn": self.warnings.append, **values})

    def _end(self, outcome) -> None:
        self.outcomes.append(outcome)
        self.ended_at = self._clock.now

    @property
    def end(self):
        [outcome] = self.outcomes
        return outcome.status if isinstance(outcome, JobRead) else type(outcome)


@pytest.fixture
def watch(clock, connect):
    def make(airbyte, threads=None, **values) -> JobWatcher:
        return JobWatcher(connect(airbyte), clock=clock, threads=threads or AtOnce(), **values)

    return make


@pytest.fixture
def wait_for(clock):
    """Make a wait for a job, by default one whose submission told its workspace and its last change."""

    def make(airbyte, job_id: int, **values) -> Wait:
        [job] = [job for job in airbyte.jobs() if job["id"] == job_id]
        known = {"workspace_id": airbyte.workspace_id, "updated_at": int(job["updated_at"])}
        return Wait(clock, job_id, **{"connection_id": job["connection_id"], **known, **values})

    return make


@pytest.fixture
def go(clock):
    """Let the loops run for so many seconds of the test's clock."""

    def run(*watchers: JobWatcher, seconds: float, threads: ByHand | None = None, until=lambda: False) -> None:
        end = clock.now + seconds
        while clock.now < end and not until():
            pauses = [watcher.step() for watcher in watchers]
            if threads:
                threads.do()
            assert all(0 <= pause <= 1 for pause in pauses)
            clock.now += min(max(min(pauses), 0.05), max(end - clock.now, 0.05))

    return run


def start_jobs(airbyte, count: int, *steps: Step) -> list[int]:
    airbyte.default_script = list(steps) or [Step("running", seconds=30), Step("succeeded")]
    return [airbyte.start_job(airbyte.add_connection(name=f"c{number}")) for number in range(count)]


def requests(airbyte) -> int:
    return len(airbyte.journal)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("era", NOT_LISTING + LISTING)
def test_one_wait_ends_as_its_job_does(start_fake, watch, wait_for, go, era, end):
    """Retries and unknown words are no end, and every change is told once."""
    airbyte = start_fake(era)
    words = ["pending", "running", "incomplete", "floating", "running", end]
    [job_id] = start_jobs(airbyte, 1, *[Step(word, seconds=20) for word in words])
    watcher, wait = watch(airbyte), wait_for(airbyte, job_id)
    watcher.add(wait)
    go(watcher, seconds=130)
    assert wait.end == end
    assert wait.changes == words
    before = requests(airbyte)
    go(watcher, seconds=100)
    assert requests(airbyte) == before


@pytest.mark.parametrize("era", NOT_LISTING + LISTING)
@pytest.mark.parametrize("count", [1, 3, 4, 60])
def test_every_wait_ends_within_one_interval_in_every_era(start_fake, watch, wait_for, go, era, count):
    """However jobs are read, their ends are seen within `poll_interval`."""
    airbyte = start_fake(era)
    jobs = start_jobs(airbyte, count)
    watcher, waits = watch(airbyte), [wait_for(airbyte, job_id, polling=Polling(5)) for job_id in jobs]
    started = watcher._clock.now
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=45)
    assert {wait.end for wait in waits} == {"succeeded"}
    assert max(wait.ended_at for wait in waits) - started <= 30 + 5 + (60 / READS_PER_SECOND if count > 3 else 0.2)


@pytest.mark.parametrize("era", LISTING)
def test_hundreds_of_waits_need_few_requests(start_fake, watch, wait_for, go, era):
    """Jobs that were just submitted are never read by themselves, and one page serves all."""
    airbyte = start_fake(era)
    jobs = start_jobs(airbyte, 300, Step("running", seconds=50), Step("succeeded"))
    airbyte.reset()
    watcher, waits = watch(airbyte), [wait_for(airbyte, job_id, polling=Polling(5)) for job_id in jobs]
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=60)
    assert {wait.end for wait in waits} == {"succeeded"}
    assert airbyte.calls("getJobInfoLight") == []
    assert requests(airbyte) < 45


def test_two_waits_for_one_job_both_end(start_fake, watch, wait_for, go):
    """A sensor and an operator may wait for the same job."""
    airbyte = start_fake()
    jobs = start_jobs(airbyte, 5)
    watcher, waits = watch(airbyte), [wait_for(airbyte, job_id) for job_id in jobs for _ in range(2)]
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=45)
    assert [wait.end for wait in waits] == ["succeeded"] * 10


def test_waits_of_unknown_workspaces_are_read_among_those_that_are_listed(start_fake, watch, wait_for, go):
    """A sensor knows no workspace: after its first read its job must not count as listed."""
    airbyte = start_fake()
    other = airbyte.add_connection(name="o", workspace_id=airbyte.add_workspace("other"))
    airbyte.script(other, [Step("running", seconds=40), Step("succeeded")])
    bare = wait_for(airbyte, airbyte.start_job(other), workspace_id=None, updated_at=None, polling=Polling(5))
    waits = [wait_for(airbyte, job_id) for job_id in start_jobs(airbyte, 10, Step("running"))]
    watcher = watch(airbyte)
    for wait in [*waits, bare]:
        watcher.add(wait)
    go(watcher, seconds=47)
    assert bare.end == "succeeded"


def test_a_job_that_ended_before_the_wait_began_is_told_at_once(start_fake, watch, wait_for, go):
    """It ended between its submission and add(), and a walk has told that to nobody."""
    airbyte = start_fake()
    first = [wait_for(airbyte, job_id) for job_id in start_jobs(airbyte, 5, Step("running"))]
    watcher = watch(airbyte)
    for wait in first:
        watcher.add(wait)
    go(watcher, seconds=3)
    [job_id] = start_jobs(airbyte, 1, Step("running"))
    late = wait_for(airbyte, job_id)
    airbyte.advance(job_id, "succeeded")
    for other in start_jobs(airbyte, 150, Step("running")):
        airbyte.advance(other, "running")
    go(watcher, seconds=3)
    watcher.add(late)
    go(watcher, seconds=3)
    assert late.end == "succeeded"


def test_a_wait_added_during_a_walk_is_served(start_fake, watch, wait_for, go, clock):
    """Its own short interval counts, however rarely the others are checked."""
    airbyte = start_fake()
    threads = ByHand()
    watcher = watch(airbyte, threads)
    for job_id in start_jobs(airbyte, 5, Step("running")):
        watcher.add(wait_for(airbyte, job_id, polling=Polling(60)))
    go(watcher, seconds=700, threads=threads)
    go(watcher, seconds=100, until=lambda: threads.requested)
    new = wait_for(airbyte, start_jobs(airbyte, 1, Step("running", seconds=0.5), Step("succeeded"))[0])
    watcher.add(new)
    threads.do()
    started = clock.now
    go(watcher, seconds=10, threads=threads)
    assert new.end == "succeeded"
    assert new.ended_at - started <= 3


def test_after_a_restart_old_waits_are_read_once_and_then_listed(start_fake, watch, wait_for, go, clock):
    """Three hundred jobs that began hours ago: once directly each, at the bounded rate, and never again."""
    airbyte = start_fake("1.8.0")
    jobs = start_jobs(airbyte, 300, Step("running", seconds=20_000), Step("succeeded"))
    waits = [wait_for(airbyte, job_id) for job_id in jobs]
    clock.now += 3 * 3600
    airbyte.reset()
    watcher = watch(airbyte)
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=50)
    assert len(airbyte.calls("getJobInfoLight")) <= 300 + READS_PER_SECOND
    for job_id in jobs[::7]:
        airbyte.advance(job_id, "failed")
    before = len(airbyte.calls("getJobInfoLight"))
    go(watcher, seconds=6)
    assert {wait.end for wait in waits[::7]} == {"failed"}
    assert len(airbyte.calls("getJobInfoLight")) == before


def test_the_sweep_finds_what_the_list_never_tells(start_fake, watch, wait_for, go):
    """A wait that names a wrong workspace is read by itself now and then, also beside waits that are always due."""
    airbyte = start_fake()
    watcher = watch(airbyte)
    hidden = airbyte.add_connection(name="h", workspace_id=airbyte.add_workspace("hidden"))
    airbyte.script(hidden, [Step("running", seconds=1), Step("succeeded")])
    lost = wait_for(airbyte, airbyte.start_job(hidden), workspace_id=airbyte.add_workspace("wrong"))
    jobs = start_jobs(airbyte, 6, Step("running"))
    for job_id in jobs[:5]:
        watcher.add(wait_for(airbyte, job_id))
    watcher.add(lost)
    watcher.add(wait_for(airbyte, jobs[5], workspace_id=None, updated_at=None, polling=Polling(0.01)))
    go(watcher, seconds=75)
    assert lost.end == "succeeded"


@pytest.mark.parametrize("status", [403, 404, 405, 500])
def test_where_the_list_is_refused_jobs_are_read_one_by_one(start_fake, watch, wait_for, go, status):
    """A role may see single jobs, and no list of them."""
    airbyte = start_fake()
    body = {"message": "no", "_links": {}} if status == 404 else {"message": "no"}
    airbyte.fail_next("listJobsForWorkspaces", Fault.status(status, body), times=1000)
    watcher, waits = watch(airbyte), [wait_for(airbyte, job_id) for job_id in start_jobs(airbyte, 20)]
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=45)
    assert {wait.end for wait in waits} == {"succeeded"}
    assert len(airbyte.calls("listJobsForWorkspaces")) <= 2
    airbyte.reset()


@pytest.mark.parametrize("fault", [Fault.status(504), Fault.drop_before()])
def test_a_list_that_always_breaks_ends_no_wait(start_fake, watch, wait_for, go, fault):
    """While single jobs are read well, no wait bears that the list is too slow for this server."""
    airbyte = start_fake()
    airbyte.fail_next("listJobsForWorkspaces", fault, times=1000)
    jobs = start_jobs(airbyte, 20, Step("running", seconds=900), Step("succeeded"))
    watcher, waits = (
        watch(airbyte),
        [wait_for(airbyte, job_id, polling=Polling(poll_error_timeout=60)) for job_id in jobs],
    )
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=920)
    assert {wait.end for wait in waits} == {"succeeded"}
    assert len(airbyte.calls("listJobsForWorkspaces")) <= 8
    airbyte.reset()


def test_a_release_that_cannot_be_told_for_a_moment_does_not_end_the_list(start_fake, watch, wait_for, go):
    """One 503 on the question for the release, and the waits would be read one by one for ever."""
    airbyte = start_fake()
    airbyte.fail_next("getInstanceConfiguration", UNAVAILABLE)
    watcher = watch(airbyte)
    for job_id in start_jobs(airbyte, 20, Step("running", seconds=9000)):
        watcher.add(wait_for(airbyte, job_id))
    go(watcher, seconds=400)
    assert airbyte.calls("listJobsForWorkspaces")


@pytest.mark.parametrize("count", [1, 6])
def test_a_job_id_that_is_anothers_now_is_told_as_vanished(start_fake, watch, wait_for, go, count):
    """An Airbyte that was set up again counts from one again."""
    airbyte = start_fake()
    jobs = start_jobs(airbyte, count, Step("running"))
    watcher = watch(airbyte)
    waits = [wait_for(airbyte, job_id) for job_id in jobs]
    waits[0].connection_id = "11111111-1111-4111-8111-111111111111"
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=5)
    assert waits[0].end is AirbyteJobNotFoundError
    assert [wait.outcomes for wait in waits[1:]] == [[]] * (count - 1)


def test_a_job_that_is_gone_is_told_as_vanished(start_fake, watch, wait_for, go, clock):
    """Airbyte returns 500 for it, and its connection's list does not have it."""
    airbyte = start_fake()
    connection_id = airbyte.add_connection()
    watcher, wait = watch(airbyte), Wait(clock, 4711, connection_id=connection_id)
    watcher.add(wait)
    go(watcher, seconds=2)
    assert wait.end is AirbyteJobNotFoundError


def test_the_rate_of_requests_is_bounded_over_any_window(start_fake, watch, wait_for, go, clock):
    """Four hundred waits on an old release, all due: never more than a burst and fifty a second."""
    airbyte = start_fake("0.40")
    moments: list[float] = []
    threads = AtOnce()
    submit, threads.submit = threads.submit, lambda *job: (moments.append(clock.now), submit(*job))
    watcher = watch(airbyte, threads)
    for job_id in start_jobs(airbyte, 400, Step("running")):
        watcher.add(wait_for(airbyte, job_id, polling=Polling(2)))
    go(watcher, seconds=20)
    assert len(moments) > 20 * READS_PER_SECOND * 0.9
    for first in range(0, len(moments), 11):
        for last in range(first, len(moments), 37):
            assert last - first + 1 <= READS_PER_SECOND * (1 + moments[last] - moments[first]) + 1.001


def test_no_more_reads_are_on_their_way_than_threads(start_fake, watch, wait_for, go):
    """What waits in a queue of threads could not be overtaken by what is more urgent."""
    airbyte = start_fake("0.40")
    threads = ByHand()
    watcher = watch(airbyte, threads)
    for job_id in start_jobs(airbyte, 60, Step("running")):
        watcher.add(wait_for(airbyte, job_id, workspace_id=None))
    go(watcher, seconds=20)
    assert len(threads.requested) == READ_THREADS


def test_no_wait_starves_among_a_thousand_on_an_old_release(start_fake, watch, wait_for, go):
    """At fifty reads a second each of a thousand is checked every twenty seconds, and none more often."""
    airbyte = start_fake("0.40")
    jobs = start_jobs(airbyte, 1000, Step("running", seconds=1e6))
    watcher = watch(airbyte)
    for job_id in jobs:
        watcher.add(wait_for(airbyte, job_id, polling=Polling(1)))
    airbyte.reset()
    go(watcher, seconds=45)
    reads = [request.body["id"] for request in airbyte.calls("getJobInfoLight")]
    counts = [reads.count(job_id) for job_id in jobs[::9]]
    assert min(counts) >= 2
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("era", ["0.40", "2.0"])
def test_looks_become_rarer_and_never_rarer_than_asked(start_fake, watch, wait_for, go, clock, era):
    """A second apart at first, and each `poll_interval` in the end."""
    airbyte = start_fake(era)
    watcher, looks = watch(airbyte), []
    for job_id in start_jobs(airbyte, 5, Step("running")):
        watcher.add(wait_for(airbyte, job_id, polling=Polling(20)))
    started = clock.now
    while clock.now < started + 400:
        before = requests(airbyte)
        go(watcher, seconds=0.05)
        if requests(airbyte) > before:
            looks.append(clock.now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert max(gaps) <= 20.2
    assert sum(gap > 15 for gap in gaps) >= 8
    assert sum(1 for look in looks if look < started + 10) >= 8


@pytest.mark.parametrize("era", ["0.40", "2.0"])
def test_an_outage_ends_those_that_bear_no_more_and_no_others(start_fake, watch, wait_for, go, clock, era):
    """Few requests meanwhile, an end by name after `poll_error_timeout`, and all others end well afterwards."""
    airbyte = start_fake(era)
    jobs = start_jobs(airbyte, 200, Step("running", seconds=400), Step("succeeded"))
    watcher, waits = watch(airbyte), []
    for number, job_id in enumerate(jobs):
        waits.append(wait_for(airbyte, job_id, polling=Polling(poll_error_timeout=60 if number % 2 else 600)))
        watcher.add(waits[-1])
    go(watcher, seconds=20)
    down_at = clock.now
    airbyte.reset()
    airbyte.fail_next("*", UNAVAILABLE, times=10**6)
    go(watcher, seconds=300)
    assert requests(airbyte) <= READ_THREADS + 300 / MAX_BACK_OFF + 8
    assert {wait.end for wait in waits[1::2]} == {AirbyteJobStatusUnavailableError}
    assert all(60 <= wait.ended_at - down_at <= 60 + MAX_BACK_OFF + 12 for wait in waits[1::2])
    assert [wait.outcomes for wait in waits[::2]] == [[]] * 100
    assert all(0 < len(wait.warnings) <= 300 / 60 + 1 for wait in waits)
    airbyte.reset()
    go(watcher, seconds=120)
    assert {wait.end for wait in waits[::2]} == {"succeeded"}


def test_waits_that_end_by_an_outage_do_not_hurry_the_requests(start_fake, watch, wait_for, go):
    """Each read that ends its own wait is a failure of Airbyte all the same."""
    airbyte = start_fake("0.40")
    watcher = watch(airbyte)
    for job_id in start_jobs(airbyte, 100, Step("running", seconds=9000)):
        watcher.add(wait_for(airbyte, job_id, polling=Polling(poll_error_timeout=1e-9)))
    airbyte.reset()
    airbyte.fail_next("*", UNAVAILABLE, times=10**6)
    go(watcher, seconds=60)
    assert requests(airbyte) <= READS_PER_SECOND + 8
    airbyte.reset()


def test_blips_that_are_far_apart_never_add_up(start_fake, watch, wait_for, go):
    """Airbyte responded in between, if not for this very job: one failed look ends no wait."""
    airbyte = start_fake("0.40")
    busy, rare = start_jobs(airbyte, 2, Step("running", seconds=7500), Step("succeeded"))
    watcher = watch(airbyte)
    waits = [
        wait_for(airbyte, busy, polling=Polling(20)),
        wait_for(airbyte, rare, polling=Polling(600)),
    ]
    waits[1].polling = Polling(600, poll_error_timeout=50)
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=6200)
    for _ in range(10):
        airbyte.fail_next("getJobInfoLight", UNAVAILABLE)
        go(watcher, seconds=40)
    go(watcher, seconds=1300)
    assert [wait.end for wait in waits] == ["succeeded"] * 2


@pytest.mark.parametrize("code", [429, 503])
def test_airbyte_is_left_alone_for_as_long_as_it_asks(start_fake, watch, wait_for, go, code):
    """Retry-After quiets all waits, not only the one that was configured."""
    airbyte = start_fake("0.40")
    watcher = watch(airbyte)
    for job_id in start_jobs(airbyte, 30, Step("running", seconds=9000)):
        watcher.add(wait_for(airbyte, job_id, polling=Polling(1)))
    go(watcher, seconds=20)
    airbyte.fail_next("getJobInfoLight", Fault.status(code, headers={"Retry-After": "45"}))
    go(watcher, seconds=3, until=lambda: not airbyte.pending_faults())
    airbyte.reset()
    go(watcher, seconds=42)
    assert requests(airbyte) <= READ_THREADS
    before = requests(airbyte)
    go(watcher, seconds=10)
    assert requests(airbyte) > before + 20


@pytest.mark.parametrize("era", ["0.40", "2.0"])
@pytest.mark.parametrize("is_down", [False, True])
def test_a_deadline_is_exact(start_fake, watch, wait_for, go, clock, era, is_down):
    """To the step, also while Airbyte is down."""
    airbyte = start_fake(era)
    watcher, waits = watch(airbyte), []
    for number, job_id in enumerate(start_jobs(airbyte, 20, Step("running", seconds=9000))):
        waits.append(wait_for(airbyte, job_id, polling=Polling(deadline=clock.now + 30 + number, poll_interval=60)))
        watcher.add(waits[-1])
    go(watcher, seconds=20)
    if is_down:
        airbyte.fail_next("*", UNAVAILABLE, times=10**6)
    go(watcher, seconds=40)
    assert {wait.end for wait in waits} == {AirbyteJobTimeoutError}
    assert all(0 <= wait.ended_at - wait.polling.deadline <= 0.11 for wait in waits)
    airbyte.reset()


def test_a_deadline_ends_a_wait_whose_read_hangs(start_fake, watch, wait_for, go, clock):
    """And one that cannot be read since all reads hang; what comes back afterwards is told to nobody."""
    airbyte = start_fake("0.40")
    threads = ByHand()
    jobs = start_jobs(airbyte, 40, Step("succeeded"))
    watcher, waits = watch(airbyte, threads), []
    for number, job_id in enumerate(jobs):
        waits.append(wait_for(airbyte, job_id, polling=Polling(deadline=clock.now + 30 + number % 5)))
        watcher.add(waits[-1])
    go(watcher, seconds=50)
    assert {wait.end for wait in waits} == {AirbyteJobTimeoutError}
    assert all(0 <= wait.ended_at - wait.polling.deadline <= FINAL_POLL_TIMEOUT + 1 for wait in waits)
    threads.do()
    assert [len(wait.outcomes) for wait in waits] == [1] * 40


@pytest.mark.parametrize("era", ["0.40", "2.0"])
def test_a_job_that_ended_right_before_its_deadline_is_told_as_ended(start_fake, watch, wait_for, go, clock, era):
    """Each job is checked once more, however many deadlines there are at once."""
    airbyte = start_fake(era)
    jobs = start_jobs(airbyte, 200, Step("running", seconds=599.9), Step("succeeded"))
    watcher = watch(airbyte)
    waits = [wait_for(airbyte, job_id, polling=Polling(deadline=clock.now + 600, poll_interval=400)) for job_id in jobs]
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=620)
    assert {wait.end for wait in waits} == {"succeeded"}


def test_the_bound_on_requests_takes_nobody_the_last_look(start_fake, watch, wait_for, go, clock):
    """More deadlines at one moment than requests may be sent: the others wait for their turn."""
    airbyte = start_fake("0.40")
    jobs = start_jobs(airbyte, 120, Step("succeeded"))
    watcher = watch(airbyte)
    waits = [wait_for(airbyte, job_id, polling=Polling(deadline=clock.now), workspace_id=None) for job_id in jobs]
    for wait in waits:
        watcher.add(wait)
    for _ in range(20):
        watcher.step()
    go(watcher, seconds=5)
    assert {wait.end for wait in waits} == {"succeeded"}


def test_a_deadline_that_passed_while_nobody_watched_has_its_last_look(start_fake, watch, wait_for, go, clock):
    """The triggerer was down for an hour; the jobs ended well in that time."""
    airbyte = start_fake("0.40")
    jobs = start_jobs(airbyte, 300, Step("running", seconds=60), Step("succeeded"))
    waits = [wait_for(airbyte, job_id, polling=Polling(deadline=clock.now + 600)) for job_id in jobs]
    clock.now += 3600
    watcher = watch(airbyte)
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=20)
    assert {wait.end for wait in waits} == {"succeeded"}


@pytest.mark.parametrize("count", [1, 6])
def test_a_wait_that_is_removed_hears_nothing_more(start_fake, watch, wait_for, go, count):
    """Neither before a read nor while one is on its way."""
    airbyte = start_fake()
    threads = ByHand()
    jobs = start_jobs(airbyte, count, Step("succeeded"))
    watcher, waits = watch(airbyte, threads), [wait_for(airbyte, job_id) for job_id in jobs]
    for wait in waits:
        watcher.add(wait)
    assert watcher.remove(waits[0]) is True
    assert watcher.remove(waits[0]) is False
    if count > 1:
        go(watcher, seconds=5, until=lambda: threads.requested)
        assert watcher.remove(waits[1]) is True
    go(watcher, seconds=5, threads=threads)
    assert [wait.outcomes for wait in waits[:2]] == [[]] * min(count, 2)
    assert waits[0].changes == []
    assert [wait.end for wait in waits[2:]] == ["succeeded"] * (count - min(count, 2))


def test_an_end_is_told_once_by_reads_that_race(start_fake, connect, clock, wait_for):
    """Lists and single reads in many threads find the same ends at the same moment."""
    airbyte = start_fake()
    jobs = start_jobs(airbyte, 100, Step("succeeded"))
    with ThreadPoolExecutor(16) as threads:
        watcher = JobWatcher(connect(airbyte), clock=clock, threads=threads)
        waits = [wait_for(airbyte, job_id) for job_id in jobs]
        for wait in waits:
            watcher.add(wait)
        together = threading.Barrier(3)

        def race(read, *of) -> None:
            together.wait()
            for each in of:
                read(*each)

        racing = [
            threading.Thread(target=race, args=(watcher._read_one, *[(wait,) for wait in order]))
            for order in (waits, waits[::-1])
        ]
        racing.append(threading.Thread(target=race, args=(watcher._read_list, ())))
        for thread in racing:
            thread.start()
        for thread in racing:
            thread.join()
    assert [wait.end for wait in waits] == ["succeeded"] * 100


def test_an_airbyte_that_is_down_does_not_delay_another(start_fake, watch, wait_for, go, clock):
    """Each has its watcher, its throttle and its threads."""
    ill, well = start_fake("0.40"), start_fake("0.40")
    watchers, waits = [watch(ill), watch(well)], {}
    for airbyte, watcher in zip((ill, well), watchers, strict=True):
        waits[airbyte.url] = [wait_for(airbyte, job_id, polling=Polling(2)) for job_id in start_jobs(airbyte, 30)]
        for wait in waits[airbyte.url]:
            watcher.add(wait)
    ill.fail_next("*", Fault.drop_before(), times=10**6)
    started = clock.now
    go(*watchers, seconds=40)
    assert all(wait.ended_at - started <= 33 for wait in waits[well.url])
    assert [wait.outcomes for wait in waits[ill.url]] == [[]] * 30
    ill.reset()


@pytest.mark.parametrize("era", ["0.40", "2.0"])
@pytest.mark.parametrize("broken", ["on_end", "on_change", "warn"])
def test_a_callback_that_fails_stops_nobody_else(start_fake, watch, wait_for, go, era, broken):
    """Its own mistakes are the caller's."""

    def fail(*_) -> None:
        raise ValueError("not mine")

    def fail_to_measure(name: str, value: float) -> None:
        raise ValueError(name)

    airbyte = start_fake(era)
    watcher = watch(airbyte, measure=fail_to_measure)
    jobs = start_jobs(airbyte, 12, Step("running", seconds=10), Step("succeeded"))
    waits = [wait_for(airbyte, job_id) for job_id in jobs]
    for wait in waits[::3]:
        setattr(wait, broken, fail)
    for wait in waits:
        watcher.add(wait)
    go(watcher, seconds=3)
    airbyte.fail_next("*", UNAVAILABLE)
    go(watcher, seconds=15)
    assert [wait.end for number, wait in enumerate(waits) if number % 3] == ["succeeded"] * 8
    assert watcher._waits == set()


def test_a_read_that_breaks_in_our_own_code_is_borne(start_fake, watch, wait_for, go, monkeypatch, clock):
    """Whatever is wrong here, a deadline is kept, and `poll_error_timeout` too."""
    airbyte = start_fake("0.40")
    watcher = watch(airbyte)
    waits = [wait_for(airbyte, job_id) for job_id in start_jobs(airbyte, 2, Step("running", seconds=9000))]
    waits[0].polling, waits[1].polling = Polling(deadline=clock.now + 30), Polling(poll_error_timeout=60)
    for wait in waits:
        watcher.add(wait)
        monkeypatch.setattr(wait.watch._reader, "read", lambda: {}["nothing"])
    go(watcher, seconds=80)
    assert [wait.end for wait in waits] == [AirbyteJobTimeoutError, AirbyteJobStatusUnavailableError]


def test_a_wait_that_moves_to_another_watcher_begins_anew(start_fake, watch, wait_for, go, clock):
    """What the first watcher knew of lists and reads is nothing to the second one."""
    airbyte = start_fake()
    threads = ByHand()
    first, second = watch(airbyte, threads), watch(airbyte)
    waits = [wait_for(airbyte, job_id) for job_id in start_jobs(airbyte, 6, Step("running"))]
    for wait in waits:
        first.add(wait)
    go(first, seconds=20, threads=threads)
    go(first, seconds=100, until=lambda: threads.requested)
    clock.now += 5000
    go(first, seconds=1)
    for wait in waits:
        assert first.remove(wait)
        second.add(wait)
        airbyte.advance(wait.job_id, "succeeded")
    go(second, seconds=5)
    threads.do()
    assert [wait.end for wait in waits] == ["succeeded"] * 6


def test_ten_thousand_waits_on_endless_jobs_need_few_requests_a_minute(start_fake, watch, clock, monkeypatch):
    """Under 200 in the first minute at an interval of 5 s, and in each later one."""
    airbyte = start_fake("1.8.0")
    watcher = watch(airbyte)
    now = int(clock.now)
    workspaces = [f"w{number}" for number in range(20)]
    calls = {"list": 0, "one": 0}

    def page(self, *, row_offset, page_size, **_filters) -> JobReadList:
        calls["list"] += 1
        ids = range(10_000 - row_offset, max(10_000 - row_offset - page_size, 0), -1)
        jobs = [JobRead(id=id, config_type="sync", status="running", updated_at=now) for id in ids]
        return JobReadList.model_validate({"jobs": [JobWithAttemptsRead(job=job) for job in jobs]})

    monkeypatch.setattr("airflow_airbyte_ext.api.client.AirbyteClient.list_jobs_for_workspaces", page)

    def one(self):
        calls["one"] += 1
        return JobRead(id=self.job_id, config_type="sync", status="running", updated_at=now)

    monkeypatch.setattr("airflow_airbyte_ext.jobs.reader.JobReader.read", one)
    waits = [
        Wait(clock, id, workspace_id=workspaces[id % 20], updated_at=now, polling=Polling(5)) for id in range(1, 10_001)
    ]
    for number, wait in enumerate(waits):
        watcher.add(wait)
        if number % 100 == 99:
            clock.now += 0.05 + watcher.step() * 0
    per_minute = []
    for _ in range(4):
        before, end = sum(calls.values()), clock.now + 60
        while clock.now < end:
            clock.now += max(watcher.step(), 0.05)
        per_minute.append(sum(calls.values()) - before)
    assert calls["one"] <= 3 * 60 + 10
    assert per_minute[0] + 100 < 250
    assert max(per_minute) < 200
    assert all(wait.outcomes == [] for wait in waits)
