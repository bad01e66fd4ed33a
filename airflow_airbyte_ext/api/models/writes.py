"""What can be written of a connection, with the first and the last release that takes it."""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import with_config
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.fields import (
    REQUEST_CONFIG,
    BackfillPreference,
    ConnectionStatus,
    JsonObject,
    NamespaceDefinition,
    NonBreakingChangesPreference,
    Released,
    ScheduleType,
    Uuid,
)
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog
from airflow_airbyte_ext.api.models.connections import (
    ConnectionSchedule,
    ConnectionScheduleData,
    OperationWrite,
    ResourceRequirements,
    Tag,
)

_GEOGRAPHY = Released("0.40.15", removed_in="1.7.0", alternative="There is dataplane_group_id since 1.6.0.")
_GROUP = Released("1.6.0", alternative="There is geography from 0.40.15 to 1.6.")
_SCHEDULE_TYPE = Released("0.40.0", alternative="Use schedule.")
# Where an update changes only what it names, this form is refused or passed over.
SCHEDULE_OF_AN_UPDATE = Released(removed_in="0.40.8", alternative="Use schedule_type and schedule_data.")


class ConnectionFields(TypedDict, total=False):
    """What every request that creates or changes a connection takes."""

    name: str
    namespace_definition: NamespaceDefinition
    namespace_format: str
    prefix: str
    sync_catalog: AirbyteCatalog
    schedule: ConnectionSchedule
    schedule_type: Annotated[ScheduleType, _SCHEDULE_TYPE]
    schedule_data: Annotated[ConnectionScheduleData, _SCHEDULE_TYPE]
    resource_requirements: ResourceRequirements
    source_catalog_id: Annotated[Uuid, Released("0.36.9")]
    destination_catalog_id: Annotated[Uuid, Released("1.7.0")]
    geography: Annotated[str, _GEOGRAPHY]
    dataplane_group_id: Annotated[Uuid, _GROUP]
    notify_schema_changes: Annotated[bool, Released("0.40.18")]
    non_breaking_changes_preference: Annotated[NonBreakingChangesPreference, Released("0.40.18")]
    backfill_preference: Annotated[BackfillPreference, Released("0.63.0")]
    tags: Annotated[list[Tag], Released("1.6.0")]
    on_demand_enabled: Annotated[bool, Released("2.0.1")]


class ConnectionChanges(ConnectionFields, total=False):
    """What `update_connection` can change."""

    schedule: Annotated[ConnectionSchedule, SCHEDULE_OF_AN_UPDATE]
    status: ConnectionStatus
    operation_ids: list[Uuid]
    notify_schema_changes_by_email: Annotated[bool, Released("0.50.31")]
    breaking_change: Annotated[bool, Released("0.40.17")]


class NewConnection(ConnectionFields, total=False):
    """What `create_connection` takes."""

    operation_ids: list[Uuid]
    notify_schema_changes_by_email: Annotated[bool, Released("0.50.31")]


@with_config(REQUEST_CONFIG)
class ConnectionUpdate(ConnectionChanges, total=False):
    """Changes of a connection, and which one it is."""

    connection_id: Required[Uuid]


class WebBackendConnectionChanges(ConnectionFields, total=False):
    """What `web_backend_update_connection` can change."""

    schedule: Annotated[ConnectionSchedule, SCHEDULE_OF_AN_UPDATE]
    status: ConnectionStatus
    operations: list[OperationWrite]  # all of them: releases with an operationIds here ignore it
    notify_schema_changes_by_email: Annotated[bool, Released("0.50.31")]


class NewWebBackendConnection(ConnectionFields, total=False):
    """What `web_backend_create_connection` takes."""

    operation_ids: list[Uuid]
    operations: list[OperationWrite]
    notify_schema_changes: Annotated[bool, Released("0.63.0")]  # later than elsewhere


@with_config(REQUEST_CONFIG)
class SourceSearch(TypedDict, total=False):
    """Which sources."""

    source_definition_id: Uuid
    source_id: Uuid
    workspace_id: Uuid
    connection_configuration: JsonObject
    name: str
    source_name: str


@with_config(REQUEST_CONFIG)
class DestinationSearch(TypedDict, total=False):
    """Which destinations."""

    destination_definition_id: Uuid
    destination_id: Uuid
    workspace_id: Uuid
    connection_configuration: JsonObject
    name: str
    destination_name: str


@with_config(REQUEST_CONFIG)
class ConnectionSearch(TypedDict, total=False):
    """Which connections. Servers of many releases find nothing: see `connections.find`."""

    connection_id: Uuid
    name: str
    namespace_definition: NamespaceDefinition
    namespace_format: str
    prefix: str
    source_id: Uuid
    destination_id: Uuid
    schedule: ConnectionSchedule
    schedule_type: Annotated[ScheduleType, _SCHEDULE_TYPE]
    schedule_data: Annotated[ConnectionScheduleData, _SCHEDULE_TYPE]
    status: ConnectionStatus
    source: SourceSearch
    destination: DestinationSearch


@with_config(REQUEST_CONFIG)
class WebBackendConnectionListFilters(TypedDict, total=False):
    """Which connections (since 1.8.0)."""

    source_definition_ids: list[Uuid]
    destination_definition_ids: list[Uuid]
    statuses: list[Literal["healthy", "failed", "running", "paused"]]
    states: list[Literal["active", "inactive"]]
    tag_ids: list[Uuid]
    search_term: str
    on_demand_enabled: Annotated[bool, Released("2.0.1")]
