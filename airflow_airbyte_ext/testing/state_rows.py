"""The state of one connection, kept in rows as Airbyte keeps it.

Airbyte's `StatePersistence.updateOrCreateState` is an upsert: what a request leaves out stays, an entry without a value
deletes its row, and a JSON null is a value. Values are kept exactly as sent.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.jobs import Stream

StreamKey = tuple[str, str | None]
TYPES = ("global", "stream", "legacy", "not_set")


class StateRows:
    """All rows of one connection; without rows its type is not_set."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._streams: dict[StreamKey, Any] = {}
        # The row without a stream: the shared part of a global state, or the blob of a legacy one.
        self._whole: list[Any] = []

    @property
    def kind(self) -> str:
        """The state's type, in Airbyte's words."""
        return self._kind if self._kind and (self._streams or self._whole) else "not_set"

    def has_null(self) -> bool:
        """Whether a JSON null is stored where a stream's state should be: the next sync breaks on it."""
        return any(value is None for value in self._streams.values())

    def read(self) -> dict[str, Any]:
        """The rows as a ConnectionState without its connectionId."""
        kind = self.kind
        response: dict[str, Any] = {"stateType": kind}
        if kind == "legacy":
            response["state"] = self._whole[0]
        elif kind == "stream":
            response["streamState"] = self._stream_rows()
        elif kind == "global":
            shared = {"shared_state": self._whole[0]} if self._whole else {}
            response["globalState"] = {**shared, "streamStates": self._stream_rows()}
        return deepcopy(response)

    def _stream_rows(self) -> list[dict[str, Any]]:
        rows = []
        # Airbyte does not order them. This order is stable, and not one that a client could take for granted.
        for name, namespace in sorted(self._streams, key=lambda key: hashlib.sha256(repr(key).encode()).digest()):
            descriptor = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
            rows.append({"streamDescriptor": descriptor, "streamState": self._streams[name, namespace]})
        return rows

    def write(self, state: dict[str, Any]) -> None:
        """Upsert a ConnectionState, all of it or nothing."""
        kind = state.get("stateType")
        if kind not in TYPES or kind == "not_set":
            raise Refusal("illegal", f"Unexpected value for state type: {kind}")
        if self.kind not in ("not_set", "legacy", kind):
            raise Refusal(
                "illegal",
                f"Unexpected type migration from '{self.kind}' to '{kind}'. "
                "Migration of StateType need to go through an explicit reset.",
            )
        streams = _listed(state, kind)
        if self.kind == "legacy":
            self._whole = []
        self._kind = kind
        if kind == "legacy":
            self._whole = _present(state, "state")
        elif kind == "global":
            self._whole = _present(state["globalState"], "shared_state")
        for key, value in streams:
            self._put(key, value)

    def _put(self, key: StreamKey, value: list[Any]) -> None:
        self._streams.pop(key, None)
        if value:
            self._streams[key] = value[0]

    def replace(self, state: dict[str, Any]) -> None:
        """Forget everything and store this state (the test's own hand, not a request)."""
        fresh = StateRows()
        if state.get("stateType", "legacy" if "state" in state else "not_set") != "not_set":
            fresh.write({"stateType": "legacy", **state})
        self._kind, self._streams, self._whole = fresh._kind, fresh._streams, fresh._whole

    @property
    def keys(self) -> set[StreamKey]:
        """The streams that have a row."""
        return set(self._streams)

    def delete(self, streams: set[StreamKey], everything: bool) -> None:
        """Delete the rows of these streams, and the shared row too when `everything` goes."""
        if everything:
            self._streams, self._whole = {}, []
        for key in streams:
            self._streams.pop(key, None)

    def advance(self, read: list[tuple[Stream, int]], default_kind: str) -> None:
        """A sync has read these streams: move their cursors on by the number of records, from where they stood."""
        if self.kind == "not_set":
            self._kind = default_kind
        if self._kind == "legacy":
            self._whole = [_moved(self._whole, sum(records for _, records in read))]
            return
        for stream, records in read:
            if stream.sync_mode == "incremental":
                stored = [self._streams[stream.key]] if stream.key in self._streams else []
                self._streams[stream.key] = _moved(stored, records)
            else:
                self._streams.pop(stream.key, None)
        if self._kind == "global":
            self._whole = [_moved(self._whole, sum(records for _, records in read))]


def _present(holder: dict[str, Any], name: str) -> list[Any]:
    return [deepcopy(holder[name])] if name in holder else []


def _listed(state: dict[str, Any], kind: str) -> list[tuple[StreamKey, list[Any]]]:
    """The streams of a request: their key, and their value or nothing. A missing list is a NullPointerException."""
    if kind == "legacy":
        return []
    try:
        entries = state["streamState"] if kind == "stream" else state["globalState"]["streamStates"]
        return [(_key(entry["streamDescriptor"]), _present(entry, "streamState")) for entry in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal("illegal", f"Cannot read the state: {error!r}") from error


def _key(described: dict[str, Any]) -> StreamKey:
    name, namespace = described["name"], described.get("namespace")
    if not isinstance(name, str) or not isinstance(namespace, str | None):
        raise TypeError("a stream's name and namespace are text")
    return name, namespace


def _moved(stored: list[Any], records: int) -> dict[str, Any]:
    blob = dict(stored[0]) if stored and isinstance(stored[0], dict) else {}
    before = str(blob.get("cursor", "0"))
    # A cursor that a test has chosen (a date, a log position) still has to move.
    blob["cursor"] = str(int(before) + max(records, 1)) if before.isdigit() else f"{before}+{max(records, 1)}"
    return blob
