"""
The names and arguments of Airflow's official Airbyte provider, on top of ours: moving here is an import line.

docs/migration.md says what is different, argument by argument.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowException, conf

from airflow_airbyte_ext.api.arguments import choice_argument
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobNotFoundError, AirbyteJobTimeoutError
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteJobSensor as _AirbyteJobSensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.settings import ClientSettings

__all__ = ["AirbyteHook", "AirbyteJobSensor", "AirbyteTriggerSyncOperator"]

DEFAULT_CONN_ID = "airbyte_default"
WEEK = 7 * 24 * 3600.0


def _check_api_version(value: object) -> str:
    """Return the version, which is part of each path of the Config API: there is only one."""
    return choice_argument("api_version", value, ("v1",))


def _check_api_type(value: object) -> str:
    """Return which API it is, an argument of 3.8 and 3.9: this provider speaks only the Config API."""
    return choice_argument("api_type", value, ("config",))


class AirbyteTriggerSyncOperator(AirbyteSyncConnectionOperator):
    """
    Sync an Airbyte connection, with the official operator's arguments; returns the id of the job.

    Takes the arguments of `AirbyteSyncConnectionOperator` too, such as `if_running` and `cancel_on_timeout`.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param airbyte_conn_id: The Airflow Connection that points at Airbyte. (templated)
    :param asynchronous: End when the job is submitted; `AirbyteJobSensor` waits for it.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param api_version: "v1".
    :param api_type: "config".
    :param wait_seconds: Seconds between two polls; when deferrable, too.
    :param timeout: Seconds to wait at most, in each try; then the job is cancelled.
    """

    def __init__(
        self,
        *,
        connection_id: str,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        asynchronous: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        api_version: str = "v1",
        api_type: str = "config",
        wait_seconds: float = 3,
        timeout: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            connection_id=connection_id,
            airbyte_conn_id=airbyte_conn_id,
            wait_for_completion=not asynchronous,
            deferrable=deferrable,
            poll_interval=wait_seconds,
            wait_timeout=timeout,
            **kwargs,
        )
        self.asynchronous = asynchronous
        self.api_version = _check_api_version(api_version)
        self.api_type = _check_api_type(api_type)
        self.wait_seconds = wait_seconds
        self.timeout = timeout

    def execute(self, context: Context) -> int:  # type: ignore[override]
        """Submit the job and, unless `asynchronous`, wait for its end; return its id."""
        return _id_of(self._run(context))

    def execute_after_another(self, *arguments: Any, **named: Any) -> int:  # type: ignore[override]
        """Go on after the triggerer's wait for a job of somebody else."""
        return _id_of(super().execute_after_another(*arguments, **named))

    def execute_complete(self, *arguments: Any, **named: Any) -> int:  # type: ignore[override]
        """Go on after the triggerer's wait for our job."""
        return _id_of(super().execute_complete(*arguments, **named))


class AirbyteJobSensor(_AirbyteJobSensor):
    """
    Wait until a job has succeeded, with the official sensor's arguments.

    :param airbyte_job_id: The job's id. (templated)
    :param airbyte_conn_id: The Airflow Connection that points at Airbyte. (templated)
    :param deferrable: Wait in the triggerer; then `poke_interval` is 5 seconds and `timeout` a week, unless given.
    :param api_version: "v1".
    :param api_type: "config".
    """

    def __init__(
        self,
        *,
        airbyte_job_id: int | str | Mapping[str, Any],
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        api_version: str = "v1",
        api_type: str = "config",
        **kwargs: Any,
    ) -> None:
        own: dict[str, Any] = {"poke_interval": 5, "timeout": WEEK} if deferrable else {}
        super().__init__(
            airbyte_job_id=airbyte_job_id,
            airbyte_conn_id=airbyte_conn_id,
            deferrable=deferrable,
            **{**own, **kwargs},
        )
        self.api_version = _check_api_version(api_version)
        self.api_type = _check_api_type(api_type)


class JobDetails(NamedTuple):
    """
    A job, with the official provider's names.

    :param job_id: Its id.
    :param status: "pending", "running", "incomplete", "succeeded", "failed" or "cancelled".
    :param job_type: What it does, such as "sync" or "reset_connection".
    :param connection_id: Its Airbyte connection; None where Airbyte does not say.
    """

    job_id: int
    status: str
    job_type: str | None
    connection_id: str | None


class AirbyteHook(AirbyteConfigHook):
    """
    Speaks to the Airbyte that an Airflow Connection names, with the official hook's methods.

    Errors are `AirflowException`, as there. What these methods lack, `client` has: every operation of the Config API.

    :param airbyte_conn_id: Airflow Connection of type `airbyte`, or `airbyteconfig`.
    :param api_version: "v1".
    :param api_type: "config".
    :param timeout: Seconds that a request may take, instead of the Connection's.
    """

    default_conn_name = DEFAULT_CONN_ID
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    PENDING = "pending"
    FAILED = "failed"
    ERROR = "error"
    INCOMPLETE = "incomplete"

    def __init__(
        self,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        api_version: str = "v1",
        timeout: float | None = None,
        *,
        api_type: str = "config",
    ) -> None:
        super().__init__(airbyte_conn_id)
        self.api_version = _check_api_version(api_version)
        self.api_type = _check_api_type(api_type)
        self.timeout = timeout

    @cached_property
    def settings(self) -> ClientSettings:
        """The settings that the Airflow Connection holds, with the hook's own `timeout`."""
        settings = super().settings
        return settings if self.timeout is None else settings.model_copy(update={"timeout": float(self.timeout)})

    def submit_sync_connection(self, connection_id: str) -> JobDetails:
        """Start exactly one sync, and return its job."""
        from airflow_airbyte_ext.jobs.kinds import SyncSubmitter

        with _airflow_errors():
            return _details(SyncSubmitter(self.client, connection_id, attach=False).submit().job)

    def submit_reset_connection(self, connection_id: str) -> JobDetails:
        """Start exactly one reset, and return its job; a sync that runs is not cancelled, as Airbyte would."""
        from airflow_airbyte_ext.jobs.kinds import ResetSubmitter

        with _airflow_errors():
            return _details(ResetSubmitter(self.client, connection_id).submit().job)

    def get_job_details(self, job_id: int) -> JobDetails:
        """Return a job as it is now."""
        from airflow_airbyte_ext.jobs.reader import JobReader

        with _airflow_errors():
            return _known(job_id, JobReader(self.client, int(job_id)).read())

    def get_job_status(self, job_id: int) -> str:
        """Return a job's status as it is now."""
        return self.get_job_details(job_id).status

    def wait_for_job(self, job_id: str | int, wait_seconds: float = 3, timeout: float | None = 3600) -> None:
        """
        Wait until a job has succeeded; after `timeout` seconds it is cancelled.

        :raises AirflowException: It failed, was cancelled, or took too long.
        """
        from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
        from airflow_airbyte_ext.jobs.outage import Polling
        from airflow_airbyte_ext.jobs.poll import wait_for_job
        from airflow_airbyte_ext.jobs.report import read_report

        deadline = SYSTEM_CLOCK.time() + timeout if timeout else None
        with _airflow_errors():
            try:
                wait_for_job(self.client, int(job_id), polling=Polling(wait_seconds, deadline), seen=False)
            except AirbyteJobTimeoutError:
                self.cancel_job(int(job_id))
                raise
            if error := read_report(self.client, int(job_id), attached=True).error():
                raise error

    def cancel_job(self, job_id: int) -> JobDetails:
        """Cancel a job if it still runs, and return it as it is then."""
        from airflow_airbyte_ext.jobs.cancel import cancel_job

        with _airflow_errors():
            return _known(job_id, cancel_job(self.client, int(job_id), connection_id=None))


@contextmanager
def _airflow_errors() -> Iterator[None]:
    try:
        yield
    except AirbyteError as error:
        raise AirflowException(str(error)) from error


def _known(job_id: int, job: JobRead | None) -> JobDetails:
    if job is None:
        raise AirbyteJobNotFoundError(f"This Airbyte has no job {job_id}. Check the id, and the Airflow Connection.")
    return _details(job)


def _details(job: JobRead) -> JobDetails:
    return JobDetails(job.id, job.status or "", job.config_type, job.config_id)


def _id_of(report: dict[str, Any]) -> int:
    return int(report["job_id"])
