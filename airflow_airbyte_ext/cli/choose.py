"""Which connections a run is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.cli.parallel import run_all
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteSnapshotStoreError

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.snapshot import Origin


def in_airbyte(context: Context) -> dict[str, str | None]:
    """
    Return ids, with names where they are known, of the connections that Airbyte has.

    :raises AirbyteConfigurationError: The workspace has none: a backup of nothing must not look like a success.
    """
    options = context.options
    if not options.workspace:
        return dict.fromkeys(options.connection or ())
    listed = context.client.list_connections_for_workspace(workspace_id=options.workspace).connections
    if not listed:
        raise AirbyteConfigurationError(f"Workspace {options.workspace} has no connections. Check its id.")
    return {connection.connection_id: connection.name for connection in listed}


def in_store(context: Context) -> dict[str, Origin | None]:
    """
    Return ids of connections that have snapshots, with the origin that the newest snapshot names.

    Airbyte is not asked, so that connections that were deleted there are found too. Where the newest snapshot cannot be
    read the origin is None, and the connection is taken to be in any workspace.
    """
    options, store = context.options, context.store
    ids = list(dict.fromkeys(options.connection or store.connections()))
    with context.output.progress("Looking", len(ids)) as one_done:
        found = run_all(ids, lambda one: _origin(context, one), parallel=options.parallel, one_done=one_done)
    origins: dict[str, Origin | None] = {}
    for connection_id, origin in zip(ids, found, strict=True):
        if isinstance(origin, AirbyteSnapshotStoreError):
            raise origin
        known = None if isinstance(origin, Exception) else origin
        if not options.workspace or known is None or known.workspace_id == options.workspace:
            origins[connection_id] = known
    return origins


def _origin(context: Context, connection_id: str) -> Origin | None:
    store = context.store
    ref = store.latest(connection_id) or max(store.snapshots(connection_id, safety=True), default=None)
    return store.read(ref).origin if ref else None
