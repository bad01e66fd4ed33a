"""Many jobs in one request: those of whole workspaces that have changed lately."""

from __future__ import annotations

import logging
import math
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteOperationMissingError, AirbytePermissionError
from airflow_airbyte_ext.jobs.reader import is_sorted_as_requested, pages_count_attempts, replication_kinds
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.throttle import Throttle, is_down

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.jobs import JobFilters
    from airflow_airbyte_ext.api.models.jobs import JobRead, JobReadList

log = logging.getLogger(__name__)

# The first release that lists the jobs of workspaces by the time of their last change.
LISTS_SINCE = "0.50.18"

PAGE_SIZE = 100
MAX_KNOWN = 100_000
# Up to this many jobs or connections are read one by one: that is cheaper than a list of all.
MAX_READ_ONE_BY_ONE = 3
MAX_PAGES = 200
# A change is in the list when its transaction ends, and stands there with the time of its beginning.
OVERLAP = 60
# The times of one job's changes may come from clocks of several servers.
SLACK = 5
THOROUGH_INTERVAL = 60.0
# Searching an older change costs more than reading the job itself.
WORTH_WALKING = 900
# A list that was refused may be allowed later.
RETRY_AFTER_REFUSAL = 300.0
# Releases read the times of a filter in different time zones, so it is only the roughest of filters.
ANY_TIME_ZONE = 26 * 3600


class ChangeFeed:
    """
    Reads the jobs that changed since the last read, newest change first, without a clock of ours.

    All times are the server's own. The list is walked down to where the last walk began; a page on which nothing is
    new ends the walk, but for a thorough one now and then, for changes that came late into the list.

    :param client: Reads; each page is tried once.
    :param clock: Says when to be thorough, and waits where pages would come too quickly.
    :param throttle: Bounds the requests.
    """

    def __init__(self, client: AirbyteClient, *, clock: Clock = SYSTEM_CLOCK, throttle: Throttle | None = None) -> None:
        self._client = client.without_retries()
        self._clock = clock
        self._throttle = throttle
        self._lock = threading.Lock()
        self._mark: int | None = None
        self._since: int | None = None
        self._known: dict[int, tuple[int, str | None]] = {}
        self._workspaces: set[str] = set()
        self._thorough_at = -math.inf
        # What a thorough walk has to reach: the mark of the last one, with the overlap.
        self._thorough_since: int | None = None
        # Every change since then is known, or will come with the walk that goes on.
        self._covered_since = math.inf
        self.is_complete = True
        """Whether the last read returned every change since the one before, but for workspaces that are refused."""
        self._is_split = False
        self._refused_until: dict[str, float] = {}
        self._failures = 0
        self._closed_until = -math.inf

    def is_open(self, now: float) -> bool:
        """Whether reading is of use: not where this Airbyte has no such list, nor for a while after it was refused."""
        return now >= self._closed_until

    def begin(self, job_id: int, updated_at: int) -> bool:
        """
        Begin to return every change of a job since then; False where that is too long ago.

        :param updated_at: When the job had last changed when it was seen: the server's epoch seconds.
        """
        with self._lock:
            seen_at, status = self._known.get(job_id, (updated_at, None))
            if updated_at >= self._covered_since and not JobStatus.of(status or "running").is_terminal:
                return True
            updated_at = max(seen_at, updated_at)
            if updated_at < (self._mark or self._clock.time()) - WORTH_WALKING:
                return False
            self._since = updated_at if self._since is None else min(self._since, updated_at)
            return True

    @property
    def has_begun(self) -> bool:
        """Whether every change from now on will be returned: so it is enough to have read a job once since."""
        return self._mark is not None

    @property
    def refused(self) -> set[str]:
        """The workspaces whose jobs these credentials may not list, while others could be listed."""
        now = self._clock.time()
        return {workspace for workspace, until in self._refused_until.items() if now < until}

    def read(self, workspace_ids: Sequence[str]) -> Generator[list[JobRead], None, None]:
        """
        Return, page by page, the jobs of these workspaces that changed, and some that did not.

        Nothing where this Airbyte has no such list.

        :raises AirbyteApiError: The list could not be read; the next read returns what this one did not.
        """
        try:
            release = self._client.release()
            if not release.is_at_least(LISTS_SINCE):
                self._close(math.inf if release.is_readable else RETRY_AFTER_REFUSAL)
                return
            yield from self._read(workspace_ids)
            self._failures = 0
        except AirbyteOperationMissingError:
            self._close(math.inf)
        except AirbyteApiError as error:
            self._failures += 1
            # Where all fails, a single job is read first: if that goes well and the list fails again, it is the list.
            if self._failures > 1 or not (error.retryable or is_down(error)):
                log.info("Jobs are read one by one for a while, since Airbyte does not list them. %s", error)
                self._close(RETRY_AFTER_REFUSAL)
            raise

    def _close(self, seconds: float) -> None:
        self._closed_until = self._clock.time() + seconds
        self.is_complete = False

    def _read(self, workspace_ids: Sequence[str]) -> Generator[list[JobRead], None, None]:
        now = self._clock.time()
        thorough = now - self._thorough_at >= THOROUGH_INTERVAL or not self._workspaces.issuperset(workspace_ids)
        with self._lock:
            requested, self._since = self._since, None
            marks = (self._mark, self._thorough_since if thorough else None)
            limits = [mark - OVERLAP for mark in marks if mark is not None]
            # Down to where a walk goes however little is new.
            sure = min(
                [*(limits if thorough else []), *([] if requested is None else [requested - SLACK])], default=math.inf
            )
            limit = min([*limits, *([] if requested is None else [requested - SLACK])], default=None)
            if limit is not None:
                self._covered_since = limit
        try:
            newest = yield from self._walk_all(workspace_ids, limit, sure)
        except BaseException:
            with self._lock:
                self._thorough_at, self._covered_since = -math.inf, math.inf
                if requested is not None:
                    self._since = requested if self._since is None else min(self._since, requested)
            raise
        with self._lock:
            self._mark = mark = max(newest or 0, self._mark or 0, requested or 0)
            if not self.is_complete:
                self._covered_since = math.inf
        if thorough:
            self._thorough_at, self._thorough_since, self._workspaces = now, mark, set(workspace_ids)
        oldest = min(mark, self._thorough_since or mark) - 2 * OVERLAP
        self._known = {id: seen for id, seen in self._known.items() if seen[0] >= oldest}
        if len(self._known) > MAX_KNOWN:
            self._known = {}  # what is new is returned once more

    def _walk_all(
        self, workspace_ids: Sequence[str], limit: int | None, sure: float
    ) -> Generator[list[JobRead], None, int | None]:
        """Walk the workspaces' jobs together; one by one where Airbyte refuses several at once (2.4)."""
        self.is_complete = True
        if not self._is_split:
            try:
                return (yield from self._walk(workspace_ids, limit, sure))
            except AirbytePermissionError as error:
                if len(workspace_ids) < 2:
                    raise
                log.info("Listing jobs of one workspace at a time from now on. %s", error)
                self._is_split = True
        newest: list[int | None] = []
        refusal: AirbytePermissionError | None = None
        for workspace in [each for each in workspace_ids if each not in self.refused]:
            try:
                newest.append((yield from self._walk([workspace], limit, sure)))
            except AirbytePermissionError as error:
                log.info("Jobs of workspace %s are read one by one for a while. %s", workspace, error)
                self._refused_until[workspace] = self._clock.time() + RETRY_AFTER_REFUSAL
                refusal = error
        if refusal and not newest:
            self._refused_until.clear()
            raise refusal
        return max((each for each in newest if each is not None), default=None)

    def _walk(
        self, workspace_ids: Sequence[str], limit: int | None, sure: float
    ) -> Generator[list[JobRead], None, int | None]:
        newest: int | None = None
        release = self._client.release()
        is_sorted, is_cut = is_sorted_as_requested(release), pages_count_attempts(release, of_workspaces=True)
        for number in range(MAX_PAGES):
            entries = self._page(workspace_ids, limit, number)
            page = [entry.job for entry in entries.jobs]
            new = [job for job in page if self._known.get(job.id) != (job.updated_at or 0, job.status)]
            self._known.update({job.id: (job.updated_at or 0, job.status) for job in new})
            newest = newest or max((job.updated_at or 0 for job in page), default=None)
            yield page
            oldest = (page[-1].updated_at or 0) if page else math.inf
            is_last = not entries.size if is_cut else entries.size < PAGE_SIZE
            # Where only the jobs within a page are sorted, one that changed may stand on any page.
            is_deep_enough = is_sorted and limit is not None and (oldest < limit or (not new and oldest < sure))
            if limit is None or is_last or is_deep_enough:
                return newest
        self.is_complete = False
        return newest

    def _page(self, workspace_ids: Sequence[str], limit: int | None, number: int) -> JobReadList:
        filters: JobFilters = {"order_by_field": "updatedAt", "order_by_method": "DESC"}
        if limit is not None:
            filters["updated_at_start"] = datetime.fromtimestamp(max(limit - ANY_TIME_ZONE, 0), tz=UTC).isoformat()
        if self._throttle and (pause := self._throttle.reserve(self._clock.time())):
            self._clock.sleep(pause)
        return self._client.list_jobs_for_workspaces(
            config_types=replication_kinds(self._client),
            workspace_ids=workspace_ids,
            page_size=PAGE_SIZE,
            row_offset=number * PAGE_SIZE,
            **filters,
        )
