"""The button on a task that opens its job in Airbyte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

JOB_LINK_XCOM = "airbyte_job_link"


class AirbyteJobLink(BaseOperatorLink):
    """
    Opens the job in Airbyte's web app, from the moment at which the job is known.

    The address is in an XCom: the task pushes it right after submitting, since Airflow calls `get_link` only at the
    task's end.
    """

    name = "Airbyte job"

    @property
    def xcom_key(self) -> str:
        """The XCom that Airflow 3's UI reads the address from."""
        return JOB_LINK_XCOM

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the job's page, or nothing where there is none yet."""
        # In the worker the operator itself knows; elsewhere, and after a deferral, the XCom does.
        known: str | None = getattr(operator, "job_page", None)
        return (XCom.get_value(key=JOB_LINK_XCOM, ti_key=ti_key) or "") if known is None else known
