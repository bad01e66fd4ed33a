"""What the sensors share: how a job is shown while it runs, and reported when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseSensorOperator, conf

from airflow_airbyte_ext.api.arguments import seconds_argument, switch_argument
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.links.airbyte import JOB_LINK_XCOM, AirbyteJobLink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient


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

    def _poll_error_timeout(self) -> float:
        return seconds_argument("poll_error_timeout", self.poll_error_timeout)
