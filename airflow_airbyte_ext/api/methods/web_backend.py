"""Airbyte's Web Backend API: what its own web app reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from airflow_airbyte_ext.api import operations as op
from airflow_airbyte_ext.api.methods.base import Sender
from airflow_airbyte_ext.api.methods.whole import PATCHES_SINCE, release_of, whole_connection
from airflow_airbyte_ext.api.requests.base import given
from airflow_airbyte_ext.api.requests.web_backend import SKIPS_RESET_SINCE, WebBackendConnectionChanges
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.models.web_backend import (
        WebappConfigResponse,
        WebBackendCheckUpdatesRead,
        WebBackendConnectionRead,
        WebBackendConnectionReadList,
        WebBackendGeographiesListResult,
        WebBackendWorkspaceStateResult,
    )
    from airflow_airbyte_ext.api.requests.base import ConnectionStatus
    from airflow_airbyte_ext.api.requests.connections import ConnectionSearch
    from airflow_airbyte_ext.api.requests.web_backend import (
        NewWebBackendConnection,
        WebBackendConnectionListFilters,
    )


class WebBackendMethods(Sender):
    """Connections with what stands around them."""

    def get_state_type(self, *, connection_id: str) -> str:
        """Return `stream`, `global`, `legacy` or `not_set` (since 0.39.28)."""
        return self._send(op.GET_STATE_TYPE, connection_id=connection_id)

    def web_backend_check_updates(self) -> WebBackendCheckUpdatesRead:
        """Return how many connectors have a newer version (since 0.40.25)."""
        return self._send(op.WEB_BACKEND_CHECK_UPDATES)

    def web_backend_create_connection(
        self,
        *,
        source_id: str,
        destination_id: str,
        status: ConnectionStatus,
        **fields: Unpack[NewWebBackendConnection],
    ) -> WebBackendConnectionRead:
        """
        Create a connection, and its operations with it.

        :param status: `active` or `inactive`.
        :param fields: See `requests.web_backend.NewWebBackendConnection`.
        """
        return self._send(
            op.WEB_BACKEND_CREATE_CONNECTION,
            source_id=source_id,
            destination_id=destination_id,
            status=status,
            **fields,
        )

    def web_backend_get_connection(
        self, *, connection_id: str, with_refreshed_catalog: bool = False
    ) -> WebBackendConnectionRead:
        """
        Return a connection with its source, destination, operations and last job.

        :param with_refreshed_catalog: Discover the source's schema first, for minutes, and tell what differs. This
            runs the source's connector, so it is not repeated after a lost response.
        """
        if with_refreshed_catalog:
            return self._send(
                op.WEB_BACKEND_DISCOVER_CONNECTION, connection_id=connection_id, with_refreshed_catalog=True
            )
        return self._send(op.WEB_BACKEND_GET_CONNECTION, connection_id=connection_id)

    def web_backend_get_workspace_state(self, *, workspace_id: str) -> WebBackendWorkspaceStateResult:
        """Say whether a workspace has sources, destinations and connections (since 0.35.65)."""
        return self._send(op.WEB_BACKEND_GET_WORKSPACE_STATE, workspace_id=workspace_id)

    def web_backend_list_connections_for_workspace(
        self,
        *,
        workspace_id: str,
        source_ids: Sequence[str] | None = None,
        destination_ids: Sequence[str] | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
        sort_key: str | None = None,
        filters: WebBackendConnectionListFilters | None = None,
    ) -> WebBackendConnectionReadList:
        """
        Return a workspace's connections without their catalogs: all of them, or (since 1.8.0) a page.

        :param source_ids: Only connections of these sources (since 0.40.27).
        :param destination_ids: Only connections of these destinations (since 0.40.27).
        :param cursor: Id of the last connection of the page before (since 1.8.0).
        :param page_size: Connections in a page; Airbyte's default is 20 (since 1.8.0).
        :param sort_key: Such as `connectionName_asc` (since 1.8.0).
        :param filters: See `requests.web_backend.WebBackendConnectionListFilters` (since 1.8.0).
        """
        return self._send(
            op.WEB_BACKEND_LIST_CONNECTIONS_FOR_WORKSPACE,
            workspace_id=workspace_id,
            **given(
                source_id=source_ids,
                destination_id=destination_ids,
                cursor=cursor,
                page_size=page_size,
                sort_key=sort_key,
                filters=filters,
            ),
        )

    def web_backend_list_all_connections_for_workspace(self, *, workspace_id: str) -> WebBackendConnectionReadList:
        """Return a workspace's connections, the deleted ones too (0.32.1 to 0.40.7)."""
        return self._send(op.WEB_BACKEND_LIST_ALL_CONNECTIONS_FOR_WORKSPACE, workspace_id=workspace_id)

    def web_backend_list_geographies(self) -> WebBackendGeographiesListResult:
        """Return the regions that data may be moved in (0.40.15 to 1.6)."""
        return self._send(op.WEB_BACKEND_LIST_GEOGRAPHIES)

    def web_backend_search_connections(self, **search: Unpack[ConnectionSearch]) -> WebBackendConnectionReadList:
        """Ask the server for connections (0.29.22 to 0.40.9). Prefer `airflow_airbyte_ext.connections.find`."""
        return self._send(op.WEB_BACKEND_SEARCH_CONNECTIONS, **search)

    def web_backend_update_connection(
        self, *, connection_id: str, skip_reset: bool, **changes: Unpack[WebBackendConnectionChanges]
    ) -> WebBackendConnectionRead:
        """
        Change a connection as the web app does, and nothing of it but what is given.

        :param skip_reset: False lets Airbyte reset or refresh every stream that the new catalog changes, which empties
            it; True leaves data and state as they are (since 0.39.36).
        :param changes: See `requests.web_backend.WebBackendConnectionChanges`.
        :raises AirbyteConfigurationError: Also where the catalog changes, and the server may be too old for skip_reset.
        """
        fields: dict[str, Any] = {**changes}
        release = self.release()
        if not release.is_at_least(PATCHES_SINCE):
            connection = self.web_backend_get_connection(connection_id=connection_id)
            release = release_of(connection, WebBackendConnectionChanges, release)
            fields = whole_connection(connection, changes, WebBackendConnectionChanges, release)
        if release.is_at_least(SKIPS_RESET_SINCE):
            fields["skip_reset"] = skip_reset
        elif skip_reset and "sync_catalog" in changes:
            raise AirbyteConfigurationError(
                f"webBackendUpdateConnection: skip_reset came with Airbyte {SKIPS_RESET_SINCE}, and this Airbyte is "
                f"{release.words}: it might reset the changed streams. Use update_connection, which resets nothing."
            )
        return self._send(op.WEB_BACKEND_UPDATE_CONNECTION, release, connection_id=connection_id, **fields)

    def get_webapp_config(self) -> WebappConfigResponse:
        """Return release and edition (anonymous; since 1.7.0)."""
        return self._send(op.GET_WEBAPP_CONFIG)
