"""Setting the state of one stream, or a legacy one, back or taking it away: a target for `Restorer.restore`."""

from __future__ import annotations

import itertools
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.streams import stream_name
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.snapshots.state import LEGACY, NOT_SET, STREAM, StateContent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_airbyte_ext.api.streams import StreamKey

MAX_PATHS = 20

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}


def rewound(current: StateContent, key: StreamKey, settings: Sequence[tuple[str, Any]] | None) -> StateContent:
    """
    Return a state in which one stream's keys are set, or without that stream where there is nothing to set.

    :param key: The stream; one without state gets its first, of the keys that are set.
    :param settings: Paths and values; see `with_value`.
    :raises AirbyteConfigurationError: There is no such key, or a value is of another kind than the one there; or the
        stream has several rows, or its state is a part of a legacy one.
    """
    if current.type == LEGACY:
        raise AirbyteConfigurationError(
            "The connection has a legacy state, which is one for all streams. Rewind it as a whole (--legacy)."
        )
    if settings is None:
        others = {other: value for other, value in current.streams.items() if other != key}
        conflicts = {other: rows for other, rows in current.conflicts.items() if other != key}
        return replace(current, conflicts=conflicts).with_streams(others)
    if key in current.conflicts:
        raise AirbyteConfigurationError(
            f"Stream {stream_name(key)} has {len(current.conflicts[key])} rows that differ, and it is not known which "
            "one counts. Remove its state first, or restore a snapshot."
        )
    changed = {**current.streams, key: _with_values(current.streams.get(key), settings)}
    target = current.with_streams(changed)
    return replace(target, type=STREAM) if target.type == NOT_SET else target


def rewound_legacy(current: StateContent, settings: Sequence[tuple[str, Any]] | None) -> StateContent:
    """
    Return a legacy state in which keys are set, or no state where there is nothing to set.

    :param settings: Paths and values; see `with_value`.
    :raises AirbyteConfigurationError: The state is not a legacy one, or as with `rewound`.
    """
    if current.type != LEGACY:
        raise AirbyteConfigurationError(f"The connection's state is {current.type!r} and not legacy: name a stream.")
    if settings is None:
        return StateContent()
    return replace(current, legacy=_with_values(current.legacy, settings), null_rest=False)


def _with_values(state: Any, settings: Sequence[tuple[str, Any]]) -> Any:
    is_new = state in (None, {})
    changed = {} if state is None else state
    try:
        for path, value in settings:
            changed = with_value(changed, path, value, create=is_new)
    except RecursionError:
        raise AirbyteConfigurationError(
            "The state is nested too deeply for a path. Remove the stream's state, or restore a snapshot."
        ) from None
    return changed


def with_value(state: Any, path: str, value: Any, *, create: bool = False) -> Any:
    """
    Return a copy of a state with one value replaced.

    :param path: Keys with dots between; numbers are places in lists, from 0.
    :param create: Make keys that are missing; dots make objects.
    :raises AirbyteConfigurationError: The state has no such key, or a value of another kind: a sync would read either
        as no cursor at all, without a word.
    """
    changed = deepcopy(state)
    place = _place(changed, path) or (_made(changed, path) if create else None)
    if place is None:
        raise AirbyteConfigurationError(f"The state has no key {path!r}. It has {_listed(state)}.")
    holder, key = place
    before, after = _kind(holder[key]), _kind(value)
    if before != after and None not in (before, after):
        hint = f" Write it in quotes: {path}='\"...\"'." if before == "text" else ""
        raise AirbyteConfigurationError(f"{path!r} holds {before} now, and is to hold {after}.{hint}")
    holder[key] = value
    return changed


def _made(state: Any, path: str) -> tuple[Any, Any] | None:
    """Return the place at a path, which is made where it is missing."""
    *outer, last = path.split(".")
    for key in outer:
        state = state.setdefault(key, {}) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not all((*outer, last)):
        return None
    state.setdefault(last, None)
    return state, last


def _place(state: Any, path: str) -> tuple[Any, Any] | None:
    """Return what holds the value at a path, and its key there; keys may have dots themselves."""
    if isinstance(state, list):
        head, _, rest = path.partition(".")
        if not head.isdecimal() or int(head) >= len(state):
            return None
        return _place(state[int(head)], rest) if rest else (state, int(head))
    if not isinstance(state, dict):
        return None
    if path in state:
        return state, path
    places = (_place(state[key], path[len(key) + 1 :]) for key in state if path.startswith(f"{key}."))
    return next((place for place in places if place), None)


def _listed(state: Any) -> str:
    found = list(itertools.islice(_paths(state), MAX_PATHS + 1))
    more = ", ..." if len(found) > MAX_PATHS else ""
    return ", ".join(map(repr, found[:MAX_PATHS])) + more or "no keys"


def _paths(state: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of all values that hold no others."""
    if isinstance(state, dict) and state:
        items = [(key, state[key]) for key in sorted(state)]
    elif isinstance(state, list) and state:
        items = [(str(number), value) for number, value in enumerate(state)]
    else:
        if path:
            yield ".".join(path)
        return
    for key, value in items:
        yield from _paths(value, (*path, key))


def _kind(value: Any) -> str | None:
    return _KINDS.get(type(value))
