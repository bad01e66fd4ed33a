"""Everything but jobs as the JSON of an era. Property names are typed by hand from Airbyte's OpenAPI documents."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.job_answers import JobAnswers, Json, without_nulls
from airflow_airbyte_ext.testing.jobs import Attempt, Job, Stream
from airflow_airbyte_ext.testing.model import LOCKED, SETTINGS, Actor, Connection, Workspace
from airflow_airbyte_ext.testing.states import StateRows
from airflow_airbyte_ext.testing.world import ORGANIZATION_ID, World

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.auth import Guard

_USER_ID = "00000000-0000-4000-8000-0000000000b1"


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
        is_told = connection.status == "locked" and self._era.declares("ConnectionRead.statusReason")
        return {"statusReason": LOCKED} if is_told else {}

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
