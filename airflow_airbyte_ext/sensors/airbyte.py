"""Sensors that wait for Airbyte's jobs, and for its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
)

from airflow_airbyte_ext.api.arguments import job_id_argument, moment_argument, one_of, optional
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
)
from airflow_airbyte_ext.hooks.target import ConnectionTask
from airflow_airbyte_ext.hooks.task import TaskRecord, no_retry_for_permanent_errors
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.sensors.base import AirbyteSensor, no_retry_after_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.jobs.poll import JobWatch
    from airflow_airbyte_ext.jobs.syncs import SyncPoller

__all__ = ["AirbyteConnectionSensor", "AirbyteJobSensor"]

ON_FAILURE = ("wait", "fail")
# A run that is triggered by hand or by an asset may have no data interval, and in Airflow 3 no logical date; in
# Airflow 2 none has a `run_after`.
RUN_TIME = "{{ dag_run.data_interval_end or dag_run.logical_date or dag_run.run_after }}"


class AirbyteConnectionSensor(AirbyteSensor, ConnectionTask):
    """
    Wait until a connection has finished a sync, no matter who started it: Airbyte's schedule, a person, another DAG.

    A sync that began earlier and ended at or after `completed_after` counts, and a refresh counts as a sync, since it
    moves data as well; a reset does not. Returns the XCom that the job operators return, of the newest such job.

    Other arguments are those of `AirbyteSensor` and `ConnectionTask`.

    :param completed_after: An ISO 8601 time with its time zone, or a datetime: a sync that ended successfully at or
        after it. The end of the run's data interval when not given; None means the next sync that ends, from the
        sensor's first poll on. (templated)
    :param on_failure: What to do about a sync that ended after that time and failed or was cancelled, and about a
        connection that is inactive or locked: "wait" for another sync, with a warning, or "fail" without retries.
        (templated)
    """

    template_fields: Sequence[str] = (
        *ConnectionTask.template_fields,
        "poll_error_timeout",
        "completed_after",
        "on_failure",
    )
    argument_checks: ClassVar = {
        **AirbyteSensor.argument_checks,
        **ConnectionTask.argument_checks,
        "completed_after": optional(moment_argument),
        "on_failure": one_of(*ON_FAILURE),
    }

    def __init__(
        self,
        *,
        completed_after: str | datetime | None = RUN_TIME,
        on_failure: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.completed_after = completed_after
        self.on_failure = on_failure
        self.check_parsed()

    def execute(self, context: Context) -> Any:
        """Poll once; then wait in the worker or, when deferrable, in the triggerer."""
        self.job_page = ""
        if not self.deferrable:
            try:
                return super().execute(context)
            except (AirflowSensorTimeout, AirflowSkipException):
                if hasattr(self, "_poller"):
                    self.log.warning("%s", self._poller.summary())
                raise
        return self._softly(self._poll_and_defer, context)

    def _poll_and_defer(self, context: Context) -> Any:
        from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger

        if found := self.poke(context):
            return found.xcom_value if isinstance(found, PokeReturnValue) else None
        poller = self._sync_poller(context)
        return self._defer_to(
            AirbyteConnectionTrigger,
            connection_id=poller.connection_id,
            since=self._since(),
            on_failure=self.on_failure,
            known=poller.known,
        )

    def _softly(self, call: Callable[[Context], Any], context: Context) -> Any:
        """Do what Airflow's sensors do about a failure, where Airflow itself would not."""
        try:
            return call(context)
        except AirflowSkipException:
            raise
        except Exception as error:
            if self.never_fail or (self.soft_fail and isinstance(error, AirflowException)):
                raise AirflowSkipException("Skipping: the sensor is set not to fail.") from error
            raise

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Check the connection once."""
        with no_retry_after_failure():
            poller = self._sync_poller(context)
            try:
                job_id = poller.poll(self._client())
            finally:
                self._remember(poller, context)
        if job_id is None:
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._finish(job_id, context))

    def _sync_poller(self, context: Context) -> SyncPoller:
        """Return this process's poller; in reschedule mode each poll is a process of its own."""
        if not hasattr(self, "_poller"):
            from airflow_airbyte_ext.jobs.outage import Polling
            from airflow_airbyte_ext.jobs.syncs import SyncPoller

            given = self.check_rendered()
            record = TaskRecord(context).values if self._must_remember() else {}
            if self.completed_after is None and self._is_rescheduled() and context.get("task_state_store") is None:
                raise AirbyteConfigurationError(
                    'completed_after=None with mode="reschedule" needs Airflow 3.3: before, nothing is kept from '
                    'one poll to the next, so the wait would never end. Take mode="poke" or deferrable=True, or '
                    "give completed_after a time."
                )
            # A name is resolved once, so that a later outage does no harm.
            connection_id = record.get("connection_id") or self.find_connection(self._client())
            self._poller = SyncPoller(
                connection_id,
                since=given["completed_after"],
                on_failure=self.on_failure,
                polling=Polling(poll_error_timeout=given["poll_error_timeout"]),
                known=self._known_of(record),
                warn=lambda message: self.log.warning("%s", message),
                info=lambda message: self.log.info("%s", message),
            )
        return self._poller

    def _is_rescheduled(self) -> bool:
        return bool(self.reschedule) and not self.deferrable

    def _known_of(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return what an earlier poll knew; the log of a retry begins again."""
        known = dict(record.get("known") or {})
        return known if self._is_rescheduled() else {**known, "logged_at": None, "running": None}

    def _must_remember(self) -> bool:
        """Whether another process has to go on: the next poll when rescheduled, and a retry with "the next sync"."""
        return bool(self.reschedule) or self.completed_after is None

    def _remember(self, poller: SyncPoller, context: Context) -> None:
        """Keep what the next poll, in another process, must know; where nothing is new there is nothing to keep."""
        if not self._must_remember():
            return
        record, new = TaskRecord(context), {"connection_id": poller.connection_id, "known": poller.known}
        if any(record.values.get(name) != value for name, value in new.items()):
            record.save(**new)

    def _since(self) -> float | None:
        return None if self.completed_after is None else moment_argument("completed_after", self.completed_after)


class AirbyteJobSensor(AirbyteSensor):
    """
    Wait until a job has succeeded, such as one that a task submitted without waiting for it.

    A failed or cancelled job, and one that this Airbyte does not know, fail the sensor at once: waiting again cannot
    change them. Returns the XCom that the job operators return.

    Other arguments are those of `AirbyteSensor`.

    :param airbyte_job_id: The job: a number, also as a string; or what the operator that submitted it returned, as in
        `airbyte_job_id=submit.output`. (templated)
    """

    template_fields: Sequence[str] = ("airbyte_job_id", *AirbyteSensor.template_fields)
    argument_checks: ClassVar = {**AirbyteSensor.argument_checks, "airbyte_job_id": job_id_argument}

    def __init__(
        self,
        *,
        airbyte_job_id: int | str | Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.airbyte_job_id = airbyte_job_id
        self.check_parsed()

    def execute(self, context: Context) -> Any:
        """Wait in the worker or, when deferrable, poll once and then wait in the triggerer."""
        self.job_page = ""
        if not self.deferrable:
            return super().execute(context)
        if found := self.poke(context):
            return found.xcom_value if isinstance(found, PokeReturnValue) else None
        from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger

        return self._defer_to(AirbyteJobTrigger, job_id=self._job_id(), seen=False)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Check the job once."""
        with no_retry_for_permanent_errors():
            watch = self._watch(context)
            job = watch.poll()
        if self.reschedule:
            self._remember(context, failing_since=watch.failing_since if job is None else None, seen=job is not None)
        if job is None:
            return False
        self._report(job, context)
        if not JobStatus.of(job.status).is_terminal:
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._finish(self._job_id(), context))

    def _watch(self, context: Context) -> JobWatch:
        """Return this process's watch; in reschedule mode each poll is a process of its own."""
        if not hasattr(self, "_job_watch"):
            from airflow_airbyte_ext.jobs.outage import Polling
            from airflow_airbyte_ext.jobs.poll import JobWatch

            record = TaskRecord(context).values if self.reschedule else {}
            self._job_watch = JobWatch(
                self._client(),
                self._job_id(),
                clock=SYSTEM_CLOCK,
                polling=Polling(poll_error_timeout=self._poll_error_timeout()),
                seen=bool(record.get("seen")),
                failing_since=record.get("failing_since"),
            )
        return self._job_watch

    def _remember(self, context: Context, *, failing_since: float | None, seen: bool) -> None:
        """Keep what the next poll, in another process, must know; where nothing is new there is nothing to keep."""
        record = TaskRecord(context)
        new = {"failing_since": failing_since, "seen": seen or bool(record.values.get("seen"))}
        if new != {
            "failing_since": record.values.get("failing_since"),
            "seen": bool(record.values.get("seen")),
        }:
            record.save(**new)

    def _report(self, job: JobRead, context: Context) -> None:
        if job.status != getattr(self, "_logged_status", None):
            self._logged_status = job.status
            self.log.info("Job %s: %s", job.id, job.status)
            self._show(job.id, job.config_id, context)

    def _job_id(self) -> int:
        return job_id_argument("airbyte_job_id", self.airbyte_job_id)
