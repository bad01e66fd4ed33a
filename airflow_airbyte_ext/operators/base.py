"""What all operators that run a job share: one job per task, waited for, reported on, and ended with the task."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, conf

from airflow_airbyte_ext.api.arguments import one_of, optional, seconds_argument, switch_argument
from airflow_airbyte_ext.api.clock import KillableClock
from airflow_airbyte_ext.exceptions import AirbyteJobNotFoundError, AirbyteJobTimeoutError
from airflow_airbyte_ext.hooks.target import ConnectionTask
from airflow_airbyte_ext.hooks.task import no_retry_for_permanent_errors
from airflow_airbyte_ext.links.airbyte import AirbyteJobLink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.jobs.submit import JobSubmitter
    from airflow_airbyte_ext.operators.job_run import JobRun

LOG_CHOICES = ("never", "on_failure", "always")


class AirbyteJobOperator(ConnectionTask):
    """
    Runs one job of an Airbyte connection; the operators of `operators.airbyte` say which.

    Other arguments are those of `ConnectionTask`.

    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two polls. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most, in each try: for a job that is in the way, and then
        for its own; None waits as long as they run. (templated)
    :param poll_error_timeout: Seconds, or a timedelta, for which the job's status may be unreadable before the task
        fails. (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    :param log_attempts: Put Airbyte's log of the job's attempts into the task log: "never", "on_failure" (the last
        lines) or "always" (while the job runs; when deferred, at its end). (templated)
    """

    template_fields: Sequence[str] = (
        *ConnectionTask.template_fields,
        "poll_interval",
        "wait_timeout",
        "poll_error_timeout",
        "if_running",
        "log_attempts",
    )
    argument_checks: ClassVar = {
        **ConnectionTask.argument_checks,
        "wait_for_completion": switch_argument,
        "deferrable": switch_argument,
        "poll_interval": seconds_argument,
        "wait_timeout": optional(seconds_argument),
        "poll_error_timeout": seconds_argument,
        "cancel_on_kill": switch_argument,
        "cancel_on_timeout": switch_argument,
        "log_attempts": one_of(*LOG_CHOICES),
    }
    operator_extra_links = (AirbyteJobLink(),)
    job_kind = ""
    ui_color = "#e8e4ff"

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 10.0,
        wait_timeout: float | timedelta | None = None,
        poll_error_timeout: float | timedelta = 600.0,
        if_running: str,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        log_attempts: str = "never",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.poll_error_timeout = poll_error_timeout
        self.if_running = if_running
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.log_attempts = log_attempts

    @abstractmethod
    def submitter(self, run: JobRun) -> JobSubmitter:
        """Return what finds or starts the job."""

    def before_submission(self, run: JobRun) -> bool:  # noqa: ARG002
        """Do what must be done when no job runs, before ours is submitted; return whether that may take a while."""
        return False

    @property
    def outcome_choices(self) -> dict[str, Any]:
        """What the task makes of the end of its job: the arguments of an `OutcomePolicy`."""
        return {"log_attempts": self.log_attempts, "poll_error_timeout": self.seconds("poll_error_timeout")}

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and, if requested, wait for its end; return the XCom described in docs/operators.md."""
        return self._run(context)

    def _run(self, context: Context, **progress: Any) -> dict[str, Any]:
        clock = self._clock = KillableClock()  # first, since a kill may come at any time
        from airflow_airbyte_ext.operators.job_run import JobRun

        with no_retry_for_permanent_errors():
            self.check_rendered()
            self._job_run = JobRun(self, context, clock, **progress)
            with self._job_run as run:
                run.resume_or_submit()
                run.publish()
                if not self.wait_for_completion:
                    return run.summary()
                if self.deferrable and not run.ends_soon():
                    run.defer()
                return run.wait()

    def execute_after_another(
        self,
        context: Context,
        event: dict[str, Any] | None,
        deadline: float | None,
        connection_id: str,
        **progress: Any,
    ) -> dict[str, Any]:
        """Go on after the triggerer's wait for a job of somebody else, however that one ended; see `JobRun`."""
        from airflow_airbyte_ext.triggers.base import raise_for_event

        with no_retry_for_permanent_errors():
            try:
                raise_for_event(event)
                if deadline is not None and deadline <= time.time():
                    raise AirbyteJobTimeoutError("The job that was in the way took all the time; nothing was started.")
            except AirbyteJobNotFoundError as error:  # then it is in nobody's way
                self.log.info("%s", error)
            except AirbyteJobTimeoutError as error:
                if (progress.get("record") or {}).get("is_stored"):
                    from airflow_airbyte_ext.jobs.submit import REFRESH_IS_STORED

                    error.args = (f"{error} {REFRESH_IS_STORED}",)
                self.raise_timeout(error)
        return self._run(context, deadline=deadline, connection_id=connection_id, **progress)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None,
        attached: bool = False,
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Go on after the triggerer's wait for our job."""
        clock = self._clock = KillableClock()  # first, since a kill may come at any time
        from airflow_airbyte_ext.operators.job_run import JobRun

        with no_retry_for_permanent_errors():
            self.check_rendered()
            run = JobRun(self, context, clock, connection_id=connection_id or str(self.connection_id))
            return run.complete(event, attached=attached)

    def on_kill(self) -> None:
        """
        Let the waiting loop know that the task is being killed.

        Airflow calls this in a signal handler, where any request to it can deadlock, so the loop does the work.
        """
        if clock := getattr(self, "_clock", None):
            clock.kill()

    @property
    def job_page(self) -> str | None:
        """The address of the job's page, where this process knows it."""
        run = getattr(self, "_job_run", None)
        return run.page if run else None

    def seconds(self, name: str) -> float:
        """Return an argument in seconds."""
        return seconds_argument(name, getattr(self, name))

    def raise_timeout(self, error: AirbyteJobTimeoutError) -> NoReturn:
        """Raise what a worker would: Airflow's own error where it is Airflow's own time that is over."""
        own = math.inf if self.wait_timeout is None else self.seconds("wait_timeout")
        if self.execution_timeout is not None and self.execution_timeout.total_seconds() <= own:
            raise AirflowTaskTimeout(str(error)) from error
        raise error
