"""The operations that the fake serves: one handler, and one row in a table, for each.

A handler gets a `Call` and returns the JSON of a 200 response, or raises a `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing import connection_handlers as connections
from airflow_airbyte_ext.testing import handlers, job_handlers, web_backend
from airflow_airbyte_ext.testing.call import Call
from airflow_airbyte_ext.testing.fields import within

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era

Handler = Callable[[Call], Any]
_CONNECTION, _WORKSPACE, _JOB = "ConnectionIdRequestBody", "WorkspaceIdRequestBody", "JobIdRequestBody"
_STREAMS, _STATE = "ConnectionStreamRequestBody", "ConnectionStateCreateOrUpdate"


@dataclass(frozen=True)
class Operation:
    """One row of the table: the operationId and path of Airbyte's document, and the releases that have it.

    `since` is the first of them, `until` the first that has it no more. `request` names the schema of its body, ""
    when it takes none; `status` is that of a success.
    """

    operation_id: str
    path: str
    handler: Handler
    request: str = ""
    since: str = ""
    until: str = ""
    method: str = "POST"
    anonymous: bool = False
    status: int = 200
    evidence: str = "[SPEC]"

    def served_by(self, era: Era) -> bool:
        """Whether servers of this era have it."""
        return within(era.release, self.since, self.until)

    @property
    def argument(self) -> str:
        """The request's body as a parameter of Airbyte's own code."""
        return self.request[:1].lower() + self.request[1:]


def _get(operation_id: str, path: str, handler: Handler, since: str = "", evidence: str = "[SPEC]") -> Operation:
    return Operation(operation_id, path, handler, "", since, "", "GET", anonymous=True, evidence=evidence)


def _connections(
    operation_id: str, path: str, handler: Handler, request: str = _CONNECTION, since: str = "", status: int = 200
) -> Operation:
    return Operation(operation_id, f"/v1/connections/{path}", handler, request, since, status=status)


def _web(
    operation_id: str, path: str, handler: Handler, request: str = "", since: str = "", until: str = ""
) -> Operation:
    return Operation(operation_id, f"/v1/web_backend/{path}", handler, request, since, until)


def _post(
    operation_id: str, path: str, handler: Handler, request: str = "", since: str = "", until: str = ""
) -> Operation:
    return Operation(operation_id, f"/v1/{path}", handler, request, since, until)


_TOKEN = "ApplicationTokenRequest"
# The releases are those of Airbyte's own documents, one for each release.
OPERATIONS = (
    _get("getHealthCheck", "/v1/health", handlers.health),
    _get("getInstanceConfiguration", "/v1/instance_configuration", handlers.instance, "0.50.9"),
    _get("getWebappConfig", "/v1/web_backend/config", web_backend.config, "1.7.0"),
    _connections("getConnection", "get", connections.get_connection),
    _connections("listConnectionsForWorkspace", "list", connections.list_connections, _WORKSPACE),
    _connections("listAllConnectionsForWorkspace", "list_all", connections.list_all_connections, _WORKSPACE),
    _connections(
        "listConnectionsForWorkspacesPaginated",
        "list_paginated",
        connections.list_paginated,
        "ListConnectionsForWorkspacesRequestBody",
        "0.50.13",
    ),
    _connections("searchConnections", "search", connections.search, "ConnectionSearch"),
    _connections("createConnection", "create", connections.create, "ConnectionCreate"),
    _connections("updateConnection", "update", connections.update, "ConnectionUpdate"),
    _connections(
        "updateConnectionWithReason",
        "update_with_reason",
        connections.update_with_reason,
        "ConnectionUpdateWithReason",
        "0.64.4",
    ),
    _connections("deleteConnection", "delete", connections.delete, status=204),
    _connections("getConnectionStatuses", "status", connections.statuses, "ConnectionStatusesRequestBody", "0.50.18"),
    _connections("syncConnection", "sync", connections.sync),
    _connections("resetConnection", "reset", connections.reset),
    _connections("clearConnection", "clear", connections.reset, since="0.57.3"),
    _connections("resetConnectionStream", "reset/stream", connections.reset_streams, _STREAMS, "0.42.0"),
    _connections("clearConnectionStream", "clear/stream", connections.reset_streams, _STREAMS, "0.57.3"),
    _connections(
        "refreshConnectionStream", "refresh", connections.refresh, "ConnectionStreamRefreshRequestBody", "0.57.2"
    ),
    _connections(
        "getConnectionLastJobPerStream",
        "last_job_per_stream",
        job_handlers.last_job_per_stream,
        "ConnectionLastJobPerStreamRequestBody",
        "0.62.0",
    ),
    _connections("getConnectionSyncProgress", "sync_progress", job_handlers.sync_progress, since="0.50.32"),
    _connections(
        "listConnectionEvents", "events/list", connections.list_events, "ConnectionEventsRequestBody", "0.63.6"
    ),
    _connections("getConnectionEvent", "events/get", connections.get_event, "ConnectionEventIdRequestBody", "0.63.6"),
    _connections("listConnectionEventsForJob", "events/list_for_job", connections.list_events_for_job, _JOB, "2.0.0"),
    _web("webBackendGetConnection", "connections/get", web_backend.get_connection, "WebBackendConnectionRequestBody"),
    _web(
        "webBackendCreateConnection", "connections/create", web_backend.create_connection, "WebBackendConnectionCreate"
    ),
    _web(
        "webBackendUpdateConnection", "connections/update", web_backend.update_connection, "WebBackendConnectionUpdate"
    ),
    _web(
        "webBackendListConnectionsForWorkspace",
        "connections/list",
        web_backend.list_connections,
        "WebBackendConnectionListRequestBody",
    ),
    _web(
        "webBackendListAllConnectionsForWorkspace",
        "connections/list_all",
        web_backend.list_all_connections,
        _WORKSPACE,
        until="0.40.8",
    ),
    _web(
        "webBackendSearchConnections",
        "connections/search",
        web_backend.search_connections,
        "WebBackendConnectionSearch",
        until="0.40.10",
    ),
    _web("webBackendCheckUpdates", "check_updates", web_backend.check_updates, since="0.40.25"),
    _web("webBackendListGeographies", "geographies/list", web_backend.list_geographies, "", "0.40.15", "1.7.0"),
    _web("webBackendGetWorkspaceState", "workspace/state", web_backend.workspace_state, "WebBackendWorkspaceState"),
    _web("getStateType", "state/get_type", handlers.get_state_type, _CONNECTION, "0.39.28"),
    _post("getJobInfo", "jobs/get", handlers.get_job, _JOB),
    _post("getJobInfoLight", "jobs/get_light", handlers.get_job_light, _JOB, "0.40.7"),
    _post("getJobInfoWithoutLogs", "jobs/get_without_logs", handlers.get_job_without_logs, _JOB, "0.44.6"),
    _post("getJobDebugInfo", "jobs/get_debug_info", handlers.get_job_debug_info, _JOB),
    _post(
        "getLastReplicationJob",
        "jobs/get_last_replication_job",
        handlers.get_last_replication_job,
        _CONNECTION,
        "0.40.29",
    ),
    _post("listJobsFor", "jobs/list", job_handlers.list_jobs, "JobListRequestBody"),
    _post(
        "listJobsForWorkspaces",
        "jobs/list_for_workspaces",
        job_handlers.list_jobs_for_workspaces,
        "JobListForWorkspacesRequestBody",
        "0.50.6",
    ),
    _post("cancelJob", "jobs/cancel", handlers.cancel, _JOB),
    _post("getAttemptForJob", "attempt/get_for_job", handlers.get_attempt, "GetAttemptStatsRequestBody", "0.50.9"),
    _post(
        "getAttemptCombinedStats",
        "attempt/get_combined_stats",
        handlers.get_combined_stats,
        "GetAttemptStatsRequestBody",
        "0.50.5",
    ),
    _post("getState", "state/get", handlers.get_state, _CONNECTION),
    _post("createOrUpdateState", "state/create_or_update", handlers.write_state, _STATE, "0.40.3"),
    _post("createOrUpdateStateSafe", "state/create_or_update_safe", handlers.write_state_safe, _STATE, "0.50.21"),
    _post("getWorkspace", "workspaces/get", handlers.get_workspace, _WORKSPACE),
    _post(
        "getWorkspaceByConnectionId",
        "workspaces/get_by_connection_id",
        handlers.get_workspace_of_connection,
        _CONNECTION,
        "0.40.19",
    ),
    _post("listWorkspaces", "workspaces/list", handlers.list_workspaces, until="1.7.0"),
    _post(
        "listWorkspacesPaginated",
        "workspaces/list_paginated",
        handlers.list_workspaces_paginated,
        "ListResourcesForWorkspacesRequestBody",
        "0.50.13",
    ),
    _post(
        "listWorkspacesInOrganization",
        "workspaces/list_by_organization_id",
        handlers.list_workspaces_of_organization,
        "ListWorkspacesInOrganizationRequestBody",
        "0.50.18",
    ),
    _post("getSource", "sources/get", handlers.get_source, "SourceIdRequestBody"),
    _post("listSourcesForWorkspace", "sources/list", handlers.list_sources, "ActorListCursorPaginatedRequestBody"),
    _post(
        "discoverSchemaForSource",
        "sources/discover_schema",
        connections.discover_schema,
        "SourceDiscoverSchemaRequestBody",
    ),
    _post("getDestination", "destinations/get", handlers.get_destination, "DestinationIdRequestBody"),
    _post(
        "listDestinationsForWorkspace",
        "destinations/list",
        handlers.list_destinations,
        "ActorListCursorPaginatedRequestBody",
    ),
    _post(
        "getActorDefinitionVersionForDestinationId",
        "actor_definition_versions/get_for_destination",
        handlers.get_destination_version,
        "DestinationIdRequestBody",
        "0.50.6",
    ),
    _post("getOperation", "operations/get", handlers.get_operation, "OperationIdRequestBody"),
    _post("listOperationsForConnection", "operations/list", handlers.list_operations, _CONNECTION),
    Operation("applicationTokenRequest", "/v1/applications/token", handlers.token, _TOKEN, "0.50.38", anonymous=True),
    Operation(
        "publicCreateAccessToken",
        "/public/v1/applications/token",
        handlers.public_token,
        _TOKEN,
        "0.63.9",
        anonymous=True,
        evidence="[CODE b072cfeae6]",
    ),
)
# They exist only where the server checks tokens.
TOKEN_OPERATIONS = ("applicationTokenRequest", "publicCreateAccessToken")
