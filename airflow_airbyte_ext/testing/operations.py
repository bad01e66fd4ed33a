"""The operations that the fake serves: one handler, and one row in a table, for each.

A handler gets a `Call` and returns the JSON of a 200 answer, or raises a `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing import connection_calls, discovery, events, handlers, progress, web_backend
from airflow_airbyte_ext.testing.call import Call
from airflow_airbyte_ext.testing.job_lists import list_jobs, list_jobs_for_workspaces

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era

Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Operation:
    """One row of the table: the operationId and path of Airbyte's document, and the releases that have it.

    `since` is the first of them, `gone` the first that has it no more. `status` is that of a good answer.
    """

    operation_id: str
    path: str
    handler: Handler
    since: str = "0.1.0"
    method: str = "POST"
    anonymous: bool = False
    gone: str = ""
    status: int = 200

    def served_by(self, era: Era) -> bool:
        """Whether servers of this era have it."""
        return era.since(self.since) and not (self.gone and era.since(self.gone))


def _connections(operation_id: str, path: str, handler: Handler, since: str = "0.1.0", status: int = 200) -> Operation:
    return Operation(operation_id, f"/v1/connections/{path}", handler, since, status=status)


def _web(operation_id: str, path: str, handler: Handler, since: str = "0.1.0", gone: str = "") -> Operation:
    return Operation(operation_id, f"/v1/web_backend/{path}", handler, since, gone=gone)


def _post(operation_id: str, path: str, handler: Handler, since: str = "0.1.0", gone: str = "") -> Operation:
    return Operation(operation_id, f"/v1/{path}", handler, since, gone=gone)


# First releases are from Airbyte's own documents, one for each release.
OPERATIONS = (
    Operation("getHealthCheck", "/v1/health", handlers.health, method="GET", anonymous=True),
    Operation("getInstanceConfiguration", "/v1/instance_configuration", handlers.instance, "0.50.9", "GET", True),
    Operation("getWebappConfig", "/v1/web_backend/config", web_backend.config, "1.7.0", "GET", True),
    _connections("getConnection", "get", connection_calls.get_connection),
    _connections("listConnectionsForWorkspace", "list", connection_calls.list_connections),
    _connections("listAllConnectionsForWorkspace", "list_all", connection_calls.list_all_connections, "0.32.1"),
    _connections("listConnectionsForWorkspacesPaginated", "list_paginated", connection_calls.list_paginated, "0.50.13"),
    _connections("searchConnections", "search", connection_calls.search, "0.30.19"),
    _connections("createConnection", "create", connection_calls.create),
    _connections("updateConnection", "update", connection_calls.update),
    _connections("updateConnectionWithReason", "update_with_reason", connection_calls.update_with_reason, "0.64.4"),
    _connections("deleteConnection", "delete", connection_calls.delete, "0.3.0", 204),
    _connections("getConnectionStatuses", "status", connection_calls.statuses, "0.50.18"),
    _connections("syncConnection", "sync", connection_calls.sync),
    _connections("resetConnection", "reset", connection_calls.reset, "0.6.1"),
    _connections("clearConnection", "clear", connection_calls.reset, "0.57.3"),
    _connections("resetConnectionStream", "reset/stream", connection_calls.reset_streams, "0.42.0"),
    _connections("clearConnectionStream", "clear/stream", connection_calls.reset_streams, "0.57.3"),
    _connections("refreshConnectionStream", "refresh", connection_calls.refresh, "0.57.2"),
    _connections("getConnectionLastJobPerStream", "last_job_per_stream", progress.last_job_per_stream, "0.62.0"),
    _connections("getConnectionSyncProgress", "sync_progress", progress.sync_progress, "0.50.32"),
    _connections("listConnectionEvents", "events/list", events.list_events, "0.63.6"),
    _connections("getConnectionEvent", "events/get", events.get_event, "0.63.6"),
    _connections("listConnectionEventsForJob", "events/list_for_job", events.list_events_for_job, "2.0.0"),
    _web("webBackendGetConnection", "connections/get", web_backend.get_connection),
    _web("webBackendCreateConnection", "connections/create", web_backend.create_connection, "0.24.3"),
    _web("webBackendUpdateConnection", "connections/update", web_backend.update_connection, "0.11.0"),
    _web("webBackendListConnectionsForWorkspace", "connections/list", web_backend.list_connections),
    _web(
        "webBackendListAllConnectionsForWorkspace",
        "connections/list_all",
        web_backend.list_all_connections,
        "0.32.1",
        "0.40.8",
    ),
    _web("webBackendSearchConnections", "connections/search", web_backend.search_connections, "0.29.22", "0.40.10"),
    _web("webBackendCheckUpdates", "check_updates", web_backend.check_updates, "0.40.25"),
    _web("webBackendListGeographies", "geographies/list", web_backend.list_geographies, "0.40.15", "1.7.0"),
    _web("webBackendGetWorkspaceState", "workspace/state", web_backend.workspace_state, "0.35.65"),
    _web("getStateType", "state/get_type", handlers.get_state_type, "0.39.28"),
    _post("getJobInfo", "jobs/get", handlers.get_job),
    _post("getJobInfoLight", "jobs/get_light", handlers.get_job_light, "0.40.7"),
    _post("getJobInfoWithoutLogs", "jobs/get_without_logs", handlers.get_job_without_logs, "0.44.6"),
    _post("getJobDebugInfo", "jobs/get_debug_info", handlers.get_job_debug_info, "0.35.10"),
    _post("getLastReplicationJob", "jobs/get_last_replication_job", handlers.get_last_replication_job, "0.40.29"),
    _post("listJobsFor", "jobs/list", list_jobs),
    _post("listJobsForWorkspaces", "jobs/list_for_workspaces", list_jobs_for_workspaces, "0.50.6"),
    _post("cancelJob", "jobs/cancel", handlers.cancel, "0.17.3"),
    _post("getAttemptForJob", "attempt/get_for_job", handlers.get_attempt, "0.50.9"),
    _post("getAttemptCombinedStats", "attempt/get_combined_stats", handlers.get_combined_stats, "0.50.5"),
    _post("getState", "state/get", handlers.get_state, "0.24.1"),
    _post("createOrUpdateState", "state/create_or_update", handlers.write_state, "0.40.3"),
    _post("createOrUpdateStateSafe", "state/create_or_update_safe", handlers.write_state_safe, "0.50.21"),
    _post("getWorkspace", "workspaces/get", handlers.get_workspace),
    _post(
        "getWorkspaceByConnectionId", "workspaces/get_by_connection_id", handlers.get_workspace_of_connection, "0.40.19"
    ),
    _post("listWorkspaces", "workspaces/list", handlers.list_workspaces, "0.27.1", "1.7.0"),
    _post("listWorkspacesPaginated", "workspaces/list_paginated", handlers.list_workspaces_paginated, "0.50.13"),
    _post(
        "listWorkspacesInOrganization",
        "workspaces/list_by_organization_id",
        handlers.list_workspaces_of_organization,
        "0.50.18",
    ),
    _post("getSource", "sources/get", handlers.get_source),
    _post("listSourcesForWorkspace", "sources/list", handlers.list_sources),
    _post("discoverSchemaForSource", "sources/discover_schema", discovery.discover_schema, "0.3.0"),
    _post("getDestination", "destinations/get", handlers.get_destination),
    _post("listDestinationsForWorkspace", "destinations/list", handlers.list_destinations),
    _post("getOperation", "operations/get", handlers.get_operation),
    _post("listOperationsForConnection", "operations/list", handlers.list_operations),
    Operation("applicationTokenRequest", "/v1/applications/token", handlers.token, "0.50.38", anonymous=True),
    Operation(
        "publicCreateAccessToken", "/public/v1/applications/token", handlers.public_token, "0.63.9", anonymous=True
    ),
)
