"""What to write so that a state becomes another one; a pure function of the two."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.streams import StreamKey, sorted_keys, stream_name
from airflow_airbyte_ext.exceptions import AirbyteRestoreRefusedError
from airflow_airbyte_ext.snapshots.diff import StateDiff, diff
from airflow_airbyte_ext.snapshots.state import (
    GLOBAL,
    LEGACY,
    NOT_SET,
    STREAM,
    StateContent,
    bare_entry,
    canonical_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Write:
    """
    One request that writes state.

    :param state: The ConnectionState to send.
    :param result: What Airbyte's state says afterwards.
    """

    state: dict[str, Any] = field(repr=False)
    result: StateContent


@dataclass(frozen=True)
class RestorePlan:
    """
    How a connection's state becomes what is wanted.

    :param current: What Airbyte has now.
    :param target: What it is to have.
    :param writes: The requests, in order; none where nothing differs.
    """

    connection_id: str
    current: StateContent
    target: StateContent
    writes: tuple[Write, ...]

    @property
    def diff(self) -> StateDiff:
        """What the restore changes."""
        return diff(self.current, self.target)


def plan_writes(connection_id: str, current: StateContent, target: StateContent) -> RestorePlan:
    """
    Return the fewest writes after which Airbyte has `target`, stream by stream.

    Airbyte writes by upsert: what is left out stays, and an entry without state deletes its row. It changes the type of
    a state only where there is none, or a legacy one; so another change of type deletes every row first.
    """
    if current.digest() == target.digest() and not current.has_nulls:  # a conflict that stays is no reason to write
        return RestorePlan(connection_id, current, target, ())
    empty = StateContent()
    if target.is_empty:
        steps = [(current, empty)]
    elif current.type == target.type:
        steps = [(current, target)]
    elif current.type in (NOT_SET, LEGACY):
        steps = [(empty, target)]
    else:
        steps = [(current, empty), (empty, target)]
    writes = tuple(Write(_write(connection_id, base, result), result) for base, result in steps)
    return RestorePlan(connection_id, current, target, writes)


def target_of(
    snapshot: StateContent,
    current: StateContent,
    *,
    mode: str = "exact",
    streams: Sequence[StreamKey] | None = None,
    renamed: Mapping[StreamKey, StreamKey] | None = None,
) -> StateContent:
    """
    Return what a connection's state is to be.

    :param mode: "exact": the snapshot's state, and nothing else. "merge": the snapshot's streams, beside those that the
        connection has; the shared part of a global state stays as it is.
    :param streams: With "merge", the snapshot's streams to take; all when not given.
    :param renamed: Streams of the snapshot that have another name in the connection.
    :raises AirbyteRestoreRefusedError: The two states cannot be merged, or the snapshot lacks a stream.
    """
    names = renamed or {}
    if unknown := names.keys() - snapshot.streams.keys():
        raise AirbyteRestoreRefusedError(f"The snapshot has no state of {', '.join(map(stream_name, unknown))}.")
    streams_wanted = {names.get(key, key): value for key, value in snapshot.streams.items()}
    if len(streams_wanted) < len(snapshot.streams):
        raise AirbyteRestoreRefusedError("Two streams of the snapshot would have one name. Rename them apart.")
    wanted = StateContent(snapshot.type, streams_wanted, snapshot.shared, snapshot.legacy)
    if conflicts := snapshot.conflicts.keys() & (snapshot.conflicts.keys() if streams is None else set(streams)):
        raise AirbyteRestoreRefusedError(
            f"The snapshot has several rows, which differ, of {', '.join(map(stream_name, sorted_keys(conflicts)))}, "
            'and Airbyte takes one for a stream. Restore the others, by name, with mode="merge".'
        )
    if mode == "exact":
        if streams is not None:
            raise AirbyteRestoreRefusedError('Single streams can be restored with mode="merge" only.')
        return wanted
    chosen_keys = wanted.streams.keys() if streams is None else {names.get(key, key) for key in streams}
    if unknown := chosen_keys - wanted.streams.keys():
        raise AirbyteRestoreRefusedError(f"The snapshot has no state of {', '.join(map(stream_name, unknown))}.")
    if wanted.type not in (STREAM, GLOBAL):
        raise AirbyteRestoreRefusedError(f"A {wanted.type!r} snapshot has no streams to merge; restore it exactly.")
    chosen = {key: value for key, value in wanted.streams.items() if key in chosen_keys}
    if current.type == NOT_SET:
        return replace(wanted, streams=chosen)
    if current.type != wanted.type:
        raise AirbyteRestoreRefusedError(
            f"The snapshot is a {wanted.type!r} state, and the connection has a {current.type!r} one: such states "
            "cannot be merged. Restore the snapshot exactly, or take one of the right type."
        )
    return current.with_streams({**current.streams, **chosen})


def _write(connection_id: str, base: StateContent, target: StateContent) -> dict[str, Any]:
    """Return the ConnectionState that turns `base` into `target`, which have one type, or one of them no row."""
    kind = base.type if target.is_empty else target.type
    # A stream that does not change is not sent: whatever moved it meanwhile would be set back.
    changed = {
        key: value
        for key, value in target.streams.items()
        if key not in base.streams
        or key in base.null_streams
        or canonical_json(base.streams[key]) != canonical_json(value)
    }
    state = replace(target, type=kind, streams=changed).as_state(connection_id)
    kept = {*target.streams, *target.conflicts}
    deleted = [bare_entry(key) for key in sorted_keys(base.stream_rows().keys() - kept)]
    if kind == STREAM:
        state["streamState"] += deleted
    elif kind == GLOBAL:
        state["globalState"]["streamStates"] += deleted
    elif target.is_empty:
        del state["state"]  # a legacy state that is absent is deleted; a null one would be kept
    return state
