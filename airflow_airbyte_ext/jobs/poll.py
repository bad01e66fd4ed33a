"""Waiting for a job: with a clock and a deadline, and tolerant of polls that fail."""

from __future__ import annotations

import logging
from collections import deque
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
from airflow_airbyte_ext.jobs.outage import POLL_ERROR_TIMEOUT, Outage
from airflow_airbyte_ext.jobs.reader import REFRESH, RESET, SYNC, JobReader
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

POLL_INTERVAL = 10.0


class JobWatch:
    """
    Watches one job, poll by poll; the caller waits in between, in a thread or in an event loop.

    :param client: Reads. Once the job has been seen each poll tries once, since the next poll is the second try.
    :param job_id: The job.
    :param connection_id: Its connection, where known.
    :param poll_error_timeout: Seconds for which polls may fail before the watch gives up.
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
        poll_error_timeout: float = POLL_ERROR_TIMEOUT,
        seen: bool = False,
        failing_since: float | None = None,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        self._reader = JobReader(client.without_retries() if seen else client, job_id, connection_id=connection_id)
        self._outage = Outage(
            f"The status of job {job_id}",
            "The job itself",
            timeout=poll_error_timeout,
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

    def pause(self, poll_interval: float, deadline: float | None) -> float:
        """
        Return the seconds to wait before the next poll: the interval, or longer where the server wants that.

        :param deadline: Epoch seconds at which to stop waiting.
        :raises AirbyteJobTimeoutError: The deadline has passed.
        """
        pause = self._outage.pause(poll_interval, deadline)
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


def poll_job(
    client: AirbyteClient,
    job_id: int,
    *,
    clock: Clock = SYSTEM_CLOCK,
    connection_id: str | None = None,
    poll_interval: float = POLL_INTERVAL,
    deadline: float | None = None,
    poll_error_timeout: float = POLL_ERROR_TIMEOUT,
    seen: bool = True,
) -> Iterator[JobRead]:
    """
    Yield the job after each poll that could read it, until it has ended: succeeded, failed or cancelled.

    :param poll_interval: Seconds between two polls.
    :param deadline: Epoch seconds at which to stop waiting.
    :param poll_error_timeout: Seconds for which polls may fail.
    :param seen: Whether this server is known to have the job; one that it never had is an error soon.
    :raises AirbyteJobTimeoutError: The deadline has passed; the job goes on.
    :raises AirbyteJobStatusUnavailableError: Polls have failed for too long.
    :raises AirbyteJobNotFoundError: This server does not know the job.
    """
    watch = JobWatch(
        client, job_id, connection_id=connection_id, poll_error_timeout=poll_error_timeout, clock=clock, seen=seen
    )
    while True:
        if job := watch.poll():
            yield job
            if JobStatus.of(job.status).is_terminal:
                return
        clock.sleep(watch.pause(poll_interval, deadline))


def wait_for_job(client: AirbyteClient, job_id: int, **how: Any) -> JobRead:
    """Wait until the job has ended, and return it as it ended; see `poll_job`."""
    return deque(poll_job(client, job_id, **how), maxlen=1)[0]
