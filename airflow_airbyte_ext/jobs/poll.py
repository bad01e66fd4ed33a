"""Waiting for a job: poll by poll, with a clock and a deadline, and tolerant of polls that fail."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteJobNotFoundError,
    AirbyteJobTimeoutError,
    AirbyteNotFoundError,
    AirbytePermissionError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteStatusError,
)
from airflow_airbyte_ext.jobs.outage import DEFAULT_POLLING, Outage, Polling
from airflow_airbyte_ext.jobs.reader import REFRESH, RESET, SYNC, JobReader
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.exceptions import AirbyteError

log = logging.getLogger(__name__)

# The first poll is soon; then the time between two polls grows with the time that the job runs already.
MIN_POLL_INTERVAL = 1.0
SHARE_OF_AGE = 0.1
# When a deadline has passed the job is read once more, which may take so long.
FINAL_POLL_TIMEOUT = 5.0


class JobWatch:
    """
    Watches one job, poll by poll; the caller waits in between, in a thread or in an event loop.

    :param client: Reads. Once the job has been seen each poll tries once, since the next poll is the second try.
    :param job_id: The job.
    :param connection_id: Its connection, where known.
    :param polling: How it polls.
    :param clock: Says how long polls have been failing.
    :param seen: Whether this server is known to have the job.
    :param failing_since: Epoch seconds since which polls have been failing; None where they do not.
    :param warn: Called now and then with a message, while polls fail.
    """

    def __init__(
        self,
        client: AirbyteClient,
        job_id: int,
        *,
        clock: Clock = SYSTEM_CLOCK,
        connection_id: str | None = None,
        polling: Polling = DEFAULT_POLLING,
        seen: bool = False,
        failing_since: float | None = None,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        self._reader = JobReader(client.without_retries() if seen else client, job_id, connection_id=connection_id)
        self._outage = Outage(
            f"The status of job {job_id}",
            "The job itself",
            polling=polling,
            clock=clock,
            since=failing_since,
            job_id=job_id,
            connection_id=connection_id or "",
            warn=warn,
        )
        self._seen = seen
        self.trouble: AirbyteApiError | None = None
        """Why the last poll failed."""
        self._status: str | None = None
        self._where = client.settings.base_url

    def poll(self) -> JobRead | None:
        """
        Read the job once. None means that the poll failed, and that the next one may succeed.

        :raises AirbyteJobNotFoundError: This server does not know the job.
        :raises AirbyteJobStatusUnavailableError: Polls have been failing for too long.
        :raises AirbyteApiError: The very first read was refused for a reason that will not pass.
        """
        try:
            job = self._reader.read()
        except AirbyteApiError as error:
            self.trouble = error
            self.record(error)
            return None
        if job is None:
            raise self._not_found()
        return self.take(job)

    def take(self, job: JobRead) -> JobRead:
        """
        Take the job as it was just read, here or in a list of many.

        :raises AirbyteJobNotFoundError: It is no job that could be waited for.
        """
        if job.config_type not in (None, SYNC, RESET, REFRESH, "clear"):
            raise AirbyteJobNotFoundError(
                f"Job {job.id} of {self._where} is a {job.config_type!r} job, not one that moves or resets data. "
                "Give the id that a sync or reset returned.",
                job_id=job.id,
            )
        if not self._seen:
            self._seen = True
            self._reader.client = self._reader.client.without_retries()
        self._status = job.status
        self.readable()
        return job

    @property
    def failing_since(self) -> float | None:
        """Epoch seconds since which polls have been failing; None where they do not."""
        return self._outage.since

    def readable(self) -> None:
        """Note that the job can be read."""
        self.trouble = None
        self._outage.end()

    def pause(self) -> float:
        """
        Return the seconds to wait before the next poll: the interval, or longer where the server wants that.

        :raises AirbyteJobTimeoutError: The deadline has passed.
        """
        pause = self._outage.pause()
        if pause is not None:
            return pause
        job_id = self._reader.job_id
        raise AirbyteJobTimeoutError(
            f"Timed out waiting for job {job_id} (still {self._status or 'unreadable'}). Increase the time, or check "
            "the job in Airbyte.",
            job_id=job_id,
            connection_id=self._reader.connection_id or "",
        )

    def record(self, error: AirbyteApiError) -> None:
        """
        Note that a poll has failed.

        :raises AirbyteError: It was one too many; see `poll`.
        """
        if not self._seen:
            if isinstance(error, AirbyteNotFoundError | AirbytePermissionError) or self._is_unknown(error):
                raise self._not_found() from error
            if not error.retryable or isinstance(error, AirbyteResponseError):
                raise error
        elif self._is_listed_no_more(error):
            raise self._not_found() from error
        self._outage.record(error)

    def _is_listed_no_more(self, error: AirbyteApiError) -> bool:
        """An Airbyte that was set up again returns 500 for a job that it had; its list of jobs says more."""
        if self._reader.connection_id is None or not isinstance(error, AirbyteStatusError) or error.http_status != 500:
            return False
        try:
            return self._reader.listed() is None
        except AirbyteApiError:
            return False

    def _is_unknown(self, error: AirbyteApiError) -> bool:
        """Airbyte returns 500 for a job that it does not know, and when it is ill: so its health is read."""
        if not isinstance(error, AirbyteServerError) or error.http_status != 500:
            return False
        try:
            return bool(self._reader.client.get_health_check().available)
        except AirbyteApiError:
            return False

    def _not_found(self) -> AirbyteJobNotFoundError:
        job_id = self._reader.job_id
        advice = (
            "It had it: was this Airbyte reset or restored? A retry starts a new job."
            if self._seen
            else "Check the id, and that the Airflow Connection points at the Airbyte that runs the job."
        )
        error = AirbyteJobNotFoundError(
            f"{self._where} has no job {job_id}, or does not let these credentials see it. {advice}",
            job_id=job_id,
            connection_id=self._reader.connection_id or "",
        )
        error.retryable = self._seen
        return error


@dataclass(eq=False, slots=True)
class JobWait:
    """
    One wait for one job.

    :param job_id: The job.
    :param on_end: Called once, in some thread: with the job as it ended, or with the error that ended the wait.
    :param connection_id: Its Airbyte connection, where known.
    :param workspace_id: Its workspace, where known: jobs of known workspaces are read together.
    :param updated_at: When it had last changed when it was last seen, in the server's epoch seconds.
    :param seen: Whether this Airbyte is known to have the job.
    :param polling: How it polls; at first more often than its interval.
    :param on_change: Called, in some thread, when its status has changed.
    :param warn: Called, now and then, with the news that the job cannot be read.
    """

    job_id: int
    on_end: Callable[[JobRead | AirbyteError], None]
    connection_id: str | None = None
    workspace_id: str | None = None
    updated_at: int | None = None
    seen: bool = True
    polling: Polling = DEFAULT_POLLING
    on_change: Callable[[JobRead], None] = lambda _job: None
    warn: Callable[[str], None] = log.warning
    watch: JobWatch = field(init=False)
    started_at: float = field(init=False, default=0.0)
    due_at: float = field(init=False, default=0.0)
    read_at: float = field(init=False, default=0.0)
    # Whether every change of the job from now on will be in the list.
    is_listed: bool = field(init=False, default=False)
    # Since when a read of it is on its way; 0 where none is.
    requested_at: float = field(init=False, default=0.0)
    status: str | None = field(init=False, default=None)
    lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def warn_safely(self, message: str) -> None:
        """Report that the job cannot be read."""
        call_safely(self.warn, message)

    def interval(self, now: float) -> float:
        """Return the seconds between two polls: few for a job that has just begun, more for one that runs for long."""
        return min(self.polling.poll_interval, max(MIN_POLL_INTERVAL, SHARE_OF_AGE * (now - self.started_at)))

    def is_over(self, now: float) -> bool:
        """Whether the deadline has passed."""
        return self.polling.deadline is not None and self.polling.deadline <= now

    def is_hopeless(self, now: float, responded_at: float) -> bool:
        """Whether the last poll after the deadline has had its time: Airbyte, which last responded then, hangs."""
        return (
            now - max(self.polling.deadline or 0.0, self.started_at, self.requested_at or responded_at)
            >= FINAL_POLL_TIMEOUT
        )


def call_safely(callback: Callable[..., None], *arguments: object) -> None:
    """Call what is not ours; its mistakes are nobody else's."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("A callback of a wait failed.")


def poll_job(
    client: AirbyteClient,
    job_id: int,
    *,
    clock: Clock = SYSTEM_CLOCK,
    connection_id: str | None = None,
    polling: Polling = DEFAULT_POLLING,
    seen: bool = True,
) -> Iterator[JobRead]:
    """
    Yield the job after each poll that could read it, until it has ended: succeeded, failed or cancelled.

    :param polling: How often, until when, and for how long polls may fail.
    :param seen: Whether this server is known to have the job; one that it never had is an error soon.
    :raises AirbyteJobTimeoutError: The deadline has passed; the job goes on.
    :raises AirbyteJobStatusUnavailableError: Polls have failed for too long.
    :raises AirbyteJobNotFoundError: This server does not know the job.
    """
    watch = JobWatch(client, job_id, connection_id=connection_id, polling=polling, clock=clock, seen=seen)
    while True:
        if job := watch.poll():
            yield job
            if JobStatus.of(job.status).is_terminal:
                return
        clock.sleep(watch.pause())


def wait_for_job(client: AirbyteClient, job_id: int, **how: Any) -> JobRead:
    """Wait until the job has ended, and return it as it ended; see `poll_job`."""
    return deque(poll_job(client, job_id, **how), maxlen=1)[0]
