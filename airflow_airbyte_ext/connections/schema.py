"""What a source has now, compared with what a connection moves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.known import existing_connection
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog, AirbyteStreamConfiguration
from airflow_airbyte_ext.api.streams import sorted_keys, stream_name
from airflow_airbyte_ext.exceptions import AirbyteDiscoveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.catalog import AirbyteStream, AirbyteStreamAndConfiguration
    from airflow_airbyte_ext.api.models.instance import SourceDiscoverSchemaRead

Path = tuple[str, ...]

LONGEST_REASON = 500


@dataclass(frozen=True)
class SchemaChange:
    """
    One difference between a connection's catalog and its source.

    :param stream: The stream's name for people.
    :param kind: `stream_added`, `stream_removed`, `field_added`, `field_removed`, `field_type_changed`,
        `cursor_removed` (a field that is the cursor), `primary_key_removed` (a field that is in the key) or
        `primary_key_changed` (the source defines another one).
    :param field: The field's path, with dots; None where the stream as a whole is meant.
    :param before: Its type, or the key, in the connection; None where it was not there.
    :param after: The same in the source now.
    :param is_breaking: Whether syncs cannot go on as before.
    """

    stream: str
    kind: str
    field: str | None
    before: str | None
    after: str | None
    is_breaking: bool

    def __str__(self) -> str:
        where = self.stream if self.field is None else f"{self.stream}, field {self.field}"
        return f"{self.kind.replace('_', ' ')}: {where}"


def discover_changes(client: AirbyteClient, connection_id: str) -> list[SchemaChange]:
    """
    Ask a connection's source what it has now, and return what differs; the connection is left as it is.

    :raises AirbyteConnectionUnusableError: The connection is unknown, or deleted.
    :raises AirbyteDiscoveryError: The source could not be asked; says why.
    :raises AirbyteApiError: Airbyte could not be asked.
    """
    connection = existing_connection(client, connection_id)
    # Not with the connection's id: Airbyte might then change it, or switch it off.
    answer = client.discover_schema_for_source(source_id=connection.source_id or "", disable_cache=True)
    if answer.catalog is None or (answer.job_info and answer.job_info.succeeded is False):
        raise AirbyteDiscoveryError(
            f"Airbyte could not find out what the source of connection {connection.name!r} ({connection_id}) has: "
            f"{_reason(answer)}",
            connection_id=connection_id,
        )
    return schema_changes(connection.sync_catalog or AirbyteCatalog(), answer.catalog)


def schema_changes(configured: AirbyteCatalog, discovered: AirbyteCatalog) -> list[SchemaChange]:
    """
    Return what differs between a connection's catalog and its source's, stream by stream.

    Breaking is, of streams that are selected alone: the stream is gone; a field is gone that the connection uses as
    cursor, or as key to deduplicate by; the cursor has another type; the source defines another key to deduplicate by.

    :param configured: The connection's.
    :param discovered: What the source has; how its streams would be moved is not looked at.
    """
    ours = {entry.stream.key: entry for entry in configured.streams if entry.stream}
    theirs = {entry.stream.key: entry.stream for entry in discovered.streams if entry.stream}
    found: list[SchemaChange] = []
    for key in sorted_keys({*ours, *theirs}):
        name = stream_name(key)
        if key not in ours:
            found.append(SchemaChange(name, "stream_added", None, None, None, is_breaking=False))
        elif key not in theirs:
            found.append(SchemaChange(name, "stream_removed", None, None, None, is_breaking=ours[key].is_selected))
        else:
            found += _Comparison(name, ours[key]).with_source(theirs[key])
    return found


class _Comparison:
    """Compares one stream of a connection with the source's."""

    def __init__(self, name: str, entry: AirbyteStreamAndConfiguration) -> None:
        config = entry.config or AirbyteStreamConfiguration()
        self._name = name
        self._stream = entry.stream
        self._is_selected = entry.is_selected
        self._key = [tuple(path) for path in config.primary_key]
        self._dedups = config.destination_sync_mode is None or "dedup" in config.destination_sync_mode
        chosen = {path.field_path[0] for path in config.selected_fields if path.field_path}
        self._chosen = chosen if config.field_selection_enabled else None
        self._cursor: Path = tuple(config.cursor_field) if config.sync_mode in (None, "incremental") else ()

    def with_source(self, theirs: AirbyteStream) -> Iterator[SchemaChange]:
        old = self._stream
        for path, before, after in _field_changes(old.json_schema if old else None, theirs.json_schema, ()):
            kind, is_breaking = self._judged(path, before, after)
            yield SchemaChange(self._name, kind, ".".join(path), before, after, is_breaking=is_breaking)
        before_key, after_key = _key(old), _key(theirs)
        if before_key != after_key:
            # Where the connection deduplicates by what is the source's key now, nothing has to be done.
            is_breaking = self._is_selected and self._dedups and bool(before_key) and sorted(self._key) != after_key
            before, after = _text(before_key), _text(after_key)
            yield SchemaChange(self._name, "primary_key_changed", None, before, after, is_breaking=is_breaking)

    def _judged(self, path: Path, before: str | None, after: str | None) -> tuple[str, bool]:
        """Return what kind of change it is, and whether it is a breaking one."""
        moved = self._is_selected and (self._chosen is None or path[0] in self._chosen)
        is_cursor = _within(self._cursor, path)
        if before is None:
            return "field_added", False
        if after is not None:
            return "field_type_changed", moved and is_cursor
        if is_cursor:
            return "cursor_removed", moved
        if self._dedups and any(_within(part, path) for part in self._key):
            return "primary_key_removed", moved
        return "field_removed", False


def _within(path: Path, other: Path) -> bool:
    """Whether a field is another one, or lies in it."""
    return bool(path) and path[: len(other)] == other


def _key(stream: AirbyteStream | None) -> list[Path]:
    return sorted(tuple(path) for path in stream.source_defined_primary_key) if stream else []


def _text(key: list[Path]) -> str:
    return ", ".join(".".join(path) for path in key) or "none"


def _field_changes(old: Any, new: Any, above: Path) -> Iterator[tuple[Path, str | None, str | None]]:
    """Yield the fields that differ, with their types; what lies in one that differs is not told."""
    before, after = _properties(old), _properties(new)
    for name in sorted({**before, **after}):
        types = (
            _type_of(before[name]) if name in before else None,
            _type_of(after[name]) if name in after else None,
        )
        if types[0] != types[1]:
            yield (*above, name), *types
        else:
            yield from _field_changes(before[name], after[name], (*above, name))


def _properties(schema: Any) -> dict[str, Any]:
    """Return the fields of an object, or of the objects in a list."""
    while isinstance(schema, dict) and "properties" not in schema and "items" in schema:
        schema = schema["items"]
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return fields if isinstance(fields, dict) else {}


def _type_of(schema: Any) -> str:
    """Return a field's type in words. That it may also be null is no matter: most sources do not tell."""
    if not isinstance(schema, dict):
        return "any"
    kinds = schema.get("type")
    words = sorted(
        {str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in (None, "null")}
    )
    text = " or ".join(words) or "any"
    if "array" in words and isinstance(schema.get("items"), dict):
        text += f" of {_type_of(schema['items'])}"
    details = [str(schema[name]) for name in ("format", "airbyte_type") if schema.get(name)]
    choices = {name: schema[name] for name in ("oneOf", "anyOf", "allOf", "$ref") if name in schema}
    if choices:
        details.append(json.dumps(choices, sort_keys=True))
    return f"{text} ({', '.join(details)})" if details else text


def _reason(answer: SourceDiscoverSchemaRead) -> str:
    failure = answer.job_info.failure_reason if answer.job_info else None
    lines = ((failure and failure.external_message) or "").strip().splitlines()
    # A message may go on with a stack trace.
    first = lines[0] if lines else "it gives no reason; test the source in Airbyte."
    return first if len(first) <= LONGEST_REASON else f"{first[:LONGEST_REASON]}..."
