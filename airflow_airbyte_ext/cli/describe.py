"""Snapshots, states and what differs: for people as lines, for programs as JSON; values only when requested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.streams import stream_name
from airflow_airbyte_ext.cli.exit_codes import code_of, explain
from airflow_airbyte_ext.snapshots.diff import odd_rows
from airflow_airbyte_ext.text import without_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from airflow_airbyte_ext.cli.output import Output
    from airflow_airbyte_ext.snapshots.diff import StateDiff
    from airflow_airbyte_ext.snapshots.state import StateContent
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


def ref_document(ref: SnapshotRef) -> dict[str, Any]:
    """Return a snapshot's reference for programs."""
    return {
        "id": ref.id,
        "connection_id": ref.connection_id,
        "path": without_password(ref.path),
        "taken_at": ref.taken_at.isoformat(),
        "digest": ref.short_digest,
        "safety": ref.safety,
    }


def failure_document(error: Exception | None) -> dict[str, Any]:
    """Return what is said of a failure to programs; nothing without one."""
    if error is None:
        return {}
    safety = getattr(error, "safety_snapshot", None)
    more = {"safety_snapshot_path": without_password(safety)} if safety else {}
    return {"error": {"type": type(error).__name__, "message": explain(error), "exit_code": code_of(error), **more}}


def diff_document(found: StateDiff, *, values: bool = False) -> dict[str, Any]:
    """Return what differs for programs."""
    parts = [
        {
            "name": part.name,
            "change": part.change,
            "keys": list(part.keys),
            **({"before": part.before, "after": part.after} if values else {}),
        }
        for part in found.parts
    ]
    return {"equal": found.is_equal, "type_before": found.type_before, "type_after": found.type_after, "parts": parts}


def show_diff(output: Output, found: StateDiff, *, values: bool = False, no_change: str | None = None) -> None:
    """Show what differs to a person: which streams and keys, and values only when requested."""
    if found.is_equal:
        output.line(no_change or "  nothing differs")
        return
    columns = ["STREAM", "CHANGE", "KEYS", *(("BEFORE", "AFTER") if values else ())]
    rows = []
    for part in found.differing:
        states = (compact(part.before), compact(part.after)) if values else ()
        rows.append((part.name, part.change, ", ".join(part.keys), *states))
    if rows:
        output.table(columns, rows)
    output.line(f"  {found.summary()}")


def state_parts(content: StateContent) -> Iterator[tuple[str, dict[str, Any], tuple[Any, ...]]]:
    """Yield each part of a state: its name for people, its name for programs, and its rows, which are one as a rule."""
    for key, rows in content.stream_rows().items():
        yield stream_name(key), {"namespace": key[0], "name": key[1]}, rows
    for name, rows in content.other_rows().items():
        yield name, {"part": name.strip("()")}, rows


def keys_of(rows: tuple[Any, ...]) -> list[str]:
    """Return the keys at the top of a part of a state, which are no secret."""
    return sorted({key for row in rows if isinstance(row, dict) for key in row})


def keys_text(rows: tuple[Any, ...]) -> str:
    """Return the keys of a part of a state for people, and what is odd about it."""
    odd, keys = odd_rows(rows), ", ".join(keys_of(rows))
    if len(rows) == 1 and not keys and not odd:
        return "(empty)" if rows[0] in ({}, []) else "(no keys)"
    return " ".join(filter(None, (odd, keys)))


def compact(state: Any) -> str:
    """Return a state on one line."""
    return "" if state is None else json.dumps(state, ensure_ascii=False, sort_keys=True)


def moment(time: datetime) -> str:
    """Return a time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def counted(count: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def age(span: timedelta) -> str:
    """Return how long ago something was, as roughly as people say it."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"
