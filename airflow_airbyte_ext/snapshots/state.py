"""
What a state says, whatever its form: the one notion of equality that digest, diff, restore and verification share.

Airbyte returns streams in no order, and keeps one row a stream. So a state's content is its type and its rows; an entry
without `streamState`, or with null, is no row: Airbyte deletes the one, and breaks the next sync with the other. Rows
without a namespace may be there twice (no unique key holds them back): equal ones count once, others are a conflict.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.streams import StreamKey, sorted_keys
from airflow_airbyte_ext.exceptions import AirbyteSnapshotError
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_SET = "not_set"
STREAM = "stream"
GLOBAL = "global"
LEGACY = "legacy"

# Which part of a ConnectionState belongs to which type.
_PARTS = {"streamState": STREAM, "globalState": GLOBAL, "state": LEGACY}


@dataclass(frozen=True)
class StateContent:
    """
    A state's type and rows.

    :param type: "stream", "global", "legacy" or "not_set"; a state without any row is "not_set".
    :param streams: Each stream's own state.
    :param shared: The part that the streams of a global state share; None where there is none.
    :param legacy: The whole of a legacy state; None where there is none.
    :param null_streams: Streams that have a row without a state: nothing is lost with them, and a sync would break.
    :param null_rest: Whether the shared part, or the legacy state, is such a row.
    :param conflicts: The states of streams that have several rows which differ; these are not in `streams`.
    """

    type: str = NOT_SET
    streams: Mapping[StreamKey, Any] = field(default_factory=dict, repr=False)
    shared: Any = field(default=None, repr=False)
    legacy: Any = field(default=None, repr=False)
    null_streams: frozenset[StreamKey] = frozenset()
    null_rest: bool = False
    conflicts: Mapping[StreamKey, tuple[Any, ...]] = field(default_factory=dict, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is no state at all, whatever the type says."""
        return not self.streams and not self.conflicts and self.shared is None and self.legacy is None

    @property
    def has_nulls(self) -> bool:
        """Whether there are rows without a state."""
        return bool(self.null_streams) or self.null_rest

    def stream_rows(self) -> dict[StreamKey, tuple[Any, ...]]:
        """Return the rows of each stream in a fixed order: one as a rule; None is a null row."""
        nulls = self.null_streams
        values = {key: (value, None) if key in nulls else (value,) for key, value in self.streams.items()}
        rows = {**dict.fromkeys(nulls, (None,)), **values, **self.conflicts}
        return {key: rows[key] for key in sorted_keys(rows)}

    def other_rows(self) -> dict[str, tuple[Any, ...]]:
        """Return the shared and the legacy row, by the names that people see; those that are there."""
        rows = {"(shared)": self.shared, "(legacy)": self.legacy}
        null = {GLOBAL: "(shared)", LEGACY: "(legacy)"}.get(self.type) if self.null_rest else None
        return {name: (value,) for name, value in rows.items() if value is not None or name == null}

    def digest(self) -> str:
        """
        Return the SHA-256 of the content in its canonical form, described in docs/snapshot-format.md.

        :raises AirbyteSnapshotError: The content holds a number that JSON cannot carry on.
        """
        try:
            return hashlib.sha256(canonical_json(self._canonical())).hexdigest()
        except ValueError:
            raise AirbyteSnapshotError(
                "The state holds a number beyond what a double can hold, which could not be kept as it is. No real "
                "Airbyte sends such a number: check any proxy before Airbyte."
            ) from None

    def with_streams(self, streams: Mapping[StreamKey, Any]) -> StateContent:
        """Return the content with these streams instead, without null rows, and without the conflicts that they end."""
        conflicts = {key: rows for key, rows in self.conflicts.items() if key not in streams}
        return replace(self, streams=streams, conflicts=conflicts, null_streams=frozenset(), null_rest=False)

    def as_state(self, connection_id: str) -> dict[str, Any]:
        """Return the content as the ConnectionState that Airbyte takes."""
        state: dict[str, Any] = {"stateType": self.type, "connectionId": connection_id}
        entries = [entry(key, value) for key, value in self.streams.items()]
        if self.type == STREAM:
            return {**state, "streamState": entries}
        if self.type == GLOBAL:
            shared = {} if self.shared is None else {"shared_state": self.shared}
            return {**state, "globalState": {**shared, "streamStates": entries}}
        return {**state, "state": self.legacy} if self.type == LEGACY else state

    def _canonical(self) -> dict[str, Any]:
        rows = sorted_keys({**self.streams, **self.conflicts})
        streams = [[*key, row] for key in rows for row in self.conflicts.get(key) or (self.streams[key],)]
        kind = NOT_SET if self.is_empty else self.type
        return {"type": kind, "streams": streams, "shared": self.shared, "legacy": self.legacy}


def content_of(state: Mapping[str, Any]) -> StateContent:
    """
    Return what a ConnectionState, as Airbyte returns it, says.

    :raises AirbyteSnapshotError: It is not understood, so that taking it for no state could lose one.
    """
    _check_understood(state)
    kind = state.get("stateType") or (LEGACY if state.get("state") is not None else NOT_SET)
    content = StateContent()
    if kind == STREAM:
        content = _with_rows(STREAM, state.get("streamState"))
    elif kind == GLOBAL:
        part = state.get("globalState") or {}
        content = _with_rows(GLOBAL, part.get("streamStates"))
        shared = part.get("shared_state")
        content = replace(content, shared=shared, null_rest="shared_state" in part and shared is None)
    elif kind == LEGACY:
        content = StateContent(LEGACY, legacy=state.get("state"), null_rest=state.get("state") is None)
    return StateContent() if content.is_empty and not content.has_nulls else content


def entry(key: StreamKey, value: Any) -> dict[str, Any]:
    """Return a stream's row as Airbyte writes it."""
    return {**bare_entry(key), "streamState": value}


def bare_entry(key: StreamKey) -> dict[str, Any]:
    """Return a stream's entry without state, which deletes its row."""
    namespace, name = key
    return {"streamDescriptor": {"name": name} if namespace is None else {"name": name, "namespace": namespace}}


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys, without white space, in ASCII: equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _check_understood(state: Mapping[str, Any]) -> None:
    """Check that a state has a known type, its parts have their shapes, and no part is of another type."""
    kind = state.get("stateType") or (LEGACY if state.get("state") is not None else NOT_SET)
    if not isinstance(kind, str) or kind not in (NOT_SET, *_PARTS.values()):
        raise _not_understood(f"the type {one_line(str(kind), 50)!r}")
    for part, owner in _PARTS.items():
        # Airbyte fills the part of the type alone; old releases write the others out as null.
        if owner != kind and not (state.get(part) is None or (part != "state" and not state[part])):
            raise _not_understood(f"the type {kind!r}, and a part {part}")
    whole = state.get("globalState") or {}
    if not isinstance(whole, dict):
        raise _not_understood("a globalState that is no object")
    rows = whole.get("streamStates") if kind == GLOBAL else state.get("streamState")
    if not isinstance(rows or [], list):
        raise _not_understood("streams that are no list")


def _not_understood(what: str) -> AirbyteSnapshotError:
    return AirbyteSnapshotError(
        f"The state has {what}, which this release does not understand. It was not saved or restored, because treating "
        "it as empty would lose it. Try a newer release of this package, and check any proxy before Airbyte."
    )


def _with_rows(kind: str, entries: Any) -> StateContent:
    streams, odd = dict[StreamKey, Any](), dict[StreamKey, list[Any]]()
    for row in entries or []:
        key, value = _stream_key(row), row.get("streamState")
        if key in odd:
            odd[key].append(value)
        elif key in streams:
            odd[key] = [streams.pop(key), value]
        elif value is None:
            odd[key] = [None]
        else:
            streams[key] = value
    conflicts, nulls = dict[StreamKey, tuple[Any, ...]](), set[StreamKey]()
    for key, rows in odd.items():
        distinct = _distinct([row for row in rows if row is not None])
        if len(distinct) > 1:
            conflicts[key] = distinct
            continue
        if distinct:
            streams[key] = distinct[0]
        if None in rows:
            nulls.add(key)
    return StateContent(kind, streams, null_streams=frozenset(nulls), conflicts=conflicts)


def _stream_key(row: Any) -> StreamKey:
    descriptor = row.get("streamDescriptor") if isinstance(row, dict) else None
    if isinstance(descriptor, dict):
        name, namespace = descriptor.get("name"), descriptor.get("namespace")
        if isinstance(name, str) and (namespace is None or isinstance(namespace, str)):
            return namespace, name
    raise _not_understood("a row that does not name a stream")


def _distinct(rows: list[Any]) -> tuple[Any, ...]:
    if len(rows) < 2:
        return tuple(rows)
    # Not `canonical_json`: a number that it refuses is reported by `digest`.
    texts = {json.dumps(row, sort_keys=True, separators=(",", ":")): row for row in rows}
    return tuple(texts[text] for text in sorted(texts))
