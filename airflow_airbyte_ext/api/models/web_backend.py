"""What Airbyte's own web app reads: connections with what stands around them."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, PartialModel
from airflow_airbyte_ext.api.models.catalog import CatalogDiff
from airflow_airbyte_ext.api.models.connections import ConnectionRead, ConnectionScheduleData, OperationRead, Tag
from airflow_airbyte_ext.api.models.instance import DestinationRead, SourceRead


class ActorDefinitionVersionRead(AirbyteModel):
    """The connector that a source or destination runs (since 0.63)."""

    docker_repository: str | None = None
    docker_image_tag: str | None = None
    supports_refreshes: bool | None = None
    support_state: str | None = None


class WebBackendConnectionRead(ConnectionRead):
    """
    A connection with its source, destination, operations and last job.

    `catalog_diff` is there where a refreshed catalog was requested (since 0.40.17 or so), and `schema_change`
    (`no_change`, `non_breaking` or `breaking`) since then. `created_at` is camelCase here, and `source_catalog_id` is
    `catalogId`, which names the refreshed catalog where one was requested. `breaking_change` and `workspace_id` stay
    None: `schema_change` and `source.workspace_id` have them. `is_syncing`: a sync or refresh is not terminal.
    """

    source: SourceRead | None = None
    destination: DestinationRead | None = None
    operations: Items[OperationRead] = Field(default_factory=list)
    latest_sync_job_created_at: int | None = None
    latest_sync_job_status: str | None = None
    is_syncing: bool | None = None
    catalog_id: str | None = None
    # What `ConnectionRead` calls so; the web app's name says less.
    source_catalog_id: str | None = Field(None, alias="catalogId")
    catalog_diff: CatalogDiff | None = None
    schema_change: str | None = None
    source_actor_definition_version: ActorDefinitionVersionRead | None = None
    destination_actor_definition_version: ActorDefinitionVersionRead | None = None
    created_at: int | None = Field(None, alias="createdAt")


class SourceSnippetRead(AirbyteModel):
    """A source's name, and its connector's."""

    source_id: str
    name: str | None = None
    source_definition_id: str | None = None
    source_name: str | None = None


class DestinationSnippetRead(AirbyteModel):
    """A destination's name, and its connector's."""

    destination_id: str
    name: str | None = None
    destination_definition_id: str | None = None
    destination_name: str | None = None


class WebBackendConnectionListItem(AirbyteModel):
    """
    A connection in a list, without its catalog.

    Before 0.40.10 Airbyte returns whole connections here; of those, too, only this is kept.
    `latest_sync_job_created_at` is epoch seconds; it and the status count syncs alone, not refreshes. `is_syncing`
    is whether a sync or refresh is not terminal; since 1.8.0 whether the latest sync has the status `running`, so it is
    False for a refresh, while a sync is queued and between two attempts.
    """

    model_config = ConfigDict(extra="ignore")

    connection_id: str
    name: str | None = None
    status: str | None = None
    source: SourceSnippetRead | None = None
    destination: DestinationSnippetRead | None = None
    schedule_type: str | None = None
    schedule_data: ConnectionScheduleData | None = None
    latest_sync_job_created_at: int | None = None
    latest_sync_job_status: str | None = None
    is_syncing: bool | None = None
    schema_change: str | None = None
    tags: Items[Tag] = Field(default_factory=list)
    on_demand_enabled: bool | None = None


class WebBackendConnectionReadList(PartialModel):
    """A page of connections (since 1.8.0), or all of them; `page_size` and `num_connections` are there with pages."""

    connections: Items[WebBackendConnectionListItem]
    page_size: int | None = Field(None, alias="page_size")
    num_connections: int | None = Field(None, alias="num_connections")


class WebBackendCheckUpdatesRead(AirbyteModel):
    """How many connectors have a newer version."""

    source_definitions: int | None = None
    destination_definitions: int | None = None


class WebBackendWorkspaceStateResult(AirbyteModel):
    """Whether a workspace has anything in it; no state of a connection."""

    has_connections: bool | None = None
    has_sources: bool | None = None
    has_destinations: bool | None = None


class WebBackendGeographiesListResult(AirbyteModel):
    """The regions that data may be moved in (0.40.15 to 1.6)."""

    geographies: Items[str] = Field(default_factory=list)


class WebappConfigResponse(AirbyteModel):
    """What the web app needs to know to start (anonymous; since 1.7.0)."""

    version: str | None = None
    edition: str | None = None
