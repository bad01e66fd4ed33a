"""Streams as people write them on a command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.streams import StreamKey, resolve_streams
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable


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
