"""One job over all tries of a task: what a try takes over from those before it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.exceptions import (
    AirbyteJobNotFoundError,
    AirbyteJobTimeoutError,
    AirbyteServerError,
)
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.reader import RESET, STANDS_FOR, JobReader, first_job_after, newest_job, running_job
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.submit import ROUNDING, Baseline, Refused, Stored, Submission, was_there_before

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.hooks.task import EarlierTries, TaskRecord
    from airflow_airbyte_ext.jobs.submit import Step

log = logging.getLogger(__name__)

# How long a task that a user cleared waits for the cancellation of the job of its earlier life.
CANCELLATION_TIME = 120.0


class SubmissionRecord:
    """
    What a submission keeps for the next try of its task, before each step.

    :param client: Says what time it is at the server.
    :param connection_id: The connection.
    :param record: Where it is kept.
    """

    def __init__(self, client: AirbyteClient, connection_id: str, record: TaskRecord) -> None:
        self._client = client
        self._connection_id = connection_id
        self._record = record
        self.baseline = earlier_baseline(connection_id, record)
        """The baseline of an earlier try whose job is not known."""
        self.is_stored = self.baseline is not None and bool(record.values.get("is_stored"))
        """Whether the refresh of that try is stored in Airbyte."""

    def keep(self, step: Step) -> None:
        """Keep what a step says."""
        match step:
            case Baseline(baseline):
                listed_at = self._client.server_time()
                self._record.save(baseline=baseline, connection_id=self._connection_id, job_id=None, attached=False)
                # Not saved: for a kill of this process while the response is out; see `submitted_job`.
                self._record.values["sent"] = [listed_at, self._client.server_time()]
            case Refused():
                # Or the next try would take a job of somebody else for its own; that of an earlier try is still
                # searched for.
                self._record.save(baseline=self.baseline)
            case Stored():
                # Or the next try would store it once more, perhaps after a run has taken it.
                self._record.save(is_stored=True)
            case Submission(job, attached):
                # Logged before it is kept: where Airflow cannot keep it, the log has it.
                if attached:
                    log.info("Attached to job %s, which somebody else started and which still runs.", job.id)
                else:
                    log.info("Submitted job %s (%s).", job.id, job.config_type)
                self._record.save(job_id=job.id, attached=attached, connection_id=self._connection_id, is_stored=False)


def job_of_earlier_try(client: AirbyteClient, connection_id: str, record: TaskRecord) -> Submission | None:
    """Return the job that an earlier try submitted, if it runs or has succeeded; a retry wants a new one otherwise."""
    job_id = record.values.get("job_id")
    if job_id is None or record.values.get("connection_id") != connection_id:
        return None
    log.info("An earlier try of this task submitted job %s: reading its status.", job_id)
    reader = JobReader(client, job_id, connection_id=connection_id)
    try:
        job = reader.read()
    except AirbyteJobNotFoundError as error:
        log.warning("%s", error)
        return None
    except AirbyteServerError:
        # As for a job that an Airbyte had before it was set up again; its list of jobs decides, or fails likewise.
        listed = reader.listed()
        job = listed[0] if listed else None
    if job is None or JobStatus.of(job.status) in (JobStatus.FAILED, JobStatus.CANCELLED):
        return None
    log.info("Job %s was submitted by an earlier try of this task: going on with it.", job.id)
    return Submission(job, attached=bool(record.values.get("attached")))


def job_created_since(
    client: AirbyteClient, connection_id: str, tries: EarlierTries, *, kind: str, clock: Clock
) -> Submission | None:
    """
    Return the job that an earlier try submitted, where Airflow keeps no record of that: by the list of jobs.

    It is the newest job of the connection, of this kind, and was created since then. One that somebody else started in
    that time cannot be distinguished from it.

    :param tries: Since when it may have been created. Where that is only when the DAG run began, a job that has ended
        may be of another task; a reset is taken all the same, since to repeat it would change nothing.
    """
    job = newest_job(client, connection_id)
    if job is None or job.config_type not in STANDS_FOR[kind] or job.created_at is None:
        return None
    server_time = client.server_time()
    ahead = 0.0 if server_time is None else server_time - clock.time()
    status = JobStatus.of(job.status)
    is_wanted = not status.is_terminal or (status is JobStatus.SUCCEEDED and (tries.is_exact or kind == RESET))
    if job.created_at < tries.since + ahead - ROUNDING or not is_wanted:
        return None
    since = "the first try of this task" if tries.is_exact else "this DAG run"
    words = "Job %s (%s) was created after %s began: going on with it as with our own."
    log.info(words, job.id, job.config_type, since)
    return Submission(job, attached=False)


def earlier_baseline(connection_id: str, record: TaskRecord) -> int | None:
    """Return the newest job's id from before a submission whose own job's id was not kept any more."""
    is_unfinished = record.values.get("job_id") is None and record.values.get("connection_id") == connection_id
    return record.values.get("baseline") if is_unfinished else None


def submitted_job(
    client: AirbyteClient, connection_id: str, record: TaskRecord, *, kind: str
) -> tuple[int | None, bool]:
    """
    Return the job that this task submitted, also where its response has not come yet, and whether it is another's.

    The job is None where there is none. One that was there before the request is another's: Airbyte gives a job that
    is pending to everybody.
    """
    baseline = earlier_baseline(connection_id, record)
    if baseline is None:
        return record.values.get("job_id"), bool(record.values.get("attached"))
    job = first_job_after(client, connection_id, baseline, kind=kind)
    if job is None:
        return None, False
    listed_at, sent_at = record.values.get("sent") or (None, None)
    return job.id, was_there_before(job, (listed_at, sent_at))


def let_cleared_job_end(client: AirbyteClient, connection_id: str, record: TaskRecord, *, clock: Clock) -> None:
    """Wait for the job of the task's life before a Clear: its cancellation goes on while this try begins."""
    job_id = record.previous.get("job_id")
    if job_id is None or record.previous.get("attached"):
        return
    job = running_job(client, connection_id)
    if job is None or job.id != job_id:
        return
    log.info("Job %s of this task's run before it was cleared still runs: waiting for its end.", job_id)
    deadline = clock.time() + CANCELLATION_TIME
    try:
        wait_for_job(client, job_id, clock=clock, connection_id=connection_id, polling=Polling(1.0, deadline))
    except AirbyteJobTimeoutError:
        log.info(
            "Job %s still runs after %.0f s and was not cancelled; if_running applies to it.", job_id, CANCELLATION_TIME
        )
