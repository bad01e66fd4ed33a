"""Jobs and attempts as the JSON of an era. Property names are typed by hand from Airbyte's OpenAPI documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.jobs import Attempt, Failure, Job, Stream, share

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.world import Connection, World

Json = dict[str, Any]


def without_nulls(era: Era, fields: Json) -> Json:
    """Leave null fields out, as all but the oldest servers do; never used on values that belong to a user."""
    return fields if era.has("explicit_nulls") else {name: value for name, value in fields.items() if value is not None}


def descriptor(stream: Stream) -> Json:
    """A StreamDescriptor."""
    return {"name": stream.name} | ({} if stream.namespace is None else {"namespace": stream.namespace})


class JobAnswers:
    """Turns jobs into answers of one era."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._era = world.era

    def job_read(self, job: Job, stats: bool = False) -> Json:
        """JobRead; `stats` adds the totals, which the server reads only for lists and jobs/get_without_logs."""
        era = self._era
        fields: Json = {"id": job.id, "configType": job.kind, "configId": job.connection_id}
        if era.declares("JobRead.enabledStreams"):
            streams = self._connection(job).streams
            fields["enabledStreams"] = [descriptor(stream) for stream in streams]
        fields |= {"createdAt": int(job.created_at), "updatedAt": int(job.updated_at)}
        if era.declares("JobRead.startedAt"):
            fields["startedAt"] = None if job.started_at is None else int(job.started_at)
        fields["status"] = job.status
        if era.declares("JobRead.resetConfig") and job.kind == "reset_connection":
            fields["resetConfig"] = {"streamsToReset": [descriptor(stream) for stream in job.streams]}
        if era.declares("JobRead.refreshConfig") and job.kind == "refresh":
            fields["refreshConfig"] = {"streamsToRefresh": [descriptor(stream) for stream in job.streams]}
        if era.declares("JobRead.aggregatedStats") and stats:
            fields |= self._aggregates(job)
        return without_nulls(era, fields)

    def info(self, job: Job, logs: bool = True) -> Json:
        """JobInfoRead: of jobs/get, or (without `logs`) of jobs/get_without_logs."""
        attempts = [self.attempt_info(job, attempt, logs) for attempt in job.attempts]
        return {"job": self.job_read(job, stats=not logs), "attempts": attempts}

    def listed(self, job: Job) -> Json:
        """JobWithAttemptsRead: here the attempts are not wrapped together with logs."""
        attempts = [self._attempt_read(job, attempt, stats=True) for attempt in job.attempts]
        return {"job": self.job_read(job, stats=True), "attempts": attempts}

    def attempt_info(self, job: Job, attempt: Attempt, logs: bool) -> Json:
        """AttemptInfoRead."""
        # jobs/get takes its statistics from an attempt's output, which a running one does not have yet.
        stats = not logs or attempt.ended_at is not None
        return {"attempt": self._attempt_read(job, attempt, stats)} | self._logs(job, attempt, logs)

    def debug_info(self, job: Job) -> Json:
        """JobDebugInfoRead."""
        connection = self._connection(job)
        fields: Json = {
            "id": job.id,
            "configType": job.kind,
            "configId": job.connection_id,
            "status": job.status,
            "airbyteVersion": self._era.version,
            "sourceDefinition": self._definition(connection, "source"),
            "destinationDefinition": self._definition(connection, "destination"),
        }
        attempts = [self.attempt_info(job, attempt, logs=True) for attempt in job.attempts]
        answer: Json = {"job": fields, "attempts": attempts}
        if self._era.declares("JobDebugInfoRead.workflowState"):
            answer["workflowState"] = {"running": not job.terminal}
        return answer

    def failure_reason(self, failure: Failure, when: float) -> Json:
        """FailureReason, whose timestamp alone is in milliseconds."""
        fields: Json = {
            "failureOrigin": failure.origin,
            "failureType": failure.type,
            "externalMessage": failure.message,
            "stacktrace": failure.stacktrace,
            "retryable": failure.retryable,
            "timestamp": int(when * 1000),
        }
        if self._era.declares("FailureReason.internalMessage"):
            fields["internalMessage"] = failure.internal
        return without_nulls(self._era, fields)

    def _connection(self, job: Job) -> Connection:
        return self._world.connections[job.connection_id]

    def _attempt_read(self, job: Job, attempt: Attempt, stats: bool) -> Json:
        fields: Json = {
            "id": attempt.number,
            "status": attempt.status,
            "createdAt": int(attempt.created_at),
            "updatedAt": int(attempt.updated_at),
            "endedAt": None if attempt.ended_at is None else int(attempt.ended_at),
            "bytesSynced": attempt.bytes if stats else None,
            "recordsSynced": attempt.records if stats else None,
            "totalStats": self.stats(attempt.records, attempt.bytes) if stats else None,
            "streamStats": self._stream_stats(job, attempt) if stats else [],
            "failureSummary": self._failure_summary(attempt),
        }
        return without_nulls(self._era, fields)

    def _failure_summary(self, attempt: Attempt) -> Json | None:
        if attempt.failure is None or attempt.ended_at is None:
            return None
        reason = self.failure_reason(attempt.failure, attempt.ended_at)
        return {"failures": [reason], "partialSuccess": attempt.failure.partial_success}

    def stats(self, records: int, size: int) -> Json:
        """AttemptStats."""
        fields = {
            "recordsEmitted": records,
            "bytesEmitted": size,
            "stateMessagesEmitted": 1 if records else 0,
            "recordsCommitted": records,
        }
        if self._era.declares("AttemptStats.bytesCommitted"):
            fields["bytesCommitted"] = size
        if self._era.declares("AttemptStats.recordsRejected"):
            fields["recordsRejected"] = 0
        return fields

    def _stream_stats(self, job: Job, attempt: Attempt) -> list[Json]:
        return [
            self._stream_name(stream) | {"stats": self.stats(records, size)}
            for stream, records, size in _per_stream(job, attempt.records, attempt.bytes)
        ]

    def _stream_name(self, stream: Stream) -> Json:
        namespace = stream.namespace if self._era.declares("AttemptStreamStats.streamNamespace") else None
        return {"streamName": stream.name} | ({} if namespace is None else {"streamNamespace": namespace})

    def _aggregates(self, job: Job) -> Json:
        records = sum(attempt.records for attempt in job.attempts)
        size = sum(attempt.bytes for attempt in job.attempts)
        by_stream = self.stream_totals(job, records, size)
        return {"aggregatedStats": self.totals(records, size), "streamAggregatedStats": by_stream}

    def stream_totals(self, job: Job, records: int, size: int) -> list[Json]:
        """The totals of each stream of a job, spread evenly."""
        return [
            self._stream_name(stream) | self.totals(stream_records, stream_size)
            for stream, stream_records, stream_size in _per_stream(job, records, size)
        ]

    def totals(self, records: int, size: int) -> Json:
        """Records and bytes, as they left the source and as they arrived."""
        totals = {"recordsEmitted": records, "bytesEmitted": size}
        totals |= {"recordsCommitted": records, "bytesCommitted": size}
        return totals | ({"recordsRejected": 0} if self._era.declares("AttemptStats.recordsRejected") else {})

    def _logs(self, job: Job, attempt: Attempt, logs: bool) -> Json:
        if not logs and self._era.has("structured_logs"):
            return {}
        return self.log_fields(_log_messages(job, attempt) if logs else [], attempt.created_at)

    def log_fields(self, told: list[str], when: float) -> Json:
        """The properties that hold these lines of a log."""
        if not self._era.has("structured_logs"):
            return {"logs": {"logLines": told}}
        stamp = int(when * 1000)
        events = [{"timestamp": stamp, "message": line, "level": "info", "logSource": "platform"} for line in told]
        return {"logType": "structured", "logs": {"events": events, "version": "1"}}

    def _definition(self, connection: Connection, kind: str) -> Json:
        actor = connection.source if kind == "source" else connection.destination
        slug = actor.connector.lower().replace(" ", "-")
        fields: Json = {
            f"{kind}DefinitionId": actor.definition_id,
            "name": actor.connector,
            "dockerRepository": f"airbyte/{kind}-{slug}",
            "dockerImageTag": "1.0.0",
            "documentationUrl": f"https://docs.airbyte.com/integrations/{kind}s/{slug}",
        }
        if kind == "destination" and self._era.declares("DestinationDefinitionRead.supportsDbt"):
            fields |= {"supportsDbt": False, "normalizationConfig": {"supported": False}}
        return fields


def _per_stream(job: Job, records: int, size: int) -> list[tuple[Stream, int, int]]:
    count = len(job.streams)
    return list(zip(job.streams, share(records, count), share(size, count), strict=True))


def _log_messages(job: Job, attempt: Attempt) -> list[str]:
    lines = [f"Executing worker wrapper for job {job.id}, attempt {attempt.number}: {job.kind}"]
    if attempt.failure:
        lines.append(f"Attempt failed: {attempt.failure.internal or attempt.failure.message}")
    if attempt.ended_at is not None:
        lines.append(f"Total records read: {attempt.records}, bytes: {attempt.bytes}")
    return lines
