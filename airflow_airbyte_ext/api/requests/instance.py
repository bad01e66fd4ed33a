"""Requests about what stands around connections: sources, destinations, workspaces."""

from __future__ import annotations

from typing import Annotated, Required

from pydantic import Field
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.bodies import Released
from airflow_airbyte_ext.api.requests.base import (
    PAGED,
    Pagination,
    Uuid,
    request_model,
)


@request_model
class ActorListRequestBody(TypedDict, total=False):
    """A page of a workspace's sources or destinations (since 1.8.0), or all of them."""

    workspace_id: Required[Uuid]
    cursor: Annotated[Uuid, PAGED]
    page_size: Annotated[int, Field(gt=0), PAGED]


@request_model
class SourceDiscoverSchemaRequestBody(TypedDict, total=False):
    """
    The source to look into. With `connection_id` (since 0.40.17 or so) Airbyte also compares, and may then change or
    disable that connection as its preferences say. `disable_cache` is snake_case on the wire.
    """

    source_id: Required[Uuid]
    connection_id: Annotated[Uuid, Released("0.40.17")]
    disable_cache: Annotated[bool, Field(alias="disable_cache")]


@request_model
class ListResourcesForWorkspacesRequestBody(TypedDict, total=False):
    """A page of these workspaces."""

    workspace_ids: Required[list[Uuid]]
    pagination: Pagination
    include_deleted: bool
    name_contains: str


@request_model
class ListWorkspacesInOrganizationRequestBody(TypedDict, total=False):
    """A page of an organization's workspaces."""

    organization_id: Required[Uuid]
    pagination: Pagination
    name_contains: str
