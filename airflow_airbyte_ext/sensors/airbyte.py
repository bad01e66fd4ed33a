"""Sensors that wait for Airbyte's jobs, and for its connections."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    PokeReturnValue,
)

from airflow_airbyte_ext.api.arguments import job_id_argument
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import AirbyteJobTimeoutError
from airflow_airbyte_ext.hooks.task import TaskRecord, no_retry_for_permanent_errors
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.sensors.base import AirbyteSensor
from airflow_airbyte_ext.sensors.connection import AirbyteConnectionSensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.jobs.poll import JobWatch

__all__ = ["AirbyteConnectionSensor", "AirbyteJobSensor"]


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
        from airflow_airbyte_ext.triggers.base import earliest_resume

        with no_retry_for_permanent_errors():
            trigger = AirbyteJobTrigger(
                job_id=self._job_id(),
                airbyte_conn_id=self.airbyte_conn_id,
                poll_interval=max(self.poke_interval, 0.1),
                deadline=SYSTEM_CLOCK.time() + self.timeout,
                poll_error_timeout=self._poll_error_timeout(),
                seen=False,
                not_before=earliest_resume(),
            )
        # Airflow's own time-out is the backstop, should the triggerer be gone when the trigger's deadline passes.
        backstop = timedelta(seconds=self.timeout + 60)
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> dict[str, Any]:
        """Go on after the triggerer's wait."""
        self.job_page = ""
        from airflow_airbyte_ext.triggers.base import raise_for_event

        try:
            with no_retry_for_permanent_errors():
                raise_for_event(event)
        except AirbyteJobTimeoutError as error:
            raise AirflowSensorTimeout(str(error)) from error
        return self._finish(self._job_id(), context)

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
