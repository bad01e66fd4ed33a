"""What all operators that run a job share: one job per task, waited for, reported on, and ended with the task."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout, BaseOperator, conf

from airflow_airbyte_ext.api.arguments import one_of, optional, seconds_argument, switch_argument
from airflow_airbyte_ext.connections.target import TARGET_CHECKS, TARGET_FIELDS, check_target, resolve_connection
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteJobVanishedError,
)
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.memory import TaskMemory
from airflow_airbyte_ext.hooks.outcomes import failing_at_once_where_retries_are_pointless
from airflow_airbyte_ext.links.airbyte import JOB_LINK_XCOM, AirbyteJobLink
from airflow_airbyte_ext.operators.ending import JobEnding
from airflow_airbyte_ext.operators.kill import KillableClock, TaskKilledError
from airflow_airbyte_ext.operators.telling import LOG_CHOICES, LogTeller, Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.jobs.submitter import Submission
    from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger

# A job that ends within these seconds needs no triggerer.
LOOKS_BEFORE_DEFERRAL = 2
LOOK_EVERY = 1.0


class AirbyteJobOperator(CheckedArguments, BaseOperator):
    """
    Runs one job of an Airbyte connection; the operators of `operators.airbyte` say which, and document the arguments.
    """

    template_fields: Sequence[str] = (
        *TARGET_FIELDS,
        "airbyte_conn_id",
        "poll_interval",
        "wait_timeout",
        "unreadable_timeout",
        "if_running",
        "log_attempts",
    )
    argument_checks: ClassVar = {
        **TARGET_CHECKS,
        "wait_for_completion": switch_argument,
        "deferrable": switch_argument,
        "poll_interval": seconds_argument,
        "wait_timeout": optional(seconds_argument),
        "unreadable_timeout": seconds_argument,
        "cancel_on_kill": switch_argument,
        "cancel_on_timeout": switch_argument,
        "log_attempts": one_of(*LOG_CHOICES),
    }
    operator_extra_links = (AirbyteJobLink(),)
    job_kind = ""
    deletes_state = False
    ui_color = "#e8e4ff"

    def __init__(
        self,
        *,
        connection_id: str | None = None,
        connection_name: str | None = None,
        workspace_id: str | None = None,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 10.0,
        wait_timeout: float | timedelta | None = None,
        unreadable_timeout: float | timedelta = 600.0,
        if_running: str,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        log_attempts: str = "never",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_target(connection_id, connection_name, workspace_id)
        self.connection_id = connection_id
        self.connection_name = connection_name
        self.workspace_id = workspace_id
        self.airbyte_conn_id = airbyte_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.unreadable_timeout = unreadable_timeout
        self.if_running = if_running
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.log_attempts = log_attempts

    @abstractmethod
    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:
        """Find or start the job; `how` goes to `jobs.submit`."""

    def make_way(self, client: AirbyteClient, clock: Clock, *, spare: str | None = None) -> JobRead | None:
        """
        Deal with a job that runs already as `if_running` says, and return the newest job.

        :param spare: A kind of job that may run on.
        """
        from airflow_airbyte_ext.jobs.running import make_way, settled

        if self.deletes_state:
            way = partial(self._make_way, client, clock, make_way, spare)
            return settled(client, self._id, way, clock=clock, deadline=self._deadline)
        return self._make_way(client, clock, make_way, spare)

    def _make_way(
        self, client: AirbyteClient, clock: Clock, make_way: Callable[..., JobRead | None], spare: str | None
    ) -> JobRead | None:
        from airflow_airbyte_ext.operators.tries import submitted_after

        if submitted_after(self._id, self._memory) is not None:
            spare = self.job_kind  # ours, whose response has not come
        how = {"attach": "wait", "skip": "fail"}.get(self.if_running, self.if_running)
        if how == "wait" and self.deferrable:
            self._defer_while_another_runs(client, spare)
        return make_way(
            client,
            self._id,
            how=how,
            clock=clock,
            spare=spare,
            poll_interval=self._seconds("poll_interval"),
            deadline=self._deadline,
            unreadable_timeout=self._seconds("unreadable_timeout"),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and, if asked to, wait for its end; return the XCom described in docs/operators.md."""
        return self._run(context)

    def _run(
        self,
        context: Context,
        *,
        deadline: float | None = None,
        connection_id: str | None = None,
        record: dict[str, Any] | None = None,
        followed: int | None = None,
        deferrals: int = 0,
    ) -> dict[str, Any]:
        """
        Run the job.

        :param deadline: Epoch seconds at which to stop waiting, where the task was deferred before it submitted.
        :param connection_id: The connection that its name meant then.
        :param record: What the task remembered then.
        :param followed: The job of a stored reset that it waited for then.
        :param deferrals: How often it has waited for jobs of others.
        """
        self.job_page = ""
        self._workspace_id: str | None = None
        clock = self._clock = KillableClock()
        with failing_at_once_where_retries_are_pointless():
            self.check_rendered()
            self._deadline = deadline or self._time_limit(clock)
            client = AirbyteConfigHook(self.airbyte_conn_id, clock=clock).client
            memory = self._memory = TaskMemory(context)
            memory.record = memory.record or dict(record or {})
            self._followed, self._deferrals = followed, deferrals
            with memory.before_submission():
                self._id = connection_id or self._connection_of_this_task(client, memory)
                where = client.settings.base_url
                self.log.info("Airbyte %s at %s for connection %s", client.release(), where, self._id)
            ending = self._ending(client, memory)
            try:
                submission = self._find_or_start(client, clock, memory)
                self._show(client, submission, context)
                clock.sleep(0)  # a kill during a request is noticed here
                defers = self.wait_for_completion and self.deferrable and not self._ends_at_once(client, submission.job)
            except (TaskKilledError, AirflowTaskTimeout) as error:
                clock.kill()  # or a request that is to be repeated goes on in its thread
                ending.of_submission(context, error)
                raise
            if not self.wait_for_completion:
                from airflow_airbyte_ext.jobs.report import report_of

                return report_of(submission.job, [], adopted=submission.adopted).as_dict()
            if defers:
                self._defer(submission)
            return self._wait(client, clock, submission, ending, context)

    def execute_after_another(
        self,
        context: Context,
        event: dict[str, Any] | None,
        deadline: float | None,
        connection_id: str,
        **progress: Any,
    ) -> dict[str, Any]:
        """Go on after the triggerer's wait for a job of somebody else, however that one ended; see `_run`."""
        from airflow_airbyte_ext.triggers.airbyte import raise_for_event

        is_stored = bool((progress.get("record") or {}).get("is_stored"))
        try:
            with failing_at_once_where_retries_are_pointless():
                raise_for_event(event)
                if deadline is not None and deadline <= time.time():
                    raise AirbyteJobTimeoutError("The job that was in the way took all the time; nothing was started.")
        except AirbyteJobVanishedError as error:
            self.log.info("%s", error)
        except AirbyteJobTimeoutError as error:
            if is_stored:
                from airflow_airbyte_ext.jobs.submitter import REFRESH_IS_STORED

                error.args = (f"{error} {REFRESH_IS_STORED}",)
            self._raise_timeout(error)
        return self._run(context, deadline=deadline, connection_id=connection_id, **progress)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None,
        adopted: bool = False,
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Go on after the triggerer's wait for our job."""
        from airflow_airbyte_ext.api.clock import SystemClock
        from airflow_airbyte_ext.triggers.airbyte import raise_for_event

        with failing_at_once_where_retries_are_pointless():
            self.check_rendered()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            self._id = connection_id or str(self.connection_id)
            try:
                raise_for_event(event)
            except AirbyteJobTimeoutError as error:
                self._ending(client, TaskMemory(context)).after_timeout(error.job_id, adopted=adopted)
                self._raise_timeout(error)
            job_id = int((event or {})["job_id"])
            if self.log_attempts == "always":
                LogTeller(client, job_id, connection_id=self._id, clock=SystemClock()).tell()
            return self._telling.finish(client, job_id, connection_id=self._id, adopted=adopted)

    def on_kill(self) -> None:
        """
        Tell the waiting loop that the task is being killed.

        Airflow calls this in a signal handler, where asking it for anything can deadlock, so the loop does the work.
        """
        if clock := getattr(self, "_clock", None):
            clock.kill()

    def _seconds(self, name: str) -> float:
        return seconds_argument(name, getattr(self, name))

    def _time_limit(self, clock: Clock) -> float | None:
        """Return the epoch seconds at which to stop waiting; Airflow leaves deferred time out of execution_timeout."""
        limits = [] if self.wait_timeout is None else [self._seconds("wait_timeout")]
        if self.deferrable and self.execution_timeout is not None:
            limits.append(self.execution_timeout.total_seconds())
        return clock.time() + min(limits) if limits else None

    def _raise_timeout(self, error: AirbyteJobTimeoutError) -> NoReturn:
        """Raise what a worker would: Airflow's own error where it is Airflow's own time that is over."""
        own = math.inf if self.wait_timeout is None else self._seconds("wait_timeout")
        if self.execution_timeout is not None and self.execution_timeout.total_seconds() <= own:
            raise AirflowTaskTimeout(str(error)) from error
        raise error

    @property
    def _telling(self) -> Telling:
        return Telling(log_attempts=self.log_attempts, patience=self._seconds("unreadable_timeout"))

    def _connection_of_this_task(self, client: AirbyteClient, memory: TaskMemory) -> str:
        """Return the connection's id; a name means what it meant in an earlier try, whatever was renamed since."""
        if self.connection_id is None and (earlier := memory.record.get("connection_id")):
            return str(earlier)
        found = resolve_connection(client, self.connection_id, self.connection_name, self.workspace_id)
        if self.connection_id is None:
            self.log.info("%r is connection %s.", self.connection_name, found)
        return found

    def _find_or_start(self, client: AirbyteClient, clock: KillableClock, memory: TaskMemory) -> Submission:
        from airflow_airbyte_ext.operators.tries import find_or_start

        def submit(**how: Any) -> Submission:
            wait = partial(self._wait_for_another, client, clock)
            return self.submit(client, clock=clock, memory=memory, wait=wait, followed=self._followed, **how)

        try:
            with memory.before_submission():
                return find_or_start(
                    client, self._id, memory, submit=submit, clock=clock, ends_cleared_job=self.cancel_on_kill
                )
        except AirbyteJobRunningError as error:
            if self.if_running == "skip":
                raise AirflowSkipException(f'Skipped, as if_running="skip" asks. {error}') from error
            raise

    def _show(self, client: AirbyteClient, submission: Submission, context: Context) -> None:
        """Push the job's id and address, so that both are there while the job runs."""
        from airflow_airbyte_ext.jobs.page import job_page, workspace_of

        ti = context["ti"]
        ti.xcom_push(key="job_id", value=submission.job.id)
        with suppress(AirbyteApiError):
            self._workspace_id = workspace_of(client, self._id)
        page = job_page(client, connection_id=self._id, job_id=submission.job.id, workspace_id=self._workspace_id)
        if page:
            self.job_page = page
            ti.xcom_push(key=JOB_LINK_XCOM, value=page)
            self.log.info("See it at %s", page)

    def _ends_at_once(self, client: AirbyteClient, job: JobRead) -> bool:
        """Look for a moment whether the job ends; a deferral takes Airflow longer."""
        from airflow_airbyte_ext.jobs.status import verdict
        from airflow_airbyte_ext.jobs.wait import JobWatch

        patience = self._seconds("unreadable_timeout")
        watch = JobWatch(
            client, job.id, clock=self._clock, connection_id=self._id, unreadable_timeout=patience, seen=True
        )
        latest: JobRead | None = job
        for _ in range(LOOKS_BEFORE_DEFERRAL):
            if latest and verdict(latest.status).is_final:
                return True
            self._clock.sleep(LOOK_EVERY)
            latest = watch.poll()
        return latest is not None and verdict(latest.status).is_final

    def _defer(self, submission: Submission) -> None:
        trigger = self._trigger(submission.job, cancel_on_kill=self.cancel_on_kill and not submission.adopted)
        known = {"adopted": submission.adopted, "connection_id": self._id}
        self.defer(trigger=trigger, method_name="execute_complete", kwargs=known)

    def _defer_while_another_runs(self, client: AirbyteClient, spare: str | None) -> None:
        from airflow_airbyte_ext.jobs.find import running_job

        job = running_job(client, self._id)
        if job is None or job.config_type == spare:
            return
        self.log.info("Job %s (%s) runs on this connection: waiting for its end.", job.id, job.config_type)
        self._defer_until_it_ends(job)

    def _defer_until_it_ends(self, job: JobRead, *, followed: int | None = None) -> NoReturn:
        """Wait in the triggerer for a job that comes before ours, and go on with `execute_after_another`."""
        from airflow_airbyte_ext.jobs.running import MAX_WAITED_FOR

        if self._deferrals >= MAX_WAITED_FOR:
            raise AirbyteJobRunningError(
                f"Job {job.id} ({job.config_type}) runs on connection {self._id}, after {self._deferrals} others that "
                "were waited for, one after the other.",
                connection_id=self._id,
                job_id=job.id,
            )
        known = {
            "deadline": self._deadline,
            "connection_id": self._id,
            "record": self._memory.record,
            "followed": followed or self._followed,
            "deferrals": self._deferrals + 1,
        }
        self.defer(trigger=self._trigger(job, cancel_on_kill=False), method_name="execute_after_another", kwargs=known)

    def _wait_for_another(self, client: AirbyteClient, clock: KillableClock, job: JobRead) -> JobRead | None:
        """Wait for a stored reset that Airbyte runs before our job; a kill of the task leaves it alone."""
        from airflow_airbyte_ext.jobs.wait import wait_for_job

        if self.deferrable:
            self._defer_until_it_ends(job, followed=job.id)
        return wait_for_job(
            client,
            job.id,
            clock=clock,
            connection_id=self._id,
            poll_interval=self._seconds("poll_interval"),
            deadline=self._deadline,
            unreadable_timeout=self._seconds("unreadable_timeout"),
        )

    def _trigger(self, job: JobRead, *, cancel_on_kill: bool) -> AirbyteJobTrigger:
        from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger
        from airflow_airbyte_ext.triggers.resume import earliest_resume

        return AirbyteJobTrigger(
            job_id=job.id,
            airbyte_conn_id=self.airbyte_conn_id,
            connection_id=self._id,
            poll_interval=self._seconds("poll_interval"),
            deadline=self._deadline,
            unreadable_timeout=self._seconds("unreadable_timeout"),
            cancel_on_kill=cancel_on_kill,
            workspace_id=self._workspace_id,
            updated_at=job.updated_at,
            not_before=earliest_resume(),
        )

    def _wait(
        self,
        client: AirbyteClient,
        clock: KillableClock,
        submission: Submission,
        ending: JobEnding,
        context: Context,
    ) -> dict[str, Any]:
        from airflow_airbyte_ext.jobs.wait import wait_for_job

        job_id, adopted = submission.job.id, submission.adopted
        teller = LogTeller(client, job_id, connection_id=self._id, clock=clock)
        always = self.log_attempts == "always"
        try:
            wait_for_job(
                client,
                job_id,
                clock=clock,
                connection_id=self._id,
                poll_interval=self._seconds("poll_interval"),
                deadline=self._deadline,
                unreadable_timeout=self._seconds("unreadable_timeout"),
                on_change=lambda job: self.log.info("Job %s: %s", job.id, job.status),
                on_look=teller.while_running if always else lambda _job: None,
            )
            if always:
                teller.tell()
        except TaskKilledError:
            ending.after_kill(job_id, context, adopted=adopted)
            raise TaskKilledError(f"The task was killed while it waited for job {job_id}.") from None
        except (AirbyteJobTimeoutError, AirflowTaskTimeout):
            ending.after_timeout(job_id, adopted=adopted)
            raise
        return self._telling.finish(client, job_id, connection_id=self._id, adopted=adopted)

    def _ending(self, client: AirbyteClient, memory: TaskMemory) -> JobEnding:
        return JobEnding(
            client.another,
            self._id,
            memory,
            kind=self.job_kind,
            cancel_on_kill=self.cancel_on_kill,
            cancel_on_timeout=self.cancel_on_timeout,
        )
