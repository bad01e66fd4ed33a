"""Everything as the JSON of an era. Property names are typed by hand from Airbyte's OpenAPI documents."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.jobs import Attempt, Failure, Job, Stream, counted_attempts, share
from airflow_airbyte_ext.testing.model import LOCKED, SETTINGS, Actor, Connection, Workspace
from airflow_airbyte_ext.testing.state_rows import StateRows
from airflow_airbyte_ext.testing.world import ORGANIZATION_ID, World

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.auth import Guard
    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.world import Connection, World

_USER_ID = "00000000-0000-4000-8000-0000000000b1"


class Responses:
    """Turns the world into responses of its era; `jobs` does so for jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._era = world.era
        self.jobs = JobResponses(world)

    def connection(self, connection: Connection) -> Json:
        """ConnectionRead. Its workspaceId is declared since 0.42.1, and never filled by the server."""
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "sourceId": connection.source.id,
            "destinationId": connection.destination.id,
            "syncCatalog": self.catalog(connection.catalog),
            "status": connection.status,
        }
        fields |= self.schedule(connection) | self.settings(connection)
        if self._era.declares("ConnectionRead.breakingChange"):
            fields["breakingChange"] = connection.breaking_change
        if self._era.declares("ConnectionRead.created_at"):
            fields["created_at"] = int(connection.created_at)
        return without_nulls(self._era, fields | self.status_reason(connection))

    def settings(self, connection: Connection) -> Json:
        """What ConnectionRead and WebBackendConnectionRead have in common, under the same names."""
        known = [setting for setting in SETTINGS if setting.known_to(self._era)]
        return {setting.name: setting.read(connection) for setting in known}

    def schedule(self, connection: Connection) -> Json:
        """The schedule in the old words, and later in the new ones too."""
        fields: Json = {"schedule": connection.legacy_schedule}
        if self._era.declares("ConnectionRead.scheduleType"):
            fields |= {"scheduleType": connection.schedule_type, "scheduleData": connection.schedule_data}
        return fields

    def status_reason(self, connection: Connection) -> Json:
        """Why a connection is locked."""
        is_shown = connection.status == "locked" and self._era.declares("ConnectionRead.statusReason")
        return {"statusReason": LOCKED} if is_shown else {}

    def catalog(self, entries: list[Json]) -> Json:
        """AirbyteCatalog."""
        shown = [{**entry, "stream": without_nulls(self._era, entry["stream"])} for entry in entries]
        return {"streams": shown}

    def state(self, connection_id: str, rows: StateRows | None) -> Json:
        """ConnectionState; a connection that is unknown has no rows and is not an error."""
        read = (rows or StateRows()).read()
        if self._era.has("typed_state"):
            return {"stateType": read.pop("stateType"), "connectionId": connection_id, **read}
        return {"connectionId": connection_id} | ({"state": read["state"]} if "state" in read else {})

    def workspace(self, workspace: Workspace) -> Json:
        """WorkspaceRead."""
        fields: Json = {
            "workspaceId": workspace.id,
            "customerId": str(uuid.uuid5(uuid.UUID(workspace.id), "customer")),
            "email": "user@example.com",
            "name": workspace.name,
            "slug": workspace.name.lower().replace(" ", "-"),
            "initialSetupComplete": True,
            "displaySetupWizard": False,
            "anonymousDataCollection": False,
            "news": False,
            "securityUpdates": False,
            "notifications": [],
            "firstCompletedSync": None,
            "feedbackDone": None,
        }
        if self._era.declares("WorkspaceRead.organizationId"):
            fields["organizationId"] = ORGANIZATION_ID
        if self._era.declares("WorkspaceRead.tombstone"):
            fields["tombstone"] = False
        return without_nulls(self._era, fields)

    def actor(self, actor: Actor) -> Json:
        """SourceRead or DestinationRead; the server masks secrets in the configuration."""
        fields: Json = {
            f"{actor.kind}DefinitionId": actor.definition_id,
            f"{actor.kind}Id": actor.id,
            "workspaceId": actor.workspace_id,
            "connectionConfiguration": {"host": f"{actor.kind}.example.com", "password": "**********"},
            "name": actor.name,
            f"{actor.kind}Name": actor.connector,
        }
        if self._era.declares("SourceRead.createdAt"):
            fields["createdAt"] = int(actor.created_at)
        return fields

    def definition_version(self, actor: Actor) -> Json:
        """ActorDefinitionVersionRead: what the connector of a source or destination can do."""
        era, slug = self._era, actor.connector.lower().replace(" ", "-")
        fields: Json = {
            "dockerRepository": f"airbyte/{actor.kind}-{slug}",
            "dockerImageTag": "1.0.0",
        }
        if era.declares("ActorDefinitionVersionRead.supportState"):
            fields |= {"supportLevel": "certified", "supportState": "supported"}
        if era.declares("ActorDefinitionVersionRead.supportsRefreshes"):
            fields["supportsRefreshes"] = actor.kind == "destination" and actor.supports_refreshes
        if era.declares("ActorDefinitionVersionRead.isOverrideApplied"):
            fields["isOverrideApplied"] = False
        if era.declares("ActorDefinitionVersionRead.isVersionOverrideApplied"):
            fields["isVersionOverrideApplied"] = False
        if era.declares("ActorDefinitionVersionRead.supportsDbt"):
            fields |= {"supportsDbt": False, "normalizationConfig": {"supported": False}}
        if era.declares("ActorDefinitionVersionRead.supportsFileTransfer"):
            fields["supportsFileTransfer"] = False
        if era.declares("ActorDefinitionVersionRead.supportsDataActivation"):
            fields["supportsDataActivation"] = False
        return fields

    def instance(self, guard: Guard, url: str) -> Json:
        """InstanceConfigurationResponse; only Keycloak's editions have a licence."""
        era, oidc = self._era, guard.mode == "oidc"
        fields: Json = {"edition": self._edition(oidc)}
        if era.declares("InstanceConfigurationResponse.webappUrl"):
            fields["webappUrl"] = url
        if era.declares("InstanceConfigurationResponse.version"):
            fields |= {"version": era.version, "airbyteUrl": url}
        if oidc and era.declares("InstanceConfigurationResponse.licenseStatus"):
            fields["licenseStatus"] = "pro"
        mode = {"mode": guard.mode} if era.declares("AuthConfiguration.mode") else {}
        auth = mode | ({"clientId": "airbyte-webapp", "defaultRealm": "airbyte"} if oidc else {})
        return fields | ({"auth": auth} if auth else {}) | self._defaults()

    def _edition(self, oidc: bool) -> str:
        if not oidc:
            return "community"
        return "enterprise" if self._era.has("edition_is_enterprise") else "pro"

    def _defaults(self) -> Json:
        """What an instance has from its first start."""
        fields: Json = {}
        if self._era.declares("InstanceConfigurationResponse.defaultUserId"):
            fields |= {
                "initialSetupComplete": True,
                "defaultUserId": _USER_ID,
                "defaultOrganizationId": ORGANIZATION_ID,
                "defaultWorkspaceId": self._world.workspace_id,
            }
        if self._era.declares("InstanceConfigurationResponse.defaultOrganizationEmail"):
            fields["defaultOrganizationEmail"] = "user@example.com"
        if self._era.declares("InstanceConfigurationResponse.trackingStrategy"):
            fields["trackingStrategy"] = "logging"
        return fields

    def connection_status(self, connection: Connection) -> Json:
        """ConnectionStatusRead, in its old shape or its new one; it is about jobs of any kind, resets too."""
        era, jobs = self._era, self._world.jobs(connection.connection_id)
        cancelled_counts = not era.declares("ConnectionStatusRead.lastSyncJobId")
        ended = [job for job in jobs if job.terminal and (cancelled_counts or job.status != "cancelled")]
        succeeded = [job.updated_at for job in jobs if job.status == "succeeded"]
        last = ended[-1] if ended else None
        fields: Json = {
            "connectionId": connection.connection_id,
            "lastSuccessfulSync": int(succeeded[-1]) if succeeded else None,
        }
        failure = last.attempts[-1] if last and last.status == "failed" and last.attempts else None
        if era.declares("ConnectionStatusRead.lastSyncJobId"):
            fields["lastSyncJobId"] = last and last.id
            fields["lastSyncAttemptNumber"] = last.attempts[-1].number if last and last.attempts else None
            fields["failureReason"] = self._reason(failure)
        elif failure and failure.failure:
            fields["failureType"] = failure.failure.type
        if era.declares("ConnectionStatusRead.connectionSyncStatus"):
            return without_nulls(era, fields | self._new_status(connection, jobs, failure))
        return without_nulls(
            era,
            fields
            | {
                "lastSyncJobStatus": last and last.status,
                "nextSync": None,
                "isRunning": any(not job.terminal for job in jobs),
                "isLastCompletedJobReset": last is not None and last.kind == "reset_connection",
            },
        )

    def _new_status(self, connection: Connection, jobs: list[Job], failure: Attempt | None) -> Json:
        newest = jobs[-1] if jobs else None
        active = newest if newest and not newest.terminal else None
        return {
            "connectionSyncStatus": _sync_status(connection, newest, failure),
            "scheduleData": connection.schedule_data,
            "activeJob": active and self.jobs.job_read(active),
            "lastSyncJobCreatedAt": newest and int(newest.created_at),
        }

    def _reason(self, attempt: Attempt | None) -> Json | None:
        if attempt is None or attempt.failure is None:
            return None
        return self.jobs.failure_reason(attempt.failure, attempt.updated_at)


def _sync_status(connection: Connection, newest: Job | None, failure: Attempt | None) -> str:
    """ConnectionSyncStatus: the first that holds; a failed job is "incomplete" here."""
    if newest and not newest.terminal:
        return newest.status if newest.status in ("running", "queued") else "pending"
    is_config_error = bool(failure and failure.failure and failure.failure.type == "config_error")
    if connection.breaking_change or is_config_error:
        return "failed"
    if connection.status != "active":
        return "paused"
    if newest and newest.status == "cancelled":
        return "incomplete"
    if newest is None or newest.kind == "reset_connection":
        return "pending"
    return "incomplete" if newest.status == "failed" else "synced"


def named_stream(entry: Any) -> Stream:
    """A ConnectionStream of a request; null and absent namespaces are the same."""
    if not isinstance(entry, dict):
        raise Refusal("malformed", "Cannot construct instance of `ConnectionStream`")
    if not isinstance(entry.get("streamName"), str):
        raise Refusal("missing", subject="streams.streamName")
    return Stream(entry["streamName"], entry.get("streamNamespace"))


Json = dict[str, Any]


def without_nulls(era: Era, fields: Json) -> Json:
    """Leave null fields out, as all but the oldest servers do; never used on values that belong to a user."""
    return fields if era.has("explicit_nulls") else {name: value for name, value in fields.items() if value is not None}


def descriptor(stream: Stream) -> Json:
    """A StreamDescriptor."""
    return {"name": stream.name} | ({} if stream.namespace is None else {"namespace": stream.namespace})


class JobResponses:
    """Turns jobs into responses of one era."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._era = world.era

    def job_read(self, job: Job, totals: bool = False, attempts: list[Attempt] | None = None) -> Json:
        """JobRead; `totals` adds those (of these attempts) that the server reads for lists and jobs/get_without_logs.

        Its startedAt is declared since 0.40.29, and never filled by the server.
        """
        era = self._era
        fields: Json = {"id": job.id, "configType": job.kind, "configId": job.connection_id}
        if era.declares("JobRead.enabledStreams"):
            streams = self._connection(job).streams
            fields["enabledStreams"] = [descriptor(stream) for stream in streams]
        fields |= {"createdAt": int(job.created_at), "updatedAt": int(job.updated_at)}
        fields["status"] = job.status
        if era.declares("JobRead.resetConfig") and job.kind == "reset_connection":
            fields["resetConfig"] = {"streamsToReset": [descriptor(stream) for stream in job.streams]}
        if era.declares("JobRead.refreshConfig") and job.kind == "refresh":
            fields["refreshConfig"] = {"streamsToRefresh": [descriptor(stream) for stream in job.streams]}
        if totals:
            fields |= self._aggregates(job, job.attempts if attempts is None else attempts)
        return without_nulls(era, fields)

    def info(self, job: Job) -> Json:
        """JobInfoRead, with all logs."""
        return {"job": self.job_read(job), "attempts": [self.attempt_info(job, each) for each in job.attempts]}

    def info_without_logs(self, job: Job) -> Json:
        """JobInfoRead of jobs/get_without_logs: with totals, and attempts of which only the logs are missing."""
        attempts = [self.attempt_info(job, each, logs=False) for each in job.attempts]
        return {"job": self.job_read(job, totals=self._era.has("reads_without_logs_have_totals")), "attempts": attempts}

    def listed(self, job: Job, attempts: list[Attempt] | None = None, light: bool = False) -> Json:
        """JobWithAttemptsRead: here the attempts are not wrapped together with logs.

        `attempts` are those that are shown (all by default), `light` says that their outputs are not read.
        """
        shown = job.attempts if attempts is None else attempts
        reads = [self._attempt_read(job, each, from_tables=True, light=light) for each in shown]
        return {"job": self.job_read(job, self._era.has("lists_have_totals"), attempts), "attempts": reads}

    def attempt_info(self, job: Job, attempt: Attempt, logs: bool = True, from_tables: bool = False) -> Json:
        """AttemptInfoRead."""
        return {"attempt": self._attempt_read(job, attempt, from_tables)} | self._logs(job, attempt, logs)

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
        attempts = [self.attempt_info(job, attempt, from_tables=True) for attempt in job.attempts]
        response: Json = {"job": fields, "attempts": attempts}
        if self._era.declares("JobDebugInfoRead.workflowState"):
            response["workflowState"] = {"running": not job.terminal}
        return response

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

    def _attempt_read(self, job: Job, attempt: Attempt, from_tables: bool, light: bool = False) -> Json:
        """AttemptRead, with statistics from the attempt's output, which a running one lacks, or from their tables."""
        has_output = attempt.ended_at is not None and not light
        fields: Json = {
            "id": attempt.number,
            "status": attempt.status,
            "createdAt": int(attempt.created_at),
            "updatedAt": int(attempt.updated_at),
            "endedAt": None if attempt.ended_at is None else int(attempt.ended_at),
            "bytesSynced": attempt.bytes if has_output else None,
            "recordsSynced": attempt.records if has_output else None,
            "totalStats": None,
            "streamStats": None,
            "failureSummary": self._failure_summary(attempt),
        }
        if from_tables and self._era.has("statistics_have_tables"):
            fields["totalStats"] = self._moved(attempt.records, attempt.bytes)
            fields["streamStats"] = self._stream_stats(job, attempt, namespaces=True)
        elif has_output:
            states = {"stateMessagesEmitted": 1 if attempt.records else 0}
            fields["totalStats"] = self._moved(attempt.records, attempt.bytes) | states
            fields["streamStats"] = self._stream_stats(job, attempt, namespaces=False)
        return without_nulls(self._era, fields)

    def _failure_summary(self, attempt: Attempt) -> Json | None:
        if attempt.failure is None or attempt.ended_at is None:
            return None
        reason = self.failure_reason(attempt.failure, attempt.ended_at)
        return {"failures": [reason], "partialSuccess": attempt.failure.partial_success}

    def stats(self, records: int, size: int) -> Json:
        """AttemptStats of attempt/get_combined_stats, which alone has the bytes that arrived."""
        fields = self._moved(records, size) | {"stateMessagesEmitted": 1 if records else 0}
        return fields | ({"bytesCommitted": size} if self._era.declares("AttemptStats.bytesCommitted") else {})

    def _moved(self, records: int, size: int) -> Json:
        fields = {"recordsEmitted": records, "bytesEmitted": size, "recordsCommitted": records}
        return fields | ({"recordsRejected": 0} if self._era.declares("AttemptStats.recordsRejected") else {})

    def _stream_stats(self, job: Job, attempt: Attempt, namespaces: bool) -> list[Json]:
        return [
            self._stream_name(stream, namespaces) | {"stats": self._moved(records, size)}
            for stream, records, size in _per_stream(job, attempt)
        ]

    def _stream_name(self, stream: Stream, namespaces: bool = True) -> Json:
        shown = namespaces and self._era.declares("AttemptStreamStats.streamNamespace")
        return {"streamName": stream.name} | (
            {"streamNamespace": stream.namespace} if shown and stream.namespace is not None else {}
        )

    def _aggregates(self, job: Job, attempts: list[Attempt]) -> Json:
        by_stream = [
            self._stream_name(stream) | self.totals(*moved(job, stream, attempts)) for stream in job.streams if attempts
        ]
        names = self.totals(0, 0)
        whole = {name: sum(each[name] for each in by_stream) for name in names}
        return {"aggregatedStats": whole, "streamAggregatedStats": by_stream}

    def totals(self, records: int, size: int) -> Json:
        """Records and bytes, as they left the source and as they arrived."""
        totals = {"recordsEmitted": records, "bytesEmitted": size}
        totals |= {"recordsCommitted": records, "bytesCommitted": size}
        return totals | ({"recordsRejected": 0} if self._era.declares("AttemptStats.recordsRejected") else {})

    def _logs(self, job: Job, attempt: Attempt, logs: bool) -> Json:
        if not logs and self._era.has("structured_logs"):
            return {}
        return self.log_fields(_log_messages(job, attempt) if logs else [], attempt.created_at)

    def log_fields(self, shown: list[str], when: float) -> Json:
        """The properties that hold these lines of a log."""
        if not self._era.has("structured_logs"):
            return {"logs": {"logLines": shown}}
        stamp = int(when * 1000)
        events = [{"timestamp": stamp, "message": line, "level": "info", "logSource": "platform"} for line in shown]
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


def moved(job: Job, stream: Stream, attempts: list[Attempt]) -> tuple[int, int]:
    """The records and bytes of one stream, over those of the attempts that count; each attempt's are spread evenly."""
    place = [each.key for each in job.streams].index(stream.key)
    counted = counted_attempts(attempts, stream)
    records = sum(share(each.records, len(job.streams))[place] for each in counted)
    return records, sum(share(each.bytes, len(job.streams))[place] for each in counted)


def _per_stream(job: Job, attempt: Attempt) -> list[tuple[Stream, int, int]]:
    count = len(job.streams)
    return list(zip(job.streams, share(attempt.records, count), share(attempt.bytes, count), strict=True))


def _log_messages(job: Job, attempt: Attempt) -> list[str]:
    lines = [f"Executing worker wrapper for job {job.id}, attempt {attempt.number}: {job.kind}"]
    if attempt.failure:
        lines.append(f"Attempt failed: {attempt.failure.internal or attempt.failure.message}")
    if attempt.ended_at is not None:
        lines.append(f"Total records read: {attempt.records}, bytes: {attempt.bytes}")
    return lines
