"""How the pages of a list of jobs must be walked: what a page counts, and by what it is sorted, by release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.releases import Release

# A job of a whole instance or workspace stands within this many pages, and so do the jobs of a connection.
MAX_PAGES = 1000
# Where a page counts attempts, one job may fill pages alone.
MAX_STALE_PAGES = 50

# The releases whose pages are cut from rows of job x attempt, from the first one to before the second one. There the
# last job of a page may lack attempts, a short page is not the last one, and a job comes again on the next page.
# DefaultJobPersistence.buildJobOrderByString at 0.57.3; micronaut-data 4.9 from 0.64.2 on, in jobs/list alone.
_JOBS_COUNT_ATTEMPTS = (("0.57.3", "0.58.0"), ("0.64.2", "1.3.0"))
_WORKSPACES_COUNT_ATTEMPTS = (("0.57.3", "0.58.0"),)
# Before, a page is cut from the jobs by the time of their creation, and only then sorted as asked.
_SORTED_SINCE = "0.57.3"


def pages_count_attempts(release: Release, *, of_workspaces: bool = False) -> bool:
    """
    Say whether a page of jobs may count attempts, so that only an empty page is surely the last one.

    :param of_workspaces: Whether `jobs/list_for_workspaces` is meant, and not `jobs/list`.
    """
    spans = _WORKSPACES_COUNT_ATTEMPTS if of_workspaces else _JOBS_COUNT_ATTEMPTS
    return any(release.is_within(since, gone) is not False for since, gone in spans)


def is_sorted_as_asked(release: Release) -> bool:
    """Say whether `order_by_field` sorts the whole list, and not only the jobs within a page."""
    return release.is_at_least(_SORTED_SINCE)
