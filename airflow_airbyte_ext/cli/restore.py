"""`restore`: make Airbyte's state what a snapshot says, for one connection, a workspace, or a migration's map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.streams import StreamKey, stream_name
from airflow_airbyte_ext.cli.apply import Change, apply_changes, check_confirmable
from airflow_airbyte_ext.cli.describe import moment, ref_document
from airflow_airbyte_ext.cli.names import exact_key, is_stream, pair_named, stream_named
from airflow_airbyte_ext.cli.selection import connection_named, in_airbyte, names_in_store
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteRestoreRefusedError
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import check_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.cli.exit_codes import Exit
    from airflow_airbyte_ext.snapshots.snapshot import Snapshot
    from airflow_airbyte_ext.snapshots.state import StateContent
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


def run(context: Context) -> Exit:
    """Restore each chosen connection."""
    check_confirmable(context)
    context.check_settings()
    return apply_changes(context, [_change(context, source, to) for source, to in _pairs(context)])


def _pairs(context: Context) -> list[tuple[str, str]]:
    """Return whose snapshot goes to which connection."""
    options = context.options
    sources = _mapped(context)
    if options.connection or options.workspace:
        targets = list(in_airbyte(context))
        if strangers := sorted(sources.keys() - set(targets)):
            raise AirbyteConfigurationError(f"--map: workspace {options.workspace} has no {', '.join(strangers)}.")
    else:
        targets = list(sources)
    named = options.from_connection
    origin = connection_named(context, named, airbyte=False) if named else None
    return [(origin or sources.get(to, to), to) for to in targets]


def _mapped(context: Context) -> dict[str, str]:
    """Return the connections that --map names as NEW, and which one each takes the place of."""
    texts = context.options.map
    known = names_in_store(context) if texts else {}
    is_known = {*known, *known.values()}.__contains__
    pairs = [pair_named("--map", text, is_known) for text in texts]
    sources = {connection_named(context, new): connection_named(context, old, airbyte=False) for old, new in pairs}
    if len(sources) != len(texts):
        raise AirbyteConfigurationError("--map names one connection twice as NEW. Give each a snapshot of its own.")
    return sources


def _change(context: Context, source: str, to: str) -> Change:
    try:
        ref = context.store.find(source, context.options.snapshot)
        snapshot = context.store.read(ref)
        _check_owner(snapshot, source)
        target = _target(context, snapshot, to)
    except Exception as error:  # reported, and the next connection follows
        return Change(to, f"Connection {to}", error=error, facts={"from_connection": source, "snapshot": None})
    facts = {"from_connection": source, "snapshot": ref_document(ref), "mode": context.options.mode}
    return Change(to, _title(context, snapshot, ref, to), target, facts)


def _title(context: Context, snapshot: Snapshot, ref: SnapshotRef, to: str) -> str:
    origin = snapshot.origin
    name = f" ({origin.connection_name})" if origin.connection_name else ""
    owner = f" of connection {origin.connection_id}{name}" if origin.connection_id != to else ""
    streams = " single streams of" if context.options.stream else ""
    here = context.client.settings.base_url
    server = f", from another Airbyte, {origin.base_url}," if origin.base_url != here else ""
    return (
        f"Connection {to}{'' if owner else name} <-{streams} snapshot {ref.id} ({moment(snapshot.taken_at)} UTC)"
        f"{owner}{server}"
    )


def _check_owner(snapshot: Snapshot, source: str) -> None:
    try:
        check_origin(snapshot, source)
    except AirbyteRestoreRefusedError as error:
        hint = f"Here: --from-connection {snapshot.origin.connection_id}."
        raise AirbyteRestoreRefusedError(f"{error} {hint}", connection_id=source) from None


def _target(context: Context, snapshot: Snapshot, to: str) -> Callable[[StateContent], StateContent]:
    """Return what gives the state that is wanted; stream names are resolved before anything is written."""
    options = context.options
    there = snapshot.content.stream_rows()
    chosen = [stream_named(name, there, where="the snapshot") for name in options.stream or ()] or None
    pairs = [pair_named("--rename", text, lambda old: is_stream(old, there)) for text in options.rename]
    olds = [stream_named(old, there, where="the snapshot") for old, _ in pairs]
    in_catalog = context.client.get_connection(connection_id=to).streams() if options.rename else []

    def target(current: StateContent) -> StateContent:
        known = {*in_catalog, *current.streams}
        news = [exact_key(new) or stream_named(new, known, where=f"connection {to}") for _, new in pairs]
        renamed = dict(zip(olds, news, strict=True))
        _check_renamed(there, renamed)
        return target_of(snapshot.content, current, mode=options.mode, streams=chosen, renamed=renamed)

    return target


def _check_renamed(there: Collection[StreamKey], renamed: dict[StreamKey, StreamKey]) -> None:
    seen: set[StreamKey] = set()
    for key in there:
        new = renamed.get(key, key)
        if new in seen:
            raise AirbyteConfigurationError(f"--rename: two streams of the snapshot would be {stream_name(new)!r}.")
        seen.add(new)
