"""
Find or start exactly one job, of whatever kind.

Airbyte has no idempotency key, and may hold a request until a proxy gives up, so an answer that got lost says nothing.
But job ids only grow, and a connection has one running job at most. So: note the newest job, POST, and after any
unclear answer look again. A job newer than the one noted is the one we started.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.api.operations import OPERATIONS, Repeat
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConflictError,
    AirbyteError,
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteNotFoundError,
    AirbyteServerError,
    AirbyteStatusError,
)
from airflow_airbyte_ext.jobs.find import SYNC, first_job_after, newest_job
from airflow_airbyte_ext.jobs.status import verdict
from airflow_airbyte_ext.jobs.usable import connection_problem
from airflow_airbyte_ext.jobs.wait import Runner, run_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

# A job appears in Airbyte's list some time after the request that starts it, which may be lost by then.
LOOKS_AFTER_A_LOST_ANSWER = (0.5, 1.0, 2.0, 4.0, 8.0)
SUBMISSIONS = 3
# Before this release a sync of an inactive connection runs and moves nothing, and up to 0.40.23 the request for an
# unknown connection is never answered (facts, 3.2).
CHECKS_CONNECTION_SINCE = "0.43.2"


# Returns the connection's newest job, when none is in the way any more.
MakeWay: TypeAlias = "Callable[[], JobRead | None]"


@dataclass(frozen=True)
class Submission:
    """
    A job that stands for one request.

    :param job: The job, as it was when it was found.
    :param adopted: Whether somebody else started it.
    """

    job: JobRead
    adopted: bool


class Submitter:
    """
    Submits one job to one connection, however many answers are lost.

    :param client: Speaks to Airbyte.
    :param connection_id: The connection.
    :param kind: The job's `configType`: "sync", "reset_connection" or "refresh".
    :param start: Sends the operation that starts the job, and returns the job; None where the answer does not name it.
    :param clock: Waits before looking again.
    """

    def __init__(
        self,
        client: AirbyteClient,
        connection_id: str,
        *,
        start: Callable[[], JobRead | None],
        clock: Clock = SYSTEM_CLOCK,
        kind: str = SYNC,
    ) -> None:
        self._client = client
        self._connection_id = connection_id
        self._kind = kind
        self._start = start
        self._clock = clock

    def submit(
        self,
        *,
        attach: bool = True,
        after: int | None = None,
        make_way: MakeWay | None = None,
        before_start: Callable[[int], None] = lambda _newest: None,
        on_refusal: Callable[[], None] = lambda: None,
        run: Runner = run_here,
    ) -> Submission:
        """
        Find or start the job.

        :param attach: Take a job of the same kind that runs already for ours; otherwise that is an error.
        :param after: The newest job's id at the time of an earlier, unfinished call: a newer job is that call's.
        :param make_way: Deals with a job that runs, and returns the newest one; see `running.make_way`.
        :param before_start: Called with the newest job's id (0 for none) before anything is started.
        :param on_refusal: Called when it is sure that nothing was started after `before_start`.
        :param run: Runs the request that starts the job, which Airbyte may hold for minutes.
        :raises AirbyteJobRunningError: Another job runs that is not to be taken for ours.
        :raises AirbyteConnectionUnusableError: The connection is inactive, deleted, locked or unknown.
        :raises AirbyteJobNotStartedError: Airbyte started nothing, and does not say why.
        :raises AirbyteApiError: Airbyte could not be asked.
        """
        if after is not None and (job := self._first_after(after)):
            return Submission(job, adopted=False)
        newest = make_way() if make_way else newest_job(self._client, self._connection_id)
        if newest and not verdict(newest.status).is_final:
            return self._running_already(newest, attach=attach)
        if not self._client.release().is_at_least(CHECKS_CONNECTION_SINCE):
            self._explain()
        noted = newest.id if newest else 0
        before_start(noted)
        self._may_have_started = False
        try:
            return self._start_after(noted, attach=attach, run=run)
        except AirbyteError:
            if not self._may_have_started:
                on_refusal()
            raise

    def _start_after(self, noted: int, *, attach: bool, run: Runner) -> Submission:
        lost: AirbyteApiError | None = None
        refusal: AirbyteError | None = None
        for _ in range(SUBMISSIONS):
            try:
                if job := run(self._start):
                    # Servers before 0.39 answer with the job that runs already, if there is one.
                    return Submission(self._of_our_kind(job), adopted=job.id <= noted)
            except (AirbyteApiError, AirbyteJobRunningError) as error:
                if _is_unclear(error):
                    log.info("It is unclear whether a job was started; looking for it. %s", error)
                    lost = error
                else:
                    self._raise_unless_busy(error)
                    refusal = error
                    if submission := self._after_refusal(noted, lost=lost is not None, attach=attach):
                        return submission
                    self._clock.sleep(LOOKS_AFTER_A_LOST_ANSWER[0])
                    continue
            self._may_have_started = True
            if found := self._look_for_lost(noted):
                return Submission(found, adopted=False)
            if lost and _is_of_a_proxy(lost):
                self._may_have_started = False
                raise lost
        if refusal and not lost:
            raise refusal
        raise AirbyteJobNotStartedError(
            f"Airbyte started no job for connection {self._connection_id} in {SUBMISSIONS} tries: none appeared in its "
            f"list of jobs. Look at the server's log. The last answer was: {lost or 'that it would start one'}",
            connection_id=self._connection_id,
        ) from lost

    def _raise_unless_busy(self, error: AirbyteError) -> None:
        if isinstance(error, AirbyteConflictError | AirbyteJobRunningError):
            return
        if isinstance(error, AirbyteNotFoundError):
            self._explain()
        raise error

    def _look_for_lost(self, noted: int) -> JobRead | None:
        """Look several times for the job that an unclear answer may have started."""
        for number, pause in enumerate(LOOKS_AFTER_A_LOST_ANSWER):
            if job := self._first_after(noted):
                return job
            if number == 0:
                self._explain()
            self._clock.sleep(pause)
        return None

    def _after_refusal(self, noted: int, *, lost: bool, attach: bool) -> Submission | None:
        """Find out why Airbyte refused: mostly because a job runs, ours after a lost answer. None: it has passed."""
        if lost and (job := self._first_after(noted)):
            return Submission(job, adopted=False)
        newest = newest_job(self._client, self._connection_id)
        if newest and not verdict(newest.status).is_final:
            return self._running_already(newest, attach=attach)
        self._explain()
        return None

    def _first_after(self, job_id: int) -> JobRead | None:
        return first_job_after(self._client, self._connection_id, job_id, kind=self._kind)

    def _running_already(self, job: JobRead, *, attach: bool) -> Submission:
        if attach and job.config_type == self._kind:
            return Submission(job, adopted=True)
        raise AirbyteJobRunningError(
            f"Job {job.id} ({job.config_type}, {job.status}) runs on connection {self._connection_id} already. "
            "Try again when it has ended" + ("." if attach else ', or allow to attach to it (if_running="attach").'),
            connection_id=self._connection_id,
            job_id=job.id,
        )

    def _of_our_kind(self, job: JobRead) -> JobRead:
        if job.config_type in (None, self._kind):
            return job
        raise AirbyteJobRunningError(
            f"Airbyte runs job {job.id} ({job.config_type}) on connection {self._connection_id}, not the "
            f"{self._kind} that was asked for. Try again when it has ended.",
            connection_id=self._connection_id,
            job_id=job.id,
        )

    def _explain(self) -> None:
        """Raise what is wrong with the connection, if that is why Airbyte started nothing; many releases do not say."""
        if problem := connection_problem(self._client, self._connection_id):
            raise problem from None


def _is_unclear(error: AirbyteError) -> TypeGuard[AirbyteApiError]:
    """Whether a job may have been started: not where the request was not sent, for want of a connection or a token."""
    if not isinstance(error, AirbyteApiError) or not error.outcome_unknown:
        return False
    operation = OPERATIONS.get(error.operation)
    return operation is not None and operation.repeat is Repeat.NEVER


def _is_of_a_proxy(error: AirbyteApiError) -> bool:
    """Whether a proxy refused: before the request came to Airbyte, where no job appears, or what Airbyte responded."""
    return isinstance(error, AirbyteStatusError) and not isinstance(error, AirbyteServerError)
