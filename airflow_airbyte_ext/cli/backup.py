"""`backup`: save the state of connections, some at once, and say which could not be saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.cli.describe import failure_document, ref_document
from airflow_airbyte_ext.cli.exit_codes import Exit, explain, overall
from airflow_airbyte_ext.cli.parallel import run_all
from airflow_airbyte_ext.cli.selection import in_airbyte
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.text import without_password

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


@dataclass(frozen=True)
class Saved:
    """
    What became of one connection's backup.

    :param result: "saved", "unchanged" or "would be saved".
    :param ref: The snapshot that has the state; None in a dry run.
    """

    result: str
    name: str | None
    streams: int
    ref: SnapshotRef | None


def run(context: Context) -> Exit:
    """Save each connection's state."""
    context.check_settings()
    names, options = in_airbyte(context), context.options
    ids = list(names)
    started = context.clock.monotonic()
    context.client.release()  # requested once, and not by each of the workers
    with context.output.progress("Backing up", len(ids)) as one_done:
        outcomes = run_all(ids, lambda one: _save(context, one), parallel=options.parallel, one_done=one_done)
    failures = {one: (names[one], outcome) for one, outcome in zip(ids, outcomes, strict=True) if _failed(outcome)}
    code = overall([error for _, error in failures.values() if isinstance(error, Exception)], len(ids))
    context.output.document(
        {
            "command": "backup",
            "dry_run": options.dry_run,
            "connections": [_document(one, names[one], outcomes[number]) for number, one in enumerate(ids)],
            "exit_code": code,
        }
    )
    rows = [_row(one, names[one], outcomes[number]) for number, one in enumerate(ids)]
    context.output.table(("CONNECTION", "NAME", "STREAMS", "RESULT"), rows)
    for outcome in outcomes if len(ids) == 1 else ():
        if isinstance(outcome, Saved) and outcome.ref:
            context.output.line(f"Snapshot {outcome.ref.id} at {without_password(outcome.ref.path)}")
    _sum_up(context, outcomes, context.clock.monotonic() - started)
    for one, (name, error) in failures.items():
        if isinstance(error, Exception):
            context.output.note(f"failed: {' '.join(filter(None, (one, name)))}: {explain(error)}")
    return code


def _save(context: Context, connection_id: str) -> Saved:
    workspace = None if context.options.connection else context.options.workspace
    snapshot = take_snapshot(context.client, connection_id, workspace_id=workspace, clock=context.clock)
    name, streams = snapshot.origin.connection_name, len(snapshot.content.streams)
    if context.options.skip_unchanged and (latest := context.store.latest_like(snapshot)):
        return Saved("unchanged", name, streams, latest)
    if context.options.dry_run:
        return Saved("would be saved", name, streams, None)
    return Saved("saved", name, streams, context.store.write(snapshot))


def _failed(outcome: Saved | Exception) -> bool:
    return isinstance(outcome, Exception)


def _document(connection_id: str, name: str | None, outcome: Saved | Exception) -> dict[str, Any]:
    known = {"connection_id": connection_id, "connection_name": name}
    if isinstance(outcome, Exception):
        return {**known, "result": "failed", "snapshot": None, **failure_document(outcome)}
    snapshot = ref_document(outcome.ref) if outcome.ref else None
    return {
        **known,
        "connection_name": outcome.name,
        "result": outcome.result,
        "streams": outcome.streams,
        "snapshot": snapshot,
    }


def _row(connection_id: str, name: str | None, outcome: Saved | Exception) -> tuple[str, ...]:
    if isinstance(outcome, Exception):
        return connection_id, name or "", "", "FAILED"
    return connection_id, outcome.name or "", str(outcome.streams), outcome.result


def _sum_up(context: Context, outcomes: list[Saved | Exception], seconds: float) -> None:
    words = ["failed" if isinstance(outcome, Exception) else outcome.result for outcome in outcomes]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    context.output.note(f"{counts}, in {seconds:.1f} s, to {context.store.name}")
