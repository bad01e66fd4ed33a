"""The one table that says what a job's status means; everybody asks it."""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import lru_cache

log = logging.getLogger(__name__)

MAX_WORD = 50


class JobStatus(StrEnum):
    """The words that Airbyte uses for how a job is doing (0.1 to 2.x)."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    INCOMPLETE = "incomplete"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What a status means for whoever waits for the job."""

    STILL_RUNNING = "still running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self is not Verdict.STILL_RUNNING


# "incomplete" is an attempt that failed: Airbyte tries again, perhaps half an hour later.
VERDICTS = {
    JobStatus.PENDING: Verdict.STILL_RUNNING,
    JobStatus.QUEUED: Verdict.STILL_RUNNING,
    JobStatus.RUNNING: Verdict.STILL_RUNNING,
    JobStatus.INCOMPLETE: Verdict.STILL_RUNNING,
    JobStatus.SUCCEEDED: Verdict.SUCCEEDED,
    JobStatus.FAILED: Verdict.FAILED,
    JobStatus.CANCELLED: Verdict.CANCELLED,
}


def verdict(status: str | None) -> Verdict:
    """Return what a status means. A word that this release of ours does not know means: still running."""
    try:
        return VERDICTS[JobStatus(str(status).lower())]
    except ValueError:
        _warn_once(str(status)[:MAX_WORD])
        return Verdict.STILL_RUNNING


@lru_cache(maxsize=100)
def _warn_once(status: str) -> None:
    log.warning("Airbyte reports a job status that is unknown here, %r: taken as still running.", status)
