"""What to do about a job that occupies the connection already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import AirbyteJobRunningError
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.find import newest_job
from airflow_airbyte_ext.jobs.status import verdict
from airflow_airbyte_ext.jobs.wait import POLL_INTERVAL, UNREADABLE_TIMEOUT, wait_for_job

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)


def make_way(
    client: AirbyteClient,
    connection_id: str,
    *,
    how: str,
    clock: Clock = SYSTEM_CLOCK,
    spare: str | None = None,
    poll_interval: float = POLL_INTERVAL,
    deadline: float | None = None,
    unreadable_timeout: float = UNREADABLE_TIMEOUT,
) -> JobRead | None:
    """
    See to it that no job runs on the connection, and return its newest job; one may start again right afterwards.

    :param how: "wait" for the end of a job that runs, "cancel" it, or "fail".
    :param spare: The kind of job (`configType`) that may run on.
    :param deadline: Epoch seconds at which to stop waiting.
    :param unreadable_timeout: Seconds for which the job that is waited for may be unreadable.
    :raises AirbyteJobRunningError: A job runs, and `how` is "fail"; or it still runs after its cancellation.
    :raises AirbyteJobTimeoutError: It still runs at the deadline.
    """
    while (job := newest_job(client, connection_id)) and not verdict(job.status).is_final:
        if job.config_type == spare:
            break
        running = f"Job {job.id} ({job.config_type}, {job.status}) runs on connection {connection_id}"
        if how == "fail":
            raise AirbyteJobRunningError(
                f'{running}. Nothing was changed. Try again when it has ended, or wait for it (if_running="wait").',
                connection_id=connection_id,
                job_id=job.id,
            )
        if how == "cancel":
            log.info("%s: cancelling it.", running)
            cancel_job(client, job.id, connection_id=connection_id, clock=clock)
            how = "fail"
            continue
        log.info("%s: waiting for its end.", running)
        wait_for_job(
            client,
            job.id,
            clock=clock,
            connection_id=connection_id,
            poll_interval=poll_interval,
            deadline=deadline,
            unreadable_timeout=unreadable_timeout,
        )
    return job
