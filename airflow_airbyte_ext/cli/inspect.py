"""`list`, `show` and `diff`: what there is, what it says, and what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.cli.describe import (
    age,
    compact,
    counted,
    diff_document,
    failure_document,
    keys_of,
    keys_text,
    moment,
    ref_document,
    show_diff,
    state_parts,
)
from airflow_airbyte_ext.cli.exit_codes import Exit, explain
from airflow_airbyte_ext.cli.selection import in_airbyte, in_store, one_connection
from airflow_airbyte_ext.exceptions import AirbyteSnapshotStoreError
from airflow_airbyte_ext.snapshots.diff import diff, odd_rows, shown_rows
from airflow_airbyte_ext.snapshots.snapshot import Snapshot, take_snapshot
from airflow_airbyte_ext.text import one_line, without_password

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.snapshot import Origin
    from airflow_airbyte_ext.snapshots.store import SnapshotRef, SnapshotStore

CURRENT = "current"


def list_snapshots(context: Context) -> Exit:
    """Show the snapshots of each chosen connection, or how many each connection has; or which connections have none."""
    if context.options.missing:
        return _list_missing(context)
    origins, store = in_store(context), context.store
    failures: dict[str, Exception] = {}
    found = {one: _refs(store, one, failures) for one in origins}
    code = Exit.FAILED if failures else Exit.DONE
    context.output.document(
        {
            "command": "list",
            "store": store.name,
            "connections": [
                {**_listed(one, origins[one], refs), **failure_document(failures.get(one))}
                for one, refs in found.items()
            ],
            "exit_code": code,
        }
    )
    if not any(found.values()):
        context.output.note(f"There are no such snapshots in {store.name}.")
    elif context.options.connection:
        for one, refs in found.items():
            _show_snapshots(context, one, origins[one], refs)
    else:
        rows = [_overview(context, one, origins[one], refs) for one, refs in found.items()]
        context.output.table(("CONNECTION", "NAME", "SNAPSHOTS", "LATEST (UTC)", ""), rows)
    _report_failures(context, failures)
    return code


def _report_failures(context: Context, failures: dict[str, Exception]) -> None:
    for one, error in failures.items():
        context.output.note(f"failed: {one}: {explain(error)}")


def _refs(store: SnapshotStore, connection_id: str, failures: dict[str, Exception]) -> list[SnapshotRef]:
    """Return a connection's snapshots; none, and the reason in `failures`, where its folder cannot be read."""
    try:
        return [*store.snapshots(connection_id), *store.snapshots(connection_id, safety=True)]
    except AirbyteSnapshotStoreError as error:
        failures[connection_id] = error
        return []


def _list_missing(context: Context) -> Exit:
    store = context.store
    failures: dict[str, Exception] = {}
    missing = {one: name for one, name in in_airbyte(context).items() if not _refs(store, one, failures)}
    code = Exit.FAILED if failures else Exit.DONE
    connections = [{"connection_id": one, "connection_name": name} for one, name in missing.items()]
    context.output.document({"command": "list", "store": store.name, "missing": connections, "exit_code": code})
    if missing:
        context.output.table(("CONNECTION", "NAME"), [(one, name or "") for one, name in missing.items()])
    has = "has" if len(missing) == 1 else "have"
    context.output.note(f"{counted(len(missing), 'connection')} of the workspace {has} no snapshot in {store.name}")
    _report_failures(context, failures)
    return code


def show(context: Context) -> Exit:
    """Show where a snapshot is from, and its streams with their keys; their states when requested."""
    options = context.options
    connection_id = one_connection(context, airbyte=options.snapshot == CURRENT)
    snapshot, ref = _state_named(context, connection_id, options.snapshot)
    values = options.values
    parts = [
        {**name, "keys": keys_of(rows), "odd": odd_rows(rows), **({"state": shown_rows(rows)} if values else {})}
        for _, name, rows in state_parts(snapshot.content)
    ]
    context.output.document(
        {
            "command": "show",
            "snapshot": ref_document(ref) if ref else None,
            "taken_at": snapshot.taken_at.isoformat(),
            "origin": asdict(snapshot.origin),
            "state_type": snapshot.content.type,
            "state_sha256": snapshot.digest,
            "streams": parts,
            "exit_code": Exit.DONE,
        }
    )
    _show_facts(context, snapshot, ref)
    columns = ("STREAM", "KEYS", *(("STATE",) if values else ()))
    rows = [
        (name, keys_text(rows), *((compact(shown_rows(rows)),) if values else ()))
        for name, _, rows in state_parts(snapshot.content)
    ]
    if rows:
        context.output.line()
        context.output.table(columns, rows)
    return Exit.DONE


def compare(context: Context) -> Exit:
    """Show what differs from one state to another."""
    options, output = context.options, context.output
    connection_id = one_connection(context, airbyte=CURRENT in (options.snapshot, options.other))
    before, ref_before = _state_named(context, connection_id, options.snapshot)
    after, ref_after = _state_named(context, connection_id, options.other)
    found = diff(before.content, after.content, values=options.values)
    code = Exit.DONE if found.is_equal else Exit.FAILED
    output.document(
        {
            "command": "diff",
            "before": ref_document(ref_before) if ref_before else None,
            "after": ref_document(ref_after) if ref_after else None,
            **diff_document(found, values=options.values),
            "exit_code": code,
        }
    )
    output.line(f"From {_title(before, ref_before)} to {_title(after, ref_after)}:")
    show_diff(output, found, values=options.values)
    return code


def _state_named(context: Context, connection_id: str, which: str) -> tuple[Snapshot, SnapshotRef | None]:
    """Return a state: a snapshot of the store, or the one that Airbyte has now."""
    if which == CURRENT:
        return take_snapshot(context.client, connection_id, clock=context.clock), None
    ref = context.store.find(connection_id, which)
    return context.store.read(ref), ref


def _title(snapshot: Snapshot, ref: SnapshotRef | None) -> str:
    return f"snapshot {ref.id}" if ref else f"the state that Airbyte has now ({moment(snapshot.taken_at)} UTC)"


def _listed(connection_id: str, origin: Origin | None, refs: list[SnapshotRef]) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "connection_name": origin.connection_name if origin else None,
        "workspace_id": origin.workspace_id if origin else None,
        "snapshots": [ref_document(ref) for ref in refs],
    }


def _name(origin: Origin | None) -> str:
    return one_line(origin.connection_name or "") if origin else "(cannot be read)"


def _overview(context: Context, connection_id: str, origin: Origin | None, refs: list[SnapshotRef]) -> tuple[str, ...]:
    latest = max((ref for ref in refs if not ref.safety), default=None)
    times = (moment(latest.taken_at), age(context.now() - latest.taken_at)) if latest else ("none", "")
    return connection_id, _name(origin), str(len(refs)), *times


def _show_snapshots(context: Context, connection_id: str, origin: Origin | None, refs: list[SnapshotRef]) -> None:
    context.output.line(f"Connection {connection_id} {_name(origin) if refs else ''}".rstrip())
    latest = max((ref for ref in refs if not ref.safety), default=None)
    rows = []
    digest = ""
    for ref in sorted(refs):
        notes = [
            *(["latest"] if ref == latest else []),
            *(["same as above"] if ref.short_digest == digest else []),
            *(["state before a restore"] if ref.safety else []),
        ]
        digest = ref.short_digest
        rows.append((ref.id, age(context.now() - ref.taken_at), ", ".join(notes)))
    if rows:
        context.output.table(("SNAPSHOT", "TAKEN", ""), rows)
    else:
        context.output.line("  no snapshots")


def _show_facts(context: Context, snapshot: Snapshot, ref: SnapshotRef | None) -> None:
    origin = snapshot.origin
    facts = {
        "Snapshot": ref.id if ref else "none: the state that Airbyte has now",
        "File": without_password(ref.path) if ref else None,
        "Taken": f"{moment(snapshot.taken_at)} UTC, {age(context.now() - snapshot.taken_at)}",
        "Connection": f"{origin.connection_id} {_name(origin)}".rstrip(),
        "Workspace": origin.workspace_id,
        "Airbyte": " ".join(filter(None, (origin.base_url, origin.airbyte_version))),
        "Last job": origin.last_job_id,
        "State": f"{snapshot.content.type}, {counted(len(snapshot.content.streams), 'stream')}",
        "SHA-256": snapshot.digest,
    }
    for name, value in facts.items():
        if value is not None:
            context.output.line(f"{name + ':':<12}{value}")
