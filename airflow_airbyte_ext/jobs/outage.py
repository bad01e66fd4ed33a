"""How a wait polls, and how long polls may fail."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteJobStatusUnavailableError, AirbyteStatusError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

POLL_INTERVAL = 10.0
POLL_ERROR_TIMEOUT = 600.0
MAX_RETRY_AFTER = 120.0
WARNING_INTERVAL = 60.0


@dataclass(frozen=True, slots=True)
class Polling:
    """
    How a wait polls.

    :param poll_interval: Seconds between two polls.
    :param deadline: Epoch seconds at which to stop waiting; None waits as long as it takes.
    :param poll_error_timeout: Seconds for which polls may fail.
    """

    poll_interval: float = POLL_INTERVAL
    deadline: float | None = None
    poll_error_timeout: float = POLL_ERROR_TIMEOUT


DEFAULT_POLLING = Polling()


class Outage:
    """
    The time for which polls have been failing; most of the time there is none.

    :param what: What cannot be read, to begin a sentence, such as "The status of job 5".
    :param may_be_fine: What may be fine all the same, such as "The job itself".
    :param polling: For how long polls may fail, and when the next one is.
    :param clock: Says how long they have been failing.
    :param since: Epoch seconds since which they have been failing; None where they do not.
    :param job_id: For the error, where it is about a job.
    :param connection_id: For the error.
    :param warn: Called now and then with a message, while polls fail.
    """

    def __init__(
        self,
        what: str,
        may_be_fine: str,
        *,
        polling: Polling,
        clock: Clock = SYSTEM_CLOCK,
        since: float | None = None,
        job_id: int | None = None,
        connection_id: str = "",
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        self._what = what
        self._may_be_fine = may_be_fine
        self._polling = polling
        self._clock = clock
        self._warn = warn
        self._warned_at = -math.inf
        self._retry_after = 0.0
        self.since = since
        self.job_id = job_id
        self.connection_id = connection_id

    def end(self) -> None:
        """Note that a poll has succeeded."""
        self.since, self._retry_after, self._warned_at = None, 0.0, -math.inf

    def record(self, error: Exception) -> None:
        """
        Note that a poll has failed, whether Airbyte or the way to it is to blame.

        :raises AirbyteJobStatusUnavailableError: Polls have been failing for too long.
        """
        now = self._clock.time()
        self._retry_after = (isinstance(error, AirbyteStatusError) and error.retry_after) or 0.0
        since = self.since = now if self.since is None else self.since
        if now - since >= self._polling.poll_error_timeout:
            self.since = None  # a retry of the task has the whole time again
            raise AirbyteJobStatusUnavailableError(
                f"{self._what} could not be read for {now - since:.0f} s. {self._may_be_fine} may be fine: check it in "
                f"Airbyte. The last response: {error}",
                job_id=self.job_id,
                connection_id=self.connection_id,
            ) from error
        if now - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = now
            self._warn(
                f"{self._what} could not be read since {_time_of_day(since)} UTC; giving up at "
                f"{_time_of_day(since + self._polling.poll_error_timeout)}. {error}"
            )

    def pause(self) -> float | None:
        """Return the seconds until the next poll: the interval, or as long as the server wants; None at the end."""
        wanted = max(self._polling.poll_interval, min(self._retry_after, MAX_RETRY_AFTER))
        left = math.inf if self._polling.deadline is None else self._polling.deadline - self._clock.time()
        return min(wanted, left) if left > 0 else None


def _time_of_day(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%H:%M:%S")
