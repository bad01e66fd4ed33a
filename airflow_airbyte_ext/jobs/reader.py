"""Reading jobs from Airbyte by the lightest operation that its release has."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from airflow_airbyte_ext.exceptions import (
    AirbyteBadRequestError,
    AirbyteJobNotFoundError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbyteResponseError,
)
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import AttemptRead, JobInfoRead, JobRead, JobReadList, JobWithAttemptsRead
    from airflow_airbyte_ext.api.releases import Release

SYNC = "sync"
RESET = "reset_connection"
REFRESH = "refresh"
REFRESH_SINCE = "0.57.2"
# What a request for a job of one kind may start instead, so that it stands for it: a refresh moves what a sync moves,
# and a sync becomes a refresh where one is stored (docs/airbyte-behaviour.md, Starting and cancelling jobs).
STANDS_FOR = {SYNC: (SYNC, REFRESH), RESET: (RESET,), REFRESH: (REFRESH,)}
# A job of a whole instance or workspace stands within this many pages, and so do the jobs of a connection.
MAX_PAGES = 1000
# Where a page counts attempts, one job may fill pages alone.
MAX_STALE_PAGES = 50

# The releases whose pages are cut from rows of job x attempt, from the first one to before the second one. There the
# last job of a page may lack attempts, a short page is not the last one, and a job comes again on the next page.
# DefaultJobPersistence.buildJobOrderByString at 0.57.3; micronaut-data 4.9 from 0.64.2 on, in jobs/list alone.
_JOBS_COUNT_ATTEMPTS = (("0.57.3", "0.58.0"), ("0.64.2", "1.3.0"))
_WORKSPACES_COUNT_ATTEMPTS = (("0.57.3", "0.58.0"),)
# Before, a page is cut from the jobs by the time of their creation, and only then sorted as requested.
_SORTED_SINCE = "0.57.3"


def pages_count_attempts(release: Release, *, of_workspaces: bool = False) -> bool:
    """
    Say whether a page of jobs may count attempts, so that only an empty page is surely the last one.

    :param of_workspaces: Whether `jobs/list_for_workspaces` is meant, and not `jobs/list`.
    """
    spans = _WORKSPACES_COUNT_ATTEMPTS if of_workspaces else _JOBS_COUNT_ATTEMPTS
    return any(release.is_within(since, gone) is not False for since, gone in spans)


def is_sorted_as_requested(release: Release) -> bool:
    """Say whether `order_by_field` sorts the whole list, and not only the jobs within a page."""
    return release.is_at_least(_SORTED_SINCE)


def replication_kinds(client: AirbyteClient) -> list[str]:
    """Return the kinds of job that occupy a connection; a release refuses a list with a kind that it does not know."""
    release = client.release()
    may_know_refresh = release.is_at_least(REFRESH_SINCE) or not release.is_readable
    return [SYNC, RESET, REFRESH] if may_know_refresh else [SYNC, RESET]


def jobs_of(
    client: AirbyteClient,
    connection_id: str,
    kinds: Sequence[str],
    *,
    page_size: int = 20,
    with_all_attempts: bool = False,
) -> Iterator[JobWithAttemptsRead]:
    """
    Return a connection's jobs, newest first and each once, page by page as long as somebody wants more.

    :param with_all_attempts: Read a terminal job again where its page may lack attempts; see `pages_count_attempts`.
    :raises AirbyteResponseError: Airbyte gives the same page again and again, or more pages than any list has.
    """
    seen: set[int] = set()
    stale = 0
    for number in range(MAX_PAGES):
        page = _page(client, connection_id, kinds, page_size, number)
        entries, size = page.jobs, page.size
        is_cut = pages_count_attempts(client.release())
        new = [entry for entry in entries if entry.job.id not in seen]
        for entry in new:
            seen.add(entry.job.id)
            may_lack = (
                with_all_attempts and is_cut and entry is entries[-1] and JobStatus.of(entry.job.status).is_terminal
            )
            yield _with_all_attempts(client, entry) if may_lack else entry
        if not size or (size < page_size and not is_cut):
            return
        stale = 0 if new else stale + 1
        if stale > (MAX_STALE_PAGES if is_cut or len(entries) < size else 0):
            break
    raise AirbyteResponseError(
        f"listJobsFor: the list of the jobs of connection {connection_id} does not end: page {number + 1} of "
        f"{page_size} jobs brings nothing new, or is one too many. Check any proxy before Airbyte.",
        operation="listJobsFor",
    )


def _with_all_attempts(client: AirbyteClient, entry: JobWithAttemptsRead) -> JobWithAttemptsRead:
    found = JobReader(client, entry.job.id, connection_id=entry.job.config_id).read_with_attempts()
    return entry.model_copy(update={"job": found[0], "attempts": found[1]}) if found else entry


def _page(client: AirbyteClient, connection_id: str, kinds: Sequence[str], size: int, number: int) -> JobReadList:
    def listed(some: Sequence[str]) -> JobReadList:
        return client.list_jobs_for(
            config_types=some, config_id=connection_id, page_size=size, row_offset=number * size
        )

    try:
        return listed(kinds)
    except AirbyteBadRequestError:
        # A release that is not known may be too old to know a refresh.
        if REFRESH not in kinds or client.release().is_readable:
            raise
        return listed([kind for kind in kinds if kind != REFRESH])


def newest_job(client: AirbyteClient, connection_id: str) -> JobRead | None:
    """Return the connection's newest sync, reset or refresh; None where it never had one."""
    newest = next(jobs_of(client, connection_id, replication_kinds(client), page_size=1), None)
    return newest.job if newest else None


def first_job_after(client: AirbyteClient, connection_id: str, job_id: int, *, kind: str) -> JobRead | None:
    """Return the first job newer than `job_id` that is of this kind, or stands for it; others may have followed it."""
    kinds = [each for each in replication_kinds(client) if each in STANDS_FOR[kind]]
    newest_first = (entry.job for entry in jobs_of(client, connection_id, kinds))
    return min(itertools.takewhile(lambda job: job.id > job_id, newest_first), key=lambda job: job.id, default=None)


def running_job(client: AirbyteClient, connection_id: str) -> JobRead | None:
    """Return the job that occupies the connection. Airbyte allows one at most, and it is the newest."""
    job = newest_job(client, connection_id)
    return job if job and not JobStatus.of(job.status).is_terminal else None


class JobReader:
    """
    Reads one job again and again, each time by the lightest operation that this server has.

    :param client: Reads.
    :param job_id: The job.
    :param connection_id: Its connection, where known: servers before 0.40.7 can list a connection's jobs,
        but cannot read one job without all its logs.
    """

    def __init__(self, client: AirbyteClient, job_id: int, *, connection_id: str | None = None) -> None:
        self.client = client
        self.job_id = job_id
        self.connection_id = connection_id
        self._has_light_read = True

    def read(self) -> JobRead | None:
        """
        Return the job as it is now; None where the server does not have it, and says so (since 2.0 it does not).

        :raises AirbyteJobNotFoundError: The job's id belongs to another connection now.
        """
        if self._has_light_read:
            try:
                return self._checked(self.client.get_job_info_light(id=self.job_id).job)
            except AirbyteOperationMissingError:
                self._has_light_read = False
            except AirbyteNotFoundError as error:
                _check_is_airbytes_own(error)
                return None
        if self.connection_id is None:
            try:
                job = self.client.get_job_info(id=self.job_id).job
            except AirbyteNotFoundError as error:
                _check_is_airbytes_own(error)
                return None
            self.connection_id = job.config_id
            return job
        found = self.listed()
        return found[0] if found else None

    def _checked(self, job: JobRead) -> JobRead:
        """An Airbyte that was set up again counts its jobs from 1 again, and has this id for somebody else's job."""
        if self.connection_id is None or job.config_id in (None, self.connection_id):
            return job
        error = AirbyteJobNotFoundError(
            f"Job {job.id} of {self.client.settings.base_url} belongs to connection {job.config_id} now, and not to "
            f"{self.connection_id}: this Airbyte was reset or restored. A retry starts a new job.",
            job_id=job.id,
            connection_id=self.connection_id,
        )
        error.retryable = True
        raise error

    def listed(self) -> tuple[JobRead, list[AttemptRead]] | None:
        """Return the job and its attempts from the list of its connection's jobs; None where it is not there."""
        for entry in jobs_of(self.client, self.connection_id or "", replication_kinds(self.client)):
            if entry.job.id <= self.job_id:
                return (entry.job, entry.attempts) if entry.job.id == self.job_id else None
        return None

    def read_with_attempts(self) -> tuple[JobRead, list[AttemptRead]] | None:
        """Return what `read` does, with the attempts; with logs only where the release has no other way."""
        try:
            info = self._info()
        except AirbyteNotFoundError as error:
            _check_is_airbytes_own(error)
            return None
        if info is None:
            return self.listed()
        return self._checked(info.job), [entry.attempt for entry in info.attempts]

    def _info(self) -> JobInfoRead | None:
        """Return the job with its attempts; None where the release can only list them, and the connection is known."""
        try:
            return self.client.get_job_info_without_logs(id=self.job_id)
        except AirbyteOperationMissingError:
            return None if self.connection_id else self.client.get_job_info(id=self.job_id)


def _check_is_airbytes_own(error: AirbyteNotFoundError) -> None:
    """Airbyte says 500 of a job that it does not have, in all releases: any other response is not its own."""
    if error.http_status != 500:
        raise error
