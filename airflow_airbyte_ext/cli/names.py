"""Streams and pairs of names as people write them on a command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.streams import StreamKey, resolve_streams, stream_name
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def stream_named(text: str, known: Iterable[StreamKey], *, where: str) -> StreamKey:
    """
    Return the stream that is meant: "namespace.name", "name", or '{"namespace": ..., "name": ...}'.

    :param known: The streams that there are.
    :param where: Says whose streams they are, in errors.
    :raises AirbyteConfigurationError: No stream is called so, or more than one; lists the candidates.
    """
    exact = exact_key(text)
    wanted = text if exact is None else {"namespace": exact[0], "name": exact[1]}
    try:
        return resolve_streams([wanted], known)[0]
    except AirbyteConfigurationError as error:
        raise AirbyteConfigurationError(f"In {where}: {error}") from None


def is_stream(text: str, known: Iterable[StreamKey]) -> bool:
    """Return whether a text names one of the streams, or several."""
    exact = exact_key(text)
    return any(text in (stream_name(key), key[1]) if exact is None else key == exact for key in known)


def exact_key(text: str) -> StreamKey | None:
    """Return the key that is written as a JSON object; None for other text."""
    try:
        item = json.loads(text)
    except ValueError:
        return None
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    namespace = item.get("namespace")
    return (namespace, item["name"]) if isinstance(namespace, str | None) else None


def splits(text: str) -> list[tuple[str, str]]:
    """Return every way to read a text as LEFT=RIGHT: a name may hold a "=" itself."""
    places = (place for place, character in enumerate(text) if character == "=")
    return [(text[:place], text[place + 1 :]) for place in places if 0 < place < len(text) - 1]


def pair_named(option: str, text: str, is_known: Callable[[str], bool]) -> tuple[str, str]:
    """
    Return the one way to read a text as OLD=NEW in which OLD is known; the first where none is.

    :param option: The option, for errors.
    :param is_known: Whether there is something of this name.
    :raises AirbyteConfigurationError: There are several such ways.
    """
    ways = splits(text)
    fitting = [way for way in ways if is_known(way[0])] or ways[:1]
    if len(fitting) > 1:
        words = " or ".join(f"{old!r} to {new!r}" for old, new in fitting)
        raise AirbyteConfigurationError(
            f"{option} {text} may mean {words}. Write the stream OLD exactly, as JSON: "
            '\'{"namespace": "...", "name": "..."}=NEW\', or the connection OLD by its id.'
        )
    return fitting[0]
