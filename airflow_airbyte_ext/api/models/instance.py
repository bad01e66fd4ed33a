"""An Airbyte instance, and the things in it that belong to no single connection."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, PartialModel, Word
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog, CatalogDiff
from airflow_airbyte_ext.api.models.jobs import FailureReason


class HealthCheckRead(AirbyteModel):
    """Whether Airbyte is available."""

    available: bool | None = None


class AuthConfiguration(AirbyteModel):
    """How an instance wants to be signed in to: `none`, `simple` or `oidc`."""

    mode: str | None = None


class InstanceConfigurationResponse(AirbyteModel):
    """What an instance says of itself. `version` since 0.57.4; the web app's address changed its name then."""

    edition: str | None = None
    version: Word | None = None
    auth: AuthConfiguration | None = None
    airbyte_url: str | None = None
    webapp_url: str | None = None
    default_workspace_id: str | None = None
    default_user_id: str | None = None
    default_organization_id: str | None = None


class AccessToken(AirbyteModel):
    """A bearer token; only the public API's twin of the operation says how long it lives (seconds)."""

    access_token: SecretStr = Field(alias="access_token")
    expires_in: float | None = Field(None, alias="expires_in")


class WorkspaceRead(AirbyteModel):
    """A workspace."""

    workspace_id: str
    name: str | None = None
    slug: str | None = None
    organization_id: str | None = None


class SourceRead(AirbyteModel):
    """A source; its configuration may hold what Airbyte masks, so it is never logged."""

    source_id: str
    workspace_id: str | None = None
    name: str | None = None
    source_name: str | None = None


class DestinationRead(AirbyteModel):
    """A destination; its configuration may hold what Airbyte masks, so it is never logged."""

    destination_id: str
    workspace_id: str | None = None
    name: str | None = None
    destination_name: str | None = None


class WorkspaceReadList(AirbyteModel):
    """Workspaces."""

    workspaces: Items[WorkspaceRead]


class SourceReadList(PartialModel):
    """Sources of a workspace: a page of them since 1.8.0."""

    sources: Items[SourceRead]
    page_size: int | None = Field(None, alias="page_size")
    num_connections: int | None = Field(None, alias="num_connections")


class DestinationReadList(PartialModel):
    """Destinations of a workspace: a page of them since 1.8.0."""

    destinations: Items[DestinationRead]
    page_size: int | None = Field(None, alias="page_size")
    num_connections: int | None = Field(None, alias="num_connections")


class SynchronousJobRead(AirbyteModel):
    """What Airbyte ran while we waited: a discovery or a check. Times are epoch seconds."""

    id: str | None = None
    config_type: str | None = None
    succeeded: bool | None = None
    created_at: int | None = None
    ended_at: int | None = None
    failure_reason: FailureReason | None = None


class SourceDiscoverSchemaRead(AirbyteModel):
    """
    What a source offers now. A failed discovery is an HTTP 200 whose `job_info.succeeded` is False, without catalog.

    `catalog_diff`, `breaking_change` and `connection_status` where a connection was named (since 0.40.17 or so).
    """

    is_strict: ClassVar[bool] = True  # what is left out would seem to be gone from the source

    catalog: AirbyteCatalog | None = None
    catalog_id: str | None = None
    catalog_diff: CatalogDiff | None = None
    breaking_change: bool | None = None
    connection_status: str | None = None
    job_info: SynchronousJobRead | None = None
