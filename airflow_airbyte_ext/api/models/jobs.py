"""Jobs and attempts, as Airbyte's OpenAPI documents have them (0.36 to 2.x)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items


class StreamDescriptor(AirbyteModel):
    """A stream's name; a null and an empty namespace are different streams."""

    name: str
    namespace: str | None = None


class JobAggregatedStats(AirbyteModel):
    """What a whole job moved, over all its attempts (since 0.50.45)."""

    records_emitted: int | None = Field(None, alias="recordsEmitted")
    bytes_emitted: int | None = Field(None, alias="bytesEmitted")
    records_committed: int | None = Field(None, alias="recordsCommitted")
    bytes_committed: int | None = Field(None, alias="bytesCommitted")
    records_rejected: int | None = Field(None, alias="recordsRejected")


class StreamStats(JobAggregatedStats):
    """What a whole job moved of one stream (since 0.50.45)."""

    stream_name: str = Field(alias="streamName")
    stream_namespace: str | None = Field(None, alias="streamNamespace")


class ResetConfig(AirbyteModel):
    """The streams that a reset empties."""

    streams_to_reset: Items[StreamDescriptor] = Field(default_factory=list, alias="streamsToReset")


class JobRead(AirbyteModel):
    """A job. Times are epoch seconds."""

    id: int
    config_type: str | None = Field(None, alias="configType")
    config_id: str | None = Field(None, alias="configId")
    status: str | None = None
    created_at: int | None = Field(None, alias="createdAt")
    updated_at: int | None = Field(None, alias="updatedAt")
    started_at: int | None = Field(None, alias="startedAt")
    enabled_streams: Items[StreamDescriptor] = Field(default_factory=list, alias="enabledStreams")
    reset_config: ResetConfig | None = Field(None, alias="resetConfig")
    aggregated_stats: JobAggregatedStats | None = Field(None, alias="aggregatedStats")
    stream_aggregated_stats: Items[StreamStats] = Field(default_factory=list, alias="streamAggregatedStats")


class AttemptStats(AirbyteModel):
    """What one attempt moved; every figure may be absent."""

    records_emitted: int | None = Field(None, alias="recordsEmitted")
    bytes_emitted: int | None = Field(None, alias="bytesEmitted")
    records_committed: int | None = Field(None, alias="recordsCommitted")
    bytes_committed: int | None = Field(None, alias="bytesCommitted")


class AttemptStreamStats(AirbyteModel):
    """What one attempt moved of one stream."""

    stream_name: str = Field(alias="streamName")
    stream_namespace: str | None = Field(None, alias="streamNamespace")
    stats: AttemptStats = Field(default_factory=AttemptStats)


class FailureReason(AirbyteModel):
    """Why an attempt failed. `timestamp` is epoch milliseconds."""

    failure_origin: str | None = Field(None, alias="failureOrigin")
    failure_type: str | None = Field(None, alias="failureType")
    external_message: str | None = Field(None, alias="externalMessage")
    internal_message: str | None = Field(None, alias="internalMessage")
    retryable: bool | None = None
    timestamp: int | None = None


class AttemptFailureSummary(AirbyteModel):
    """All reasons of an attempt's failure; `partial_success` means that some records were committed."""

    failures: Items[FailureReason] = Field(default_factory=list)
    partial_success: bool | None = Field(None, alias="partialSuccess")


class AttemptRead(AirbyteModel):
    """One try of a job. `id` is the attempt number, counted from 0; times are epoch seconds."""

    id: int | None = None
    status: str | None = None
    created_at: int | None = Field(None, alias="createdAt")
    updated_at: int | None = Field(None, alias="updatedAt")
    ended_at: int | None = Field(None, alias="endedAt")
    bytes_synced: int | None = Field(None, alias="bytesSynced")
    records_synced: int | None = Field(None, alias="recordsSynced")
    total_stats: AttemptStats | None = Field(None, alias="totalStats")
    stream_stats: Items[AttemptStreamStats] = Field(default_factory=list, alias="streamStats")
    failure_summary: AttemptFailureSummary | None = Field(None, alias="failureSummary")


class LogEvent(AirbyteModel):
    """One structured log line (since 1.2.0). `timestamp` is epoch milliseconds."""

    message: str = ""
    level: str | None = None
    log_source: str | None = Field(None, alias="logSource")
    timestamp: int | None = None


class AttemptLogs(AirbyteModel):
    """An attempt's log, in either of Airbyte's two formats: lines, or (since 1.2.0) events."""

    log_lines: Items[str] = Field(default_factory=list, alias="logLines")
    events: Items[LogEvent] = Field(default_factory=list)


class AttemptInfoRead(AirbyteModel):
    """An attempt with its log, where the operation gives logs."""

    attempt: AttemptRead
    logs: AttemptLogs | None = None


class JobInfoLightRead(AirbyteModel):
    """A job without its attempts: the answer that is cheap to poll."""

    job: JobRead


class JobInfoRead(AirbyteModel):
    """A job with its attempts."""

    job: JobRead
    attempts: Items[AttemptInfoRead] = Field(default_factory=list)


class JobWithAttemptsRead(AirbyteModel):
    """A job of a list. Its attempts stand bare here, while `JobInfoRead` wraps each."""

    job: JobRead
    attempts: Items[AttemptRead] = Field(default_factory=list)


def _with_job(entries: Any) -> Any:
    return [entry for entry in entries or [] if not isinstance(entry, dict) or entry.get("job")]


class JobReadList(AirbyteModel):
    """A page of jobs, newest first; an entry may lack its job, and says nothing then."""

    jobs: Annotated[Items[JobWithAttemptsRead], BeforeValidator(_with_job)] = Field(default_factory=list)
    total_job_count: int | None = Field(None, alias="totalJobCount")
