"""The instance, its workspaces, and what connections stand between: sources, destinations, operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from airflow_airbyte_ext.api.fields import PAGED, PageSize, Released, RowOffset, Uuid
from airflow_airbyte_ext.api.operation import DISCOVERY_TIMEOUT, operation

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models import connections, instance


class WorkspaceMethods:
    """Health and configuration, workspaces, sources, destinations, operations."""

    @operation("/v1/health", since="0.6.1", method="GET")
    def get_health_check(self) -> instance.HealthCheckRead:
        """Say whether Airbyte is available (anonymous, except behind a Basic proxy)."""

    # 500 is the response of an instance that nobody has set up yet.
    @operation("/v1/instance_configuration", since="0.50.9", method="GET", is_500_final=True)
    def get_instance_configuration(self) -> instance.InstanceConfigurationResponse:
        """Return release, edition and web address of the instance (anonymous; since 0.50.9)."""

    @operation("/v1/workspaces/get", since="0.1.0")
    def get_workspace(self, *, workspace_id: Uuid) -> instance.WorkspaceRead:
        """Return a workspace."""

    @operation(
        "/v1/workspaces/get_by_connection_id",
        since="0.40.19",
        alternative="Use get_source, which names its workspace.",
    )
    def get_workspace_by_connection_id(self, *, connection_id: Uuid) -> instance.WorkspaceRead:
        """Return the workspace that a connection belongs to (since 0.40.19)."""

    @operation(
        "/v1/workspaces/list", since="0.27.1", removed_in="1.7.0", alternative="Use list_workspaces_in_organization."
    )
    def list_workspaces(self) -> instance.WorkspaceReadList:
        """Return all workspaces that the credentials may see (before 1.7.0)."""

    @operation("/v1/workspaces/list_by_organization_id", since="0.50.18", alternative="Use list_workspaces.")
    def list_workspaces_in_organization(
        self,
        *,
        organization_id: Uuid,
        name_contains: str | None = None,
        page_size: PageSize | None = None,
        row_offset: RowOffset = 0,
    ) -> instance.WorkspaceReadList:
        """Return a page of an organization's workspaces (since 0.50.18)."""

    @operation("/v1/sources/get", since="0.1.0")
    def get_source(self, *, source_id: Uuid) -> instance.SourceRead:
        """Return a source."""

    @operation("/v1/sources/list", since="0.1.0")
    def list_sources_for_workspace(
        self,
        *,
        workspace_id: Uuid,
        cursor: Annotated[Uuid, PAGED] | None = None,
        page_size: Annotated[int, Field(gt=0), PAGED] | None = None,
    ) -> instance.SourceReadList:
        """
        Return a workspace's sources: all of them, or (since 1.8.0) a page.

        :param cursor: Id of the last source of the page before (since 1.8.0).
        :param page_size: Sources in a page (since 1.8.0).
        """

    @operation(
        "/v1/sources/discover_schema",
        since="0.3.0",
        role="editor",
        is_write=True,
        response_timeout=DISCOVERY_TIMEOUT,
    )
    def discover_schema_for_source(
        self,
        *,
        source_id: Uuid,
        connection_id: Annotated[Uuid, Released("0.40.17")] | None = None,
        disable_cache: Annotated[bool, Field(alias="disable_cache")] = False,
    ) -> instance.SourceDiscoverSchemaRead:
        """
        Discover what a source offers now; runs its connector, for minutes. `job_info` says why one failed.

        :param connection_id: Compare with this connection's catalog, too (since 0.40.17 or so). Airbyte may then change
            or disable that connection, as its preferences for schema changes say.
        :param disable_cache: Run the connector even where Airbyte has kept what it found. Snake case on the wire.
        """

    @operation("/v1/destinations/get", since="0.1.0")
    def get_destination(self, *, destination_id: Uuid) -> instance.DestinationRead:
        """Return a destination."""

    @operation("/v1/destinations/list", since="0.1.0")
    def list_destinations_for_workspace(
        self,
        *,
        workspace_id: Uuid,
        cursor: Annotated[Uuid, PAGED] | None = None,
        page_size: Annotated[int, Field(gt=0), PAGED] | None = None,
    ) -> instance.DestinationReadList:
        """Return a workspace's destinations: all of them, or (since 1.8.0) a page; see `list_sources_for_workspace`."""

    @operation("/v1/operations/get", since="0.36.0")
    def get_operation(self, *, operation_id: Uuid) -> connections.OperationRead:
        """Return one of the operations that Airbyte runs after syncs: normalization, dbt, a webhook."""

    @operation("/v1/operations/list", since="0.36.0")
    def list_operations_for_connection(self, *, connection_id: Uuid) -> connections.OperationReadList:
        """Return what Airbyte runs after a connection's syncs."""
