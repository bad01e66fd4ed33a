"""Requests that the web app sends."""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.bodies import Released
from airflow_airbyte_ext.api.models.connections import ConnectionSchedule
from airflow_airbyte_ext.api.models.operations import OperationWrite
from airflow_airbyte_ext.api.requests.base import (
    PAGED,
    ConnectionStatus,
    Uuid,
    request_model,
)
from airflow_airbyte_ext.api.requests.connections import SCHEDULE_OF_AN_UPDATE, ConnectionFields

SKIPS_RESET_SINCE = "0.39.36"


class WebBackendConnectionChanges(ConnectionFields, total=False):
    """What `web_backend_update_connection` can change."""

    schedule: Annotated[ConnectionSchedule, SCHEDULE_OF_AN_UPDATE]
    status: ConnectionStatus
    operations: list[OperationWrite]  # all of them: releases with an operationIds here pass over it
    notify_schema_changes_by_email: Annotated[bool, Released("0.50.31")]


class NewWebBackendConnection(ConnectionFields, total=False):
    """What `web_backend_create_connection` can be told."""

    operation_ids: list[Uuid]
    operations: list[OperationWrite]
    notify_schema_changes: Annotated[bool, Released("0.63.0")]  # later than elsewhere


@request_model
class WebBackendConnectionUpdate(WebBackendConnectionChanges, total=False):
    """Changes of a connection, and whether streams that they touch are left as they are."""

    connection_id: Required[Uuid]
    skip_reset: Annotated[bool, Released(SKIPS_RESET_SINCE)]


@request_model
class WebBackendConnectionCreate(NewWebBackendConnection):
    """A new connection, with its operations."""

    source_id: Required[Uuid]
    destination_id: Required[Uuid]
    status: Required[ConnectionStatus]


@request_model
class WebBackendConnectionRequestBody(TypedDict, total=False):
    """A connection, and whether its source's schema is to be discovered anew."""

    connection_id: Required[Uuid]
    with_refreshed_catalog: bool


@request_model
class WebBackendConnectionListFilters(TypedDict, total=False):
    """Which connections (since 1.8.0)."""

    source_definition_ids: list[Uuid]
    destination_definition_ids: list[Uuid]
    statuses: list[Literal["healthy", "failed", "running", "paused"]]
    states: list[Literal["active", "inactive"]]
    tag_ids: list[Uuid]
    search_term: str
    on_demand_enabled: Annotated[bool, Released("2.0.1")]


@request_model
class WebBackendConnectionListRequestBody(TypedDict, total=False):
    """A page of a workspace's connections (since 1.8.0), or all of them."""

    workspace_id: Required[Uuid]
    source_id: Annotated[list[Uuid], Released("0.40.27")]
    destination_id: Annotated[list[Uuid], Released("0.40.27")]
    cursor: Annotated[Uuid, PAGED]
    sort_key: Annotated[str, PAGED]
    filters: Annotated[WebBackendConnectionListFilters, PAGED]
    page_size: Annotated[int, Field(gt=0), PAGED]
