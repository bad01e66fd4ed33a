"""Catalogs: what a connection is set to read, what its source has, and what lies between the two."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.jobs import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_airbyte_ext.testing.eras import Era

Json = dict[str, Any]
StreamKey = tuple[str, str | None]
DEFAULT_COLUMNS = {"id": "integer", "updated_at": "string"}


def entry_of(era: Era, stream: Stream) -> Json:
    """The AirbyteStreamAndConfiguration of a stream that a test named."""
    incremental = stream.sync_mode == "incremental"
    config: Json = {
        "syncMode": stream.sync_mode,
        "cursorField": list(stream.cursor) if incremental else [],
        "destinationSyncMode": "append_dedup" if incremental else "overwrite",
        "primaryKey": [list(path) for path in stream.primary_key],
        "aliasName": stream.name,
        "selected": True,
    }
    if era.declares("AirbyteStreamConfiguration.fieldSelectionEnabled"):
        config["fieldSelectionEnabled"] = False
    return {"stream": discovered_stream(stream), "config": config}


def discovered_stream(stream: Stream) -> Json:
    """The AirbyteStream of a stream that a test named: the part that the source tells."""
    columns = DEFAULT_COLUMNS if stream.columns is None else stream.columns
    return {
        "name": stream.name,
        "jsonSchema": {"type": "object", "properties": {name: _column(kind) for name, kind in columns.items()}},
        "supportedSyncModes": ["full_refresh", "incremental"] if stream.cursor else ["full_refresh"],
        "sourceDefinedCursor": False,
        "defaultCursorField": list(stream.cursor),
        "sourceDefinedPrimaryKey": [list(path) for path in stream.primary_key],
        "namespace": stream.namespace,
    }


def discovered_entry(era: Era, stream: Json) -> Json:
    """The AirbyteStreamAndConfiguration with which a newly discovered stream is offered: as a full refresh."""
    config: Json = {
        "syncMode": "full_refresh",
        "cursorField": list(stream.get("defaultCursorField") or []),
        "destinationSyncMode": "overwrite",
        "primaryKey": deepcopy(stream.get("sourceDefinedPrimaryKey") or []),
        "aliasName": stream["name"],
        "selected": era.has("new_streams_are_selected"),
    }
    if era.declares("AirbyteStreamConfiguration.fieldSelectionEnabled"):
        config["fieldSelectionEnabled"] = False
    return {"stream": deepcopy(stream), "config": config}


def _column(kind: str | Mapping[str, Any]) -> Json:
    return {"type": kind} if isinstance(kind, str) else deepcopy(dict(kind))


def key_of(stream: Json) -> StreamKey:
    """What tells the streams of a catalog apart."""
    return stream["name"], stream.get("namespace")


def is_selected(entry: Json) -> bool:
    """Whether a sync reads this stream."""
    return entry["config"].get("selected") is not False


def selected_streams(entries: Iterable[Json]) -> tuple[Stream, ...]:
    """The streams that a sync of this catalog reads."""
    return tuple(
        Stream(*key_of(entry["stream"]), entry["config"].get("syncMode", "full_refresh"))
        for entry in entries
        if is_selected(entry)
    )


def merged(era: Era, entries: list[Json], discovered: list[Json]) -> list[Json]:
    """The connection's catalog on top of what the source has now, as web_backend/connections/get shows it."""
    configured = {key_of(entry["stream"]): entry for entry in entries}
    answer = []
    for stream in discovered:
        known = configured.get(key_of(stream))
        fresh = discovered_entry(era, stream)
        answer.append({"stream": fresh["stream"], "config": deepcopy(known["config"])} if known else fresh)
    return answer


def changed_streams(old: list[Json], new: list[Json]) -> tuple[Stream, ...]:
    """The streams that an update must reset: gone or no longer selected, new, or set differently."""
    before, after = _selected(old), _selected(new)
    keys = [*before, *(key for key in after if key not in before)]
    return tuple(Stream(*key) for key in keys if before.get(key) != after.get(key))


def _selected(entries: list[Json]) -> dict[StreamKey, Any]:
    """What matters to the destination, of each selected stream."""
    names = ("syncMode", "destinationSyncMode", "cursorField", "primaryKey")
    return {
        key_of(entry["stream"]): (
            entry["stream"].get("jsonSchema"),
            [entry["config"].get(name) or [] for name in names],
        )
        for entry in entries
        if is_selected(entry)
    }


def difference(era: Era, entries: list[Json], discovered: list[Json]) -> list[Json]:
    """The StreamTransforms that lead from a connection's catalog to what its source has now."""
    old = {key_of(entry["stream"]): entry for entry in entries}
    new = {key_of(stream): stream for stream in discovered}
    gone = [_transform("remove_stream", key) for key in old if key not in new]
    come = [_transform("add_stream", key) for key in new if key not in old]
    both = [_updated(era, key, old[key], new[key]) for key in old if key in new]
    return come + gone + [transform for transform in both if transform]


def _transform(kind: str, key: StreamKey) -> Json:
    name, namespace = key
    descriptor = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"transformType": kind, "streamDescriptor": descriptor}


def _updated(era: Era, key: StreamKey, entry: Json, stream: Json) -> Json | None:
    fields = _field_transforms(entry, stream)
    attributes = _attribute_transforms(entry, stream)
    if not era.has("stream_updates_are_objects"):
        return _transform("update_stream", key) | {"updateStream": fields} if fields else None
    if not fields and not attributes:
        return None
    whole = {"fieldTransforms": fields, "streamAttributeTransforms": attributes}
    return _transform("update_stream", key) | {"updateStream": whole}


def _field_transforms(entry: Json, stream: Json) -> list[Json]:
    old, new = _columns(entry["stream"]), _columns(stream)
    used = _used_columns(entry["config"])
    removed = [
        {
            "transformType": "remove_field",
            "fieldName": [name],
            "breaking": name in used,
            "removeField": {"schema": kind},
        }
        for name, kind in old.items()
        if name not in new
    ]
    added = [
        {"transformType": "add_field", "fieldName": [name], "breaking": False, "addField": {"schema": kind}}
        for name, kind in new.items()
        if name not in old
    ]
    changed = [
        {
            "transformType": "update_field_schema",
            "fieldName": [name],
            "breaking": False,
            "updateFieldSchema": {"oldSchema": kind, "newSchema": new[name]},
        }
        for name, kind in old.items()
        if name in new and new[name] != kind
    ]
    return added + removed + changed


def _attribute_transforms(entry: Json, stream: Json) -> list[Json]:
    old, new = (each.get("sourceDefinedPrimaryKey") or [] for each in (entry["stream"], stream))
    if old == new:
        return []
    # What the source defines breaks only a stream that is deduplicated by it.
    breaking = entry["config"].get("destinationSyncMode") == "append_dedup" and bool(old)
    change = {"oldPrimaryKey": old, "newPrimaryKey": new}
    return [{"transformType": "update_primary_key", "breaking": breaking, "updatePrimaryKey": change}]


def _columns(stream: Json) -> Json:
    columns = (stream.get("jsonSchema") or {}).get("properties") or {}
    return columns if isinstance(columns, dict) else {}


def _used_columns(config: Json) -> set[str]:
    """The columns that a stream cannot do without: its cursor, and the key by which it is deduplicated."""
    cursor = config.get("cursorField") if config.get("syncMode") == "incremental" else []
    keys = config.get("primaryKey") if config.get("destinationSyncMode") == "append_dedup" else []
    return {path[0] for path in [cursor or [], *(keys or [])] if path}


def is_breaking(transforms: list[Json]) -> bool:
    """Whether one of these changes stops a connection until somebody has looked at it."""
    inner = [change for transform in transforms for change in _inner(transform.get("updateStream"))]
    return any(change["breaking"] for change in inner)


def _inner(update: Any) -> list[Json]:
    if isinstance(update, dict):
        return [*update["fieldTransforms"], *update["streamAttributeTransforms"]]
    return update or []
