"""Pages of jobs as each release cuts and sorts them: no job is missed, told twice, or without its attempts."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_airbyte_ext.api.models.jobs import JobInfoRead, JobReadList
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import AirbyteJobFailedError, AirbyteResponseError
from airflow_airbyte_ext.jobs.changes import PAGE_SIZE, ChangeFeed
from airflow_airbyte_ext.jobs.reader import is_sorted_as_requested, jobs_of, pages_count_attempts
from airflow_airbyte_ext.jobs.syncs import SyncPoller, ended_syncs

CONNECTION = "11111111-1111-4111-8111-111111111111"
T0 = 1_760_000_000
# Release, whether jobs/list counts attempts, whether list_for_workspaces does.
RELEASES = [
    ("0.50.18", False, False),
    ("0.57.2", False, False),
    ("0.57.3", True, True),
    ("0.57.4", True, True),
    ("0.58.0", False, False),
    ("0.64.1", False, False),
    ("0.64.2", True, False),
    ("1.0.0", True, False),
    ("1.2.5", True, False),
    ("1.3.0", False, False),
    ("2.0.0", False, False),
]
CUT = [release for release, cut, _ in RELEASES if cut]


def attempt(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "status": "failed", "endedAt": T0 + number, "createdAt": T0 + number, **more}


def job(number: int, status: str = "succeeded", *, attempts: int = 1, updated: int | None = None) -> dict[str, Any]:
    """One of these a minute; the last attempt tells its end, and its failure where the job failed."""
    created = T0 + 60 * number
    tries = [attempt(each, endedAt=created + 10 * each + 10) for each in range(attempts)]
    if status == "failed" and tries:
        tries[-1]["failureSummary"] = {"failures": [{"externalMessage": f"The end of {number}."}]}
    return {
        "job": {
            "id": number,
            "configType": "sync",
            "configId": CONNECTION,
            "status": status,
            "createdAt": created,
            "updatedAt": created + 30 if updated is None else updated,
        },
        "attempts": tries,
    }


class Lists:
    """Airbyte's two lists of jobs, cut and sorted as a release does."""

    def __init__(self, release: str, jobs: list[dict[str, Any]]) -> None:
        self.shown = Release(release)
        _, self.cuts_jobs, self.cuts_workspaces = next(row for row in RELEASES if row[0] == release)
        self.jobs = jobs
        self.requests: list[str] = []

    def without_retries(self):
        return self

    def release(self) -> Release:
        return self.shown

    def list_jobs_for(self, *, page_size, row_offset, **_asked) -> JobReadList:
        self.requests.append(f"list {row_offset}")
        return self._page(self._sorted("createdAt"), page_size, row_offset, cut=self.cuts_jobs)

    def list_jobs_for_workspaces(self, *, page_size, row_offset, order_by_field, **_asked) -> JobReadList:
        self.requests.append(f"list {row_offset}")
        if self.shown.is_at_least("0.57.3"):
            return self._page(self._sorted(order_by_field), page_size, row_offset, cut=self.cuts_workspaces)
        page = self._sorted("createdAt")[row_offset : row_offset + page_size]
        page.sort(key=lambda entry: entry["job"][order_by_field], reverse=True)
        return JobReadList.model_validate({"jobs": page})

    def get_job_info_without_logs(self, *, id: int) -> JobInfoRead:
        self.requests.append(f"get {id}")
        found = next(entry for entry in self.jobs if entry["job"]["id"] == id)
        return JobInfoRead.model_validate(
            {"job": found["job"], "attempts": [{"attempt": each} for each in found["attempts"]]}
        )

    def get_connection(self, *, connection_id: str):
        raise AirbyteResponseError("not now")

    def _sorted(self, field: str) -> list[dict[str, Any]]:
        return sorted(self.jobs, key=lambda entry: entry["job"][field], reverse=True)

    def _page(self, entries: list[dict[str, Any]], size: int, offset: int, *, cut: bool) -> JobReadList:
        if not cut:
            return JobReadList.model_validate({"jobs": entries[offset : offset + size]})
        # A job joined to its attempts, which are in no order.
        rows = [(entry, each) for entry in entries for each in entry["attempts"][::-1] or [None]]
        page: dict[int, dict[str, Any]] = {}
        for entry, each in rows[offset : offset + size]:
            found = page.setdefault(entry["job"]["id"], {"job": entry["job"], "attempts": []})
            found["attempts"] += [each] if each else []
        return JobReadList.model_validate({"jobs": list(page.values())})


def mixed(count: int) -> list[dict[str, Any]]:
    """Jobs of 0 to 25 attempts, more than a page of them in one."""
    tries = [1, 5, 1, 25, 2, 0, 3, 12]
    return [job(number, "failed", attempts=tries[number % len(tries)]) for number in range(1, count + 1)]


@pytest.mark.parametrize(("release", "jobs", "workspaces"), RELEASES)
def test_the_table_of_what_a_page_counts(release, jobs, workspaces) -> None:
    assert pages_count_attempts(Release(release)) is jobs
    assert pages_count_attempts(Release(release), of_workspaces=True) is workspaces
    assert is_sorted_as_requested(Release(release)) is (release not in ("0.50.18", "0.57.2"))


@pytest.mark.parametrize("release", [Release.UNREADABLE, Release.FROM_0_50_9])
def test_an_unknown_release_may_count_attempts(release) -> None:
    """A release that is not known may count attempts and sort pages alone."""
    assert pages_count_attempts(release)
    assert not is_sorted_as_requested(release)


@pytest.mark.parametrize("page_size", [1, 7, 10, 20])
@pytest.mark.parametrize("release", [row[0] for row in RELEASES])
def test_every_job_comes_once_and_newest_first(release, page_size) -> None:
    lists = Lists(release, mixed(33))
    ids = [entry.job.id for entry in jobs_of(lists, CONNECTION, ["sync"], page_size=page_size)]
    assert ids == list(range(33, 0, -1))


@pytest.mark.parametrize("release", [row[0] for row in RELEASES])
def test_every_sync_has_all_its_attempts(release) -> None:
    """So the newest failure is told, and not one of an attempt before."""
    lists = Lists(release, mixed(33))
    for report in ended_syncs(lists, CONNECTION):
        whole = next(entry for entry in lists.jobs if entry["job"]["id"] == report.job_id)
        assert report.attempts == len(whole["attempts"])
        assert report.failure == (f"The end of {report.job_id}." if whole["attempts"] else None)


@pytest.mark.parametrize(("release", "requests"), [("0.64.1", 1), ("1.3.0", 1), ("0.64.2", 2), ("1.2.5", 2)])
def test_only_where_pages_are_cut_the_end_costs_another_request(release, requests) -> None:
    lists = Lists(release, [job(number) for number in range(1, 6)])
    assert len(list(jobs_of(lists, CONNECTION, ["sync"]))) == 5
    assert len(lists.requests) == requests


@pytest.mark.parametrize(("status", "reads"), [("failed", ["get 3", "get 1"]), ("running", [])])
def test_only_the_last_job_of_a_page_is_read_again(status, reads) -> None:
    """The attempts of the others are all there, and a job that runs has more of them later."""
    lists = Lists("1.2.5", [job(number, status, attempts=2) for number in range(1, 5)])
    list(jobs_of(lists, CONNECTION, ["sync"], page_size=4, with_all_attempts=True))
    assert [request for request in lists.requests if request.startswith("get")] == reads


@pytest.mark.parametrize("release", CUT)
def test_a_sync_behind_a_short_page_is_found(release, clock) -> None:
    """Ten rows of two jobs: the success stands on the next page."""
    lists = Lists(release, [job(1), job(2, "failed", attempts=5), job(3, "failed", attempts=5)])
    watch = SyncPoller(CONNECTION, since=float(T0), clock=clock, warn=lambda _text: None, info=lambda _text: None)
    assert watch.poll(lists) == 1


@pytest.mark.parametrize("release", CUT)
def test_the_end_of_a_job_at_the_end_of_a_page_is_that_of_its_last_attempt(release, clock) -> None:
    """Its page has but the first of its attempts, whose end is too early and whose failure is none."""
    lists = Lists(release, [job(1), job(2, "failed", attempts=14)])
    since = T0 + 120 + 135
    watch = SyncPoller(
        CONNECTION, since=float(since), on_failure="fail", clock=clock, warn=lambda _: None, info=lambda _: None
    )
    with pytest.raises(AirbyteJobFailedError, match=r"Job 2 failed after 14 attempts: The end of 2\."):
        watch.poll(lists)


@pytest.mark.parametrize("release", ["1.0.0", "2.0.0"])
def test_a_list_that_does_not_end_is_an_error(release) -> None:
    """A proxy that passes on no offsets."""
    lists = Lists(release, [job(number) for number in range(1, 30)])
    page = lists._page(lists._sorted("createdAt"), 20, 0, cut=False)
    lists.list_jobs_for = lambda **_asked: page
    with pytest.raises(AirbyteResponseError, match=r"listJobsFor: the list of the jobs of connection .* does not end"):
        list(jobs_of(lists, CONNECTION, ["sync"]))


def shown(recent: ChangeFeed) -> dict[int, str]:
    return {each.id: each.status for page in recent.read(["w"]) for each in page}


@pytest.mark.parametrize("release", [row[0] for row in RELEASES])
def test_a_long_job_that_ends_is_told_behind_pages_of_newer_ones(release, clock) -> None:
    """It was created before three pages of others, and is the last one that changed."""
    count = 3 * PAGE_SIZE
    many = [job(number, attempts=1 + number % 3) for number in range(2, count)]
    lists = Lists(release, [job(1, "running"), *many])
    clock.now = float(T0 + 60 * count)
    recent = ChangeFeed(lists, clock=clock)
    assert recent.begin(1, int(clock.now) - 120)
    shown(recent)
    lists.jobs[0] = job(1, "succeeded", updated=int(clock.now))
    clock.now += 1
    assert shown(recent).get(1) == "succeeded"
    assert recent.is_complete


def test_where_the_whole_list_is_sorted_a_quiet_one_costs_one_page(clock) -> None:
    lists = Lists("0.58.0", [job(number) for number in range(1, 3 * PAGE_SIZE)])
    clock.now = float(T0 + 60 * 3 * PAGE_SIZE)
    recent = ChangeFeed(lists, clock=clock)
    recent.begin(1, int(clock.now) - 120)
    shown(recent)
    lists.requests.clear()
    shown(recent)
    assert len(lists.requests) == 1
