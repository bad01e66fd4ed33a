"""How many requests one Airbyte is sent: hardly any while it does not respond."""

from __future__ import annotations

import logging
import math
import threading

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteStatusError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.outage import MAX_RETRY_AFTER

log = logging.getLogger(__name__)

READS_PER_SECOND = 50.0
MAX_BACK_OFF = 30.0
# What says that it is not the one job that cannot be read.
DOWN_STATUSES = (429, 502, 503, 504)


def is_down(error: AirbyteApiError) -> bool:
    """Whether an error is of the whole Airbyte, or of the way to it, and may pass."""
    return isinstance(error, AirbyteUnreachableError | AirbyteAuthenticationError) or (
        isinstance(error, AirbyteStatusError) and error.http_status in DOWN_STATUSES
    )


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
