"""Requests about connections."""

from __future__ import annotations

from typing import Annotated, Required

from pydantic import Field
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.bodies import Released
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog
from airflow_airbyte_ext.api.models.connections import (
    ConnectionSchedule,
    ConnectionScheduleData,
    ResourceRequirements,
    Tag,
)
from airflow_airbyte_ext.api.requests.base import (
    AsGiven,
    BackfillPreference,
    ConnectionStatus,
    NamespaceDefinition,
    NonBreakingChangesPreference,
    Pagination,
    RefreshMode,
    ScheduleType,
    Streams,
    Time,
    Uuid,
    request_model,
)

_GEOGRAPHY = Released("0.40.15", gone="1.7.0", instead="There is dataplane_group_id since 1.6.0.")
_GROUP = Released("1.6.0", instead="There is geography from 0.40.15 to 1.6.")
_SCHEDULE_TYPE = Released("0.40.0", instead="Use schedule.")
# Where an update changes only what it names, this form is refused or passed over.
SCHEDULE_OF_AN_UPDATE = Released(gone="0.40.8", instead="Use schedule_type and schedule_data.")


class ConnectionFields(TypedDict, total=False):
    """What can be said of a connection in every request that creates or changes one."""

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
    """What `create_connection` can be told."""

    operation_ids: list[Uuid]
    notify_schema_changes_by_email: Annotated[bool, Released("0.50.31")]


@request_model
class ConnectionUpdate(ConnectionChanges):
    """Changes of a connection."""

    connection_id: Required[Uuid]


@request_model
class ConnectionUpdateWithReason(TypedDict, total=False):
    """Changes of a connection, with a reason that Airbyte keeps among its events."""

    connection_update: Required[ConnectionUpdate]
    update_reason: str
    auto_update: bool


@request_model
class ConnectionCreate(NewConnection):
    """A new connection."""

    source_id: Required[Uuid]
    destination_id: Required[Uuid]
    status: Required[ConnectionStatus]


@request_model
class SourceSearch(TypedDict, total=False):
    """What a source must be like."""

    source_definition_id: Uuid
    source_id: Uuid
    workspace_id: Uuid
    connection_configuration: AsGiven
    name: str
    source_name: str


@request_model
class DestinationSearch(TypedDict, total=False):
    """What a destination must be like."""

    destination_definition_id: Uuid
    destination_id: Uuid
    workspace_id: Uuid
    connection_configuration: AsGiven
    name: str
    destination_name: str


@request_model
class ConnectionSearch(TypedDict, total=False):
    """What a connection must be like. Servers of many releases find nothing: see `connections.find`."""

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


@request_model
class ConnectionStreamRequestBody(TypedDict):
    """Streams of a connection."""

    connection_id: Uuid
    streams: Streams


@request_model
class ConnectionStreamRefreshRequestBody(TypedDict, total=False):
    """Streams to read anew; all of them where none are named."""

    connection_id: Required[Uuid]
    refresh_mode: Required[RefreshMode]
    streams: Streams


@request_model
class ListConnectionsForWorkspacesRequestBody(TypedDict, total=False):
    """A page of the connections of workspaces. Airbyte's documents require `user_id`."""

    workspace_ids: Required[list[Uuid]]
    user_id: Required[Uuid]
    pagination: Pagination
    include_deleted: bool
    tag_ids: Annotated[list[Uuid], Released("1.6.0")]


@request_model
class ConnectionStatusesRequestBody(TypedDict):
    """Several connections."""

    connection_ids: list[Uuid]


@request_model
class ConnectionLastJobPerStreamRequestBody(TypedDict, total=False):
    """One connection; its streams must be named before 0.64."""

    connection_id: Required[Uuid]
    streams: Annotated[Streams, Released(gone="0.64.0")]


@request_model
class ConnectionEventsRequestBody(TypedDict, total=False):
    """A page of a connection's events."""

    connection_id: Required[Uuid]
    event_types: list[str]
    pagination: Pagination
    created_at_start: Time
    created_at_end: Time


@request_model
class ConnectionEventIdRequestBody(TypedDict):
    """One event of a connection."""

    connection_id: Uuid
    connection_event_id: Annotated[str, Field(min_length=1)]
