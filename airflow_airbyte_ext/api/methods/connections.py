"""Airbyte's Connection API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from airflow_airbyte_ext.api import operations as op
from airflow_airbyte_ext.api.methods.base import Sender
from airflow_airbyte_ext.api.methods.whole import PATCHES_SINCE, release_of, whole_connection
from airflow_airbyte_ext.api.requests.base import given, page
from airflow_airbyte_ext.api.requests.connections import ConnectionChanges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.models.connections import (
        ConnectionEventList,
        ConnectionEventWithDetails,
        ConnectionLastJobPerStreamReadItem,
        ConnectionRead,
        ConnectionReadList,
        ConnectionStatusRead,
        ConnectionSyncProgressRead,
        RefreshRead,
    )
    from airflow_airbyte_ext.api.models.jobs import JobInfoRead
    from airflow_airbyte_ext.api.requests.base import ConnectionStatus, RefreshMode
    from airflow_airbyte_ext.api.requests.connections import ConnectionSearch, NewConnection
    from airflow_airbyte_ext.api.streams import StreamKey


class ConnectionMethods(Sender):
    """Connections: create, read, change, delete, run."""

    def create_connection(
        self, *, source_id: str, destination_id: str, status: ConnectionStatus, **fields: Unpack[NewConnection]
    ) -> ConnectionRead:
        """
        Create a connection.

        :param status: `active` or `inactive`.
        :param fields: See `requests.connections.NewConnection`.
        """
        return self._send(
            op.CREATE_CONNECTION, source_id=source_id, destination_id=destination_id, status=status, **fields
        )

    def update_connection(self, *, connection_id: str, **changes: Unpack[ConnectionChanges]) -> ConnectionRead:
        """
        Change a connection, and nothing of it but what is given. No stream is reset.

        Before 0.40.8 Airbyte replaces the whole connection: what is not given is read from it first. Since 1.8.0 the
        state of streams whose sync mode changes is deleted.

        :param changes: See `requests.connections.ConnectionChanges`.
        """
        fields: Mapping[str, Any] = changes
        release = self.release()
        if not release.is_at_least(PATCHES_SINCE):
            connection = self.get_connection(connection_id=connection_id)
            release = release_of(connection, ConnectionChanges, release)
            fields = whole_connection(connection, changes, ConnectionChanges, release)
        return self._send(op.UPDATE_CONNECTION, release, connection_id=connection_id, **fields)

    def update_connection_with_reason(
        self, *, connection_id: str, reason: str, **changes: Unpack[ConnectionChanges]
    ) -> ConnectionRead:
        """Change a connection as `update_connection` does, with a reason for its events (since 0.64.4)."""
        update = {"connection_id": connection_id, **changes}
        return self._send(op.UPDATE_CONNECTION_WITH_REASON, connection_update=update, update_reason=reason)

    def delete_connection(self, *, connection_id: str) -> None:
        """Delete a connection. `get_connection` still answers it, with status `deprecated`."""
        self._send(op.DELETE_CONNECTION, connection_id=connection_id)

    def get_connection(self, *, connection_id: str) -> ConnectionRead:
        """Return a connection; a deleted one still answers, with status `deprecated`."""
        return self._send(op.GET_CONNECTION, connection_id=connection_id)

    def list_connections_for_workspace(self, *, workspace_id: str) -> ConnectionReadList:
        """Return all connections of a workspace but the deleted ones, with their catalogs: large."""
        return self._send(op.LIST_CONNECTIONS_FOR_WORKSPACE, workspace_id=workspace_id)

    def list_all_connections_for_workspace(self, *, workspace_id: str) -> ConnectionReadList:
        """Return all connections of a workspace, the deleted ones too, with their catalogs: large."""
        return self._send(op.LIST_ALL_CONNECTIONS_FOR_WORKSPACE, workspace_id=workspace_id)

    def list_connections_for_workspaces_paginated(
        self,
        *,
        workspace_ids: Sequence[str],
        user_id: str,
        page_size: int | None = None,
        row_offset: int = 0,
        include_deleted: bool = False,
        tag_ids: Sequence[str] | None = None,
    ) -> ConnectionReadList:
        """
        Return a page of the connections of workspaces, with their catalogs (since 0.50.13).

        :param user_id: Required by Airbyte's documents; `get_instance_configuration` names the default user.
        :param row_offset: Connections to pass over: a multiple of `page_size`.
        :param tag_ids: Only connections with these tags (since 1.6.0).
        """
        return self._send(
            op.LIST_CONNECTIONS_FOR_WORKSPACES_PAGINATED,
            workspace_ids=workspace_ids,
            user_id=user_id,
            include_deleted=include_deleted,
            **given(pagination=page(page_size, row_offset), tag_ids=tag_ids),
        )

    def search_connections(self, **search: Unpack[ConnectionSearch]) -> ConnectionReadList:
        """
        Ask the server for connections. Servers of many releases answer none: prefer `connections.find`.

        :param search: See `requests.connections.ConnectionSearch`.
        """
        return self._send(op.SEARCH_CONNECTIONS, **search)

    def sync_connection(self, *, connection_id: str) -> JobInfoRead:
        """
        Start a sync. Prefer `jobs.submit`, which also finds the job after a lost answer.

        Airbyte answers only when its workflow runs; while one runs it answers 409 (before 0.39: the running job).
        """
        return self._send(op.SYNC_CONNECTION, connection_id=connection_id)

    def reset_connection(self, *, connection_id: str) -> JobInfoRead:
        """Start a reset, which empties the destination and the state. A running sync is cancelled silently."""
        return self._send(op.RESET_CONNECTION, connection_id=connection_id)

    def reset_connection_stream(self, *, connection_id: str, streams: Sequence[StreamKey]) -> JobInfoRead:
        """
        Start a reset of single streams (since 0.42.0).

        :param streams: Namespace and name of each. An empty list means all to some releases, and is refused.
        """
        return self._send(op.RESET_CONNECTION_STREAM, connection_id=connection_id, streams=streams)

    def clear_connection(self, *, connection_id: str) -> JobInfoRead:
        """Start a clear: a reset under its later name (since 0.57.3), whose job is of type `reset_connection`, too."""
        return self._send(op.CLEAR_CONNECTION, connection_id=connection_id)

    def clear_connection_stream(self, *, connection_id: str, streams: Sequence[StreamKey]) -> JobInfoRead:
        """Start a clear of single streams (since 0.57.3); see `reset_connection_stream`."""
        return self._send(op.CLEAR_CONNECTION_STREAM, connection_id=connection_id, streams=streams)

    def refresh_connection_stream(
        self, *, connection_id: str, refresh_mode: RefreshMode, streams: Sequence[StreamKey] | None = None
    ) -> RefreshRead:
        """
        Start a refresh: read streams anew (since 0.57.2).

        Airbyte stores the wish first: without a job in the response, and after a 500, the connection's next run of any
        kind may become this refresh. Only a destination that cannot refresh has nothing stored.

        :param refresh_mode: `Truncate` replaces what the destination holds, `Merge` keeps it.
        :param streams: Namespace and name of each; all of them where none are given.
        """
        return self._send(
            op.REFRESH_CONNECTION_STREAM,
            connection_id=connection_id,
            refresh_mode=refresh_mode,
            **given(streams=streams),
        )

    def get_connection_statuses(self, *, connection_ids: Sequence[str]) -> list[ConnectionStatusRead]:
        """
        Return how connections are doing (since 0.50.18).

        A connection whose last sync failed is `incomplete`, not `failed`; see `ConnectionStatusRead`.
        """
        return self._send(op.GET_CONNECTION_STATUSES, connection_ids=connection_ids)

    def get_connection_last_job_per_stream(
        self, *, connection_id: str, streams: Sequence[StreamKey] | None = None
    ) -> list[ConnectionLastJobPerStreamReadItem]:
        """
        Return the last job that moved each stream (since 0.62.0).

        :param streams: Must be given before 0.64, and may not be after.
        """
        return self._send(op.GET_CONNECTION_LAST_JOB_PER_STREAM, connection_id=connection_id, **given(streams=streams))

    def get_connection_sync_progress(self, *, connection_id: str) -> ConnectionSyncProgressRead:
        """
        Return what the running job moved so far (since 0.50.32).

        Declared since then, and there since 0.61.0. Any job that is not terminal, also one between two attempts; a
        reset since 0.63.2.
        """
        return self._send(op.GET_CONNECTION_SYNC_PROGRESS, connection_id=connection_id)

    def list_connection_events(
        self,
        *,
        connection_id: str,
        event_types: Sequence[str] | None = None,
        created_at_start: str | None = None,
        created_at_end: str | None = None,
        page_size: int | None = None,
        row_offset: int = 0,
    ) -> ConnectionEventList:
        """
        Return a page of what happened to a connection, newest first (since 0.63.6).

        :param event_types: Such as `SYNC_SUCCEEDED` and `CONNECTION_DISABLED`.
        :param created_at_start: ISO 8601 time with offset; so is the end.
        """
        return self._send(
            op.LIST_CONNECTION_EVENTS,
            connection_id=connection_id,
            **given(
                event_types=event_types,
                created_at_start=created_at_start,
                created_at_end=created_at_end,
                pagination=page(page_size, row_offset),
            ),
        )

    def list_connection_events_for_job(self, *, id: int) -> ConnectionEventList:
        """Return what happened in a job (since 2.0.0)."""
        return self._send(op.LIST_CONNECTION_EVENTS_FOR_JOB, id=id)

    def get_connection_event(self, *, connection_id: str, connection_event_id: str) -> ConnectionEventWithDetails:
        """Return one event with all that Airbyte keeps of it (since 0.63.6)."""
        return self._send(op.GET_CONNECTION_EVENT, connection_id=connection_id, connection_event_id=connection_event_id)
