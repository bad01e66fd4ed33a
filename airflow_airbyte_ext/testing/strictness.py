"""What newest servers do when they are set to be strict: a property that a request does not have is refused.

Only the requests of connections, web_backend and workspaces are read so. The names are typed from Airbyte's document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

# A shape is what an object may hold: names, each with the shape of what is inside, None when anything may be.
Shape = dict[str, Any]


def _shape(names: str, **inside: Shape) -> Shape:
    return {**dict.fromkeys(names.split()), **inside}


_CONNECTION = _shape("connectionId")
_WORKSPACE = _shape("workspaceId includeTombstone")
_PAGINATION = _shape("pageSize rowOffset")
_STREAMS = _shape("connectionId", streams=_shape("streamName streamNamespace"))
_CATALOG = _shape(
    "",
    streams=_shape(
        "",
        stream=_shape(
            "name jsonSchema supportedSyncModes sourceDefinedCursor defaultCursorField sourceDefinedPrimaryKey "
            "namespace isResumable isFileBased"
        ),
        config=_shape(
            "syncMode cursorField destinationSyncMode namespace primaryKey aliasName selected suggested "
            "destinationObjectName includeFiles fieldSelectionEnabled selectedFields hashedFields mappers "
            "minimumGenerationId generationId syncId"
        ),
    ),
)
_SETTINGS = _shape(
    "name namespaceDefinition namespaceFormat prefix scheduleType status sourceCatalogId destinationCatalogId "
    "dataplaneGroupId notifySchemaChanges nonBreakingChangesPreference backfillPreference onDemandEnabled",
    syncCatalog=_CATALOG,
    schedule=_shape("units timeUnit"),
    scheduleData=_shape("", basicSchedule=_shape("timeUnit units"), cron=_shape("cronExpression cronTimeZone")),
    resourceRequirements=_shape(
        "cpu_request cpu_limit memory_request memory_limit ephemeral_storage_request ephemeral_storage_limit"
    ),
    tags=_shape("tagId workspaceId name color"),
)
_OPERATION = _shape("workspaceId name operatorConfiguration")
_CREATE = {**_SETTINGS, **_shape("sourceId destinationId operationIds")}
_UPDATE = {**_SETTINGS, **_shape("connectionId notifySchemaChangesByEmail")}
_UPDATE_PLAIN = {**_UPDATE, **_shape("operationIds breakingChange")}
_FILTERS = _shape("sourceDefinitionIds destinationDefinitionIds statuses states tagIds searchTerm onDemandEnabled")

REQUESTS: Mapping[str, Shape] = {
    **dict.fromkeys(
        (
            "getConnection",
            "deleteConnection",
            "syncConnection",
            "resetConnection",
            "clearConnection",
            "getConnectionSyncProgress",
            "getConnectionLastJobPerStream",
            "getStateType",
            "getWorkspaceByConnectionId",
        ),
        _CONNECTION,
    ),
    **dict.fromkeys(
        (
            "listConnectionsForWorkspace",
            "listAllConnectionsForWorkspace",
            "getWorkspace",
        ),
        _WORKSPACE,
    ),
    "webBackendGetWorkspaceState": _shape("workspaceId"),
    "resetConnectionStream": _STREAMS,
    "clearConnectionStream": _STREAMS,
    "refreshConnectionStream": {**_STREAMS, "refreshMode": None},
    "createConnection": {**_CREATE, "notifySchemaChangesByEmail": None},
    "updateConnection": _UPDATE_PLAIN,
    "updateConnectionWithReason": _shape("updateReason autoUpdate", connectionUpdate=_UPDATE_PLAIN),
    "getConnectionStatuses": _shape("connectionIds"),
    "listConnectionsForWorkspacesPaginated": _shape(
        "workspaceIds userId includeDeleted tagIds", pagination=_PAGINATION
    ),
    "listConnectionEvents": _shape("connectionId eventTypes createdAtStart createdAtEnd", pagination=_PAGINATION),
    "listConnectionEventsForJob": _shape("id"),
    "getConnectionEvent": _shape("connectionEventId connectionId"),
    "webBackendGetConnection": _shape("withRefreshedCatalog connectionId"),
    "webBackendCreateConnection": {**_CREATE, "operations": _OPERATION},
    "webBackendUpdateConnection": {**_UPDATE, "skipReset": None, "operations": {**_OPERATION, "operationId": None}},
    "webBackendListConnectionsForWorkspace": _shape(
        "workspaceId sourceId destinationId cursor sortKey pageSize", filters=_FILTERS
    ),
    "listWorkspacesPaginated": _shape("workspaceIds includeDeleted nameContains", pagination=_PAGINATION),
    "listWorkspacesInOrganization": _shape("organizationId nameContains", pagination=_PAGINATION),
}


def check_properties(operation_id: str, body: Any) -> None:
    """Refuse a body with a property that the operation's request does not declare, at any depth."""
    if operation_id in REQUESTS:
        _check(REQUESTS[operation_id], body)


def _check(shape: Shape, value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _check(shape, each)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in shape:
                raise Refusal("malformed", f'Unrecognized field "{name}", not marked as ignorable')
            if shape[name] is not None:
                _check(shape[name], item)
