"""The instance, and what stands around its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api import operations as op
from airflow_airbyte_ext.api.methods.base import Sender
from airflow_airbyte_ext.api.requests.base import given, page

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.instance import (
        DestinationRead,
        DestinationReadList,
        HealthCheckRead,
        InstanceConfigurationResponse,
        SourceDiscoverSchemaRead,
        SourceRead,
        SourceReadList,
        WorkspaceRead,
        WorkspaceReadList,
    )
    from airflow_airbyte_ext.api.models.operations import OperationRead, OperationReadList


class InstanceMethods(Sender):
    """Health and configuration, workspaces, sources, destinations, operations."""

    def get_health_check(self) -> HealthCheckRead:
        """Say whether Airbyte is available (anonymous, except behind a Basic proxy)."""
        return self._send(op.GET_HEALTH_CHECK)

    def get_instance_configuration(self) -> InstanceConfigurationResponse:
        """Return release, edition and web address of the instance (anonymous; since 0.50.9)."""
        return self._send(op.GET_INSTANCE_CONFIGURATION)

    def get_workspace(self, *, workspace_id: str) -> WorkspaceRead:
        """Return a workspace."""
        return self._send(op.GET_WORKSPACE, workspace_id=workspace_id)

    def get_workspace_by_connection_id(self, *, connection_id: str) -> WorkspaceRead:
        """Return the workspace that a connection belongs to (since 0.40.19)."""
        return self._send(op.GET_WORKSPACE_BY_CONNECTION_ID, connection_id=connection_id)

    def list_workspaces(self) -> WorkspaceReadList:
        """Return all workspaces that the credentials may see (before 1.7.0)."""
        return self._send(op.LIST_WORKSPACES)

    def list_workspaces_in_organization(
        self,
        *,
        organization_id: str,
        name_contains: str | None = None,
        page_size: int | None = None,
        row_offset: int = 0,
    ) -> WorkspaceReadList:
        """Return a page of an organization's workspaces (since 0.50.18)."""
        return self._send(
            op.LIST_WORKSPACES_IN_ORGANIZATION,
            organization_id=organization_id,
            **given(name_contains=name_contains, pagination=page(page_size, row_offset)),
        )

    def get_source(self, *, source_id: str) -> SourceRead:
        """Return a source."""
        return self._send(op.GET_SOURCE, source_id=source_id)

    def list_sources_for_workspace(
        self, *, workspace_id: str, cursor: str | None = None, page_size: int | None = None
    ) -> SourceReadList:
        """
        Return a workspace's sources: all of them, or (since 1.8.0) a page.

        :param cursor: Id of the last source of the page before (since 1.8.0).
        :param page_size: Sources in a page (since 1.8.0).
        """
        return self._send(
            op.LIST_SOURCES_FOR_WORKSPACE, workspace_id=workspace_id, **given(cursor=cursor, page_size=page_size)
        )

    def discover_schema_for_source(
        self, *, source_id: str, connection_id: str | None = None, disable_cache: bool = False
    ) -> SourceDiscoverSchemaRead:
        """
        Ask a source what it offers now; runs its connector, for minutes. A failure is told in `job_info`, not raised.

        :param connection_id: Compare with this connection's catalog, too. Airbyte may then change or disable that
            connection, as its preferences for schema changes say.
        :param disable_cache: Look into the source even where Airbyte remembers what it found.
        """
        return self._send(
            op.DISCOVER_SCHEMA_FOR_SOURCE,
            source_id=source_id,
            disable_cache=disable_cache,
            **given(connection_id=connection_id),
        )

    def get_destination(self, *, destination_id: str) -> DestinationRead:
        """Return a destination."""
        return self._send(op.GET_DESTINATION, destination_id=destination_id)

    def list_destinations_for_workspace(
        self, *, workspace_id: str, cursor: str | None = None, page_size: int | None = None
    ) -> DestinationReadList:
        """Return a workspace's destinations: all of them, or (since 1.8.0) a page; see `list_sources_for_workspace`."""
        return self._send(
            op.LIST_DESTINATIONS_FOR_WORKSPACE, workspace_id=workspace_id, **given(cursor=cursor, page_size=page_size)
        )

    def get_operation(self, *, operation_id: str) -> OperationRead:
        """Return one of the operations that Airbyte runs after syncs: normalization, dbt, a webhook."""
        return self._send(op.GET_OPERATION, operation_id=operation_id)

    def list_operations_for_connection(self, *, connection_id: str) -> OperationReadList:
        """Return what Airbyte runs after a connection's syncs."""
        return self._send(op.LIST_OPERATIONS_FOR_CONNECTION, connection_id=connection_id)
