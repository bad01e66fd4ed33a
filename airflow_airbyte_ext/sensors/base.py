"""What the sensors share: how a job is shown while it runs, and reported when it has ended."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    BaseSensorOperator,
    conf,
)

from airflow_airbyte_ext.api.arguments import seconds_argument, switch_argument
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import AirbyteJobCancelledError, AirbyteJobFailedError, AirbyteJobTimeoutError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.task import no_retry_for_permanent_errors
from airflow_airbyte_ext.links.airbyte import JOB_LINK_XCOM, AirbyteJobLink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.triggers.base import WaitTrigger

# Seconds.
BACKSTOP = 60.0


@contextmanager
def no_retry_after_failure() -> Iterator[None]:
    """
    Fail for good where no retry can help, and where a job failed: waiting again cannot change that.

    :raises AirflowFailException: Its cause is the Airbyte error.
    """
    try:
        with no_retry_for_permanent_errors():
            yield
    except (AirbyteJobFailedError, AirbyteJobCancelledError) as error:
        raise AirflowFailException(str(error)) from error


class AirbyteSensor(CheckedArguments, BaseSensorOperator):
    """
    Waits for a job of Airbyte.

    :param airbyte_conn_id: The Airflow Connection that points at Airbyte. (templated)
    :param deferrable: Wait in the triggerer after a first poll in the worker; `poke_interval` and `timeout` hold there
        too.
    :param poll_error_timeout: Seconds, or a timedelta, for which Airbyte may be unreadable before the sensor fails.
        (templated)
    """

    template_fields: Sequence[str] = ("airbyte_conn_id", "poll_error_timeout")
    argument_checks: ClassVar = {"deferrable": switch_argument, "poll_error_timeout": seconds_argument}
    operator_extra_links = (AirbyteJobLink(),)
    ui_color = "#e8e4ff"

    def __init__(
        self,
        *,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_error_timeout: float | timedelta = 600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.airbyte_conn_id = airbyte_conn_id
        self.deferrable = deferrable
        self.poll_error_timeout = poll_error_timeout

    def _client(self) -> AirbyteClient:
        """Return this process's client."""
        if not hasattr(self, "_airbyte"):
            self._airbyte = AirbyteConfigHook(self.airbyte_conn_id).client
        return self._airbyte

    def _show(self, job_id: int, connection_id: str | None, context: Context) -> None:
        """Push the job's id and address once, so that both are there while the job runs."""
        from airflow_airbyte_ext.jobs.report import job_page

        if getattr(self, "job_page", ""):
            return
        context["ti"].xcom_push(key="job_id", value=job_id)
        if page := job_page(self._client(), connection_id=connection_id or "", job_id=job_id):
            self.job_page = page
            context["ti"].xcom_push(key=JOB_LINK_XCOM, value=page)

    def _finish(self, job_id: int, context: Context) -> dict[str, Any]:
        """Report a job that has ended, and return the XCom; fail where it did not end well."""
        from airflow_airbyte_ext.jobs.report import read_report, summary_lines, why_nothing_moved

        report = read_report(self._client(), job_id, attached=True, poll_error_timeout=self._poll_error_timeout())
        self._show(report.job_id, report.connection_id, context)
        for line in summary_lines(report):
            self.log.info("%s", line)
        reason = why_nothing_moved(self._client(), report)
        if error := report.error():
            raise AirflowFailException(f"{error} {reason}".rstrip()) from error
        if reason:
            self.log.warning("%s", reason)
        return report.as_dict()

    def _defer_to(self, trigger: type[WaitTrigger], **arguments: Any) -> Any:
        """
        Wait in the triggerer, and go on with `execute_complete`.

        :param arguments: What the trigger takes beside how it polls.
        """
        from airflow_airbyte_ext.triggers.base import earliest_resume

        wait = trigger(
            airbyte_conn_id=self.airbyte_conn_id,
            poll_interval=max(self.poke_interval, 0.1),
            deadline=SYSTEM_CLOCK.time() + self.timeout,
            poll_error_timeout=self._poll_error_timeout(),
            not_before=earliest_resume(),
            **arguments,
        )
        # Airflow's own time-out is the backstop, should the triggerer be gone when the trigger's deadline passes.
        return self.defer(
            trigger=wait, method_name="execute_complete", timeout=timedelta(seconds=self.timeout + BACKSTOP)
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> dict[str, Any]:
        """Go on after the triggerer's wait."""
        self.job_page = ""
        from airflow_airbyte_ext.triggers.base import raise_for_event

        try:
            with no_retry_after_failure():
                raise_for_event(event)
        except AirbyteJobTimeoutError as error:
            raise AirflowSensorTimeout(str(error)) from error
        return self._finish(int((event or {})["job_id"]), context)

    def _poll_error_timeout(self) -> float:
        return seconds_argument("poll_error_timeout", self.poll_error_timeout)
