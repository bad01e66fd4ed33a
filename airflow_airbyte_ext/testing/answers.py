"""Everything but jobs as the JSON of an era. Property names are typed by hand from Airbyte's OpenAPI documents."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.job_answers import JobAnswers, Json, without_nulls
from airflow_airbyte_ext.testing.jobs import Job, Stream
from airflow_airbyte_ext.testing.states import StateRows
from airflow_airbyte_ext.testing.world import ORGANIZATION_ID, Actor, Connection, World

_USER_ID = "00000000-0000-4000-8000-0000000000b1"
_DAY = 24 * 3600


class Answers:
    """Turns the world into answers of its era; `jobs` does so for jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._era = world.era
        self.jobs = JobAnswers(world)

    def connection(self, connection: Connection) -> Json:
        """ConnectionRead. Its workspaceId is declared since 0.42.1, and never filled by the server."""
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "namespaceDefinition": "source",
            "namespaceFormat": "${SOURCE_NAMESPACE}",
            "prefix": "",
            "sourceId": connection.source.id,
            "destinationId": connection.destination.id,
            "operationIds": [],
            "syncCatalog": {"streams": [self._catalog_entry(stream) for stream in connection.streams]},
            "schedule": {"units": 24, "timeUnit": "hours"} if connection.schedule_type == "basic" else None,
            "status": connection.status,
            "resourceRequirements": None,
        }
        return without_nulls(self._era, fields | self._later_fields(connection))

    def _later_fields(self, connection: Connection) -> Json:
        """What ConnectionRead has grown, with the release that brought it."""
        era = self._era
        added: tuple[tuple[bool, Json], ...] = (
            (
                era.since("0.36.9"),
                {"sourceCatalogId": str(uuid.uuid5(uuid.UUID(connection.source.id), "catalog"))},
            ),
            (era.since("0.40.0"), {"scheduleType": connection.schedule_type}),
            (era.since("0.40.0"), {"scheduleData": _schedule_data(connection)}),
            (era.since("0.40.15") and era.before("1.7.0"), {"geography": "auto"}),
            (era.since("0.40.17"), {"breakingChange": False, "notifySchemaChanges": True}),
            (era.since("0.40.18"), {"nonBreakingChangesPreference": "ignore"}),
            (era.since("0.50.31"), {"notifySchemaChangesByEmail": False}),
            (era.since("0.50.46"), {"created_at": int(connection.created_at)}),
            (era.since("1.6.0"), {"tags": []}),
            (era.since("head"), {"onDemandEnabled": False}),
            (era.since("head") and connection.status == "locked", {"statusReason": "locked by the platform"}),
        )
        return {name: value for here, fields in added if here for name, value in fields.items()}

    def _catalog_entry(self, stream: Stream) -> Json:
        fields: Json = {
            "name": stream.name,
            "jsonSchema": {"type": "object", "properties": {"id": {"type": "integer"}}},
            "supportedSyncModes": ["full_refresh", "incremental"],
            "sourceDefinedCursor": False,
            "defaultCursorField": ["updated_at"],
            "sourceDefinedPrimaryKey": [["id"]],
            "namespace": stream.namespace,
        }
        incremental = stream.sync_mode == "incremental"
        config: Json = {
            "syncMode": stream.sync_mode,
            "cursorField": ["updated_at"] if incremental else [],
            "destinationSyncMode": "append_dedup" if incremental else "overwrite",
            "primaryKey": [["id"]],
            "aliasName": stream.name,
            "selected": True,
        }
        if self._era.since("0.40.32"):
            config["fieldSelectionEnabled"] = False
        return {"stream": without_nulls(self._era, fields), "config": config}

    def state(self, connection_id: str, rows: StateRows | None) -> Json:
        """ConnectionState; a connection that is unknown has no rows and is not an error."""
        read = (rows or StateRows()).read()
        if self._era.typed_state:
            return {"stateType": read.pop("stateType"), "connectionId": connection_id, **read}
        return {"connectionId": connection_id} | ({"state": read["state"]} if "state" in read else {})

    def workspace(self) -> Json:
        """WorkspaceRead of the one workspace."""
        fields: Json = {
            "workspaceId": self._world.workspace_id,
            "customerId": str(uuid.uuid5(uuid.UUID(self._world.workspace_id), "customer")),
            "email": "user@example.com",
            "name": "Default Workspace",
            "slug": "default-workspace",
            "initialSetupComplete": True,
            "displaySetupWizard": False,
            "anonymousDataCollection": False,
            "news": False,
            "securityUpdates": False,
            "notifications": [],
            "firstCompletedSync": None,
            "feedbackDone": None,
        }
        if self._era.since("1.0.0"):
            fields |= {"organizationId": ORGANIZATION_ID, "tombstone": False}
        return without_nulls(self._era, fields)

    def actor(self, actor: Actor) -> Json:
        """SourceRead or DestinationRead; the server masks secrets in the configuration."""
        fields: Json = {
            f"{actor.kind}DefinitionId": actor.definition_id,
            f"{actor.kind}Id": actor.id,
            "workspaceId": self._world.workspace_id,
            "connectionConfiguration": {"host": f"{actor.kind}.example.com", "password": "**********"},
            "name": actor.name,
            f"{actor.kind}Name": actor.connector,
        }
        if self._era.since("1.8.0"):
            fields["createdAt"] = int(actor.created_at)
        return fields

    def instance(self, auth_mode: str, url: str) -> Json:
        """InstanceConfigurationResponse of a community edition, which has no licence to tell about."""
        fields: Json = {
            "edition": "community",
            "initialSetupComplete": True,
            "defaultUserId": _USER_ID,
            "defaultOrganizationId": ORGANIZATION_ID,
            "defaultWorkspaceId": self._world.workspace_id,
        }
        if self._era.before("0.57.4"):
            return fields | {"webappUrl": url}
        fields |= {"version": self._era.version, "airbyteUrl": url, "auth": {"mode": auth_mode}}
        return fields | {"defaultOrganizationEmail": "user@example.com", "trackingStrategy": "logging"}

    def connection_status(self, connection: Connection) -> Json:
        """ConnectionStatusRead, whose shape changed with 1.2.0."""
        jobs = [job for job in self._world.jobs(connection.connection_id) if job.kind in ("sync", "refresh")]
        last = jobs[-1] if jobs else None
        succeeded = [job.updated_at for job in jobs if job.status == "succeeded"]
        fields: Json = {
            "connectionId": connection.connection_id,
            "lastSuccessfulSync": int(succeeded[-1]) if succeeded else None,
        }
        if self._era.since("0.50.39"):
            fields["lastSyncJobId"] = last and last.id
            fields["lastSyncAttemptNumber"] = last.attempts[-1].number if last and last.attempts else None
            fields["failureReason"] = self._last_failure(last)
        if self._era.since("1.2.0"):
            return without_nulls(self._era, fields | self._new_status(connection, last))
        return without_nulls(self._era, fields | self._old_status(connection, last))

    def _new_status(self, connection: Connection, last: Job | None) -> Json:
        active = self._world.active_job(connection.connection_id)
        return {
            "connectionSyncStatus": _sync_status(connection, active, last),
            "scheduleData": _schedule_data(connection),
            "activeJob": active and self.jobs.job_read(active),
            "lastSyncJobCreatedAt": last and int(last.created_at),
        }

    def _old_status(self, connection: Connection, last: Job | None) -> Json:
        all_jobs = [job for job in self._world.jobs(connection.connection_id) if job.terminal]
        scheduled = last and connection.schedule_type == "basic"
        reset_last = bool(all_jobs) and all_jobs[-1].kind == "reset_connection"
        return {
            "lastSyncJobStatus": last and last.status,
            "nextSync": int(last.created_at) + _DAY if last and scheduled else None,
            "isRunning": bool(last and last.status == "running"),
            "isLastCompletedJobReset": reset_last,
        }

    def _last_failure(self, last: Job | None) -> Json | None:
        attempt = last.attempts[-1] if last and last.attempts else None
        if attempt is None or attempt.failure is None:
            return None
        return self.jobs.failure_reason(attempt.failure, attempt.updated_at)


def _schedule_data(connection: Connection) -> Json | None:
    if connection.schedule_type == "basic":
        return {"basicSchedule": {"timeUnit": "hours", "units": 24}}
    if connection.schedule_type == "cron":
        return {"cron": {"cronExpression": "0 0 3 * * ?", "cronTimeZone": "UTC"}}
    return None


def _sync_status(connection: Connection, active: Job | None, last: Job | None) -> str:
    """ConnectionSyncStatus: what the user interface shows as the connection's health."""
    if connection.status != "active":
        return "paused"
    if active:
        return active.status if active.status in ("running", "incomplete", "queued") else "pending"
    if last is None:
        return "pending"
    return {"succeeded": "synced", "failed": "failed"}.get(last.status, "incomplete")


def named_stream(entry: Any) -> Stream:
    """A ConnectionStream of a request; null and absent namespaces are the same."""
    if not isinstance(entry, dict) or not isinstance(entry.get("streamName"), str):
        raise Refusal("missing", subject="streams.streamName")
    return Stream(entry["streamName"], entry.get("streamNamespace"))
