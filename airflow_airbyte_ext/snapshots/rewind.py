"""Setting one stream's state back, or taking it away: what a state is to be, for `Restorer.restore`."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.snapshots.content import StateContent

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}


def rewound(current: StateContent, key: StreamKey, settings: Sequence[tuple[str, Any]] | None) -> StateContent:
    """
    Return a state in which one stream's keys are set, or without that stream where there is nothing to set.

    :param settings: Paths and values; see `with_value`.
    :raises AirbyteConfigurationError: There is no such key, or a value is of another kind than the one there.
    """
    streams = dict(current.streams)
    if settings is None:
        del streams[key]
    for path, value in settings or ():
        streams[key] = with_value(streams[key], path, value)
    return replace(current, streams=streams, null_streams=frozenset(), null_rest=False)


def with_value(state: Any, path: str, value: Any) -> Any:
    """
    Return a copy of a state with one value replaced.

    :param path: Keys with dots between; numbers are places in lists.
    :raises AirbyteConfigurationError: The state has no such key, or a value of another kind: a sync would read either
        as no cursor at all, without a word.
    """
    changed = deepcopy(state)
    place = _place(changed, path)
    if place is None:
        keys = ", ".join(map(repr, _paths(state))) or "no keys"
        raise AirbyteConfigurationError(f"The stream's state has no key {path!r}. It has {keys}.")
    holder, key = place
    before, after = _kind(holder[key]), _kind(value)
    if before != after and None not in (before, after):
        hint = f" Write it in quotes: {path}='\"...\"'." if before == "text" else ""
        raise AirbyteConfigurationError(f"{path!r} holds {before} now, and is to hold {after}.{hint}")
    holder[key] = value
    return changed


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


def _paths(state: Any) -> list[str]:
    if not isinstance(state, dict):
        return []
    inner = {key: _paths(value) for key, value in state.items()}
    return [path for key in sorted(state) for path in ([f"{key}.{below}" for below in inner[key]] or [key])]


def _kind(value: Any) -> str | None:
    return _KINDS.get(type(value))
