"""When to poll a job, and how many requests one Airbyte is sent: hardly any while it does not respond."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteStatusError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.outage import MAX_RETRY_AFTER, POLL_ERROR_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.exceptions import AirbyteError
    from airflow_airbyte_ext.jobs.poll import JobWatch

log = logging.getLogger(__name__)

# The first poll is soon; then the time between two polls grows with the time that the job runs already.
MIN_POLL_INTERVAL = 1.0
SHARE_OF_AGE = 0.1
# When a deadline has passed the job is read once more, which may take so long.
FINAL_POLL_TIMEOUT = 5.0
READS_PER_SECOND = 50.0
MAX_BACK_OFF = 30.0
# What says that it is not the one job that cannot be read.
DOWN_STATUSES = (429, 502, 503, 504)


def is_down(error: AirbyteApiError) -> bool:
    """Whether an error is of the whole Airbyte, or of the way to it, and may pass."""
    return isinstance(error, AirbyteUnreachableError | AirbyteAuthenticationError) or (
        isinstance(error, AirbyteStatusError) and error.http_status in DOWN_STATUSES
    )


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
    :param poll_interval: Most seconds between two polls.
    :param deadline: Epoch seconds at which to stop waiting.
    :param poll_error_timeout: Seconds for which polls may fail.
    :param on_change: Called, in some thread, when its status has changed.
    :param warn: Called, now and then, with the news that the job cannot be read.
    """

    job_id: int
    on_end: Callable[[JobRead | AirbyteError], None]
    connection_id: str | None = None
    workspace_id: str | None = None
    updated_at: int | None = None
    seen: bool = True
    poll_interval: float = 10.0
    deadline: float | None = None
    poll_error_timeout: float = POLL_ERROR_TIMEOUT
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
        return min(self.poll_interval, max(MIN_POLL_INTERVAL, SHARE_OF_AGE * (now - self.started_at)))

    def is_over(self, now: float) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and self.deadline <= now

    def is_hopeless(self, now: float, responded_at: float) -> bool:
        """Whether the last poll after the deadline has had its time: Airbyte, which last responded then, hangs."""
        return now - max(self.deadline or 0.0, self.started_at, self.requested_at or responded_at) >= FINAL_POLL_TIMEOUT


def call_safely(callback: Callable[..., None], *arguments: object) -> None:
    """Call what is not ours; its mistakes are nobody else's."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("A callback of a wait failed.")


class Throttle:
    """
    Bounds the requests to one Airbyte, for several threads.

    :param now: Epoch seconds.
    """

    def __init__(self, now: float) -> None:
        self._allowance = READS_PER_SECOND
        self._allowed_at = now
        self._failures = 0
        self._lock = threading.Lock()
        self.quiet_until = -math.inf

    def allowed(self, now: float) -> int:
        """Return how many requests may be sent now; after a failure one, to see whether Airbyte responds again."""
        with self._lock:
            self._refill(now)
            if now < self.quiet_until:
                return 0
            return 1 if self._failures else max(int(self._allowance), 0)

    def is_down(self, now: float) -> bool:
        """Whether Airbyte did not respond, and has not done so again."""
        return self._failures > 0 or now < self.quiet_until

    def take(self, requests: int) -> None:
        """Note that requests are sent."""
        with self._lock:
            self._allowance -= requests

    def reserve(self, now: float) -> float:
        """Take one request that must be sent, and return the seconds to wait before that."""
        with self._lock:
            self._refill(now)
            self._allowance -= 1
            return max(-self._allowance / READS_PER_SECOND, 0.0)

    def succeeded(self) -> bool:
        """Note that Airbyte responded; return whether it did not do so before."""
        with self._lock:
            was_down, self._failures = self._failures > 0, 0
        return was_down

    def failed(self, error: AirbyteApiError, now: float) -> None:
        """Be quiet for as long as Airbyte requests, and longer with each failure; those at one time are one."""
        requested = (isinstance(error, AirbyteStatusError) and error.retry_after) or 0.0
        pause = min(requested, MAX_RETRY_AFTER)
        with self._lock:
            if now >= self.quiet_until:
                self._failures += 1
                pause = max(min(2.0 ** min(self._failures - 1, 10), MAX_BACK_OFF), pause)
            self.quiet_until = max(self.quiet_until, now + pause)

    def _refill(self, now: float) -> None:
        gained = max(now - self._allowed_at, 0.0) * READS_PER_SECOND
        self._allowance = min(READS_PER_SECOND, self._allowance + gained)
        self._allowed_at = now
