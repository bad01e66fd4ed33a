"""Jobs and attempts, as Airbyte's OpenAPI documents have them (0.36 to 2.x)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, PartialModel, Word
from airflow_airbyte_ext.text import one_line, without_secrets

# A Java long, as Airbyte's documents have it.
Long = Annotated[int, Field(ge=-(2**63), lt=2**63)]

_END_OF_CALENDAR = 253402300799

MAX_REASON = 500
# What Airbyte and its connectors say to users of a failure that they do not know; the internal message knows it.
GENERIC_REASON = "Something went wrong"


def _of_the_calendar(seconds: int | None) -> int | None:
    return seconds if seconds is not None and 0 <= seconds <= _END_OF_CALENDAR else None


# A time in seconds; None where it is no time that a calendar has.
Epoch = Annotated[int | None, AfterValidator(_of_the_calendar)]


class StreamDescriptor(AirbyteModel):
    """A stream's name; a null and an empty namespace are different streams."""

    name: str
    namespace: str | None = None


class JobAggregatedStats(AirbyteModel):
    """What a whole job moved: of streams that are read in full the last attempt and what it resumed (since 0.50.45)."""

    records_emitted: Long | None = None
    bytes_emitted: Long | None = None
    records_committed: Long | None = None
    bytes_committed: Long | None = None
    records_rejected: Long | None = None


class StreamStats(JobAggregatedStats):
    """What a whole job moved of one stream (since 0.50.45)."""

    stream_name: str
    stream_namespace: str | None = None


class ResetConfig(AirbyteModel):
    """The streams that a reset empties."""

    streams_to_reset: Items[StreamDescriptor] = Field(default_factory=list)


class JobRefreshConfig(AirbyteModel):
    """The streams that a refresh reads again (since 0.62.2)."""

    streams_to_refresh: Items[StreamDescriptor] = Field(default_factory=list)


class JobRead(AirbyteModel):
    """A job. Times are epoch seconds; `started_at` is declared, and never comes."""

    id: Long
    config_type: Word | None = None
    config_id: Word | None = None
    status: Word | None = None
    created_at: Epoch = None
    updated_at: Epoch = None
    started_at: Epoch = None
    enabled_streams: Items[StreamDescriptor] = Field(default_factory=list)
    reset_config: ResetConfig | None = None
    refresh_config: JobRefreshConfig | None = None
    aggregated_stats: JobAggregatedStats | None = None
    stream_aggregated_stats: Items[StreamStats] = Field(default_factory=list)


class AttemptStats(AirbyteModel):
    """What one attempt moved; every figure may be absent."""

    records_emitted: Long | None = None
    bytes_emitted: Long | None = None
    records_committed: Long | None = None
    bytes_committed: Long | None = None


class AttemptStreamStats(AirbyteModel):
    """What one attempt moved of one stream."""

    stream_name: str
    stream_namespace: str | None = None
    stats: AttemptStats = Field(default_factory=AttemptStats)


def _first_line(text: str | None) -> str:
    """Return the line that says what happened; a traceback of Python ends with it."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()] or [""]
    line = lines[-1 if lines[0].startswith("Traceback ") else 0]
    return one_line(without_secrets(line), MAX_REASON)


class FailureReason(AirbyteModel):
    """Why an attempt failed. `timestamp` is epoch milliseconds."""

    failure_origin: Word | None = None
    failure_type: Word | None = None
    external_message: str | None = None
    internal_message: str | None = None
    retryable: bool | None = None
    stream_descriptor: StreamDescriptor | None = None
    timestamp: int | None = None

    @property
    def reason(self) -> str | None:
        """
        Airbyte's message for users, with the internal one where that says nothing; None where there is neither.

        No stack trace: its first line is what Airbyte's own web app shows.
        """
        message, inner = _first_line(self.external_message), _first_line(self.internal_message)
        if message.startswith(GENERIC_REASON) and inner and inner != message:
            return f"{message.rstrip('.')}: {inner}"
        return message or inner or None


class AttemptFailureSummary(AirbyteModel):
    """All reasons of an attempt's failure; `partial_success` means that some records were committed."""

    failures: Items[FailureReason] = Field(default_factory=list)
    partial_success: bool | None = None


class AttemptRead(AirbyteModel):
    """One try of a job. `id` is the attempt number, counted from 0; times are epoch seconds."""

    id: Long | None = None
    status: Word | None = None
    created_at: Epoch = None
    updated_at: Epoch = None
    ended_at: Epoch = None
    bytes_synced: Long | None = None
    records_synced: Long | None = None
    total_stats: AttemptStats | None = None
    stream_stats: Items[AttemptStreamStats] = Field(default_factory=list)
    failure_summary: AttemptFailureSummary | None = None


class LogEvent(AirbyteModel):
    """One structured log line (since 1.2.0). `timestamp` is epoch milliseconds."""

    message: str = ""
    level: str | None = None
    log_source: str | None = None
    timestamp: int | None = None


class AttemptLogs(AirbyteModel):
    """An attempt's log, in either of Airbyte's two formats: lines, or (since 1.2.0) events."""

    log_lines: Items[str] = Field(default_factory=list)
    events: Items[LogEvent] = Field(default_factory=list)


class AttemptInfoRead(AirbyteModel):
    """An attempt with its log, where the operation gives logs."""

    attempt: AttemptRead
    logs: AttemptLogs | None = None


class JobInfoLightRead(AirbyteModel):
    """A job without its attempts: the response that is cheap to poll."""

    job: JobRead


class JobOptionalRead(AirbyteModel):
    """A job, where there is one."""

    is_strict: ClassVar[bool] = True  # a job that is left out would seem not to exist

    job: JobRead | None = None


class JobInfoRead(AirbyteModel):
    """A job with its attempts."""

    job: JobRead
    attempts: Items[AttemptInfoRead] = Field(default_factory=list)


class JobWithAttemptsRead(AirbyteModel):
    """A job of a list. Its attempts stand bare here, while `JobInfoRead` wraps each."""

    job: JobRead
    attempts: Items[AttemptRead] = Field(default_factory=list)


def _with_job(entries: Any) -> Any:
    is_list = isinstance(entries, list)
    return [each for each in entries if not isinstance(each, dict) or each.get("job")] if is_list else entries


class JobReadList(PartialModel):
    """A page of jobs, newest first; an entry that lacks its job says nothing, and is left out."""

    jobs: Annotated[Items[JobWithAttemptsRead], BeforeValidator(_with_job)]
    total_job_count: int | None = None

    _rows: int = PrivateAttr(0)

    @model_validator(mode="wrap")
    @classmethod
    def _count(cls, response: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        model = handler(response)
        jobs = response.get("jobs") if isinstance(response, dict) else None
        model._rows = len(jobs) if isinstance(jobs, list) else len(model.jobs)
        return model

    @property
    def size(self) -> int:
        """How many rows the page had, with those that were left out."""
        return self._rows + self.left_out.rows
