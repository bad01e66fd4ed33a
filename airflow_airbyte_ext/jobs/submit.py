"""
Find or start exactly one job, of whatever kind.

Airbyte has no idempotency key, and may hold a request until a proxy gives up, so a response that got lost says nothing.
But job ids only grow, and a connection has one running job at most. So: note the newest job (the baseline), POST, and
after any unclear response read the list again. A job newer than the baseline is the one we started.

What Airbyte starts is not always what was requested: a reset that is still stored from before comes first, then a
stored refresh, then a sync (docs/airbyte-behaviour.md, Starting and cancelling jobs).
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias, TypeVar

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.api.operation import OPERATIONS
from airflow_airbyte_ext.connections.access import check_usable, connection_problem
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConflictError,
    AirbyteConnectionUnusableError,
    AirbyteError,
    AirbyteJobFailedError,
    AirbyteJobNotFoundError,
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteNotFoundError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteStatusError,
)
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.reader import REFRESH, RESET, STANDS_FOR, SYNC, JobReader, first_job_after, newest_job
from airflow_airbyte_ext.jobs.running import LateState
from airflow_airbyte_ext.jobs.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Generator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.jobs import JobRead

log = logging.getLogger(__name__)

T = TypeVar("T")

# A job appears in Airbyte's list some time after the request that starts it, which may be lost by then.
PAUSES_AFTER_LOST_RESPONSE = (0.5, 1.0, 2.0, 4.0, 8.0)
SUBMISSIONS = 3
# Airbyte 0.39.0 to 0.39.37 says so with a 500, later ones with a 409.
ALREADY_RUNNING = "already running"
# After a job's end Airbyte still sends notifications and calls webhooks, and refuses other jobs meanwhile.
BUSY_AFTER_JOB = 60.0
BUSY_PAUSE = 2.0
# At most this many jobs of others may come first, one after the other.
MAX_JOBS_IN_THE_WAY = 10
# Both the job's time and the server's are whole seconds.
ROUNDING = 2.0
REFRESH_IS_STORED = (
    "Airbyte has stored the refresh: the connection's next run, no matter who starts it, is that refresh. A retry "
    "waits for it, or starts it."
)
# Before this release a sync of an inactive connection runs and moves nothing, and up to 0.40.23 the request for an
# unknown connection never gets a response.
CHECKS_CONNECTION_SINCE = "0.43.2"

# When the list of jobs was read and when a request was sent, by the server's clock, at the earliest.
Sent: TypeAlias = "tuple[float | None, float | None]"


class Submission(NamedTuple):
    """
    The last step: a job that stands for the request.

    :param job: The job, as it was when it was found.
    :param attached: Whether somebody else started it.
    """

    job: JobRead
    attached: bool


class Prepare(NamedTuple):
    """A job may run on the connection: wait for its end or cancel it, and send the newest job."""


class Baseline(NamedTuple):
    """The newest job (0 for none) before anything is started: keep its id before going on."""

    job_id: int


class Refused(NamedTuple):
    """It is sure that nothing was started after the baseline."""


class Stored(NamedTuple):
    """Airbyte has stored the refresh, whether it started it or not: keep that before going on."""


class Preceded(NamedTuple):
    """A stored reset runs first: wait for its end, and send the job as it ended, or None where the server lost it."""

    job: JobRead


Step: TypeAlias = "Submission | Prepare | Baseline | Refused | Stored | Preceded"
# What is sent for `Prepare` and `Preceded`; a part of them returns what its caller goes on with.
Steps: TypeAlias = "Generator[Step, JobRead | None, T]"


class _NoJob(NamedTuple):
    """A response without a job: unclear, unless it is a refusal."""

    error: AirbyteError | None = None
    is_refusal: bool = False


class JobSubmitter(ABC):
    """
    Submits one job to one connection, however many responses are lost.

    :param client: Speaks to Airbyte.
    :param connection_id: The connection.
    :param attach: Take a job of the same kind that runs already for ours; otherwise that is an error.
    :param clock: Waits before the next poll.
    """

    kind: ClassVar[str]
    """The job's `configType`: "sync", "reset_connection" or "refresh"."""
    deletes_state: ClassVar[bool] = False

    def __init__(
        self, client: AirbyteClient, connection_id: str, *, attach: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._client = client
        self._connection_id = connection_id
        self._attach = attach
        self._clock = clock
        # Whether Airbyte has stored the request, and whether it may have started a job for it.
        self._is_stored = self._may_have_started = False
        # What the rounds of a submission have met: see the bounds above.
        self._unclear = 0
        self._jobs_in_the_way = 0
        self._busy_until = math.inf
        # The stored reset that was waited for, if any: a second one is an error.
        self._followed: int | None = None
        # The newest job when the list was last read, and what time it was then at the server.
        self._newest: JobRead | None = None
        self._listed_at: float | None = None
        # Of the first request whose response was unclear.
        self._first_sent: Sent | None = None

    @abstractmethod
    def _request(self) -> JobRead | None:
        """Send the operation that starts the job, and return the job; None where the response does not name it."""

    def _check(self) -> None:
        """Raise where the connection must not run such a job, before anything is sent."""
        if self.deletes_state:
            what = "a reset" if self.kind == RESET else "a refresh"
            check_usable(self._client, self._connection_id, for_what=what)

    def prepare(self) -> JobRead | None:
        """Return the newest job; if ours deletes state, first wait until no ended job can still write it."""
        late_state = LateState(self._client, self._connection_id, clock=self._clock)
        newest = newest_job(self._client, self._connection_id)
        while self.deletes_state and late_state.had_to_wait(newest):
            newest = newest_job(self._client, self._connection_id)
        return newest

    def submit(self) -> Submission:
        """
        Find or start the job. One that runs already, and is not to be taken for ours, is an error.

        :raises AirbyteError: See `steps`.
        """
        steps = self.steps()
        step = next(steps)
        while not isinstance(step, Submission):
            result = None
            if isinstance(step, Prepare):
                result = self.prepare()
            elif isinstance(step, Preceded):
                result = wait_for_job(self._client, step.job.id, clock=self._clock, connection_id=self._connection_id)
            step = steps.send(result)
        return step

    def steps(
        self, *, earlier: int | None = None, is_stored: bool = False, followed: int | None = None
    ) -> Generator[Step, JobRead | None, None]:
        """
        Find or start the job, step by step; the last step is the `Submission`.

        :param earlier: The baseline of an earlier, unfinished submission: a newer job is that one's.
        :param is_stored: Whether that submission's refresh is stored in Airbyte, and no job has taken it yet.
        :param followed: The job of a stored reset that Airbyte ran in the place of that submission's job.
        :raises AirbyteJobRunningError: Another job runs that is not to be taken for ours.
        :raises AirbyteConnectionUnusableError: The connection is inactive, deleted, locked or unknown.
        :raises AirbyteJobFailedError: A stored reset came first, and failed again.
        :raises AirbyteJobNotStartedError: Airbyte started nothing, and does not say why.
        :raises AirbyteApiError: Airbyte could not be reached.
        """
        self._is_stored = self._may_have_started = is_stored
        self._followed = followed
        if earlier is not None and (found := self._found_after(earlier)):
            yield found
            return
        if followed is not None:
            self._reset_ended(self._read_followed(followed))
        self._check_connection()
        newest = yield from self._prepared()
        if newest and not JobStatus.of(newest.status).is_terminal:
            found = None if earlier is None else self._found_after(earlier)
            yield found or self._running_already(newest)
            return
        baseline = earlier if is_stored and earlier is not None else newest.id if newest else 0
        try:
            yield from self._note_baseline(baseline)
            yield (yield from self._start_after(baseline))
        except AirbyteError:
            if not self._may_have_started:
                yield Refused()
            raise

    @property
    def is_stored(self) -> bool:
        """Whether Airbyte has stored the request, so that it must not be sent again."""
        return self._is_stored

    def stored(self) -> None:
        """Note that Airbyte has stored the request: no matter who starts the connection's next run, it is this job."""
        self._is_stored = self._may_have_started = True

    def _check_connection(self) -> None:
        try:
            self._check()
        except AirbyteConnectionUnusableError as error:
            if self._is_stored:
                error.args = (f"{error} {REFRESH_IS_STORED}",)
            raise

    def _note_baseline(self, baseline: int) -> Steps[None]:
        self._check_connection()  # again, since others may have been waited for
        if not self._client.release().is_at_least(CHECKS_CONNECTION_SINCE):
            self._explain()
        yield Baseline(baseline)

    def _start_after(self, baseline: int) -> Steps[Submission]:
        """Send the request until one job stands for it. Each round is one of a bounded number of its kind."""
        while True:
            was_stored, sent = self._is_stored, (self._listed_at, self._client.server_time())
            response = self._send(baseline)
            if self._is_stored and not was_stored:
                yield Stored()
            step: Submission | int
            if not isinstance(response, _NoJob):
                step = yield from self._whose(response, baseline, sent, was_stored=was_stored)
                self._busy_until = math.inf
            elif response.is_refusal:
                step = yield from self._after_refusal(response.error, baseline)
            else:
                step = yield from self._after_unclear(response.error, baseline, sent)
            if isinstance(step, Submission):
                return step
            baseline = step

    def _send(self, baseline: int) -> JobRead | _NoJob:
        """Send the request, and return the job of its response, or why it has none."""
        try:
            job = self._request()
            # All jobs up to the baseline had ended before: such a response is an old one, as of a cache.
            return _NoJob() if job is None else job if job.id > baseline else _NoJob(self._outdated(job))
        except AirbyteJobRunningError as error:
            return _NoJob(error, is_refusal=True)
        except AirbyteApiError as error:
            # Another conflict is of a proxy, which does not prove that Airbyte started nothing.
            is_conflict = isinstance(error, AirbyteConflictError) and not error.outcome_unknown
            is_500 = getattr(error, "http_status", 0) == 500
            if is_conflict or (is_500 and ALREADY_RUNNING in str(error)):
                return _NoJob(error, is_refusal=True)
            if isinstance(error, AirbyteNotFoundError) or is_500:
                self._explain()
            if not _is_unclear(error):
                raise
            log.info("It is unclear whether a job was started; searching for it. %s", error)
            return _NoJob(error)

    def _after_unclear(self, error: AirbyteError | None, baseline: int, sent: Sent) -> Steps[Submission | int]:
        """Return the job that may have been started, or from which baseline on to try again."""
        self._unclear = self._unclear + 1 if error else 1
        if not self._may_have_started:
            self._first_sent = sent
        self._may_have_started = True
        if found := self._search_for_lost(baseline):
            return found
        if isinstance(error, AirbyteApiError) and _is_of_a_proxy(error):
            self._may_have_started = self._is_stored
            raise error
        if self._unclear == SUBMISSIONS:
            raise self._not_started(error) from error
        step = yield from self._after_others(baseline)
        return baseline if step is None else step

    def _after_refusal(self, error: AirbyteError | None, baseline: int) -> Steps[Submission | int]:
        """Find out why Airbyte refused: mostly because a job runs, ours after a lost response."""
        step = yield from self._after_others(baseline)
        if step is not None:
            self._busy_until = math.inf
            return step
        self._explain()
        now = self._clock.monotonic()
        if now >= self._busy_until:
            raise self._held() from error
        if self._busy_until == math.inf:
            self._busy_until = now + BUSY_AFTER_JOB
            words = "Airbyte says that the connection is busy, though none of its jobs runs: trying again for %.0f s."
            log.info(words, BUSY_AFTER_JOB)
        self._clock.sleep(BUSY_PAUSE)
        return baseline

    def _after_others(self, baseline: int) -> Steps[Submission | int | None]:
        """Return our job where it has appeared, else deal with one of others that runs: see `_let_others_end`."""
        if self._may_have_started and (found := self._found_after(baseline)):
            return found
        newest = self._newest = newest_job(self._client, self._connection_id)
        self._listed_at = self._client.server_time()
        if newest is None:
            return None
        came_first = newest.id > baseline and newest.id != self._followed
        if came_first and self._may_have_started and self._is_stored_reset(newest):
            return (yield from self._follow_reset(newest, baseline))
        return None if JobStatus.of(newest.status).is_terminal else (yield from self._let_others_end(newest, baseline))

    def _whose(self, job: JobRead, baseline: int, sent: Sent, *, was_stored: bool) -> Steps[Submission | int]:
        """Decide whose the job of a response is: return ours, or from which baseline on to try again."""
        started_now = was_stored or not was_there_before(job, sent)
        if started_now and job.config_type in (None, *STANDS_FOR[self.kind]):
            if job.config_type == REFRESH != self.kind:
                log.warning(
                    "Airbyte runs job %s, a refresh that was requested before and stored, as this sync: it moves what "
                    "a sync moves, and reads the refreshed streams from the start.",
                    job.id,
                )
            return Submission(job, attached=False)
        if started_now and self._is_stored_reset(job):
            return (yield from self._follow_reset(job, baseline))
        if was_stored:  # a run that our refresh had been stored for, and was not
            if found := self._found_after(baseline):
                return found
            raise AirbyteJobNotStartedError(
                f"Airbyte ran job {job.id} ({job.config_type}) on connection {self._connection_id} in the place of the "
                "refresh that it had stored. Check the connection's jobs in Airbyte, and try again.",
                connection_id=self._connection_id,
            )
        return (yield from self._let_others_end(job, baseline))

    def _is_stored_reset(self, job: JobRead) -> bool:
        """Whether this job came in the place of ours; the old scheduler also gives one that somebody else started."""
        return job.config_type == RESET != self.kind

    def _follow_reset(self, job: JobRead, baseline: int) -> Steps[int]:
        """Wait for a stored reset that came first, and return from which baseline on to try again."""
        if self._followed is not None:
            raise self._reset_again(job, "came again after it had ended")
        self._followed = job.id
        log.warning(
            "Airbyte runs job %s first, a reset that had been requested before and has not succeeded yet: waiting for "
            "its end.",
            job.id,
        )
        if not self._may_have_started:
            yield Refused()
        self._reset_ended((yield Preceded(job)))
        baseline = baseline if self._may_have_started else job.id
        yield from self._note_baseline(baseline)
        return baseline

    def _read_followed(self, job_id: int) -> JobRead | None:
        try:
            return JobReader(self._client, job_id, connection_id=self._connection_id).read()
        except (AirbyteServerError, AirbyteJobNotFoundError) as error:
            log.info("%s", error)
            return None

    def _reset_ended(self, job: JobRead | None) -> None:
        if job and JobStatus.of(job.status) is JobStatus.FAILED:
            raise self._reset_again(job, "failed again")

    def _reset_again(self, job: JobRead, what: str) -> AirbyteJobFailedError:
        return AirbyteJobFailedError(
            f"Job {job.id}, a reset that had been requested before and is stored in Airbyte, {what}. It comes before "
            f"every {self.kind} of connection {self._connection_id}, and clears its streams each time, until it "
            "succeeds or is cancelled while it runs. See in Airbyte why it fails.",
            job_id=job.id,
            connection_id=self._connection_id,
        )

    def _let_others_end(self, job: JobRead, baseline: int) -> Steps[Submission | int]:
        """Deal with a job of somebody else that came first, and return from which baseline on to try again."""
        if self._attach and job.config_type == self.kind:
            return Submission(job, attached=True)
        self._jobs_in_the_way += 1
        if self._jobs_in_the_way > MAX_JOBS_IN_THE_WAY:
            return self._running_already(job)
        if not self._may_have_started:
            yield Refused()
        newest = yield from self._prepared()
        if self._may_have_started and (found := self._found_after(baseline)):
            return found
        if newest and not JobStatus.of(newest.status).is_terminal:
            return self._running_already(newest)
        baseline = newest.id if newest and not self._may_have_started else baseline
        yield from self._note_baseline(baseline)
        return baseline

    def _prepared(self) -> Steps[JobRead | None]:
        """Let the caller deal with jobs that run, and return the newest one."""
        newest = yield Prepare()
        self._listed_at = self._client.server_time()
        return newest

    def explain(self, error: AirbyteJobRunningError | AirbyteJobTimeoutError) -> AirbyteError:
        """Return an error of a `Prepare`, with what it means for a refresh that is stored."""
        if not self._is_stored:
            return error
        if isinstance(error, AirbyteJobRunningError):
            return self._stored_beside(error.job_id)
        error.args = (f"{error} {REFRESH_IS_STORED}",)
        return error

    def _search_for_lost(self, baseline: int) -> Submission | None:
        """Search several times for the job that an unclear response may have started."""
        for number, pause in enumerate(PAUSES_AFTER_LOST_RESPONSE):
            if found := self._found_after(baseline):
                return found
            if number == 0:
                self._explain()
            self._clock.sleep(pause)
        return None

    def _found_after(self, job_id: int) -> Submission | None:
        """
        Return our job where it is in the list.

        Nobody knows who started a refresh that stands for a sync; one that is older than the request is not ours.
        """
        job = first_job_after(self._client, self._connection_id, job_id, kind=self.kind)
        if job is None:
            return None
        if self._first_sent and was_there_before(job, self._first_sent):
            return Submission(job, attached=True) if self._attach else None
        return Submission(job, attached=job.config_type not in (None, self.kind))

    def _running_already(self, job: JobRead) -> Submission:
        if self._attach and job.config_type == self.kind:
            return Submission(job, attached=True)
        if self._is_stored:
            raise self._stored_beside(job.id)
        raise AirbyteJobRunningError(
            f"Job {job.id} ({job.config_type}, {job.status}) runs on connection {self._connection_id} already. "
            "Try again when it has ended"
            + (', or allow to attach to it (if_running="attach").' if job.config_type == self.kind == SYNC else "."),
            connection_id=self._connection_id,
            job_id=job.id,
        )

    # -- what to say --------------------------------------------------------------------------------

    def _stored_words(self) -> str:
        return f" {REFRESH_IS_STORED}" if self._is_stored else ""

    def _stored_beside(self, job_id: int | None) -> AirbyteJobRunningError:
        return AirbyteJobRunningError(
            f"Job {job_id} runs on connection {self._connection_id}, and came before this refresh."
            f"{self._stored_words()}",
            connection_id=self._connection_id,
            job_id=job_id,
        )

    def _held(self) -> AirbyteJobNotStartedError:
        newest = self._newest
        ended = f"its newest job {newest.id} is {newest.status}" if newest else "it never had a job"
        return AirbyteJobNotStartedError(
            f"Airbyte has said for {BUSY_AFTER_JOB:.0f} s that connection {self._connection_id} is busy, though "
            f"{ended}. Slow webhooks or notifications after that job hold a connection, and so does Airbyte while it "
            f"deletes or locks it: check the connection and the server's log.{self._stored_words()}",
            connection_id=self._connection_id,
        )

    def _not_started(self, lost: AirbyteError | None) -> AirbyteJobNotStartedError:
        return AirbyteJobNotStartedError(
            f"Airbyte started no job for connection {self._connection_id} in {SUBMISSIONS} tries: none appeared in its "
            f"list of jobs. Check the server's log. The last response: {lost or 'that it would start one'}"
            f"{self._stored_words()}",
            connection_id=self._connection_id,
        )

    def _outdated(self, job: JobRead) -> AirbyteResponseError:
        return AirbyteResponseError(
            f"The response to the request for a job of connection {self._connection_id} names job {job.id}, which had "
            "ended before. Check any proxy or cache before Airbyte."
        )

    def _explain(self) -> None:
        """Raise what is wrong with the connection, if that is why Airbyte started nothing; many releases do not say."""
        if problem := connection_problem(self._client, self._connection_id):
            raise problem from None


def was_there_before(job: JobRead, sent: Sent) -> bool:
    """
    Whether the job surely was created before our request was sent, so by somebody else.

    While a job is pending Airbyte gives the same job to everybody. A job that seems older than the list that did not
    have it yet says that the clocks differ, and nothing else.
    """
    listed_at, sent_at = sent
    if job.created_at is None or listed_at is None or sent_at is None:
        return False
    return listed_at - ROUNDING < job.created_at and job.created_at + ROUNDING <= sent_at


def _is_unclear(error: AirbyteApiError) -> bool:
    """Whether a job may have been started: not where the request was not sent, for want of a connection or a token."""
    operation = OPERATIONS.get(error.operation)
    return error.outcome_unknown and operation is not None and operation.is_write


def _is_of_a_proxy(error: AirbyteApiError) -> bool:
    """Whether a proxy refused: before the request came to Airbyte, where no job appears, or what Airbyte responded."""
    return isinstance(error, AirbyteStatusError) and not isinstance(error, AirbyteServerError)
