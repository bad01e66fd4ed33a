"""One run of a task that runs a job: it resumes or submits the job, publishes it, then waits or defers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn, Self

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

from airflow_airbyte_ext.api.clock import KillableClock, TaskKilledError
from airflow_airbyte_ext.connections.access import get_connection_or_explain
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteNoRecordsError,
)
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.hooks.task import TaskRecord, earlier_tries
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import JobWatch, poll_job, wait_for_job
from airflow_airbyte_ext.jobs.reader import newest_job, running_job
from airflow_airbyte_ext.jobs.report import job_page, report_of, workspace_of
from airflow_airbyte_ext.jobs.running import MAX_WAITED_FOR, LateState, resolve_running_job
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.jobs.submit import Preceded, Prepare, Step, Submission
from airflow_airbyte_ext.links.airbyte import JOB_LINK_XCOM
from airflow_airbyte_ext.operators.earlier_try import (
    SubmissionRecord,
    earlier_baseline,
    job_created_since,
    job_of_earlier_try,
    let_cleared_job_end,
)
from airflow_airbyte_ext.operators.interrupt import JobEnding
from airflow_airbyte_ext.operators.outcome import LogForwarder, OutcomePolicy

if TYPE_CHECKING:
    from types import TracebackType

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.jobs.submit import JobSubmitter
    from airflow_airbyte_ext.operators.base import AirbyteJobOperator
    from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger

# How each `if_running` resolves a job that runs; "attach" does so for jobs of another kind, and the error of "skip"
# becomes a skip.
RESOLUTIONS = {"attach": "wait", "wait": "wait", "cancel": "cancel", "fail": "fail", "skip": "fail"}
# A job that has ended by the last of these polls needs no triggerer.
POLLS_BEFORE_DEFERRAL = 2
POLL_BEFORE_DEFERRAL_INTERVAL = 1.0


class JobRun:
    """
    One run of a task: what it knows of its job, from the submission to the end.

    As a context manager it decides what becomes of the job when the task is killed or out of time.

    :param operator: Whose arguments say what to do.
    :param context: The task's context.
    :param clock: Ends all waiting when the task is killed.
    :param deadline: Epoch seconds at which to stop waiting, where the task was deferred before it submitted.
    :param connection_id: The connection that its name meant then.
    :param record: What the task remembered then.
    :param followed: The job of a stored reset that it waited for then.
    :param deferrals: How often it has waited for jobs of others.
    """

    def __init__(
        self,
        operator: AirbyteJobOperator,
        context: Context,
        clock: KillableClock,
        *,
        deadline: float | None = None,
        connection_id: str | None = None,
        record: dict[str, Any] | None = None,
        followed: int | None = None,
        deferrals: int = 0,
    ) -> None:
        self.operator = operator
        self.context = context
        self.clock = clock
        self.client = AirbyteConfigHook(operator.airbyte_conn_id, clock=clock).client
        self.record = TaskRecord(context)
        self.record.values = self.record.values or dict(record or {})
        self.connection_id = connection_id or ""
        self.page = ""
        self._deadline = deadline or self._time_limit()
        self._followed = followed
        self._deferrals = deferrals
        self._workspace_id: str | None = None
        self._submission: Submission | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        submission = self._submission
        timed_out = isinstance(error, AirflowTaskTimeout)
        # A kill raises our clock's error, or Airflow 2's own, which goes on as it is: after ours, Airflow would retry.
        if timed_out or (error is not None and self.clock.is_killed):
            self.clock.kill()  # or a request that is sent again goes on in its thread
            self._ending().interrupted(self.context, timed_out=timed_out)
            if isinstance(error, TaskKilledError) and submission:
                raise TaskKilledError(f"The task was killed while it waited for job {submission.job.id}.") from None
        elif isinstance(error, AirbyteJobTimeoutError) and submission:
            self._ending().after_timeout(submission.job.id, attached=submission.attached)
        elif isinstance(error, AirbyteNoRecordsError):
            self.record.close()  # or a retry would judge the same job again

    # -- the job ----------------------------------------------------------------------------------------

    def resume_or_submit(self) -> None:
        """Go on with the job of an earlier try, or submit one; what a retry needs is kept before each step."""
        try:
            with self.record.before_submission():
                self.connection_id = self.connection_id or self._connection_of_this_task()
                where = self.client.settings.base_url
                words = "Airbyte %s at %s for connection %s"
                self.operator.log.info(words, self.client.release(), where, self.connection_id)
                self._submission = self._job_of_earlier_try() or self._submit()
        except AirbyteJobRunningError as error:
            if self.operator.if_running == "skip":
                raise AirflowSkipException(f'Skipped because of if_running="skip". {error}') from error
            raise

    def _job_of_earlier_try(self) -> Submission | None:
        found = job_of_earlier_try(self.client, self.connection_id, self.record)
        tries = earlier_tries(self.context, retries=self.operator.retries or 0)
        if found or tries is None:
            return found
        found = job_created_since(self.client, self.connection_id, tries, kind=self.operator.job_kind, clock=self.clock)
        if found:
            self.record.save(job_id=found.job.id, attached=False, connection_id=self.connection_id)
        return found

    @property
    def submission(self) -> Submission:
        """The job of this task, once there is one."""
        assert self._submission is not None
        return self._submission

    def streams(self) -> list[StreamKey]:
        """Return the streams of the connection's catalog."""
        return get_connection_or_explain(self.client, self.connection_id).streams()

    def _submit(self) -> Submission:
        if self.operator.cancel_on_kill:
            let_cleared_job_end(self.client, self.connection_id, self.record, clock=self.clock)
        kept = SubmissionRecord(self.client, self.connection_id, self.record)
        submitter = self.operator.submitter(self)
        steps = submitter.steps(earlier=kept.baseline, is_stored=kept.is_stored, followed=self._followed)
        step = next(steps)
        while not isinstance(step, Submission):
            kept.keep(step)
            step = steps.send(self._act_on(step, submitter))
        kept.keep(step)
        return step

    def _act_on(self, step: Step, submitter: JobSubmitter) -> JobRead | None:
        match step:
            case Prepare():
                return self._prepare(submitter)
            case Preceded(job):
                return self._wait_for_preceding(job)
            case _:
                return None

    def _prepare(self, submitter: JobSubmitter) -> JobRead | None:
        """Do what `if_running` says until no job is in the way of ours; return the newest job."""
        try:
            newest = self._resolve_running_job()
            late_state = LateState(self.client, self.connection_id, clock=self.clock, deadline=self._deadline)
            while submitter.deletes_state and late_state.had_to_wait(newest):
                newest = self._resolve_running_job()
        except (AirbyteJobRunningError, AirbyteJobTimeoutError) as error:
            explained = submitter.explain(error)
            if explained is error:
                raise
            raise explained from error
        # A job that has started while something was done first is seen here, and is an error then.
        return newest_job(self.client, self.connection_id) if self.operator.before_submission(self) else newest

    def _resolve_running_job(self) -> JobRead | None:
        except_kind = self.operator.job_kind if self.operator.if_running == "attach" else None
        if earlier_baseline(self.connection_id, self.record) is not None:
            except_kind = self.operator.job_kind  # ours, whose response has not come
        how = RESOLUTIONS[self.operator.if_running]
        if how == "wait" and self.operator.deferrable:
            job = running_job(self.client, self.connection_id)
            if job is not None and job.config_type != except_kind:
                words = "Job %s (%s) runs on this connection: waiting for its end."
                self.operator.log.info(words, job.id, job.config_type)
                self._defer_until_it_ends(job)
        return resolve_running_job(
            self.client, self.connection_id, how=how, clock=self.clock, except_kind=except_kind, polling=self._polling()
        )

    def _wait_for_preceding(self, job: JobRead) -> JobRead:
        """Wait for a stored reset that Airbyte runs before our job; a kill of the task leaves it alone."""
        if self.operator.deferrable:
            self._defer_until_it_ends(job, followed=job.id)
        return wait_for_job(
            self.client, job.id, clock=self.clock, connection_id=self.connection_id, polling=self._polling()
        )

    def publish(self) -> None:
        """Push the job's id and address, so that both are there while the job runs."""
        job_id, ti = self.submission.job.id, self.context["ti"]
        ti.xcom_push(key="job_id", value=job_id)
        with suppress(AirbyteApiError):
            self._workspace_id = workspace_of(self.client, self.connection_id)
        self.page = (
            job_page(self.client, connection_id=self.connection_id, job_id=job_id, workspace_id=self._workspace_id)
            or ""
        )
        if self.page:
            ti.xcom_push(key=JOB_LINK_XCOM, value=self.page)
            self.operator.log.info("See it at %s", self.page)
        self.clock.sleep(0)  # a kill during a request is noticed here

    # -- its end ----------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Return the XCom of a job that is not waited for."""
        return report_of(self.submission.job, [], attached=self.submission.attached).as_dict()

    def ends_soon(self) -> bool:
        """Poll for a moment whether the job ends; a deferral takes Airflow longer."""
        job: JobRead | None = self.submission.job
        watch = JobWatch(
            self.client,
            self.submission.job.id,
            clock=self.clock,
            connection_id=self.connection_id,
            polling=self._polling(),
            seen=True,
        )
        for _ in range(POLLS_BEFORE_DEFERRAL):
            if job and JobStatus.of(job.status).is_terminal:
                return True
            self.clock.sleep(POLL_BEFORE_DEFERRAL_INTERVAL)
            job = watch.poll()
        return job is not None and JobStatus.of(job.status).is_terminal

    def defer(self) -> NoReturn:
        """Wait in the triggerer, and go on with `execute_complete`."""
        job, attached = self.submission.job, self.submission.attached
        self.operator.defer(
            trigger=self._trigger(job, cancel_on_kill=self.operator.cancel_on_kill and not attached),
            method_name="execute_complete",
            kwargs={"attached": attached, "connection_id": self.connection_id},
        )

    def wait(self) -> dict[str, Any]:
        """Wait for the job's end, and return the XCom."""
        job_id, status = self.submission.job.id, None
        forwards = self.operator.log_attempts == "always"
        forwarder = LogForwarder(self.client, job_id, connection_id=self.connection_id, clock=self.clock)
        for job in poll_job(
            self.client, job_id, clock=self.clock, connection_id=self.connection_id, polling=self._polling()
        ):
            if job.status != status:
                status = job.status
                self.operator.log.info("Job %s: %s", job.id, status)
            if forwards and not JobStatus.of(status).is_terminal:
                forwarder.forward_if_due()
        if forwards:
            forwarder.forward()
        return self._report(job_id, attached=self.submission.attached)

    def complete(self, event: dict[str, Any] | None, *, attached: bool) -> dict[str, Any]:
        """Go on after the triggerer's wait for our job, and return the XCom."""
        from airflow_airbyte_ext.triggers.base import raise_for_event

        try:
            raise_for_event(event)
        except AirbyteJobTimeoutError as error:
            self._ending().after_timeout(error.job_id, attached=attached)
            self.operator.raise_timeout(error)
        job_id = int((event or {})["job_id"])
        # Before Airflow 3.3 nothing else remembers the job, which a kill would then call "not started".
        self.record.values.setdefault("job_id", job_id)
        with self:
            if self.operator.log_attempts == "always":
                LogForwarder(self.client, job_id, connection_id=self.connection_id, clock=self.clock).forward()
            return self._report(job_id, attached=attached)

    def _report(self, job_id: int, *, attached: bool) -> dict[str, Any]:
        policy = OutcomePolicy(**self.operator.outcome_choices)
        return policy.finish(self.client, job_id, connection_id=self.connection_id, attached=attached, clock=self.clock)

    # -- helpers ----------------------------------------------------------------------------------------

    def _time_limit(self) -> float | None:
        """Return the epoch seconds at which to stop waiting; Airflow leaves deferred time out of execution_timeout."""
        operator = self.operator
        limits = [] if operator.wait_timeout is None else [operator.seconds("wait_timeout")]
        if operator.deferrable and operator.execution_timeout is not None:
            limits.append(operator.execution_timeout.total_seconds())
        return self.clock.time() + min(limits) if limits else None

    def _connection_of_this_task(self) -> str:
        """Return the connection's id; a name means what it meant in an earlier try, whatever was renamed since."""
        operator = self.operator
        if operator.connection_id is None and (earlier := self.record.values.get("connection_id")):
            return str(earlier)
        found = operator.find_connection(self.client)
        if operator.connection_id is None:
            operator.log.info("%r is connection %s.", operator.connection_name, found)
        return found

    def _polling(self) -> Polling:
        operator = self.operator
        return Polling(operator.seconds("poll_interval"), self._deadline, operator.seconds("poll_error_timeout"))

    def _defer_until_it_ends(self, job: JobRead, *, followed: int | None = None) -> NoReturn:
        """Wait in the triggerer for a job that comes before ours, and go on with `execute_after_another`."""
        if self._deferrals >= MAX_WAITED_FOR:
            raise AirbyteJobRunningError(
                f"Job {job.id} ({job.config_type}) runs on connection {self.connection_id}, after {self._deferrals} "
                "others that were waited for, one after the other.",
                connection_id=self.connection_id,
                job_id=job.id,
            )
        known = {
            "deadline": self._deadline,
            "connection_id": self.connection_id,
            "record": self.record.values,
            "followed": followed or self._followed,
            "deferrals": self._deferrals + 1,
        }
        trigger = self._trigger(job, cancel_on_kill=False)
        self.operator.defer(trigger=trigger, method_name="execute_after_another", kwargs=known)

    def _trigger(self, job: JobRead, *, cancel_on_kill: bool) -> AirbyteJobTrigger:
        from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger
        from airflow_airbyte_ext.triggers.base import earliest_resume

        return AirbyteJobTrigger(
            job_id=job.id,
            airbyte_conn_id=self.operator.airbyte_conn_id,
            connection_id=self.connection_id,
            cancel_on_kill=cancel_on_kill,
            workspace_id=self._workspace_id,
            updated_at=job.updated_at,
            not_before=earliest_resume(),
            **asdict(self._polling()),
        )

    def _ending(self) -> JobEnding:
        return JobEnding(
            self.client.another,
            self.connection_id or str(self.record.values.get("connection_id", "")),
            self.record,
            kind=self.operator.job_kind,
            cancel_on_kill=self.operator.cancel_on_kill,
            cancel_on_timeout=self.operator.cancel_on_timeout,
        )
