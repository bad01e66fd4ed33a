"""End a job, and only that job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.reader import JobReader, running_job
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

# For a task that is being killed, and for one that has time: a job that is about to run cannot be cancelled before.
PAUSES = (1.0, 2.0, 4.0)
PATIENT_PAUSES = (*PAUSES, 8.0, 15.0, 30.0)

_WHY_NOT_CANCELLED = {
    JobStatus.PENDING: "Airbyte ignores a cancel until the job runs; while it has no worker for it, that may be long",
    JobStatus.QUEUED: "the job waits for a worker, and Airbyte cancels it when it handles it next",
    JobStatus.INCOMPLETE: "before 0.50.12 Airbyte ignores a cancel between two attempts, for up to half an hour",
}


def cancel_job(
    client: AirbyteClient,
    job_id: int,
    *,
    connection_id: str | None,
    clock: Clock = SYSTEM_CLOCK,
    pauses: Sequence[float] = PAUSES,
) -> JobRead | None:
    """
    Cancel the job if it still runs, and return it as it is afterwards; None where the server does not have it.

    Airbyte cancels whatever runs on the job's connection, so what that is is read first; and the result is read
    again, since not every release says so when nothing was cancelled. One that Airbyte does not cancel now is
    returned as it is; see `why_not_cancelled`.

    :param connection_id: The job's connection, where known.
    :param pauses: Seconds to wait after each request that Airbyte ignores.
    :raises AirbyteApiError: Airbyte could not be reached.
    """
    reader = JobReader(client, job_id, connection_id=connection_id)
    job = reader.read()
    for pause in pauses:
        if job is None or JobStatus.of(job.status).is_terminal:
            return job
        active = running_job(client, job.config_id or connection_id or "")
        if active is None or active.id != job_id:
            log.info("Job %s is not the one that runs on its connection now, and is left alone.", job_id)
            return reader.read()
        job = _cancel_and_read(client, reader)
        if job is None or JobStatus.of(job.status).is_terminal:
            return job
        log.info("Job %s is %s after its cancellation was requested; trying again.", job_id, job.status)
        clock.sleep(pause)
    return reader.read()


def why_not_cancelled(status: str | None) -> str:
    """Say why Airbyte does not cancel a job of this status, to follow "it was not cancelled"; nothing if unknown."""
    reason = next((why for known, why in _WHY_NOT_CANCELLED.items() if known == status), "")
    return f": {reason}" if reason else ""


def log_cancellation(log: Any, job_id: int, job: JobRead | None) -> None:
    """
    Log what became of a job that was to be cancelled.

    :param log: The task's or the trigger's logger.
    :param job: What `cancel_job` returned.
    """
    if job and not JobStatus.of(job.status).is_terminal:
        why = why_not_cancelled(job.status)
        log.error("Job %s is %s, and was not cancelled%s. Cancel it in Airbyte.", job_id, job.status, why)
    else:
        log.info("Job %s is %s.", job_id, job.status if job else "gone")


def _cancel_and_read(client: AirbyteClient, reader: JobReader) -> JobRead | None:
    try:
        job = client.cancel_job(id=reader.job_id).job
    except AirbyteApiError as error:
        if not (error.retryable or error.outcome_unknown):
            raise
        # Lost, or refused because the job has just ended: only reading says which.
        log.warning("It is unclear whether job %s was cancelled; reading it. %s", reader.job_id, error)
        return reader.read()
    return job if JobStatus.of(job.status).is_terminal else reader.read()
