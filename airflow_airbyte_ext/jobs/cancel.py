"""End a job, and only that job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.find import JobReader, running_job
from airflow_airbyte_ext.jobs.status import verdict

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

# Before 0.50.12 Airbyte ignores a cancel between two attempts, and answers as if nothing were wrong.
PAUSES = (1.0, 2.0, 4.0)


def cancel_job(
    client: AirbyteClient, job_id: int, *, connection_id: str | None, clock: Clock = SYSTEM_CLOCK
) -> JobRead | None:
    """
    Cancel the job if it still runs, and return it as it is afterwards; None where the server does not have it.

    Airbyte cancels whatever runs on the job's connection, so it is asked first what that is; and the result is
    read again, since not every release says so when nothing was cancelled.

    :param connection_id: The job's connection, where known.
    :raises AirbyteApiError: Airbyte could not be asked.
    """
    reader = JobReader(client, job_id, connection_id=connection_id)
    job = reader.read()
    for pause in PAUSES:
        if job is None or verdict(job.status).is_final:
            return job
        active = running_job(client, job.config_id or connection_id or "")
        if active is None or active.id != job_id:
            log.info("Job %s is not the one that runs on its connection now, and is left alone.", job_id)
            return reader.read()
        job = _cancel_and_read(client, reader)
        if job is None or verdict(job.status).is_final:
            return job
        log.info("Job %s is %s after its cancellation was asked for; asking again.", job_id, job.status)
        clock.sleep(pause)
    return job


def _cancel_and_read(client: AirbyteClient, reader: JobReader) -> JobRead | None:
    try:
        job = client.cancel_job(id=reader.job_id).job
    except AirbyteApiError as error:
        if not (error.worth_retrying or error.outcome_unknown):
            raise
        # Lost, or refused because the job has just ended: only reading tells.
        log.warning("It is unclear whether job %s was cancelled; looking. %s", reader.job_id, error)
        return reader.read()
    return job if verdict(job.status).is_final else reader.read()
