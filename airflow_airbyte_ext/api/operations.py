"""
The table of the Config API's operations: one row decides all that is particular to an operation.

Paths, methods and operationIds are those of Airbyte's OpenAPI documents; `since` is the first Airbyte release
whose own document has the operation, and `gone` the first that has it no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_airbyte_ext.api.models import connections as c
from airflow_airbyte_ext.api.models import instance as i
from airflow_airbyte_ext.api.models import jobs as j
from airflow_airbyte_ext.api.models import web_backend as w
from airflow_airbyte_ext.api.models.operations import OperationRead, OperationReadList
from airflow_airbyte_ext.api.models.state import ConnectionState
from airflow_airbyte_ext.api.requests import base as of
from airflow_airbyte_ext.api.requests import connections as of_connections
from airflow_airbyte_ext.api.requests import instance as of_instance
from airflow_airbyte_ext.api.requests import jobs as of_jobs
from airflow_airbyte_ext.api.requests import web_backend as of_web_backend

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.releases import Release

Answer = TypeVar("Answer")

# Airbyte holds these requests open until its workflow has moved: sync until it runs, reset until there is a
# new job, cancel until it stopped. Proxies give up after minutes; whoever asks must reconcile after a time-out.
BLOCKING_TIMEOUT = 300.0
# These carry up to a million log lines, and a response must be whole in its time.
LOGS_TIMEOUT = 120.0
# A discovery runs the connector, and Airbyte answers when that has ended.
DISCOVERY_TIMEOUT = 600.0


class Repeat(Enum):
    """Whether sending an operation again may do harm."""

    READ = "changes nothing: repeat it after any failure that may pass"
    NEVER = "starts, stops or changes something: repeat it only when it surely was not accepted"


@dataclass(frozen=True)
class Operation(Generic[Answer]):
    """
    One operation of the Config API.

    :param operation_id: As in Airbyte's OpenAPI document.
    :param path: Below the base URL.
    :param since: First Airbyte release that has it.
    :param repeat: Whether it may be sent again.
    :param answer: The type of its answer.
    :param request: The `TypedDict` of its request; None where it takes none.
    :param role: The least role that may ask for it, in a workspace or an instance.
    :param gone: First Airbyte release that has it no more.
    :param instead: What to use where a release does not have it.
    :param method: The HTTP method.
    :param read_timeout: Least seconds for the whole response, where Airbyte itself waits or has much to say.
    :param holds_secrets: Whether the request holds state or credentials, which a server's complaint may repeat.
    :param is_500_final: Whether 500 is a response that repeating does not change.
    """

    operation_id: str
    path: str
    since: str
    repeat: Repeat
    answer: type[Answer]
    request: type | None = None
    role: str = "reader"
    gone: str | None = None
    instead: str = ""
    method: str = "POST"
    read_timeout: float = 0.0
    holds_secrets: bool = False
    is_500_final: bool = False

    def is_in(self, release: Release) -> bool | None:
        """Whether a release has this operation; None where that is not sure."""
        return release.is_within(self.since, self.gone)


def _read(
    operation_id: str, path: str, since: str, answer: type[Answer], request: type | None = None, **more: Any
) -> Operation[Answer]:
    return Operation(operation_id, path, since, Repeat.READ, answer, request, **more)


def _write(
    operation_id: str, path: str, since: str, answer: type[Answer], request: type, role: str, **more: Any
) -> Operation[Answer]:
    return Operation(operation_id, path, since, Repeat.NEVER, answer, request, role, **more)


_Nothing = type(None)

# Instance

GET_HEALTH_CHECK = _read("getHealthCheck", "/v1/health", "0.6.1", i.HealthCheckRead, method="GET")
GET_INSTANCE_CONFIGURATION = _read(
    "getInstanceConfiguration",
    "/v1/instance_configuration",
    "0.50.9",
    i.InstanceConfigurationResponse,
    method="GET",
    # Of an instance that nobody has set up yet.
    is_500_final=True,
)
# Buying a token changes nothing that anybody else sees.
APPLICATION_TOKEN_REQUEST = _read(
    "applicationTokenRequest", "/v1/applications/token", "0.50.38", i.AccessToken, holds_secrets=True
)

# Connections

CREATE_CONNECTION = _write(
    "createConnection", "/v1/connections/create", "0.1.0", c.ConnectionRead, of_connections.ConnectionCreate, "editor"
)
UPDATE_CONNECTION = _write(
    "updateConnection", "/v1/connections/update", "0.1.0", c.ConnectionRead, of_connections.ConnectionUpdate, "editor"
)
UPDATE_CONNECTION_WITH_REASON = _write(
    "updateConnectionWithReason",
    "/v1/connections/update_with_reason",
    "0.64.4",
    c.ConnectionRead,
    of_connections.ConnectionUpdateWithReason,
    "editor",
    instead="Use update_connection.",
)
DELETE_CONNECTION = _write(
    "deleteConnection", "/v1/connections/delete", "0.3.0", _Nothing, of.ConnectionIdRequestBody, "editor"
)
GET_CONNECTION = _read("getConnection", "/v1/connections/get", "0.1.0", c.ConnectionRead, of.ConnectionIdRequestBody)
LIST_CONNECTIONS_FOR_WORKSPACE = _read(
    "listConnectionsForWorkspace", "/v1/connections/list", "0.1.0", c.ConnectionReadList, of.WorkspaceIdRequestBody
)
LIST_ALL_CONNECTIONS_FOR_WORKSPACE = _read(
    "listAllConnectionsForWorkspace",
    "/v1/connections/list_all",
    "0.32.1",
    c.ConnectionReadList,
    of.WorkspaceIdRequestBody,
)
LIST_CONNECTIONS_FOR_WORKSPACES_PAGINATED = _read(
    "listConnectionsForWorkspacesPaginated",
    "/v1/connections/list_paginated",
    "0.50.13",
    c.ConnectionReadList,
    of_connections.ListConnectionsForWorkspacesRequestBody,
    instead="Use list_connections_for_workspace.",
)
SEARCH_CONNECTIONS = _read(
    "searchConnections", "/v1/connections/search", "0.30.19", c.ConnectionReadList, of_connections.ConnectionSearch
)
SYNC_CONNECTION = _write(
    "syncConnection",
    "/v1/connections/sync",
    "0.1.0",
    j.JobInfoRead,
    of.ConnectionIdRequestBody,
    "runner",
    read_timeout=BLOCKING_TIMEOUT,
)
RESET_CONNECTION = _write(
    "resetConnection",
    "/v1/connections/reset",
    "0.6.1",
    j.JobInfoRead,
    of.ConnectionIdRequestBody,
    "editor",
    read_timeout=BLOCKING_TIMEOUT,
)
RESET_CONNECTION_STREAM = _write(
    "resetConnectionStream",
    "/v1/connections/reset/stream",
    "0.42.0",
    j.JobInfoRead,
    of_connections.ConnectionStreamRequestBody,
    "editor",
    instead="Use reset_connection, which resets all streams.",
    read_timeout=BLOCKING_TIMEOUT,
)
CLEAR_CONNECTION = _write(
    "clearConnection",
    "/v1/connections/clear",
    "0.57.3",
    j.JobInfoRead,
    of.ConnectionIdRequestBody,
    "editor",
    instead="Use reset_connection, which does the same.",
    read_timeout=BLOCKING_TIMEOUT,
)
CLEAR_CONNECTION_STREAM = _write(
    "clearConnectionStream",
    "/v1/connections/clear/stream",
    "0.57.3",
    j.JobInfoRead,
    of_connections.ConnectionStreamRequestBody,
    "editor",
    instead="Use reset_connection_stream, which does the same.",
    read_timeout=BLOCKING_TIMEOUT,
)
REFRESH_CONNECTION_STREAM = _write(
    "refreshConnectionStream",
    "/v1/connections/refresh",
    "0.57.2",
    c.RefreshRead,
    of_connections.ConnectionStreamRefreshRequestBody,
    "runner",
    instead="Use reset_connection and then sync_connection.",
    read_timeout=BLOCKING_TIMEOUT,
)
GET_CONNECTION_STATUSES = _read(
    "getConnectionStatuses",
    "/v1/connections/status",
    "0.50.18",
    list[c.ConnectionStatusRead],
    of_connections.ConnectionStatusesRequestBody,
    instead="Use list_jobs_for.",
)
GET_CONNECTION_LAST_JOB_PER_STREAM = _read(
    "getConnectionLastJobPerStream",
    "/v1/connections/last_job_per_stream",
    "0.62.0",
    list[c.ConnectionLastJobPerStreamReadItem],
    of_connections.ConnectionLastJobPerStreamRequestBody,
    instead="Use list_jobs_for.",
)
GET_CONNECTION_SYNC_PROGRESS = _read(
    "getConnectionSyncProgress",
    "/v1/connections/sync_progress",
    "0.50.32",
    c.ConnectionSyncProgressRead,
    of.ConnectionIdRequestBody,
    instead="Use get_job_info_without_logs.",
)
LIST_CONNECTION_EVENTS = _read(
    "listConnectionEvents",
    "/v1/connections/events/list",
    "0.63.6",
    c.ConnectionEventList,
    of_connections.ConnectionEventsRequestBody,
    instead="Use list_jobs_for.",
)
LIST_CONNECTION_EVENTS_FOR_JOB = _read(
    "listConnectionEventsForJob",
    "/v1/connections/events/list_for_job",
    "2.0.0",
    c.ConnectionEventList,
    of.JobIdRequestBody,
    instead="Use list_connection_events.",
)
GET_CONNECTION_EVENT = _read(
    "getConnectionEvent",
    "/v1/connections/events/get",
    "0.63.6",
    c.ConnectionEventWithDetails,
    of_connections.ConnectionEventIdRequestBody,
)

# Jobs

GET_JOB_INFO = _read(
    "getJobInfo", "/v1/jobs/get", "0.1.0", j.JobInfoRead, of.JobIdRequestBody, read_timeout=LOGS_TIMEOUT
)
GET_JOB_INFO_LIGHT = _read(
    "getJobInfoLight",
    "/v1/jobs/get_light",
    "0.40.7",
    j.JobInfoLightRead,
    of.JobIdRequestBody,
    instead="Use list_jobs_for.",
)
GET_JOB_INFO_WITHOUT_LOGS = _read(
    "getJobInfoWithoutLogs",
    "/v1/jobs/get_without_logs",
    "0.44.6",
    j.JobInfoRead,
    of.JobIdRequestBody,
    instead="Use list_jobs_for with including_job_id.",
)
GET_LAST_REPLICATION_JOB = _read(
    "getLastReplicationJob",
    "/v1/jobs/get_last_replication_job",
    "0.40.29",
    j.JobOptionalRead,
    of.ConnectionIdRequestBody,
    instead="Use list_jobs_for.",
)
LIST_JOBS_FOR = _read("listJobsFor", "/v1/jobs/list", "0.1.0", j.JobReadList, of_jobs.JobListRequestBody)
LIST_JOBS_FOR_WORKSPACES = _read(
    "listJobsForWorkspaces",
    "/v1/jobs/list_for_workspaces",
    "0.50.6",
    j.JobReadList,
    of_jobs.JobListForWorkspacesRequestBody,
    instead="Use list_jobs_for with config_id.",
)
CANCEL_JOB = _write(
    "cancelJob",
    "/v1/jobs/cancel",
    "0.17.3",
    j.JobInfoRead,
    of.JobIdRequestBody,
    "runner",
    read_timeout=BLOCKING_TIMEOUT,
)
GET_ATTEMPT_FOR_JOB = _read(
    "getAttemptForJob",
    "/v1/attempt/get_for_job",
    "0.50.9",
    j.AttemptInfoRead,
    of_jobs.GetAttemptStatsRequestBody,
    instead="Use get_job_info.",
    read_timeout=LOGS_TIMEOUT,
)

# State

GET_STATE = _read("getState", "/v1/state/get", "0.24.1", ConnectionState, of.ConnectionIdRequestBody)
CREATE_OR_UPDATE_STATE = _write(
    "createOrUpdateState",
    "/v1/state/create_or_update",
    "0.40.3",
    ConnectionState,
    of_jobs.ConnectionStateCreateOrUpdate,
    "instance admin",
    holds_secrets=True,
)
CREATE_OR_UPDATE_STATE_SAFE = _write(
    "createOrUpdateStateSafe",
    "/v1/state/create_or_update_safe",
    "0.50.21",
    ConnectionState,
    of_jobs.ConnectionStateCreateOrUpdate,
    "editor",
    instead="Use create_or_update_state.",
    holds_secrets=True,
)

# Web backend

GET_STATE_TYPE = _read(
    "getStateType",
    "/v1/web_backend/state/get_type",
    "0.39.28",
    str,
    of.ConnectionIdRequestBody,
    instead="Use get_state.",
)
WEB_BACKEND_CHECK_UPDATES = _read(
    "webBackendCheckUpdates", "/v1/web_backend/check_updates", "0.40.25", w.WebBackendCheckUpdatesRead
)
WEB_BACKEND_CREATE_CONNECTION = _write(
    "webBackendCreateConnection",
    "/v1/web_backend/connections/create",
    "0.24.3",
    w.WebBackendConnectionRead,
    of_web_backend.WebBackendConnectionCreate,
    "editor",
)
WEB_BACKEND_GET_CONNECTION = _read(
    "webBackendGetConnection",
    "/v1/web_backend/connections/get",
    "0.1.0",
    w.WebBackendConnectionRead,
    of_web_backend.WebBackendConnectionRequestBody,
)
# The same with a discovery: each request starts another run of the connector, and the server closes the connection
# after five minutes without a byte.
WEB_BACKEND_DISCOVER_CONNECTION = replace(
    WEB_BACKEND_GET_CONNECTION, repeat=Repeat.NEVER, read_timeout=DISCOVERY_TIMEOUT
)
WEB_BACKEND_GET_WORKSPACE_STATE = _read(
    "webBackendGetWorkspaceState",
    "/v1/web_backend/workspace/state",
    "0.35.65",
    w.WebBackendWorkspaceStateResult,
    of.WorkspaceIdRequestBody,
)
WEB_BACKEND_LIST_CONNECTIONS_FOR_WORKSPACE = _read(
    "webBackendListConnectionsForWorkspace",
    "/v1/web_backend/connections/list",
    "0.1.0",
    w.WebBackendConnectionReadList,
    of_web_backend.WebBackendConnectionListRequestBody,
)
WEB_BACKEND_LIST_ALL_CONNECTIONS_FOR_WORKSPACE = _read(
    "webBackendListAllConnectionsForWorkspace",
    "/v1/web_backend/connections/list_all",
    "0.32.1",
    w.WebBackendConnectionReadList,
    of.WorkspaceIdRequestBody,
    gone="0.40.8",
    instead="Use list_all_connections_for_workspace.",
)
WEB_BACKEND_LIST_GEOGRAPHIES = _read(
    "webBackendListGeographies",
    "/v1/web_backend/geographies/list",
    "0.40.15",
    w.WebBackendGeographiesListResult,
    gone="1.7.0",
    instead="Data plane groups took their place.",
)
WEB_BACKEND_SEARCH_CONNECTIONS = _read(
    "webBackendSearchConnections",
    "/v1/web_backend/connections/search",
    "0.29.22",
    w.WebBackendConnectionReadList,
    of_connections.ConnectionSearch,
    gone="0.40.10",
    instead="Use airflow_airbyte_ext.connections.find.find_connections.",
)
WEB_BACKEND_UPDATE_CONNECTION = _write(
    "webBackendUpdateConnection",
    "/v1/web_backend/connections/update",
    "0.11.0",
    w.WebBackendConnectionRead,
    of_web_backend.WebBackendConnectionUpdate,
    "editor",
    read_timeout=BLOCKING_TIMEOUT,
)
GET_WEBAPP_CONFIG = _read(
    "getWebappConfig",
    "/v1/web_backend/config",
    "1.7.0",
    w.WebappConfigResponse,
    method="GET",
    instead="Use get_instance_configuration.",
)

# Workspaces, sources, destinations, operations

GET_WORKSPACE = _read("getWorkspace", "/v1/workspaces/get", "0.1.0", i.WorkspaceRead, of.WorkspaceIdRequestBody)
GET_WORKSPACE_BY_CONNECTION_ID = _read(
    "getWorkspaceByConnectionId",
    "/v1/workspaces/get_by_connection_id",
    "0.40.19",
    i.WorkspaceRead,
    of.ConnectionIdRequestBody,
    instead="Use get_source, which names its workspace.",
)
LIST_WORKSPACES = _read(
    "listWorkspaces",
    "/v1/workspaces/list",
    "0.27.1",
    i.WorkspaceReadList,
    gone="1.7.0",
    instead="Use list_workspaces_in_organization.",
)
LIST_WORKSPACES_IN_ORGANIZATION = _read(
    "listWorkspacesInOrganization",
    "/v1/workspaces/list_by_organization_id",
    "0.50.18",
    i.WorkspaceReadList,
    of_instance.ListWorkspacesInOrganizationRequestBody,
    instead="Use list_workspaces.",
)
GET_SOURCE = _read("getSource", "/v1/sources/get", "0.1.0", i.SourceRead, of.SourceIdRequestBody)
LIST_SOURCES_FOR_WORKSPACE = _read(
    "listSourcesForWorkspace", "/v1/sources/list", "0.1.0", i.SourceReadList, of_instance.ActorListRequestBody
)
DISCOVER_SCHEMA_FOR_SOURCE = _write(
    "discoverSchemaForSource",
    "/v1/sources/discover_schema",
    "0.3.0",
    i.SourceDiscoverSchemaRead,
    of_instance.SourceDiscoverSchemaRequestBody,
    "editor",
    read_timeout=DISCOVERY_TIMEOUT,
)
GET_DESTINATION = _read(
    "getDestination", "/v1/destinations/get", "0.1.0", i.DestinationRead, of.DestinationIdRequestBody
)
LIST_DESTINATIONS_FOR_WORKSPACE = _read(
    "listDestinationsForWorkspace",
    "/v1/destinations/list",
    "0.1.0",
    i.DestinationReadList,
    of_instance.ActorListRequestBody,
)
GET_OPERATION = _read("getOperation", "/v1/operations/get", "0.36.0", OperationRead, of.OperationIdRequestBody)
LIST_OPERATIONS_FOR_CONNECTION = _read(
    "listOperationsForConnection",
    "/v1/operations/list",
    "0.36.0",
    OperationReadList,
    of.ConnectionIdRequestBody,
)

OPERATIONS: dict[str, Operation[Any]] = {
    row.operation_id: row
    for row in list(globals().values())
    if isinstance(row, Operation) and row is not WEB_BACKEND_DISCOVER_CONNECTION
}
