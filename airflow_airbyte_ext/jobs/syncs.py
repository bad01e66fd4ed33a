"""Syncs of connections, no matter who started them: waiting for one, and the ends of those of many."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.connections.access import connection_problem, get_connection_or_explain
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionLockedError,
    AirbyteError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.jobs.changes import MAX_READ_ONE_BY_ONE, ChangeFeed
from airflow_airbyte_ext.jobs.outage import DEFAULT_POLLING, WARNING_INTERVAL, Outage, Polling
from airflow_airbyte_ext.jobs.reader import RESET, jobs_of, replication_kinds
from airflow_airbyte_ext.jobs.report import report_of, workspace_of
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.throttle import is_down

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.jobs.report import JobReport
    from airflow_airbyte_ext.jobs.throttle import Throttle

log = logging.getLogger(__name__)

PAGE_SIZE = 10
# This many jobs back a success is searched: behind more failures in a row than that it is no news.
MAX_JOBS = 200
# A connection carries its catalog, so whether it still can sync is checked less often than what its jobs do.
CHECK_INTERVAL = 300.0
# Where nothing changes, so often the log says what is waited for.
LOG_INTERVAL = 600.0
NO_SUCCESS = "none has succeeded lately"
# However good the list of all is, each connection's own jobs are read now and then.
SWEEP_INTERVAL = 600.0


def ended_syncs(client: AirbyteClient, connection_id: str, *, most: int = MAX_JOBS) -> Iterator[JobReport]:
    """
    Return a connection's syncs and refreshes that have ended, newest first, however they ended.

    Airbyte runs one job of a connection at a time, so this is the order in which they ended as well.
    """
    return (report for report in _syncs(client, connection_id, most) if JobStatus.of(report.status).is_terminal)


def _syncs(client: AirbyteClient, connection_id: str, most: int = MAX_JOBS) -> Iterator[JobReport]:
    entries = jobs_of(client, connection_id, sync_kinds(client), page_size=PAGE_SIZE, with_all_attempts=True)
    for number, entry in enumerate(entries):
        if number >= most:
            return
        yield report_of(entry.job, entry.attempts, attached=True)


def sync_kinds(client: AirbyteClient) -> Sequence[str]:
    """Return the kinds of job that move data: a reset moves none."""
    return [kind for kind in replication_kinds(client) if kind != RESET]


def ended_at(report: JobReport) -> float:
    """Return when a job ended, in the server's epoch seconds: the end of its last attempt, where it had any."""
    return datetime.fromisoformat(report.ended_at).timestamp() if report.ended_at else 0.0


class SyncPoller:
    """
    Watches a connection, poll by poll, until a sync of it has succeeded; the caller waits in between.

    A poll reads the connection's newest jobs. What the next poll must know, perhaps in another process, is `known`.

    :param connection_id: The connection.
    :param since: Epoch seconds of the server at or after which the sync must have ended; None means the next sync that
        ends, counted from the first poll.
    :param on_failure: "wait" for another sync after one that failed or was cancelled, and where the connection is
        inactive or locked, and warn; or "fail".
    :param polling: How it polls.
    :param clock: Says how long polls have been failing.
    :param known: What an earlier watch knew.
    :param warn: Called with a message about a failure, a connection that nobody can sync, and polls that fail.
    :param info: Called with what is waited for, and what has changed.
    """

    def __init__(
        self,
        connection_id: str,
        *,
        since: float | None,
        on_failure: str = "wait",
        polling: Polling = DEFAULT_POLLING,
        clock: Clock = SYSTEM_CLOCK,
        known: dict[str, Any] | None = None,
        warn: Callable[[str], None] = log.warning,
        info: Callable[[str], None] = log.info,
    ) -> None:
        self.connection_id = connection_id
        self._since = since
        self._on_failure = on_failure
        self._clock = clock
        self._warn = warn
        self._info = info
        known = known or {}
        # The newest job that had ended at the first poll; None before it.
        self._after_job = known.get("after_job")
        # The newest job whose failure has been logged.
        self._reported_job = known.get("reported_job") or 0
        self._checked_at = known.get("checked_at") or -math.inf
        self._outage = Outage(
            f"The jobs of connection {connection_id}",
            "The connection itself",
            polling=polling,
            clock=clock,
            since=known.get("failing_since"),
            connection_id=connection_id,
            warn=warn,
        )
        # What the log says: the connection's name, its newest success, what runs, why it cannot be synced, and when.
        self._name = known.get("name")
        self._newest = known.get("newest")
        self._running = known.get("running")
        self._running_now: int | None = None
        self._problem = known.get("problem")
        self._logged_at = known.get("logged_at")
        self.trouble: AirbyteApiError | None = None
        """Why the last poll failed."""

    @property
    def known(self) -> dict[str, Any]:
        """What a watch in another process must know to go on with this one; JSON-safe."""
        return {
            "after_job": self._after_job,
            "reported_job": self._reported_job,
            "checked_at": None if math.isinf(self._checked_at) else self._checked_at,
            "failing_since": self._outage.since,
            "name": self._name,
            "newest": self._newest,
            "running": self._running,
            "problem": self._problem,
            "logged_at": self._logged_at,
        }

    @property
    def _label(self) -> str:
        return f"connection {self._name!r} ({self.connection_id})" if self._name else f"connection {self.connection_id}"

    @property
    def _wanted(self) -> str:
        if self._since is None:
            return f"the next sync of {self._label}"
        return f"a sync of {self._label} that ended at or after {_utc(self._since)}"

    def summary(self) -> str:
        """Say that no sync has ended as requested, and which one was the newest that succeeded."""
        when = " since the wait began" if self._since is None else f" at or after {_utc(self._since)}"
        return f"No sync of {self._label} has ended well{when}; {self._newest or NO_SUCCESS}."

    def poll(self, client: AirbyteClient) -> int | None:
        """
        Return the id of the newest sync that succeeded as requested; None where there is none, or the poll failed.

        :raises AirbyteConnectionUnusableError: The connection is unknown or was deleted; with "fail" also where it is
            inactive or locked.
        :raises AirbyteJobFailedError: With "fail": a sync failed. A cancelled one is an `AirbyteJobCancelledError`.
        :raises AirbyteJobStatusUnavailableError: Polls have been failing for too long.
        :raises AirbyteApiError: The very first poll was refused for a reason that will not pass.
        """
        # Once there was a response each poll tries once, since the next poll is the second try.
        reader = client.without_retries() if self._after_job is not None else client
        try:
            ended = self._ended_as_requested(reader)
        except AirbyteApiError as error:
            self.record(error)
            return None
        self._outage.end()
        self.trouble = None
        for report in ended:
            if JobStatus.of(report.status) is JobStatus.SUCCEEDED:
                self._info(f"Job {report.job_id} of {self._label} succeeded; it ended at {_utc(ended_at(report))}.")
                return report.job_id
        self._report_failures_of(ended)
        self._check_connection(reader)
        self._log_what_is_waited_for()
        return None

    def _log_what_is_waited_for(self) -> None:
        """Log it at first; then what changes, and now and then that nothing does."""
        now, running = self._clock.time(), self._running_now
        is_due = self._logged_at is None or now - self._logged_at >= LOG_INTERVAL
        if self._logged_at is None or (is_due and not self._problem):
            self._info(f"Waiting for {self._wanted}; {self._newest or NO_SUCCESS}.")
        if running is not None and (self._logged_at is None or running != self._running):
            self._info(f"Job {running} runs.")
        if is_due or running != self._running:
            self._logged_at, self._running = now, running

    def _ended_as_requested(self, client: AirbyteClient) -> list[JobReport]:
        """Return the syncs that ended in the time that is requested, newest first, down to the first success."""
        found: list[JobReport] = []
        self._running_now = self._newest = None
        for number, report in enumerate(_syncs(client, self.connection_id), start=1):
            if not JobStatus.of(report.status).is_terminal:
                self._running_now = max(self._running_now or 0, report.job_id)
                continue
            if self._after_job is None:
                self._after_job = report.job_id
            is_success = JobStatus.of(report.status) is JobStatus.SUCCEEDED
            is_too_old = self._is_too_old(report)
            if not is_too_old:
                found.append(report)
            elif is_success:
                self._newest = f"the newest one that succeeded: job {report.job_id}, ended {_utc(ended_at(report))}"
                self._newest += "" if self._since is None else ", too early"
            # A success that is too old is worth a line in the log, and not worth another request.
            if is_success or (is_too_old and number >= PAGE_SIZE):
                break
        self._after_job = self._after_job or 0
        return found

    def _is_too_old(self, report: JobReport) -> bool:
        if self._since is None:
            return report.job_id <= (self._after_job or 0)
        return ended_at(report) < self._since

    def _report_failures_of(self, failed: list[JobReport]) -> None:
        """Report each failure once; with "fail" the newest one ends the watch."""
        if self._on_failure == "fail" and failed and (error := failed[0].error()):
            raise error
        for report in reversed(failed):
            if report.job_id > self._reported_job:
                self._reported_job = report.job_id
                self._warn(f"{report.error()} Waiting for a sync that succeeds.")

    def _check_connection(self, client: AirbyteClient) -> None:
        """Now and then, make sure that the connection is there and can be synced at all."""
        if self._clock.time() - self._checked_at < CHECK_INTERVAL:
            return
        self._checked_at = self._clock.time()
        try:
            connection = get_connection_or_explain(client, self.connection_id)
        except AirbyteApiError:
            return
        self._name = connection.name or self._name
        is_active = connection.status == "active"
        problem = None if is_active else connection_problem(client, self.connection_id)
        may_pass = isinstance(problem, AirbyteConnectionInactiveError | AirbyteConnectionLockedError)
        if problem and (self._on_failure == "fail" or not may_pass):
            raise problem
        text = None
        if isinstance(problem, AirbyteConnectionInactiveError):
            text = f"{_sentence(self._label)} is inactive, so nothing will sync it; waiting until somebody enables it"
        elif problem:
            text = f"{problem} Nothing will sync it before; waiting until somebody unlocks it"
        if text and (text != self._problem or self._checked_at - (self._logged_at or 0.0) >= LOG_INTERVAL):
            self._warn(f'{text} (on_failure="wait").')
        elif self._problem and is_active:
            self._info(f"{_sentence(self._label)} can be synced again.")
        if text or is_active:
            self._problem = text

    def record(self, error: Exception) -> None:
        """
        Note that a poll has failed, whether Airbyte or the way to it is to blame.

        :raises AirbyteError: It was one too many; see `poll`.
        """
        self.trouble = error if isinstance(error, AirbyteApiError) else None
        is_first = self._after_job is None
        if is_first and isinstance(error, AirbyteError) and not error.retryable:
            raise error
        self._outage.record(error)

    def pause(self) -> float:
        """
        Return the seconds to wait before the next poll: the interval, or longer where the server wants that.

        :raises AirbyteJobTimeoutError: The deadline has passed.
        """
        pause = self._outage.pause()
        if pause is not None:
            return pause
        raise AirbyteJobTimeoutError(
            f"Timed out. {self.summary()} Check the connection's schedule and its last jobs in Airbyte, or increase "
            "the sensor's timeout.",
            connection_id=self.connection_id,
        )


def _utc(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, tz=UTC).isoformat()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


class Cursor(NamedTuple):
    """The newest sync of a connection whose end has been reported; the end is in the server's epoch seconds."""

    job_id: int = 0
    ended_at: float = 0.0

    def after(self, report: JobReport) -> Cursor:
        """Return the cursor when the end of this sync has been reported."""
        return Cursor(report.job_id, ended_at(report))


def ends_after(ended: Sequence[JobReport], cursor: Cursor) -> list[JobReport]:
    """
    Return the syncs that ended after the cursor, oldest first.

    Ids of jobs grow, but for an Airbyte that was set up again or restored: then the time of the end decides.

    :param ended: Newest first.
    """
    began_again = bool(ended) and ended[0].job_id < cursor.job_id
    news = [
        report
        for report in ended
        if (ended_at(report) > cursor.ended_at if began_again else report.job_id > cursor.job_id)
    ]
    return news[::-1]


class SyncFeed:
    """
    Reads which syncs of many connections have ended, poll by poll.

    Where the release lists the jobs of whole workspaces one request says which connections have news, and only their
    jobs are read; elsewhere, and for few connections, the jobs of each are read.

    :param client: Reads, from one thread at a time.
    :param clock: Says when to read each connection all the same.
    :param throttle: Bounds the requests.
    """

    def __init__(self, client: AirbyteClient, *, clock: Clock = SYSTEM_CLOCK, throttle: Throttle | None = None) -> None:
        self.client = client
        self._without_retries = client.without_retries()
        self._clock = clock
        self._throttle = throttle
        self._changes = ChangeFeed(client, clock=clock, throttle=throttle)
        self._workspaces: dict[str, str] = {}
        self._read_at: dict[str, float] = {}
        self._is_due: set[str] = set()
        # Of each connection the job that a list of all showed last.
        self._newest: dict[str, int] = {}
        self._warned_at: dict[str, float] = {}
        self.trouble: AirbyteApiError | None = None
        """Why the last poll could not read all that it wanted."""

    def poll(self, cursors: Mapping[str, Cursor | None], unread: Collection[str] = ()) -> dict[str, list[JobReport]]:
        """
        Return the syncs that have ended, newest first, of each connection whose jobs were read.

        Never raises for Airbyte's sake: what cannot be read now is read by the next poll.

        :param cursors: From where on the ends are wanted, by connection; None for the newest one alone.
        :param unread: Connections that are to be read whether they have news or not.
        """
        found: dict[str, list[JobReport]] = {}
        self.trouble = None
        self._forget_all_but(cursors)
        self._is_due.update(unread)
        try:
            self._note_changes(cursors)
            for connection_id in [id for id in cursors if id in self._is_due or self._is_stale(id)]:
                try:
                    found[connection_id] = self._read(connection_id, cursors[connection_id])
                except AirbyteApiError as error:
                    if is_down(error):
                        raise
                    self.trouble = error
                    self._warn(connection_id, f"The jobs of connection {connection_id} cannot be read.", error)
        except AirbyteApiError as error:
            self.record(error)
        return found

    def record(self, error: AirbyteApiError) -> None:
        """Note that Airbyte could not be read."""
        self.trouble = error
        self._warn("", "Airbyte cannot be read; the next poll tries again.", error)

    def _forget_all_but(self, connection_ids: Collection[str]) -> None:
        watched = {"", *connection_ids}
        self._is_due &= watched
        for known in (self._workspaces, self._read_at, self._newest, self._warned_at):
            for gone in known.keys() - watched:
                del known[gone]

    def _read(self, connection_id: str, cursor: Cursor | None) -> list[JobReport]:
        now = self._clock.time()
        ended: list[JobReport] = []
        if self._throttle and (pause := self._throttle.reserve(now)):
            self._clock.sleep(pause)
        for report in ended_syncs(self._without_retries, connection_id):
            ended.append(report)
            if cursor is None or (report.job_id <= cursor.job_id and ended_at(report) <= cursor.ended_at):
                break
        if connection_id not in self._read_at and (problem := connection_problem(self._without_retries, connection_id)):
            log.warning("%s Until then none of its syncs makes an event.", problem)
        self._read_at[connection_id] = now
        self._is_due.discard(connection_id)
        return ended

    def _note_changes(self, connection_ids: Collection[str]) -> None:
        """Find out which connections are due: all, or those that a list of all jobs shows."""
        if len(connection_ids) <= MAX_READ_ONE_BY_ONE or not self._changes.is_open(self._clock.time()):
            self._is_due.update(connection_ids)
            return
        try:
            self._note_listed_changes(connection_ids)
        except AirbyteApiError as error:
            if is_down(error):
                raise
            self._is_due.update(connection_ids)

    def _note_listed_changes(self, connection_ids: Collection[str]) -> None:
        workspaces = {connection_id: self._workspace(connection_id) for connection_id in connection_ids}
        if not self._changes.has_begun:
            self._is_due.update(connection_ids)
        self._is_due.update(connection_id for connection_id, workspace in workspaces.items() if not workspace)
        newest: dict[str, int] = {}
        for page in self._changes.read(sorted(set(filter(None, workspaces.values())))):
            for job in page:
                if job.config_id in workspaces and JobStatus.of(job.status).is_terminal:
                    newest.setdefault(job.config_id, job.id)
        if not self._changes.is_complete:
            self._is_due.update(connection_ids)
        refused = self._changes.refused
        self._is_due.update(connection_id for connection_id, each in workspaces.items() if each in refused)
        self._is_due.update(id for id, job_id in newest.items() if self._newest.get(id) != job_id)
        self._newest |= newest

    def _workspace(self, connection_id: str) -> str:
        """Return a connection's workspace; nothing where Airbyte does not say."""
        if connection_id not in self._workspaces:
            try:
                self._workspaces[connection_id] = workspace_of(self._without_retries, connection_id) or ""
            except AirbyteApiError as error:
                if is_down(error):
                    raise
                self._workspaces[connection_id] = ""
        return self._workspaces[connection_id]

    def _is_stale(self, connection_id: str) -> bool:
        return self._clock.time() - self._read_at.get(connection_id, -math.inf) >= SWEEP_INTERVAL

    def _warn(self, what: str, message: str, error: AirbyteApiError) -> None:
        now = self._clock.time()
        if now - self._warned_at.get(what, -math.inf) >= WARNING_INTERVAL:
            self._warned_at[what] = now
            log.warning("%s %s", message, error)
