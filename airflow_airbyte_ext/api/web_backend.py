"""Airbyte's Web Backend API: what its own web app reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

from pydantic import Field

from airflow_airbyte_ext.api.fields import PAGED, ConnectionStatus, Released, Uuid
from airflow_airbyte_ext.api.full_update import full_update
from airflow_airbyte_ext.api.operation import BLOCKING_TIMEOUT, DISCOVERY_TIMEOUT, operation
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models import web_backend, writes
    from airflow_airbyte_ext.api.releases import Release

SKIPS_RESET_SINCE = "0.39.36"


def _update(client: AirbyteClient, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], Release]:
    from airflow_airbyte_ext.api.models.writes import WebBackendConnectionChanges

    changes = {name: value for name, value in given.items() if name != "skip_reset"}
    update, release = full_update(
        client.release(), changes, WebBackendConnectionChanges, client.web_backend_get_connection
    )
    if release.is_at_least(SKIPS_RESET_SINCE):
        return {**update, "skip_reset": given["skip_reset"]}, release
    if given["skip_reset"] and "sync_catalog" in given:
        raise AirbyteConfigurationError(
            f"webBackendUpdateConnection: skip_reset came with Airbyte {SKIPS_RESET_SINCE}, and this Airbyte is "
            f"{release.words}: it might reset the changed streams. Use update_connection, which resets nothing."
        )
    return update, release


class WebBackendMethods:
    """Connections with what stands around them."""

    @operation("/v1/web_backend/state/get_type", since="0.39.28", alternative="Use get_state.")
    def get_state_type(self, *, connection_id: Uuid) -> str:
        """Return `stream`, `global`, `legacy` or `not_set` (since 0.39.28)."""

    @operation("/v1/web_backend/check_updates", since="0.40.25")
    def web_backend_check_updates(self) -> web_backend.WebBackendCheckUpdatesRead:
        """Return how many connectors have a newer version (since 0.40.25)."""

    @operation("/v1/web_backend/connections/create", since="0.24.3", role="editor", is_write=True)
    def web_backend_create_connection(
        self,
        *,
        source_id: Uuid,
        destination_id: Uuid,
        status: ConnectionStatus,
        **fields: Unpack[writes.NewWebBackendConnection],
    ) -> web_backend.WebBackendConnectionRead:
        """
        Create a connection, and its operations with it.

        :param status: `active` or `inactive`.
        :param fields: See `models.writes.NewWebBackendConnection`.
        """

    @operation("/v1/web_backend/connections/get", since="0.1.0")
    def web_backend_get_connection(self, *, connection_id: Uuid) -> web_backend.WebBackendConnectionRead:
        """Return a connection with its source, destination, operations and last job."""

    # Each request starts another run of the connector, and the server closes the connection after five minutes
    # without a byte: so it is not sent again.
    @operation(
        "/v1/web_backend/connections/get",
        since="0.1.0",
        operation_id="webBackendGetConnection",
        is_write=True,
        response_timeout=DISCOVERY_TIMEOUT,
    )
    def web_backend_discover_connection(
        self, *, connection_id: Uuid, with_refreshed_catalog: Literal[True] = True
    ) -> web_backend.WebBackendConnectionRead:
        """Discover the source's schema for minutes, and return a connection with what differs from its catalog."""

    @operation("/v1/web_backend/workspace/state", since="0.35.65")
    def web_backend_get_workspace_state(self, *, workspace_id: Uuid) -> web_backend.WebBackendWorkspaceStateResult:
        """Say whether a workspace has sources, destinations and connections (since 0.35.65)."""

    @operation("/v1/web_backend/connections/list", since="0.1.0")
    def web_backend_list_connections_for_workspace(
        self,
        *,
        workspace_id: Uuid,
        source_ids: Annotated[Sequence[Uuid], Field(alias="sourceId"), Released("0.40.27")] | None = None,
        destination_ids: Annotated[Sequence[Uuid], Field(alias="destinationId"), Released("0.40.27")] | None = None,
        cursor: Annotated[Uuid, PAGED] | None = None,
        page_size: Annotated[int, Field(gt=0), PAGED] | None = None,
        sort_key: Annotated[str, PAGED] | None = None,
        filters: Annotated[writes.WebBackendConnectionListFilters, PAGED] | None = None,
    ) -> web_backend.WebBackendConnectionReadList:
        """
        Return a workspace's connections without their catalogs: all of them, or (since 1.8.0) a page.

        :param source_ids: Only connections of these sources (since 0.40.27).
        :param destination_ids: Only connections of these destinations (since 0.40.27).
        :param cursor: Id of the last connection of the page before (since 1.8.0).
        :param page_size: Connections in a page; Airbyte's default is 20 (since 1.8.0).
        :param sort_key: Such as `connectionName_asc` (since 1.8.0).
        :param filters: See `models.writes.WebBackendConnectionListFilters` (since 1.8.0).
        """

    @operation(
        "/v1/web_backend/connections/list_all",
        since="0.32.1",
        removed_in="0.40.8",
        alternative="Use list_all_connections_for_workspace.",
    )
    def web_backend_list_all_connections_for_workspace(
        self, *, workspace_id: Uuid
    ) -> web_backend.WebBackendConnectionReadList:
        """Return a workspace's connections, the deleted ones too (0.32.1 to 0.40.7)."""

    @operation(
        "/v1/web_backend/geographies/list",
        since="0.40.15",
        removed_in="1.7.0",
        alternative="Data plane groups took their place.",
    )
    def web_backend_list_geographies(self) -> web_backend.WebBackendGeographiesListResult:
        """Return the regions that data may be moved in (0.40.15 to 1.6)."""

    @operation(
        "/v1/web_backend/connections/search",
        since="0.29.22",
        removed_in="0.40.10",
        alternative="Use airflow_airbyte_ext.connections.find.find_connections.",
    )
    def web_backend_search_connections(
        self, **search: Unpack[writes.ConnectionSearch]
    ) -> web_backend.WebBackendConnectionReadList:
        """Let the server search connections (0.29.22 to 0.40.9). Prefer `airflow_airbyte_ext.connections.find`."""

    @operation(
        "/v1/web_backend/connections/update",
        since="0.11.0",
        role="editor",
        is_write=True,
        response_timeout=BLOCKING_TIMEOUT,
        prepare=_update,
    )
    def web_backend_update_connection(
        self,
        *,
        connection_id: Uuid,
        skip_reset: Annotated[bool, Released(SKIPS_RESET_SINCE)],
        **changes: Unpack[writes.WebBackendConnectionChanges],
    ) -> web_backend.WebBackendConnectionRead:
        """
        Change a connection as the web app does, and nothing of it but what is given.

        :param skip_reset: False lets Airbyte reset or refresh every stream that the new catalog changes, which empties
            it; True leaves data and state as they are (since 0.39.36).
        :param changes: See `models.writes.WebBackendConnectionChanges`.
        :raises AirbyteConfigurationError: Also where the catalog changes, and the server may be too old for skip_reset.
        """

    @operation("/v1/web_backend/config", since="1.7.0", method="GET", alternative="Use get_instance_configuration.")
    def get_webapp_config(self) -> web_backend.WebappConfigResponse:
        """Return release and edition (anonymous; since 1.7.0)."""
