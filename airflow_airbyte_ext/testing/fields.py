"""The order of releases; and the fields of responses and requests that only some of them have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era

HEAD = "head"
_NEWEST = (10**6,)


def release_key(release: str) -> tuple[int, ...]:
    """Order releases: "0.40.32" is (0, 40, 32), and "head" comes after all of them."""
    return _NEWEST if release == HEAD else tuple(int(part) for part in release.split("."))


def within(release: str, since: str, until: str) -> bool:
    """Whether a release is neither older than `since` nor as new as `until`; an empty bound excludes nothing."""
    key = release_key(release)
    return not (since and key < release_key(since)) and not (until and key >= release_key(until))


@dataclass(frozen=True)
class Field:
    """One field of a response, or one word of an enum: `since` is the first release with it, `until` the first without.

    `evidence` says how that is known: [SPEC] is Airbyte's own document of each release.
    """

    name: str
    since: str = ""
    until: str = ""
    evidence: str = "[SPEC]"


FIELDS = (
    Field("ConnectionStatus.locked", "2.1.0", evidence="[SPEC 37d38e81fb]"),
    Field("JobStatus.queued", "2.1.0", evidence="[SPEC; CODE V2_1_0_002]"),
    Field("JobConfigType.refresh", "0.57.2"),
    Field("JobConfigType.clear", "0.59.1"),
    Field("NonBreakingChangesPreference.propagate_columns", "0.44.6"),
    Field("ConnectionRead.scheduleType", "0.40.1"),
    Field("ConnectionRead.breakingChange", "0.40.17"),
    Field("ConnectionRead.created_at", "0.50.46"),
    Field("ConnectionRead.statusReason", "2.1.0", evidence="[SPEC 37d38e81fb]"),
    Field("WorkspaceRead.organizationId", "0.50.18"),
    Field("WorkspaceRead.tombstone", "0.53.1"),
    Field("SourceRead.createdAt", "1.2.0"),
    Field("InstanceConfigurationResponse.defaultUserId", "0.50.24"),
    Field("InstanceConfigurationResponse.webappUrl", "0.50.9", "0.57.4"),
    Field("InstanceConfigurationResponse.trackingStrategy", "0.50.46"),
    Field("InstanceConfigurationResponse.version", "0.57.4"),
    Field("InstanceConfigurationResponse.defaultOrganizationEmail", "0.63.12"),
    Field("InstanceConfigurationResponse.licenseStatus", "0.64.4"),
    Field("AuthConfiguration.mode", "0.60.0"),
    Field("ConnectionStatusRead.lastSyncJobId", "0.50.39"),
    Field("ConnectionStatusRead.connectionSyncStatus", "1.2.0"),
    Field("JobRead.resetConfig", "0.39.24"),
    Field("JobRead.enabledStreams", "0.42.1"),
    Field("JobRead.refreshConfig", "0.62.2"),
    Field("JobReadList.totalJobCount", "0.40.6"),
    Field("JobDebugInfoRead.workflowState", "0.40.19"),
    Field("FailureReason.internalMessage", "0.39.4"),
    Field("AttemptStats.bytesCommitted", "0.42.1"),
    Field("AttemptStats.recordsRejected", "1.8.0"),
    Field("AttemptStreamStats.streamNamespace", "0.40.27"),
    Field("DestinationDefinitionRead.supportsDbt", "0.40.28", "0.63.5"),
    Field("SourceDiscoverSchemaRead.catalogId", "0.36.3"),
    Field("SourceDiscoverSchemaRead.connectionStatus", "0.40.23"),
    Field("SynchronousJobRead.connectorConfigurationUpdated", "0.40.29"),
    Field("SynchronousJobRead.failureReason", "0.42.0"),
    Field("ConnectionSyncProgressRead.configType", "0.63.1"),
    Field("WebBackendConnectionRead.catalogId", "0.36.9"),
    Field("WebBackendConnectionRead.catalogDiff", "0.39.25", evidence="[SPEC; another shape before]"),
    Field("WebBackendConnectionRead.schemaChange", "0.40.17"),
    Field("WebBackendConnectionRead.createdAt", "0.50.46"),
    Field("WebBackendConnectionRead.sourceActorDefinitionVersion", "0.63.2"),
    Field("WebBackendConnectionListItem.schemaChange", "0.40.18"),
    Field("WebBackendConnectionListItem.tags", "1.4.0"),
    Field("WebBackendConnectionListItem.onDemandEnabled", "2.1.0", evidence="[SPEC b3bd59d23b]"),
    Field("ActorDefinitionVersionRead.supportsRefreshes", "0.62.1", evidence="[SPEC f2cf9e46ab]"),
    Field("ActorDefinitionVersionRead.supportState", "0.50.16"),
    Field("ActorDefinitionVersionRead.isOverrideApplied", "0.50.24", "0.50.54"),
    Field("ActorDefinitionVersionRead.isVersionOverrideApplied", "0.50.54"),
    Field("ActorDefinitionVersionRead.supportsDbt", "0.50.25", "0.63.5"),
    Field("ActorDefinitionVersionRead.supportsFileTransfer", "1.2.0"),
    Field("ActorDefinitionVersionRead.supportsDataActivation", "1.7.0"),
)
FIELD_BY_NAME = {field.name: field for field in FIELDS}


@dataclass(frozen=True)
class Property:
    """One property of a request: `schema` names what is inside, "" when anything may be."""

    name: str
    schema: str = ""
    since: str = ""
    until: str = ""


# "name", "name:Schema" for an object or a list of them, "@first release", "-first release without it".
_WRITTEN = re.compile(r"(?P<name>\w+)(?::(?P<schema>\w+))?(?:@(?P<since>[\d.]+))?(?:-(?P<until>[\d.]+))?")


def _properties(text: str) -> tuple[Property, ...]:
    found = [_WRITTEN.fullmatch(word) for word in text.split()]
    return tuple(Property(**{name: part or "" for name, part in each.groupdict().items()}) for each in found if each)


_SCHEDULE = "schedule:ConnectionSchedule scheduleType@0.40.1 scheduleData:ConnectionScheduleData@0.40.1"
_CREATE = (
    "name namespaceDefinition namespaceFormat prefix sourceId destinationId operationIds syncCatalog:AirbyteCatalog "
    f"{_SCHEDULE} status resourceRequirements:ResourceRequirements sourceCatalogId@0.36.3 geography@0.40.15-1.7.0 "
    "backfillPreference@0.50.45 destinationCatalogId@1.7.0 dataplaneGroupId@1.7.0 onDemandEnabled@2.1.0"
)
_UPDATE = (
    "connectionId name namespaceDefinition namespaceFormat prefix syncCatalog:AirbyteCatalog status "
    f"{_SCHEDULE} resourceRequirements:ResourceRequirements sourceCatalogId@0.36.9 geography@0.40.15-1.7.0 "
    "notifySchemaChanges@0.40.18 nonBreakingChangesPreference@0.40.18 notifySchemaChangesByEmail@0.42.1 "
    "backfillPreference@0.50.45 destinationCatalogId@1.7.0 dataplaneGroupId@1.7.0 onDemandEnabled@2.1.0"
)
_SEARCH = (
    "connectionId name namespaceDefinition namespaceFormat prefix sourceId destinationId "
    f"{_SCHEDULE} status source:SourceSearch destination:DestinationSearch"
)
_TIMES = (
    "createdAtStart@0.50.18 createdAtEnd@0.50.18 updatedAtStart@0.50.18 updatedAtEnd@0.50.18 "
    "created_at_start@0.50.8-0.50.18 created_at_end@0.50.8-0.50.18 "
    "updated_at_start@0.50.8-0.50.18 updated_at_end@0.50.8-0.50.18 orderByField@0.50.18 orderByMethod@0.50.18"
)
_JOBS = f"configTypes configId pagination:Pagination status@0.50.8-0.50.46 statuses@0.50.46 {_TIMES}"

_WRITTEN_SCHEMAS = {
    # Ids and pages
    "ConnectionIdRequestBody": "connectionId",
    "WorkspaceIdRequestBody": "workspaceId includeTombstone@0.50.36",
    "SourceIdRequestBody": "sourceId",
    "DestinationIdRequestBody": "destinationId",
    "OperationIdRequestBody": "operationId",
    "JobIdRequestBody": "id",
    "Pagination": "pageSize rowOffset",
    # Connections
    "ConnectionCreate": (
        f"{_CREATE} notifySchemaChanges@0.40.18 nonBreakingChangesPreference@0.40.18 "
        "notifySchemaChangesByEmail@0.42.1 tags:Tag@1.6.0"
    ),
    "ConnectionUpdate": f"{_UPDATE} operationIds breakingChange@0.40.19 tags:Tag@1.6.0",
    "ConnectionUpdateWithReason": "connectionUpdate:ConnectionUpdate updateReason autoUpdate",
    "ConnectionSearch": _SEARCH,
    "ConnectionStatusesRequestBody": "connectionIds",
    "ConnectionStreamRequestBody": "connectionId streams:ConnectionStream",
    "ConnectionStreamRefreshRequestBody": "connectionId streams:ConnectionStream refreshMode@0.59.0",
    "ConnectionLastJobPerStreamRequestBody": "connectionId streams:ConnectionStream@0.62.0-0.63.2",
    "ConnectionEventsRequestBody": "connectionId eventTypes createdAtStart createdAtEnd pagination:Pagination",
    "ConnectionEventIdRequestBody": "connectionEventId connectionId@0.63.16",
    "ListConnectionsForWorkspacesRequestBody": (
        "workspaceIds userId pagination:Pagination includeDeleted tagIds@1.6.0"
    ),
    "WebBackendConnectionRequestBody": "withRefreshedCatalog connectionId",
    "WebBackendConnectionCreate": (
        f"{_CREATE} operations:OperationCreate nonBreakingChangesPreference@0.40.23 notifySchemaChanges@0.51.0 "
        "tags:Tag@1.4.0"
    ),
    "WebBackendConnectionUpdate": (
        f"{_UPDATE} operationIds-0.40.8 withRefreshedCatalog-0.40.2 operations:WebBackendOperationCreateOrUpdate "
        "skipReset@0.39.36 tags:Tag@1.4.0"
    ),
    "WebBackendConnectionListRequestBody": (
        "workspaceId sourceId@0.40.27 destinationId@0.40.27 cursor@1.8.0 sortKey@1.8.0 pageSize@1.8.0 "
        "filters:WebBackendConnectionListFilters@1.8.0"
    ),
    "WebBackendConnectionListFilters": (
        "sourceDefinitionIds destinationDefinitionIds statuses states tagIds searchTerm onDemandEnabled@2.1.0"
    ),
    "WebBackendConnectionSearch": _SEARCH,
    "WebBackendWorkspaceState": "workspaceId",
    # What a connection is made of
    "AirbyteCatalog": "streams:AirbyteStreamAndConfiguration",
    "AirbyteStreamAndConfiguration": "stream:AirbyteStream config:AirbyteStreamConfiguration",
    "AirbyteStream": (
        "name jsonSchema supportedSyncModes sourceDefinedCursor defaultCursorField sourceDefinedPrimaryKey namespace "
        "isResumable@0.62.0 isFileBased@1.7.0"
    ),
    "AirbyteStreamConfiguration": (
        "syncMode cursorField destinationSyncMode primaryKey aliasName selected suggested@0.40.30 "
        "fieldSelectionEnabled@0.40.25 selectedFields:SelectedFieldInfo@0.40.25 minimumGenerationId@0.57.4 "
        "generationId@0.57.4 syncId@0.57.4 hashedFields:SelectedFieldInfo@0.64.4 "
        "mappers:ConfiguredStreamMapper@1.2.0 namespace@1.7.0 includeFiles@1.7.0 destinationObjectName@1.8.0"
    ),
    "SelectedFieldInfo": "fieldPath",
    "ConfiguredStreamMapper": "id type mapperConfiguration",
    "ConnectionSchedule": "units timeUnit",
    "ConnectionScheduleData": "basicSchedule:ConnectionScheduleDataBasicSchedule cron:ConnectionScheduleDataCron",
    "ConnectionScheduleDataBasicSchedule": "timeUnit units",
    "ConnectionScheduleDataCron": "cronExpression cronTimeZone",
    "ConnectionStream": "streamName streamNamespace",
    "ResourceRequirements": (
        "cpu_request cpu_limit memory_request memory_limit ephemeral_storage_request@1.2.0 "
        "ephemeral_storage_limit@1.2.0"
    ),
    "Tag": "tagId workspaceId name color",
    "SourceSearch": "sourceDefinitionId sourceId workspaceId connectionConfiguration name sourceName",
    "DestinationSearch": (
        "destinationDefinitionId destinationId workspaceId connectionConfiguration name destinationName"
    ),
    "OperationCreate": "workspaceId name operatorConfiguration:OperatorConfiguration",
    "WebBackendOperationCreateOrUpdate": "operationId workspaceId name operatorConfiguration:OperatorConfiguration",
    "OperatorConfiguration": (
        "operatorType normalization:OperatorNormalization-0.63.5 dbt:OperatorDbt-0.63.5 webhook:OperatorWebhook@0.40.15"
    ),
    "OperatorNormalization": "option",
    "OperatorDbt": "gitRepoUrl gitRepoBranch dockerImage dbtArguments",
    "OperatorWebhook": "webhookConfigId webhookType dbtCloud:OperatorWebhookDbtCloud executionUrl executionBody",
    "OperatorWebhookDbtCloud": "accountId jobId",
    # Jobs, state, sources, workspaces, tokens
    "JobListRequestBody": f"{_JOBS} includingJobId@0.40.6",
    "JobListForWorkspacesRequestBody": f"{_JOBS} workspaceIds",
    "GetAttemptStatsRequestBody": "jobId attemptNumber",
    "ConnectionStateCreateOrUpdate": "connectionId connectionState:ConnectionState",
    "ConnectionState": (
        "connectionId state stateType@0.39.21 streamState:StreamState@0.39.21 globalState:GlobalState@0.39.21"
    ),
    "StreamState": "streamDescriptor:StreamDescriptor streamState",
    "GlobalState": "shared_state streamStates:StreamState",
    "StreamDescriptor": "name namespace",
    "SourceDiscoverSchemaRequestBody": (
        "sourceId disable_cache connectionId@0.40.19 notifySchemaChange@0.41.0-1.7.0 priority@0.52.0"
    ),
    "ActorListCursorPaginatedRequestBody": (
        "workspaceId cursor@1.8.0 sortKey@1.8.0 pageSize@1.8.0 filters:ActorListFilters@1.8.0"
    ),
    "ActorListFilters": "states searchTerm",
    "ListResourcesForWorkspacesRequestBody": ("workspaceIds includeDeleted pagination:Pagination nameContains@0.50.15"),
    "ListWorkspacesInOrganizationRequestBody": (
        "organizationId pagination:Pagination keyword@0.50.18-0.50.34 nameContains@0.50.34"
    ),
    "ApplicationTokenRequest": "client_id client_secret",
}
SCHEMAS = {name: _properties(text) for name, text in _WRITTEN_SCHEMAS.items()}
PROPERTY_BY_NAME = {f"{schema}.{each.name}": each for schema, found in SCHEMAS.items() for each in found}


def check_declared(era: Era, schema: str, value: Any) -> None:
    """Refuse a property that this release's request of that name does not declare, at any depth."""
    if isinstance(value, list):
        for each in value:
            check_declared(era, schema, each)
    elif isinstance(value, dict):
        declared = {each.name: each for each in SCHEMAS[schema] if within(era.release, each.since, each.until)}
        for name, inner in value.items():
            if name not in declared:
                raise Refusal(
                    "undeclared",
                    f'Unrecognized field "{name}" (class io.airbyte.api.model.generated.{schema}), '
                    "not marked as ignorable",
                )
            if declared[name].schema:
                check_declared(era, declared[name].schema, inner)
