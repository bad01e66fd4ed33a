"""How a stream is named: to Airbyte by namespace and name, to people by both in one word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.text import one_line

MAX_STREAM_NAME = 1_000

# Namespace and name; null and "" are different namespaces to Airbyte.
StreamKey = tuple[str | None, str]


def stream_name(key: StreamKey) -> str:
    """Return a stream's name for people, on one line: namespace.name, or the name alone without a namespace."""
    return one_line(_whole_name(key), MAX_STREAM_NAME)


def _whole_name(key: StreamKey) -> str:
    namespace, name = key
    return name if namespace is None else f"{namespace}.{name}"


def sorted_keys(keys: Iterable[StreamKey]) -> list[StreamKey]:
    """Return stream keys in a fixed order: those without a namespace first."""
    return sorted(keys, key=lambda key: (key[0] is not None, key[0] or "", key[1]))


def streams_argument(name: str, value: object) -> None:
    """
    Take a list of streams.

    :raises AirbyteConfigurationError: It is none, or an empty one.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable) or not value:
        raise AirbyteConfigurationError(f"{name} is {value!r}; give a list of stream names, or leave it out for all.")


def resolve_streams(wanted: Sequence[str | Mapping[str, Any]], known: Iterable[StreamKey]) -> list[StreamKey]:
    """
    Return the streams that people mean.

    :param wanted: "namespace.name" or "name", where no other stream could be meant, or {"namespace": ..., "name": ...}.
    :param known: The streams that there are.
    :raises AirbyteConfigurationError: There is no such stream, or more than one; says which there are.
    """
    streams_argument("streams", wanted)
    there = sorted_keys(set(known))
    return [_resolve(item, there) for item in wanted]


def renamed_streams(
    names: Mapping[str, str], old: Iterable[StreamKey], new: Iterable[StreamKey]
) -> dict[StreamKey, StreamKey]:
    """
    Return which stream is to become which.

    :param names: Old name to new name, as people write them.
    :param old: The streams that there are.
    :param new: The streams that they may become.
    :raises AirbyteConfigurationError: There is no such stream, or more than one.
    """
    before, after = sorted_keys(set(old)), sorted_keys(set(new))
    return {_resolve(name, before): _resolve(other, after) for name, other in names.items()}


def _resolve(item: str | Mapping[str, Any], known: Sequence[StreamKey]) -> StreamKey:
    if isinstance(item, Mapping):
        found = [key for key in known if key == (item.get("namespace"), item.get("name"))]
    else:
        found = [key for key in known if item in (_whole_name(key), key[1])]
    if len(found) == 1:
        return found[0]
    if found:
        raise AirbyteConfigurationError(
            f"Stream {item!r} may be any of {', '.join(map(stream_name, found))}. Name the namespace by itself."
        )
    there = ", ".join(map(stream_name, known[:20])) or "none"
    raise AirbyteConfigurationError(f"There is no stream {item!r}. There are: {there}.")
