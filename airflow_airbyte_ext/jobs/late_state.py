"""State that a job may still write after its end."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteJobTimeoutError
from airflow_airbyte_ext.jobs.reader import jobs_of, replication_kinds
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient

log = logging.getLogger(__name__)

LATE_STATE_SECONDS = 90.0
"""How long after its end a cancelled or failed job may write state: its pod takes up to a minute to close."""

# A short job, such as a reset, may stand before the one that was cancelled.
NEWEST_JOBS = 5


def wait_for_late_state(
    client: AirbyteClient, connection_id: str, *, clock: Clock = SYSTEM_CLOCK, deadline: float | None = None
) -> bool:
    """
    Wait until no cancelled or failed job of the connection can write state any more; none may be running.

    Airbyte writes a job's status before the job's pod has closed, and the pod writes the last state that it has when it
    closes, whatever was written meanwhile. Only times of the server are compared; where it does not say what time it
    is, its newest job counts as ended just now.

    :param deadline: Epoch seconds beyond which not to wait.
    :return: Whether there was something to wait for; a job may have started since.
    :raises AirbyteJobTimeoutError: The wait would not be over at the deadline.
    :raises AirbyteApiError: Airbyte could not be reached.
    """
    listed = jobs_of(client, connection_id, replication_kinds(client), page_size=NEWEST_JOBS)
    jobs = [entry.job for entry in itertools.islice(listed, NEWEST_JOBS)]
    now = client.server_time() or max((job.updated_at or 0 for job in jobs), default=0)
    ages = {job.id: max(now - (job.updated_at or now), 0) for job in jobs}
    late = [job for job in jobs if JobStatus.of(job.status) in (JobStatus.CANCELLED, JobStatus.FAILED)]
    last = min(late, key=lambda job: ages[job.id], default=None)
    if last is None or ages[last.id] >= LATE_STATE_SECONDS:
        return False
    seconds = LATE_STATE_SECONDS - ages[last.id]
    why = (
        f"Job {last.id} ({last.config_type}) was {last.status} less than {LATE_STATE_SECONDS:.0f} seconds ago and may "
        "write state once more"
    )
    if deadline is not None and clock.time() + seconds > deadline:
        raise AirbyteJobTimeoutError(
            f"{why}. Nothing was changed. Try again in {seconds:.0f} seconds, or increase wait_timeout.",
            connection_id=connection_id,
            job_id=last.id,
        )
    log.info("%s: waiting for %.0f seconds.", why, seconds)
    clock.sleep(seconds)
    return True
