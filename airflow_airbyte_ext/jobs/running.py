"""What to do about a job that runs on the connection already, and about state that one may write after its end."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.connections.access import get_connection_or_explain
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobRunningError, AirbyteJobTimeoutError
from airflow_airbyte_ext.jobs.cancel import PATIENT_PAUSES, cancel_job, why_not_cancelled
from airflow_airbyte_ext.jobs.outage import DEFAULT_POLLING, Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.reader import jobs_of, newest_job, replication_kinds
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

MAX_CANCELLED = 3
MAX_LATE_STATE_WAITS = 3
MAX_WAITED_FOR = 20
# Before it a basic schedule counts from the last run that was not cancelled (docs/airbyte-behaviour.md).
CANCELLED_RUN_COUNTS_SINCE = "1.4.0"

LATE_STATE_SECONDS = 90.0
"""How long after its end a cancelled or failed job may write state: its pod takes up to a minute to close."""

# A short job, such as a reset, may stand before the one that was cancelled.
NEWEST_JOBS = 5


def resolve_running_job(
    client: AirbyteClient,
    connection_id: str,
    *,
    how: str,
    clock: Clock = SYSTEM_CLOCK,
    except_kind: str | None = None,
    polling: Polling = DEFAULT_POLLING,
) -> JobRead | None:
    """
    Do what `how` says about jobs that run, and return the newest job; another may start right afterwards.

    :param how: "wait" for the end of a job that runs, "cancel" it, or "fail".
    :param except_kind: The kind of job (`configType`) that may run on.
    :param polling: How to wait for the end of a job.
    :raises AirbyteJobRunningError: A job runs, and `how` is "fail"; or Airbyte does not cancel it, or runs others after
        it.
    :raises AirbyteJobTimeoutError: It still runs at the deadline.
    """
    met: list[int] = []
    while (job := newest_job(client, connection_id)) and not JobStatus.of(job.status).is_terminal:
        if job.config_type == except_kind:
            break
        running = f"Job {job.id} ({job.config_type}, {job.status}) runs on connection {connection_id}"
        if how == "fail":
            raise AirbyteJobRunningError(
                f'{running}. Nothing was changed. Try again when it has ended, or wait for it (if_running="wait").',
                connection_id=connection_id,
                job_id=job.id,
            )
        if how == "cancel":
            _check_cancelled(client, connection_id, job, met)
            log.info("%s: cancelling it.", running)
            _cancel(client, connection_id, job, clock)
        elif len(met) < MAX_WAITED_FOR:
            log.info("%s: waiting for its end.", running)
            if job.id in met:  # its end was read, and the list does not have it yet
                clock.sleep(polling.poll_interval)
            wait_for_job(
                client,
                job.id,
                clock=clock,
                connection_id=connection_id,
                polling=polling,
            )
        else:
            raise AirbyteJobRunningError(
                f"{running}, after {len(met)} others that were waited for, one after the other. Nothing was changed.",
                connection_id=connection_id,
                job_id=job.id,
            )
        met.append(job.id)
    return job


def settled_job(
    client: AirbyteClient,
    connection_id: str,
    *,
    if_running: str,
    wait_timeout: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> int:
    """
    Return the id of a connection's newest job (0 for none), when none runs or may write state any more.

    :param if_running: What to do while a job of the connection runs: "fail", or "wait" for its end.
    :param wait_timeout: Seconds to wait at most; None waits as long as it takes.
    :raises AirbyteJobRunningError: A job runs.
    :raises AirbyteJobTimeoutError: A job still runs, or may still write state, when `wait_timeout` has passed.
    """
    deadline = None if wait_timeout is None else clock.time() + wait_timeout
    late_state = LateState(client, connection_id, clock=clock, deadline=deadline)
    while True:
        job = resolve_running_job(
            client, connection_id, how=if_running, clock=clock, polling=Polling(deadline=deadline)
        )
        if not late_state.had_to_wait(job):
            return job.id if job else 0


class LateState:
    """
    State that jobs of a connection may still write after their end, waited for before anything deletes or writes state.

    :param client: Reads the connection's jobs.
    :param connection_id: The connection.
    :param clock: Waits.
    :param deadline: Epoch seconds beyond which not to wait.
    """

    def __init__(
        self, client: AirbyteClient, connection_id: str, *, clock: Clock = SYSTEM_CLOCK, deadline: float | None = None
    ) -> None:
        self._client = client
        self._connection_id = connection_id
        self._clock = clock
        self._deadline = deadline
        self._waits = 0
        self._waited_for: JobRead | None = None

    def had_to_wait(self, newest: JobRead | None) -> bool:
        """
        Wait where late state is possible; return whether that took time, so that the newest job must be read again.

        :param newest: The connection's newest job; one that runs is not waited for.
        :raises AirbyteJobTimeoutError: The wait would not be over at the deadline.
        """
        if newest is None or not JobStatus.of(newest.status).is_terminal or self._waits == MAX_LATE_STATE_WAITS:
            return False
        # A server that does not give its time would have the same job waited for again.
        if self._waited_for is not None and self._waited_for.id == newest.id:
            return False
        self._waits, self._waited_for = self._waits + 1, newest
        return wait_for_late_state(self._client, self._connection_id, clock=self._clock, deadline=self._deadline)


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


def _cancel(client: AirbyteClient, connection_id: str, job: JobRead, clock: Clock) -> None:
    ended = cancel_job(client, job.id, connection_id=connection_id, clock=clock, pauses=PATIENT_PAUSES)
    if ended and not JobStatus.of(ended.status).is_terminal:
        raise AirbyteJobRunningError(
            f"Job {job.id} ({job.config_type}) of connection {connection_id} is {ended.status}, and was not cancelled"
            f"{why_not_cancelled(ended.status)}. Try again later, or wait for its end "
            '(if_running="wait").',
            connection_id=connection_id,
            job_id=job.id,
        )


def _check_cancelled(client: AirbyteClient, connection_id: str, job: JobRead, cancelled: list[int]) -> None:
    """Check that to cancel one more job is of use; a schedule may start what was cancelled, again and again."""
    if not cancelled:
        return
    starts_again = _starts_again(client, connection_id)
    if not starts_again and len(cancelled) < MAX_CANCELLED:
        return
    why = (
        "Up to Airbyte 1.3 a basic schedule starts a run that was cancelled again at once: wait for its end "
        '(if_running="wait"), or set the connection to manual first.'
        if starts_again
        else 'Something starts one after the other: wait for them (if_running="wait").'
    )
    error = AirbyteJobRunningError(
        f"Job {', '.join(map(str, cancelled))} of connection {connection_id} was cancelled, and job {job.id} "
        f"({job.config_type}) runs now. {why}",
        connection_id=connection_id,
        job_id=job.id,
    )
    error.retryable = not starts_again
    raise error


def _starts_again(client: AirbyteClient, connection_id: str) -> bool:
    if client.release().is_at_least(CANCELLED_RUN_COUNTS_SINCE):
        return False
    try:
        connection = get_connection_or_explain(client, connection_id)
    except AirbyteError:
        return False
    return connection.schedule_type == "basic" or (connection.schedule_type is None and connection.schedule is not None)
