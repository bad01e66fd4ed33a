"""What becomes of the job of a task that is killed or out of time, and whether somebody meant the kill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import AirbyteError
from airflow_airbyte_ext.hooks.task import task_state
from airflow_airbyte_ext.jobs.cancel import cancel_job, log_cancellation
from airflow_airbyte_ext.jobs.reader import REFRESH
from airflow_airbyte_ext.operators.earlier_try import earlier_baseline, submitted_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.hooks.task import TaskRecord

log = logging.getLogger(__name__)

# Airflow itself wants this try to go on, or another one after a worker that it had lost sight of.
WANTED_STATES = ("running", "up_for_retry", "scheduled", "queued")
# A job appears some time after the request that starts it; Airflow kills for good five seconds later.
POLLS_FOR_STARTING_JOB = 4
POLL_INTERVAL = 0.7


def user_requested_stop(context: Context) -> bool:
    """
    Whether somebody wanted the task to end, and so its job with it.

    A worker that shuts down, one that Airflow had lost sight of, and an API server that is away are all the same
    from inside. But then Airflow still wants the task, or does not respond; and a retry will search for the job.
    """
    try:
        return task_state(context["ti"]) not in WANTED_STATES
    except Exception as error:  # best effort: whatever fails here, the job is better left running
        log.info("Airflow does not say whether it still wants this task (%s).", type(error).__name__)
        return False


class JobEnding:
    """
    Ends the job of a task that ends before it; a job that somebody else started is never touched.

    Nothing here raises: what ended the task stays the error that is raised.

    :param connect: Returns a client; the task's own may be in the middle of a request.
    :param connection_id: The job's connection.
    :param record: What the task remembers of its job.
    :param kind: The kind of job that the task submits.
    :param cancel_on_kill: Cancel the job when somebody wanted the task to end.
    :param cancel_on_timeout: Cancel the job when the task's time is over.
    """

    def __init__(
        self,
        connect: Callable[[], AirbyteClient],
        connection_id: str,
        record: TaskRecord,
        *,
        kind: str,
        cancel_on_kill: bool,
        cancel_on_timeout: bool,
    ) -> None:
        self._connect = connect
        self._connection_id = connection_id
        self._record = record
        self._kind = kind
        self._cancel_on_kill = cancel_on_kill
        self._cancel_on_timeout = cancel_on_timeout

    def interrupted(self, context: Context, *, timed_out: bool) -> None:
        """
        End the job of a task that is killed or out of time; the response that names the job may still be out.

        :param timed_out: Whether Airflow's `execution_timeout` has passed; otherwise the task is being killed.
        """
        job_id, attached = None, False
        try:
            with self._connect() as client:
                for _ in range(POLLS_FOR_STARTING_JOB):
                    job_id, attached = submitted_job(client, self._connection_id, self._record, kind=self._kind)
                    if job_id is not None or earlier_baseline(self._connection_id, self._record) is None:
                        break
                    SYSTEM_CLOCK.sleep(POLL_INTERVAL)
        except AirbyteError as problem:
            log.error("It is unknown whether a job was started: check Airbyte. %s", problem)
            return
        if job_id is None:
            self._warn_of_stored_refresh()
        elif timed_out:
            self.after_timeout(job_id, attached=attached)
        else:
            self.after_kill(job_id, context, attached=attached)

    def _warn_of_stored_refresh(self) -> None:
        next_run = "the connection's next run, no matter who starts it, is that refresh."
        if self._record.values.get("is_stored"):
            log.warning("Airbyte has stored the refresh: %s", next_run)
        elif self._kind == REFRESH and earlier_baseline(self._connection_id, self._record) is not None:
            log.warning("No job was started. If Airbyte has stored the refresh, %s", next_run)
        else:
            log.info("No job was started.")

    def after_kill(self, job_id: int, context: Context, *, attached: bool) -> None:
        """Cancel the job where somebody wanted the task to end; Airflow may also want it to go on, elsewhere."""
        if not self._cancel_on_kill or attached:
            log.info("Job %s is left running%s.", job_id, ": somebody else started it" if attached else "")
            if user_requested_stop(context):
                self._record.close()
        elif user_requested_stop(context):
            self._cancel(job_id)
            self._record.close()
        else:
            log.info("Airflow still wants this task: job %s is left running for its next try.", job_id)

    def after_timeout(self, job_id: int | None, *, attached: bool) -> None:
        """Cancel the job of a task whose time is over."""
        if job_id is not None and self._cancel_on_timeout and not attached:
            self._cancel(job_id)

    def _cancel(self, job_id: int) -> None:
        log.info("Cancelling job %s.", job_id)
        try:
            with self._connect() as client:
                job = cancel_job(client, job_id, connection_id=self._connection_id)
            log_cancellation(log, job_id, job)
        except AirbyteError as error:
            log.error("Job %s could not be cancelled, and may still run: cancel it in Airbyte. %s", job_id, error)
