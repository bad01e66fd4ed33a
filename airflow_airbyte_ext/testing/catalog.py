"""Catalogs: what a connection is set to read, what its source has, and what lies between the two."""

from __future__ import annotations

import re
import uuid
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal
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
    }
    return converted(era, {"stream": discovered_stream(stream), "config": config})


def discovered_stream(stream: Stream) -> Json:
    """The AirbyteStream of a stream that a test named: the part that the source has."""
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


def discovered_entry(era: Era, stream: Json, is_alone: bool = False) -> Json:
    """The AirbyteStreamAndConfiguration with which a newly discovered stream is offered."""
    selected = era.has("new_streams_are_selected") or is_alone
    config: Json = {
        **_default_modes(era, stream),
        "cursorField": list(stream.get("defaultCursorField") or []),
        "primaryKey": deepcopy(stream.get("sourceDefinedPrimaryKey") or []),
        "aliasName": _alias(stream["name"]),
        "selected": selected,
    }
    if era.declares("AirbyteStreamConfiguration.suggested"):
        config["suggested"] = selected
    return {"stream": deepcopy(stream), "config": config}


def _default_modes(era: Era, stream: Json) -> Json:
    modes = stream.get("supportedSyncModes") or []
    if era.has("new_streams_are_appended"):
        return {"syncMode": modes[0] if modes else "incremental", "destinationSyncMode": "append"}
    if stream.get("sourceDefinedCursor") and stream.get("sourceDefinedPrimaryKey"):
        return {"syncMode": "incremental", "destinationSyncMode": "append_dedup"}
    if stream.get("sourceDefinedCursor") and "full_refresh" not in modes:
        return {"syncMode": "incremental", "destinationSyncMode": "append"}
    return {"syncMode": "full_refresh", "destinationSyncMode": "overwrite"}


def _alias(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _column(kind: str | Mapping[str, Any]) -> Json:
    return {"type": kind} if isinstance(kind, str) else deepcopy(dict(kind))


def key_of(stream: Json) -> StreamKey:
    """What distinguishes the streams of a catalog."""
    return stream["name"], stream.get("namespace")


def converted(era: Era, entry: Json) -> Json:
    """A selected stream as the server keeps it, which is not as it was sent.

    A Refusal where the selection of fields cannot be.
    """
    stream, config = _kept_stream(era, entry["stream"]), entry["config"]
    kept: Json = {
        "syncMode": config["syncMode"],
        "cursorField": deepcopy(config.get("cursorField") or []),
        "destinationSyncMode": config.get("destinationSyncMode"),
        "primaryKey": deepcopy(config.get("primaryKey") or []),
        "aliasName": _alias(stream["name"]),
        "selected": True,
    }
    if era.declares("AirbyteStreamConfiguration.fieldSelectionEnabled"):
        is_pruned = config.get("fieldSelectionEnabled") is True
        if is_pruned:
            _prune(stream, config)
        kept["fieldSelectionEnabled"] = is_pruned
        if is_pruned or era.has("selections_are_spelt_out"):
            kept["selectedFields"] = [{"fieldPath": [name]} for name in _columns(stream) if is_pruned]
    if era.has("selections_are_spelt_out"):
        kept["suggested"] = False
    for name in ("includeFiles", "destinationObjectName"):
        if config.get(name) is not None and _knows(era, name):
            kept[name] = config[name]
    return {"stream": stream, "config": kept | _mapped(era, config)}


def _knows(era: Era, name: str) -> bool:
    if name == "includeFiles":
        return era.declares("AirbyteStreamConfiguration.includeFiles")
    return era.declares("AirbyteStreamConfiguration.destinationObjectName")


def _kept_stream(era: Era, given: Json) -> Json:
    stream: Json = {
        "name": given["name"],
        "jsonSchema": deepcopy(given.get("jsonSchema")),
        "supportedSyncModes": deepcopy(given.get("supportedSyncModes") or []),
        "sourceDefinedCursor": given.get("sourceDefinedCursor") is True,
        "defaultCursorField": deepcopy(given.get("defaultCursorField") or []),
        "sourceDefinedPrimaryKey": deepcopy(given.get("sourceDefinedPrimaryKey") or []),
        "namespace": given.get("namespace"),
    }
    if given.get("isResumable") is not None and era.declares("AirbyteStream.isResumable"):
        stream["isResumable"] = given["isResumable"]
    if given.get("isFileBased") is not None and era.declares("AirbyteStream.isFileBased"):
        stream["isFileBased"] = given["isFileBased"]
    return stream


def _prune(stream: Json, config: Json) -> None:
    """Leave only the selected columns of a stream."""
    fields = config.get("selectedFields")
    if fields is None:
        raise Refusal("unprocessable", "Requested field selection but no selected fields provided")
    paths = [each.get("fieldPath") or [] for each in fields]
    if not all(paths):
        raise Refusal("unprocessable", "Selected field path cannot be empty")
    if any(len(path) > 1 for path in paths):
        raise Refusal("unsupported", "Nested field selection not supported")
    selected = {path[0] for path in paths}
    cursor = config.get("cursorField") or []
    if config["syncMode"] == "incremental" and cursor and cursor[0] not in selected:
        raise Refusal("unprocessable", "Cursor field cannot be de-selected in INCREMENTAL syncs")
    keys = config.get("primaryKey") or [] if config.get("destinationSyncMode") == "append_dedup" else []
    if any(key[0] not in selected for key in keys):
        raise Refusal("unprocessable", "Primary key field cannot be de-selected in DEDUP mode")
    columns = _columns(stream)
    for name in set(columns) - selected:
        del columns[name]


def _mapped(era: Era, config: Json) -> Json:
    """Mappers, and hashed fields, which are mappers too: they have an id, and their secrets are masked."""
    if not era.declares("AirbyteStreamConfiguration.hashedFields"):
        return {}
    hashed = deepcopy(config.get("hashedFields") or [])
    if not era.declares("AirbyteStreamConfiguration.mappers"):
        return {"hashedFields": hashed}
    given = deepcopy(config.get("mappers") or [_hashing(each["fieldPath"][0]) for each in hashed])
    mappers = [{**each, "id": each.get("id") or str(uuid.uuid4())} for each in given]
    if era.has("mappers_hide_secrets"):
        for each in mappers:
            each["mapperConfiguration"] = _masked(each.get("mapperConfiguration"))
    names = [each["mapperConfiguration"]["targetField"] for each in mappers if each.get("type") == "hashing"]
    return {"hashedFields": [{"fieldPath": [name]} for name in names], "mappers": mappers}


def _hashing(field: str) -> Json:
    settings = {"targetField": field, "method": "SHA-256", "fieldNameSuffix": "_hashed"}
    return {"type": "hashing", "mapperConfiguration": settings}


def _masked(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: "**********" if name == "key" else value for name, value in settings.items()}


def is_selected(entry: Json) -> bool:
    """Whether a sync reads this stream: the server forgets the others."""
    return entry["config"].get("selected") is not False


def selected_streams(entries: Iterable[Json]) -> tuple[Stream, ...]:
    """The streams that a sync of this catalog reads."""
    return tuple(Stream(*key_of(entry["stream"]), entry["config"].get("syncMode", "full_refresh")) for entry in entries)


def merged(era: Era, entries: list[Json], raw: list[Json], discovered: list[Json]) -> list[Json]:
    """The connection's catalog on top of what its source has, as web_backend/connections/get shows it.

    `raw` is the catalog that the connection was made from.
    """
    configured = {key_of(entry["stream"]): entry["config"] for entry in entries}
    before = {key_of(stream): stream for stream in raw}
    response = []
    for stream in discovered:
        key, fresh = key_of(stream), discovered_entry(era, stream)
        if key in configured:
            fresh["config"] = _carried(configured[key], fresh, _columns(before.get(key, stream)))
        else:
            fresh["config"]["selected"] = False
        response.append(fresh)
    return response


def _carried(known: Json, fresh: Json, columns_before: Json) -> Json:
    """What is left of a stream's configuration in another catalog: new columns are selected."""
    stream, offered, config = fresh["stream"], fresh["config"], deepcopy(known)
    if config["syncMode"] not in (stream.get("supportedSyncModes") or []):
        config["syncMode"] = offered["syncMode"]
    config["cursorField"] = config["cursorField"] or offered["cursorField"]
    config["primaryKey"] = stream.get("sourceDefinedPrimaryKey") or config["primaryKey"] or offered["primaryKey"]
    if "hashedFields" in config:
        config["hashedFields"] = [each for each in config["hashedFields"] if each["fieldPath"][0] in _columns(stream)]
    if config.get("fieldSelectionEnabled"):
        selected = {each["fieldPath"][0] for each in config["selectedFields"]}
        kept = [name for name in _columns(stream) if name in selected or name not in columns_before]
        config["selectedFields"] = [{"fieldPath": [name]} for name in kept]
    return config


def changed_streams(old: list[Json], new: list[Json]) -> tuple[Stream, ...]:
    """The streams that an update must reset: gone or no longer selected, new, or set differently."""
    before, after = _selected(old), _selected(new)
    keys = [*before, *(key for key in after if key not in before)]
    return tuple(Stream(*key) for key in keys if before.get(key) != after.get(key))


def _selected(entries: list[Json]) -> dict[StreamKey, Any]:
    """What matters to the destination, of each selected stream."""
    names = ("syncMode", "destinationSyncMode", "cursorField")
    return {
        key_of(entry["stream"]): (
            entry["stream"].get("jsonSchema"),
            [entry["config"].get(name) or [] for name in names],
            sorted(entry["config"].get("primaryKey") or []),
        )
        for entry in entries
    }


def difference(era: Era, raw: list[Json], entries: list[Json], discovered: list[Json]) -> list[Json]:
    """The StreamTransforms that lead from the catalog that a connection was made from to what its source has now.

    Of streams that the connection does not read, changes inside are left out.
    """
    old = {key_of(stream): stream for stream in raw}
    new = {key_of(stream): stream for stream in discovered}
    configs = {key_of(entry["stream"]): entry["config"] for entry in entries}
    gone = [_transform("remove_stream", key) for key in old if key not in new]
    come = [_transform("add_stream", key) for key in new if key not in old]
    both = [_updated(era, key, old[key], configs[key], new[key]) for key in old if key in new and key in configs]
    return come + gone + [transform for transform in both if transform]


def _transform(kind: str, key: StreamKey) -> Json:
    name, namespace = key
    descriptor = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"transformType": kind, "streamDescriptor": descriptor}


def _updated(era: Era, key: StreamKey, before: Json, config: Json, stream: Json) -> Json | None:
    fields = _field_transforms(before, config, stream)
    attributes = _attribute_transforms(before, config, stream)
    if not era.has("stream_updates_are_objects"):
        return _transform("update_stream", key) | {"updateStream": fields} if fields else None
    if not fields and not attributes:
        return None
    whole = {"fieldTransforms": fields, "streamAttributeTransforms": attributes}
    return _transform("update_stream", key) | {"updateStream": whole}


def _field_transforms(before: Json, config: Json, stream: Json) -> list[Json]:
    old, new = _columns(before), _columns(stream)
    used = _used_columns(config)
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


def _attribute_transforms(before: Json, config: Json, stream: Json) -> list[Json]:
    old, new = (each.get("sourceDefinedPrimaryKey") or [] for each in (before, stream))
    if old == new:
        return []
    # What the source defines breaks only a stream that is deduplicated by it.
    breaking = config.get("destinationSyncMode") == "append_dedup" and bool(old)
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
    """Whether one of these changes stops a connection until somebody has checked it."""
    inner = [change for transform in transforms for change in _inner(transform.get("updateStream"))]
    return any(change["breaking"] for change in inner)


def _inner(update: Any) -> list[Json]:
    if isinstance(update, dict):
        return [*update["fieldTransforms"], *update["streamAttributeTransforms"]]
    return update or []
