"""What a source has now, compared with what a connection moves."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog, AirbyteStream, AirbyteStreamConfiguration
from airflow_airbyte_ext.api.streams import sorted_keys, stream_name
from airflow_airbyte_ext.connections.access import existing_connection
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteDiscoveryError, AirbyteResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.catalog import AirbyteStreamAndConfiguration

log = logging.getLogger(__name__)

Path = tuple[str, ...]


# Of a field's JSON Schema, what says what its values are.
_STRUCTURE = ("type", "format", "airbyte_type", "properties", "items", "oneOf", "anyOf", "allOf", "$ref")
_WITH_ZONE = ("date-time", "timestamp_with_timezone")
_DEEPEST = 100

# From 0.40.17 to 1.3 a sync does not check its source for changes when somebody has within a day.
_POSTPONES = ("0.40.17", "1.4.0")


@dataclass(frozen=True)
class SchemaChange:
    """
    One difference between a connection's catalog and its source.

    :param stream: The stream's name for people.
    :param kind: `stream_added`, `stream_removed`, `field_added`, `field_removed`, `field_type_changed`,
        `cursor_removed` (a field that is the cursor; without a field: the source defines none any more),
        `primary_key_removed` (a field that is in the key), `primary_key_changed` (the source defines another one) or
        `sync_mode_removed` (the source does not offer any more how the stream is read).
    :param field: The field's path, with dots; None where the stream as a whole is meant.
    :param before: Its type, the key or the sync mode in the connection; None where it was not there.
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
    Discover what a connection's source has now, and return what differs; the connection is left as it is.

    :raises AirbyteConnectionUnusableError: The connection is unknown, or deleted.
    :raises AirbyteDiscoveryError: The source could not be read; says why.
    :raises AirbyteApiError: A request failed.
    """
    connection = existing_connection(client, connection_id)
    if connection.sync_catalog is None or "syncCatalog.streams" in connection.left_out.places:
        raise AirbyteResponseError(
            f"getConnection: Airbyte gives no catalog of connection {connection.name!r} ({connection_id}) that can be "
            "read, so nothing can be compared. Check its schema in Airbyte.",
            operation="getConnection",
        )
    ours = whole_catalog(connection.sync_catalog, _catalog_of_source(client, connection_id))
    if client.release().is_within(*_POSTPONES):
        log.info("Up to Airbyte 1.3 this postpones Airbyte's own check for changes of this source by up to 24 hours.")
    # Not with the connection's id: Airbyte might then change it, or switch it off.
    response = client.discover_schema_for_source(source_id=connection.source_id or "", disable_cache=True)
    failure = response.job_info.failure_reason if response.job_info else None
    if response.catalog is None or (response.job_info and response.job_info.succeeded is False):
        raise AirbyteDiscoveryError(
            f"Airbyte could not find out what the source of connection {connection.name!r} ({connection_id}) has: "
            f"{(failure and failure.reason) or 'it gives no reason; test the source in Airbyte.'}",
            connection_id=connection_id,
        )
    return schema_changes(ours, response.catalog)


def _catalog_of_source(client: AirbyteClient, connection_id: str) -> AirbyteCatalog | None:
    """Return what the source had when the connection was set up: `getConnection` has only what the connection moves."""
    try:
        # Without reading the source, which might switch the connection off.
        return client.web_backend_get_connection(connection_id=connection_id).sync_catalog
    except AirbyteApiError as error:
        log.warning("What is not selected of the source cannot be read, and is taken for new. %s", error)
        return None


def whole_catalog(configured: AirbyteCatalog, of_source: AirbyteCatalog | None) -> AirbyteCatalog:
    """
    Return a connection's catalog with what it does not select: streams, and fields of those that it does.

    That is what Airbyte compares a discovery with. A configured catalog comes without them, so that a comparison with
    it would call them new.

    :param configured: What the connection moves, from `connections/get`.
    :param of_source: What its configuration was made from, from `web_backend/connections/get`.
    """
    ours = {entry.stream.key: entry for entry in configured.streams if entry.stream}
    theirs = {entry.stream.key: entry for entry in of_source.streams if entry.stream} if of_source else {}
    not_selected = AirbyteStreamConfiguration(selected=False)
    entries = [
        entry.model_copy(update={"config": ours[key].config if key in ours else not_selected})
        for key, entry in theirs.items()
    ]
    return AirbyteCatalog(streams=[*entries, *(entry for key, entry in ours.items() if key not in theirs)])


def schema_changes(configured: AirbyteCatalog, discovered: AirbyteCatalog) -> list[SchemaChange]:
    """
    Return what differs between a connection's catalog and its source's, stream by stream.

    Breaking is, of streams that are selected alone: the stream is gone; a field is gone that the connection uses as
    cursor, or as key to deduplicate by, whether it or the source has chosen it; the cursor has another type; the source
    defines another key to deduplicate by; how the stream is read is not offered any more.

    :param configured: The connection's, with what it does not select; see `whole_catalog`.
    :param discovered: What the source has; how its streams would be moved is not checked.
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
        stream = entry.stream or AirbyteStream(name="")
        self._key = [tuple(path) for path in config.primary_key or stream.source_defined_primary_key]
        self._dedups = config.destination_sync_mode is None or "dedup" in config.destination_sync_mode
        fields = {path.field_path[0] for path in config.selected_fields if path.field_path}
        self._chosen = fields if config.field_selection_enabled else None
        self._mode = config.sync_mode
        chosen_cursor = config.cursor_field if not stream.source_defined_cursor else []
        cursor = chosen_cursor or stream.default_cursor_field or config.cursor_field
        self._cursor: Path = tuple(cursor) if config.sync_mode in (None, "incremental") else ()
        self._has_own_cursor = bool(config.cursor_field)

    def with_source(self, theirs: AirbyteStream) -> Iterator[SchemaChange]:
        old = self._stream
        schemas = _normal(old.json_schema if old else None), _normal(theirs.json_schema)
        for path, before, after in _field_changes(*schemas, ()):
            kind, is_breaking = self._judged(path, before, after)
            yield SchemaChange(self._name, kind, ".".join(path), before, after, is_breaking=is_breaking)
        yield from self._mode_changes(theirs)
        before_key, after_key = _key(old), _key(theirs)
        if before_key != after_key:
            # Where the connection deduplicates by what is the source's key now, nothing has to be done.
            is_breaking = self._is_selected and self._dedups and bool(before_key) and sorted(self._key) != after_key
            before, after = _text(before_key), _text(after_key)
            yield SchemaChange(self._name, "primary_key_changed", None, before, after, is_breaking=is_breaking)

    def _mode_changes(self, theirs: AirbyteStream) -> Iterator[SchemaChange]:
        """Yield that the source does not offer any more how the stream is read, or does not define its cursor."""
        offered = theirs.supported_sync_modes
        if self._is_selected and self._mode and offered and self._mode not in offered:
            modes = self._mode, ", ".join(sorted(offered))
            yield SchemaChange(self._name, "sync_mode_removed", None, *modes, is_breaking=True)
            return
        had_cursor = self._stream is not None and bool(self._stream.source_defined_cursor)
        is_read_by_it = self._is_selected and self._mode == "incremental" and not self._has_own_cursor
        if is_read_by_it and had_cursor and not (theirs.source_defined_cursor or theirs.default_cursor_field):
            yield SchemaChange(self._name, "cursor_removed", None, "defined by the source", None, is_breaking=True)

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
    """Whether a field is another one, or part of it."""
    return bool(path) and path[: len(other)] == other


def _key(stream: AirbyteStream | None) -> list[Path]:
    return sorted(tuple(path) for path in stream.source_defined_primary_key) if stream else []


def _text(key: list[Path]) -> str:
    return ", ".join(".".join(path) for path in key) or "none"


def _field_changes(old: Any, new: Any, above: Path) -> Iterator[tuple[Path, str | None, str | None]]:
    """Yield the fields that differ, with their types; what is part of one that differs is left out."""
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


def _normal(schema: Any, depth: int = 0) -> Any:
    """
    Return a JSON Schema so that two that mean the same are equal.

    What describes a field is left out, and so is that it may be null: most sources do not say. The defaults are those
    of Airbyte's protocol: a date-time has its time zone, and a number of the type integer is an integer.
    """
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return schema if depth > _DEEPEST else {}
    kept = {name: schema[name] for name in _STRUCTURE if schema.get(name)}
    choices = [each for name in ("oneOf", "anyOf") for each in kept.pop(name, None) or [] if not _is_null(each)]
    if choices:
        by_text = {json.dumps(each, sort_keys=True): each for each in (_normal(one, depth + 1) for one in choices)}
        if len(by_text) == 1:
            kept = {**next(iter(by_text.values())), **kept}
        else:
            kept["anyOf"] = [by_text[text] for text in sorted(by_text)]
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: _normal(field, depth + 1) for name, field in kept["properties"].items()}
    if isinstance(kept.get("items"), dict):
        kept["items"] = _normal(kept["items"], depth + 1)
    words = _words(kept.pop("type", None)) or ({"object"} if "properties" in kept else set())
    if kept.get("airbyte_type") == "integer" and words == {"number"}:
        words = {"integer"}
    if "number" in words:
        words -= {"integer"}
    if words == {"integer"} or (kept.get("format"), kept.get("airbyte_type")) == _WITH_ZONE:
        kept.pop("airbyte_type", None)
    return {**kept, "type": sorted(words)} if words else kept


def _words(kinds: Any) -> set[str]:
    return {str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in (None, "null")}


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and bool(schema.get("type")) and not _words(schema["type"])


def _type_of(schema: Any) -> str:
    """Return in words the type of a field whose schema is a normal one."""
    if not isinstance(schema, dict):
        return "any"
    words = schema.get("type") or []
    text = " or ".join(words) or "any"
    if "array" in words and (inner := _type_of(schema.get("items"))) != "any":
        text += f" of {inner}"
    details = [str(schema[name]) for name in ("format", "airbyte_type") if schema.get(name)]
    choices = {name: schema[name] for name in ("anyOf", "allOf", "$ref") if name in schema}
    if choices:
        details.append(json.dumps(choices, sort_keys=True))
    return f"{text} ({', '.join(details)})" if details else text
