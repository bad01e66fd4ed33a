"""Which connections a run is about: named by their ids, by their names, or all of a workspace or a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.arguments import uuid_text
from airflow_airbyte_ext.cli.parallel import run_all
from airflow_airbyte_ext.connections.find import connection_by_name, find_connections
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotError,
    AirbyteSnapshotStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.snapshot import Origin

MAX_NAMES = 20
# Of a connection whose newest snapshots cannot be read, this many are tried for its name.
MAX_READS = 5


def in_airbyte(context: Context) -> dict[str, str | None]:
    """
    Return ids, with names where they are known, of the connections that Airbyte has.

    :raises AirbyteConfigurationError: A name is unknown or ambiguous. Or the workspace has no connections: a backup of
        nothing must not pass for a success.
    """
    options = context.options
    if options.connection:
        return dict.fromkeys(connection_named(context, text) for text in options.connection)
    found = find_connections(context.client, workspace_id=options.workspace)
    if not found:
        raise AirbyteConfigurationError(f"Workspace {options.workspace} has no connections. Check its id.")
    return {connection.connection_id: connection.name for connection in found}


def in_store(context: Context) -> dict[str, Origin | None]:
    """
    Return ids of connections that have snapshots, with the origin that the newest readable snapshot names.

    No request is sent, so that connections that were deleted there are found too. Where no snapshot can be read the
    origin is None, and the connection is taken to be in any workspace.

    :raises AirbyteSnapshotNotFoundError: There is no such store.
    """
    options, store = context.options, context.store
    store.check_exists()
    named = [connection_named(context, text, airbyte=False) for text in options.connection or ()]
    origins = _origins(context, list(dict.fromkeys(named or store.connections())))
    return {
        one: origin
        for one, origin in origins.items()
        if not options.workspace or origin is None or origin.workspace_id == options.workspace
    }


def one_connection(context: Context, *, airbyte: bool = True) -> str:
    """Return the id of the one connection that is named; see `connection_named`."""
    return connection_named(context, context.options.connection, airbyte=airbyte)


def connection_named(context: Context, text: str, *, airbyte: bool = True) -> str:
    """
    Return the id of a connection that is named by its id or its name.

    A name is resolved in Airbyte where a workspace is given, and else in the store, by what its snapshots say.

    :param airbyte: Whether requests may be sent.
    :raises AirbyteConfigurationError: There is none of this name, or there are several; says which there are.
    """
    try:
        return uuid_text(text)
    except ValueError:
        pass
    workspace = context.options.workspace
    if airbyte and workspace:
        return connection_by_name(context.client, workspace_id=workspace, name=text).connection_id
    if not airbyte:
        context.store.check_exists()
    names = names_in_store(context)
    found = [one for one, name in names.items() if name == text]
    if len(found) == 1:
        return found[0]
    if found:
        raise AirbyteConfigurationError(
            f"{len(found)} connections with snapshots in {context.store.name} are called {text!r}: {', '.join(found)}. "
            "Give the id of one."
        )
    known = sorted({repr(name) for name in names.values() if name})
    there = ", ".join(known[:MAX_NAMES]) + (", ..." if len(known) > MAX_NAMES else "")
    raise AirbyteConfigurationError(
        f"{text!r} is no connection's id (a UUID), and {context.store.name} has no snapshot of a connection that is "
        f"called so. It has snapshots of: {there or 'none whose name can be read'}. "
        + ("Give the id, or --workspace to resolve the name in Airbyte." if airbyte else "Give the id.")
    )


def names_in_store(context: Context) -> dict[str, str | None]:
    """Return the connections that have snapshots, and their names as the newest readable snapshots have them."""
    workspace = context.options.workspace
    return {
        one: origin.connection_name
        for one, origin in _origins(context, context.store.connections()).items()
        if origin and (not workspace or origin.workspace_id == workspace)
    }


def _origins(context: Context, ids: Sequence[str]) -> dict[str, Origin | None]:
    with context.output.progress("Searching", len(ids)) as one_done:
        found = run_all(ids, lambda one: _origin(context, one), parallel=context.options.parallel, one_done=one_done)
    broken = [origin for origin in found if isinstance(origin, AirbyteSnapshotStoreError)]
    if broken and len(broken) == len(found):
        raise broken[0]  # the store itself; one folder that is odd stops none of the others
    return {one: None if isinstance(origin, Exception) else origin for one, origin in zip(ids, found, strict=True)}


def _origin(context: Context, connection_id: str) -> Origin | None:
    store = context.store
    refs = [*store.snapshots(connection_id, safety=True), *store.snapshots(connection_id)]
    for ref in refs[: -MAX_READS - 1 : -1]:
        try:
            return store.read(ref).origin
        except AirbyteSnapshotStoreError:
            raise
        except AirbyteSnapshotError:
            continue  # an older one names the connection too
    return None
