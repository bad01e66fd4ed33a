"""The list of what changed: whatever the order, the clocks and the failures, no change stays ends_after."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime

import pytest

from airflow_airbyte_ext.api.models.jobs import JobRead, JobReadList, JobWithAttemptsRead
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import AirbyteOperationMissingError, AirbytePermissionError, AirbyteServerError
from airflow_airbyte_ext.jobs.changes import (
    MAX_PAGES,
    OVERLAP,
    PAGE_SIZE,
    RETRY_AFTER_REFUSAL,
    THOROUGH_INTERVAL,
    WORTH_WALKING,
    ChangeFeed,
)
from airflow_airbyte_ext.jobs.throttle import Throttle

T0 = 1_760_000_000


class Server:
    """The list operation alone, with rows that a test moves between two pages, and a clock of its own."""

    def __init__(self, clock, ahead: int = 0, zone: int = 0) -> None:
        self.clock, self.ahead, self.zone = clock, ahead, zone
        self.rows: dict[int, JobRead] = {}
        self.workspace: dict[int, str] = {}
        self.pages: list[int] = []
        self.bodies: list[dict] = []
        self.on_page: list = []
        self.told_release = Release("1.8.0")
        self.reversed_ties = False
        self.is_sorted = False
        self.most_workspaces = 1_000
        self.forbidden: set[str] = set()

    def without_retries(self):
        return self

    def release(self) -> Release:
        return self.told_release

    @property
    def now(self) -> int:
        return int(self.clock.now) + self.ahead

    def set(self, job_id: int, status: str = "running", at: int | None = None, workspace: str = "w") -> None:
        moment = self.now if at is None else at
        self.rows[job_id] = JobRead(id=job_id, config_type="sync", config_id="c", status=status, updated_at=moment)
        self.workspace[job_id] = workspace

    def list_jobs_for_workspaces(self, *, workspace_ids, page_size, row_offset, **filters) -> JobReadList:
        self.pages.append(row_offset // page_size)
        self.bodies.append({"workspace_ids": list(workspace_ids), **filters})
        if self.on_page:
            self.on_page.pop(0)()
        assert row_offset % page_size == 0
        if len(workspace_ids) > self.most_workspaces or self.forbidden & set(workspace_ids):
            raise AirbytePermissionError("forbidden", http_status=403)
        assert (filters["order_by_field"], filters["order_by_method"]) == ("updatedAt", "DESC")
        rows = [job for job in self.rows.values() if self.workspace[job.id] in workspace_ids]
        if self.is_sorted:  # as the test has put them there
            return self._page(rows[row_offset : row_offset + page_size])
        if start := filters.get("updated_at_start"):
            since = datetime.fromisoformat(start).timestamp() + self.zone * 3600
            rows = [job for job in rows if job.updated_at >= since]
        tie = -1 if self.reversed_ties else 1
        rows.sort(key=lambda job: (job.updated_at, tie * job.id), reverse=True)
        return self._page(rows[row_offset : row_offset + page_size])

    def _page(self, rows: list[JobRead]) -> JobReadList:
        return JobReadList(jobs=[JobWithAttemptsRead(job=job) for job in rows])


@pytest.fixture
def server(clock):
    return Server(clock)


def _unavailable() -> None:
    raise AirbyteServerError("down", http_status=503)


def shown(recent: ChangeFeed, *workspaces: str) -> dict[int, str]:
    return {job.id: job.status for page in recent.read(list(workspaces or ("w",))) for job in page}


def pages_of(server: Server, recent: ChangeFeed, *workspaces: str) -> int:
    server.pages.clear()
    shown(recent, *workspaces)
    return len(server.pages)


def test_a_first_read_of_nobodys_is_one_page(server, clock):
    """Without a job to look for, the first page says where the list begins."""
    for number in range(1000):
        server.set(number, at=T0 - number)
    recent = ChangeFeed(server, clock=clock)
    assert not recent.has_begun
    assert pages_of(server, recent) == 1
    assert recent.has_begun


def test_a_quiet_list_costs_one_page_a_read(server, clock):
    """A thousand jobs that run on cost ten pages once, and then one."""
    for number in range(1000):
        server.set(number, at=T0)
    recent = ChangeFeed(server, clock=clock)
    assert recent.begin(1, T0)
    assert pages_of(server, recent) == 11
    clock.now += 1
    assert [pages_of(server, recent) for _ in range(20)] == [1] * 20
    clock.now += THOROUGH_INTERVAL
    assert pages_of(server, recent) == 11
    assert pages_of(server, recent) == 1


def test_jobs_that_were_already_told_ask_for_no_walk(server, clock):
    """Waits that come while nothing has changed cost no pages: their jobs are known to run."""
    for number in range(1000):
        server.set(number, at=T0)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(0, T0)
    shown(recent)
    clock.now += 1
    for number in range(1000):
        assert recent.begin(number, T0)
    assert pages_of(server, recent) == 1


def test_an_end_that_was_told_before_the_wait_came_is_told_again(server, clock):
    """A job ended, a read told it to nobody, and only then somebody waits: hidden behind full pages of known rows."""
    server.set(1, at=T0)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, T0)
    shown(recent)
    server.set(2, "succeeded", at=T0 + 1)
    for number in range(100, 500):
        server.set(number, at=T0 + 2)
    shown(recent)
    assert recent.begin(2, T0)
    assert shown(recent)[2] == "succeeded"


def test_an_end_between_submission_and_the_first_read_is_told(server, clock):
    """Other jobs changed since, more than a page of them."""
    server.set(1, "succeeded", at=T0 + 1)
    for number in range(100, 600):
        server.set(number, at=T0 + 3)
    recent = ChangeFeed(server, clock=clock)
    assert recent.begin(1, T0)
    assert shown(recent)[1] == "succeeded"


def test_a_wait_that_comes_during_a_walk_is_served_next(server, clock):
    """Its job ended just before, deep in the list, on a page that was read already or is still to come."""
    for number in range(100, 500):
        server.set(number, at=T0 + 10 - number // 100)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(100, T0)
    seen: dict[int, str] = {}
    for number, page in enumerate(recent.read(["w"])):
        if number == 1:
            server.set(7, "succeeded", at=T0 + 10)
            assert recent.begin(7, T0)
        seen |= {job.id: job.status for job in page} if number > 1 else {}
    for number in range(600, 1000):
        server.set(number, at=T0 + 11)
    assert (seen | shown(recent))[7] == "succeeded"


@pytest.mark.parametrize("place", [0, 150, 250, 399])
def test_a_job_that_ends_between_two_pages_is_told(server, clock, place):
    """Its row moves to the top, and all others a row down, while the walk is between pages one and two."""
    for number in range(400):
        server.set(number, at=T0 + 400 - number)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(0, T0)
    server.on_page = [lambda: None, lambda: server.set(place, "succeeded", at=T0 + 401)]
    first = shown(recent)
    assert len(first) >= 399
    assert (first | shown(recent))[place] == "succeeded"


def test_ties_are_no_trouble(server, clock):
    """All change in one second, in an order that the server may change between two requests."""
    for number in range(350):
        server.set(number, at=T0)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, T0)
    shown(recent)
    for number in range(350):
        server.set(number, "succeeded", at=T0)
    server.reversed_ties = True
    ended = {id for id, status in shown(recent).items() if status == "succeeded"}
    assert ended == set(range(350))


def test_a_row_that_comes_late_with_an_old_time_is_told(server, clock):
    """A transaction began, hundreds of others ended, and only then it ended: nearly a minute later."""
    for number in range(10):
        server.set(number, at=T0)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, T0)
    shown(recent)
    late_at = server.now + 1
    found: dict[int, str] = {}
    for second in range(1, 130):
        clock.now += 1
        for number in range(10):
            server.set(1000 + 10 * second + number)
        if second == 56:
            server.set(5, "succeeded", at=late_at)
        found |= {id: status for id, status in shown(recent).items() if id < 10}
    assert found[5] == "succeeded"


@pytest.mark.parametrize("ahead", [-86_400, -7200, 7200, 86_400])
def test_the_servers_clock_may_be_hours_away(clock, ahead):
    """Only the server's own times are compared."""
    server = Server(clock, ahead=ahead)
    for number in range(300):
        server.set(number)
    recent = ChangeFeed(server, clock=clock)
    listed = recent.begin(1, server.now)
    shown(recent)
    for second in range(1, 40):
        clock.now += 1
        server.set(second, "succeeded")
        assert recent.begin(second, server.now - 2)
        assert shown(recent)[second] == "succeeded"
    assert listed or ahead < -WORTH_WALKING


@pytest.mark.parametrize("zone", [-14, -5, 1, 14])
def test_the_filter_may_be_read_in_any_time_zone(clock, zone):
    """A release that takes our UTC for its local time shifts the filter: no row that matters falls out."""
    server = Server(clock, zone=zone)
    for number in range(300):
        server.set(number)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, server.now)
    shown(recent)
    clock.now += 5
    server.set(299, "succeeded")
    assert shown(recent)[299] == "succeeded"
    assert "updated_at_start" in server.bodies[-1]


@pytest.mark.parametrize("failing", [0, 1, 2, 3])
@pytest.mark.parametrize(("is_first", "is_requested"), [(True, True), (False, True), (False, False)])
def test_a_page_that_fails_loses_nothing(server, clock, failing, is_first, is_requested):
    """The next read tells what the failed one did not, also behind pages that are known by then."""
    recent = ChangeFeed(server, clock=clock)
    if not is_first:
        server.set(1, at=T0)
        recent.begin(1, T0)
        shown(recent)
    for number in range(400):
        server.set(number, "succeeded", at=T0 + 2)
    if is_requested:
        recent.begin(1, T0)
    server.on_page = [lambda: None] * failing + [_unavailable]
    server.pages.clear()
    seen: dict[int, str] = {}
    with suppress(AirbyteServerError):
        for page in recent.read(["w"]):
            seen |= {job.id: job.status for job in page}
    assert len(server.pages) == failing + 1
    if is_requested:
        assert recent.begin(3, T0)
    assert set(seen | shown(recent)) == set(range(400))
    server.on_page = []
    assert pages_of(server, recent) == 1


def test_a_reader_who_stops_in_the_middle_loses_nothing(server, clock):
    """Whoever reads the pages may fail himself."""
    for number in range(400):
        server.set(number, "succeeded", at=T0)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, T0)
    pages = recent.read(["w"])
    next(pages)
    pages.close()
    assert set(shown(recent)) == set(range(400))


def test_a_workspace_that_comes_later_is_read_to_its_ground(server, clock):
    """Its rows stand behind full pages of known rows of other workspaces."""
    for number in range(400):
        server.set(number, at=T0 + 5)
    recent = ChangeFeed(server, clock=clock)
    recent.begin(1, T0 + 5)
    shown(recent)
    server.set(999, "succeeded", at=T0 + 1, workspace="v")
    assert recent.begin(999, T0)
    assert shown(recent, "w", "v")[999] == "succeeded"


def test_workspaces_are_listed_one_by_one_where_several_are_refused(server, clock):
    """Since 2.4 a request that names several workspaces may get 403: the list goes on, a workspace at a time."""
    server.most_workspaces = 1
    for number, workspace in enumerate("abc", start=1):
        server.set(number, workspace=workspace)
    recent = ChangeFeed(server, clock=clock)
    assert shown(recent, "a", "b", "c") == {1: "running", 2: "running", 3: "running"}
    assert recent.is_complete
    server.bodies.clear()
    clock.sleep(10)
    server.set(2, "succeeded", workspace="b")
    assert shown(recent, "a", "b", "c")[2] == "succeeded"
    assert [body["workspace_ids"] for body in server.bodies] == [["a"], ["b"], ["c"]]


def test_a_forbidden_workspace_keeps_no_other_from_being_listed(server, clock):
    """Its jobs are to be read one by one; after a while it is tried again, for a role may have been given."""
    server.forbidden = {"b"}
    for number, workspace in enumerate("abc", start=1):
        server.set(number, workspace=workspace)
    recent = ChangeFeed(server, clock=clock)
    assert shown(recent, "a", "b", "c") == {1: "running", 3: "running"}
    assert recent.refused == {"b"}
    server.bodies.clear()
    shown(recent, "a", "b", "c")
    assert [body["workspace_ids"] for body in server.bodies] == [["a"], ["c"]]
    server.forbidden.clear()
    clock.sleep(RETRY_AFTER_REFUSAL)
    assert not recent.refused
    assert shown(recent, "a", "b", "c") == {1: "running", 2: "running", 3: "running"}


def test_a_list_that_is_forbidden_everywhere_is_an_error(server, clock):
    """Nothing can be listed: whoever reads knows at once."""
    server.forbidden = {"a", "b"}
    recent = ChangeFeed(server, clock=clock)
    for _ in range(2):
        with pytest.raises(AirbytePermissionError):
            shown(recent, "a", "b")


def test_what_is_too_long_ago_is_not_looked_for(server, clock):
    """Reading the one job costs less than a walk through all that changed since."""
    server.set(1, at=T0)
    recent = ChangeFeed(server, clock=clock)
    assert not recent.begin(1, int(clock.now) - WORTH_WALKING - 1)
    shown(recent)
    assert not recent.begin(2, T0 - WORTH_WALKING - 1)
    assert recent.begin(2, T0 - WORTH_WALKING + 1)


def test_after_a_long_gap_all_of_it_is_told(server, clock):
    """An outage of an hour, in which other jobs went on: one walk tells every change."""
    recent = ChangeFeed(server, clock=clock)
    server.set(0)
    recent.begin(0, server.now)
    shown(recent)
    for number in range(3600):
        clock.now += 1
        server.set(number)
    assert set(shown(recent)) == set(range(3600))
    assert recent.is_complete


def test_a_flood_of_changes_ends_at_a_bound_and_says_so(server, clock):
    """More rows than any walk goes through."""
    recent = ChangeFeed(server, clock=clock)
    recent.begin(0, T0)
    server.is_sorted = True
    for number in range((MAX_PAGES + 2) * PAGE_SIZE):
        server.set(number, at=T0 + 1)
    assert pages_of(server, recent) == MAX_PAGES
    assert not recent.is_complete


def test_an_empty_list_is_a_beginning(server, clock):
    """A workspace whose first hundreds of jobs are still to come."""
    recent = ChangeFeed(server, clock=clock)
    assert shown(recent) == {}
    assert recent.has_begun
    for number in range(250):
        server.set(number)
    assert set(shown(recent)) == set(range(250))


def test_pages_go_at_the_pace_of_all_requests(server, clock):
    """A long walk sleeps between its pages."""
    server.is_sorted = True
    for number in range(15_000):
        server.set(number, at=T0)
    recent = ChangeFeed(server, clock=clock, throttle=Throttle(clock.now))
    recent.begin(1, T0)
    before = clock.now
    assert pages_of(server, recent) == 151
    assert clock.now - before == pytest.approx((151 - 50) / 50)


@pytest.mark.parametrize("seed", range(6))
def test_every_end_is_told_in_a_random_life(clock, seed):
    """Hundreds of jobs, late rows, failing pages, and new waits: each end is told in good time."""
    chance = random.Random(seed)
    server = Server(clock, ahead=chance.choice([-9000, 0, 9000]), zone=chance.choice([-5, 0, 9]))
    recent = ChangeFeed(server, clock=clock)
    running: list[int] = []
    waited: set[int] = set()
    shown_at: dict[int, float] = {}
    late: list[tuple[float, int, int]] = []
    worst, newest = 0.0, 0
    for _ in range(150):
        clock.now += chance.choice([0.2, 1, 3])
        for _ in range(chance.choice([0, 3, 60])):
            newest += 1
            server.set(newest, workspace=chance.choice("wv"))
            running.append(newest)
            if recent.begin(newest, server.now):
                waited.add(newest)
        for _ in range(min(len(running), 20)):
            job_id = running.pop(chance.randrange(len(running)))
            late.append((clock.now + chance.choice([0, 0, 0, 2, 40]), job_id, server.now))
        for entry in [entry for entry in late if entry[0] <= clock.now]:
            late.remove(entry)
            shown_at[entry[1]] = clock.now
            server.set(entry[1], "succeeded", at=entry[2], workspace=server.workspace[entry[1]])
        server.on_page = [lambda: None, _unavailable] if chance.random() < 0.1 else []
        with suppress(AirbyteServerError):
            for page in recent.read(["w", "v"]):
                for job in page:
                    if job.status == "succeeded" and job.id in waited:
                        waited.remove(job.id)
                        worst = max(worst, clock.now - shown_at[job.id])
    assert worst <= THOROUGH_INTERVAL + 5
    assert not [job_id for job_id in waited if clock.now - shown_at.get(job_id, clock.now) > THOROUGH_INTERVAL + 5]
    assert len(shown_at) > 500


def test_a_list_is_asked_only_where_the_release_surely_has_it(server, clock):
    """A release that cannot be told now is asked again; an older one never."""
    listing = ChangeFeed(server, clock=clock)
    server.told_release = Release.UNREADABLE
    assert list(listing.read(["w"])) == []
    assert not listing.is_open(clock.now)
    assert listing.is_open(clock.now + 301)
    server.told_release = Release("0.50.17")
    assert list(listing.read(["w"])) == []
    assert not listing.is_open(clock.now + 1e9)
    assert server.pages == []


@pytest.mark.parametrize(
    ("error", "closed_for"),
    [
        (AirbyteOperationMissingError("x"), 1e9),
        (AirbytePermissionError("x", http_status=403), 299),
        (AirbyteServerError("x", http_status=500), 0),
        (AirbyteServerError("x", http_status=504), 0),
    ],
)
def test_a_list_that_is_refused_is_left_alone(server, clock, error, closed_for):
    """What is missing never comes, what is forbidden may be allowed, and one hiccup is not the list's."""
    listing = ChangeFeed(server, clock=clock)
    server.on_page = [lambda: (_ for _ in ()).throw(error)]
    try:
        list(listing.read(["w"]))
    except type(error):
        assert closed_for < 1e9
    assert listing.is_open(clock.now + closed_for) is (closed_for == 0)


def test_a_list_that_fails_again_and_again_is_left_alone(server, clock):
    """A list that always times out, while single jobs are read well, is no help; a response forgives all."""
    listing = ChangeFeed(server, clock=clock)

    for hooks in ([_unavailable], [lambda: None], [_unavailable], [_unavailable]):
        assert listing.is_open(clock.now)
        server.on_page = list(hooks)
        try:
            list(listing.read(["w"]))
        except AirbyteServerError:
            assert hooks == [_unavailable]
    assert not listing.is_open(clock.now)


def test_the_constants_fit_each_other():
    """A row may come late by the overlap, and a thorough walk in between must not go past it."""
    assert THOROUGH_INTERVAL <= OVERLAP
