"""What all operators that run a job share: one job per task, waited for, reported on, and ended with the task."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf

from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobTimeoutError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.memory import TaskMemory
from airflow_airbyte_ext.hooks.outcomes import failing_at_once_where_retries_are_pointless
from airflow_airbyte_ext.links.airbyte import JOB_LINK_XCOM, AirbyteJobLink
from airflow_airbyte_ext.operators.kill import KillableClock, TaskKilledError, kill_is_meant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.jobs.report import JobReport
    from airflow_airbyte_ext.jobs.submit import Submission


class AirbyteJobOperator(BaseOperator):
    """
    Runs one job of an Airbyte connection; the operators of `operators.airbyte` say which.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a job that runs already. (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    """

    template_fields: Sequence[str] = (
        "connection_id",
        "airbyte_conn_id",
        "poll_interval",
        "wait_timeout",
        "unreadable_timeout",
        "if_running",
    )
    operator_extra_links = (AirbyteJobLink(),)
    if_running_choices: tuple[str, ...] = ()
    job_kind = ""
    ui_color = "#e8e4ff"

    def __init__(
        self,
        *,
        connection_id: str,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 10.0,
        wait_timeout: float | timedelta | None = None,
        unreadable_timeout: float | timedelta = 600.0,
        if_running: str,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self.airbyte_conn_id = airbyte_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.unreadable_timeout = unreadable_timeout
        self.if_running = if_running
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout

    @abstractmethod
    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:
        """Find or start the job; `how` goes to `jobs.submit`."""

    def make_way(self, client: AirbyteClient, clock: Clock, *, spare: str | None = None) -> None:
        """Deal with a job that runs already as `if_running` says, but leave one of the kind `spare` running."""
        from airflow_airbyte_ext.jobs.running import make_way

        how = "wait" if self.if_running == "attach" else self.if_running
        make_way(
            client,
            self._id,
            how=how,
            clock=clock,
            spare=spare,
            poll_interval=self._seconds("poll_interval"),
            deadline=self._deadline(clock),
            unreadable_timeout=self._seconds("unreadable_timeout"),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and, if asked to, wait for its end; return the XCom described in docs/operators.md."""
        self._killed = threading.Event()
        self.job_page = ""
        with failing_at_once_where_retries_are_pointless():
            self._check_arguments()
            clock = KillableClock(self._killed)
            client = AirbyteConfigHook(self.airbyte_conn_id, clock=clock).client
            self.log.info("Airbyte %s at %s for connection %s", client.release(), client.settings.base_url, self._id)
            self._memory = TaskMemory(context)
            try:
                submission = self._find_or_start(client, clock, self._memory)
                self._show(client, submission, context)
                clock.sleep(0)  # a kill during a request is noticed here
            except (TaskKilledError, AirflowTaskTimeout) as error:
                self._end_what_was_submitted(client, context, error)
                raise
            if not self.wait_for_completion:
                from airflow_airbyte_ext.jobs.report import report_of

                return report_of(submission.job, [], adopted=submission.adopted).as_dict()
            deadline = self._deadline(clock)
            if self.deferrable:
                self._defer(submission, deadline)
            return self._wait(client, clock, submission, deadline, context)

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002 (Airflow gives it)
        event: dict[str, Any] | None,
        adopted: bool = False,
    ) -> dict[str, Any]:
        """Go on after the triggerer's wait."""
        from airflow_airbyte_ext.triggers.airbyte import raise_for_event

        with failing_at_once_where_retries_are_pointless():
            self._check_arguments()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            try:
                raise_for_event(event)
            except AirbyteJobTimeoutError as error:
                self._cancel_after_timeout(client, error.job_id, adopted=adopted)
                raise
            return self._finish(client, int((event or {})["job_id"]), adopted=adopted)

    def on_kill(self) -> None:
        """
        Tell the waiting loop that the task is being killed.

        Airflow calls this in a signal handler, where asking it for anything can deadlock, so the loop does the work.
        """
        if killed := getattr(self, "_killed", None):
            killed.set()

    def _check_arguments(self) -> None:
        from airflow_airbyte_ext.api.arguments import choice_argument, uuid_argument

        self._id = uuid_argument("connection_id", self.connection_id)
        choice_argument("if_running", self.if_running, self.if_running_choices)
        for name in (
            "poll_interval",
            "unreadable_timeout",
            *(["wait_timeout"] if self.wait_timeout is not None else []),
        ):
            self._seconds(name)

    def _seconds(self, name: str) -> float:
        from airflow_airbyte_ext.api.arguments import seconds_argument

        return seconds_argument(name, getattr(self, name))

    def _deadline(self, clock: Clock) -> float | None:
        """Return the epoch seconds at which to stop waiting; Airflow leaves deferred time out of execution_timeout."""
        limits = [] if self.wait_timeout is None else [self._seconds("wait_timeout")]
        if self.deferrable and self.execution_timeout is not None:
            limits.append(self.execution_timeout.total_seconds())
        return clock.time() + min(limits) if limits else None

    def _find_or_start(self, client: AirbyteClient, clock: Clock, memory: TaskMemory) -> Submission:
        """Go on with the job of an earlier try, or submit; what a retry needs is kept before each step."""
        from airflow_airbyte_ext.operators.tries import (
            job_of_earlier_try,
            let_cleared_job_end,
            submitted_after,
            surely_nothing_started,
        )

        if submission := job_of_earlier_try(client, self._id, memory):
            self.log.info("Job %s was submitted by an earlier try of this task: going on with it.", submission.job.id)
            return submission
        if self.cancel_on_kill:
            let_cleared_job_end(client, self._id, memory, clock=clock)
        intents: list[int] = []

        def before_start(newest: int) -> None:
            memory.remember(after=newest, connection_id=self._id, job_id=None)
            intents.append(newest)

        after = submitted_after(self._id, memory)
        try:
            submission = self.submit(client, clock=clock, memory=memory, after=after, before_start=before_start)
        except AirbyteError as error:
            if intents and surely_nothing_started(error):
                memory.remember(after=None)  # or the next try would take a job of somebody else for its own
            raise
        memory.remember(job_id=submission.job.id, adopted=submission.adopted, connection_id=self._id)
        if submission.adopted:
            self.log.info("Attached to job %s, which somebody else started and which still runs.", submission.job.id)
        else:
            self.log.info("Submitted job %s (%s).", submission.job.id, submission.job.config_type)
        return submission

    def _show(self, client: AirbyteClient, submission: Submission, context: Context) -> None:
        """Push the job's id and address, so that both are there while the job runs."""
        from airflow_airbyte_ext.jobs.page import job_page

        ti = context["ti"]
        ti.xcom_push(key="job_id", value=submission.job.id)
        if page := job_page(client, connection_id=self._id, job_id=submission.job.id):
            self.job_page = page
            ti.xcom_push(key=JOB_LINK_XCOM, value=page)
            self.log.info("See it at %s", page)

    def _defer(self, submission: Submission, deadline: float | None) -> None:
        from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger

        trigger = AirbyteJobTrigger(
            job_id=submission.job.id,
            airbyte_conn_id=self.airbyte_conn_id,
            connection_id=self._id,
            poll_interval=self._seconds("poll_interval"),
            deadline=deadline,
            unreadable_timeout=self._seconds("unreadable_timeout"),
            cancel_on_kill=self.cancel_on_kill and not submission.adopted,
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"adopted": submission.adopted})

    def _wait(
        self, client: AirbyteClient, clock: Clock, submission: Submission, deadline: float | None, context: Context
    ) -> dict[str, Any]:
        from airflow_airbyte_ext.jobs.wait import wait_for_job

        job_id, adopted = submission.job.id, submission.adopted
        try:
            wait_for_job(
                client,
                job_id,
                clock=clock,
                connection_id=self._id,
                poll_interval=self._seconds("poll_interval"),
                deadline=deadline,
                unreadable_timeout=self._seconds("unreadable_timeout"),
                on_change=lambda job: self.log.info("Job %s: %s", job.id, job.status),
            )
        except TaskKilledError:
            self._after_kill(client, job_id, context, adopted=adopted)
            raise TaskKilledError(f"The task was killed while it waited for job {job_id}.") from None
        except (AirbyteJobTimeoutError, AirflowTaskTimeout):
            self._cancel_after_timeout(client, job_id, adopted=adopted)
            raise
        return self._finish(client, job_id, adopted=adopted)

    def _end_what_was_submitted(self, client: AirbyteClient, context: Context, error: BaseException) -> None:
        """End the job of a task that is killed, or timed out, before it begins to wait: the answer may still be out."""
        from airflow_airbyte_ext.api.client import AirbyteClient
        from airflow_airbyte_ext.operators.tries import submitted_job

        try:
            with AirbyteClient(client.settings) as fresh:
                job_id = submitted_job(fresh, self._id, self._memory, kind=self.job_kind)
        except AirbyteError as problem:
            self.log.error("It is unknown whether a job was started: look in Airbyte. %s", problem)
            return
        adopted = bool(self._memory.record.get("adopted"))
        if job_id is None:
            self.log.info("No job was started.")
        elif isinstance(error, TaskKilledError):
            self._after_kill(client, job_id, context, adopted=adopted)
        else:
            self._cancel_after_timeout(client, job_id, adopted=adopted)

    def _after_kill(self, client: AirbyteClient, job_id: int, context: Context, *, adopted: bool) -> None:
        if not self.cancel_on_kill or adopted:
            self.log.info("Job %s is left running%s.", job_id, ": somebody else started it" if adopted else "")
        elif kill_is_meant(context):
            self._cancel(client, job_id)
            self._memory.forget()
        else:
            self.log.info("Airflow still wants this task: job %s is left running for its next try.", job_id)

    def _cancel_after_timeout(self, client: AirbyteClient, job_id: int | None, *, adopted: bool) -> None:
        if job_id is not None and self.cancel_on_timeout and not adopted:
            self._cancel(client, job_id)

    def _cancel(self, client: AirbyteClient, job_id: int) -> None:
        """Cancel the job as well as can be: what ended the task stays the error that is told."""
        from airflow_airbyte_ext.api.client import AirbyteClient
        from airflow_airbyte_ext.api.clock import SystemClock
        from airflow_airbyte_ext.jobs.cancel import cancel_job
        from airflow_airbyte_ext.jobs.status import verdict

        self.log.info("Cancelling job %s.", job_id)
        try:
            with AirbyteClient(client.settings) as fresh:
                job = cancel_job(fresh, job_id, connection_id=self._id, clock=SystemClock())
            if job and not verdict(job.status).is_final:
                self.log.error("Job %s is %s, and was not cancelled: cancel it in Airbyte.", job_id, job.status)
            else:
                self.log.info("Job %s is %s.", job_id, job.status if job else "gone")
        except AirbyteError as error:
            self.log.error("Job %s could not be cancelled, and may still run: cancel it in Airbyte. %s", job_id, error)

    def _finish(self, client: AirbyteClient, job_id: int, *, adopted: bool) -> dict[str, Any]:
        """Tell how the job ended; raise where that is not a success."""
        from airflow_airbyte_ext.jobs.report import read_report
        from airflow_airbyte_ext.jobs.story import story_of

        report: JobReport = read_report(
            client, job_id, connection_id=self._id, adopted=adopted, patience=self._seconds("unreadable_timeout")
        )
        for line in story_of(report):
            self.log.info("%s", line)
        if error := report.error():
            raise error
        return report.as_dict()
