"""An Airbyte instance, and the things in it that belong to no single connection."""

from __future__ import annotations

from pydantic import Field, SecretStr

from airflow_airbyte_ext.api.models.base import AirbyteModel


class HealthCheckRead(AirbyteModel):
    """Whether Airbyte is available."""

    available: bool | None = None


class AuthConfiguration(AirbyteModel):
    """How an instance wants to be signed in to: `none`, `simple` or `oidc`."""

    mode: str | None = None


class InstanceConfigurationResponse(AirbyteModel):
    """What an instance says of itself. `version` since 0.57.4; the web app's address changed its name then."""

    edition: str | None = None
    version: str | None = None
    auth: AuthConfiguration | None = None
    airbyte_url: str | None = Field(None, alias="airbyteUrl")
    webapp_url: str | None = Field(None, alias="webappUrl")
    default_workspace_id: str | None = Field(None, alias="defaultWorkspaceId")


class AccessToken(AirbyteModel):
    """A bearer token; only the public API's twin of the operation says how long it lives (seconds)."""

    access_token: SecretStr
    expires_in: float | None = None


class WorkspaceRead(AirbyteModel):
    """A workspace."""

    workspace_id: str = Field(alias="workspaceId")
    name: str | None = None
    slug: str | None = None
    organization_id: str | None = Field(None, alias="organizationId")


class SourceRead(AirbyteModel):
    """A source; its configuration may hold what Airbyte masks, so it is never logged."""

    source_id: str = Field(alias="sourceId")
    workspace_id: str | None = Field(None, alias="workspaceId")
    name: str | None = None
    source_name: str | None = Field(None, alias="sourceName")


class DestinationRead(AirbyteModel):
    """A destination; its configuration may hold what Airbyte masks, so it is never logged."""

    destination_id: str = Field(alias="destinationId")
    workspace_id: str | None = Field(None, alias="workspaceId")
    name: str | None = None
    destination_name: str | None = Field(None, alias="destinationName")
