"""Airbyte's Connection API: create, read, change, delete and run connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Unpack

from airflow_airbyte_ext.api.fields import (
    ConnectionStatus,
    Id,
    NonEmpty,
    PageSize,
    RefreshMode,
    Released,
    RowOffset,
    Streams,
    Time,
    Uuid,
)
from airflow_airbyte_ext.api.full_update import full_update
from airflow_airbyte_ext.api.operation import BLOCKING_TIMEOUT, operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models import connections, jobs, writes
    from airflow_airbyte_ext.api.releases import Release


def _update(client: AirbyteClient, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], Release]:
    from airflow_airbyte_ext.api.models.writes import ConnectionChanges

    return full_update(client.release(), given, ConnectionChanges, client.get_connection)


class ConnectionMethods:
    """Connections."""

    @operation("/v1/connections/create", since="0.1.0", role="editor", is_write=True)
    def create_connection(
        self,
        *,
        source_id: Uuid,
        destination_id: Uuid,
        status: ConnectionStatus,
        **fields: Unpack[writes.NewConnection],
    ) -> connections.ConnectionRead:
        """
        Create a connection.

        :param status: `active` or `inactive`.
        :param fields: See `models.writes.NewConnection`.
        """

    @operation("/v1/connections/update", since="0.1.0", role="editor", is_write=True, prepare=_update)
    def update_connection(
        self, *, connection_id: Uuid, **changes: Unpack[writes.ConnectionChanges]
    ) -> connections.ConnectionRead:
        """
        Change a connection, and nothing of it but what is given. No stream is reset.

        Before 0.40.8 Airbyte replaces the whole connection: what is not given is read from it first. Since 1.8.0 the
        state of streams whose sync mode changes is deleted.

        :param changes: See `models.writes.ConnectionChanges`.
        """

    @operation(
        "/v1/connections/update_with_reason",
        since="0.64.4",
        alternative="Use update_connection.",
        role="editor",
        is_write=True,
    )
    def update_connection_with_reason(
        self, *, connection_update: writes.ConnectionUpdate, update_reason: str, auto_update: bool | None = None
    ) -> connections.ConnectionRead:
        """
        Change a connection, with a reason that Airbyte keeps among its events (since 0.64.4).

        :param connection_update: The connection's id, and what to change as in `update_connection`.
        :param auto_update: Airbyte's own mark for changes that nobody requested.
        """

    @operation("/v1/connections/delete", since="0.3.0", role="editor", is_write=True)
    def delete_connection(self, *, connection_id: Uuid) -> None:
        """Delete a connection. `get_connection` still returns it, with status `deprecated`."""

    @operation("/v1/connections/get", since="0.1.0")
    def get_connection(self, *, connection_id: Uuid) -> connections.ConnectionRead:
        """Return a connection; a deleted one, too, with status `deprecated`."""

    @operation("/v1/connections/list", since="0.1.0")
    def list_connections_for_workspace(self, *, workspace_id: Uuid) -> connections.ConnectionReadList:
        """Return all connections of a workspace but the deleted ones, with their catalogs: large."""

    @operation("/v1/connections/list_all", since="0.32.1")
    def list_all_connections_for_workspace(self, *, workspace_id: Uuid) -> connections.ConnectionReadList:
        """Return all connections of a workspace, the deleted ones too, with their catalogs: large."""

    @operation("/v1/connections/list_paginated", since="0.50.13", alternative="Use list_connections_for_workspace.")
    def list_connections_for_workspaces_paginated(
        self,
        *,
        workspace_ids: Sequence[Uuid],
        user_id: Uuid,
        page_size: PageSize | None = None,
        row_offset: RowOffset = 0,
        include_deleted: bool = False,
        tag_ids: Annotated[Sequence[Uuid], Released("1.6.0")] | None = None,
    ) -> connections.ConnectionReadList:
        """
        Return a page of the connections of workspaces, with their catalogs (since 0.50.13).

        :param user_id: Required by Airbyte's documents; `get_instance_configuration` names the default user.
        :param row_offset: How many connections to pass over: a multiple of `page_size`.
        :param tag_ids: Only connections with these tags (since 1.6.0).
        """

    @operation("/v1/connections/search", since="0.30.19")
    def search_connections(self, **search: Unpack[writes.ConnectionSearch]) -> connections.ConnectionReadList:
        """
        Let the server search connections. Servers of many releases find none: prefer `connections.find`.

        :param search: See `models.writes.ConnectionSearch`.
        """

    @operation("/v1/connections/sync", since="0.1.0", role="runner", is_write=True, response_timeout=BLOCKING_TIMEOUT)
    def sync_connection(self, *, connection_id: Uuid) -> jobs.JobInfoRead:
        """
        Start a sync. Prefer `jobs.submit`, which also finds the job after a lost response.

        Airbyte responds only when its workflow runs; while one runs it returns 409 (before 0.39: the running job).
        """

    @operation("/v1/connections/reset", since="0.6.1", role="editor", is_write=True, response_timeout=BLOCKING_TIMEOUT)
    def reset_connection(self, *, connection_id: Uuid) -> jobs.JobInfoRead:
        """Start a reset, which empties the destination and the state. A running sync is cancelled silently."""

    @operation(
        "/v1/connections/reset/stream",
        since="0.42.0",
        alternative="Use reset_connection, which resets all streams.",
        role="editor",
        is_write=True,
        response_timeout=BLOCKING_TIMEOUT,
    )
    def reset_connection_stream(self, *, connection_id: Uuid, streams: Streams) -> jobs.JobInfoRead:
        """
        Start a reset of single streams (since 0.42.0).

        :param streams: Namespace and name of each. An empty list means all to some releases, and is refused.
        """

    @operation(
        "/v1/connections/clear",
        since="0.57.3",
        alternative="Use reset_connection, which does the same.",
        role="editor",
        is_write=True,
        response_timeout=BLOCKING_TIMEOUT,
    )
    def clear_connection(self, *, connection_id: Uuid) -> jobs.JobInfoRead:
        """Start a clear: a reset under its later name (since 0.57.3), whose job is of type `reset_connection`, too."""

    @operation(
        "/v1/connections/clear/stream",
        since="0.57.3",
        alternative="Use reset_connection_stream, which does the same.",
        role="editor",
        is_write=True,
        response_timeout=BLOCKING_TIMEOUT,
    )
    def clear_connection_stream(self, *, connection_id: Uuid, streams: Streams) -> jobs.JobInfoRead:
        """Start a clear of single streams (since 0.57.3); see `reset_connection_stream`."""

    @operation(
        "/v1/connections/refresh",
        since="0.57.2",
        alternative="Use reset_connection and then sync_connection.",
        role="runner",
        is_write=True,
        response_timeout=BLOCKING_TIMEOUT,
    )
    def refresh_connection_stream(
        self, *, connection_id: Uuid, refresh_mode: RefreshMode, streams: Streams | None = None
    ) -> connections.RefreshRead:
        """
        Start a refresh: read streams from the start again (since 0.57.2).

        Airbyte stores the refresh first: without a job in the response, and after a 500, the connection's next run of
        any kind may become this refresh. Only a destination that cannot refresh has nothing stored.

        :param refresh_mode: `Truncate` replaces what the destination holds, `Merge` keeps it.
        :param streams: Namespace and name of each; all of them where none are given.
        """

    @operation("/v1/connections/status", since="0.50.18", alternative="Use list_jobs_for.")
    def get_connection_statuses(self, *, connection_ids: Sequence[Uuid]) -> list[connections.ConnectionStatusRead]:
        """
        Return how connections are doing (since 0.50.18).

        A connection whose last sync failed is `incomplete`, not `failed`; see `ConnectionStatusRead`.
        """

    @operation("/v1/connections/last_job_per_stream", since="0.62.0", alternative="Use list_jobs_for.")
    def get_connection_last_job_per_stream(
        self, *, connection_id: Uuid, streams: Annotated[Streams, Released(removed_in="0.64.0")] | None = None
    ) -> list[connections.ConnectionLastJobPerStreamReadItem]:
        """
        Return the last job that moved each stream (since 0.62.0).

        :param streams: Must be given before 0.64, and may not be after.
        """

    @operation("/v1/connections/sync_progress", since="0.50.32", alternative="Use get_job_info_without_logs.")
    def get_connection_sync_progress(self, *, connection_id: Uuid) -> connections.ConnectionSyncProgressRead:
        """
        Return what the running job moved so far (since 0.50.32).

        Declared since then, and there since 0.61.0. Any job that is not terminal, also one between two attempts; a
        reset since 0.63.2.
        """

    @operation("/v1/connections/events/list", since="0.63.6", alternative="Use list_jobs_for.")
    def list_connection_events(
        self,
        *,
        connection_id: Uuid,
        event_types: Sequence[str] | None = None,
        created_at_start: Time | None = None,
        created_at_end: Time | None = None,
        page_size: PageSize | None = None,
        row_offset: RowOffset = 0,
    ) -> connections.ConnectionEventList:
        """
        Return a page of what happened to a connection, newest first (since 0.63.6).

        :param event_types: Such as `SYNC_SUCCEEDED` and `CONNECTION_DISABLED`.
        :param created_at_start: ISO 8601 time with offset; so is the end.
        """

    @operation("/v1/connections/events/list_for_job", since="2.0.0", alternative="Use list_connection_events.")
    def list_connection_events_for_job(self, *, id: Id) -> connections.ConnectionEventList:
        """Return what happened in a job (since 2.0.0)."""

    @operation("/v1/connections/events/get", since="0.63.6")
    def get_connection_event(
        self, *, connection_id: Uuid, connection_event_id: NonEmpty
    ) -> connections.ConnectionEventWithDetails:
        """Return one event with all that Airbyte keeps of it (since 0.63.6)."""
