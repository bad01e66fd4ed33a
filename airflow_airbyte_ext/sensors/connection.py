"""A sensor that waits for a connection: for a sync that Airbyte's own schedule, or anybody, has started."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
)

from airflow_airbyte_ext.api.arguments import moment_argument, one_of, optional
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteJobCancelledError,
    AirbyteJobFailedError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.hooks.target import ConnectionTask
from airflow_airbyte_ext.hooks.task import TaskRecord, no_retry_for_permanent_errors
from airflow_airbyte_ext.sensors.base import AirbyteSensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.jobs.syncs import SyncPoller

ON_FAILURE = ("wait", "fail")
# A run that is triggered by hand or by an asset may have no data interval.
RUN_TIME = "{{ dag_run.data_interval_end or dag_run.run_after }}"


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
                if hasattr(self, "_sync_watch"):
                    self.log.warning("%s", self._sync_watch.summary())
                raise
        return self._softly(self._poll_and_defer, context)

    def _poll_and_defer(self, context: Context) -> Any:
        from airflow_airbyte_ext.triggers.base import earliest_resume
        from airflow_airbyte_ext.triggers.connection import AirbyteConnectionTrigger

        if found := self.poke(context):
            return found.xcom_value if isinstance(found, PokeReturnValue) else None
        watch = self._watch(context)
        trigger = AirbyteConnectionTrigger(
            connection_id=watch.connection_id,
            airbyte_conn_id=self.airbyte_conn_id,
            since=self._since(),
            on_failure=self.on_failure,
            poll_interval=max(self.poke_interval, 0.1),
            deadline=SYSTEM_CLOCK.time() + self.timeout,
            poll_error_timeout=self._poll_error_timeout(),
            known=watch.known,
            not_before=earliest_resume(),
        )
        # Airflow's own time-out is the backstop, should the triggerer be gone when the trigger's deadline passes.
        backstop = timedelta(seconds=self.timeout + 60)
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

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

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> dict[str, Any]:
        """Go on after the triggerer's wait."""
        self.job_page = ""
        from airflow_airbyte_ext.triggers.base import raise_for_event

        try:
            self._failing_for_good(lambda: raise_for_event(event))
        except AirbyteJobTimeoutError as error:
            raise AirflowSensorTimeout(str(error)) from error
        assert event
        return self._finish(int(event["job_id"]), context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Check the connection once."""
        watch = self._failing_for_good(lambda: self._watch(context))
        try:
            job_id = self._failing_for_good(lambda: watch.poll(self._client()))
        finally:
            self._remember(watch, context)
        if job_id is None:
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._finish(job_id, context))

    def _watch(self, context: Context) -> SyncPoller:
        """Return this process's watch; in reschedule mode each poll is a process of its own."""
        if not hasattr(self, "_sync_watch"):
            from airflow_airbyte_ext.jobs.outage import Polling
            from airflow_airbyte_ext.jobs.syncs import SyncPoller

            since, poll_error_timeout = self._since(), self._poll_error_timeout()
            self.argument_checks["on_failure"]("on_failure", self.on_failure)
            record = TaskRecord(context).values if self._must_remember() else {}
            if self.completed_after is None and self._is_rescheduled() and context.get("task_state_store") is None:
                raise AirbyteConfigurationError(
                    'completed_after=None with mode="reschedule" needs Airflow 3.3: before, nothing is kept from '
                    'one poll to the next, so the wait would never end. Take mode="poke" or deferrable=True, or '
                    "give completed_after a time."
                )
            # A name is resolved once, so that a later outage does no harm.
            connection_id = record.get("connection_id") or self.find_connection(self._client())
            self._sync_watch = SyncPoller(
                connection_id,
                since=since,
                on_failure=self.on_failure,
                polling=Polling(poll_error_timeout=poll_error_timeout),
                known=self._known_of(record),
                warn=lambda message: self.log.warning("%s", message),
                info=lambda message: self.log.info("%s", message),
            )
        return self._sync_watch

    def _is_rescheduled(self) -> bool:
        return bool(self.reschedule) and not self.deferrable

    def _known_of(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return what an earlier poll knew; the log of a retry begins again."""
        known = dict(record.get("known") or {})
        return known if self._is_rescheduled() else {**known, "logged_at": None, "running": None}

    def _must_remember(self) -> bool:
        """Whether another process has to go on: the next poll when rescheduled, and a retry with "the next sync"."""
        return bool(self.reschedule) or self.completed_after is None

    def _remember(self, watch: SyncPoller, context: Context) -> None:
        """Keep what the next poll, in another process, must know; where nothing is new there is nothing to keep."""
        if not self._must_remember():
            return
        record, new = TaskRecord(context), {"connection_id": watch.connection_id, "known": watch.known}
        if any(record.values.get(name) != value for name, value in new.items()):
            record.save(**new)

    def _since(self) -> float | None:
        return None if self.completed_after is None else moment_argument("completed_after", self.completed_after)

    def _failing_for_good(self, call: Callable[[], Any]) -> Any:
        """Call; what no retry can mend fails the trequest good, and so does a sync that failed, where that matters."""
        try:
            with no_retry_for_permanent_errors():
                return call()
        except (AirbyteJobFailedError, AirbyteJobCancelledError) as error:
            raise AirflowFailException(str(error)) from error
