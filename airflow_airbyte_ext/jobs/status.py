"""What a job's status means, decided once."""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import lru_cache

log = logging.getLogger(__name__)

MAX_WORD = 50


class JobStatus(StrEnum):
    """
    How a job is doing, in Airbyte's words (0.1 to 2.x); a word that is not known here means that it still runs.

    "incomplete" is an attempt that failed: Airbyte tries again, perhaps half an hour later.
    """

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    INCOMPLETE = "incomplete"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)

    @classmethod
    def of(cls, word: str | None) -> JobStatus:
        """Return what Airbyte's word means."""
        found = next((status for status in cls if status.value == str(word).lower()), None)
        if found is None:
            _warn_once(str(word)[:MAX_WORD])
        return found or cls.UNKNOWN


@lru_cache(maxsize=100)
def _warn_once(status: str) -> None:
    log.warning("Airbyte reports a job status that is unknown here, %r: taken as still running.", status)
