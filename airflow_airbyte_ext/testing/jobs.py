"""Jobs and their attempts, and the scripts that move them.

A script is a row of steps. A step lasts a number of reads of the job's status, or seconds of the fake's clock; the
last one lasts for ever. What was last shown stays true until somebody polls again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Stream:
    """One stream of a connection's catalog; `sync_mode` is "incremental" or "full_refresh".

    `columns` are names with JSON types ({"id": "integer"}) or JSON schemas; `cursor` and `primary_key` are what the
    source defines, () for none.
    """

    name: str
    namespace: str | None = None
    sync_mode: str = "incremental"
    columns: Mapping[str, Any] | None = field(default=None, compare=False)
    cursor: tuple[str, ...] = field(default=("updated_at",), compare=False)
    primary_key: tuple[tuple[str, ...], ...] = field(default=(("id",),), compare=False)

    @property
    def key(self) -> tuple[str, str | None]:
        """What distinguishes streams: a namespace of "" is not the same as none."""
        return self.name, self.namespace


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, in Airbyte's words (FailureReason in its documents).

    `origin` is a FailureOrigin (source, destination, replication, airbyte_platform, ...), `type` a FailureType
    (config_error, system_error, transient_error, ...), `message` the sentence meant for users (externalMessage),
    `internal` and `stacktrace` what support would request.
    """

    origin: str = "source"
    type: str = "system_error"
    message: str = "Something went wrong in the connector. See the logs for more details."
    internal: str | None = None
    stacktrace: str | None = None
    retryable: bool | None = None
    partial_success: bool = False


MANUAL_CANCELLATION = Failure("airbyte_platform", "manual_cancellation", "Setting attempt to FAILED: cancelled")
NULL_STATE = Failure(
    "airbyte_platform",
    "system_error",
    "stream.stream_state: Null value is not allowed (1021)",
    retryable=False,
)


@dataclass(frozen=True)
class Step:
    """One stretch of a job's life.

    `status` is any word. The step lasts `polls` reads of the job's status, or `seconds` of the fake's clock when that
    is given. `records` and `bytes` are what the running attempt has moved by then (over all streams); `failure` says
    why, when the status is incomplete or failed. `resumes` says that the attempt that begins goes on with full-refresh
    streams where the one before it stopped.
    """

    status: str
    polls: int = field(default=1, kw_only=True)
    seconds: float | None = field(default=None, kw_only=True)
    records: int | None = field(default=None, kw_only=True)
    bytes: int | None = field(default=None, kw_only=True)
    failure: Failure | None = field(default=None, kw_only=True)
    resumes: bool = field(default=False, kw_only=True)


DEFAULT_SCRIPT = (Step("pending"), Step("running"), Step("succeeded", records=100, bytes=2048))
# A reset moves nothing.
RESET_SCRIPT = (Step("pending"), Step("running"), Step("succeeded", records=0, bytes=0))


@dataclass
class Attempt:
    """One try of a job; `number` counts from 0 and times are epoch seconds."""

    number: int
    created_at: float
    updated_at: float
    status: str = "running"
    ended_at: float | None = None
    records: int = 0
    bytes: int = 0
    failure: Failure | None = None
    resumed: bool = False

    def end(self, status: str, now: float, failure: Failure | None = None) -> None:
        """Close the attempt."""
        self.status, self.failure = status, failure
        self.ended_at = self.updated_at = now


@dataclass
class Job:
    """One run of Airbyte, with the script that it plays.

    `kind` is Airbyte's configType (sync, reset_connection, refresh). `on_status` is called with every new status before
    it is shown, and may return the step to play instead; `begins` then says whether an attempt begins with it.
    `then_sync` says that a sync follows when it succeeds, `is_manual` that a request started it, and `superseded` that
    nobody requested its end: it was ended for a reset, or its connection is not active.
    """

    id: int
    connection_id: str
    kind: str
    streams: tuple[Stream, ...]
    steps: list[Step]
    now: Callable[[], float]
    on_status: Callable[[Job, Step], Step]
    status: str = "pending"
    created_at: float = 0.0
    updated_at: float = 0.0
    started_at: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    cancel_requested: bool = False
    then_sync: bool = False
    is_manual: bool = False
    superseded: bool = False
    begins: bool = False
    _reads: int = 0
    _since: float = 0.0

    def __post_init__(self) -> None:
        self.created_at = self.now()
        self._enter(self.steps[0], self.created_at)

    @property
    def terminal(self) -> bool:
        """Whether this job has ended; an unknown status has not."""
        return self.status in TERMINAL

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that runs now."""
        last = self.attempts[-1] if self.attempts else None
        return last if last and last.status == "running" else None

    def read(self) -> None:
        """Somebody polls the status: move on if the step has had its reads, and count this one."""
        self.turn()
        self._reads += 1

    def turn(self) -> None:
        """Move on if the step has had its reads or its time, without counting a read."""
        self.settle()
        step = self.steps[0]
        if len(self.steps) > 1 and step.seconds is None and self._reads >= step.polls:
            self.move_on(self.now())

    def settle(self) -> None:
        """Let time pass: play the steps whose seconds are over."""
        while len(self.steps) > 1:
            seconds = self.steps[0].seconds
            if seconds is None or self.now() < self._since + seconds:
                return
            self.move_on(self._since + seconds)

    def move_on(self, when: float) -> None:
        """Play the next step of the script, if there is one."""
        if len(self.steps) > 1:
            self.steps.pop(0)
            self._enter(self.steps[0], when)

    def force(self, step: Step) -> None:
        """Drop the script and play this step for ever."""
        self.steps = [step]
        self._enter(step, self.now())

    def _enter(self, step: Step, when: float) -> None:
        self._reads, self._since = 0, when
        self.begins = step.status in ("running", "succeeded") and self.attempt is None
        if self.begins:
            self._begin_attempt(when, step.resumes)
        step = self.on_status(self, step)
        self._note_progress(step, when)
        if step.status in ("incomplete", "failed", "cancelled"):
            self._fail_attempt(step, when)
        elif step.status == "succeeded" and self.attempt:
            self.attempt.end("succeeded", when)
        self.status, self.updated_at = step.status, when
        if self.terminal:
            self.steps = [step]

    def _begin_attempt(self, when: float, resumes: bool = False) -> None:
        self.attempts.append(Attempt(len(self.attempts), when, when, resumed=resumes))
        if self.started_at is None:
            self.started_at = when

    def _note_progress(self, step: Step, when: float) -> None:
        if self.attempt is None:
            return
        self.attempt.updated_at = when
        if step.records is not None:
            self.attempt.records = step.records
        if step.bytes is not None:
            self.attempt.bytes = step.bytes

    def _fail_attempt(self, step: Step, when: float) -> None:
        if step.status == "cancelled":
            # The server overwrites the reason of the last attempt, even of one that had failed before.
            if self.attempts:
                self.attempts[-1].end("failed", when, MANUAL_CANCELLATION)
            return
        if self.attempt is None and (step.status == "incomplete" or step.failure):
            if step.status == "failed" and self.attempts:
                self.attempts[-1].failure = step.failure
                return
            self._begin_attempt(when)
        if self.attempt:
            self.attempt.end("failed", when, step.failure or Failure())


def checked_script(steps: Sequence[Step]) -> list[Step]:
    """Refuse a script that cannot be played, and copy the others."""
    if not steps:
        raise ValueError("a script needs at least one step")
    if any(step.polls < 1 for step in steps):
        raise ValueError("a step lasts at least one poll: use polls=1 or more, or seconds=")
    return list(steps)


def counted_attempts(attempts: list[Attempt], stream: Stream) -> list[Attempt]:
    """Those that count for the totals of a stream: all, or for a full refresh the last one and what it resumed."""
    if stream.sync_mode == "incremental":
        return attempts
    first = next((place for place, each in reversed(list(enumerate(attempts))) if not each.resumed), 0)
    return attempts[first:]


def share(total: int, parts: int) -> list[int]:
    """Spread a total over streams: 7 over 3 is 3, 2, 2."""
    each, rest = divmod(total, parts) if parts else (0, 0)
    return [each + (place < rest) for place in range(parts)]


def failing_instead(step: Step, failure: Failure) -> Step:
    """The same step, but failed for this reason."""
    return replace(step, status="failed", failure=failure)
