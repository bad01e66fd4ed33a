"""Change a connection: only what really differs, shown before and checked after."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.connections import ConnectionMethods
from airflow_airbyte_ext.api.full_update import release_of
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog
from airflow_airbyte_ext.api.models.connections import ConnectionRead
from airflow_airbyte_ext.api.models.writes import ConnectionChanges
from airflow_airbyte_ext.api.operation import declared_by
from airflow_airbyte_ext.api.streams import sorted_keys, stream_name
from airflow_airbyte_ext.api.validation import body_of
from airflow_airbyte_ext.connections.access import existing_connection
from airflow_airbyte_ext.connections.find import TAGS_SINCE, find_connections
from airflow_airbyte_ext.connections.kept import agrees, kept_settings
from airflow_airbyte_ext.connections.schedule import check_cron, schedule_fields
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteUpdateUnverifiedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.catalog import AirbyteStreamAndConfiguration
    from airflow_airbyte_ext.api.releases import Release

log = logging.getLogger(__name__)

MAX_TEXT = 100

# What sources say to later releases; earlier ones drop it.
_OF_LATER_SOURCES = ("is_resumable", "is_file_based")
# Airbyte takes these together or not at all.
_SCHEDULE = ("schedule_type", "schedule_data")


@dataclass(frozen=True)
class FieldChange:
    """
    One setting that is to be another.

    :param path: Where it is, such as "schedule_data.cron.cron_expression" or "sync_catalog.public.orders.sync_mode".
    :param before: What it was, shortened where it is long; None where it was not there.
    :param after: What it is to be.
    """

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ConnectionUpdateResult:
    """
    What became of a change.

    :param changes: What differed; nothing where the connection was as requested already.
    :param applied: Whether something was sent.
    """

    connection_id: str
    name: str | None
    changes: tuple[FieldChange, ...]
    applied: bool


def apply_changes(
    client: AirbyteClient,
    connection_id: str,
    changes: Mapping[str, Any],
    *,
    schedule: str | Mapping[str, Any] | None = None,
    schedule_time_zone: str = "UTC",
    dry_run: bool = False,
) -> ConnectionUpdateResult:
    """
    Make a connection as requested: send what differs, and check that Airbyte's response has it.

    :param changes: Settings by their names in snake case; see `models.writes.ConnectionChanges`. `tags` may be
        names that connections of the workspace carry.
    :param schedule: When it syncs; see `schedule_fields`.
    :param schedule_time_zone: What a cron schedule is read in.
    :param dry_run: Only say what would change.
    :raises AirbyteConfigurationError: A change is wrong, or not of this release.
    :raises AirbyteConnectionUnusableError: The connection is unknown, or deleted.
    :raises AirbyteUpdateUnverifiedError: Airbyte accepted a change and did not make it.
    :raises AirbyteApiError: A request failed.
    """
    connection = existing_connection(client, connection_id)
    requested = dict(changes)
    if "tags" in requested:
        requested["tags"] = _tags(client, connection, requested["tags"])
    if schedule is not None:
        requested |= schedule_fields(connection, schedule, time_zone=schedule_time_zone, release=client.release())
    wanted = _checked(connection, requested, client.release())
    differing = changed_fields(connection, wanted)
    if catalog := wanted.get("sync_catalog"):
        _warn_of_masks(connection, _masked_mappers(connection.sync_catalog or AirbyteCatalog(), catalog))
    if dry_run or not differing:
        return ConnectionUpdateResult(connection_id, connection.name, tuple(differing), applied=False)
    touched = {change.path.partition(".")[0] for change in differing}
    if touched & set(_SCHEDULE):
        touched |= set(_SCHEDULE)
    names = [name for name in requested if name in touched]
    response = client.update_connection(connection_id=connection_id, **{name: requested[name] for name in names})
    _verify(response, {name: wanted[name] for name in names})
    return ConnectionUpdateResult(connection_id, connection.name, tuple(differing), applied=True)


def _warn_of_masks(connection: ConnectionRead, streams: Sequence[str]) -> None:
    if streams:
        log.warning(
            "Connection %r (%s): Airbyte masks the secrets of the mappers of %s, so whether they are the given ones "
            "cannot be seen: no change is made on that account. To replace one take its mapper out, then add it again.",
            connection.name,
            connection.connection_id,
            ", ".join(streams[:10]),
        )


def changed_fields(connection: ConnectionRead, changes: Mapping[str, Any]) -> list[FieldChange]:
    """
    Return what differs between a connection and what it is to be; what the changes do not name is not checked.

    :param changes: Settings by their names in snake case; within them Airbyte's names do, too.
    """
    wanted = ConnectionRead.model_validate({"connection_id": connection.connection_id, **changes})
    found: list[FieldChange] = []
    for name in changes:
        before, after = getattr(connection, name), getattr(wanted, name)
        if name == "sync_catalog":
            found += _catalog_changes(before or AirbyteCatalog(), after)
        else:
            old, new = _leaves(name, _plain(before, name)), _leaves(name, _plain(after, name))
            found += _differing(old, new)
    return found


def _checked(connection: ConnectionRead, requested: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """Return the changes as they would be sent, by their names in snake case."""
    settings = ConnectionChanges.__annotations__
    if unknown := sorted(set(requested) - settings.keys()):
        raise AirbyteConfigurationError(
            f"A connection has no setting {', '.join(map(repr, unknown))}. There are: {', '.join(sorted(settings))}."
        )
    known = release_of(connection, ConnectionChanges, release)
    body = body_of(
        declared_by(ConnectionMethods.update_connection),
        {"connection_id": connection.connection_id, **requested},
        lambda: known,
    )
    sent = ConnectionRead.model_validate(body)
    if "schedule_data" in requested and sent.schedule_data and (cron := sent.schedule_data.cron):
        check_cron("schedule_data.cron.cron_expression", cron.cron_expression)
    if sent.sync_catalog and not any(entry.is_selected for entry in sent.sync_catalog.streams):
        raise AirbyteConfigurationError(
            "sync_catalog has no streams that are selected, and a catalog replaces the whole catalog: the connection "
            "would move nothing. "
            'Give all its streams, or pause it with the status "inactive".'
        )
    return {name: getattr(sent, name) for name in requested}


def _tags(client: AirbyteClient, connection: ConnectionRead, given: Any) -> Any:
    """Return tags with those that are given by their name as connections of the workspace carry them."""
    names = [tag for tag in given if isinstance(tag, str)] if isinstance(given, list) else []
    if not names:
        return given
    if client.release().is_before(TAGS_SINCE):
        return []  # which is refused, for what this release does not have
    workspace_id = client.get_workspace_by_connection_id(connection_id=connection.connection_id).workspace_id
    rows = find_connections(client, workspace_id=workspace_id)
    known = {tag.name: tag.model_dump(by_alias=True, exclude_none=True) for row in rows for tag in row.tags}
    if lacking := [name for name in names if name not in known]:
        raise AirbyteConfigurationError(
            f"No connection of workspace {workspace_id} carries the tag {', '.join(map(repr, lacking))}; the others "
            f"carry: {', '.join(sorted(map(repr, known))) or 'none'}. Give a tag that none carries by its id: "
            '{"tagId": "11111111-1111-4111-8111-111111111111"}.'
        )
    return [known[tag] if isinstance(tag, str) else tag for tag in given]


def _verify(response: ConnectionRead, wanted: Mapping[str, Any]) -> None:
    if left := changed_fields(response, wanted):
        raise AirbyteUpdateUnverifiedError(
            f"Airbyte accepted the changes of connection {response.connection_id}, but these did not take effect: "
            f"{', '.join(change.path for change in left)}. This release of Airbyte may not know them: check the "
            "connection there.",
            connection_id=response.connection_id,
        )


def _catalog_changes(before: AirbyteCatalog, after: AirbyteCatalog) -> Iterator[FieldChange]:
    """Yield what differs of what Airbyte keeps; a stream that is not selected it does not keep."""
    old, new = ({entry.stream.key: entry for entry in side.streams if entry.stream} for side in (before, after))
    for key in sorted_keys({**old, **new}):
        path = f"sync_catalog.{stream_name(key)}"
        selected = [key in side and side[key].is_selected for side in (old, new)]
        if not any(selected):
            continue
        if key not in old or key not in new:
            yield FieldChange(path, _summary(old.get(key)), _summary(new.get(key)))
        elif not all(selected):
            yield FieldChange(f"{path}.selected", *selected)
        else:
            yield from _stream_changes(path, kept_settings(old[key]), kept_settings(new[key]))


def _stream_changes(path: str, kept: dict[str, Any], wanted: dict[str, Any]) -> Iterator[FieldChange]:
    old, new = dict(kept), dict(wanted)
    if agrees(kept["mappers"], wanted["mappers"]) is not False:
        del old["mappers"], new["mappers"]
    for name in _OF_LATER_SOURCES:
        if old.get(name) is None:
            new.pop(name, None)
    yield from _differing(*({f"{path}.{name}": value for name, value in side.items()} for side in (old, new)))


def _masked_mappers(before: AirbyteCatalog, after: AirbyteCatalog) -> list[str]:
    """Return the streams whose mappers may have another secret than the wanted one, which Airbyte does not show."""
    old, new = ({entry.stream.key: entry for entry in side.streams if entry.stream} for side in (before, after))
    return [
        stream_name(key)
        for key in sorted_keys(set(old) & set(new))
        if agrees(kept_settings(old[key])["mappers"], kept_settings(new[key])["mappers"]) is None
    ]


def _summary(entry: AirbyteStreamAndConfiguration | None) -> str | None:
    if entry is None:
        return None
    modes = [entry.config.sync_mode, entry.config.destination_sync_mode] if entry.config else []
    return ", ".join(mode for mode in modes if mode) if entry.is_selected else "not selected"


def _plain(value: Any, name: str) -> Any:
    if name == "tags":
        return sorted(tag.tag_id or tag.name or "" for tag in value)
    return value.model_dump(mode="json", exclude_unset=True) if hasattr(value, "model_dump") else value


def _leaves(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {leaf: found for name, inner in value.items() for leaf, found in _leaves(f"{path}.{name}", inner).items()}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldChange]:
    # Airbyte leaves out what is empty, or says so: null, "", [] and false are the same.
    paths = [path for path in {**old, **new} if (old.get(path) or None) != (new.get(path) or None)]
    return [_change(path, old.get(path), new.get(path)) for path in sorted(paths)]


def _change(path: str, before: Any, after: Any) -> FieldChange:
    old, new = _short(path, before), _short(path, after)
    return FieldChange(path, old, new if old != new else f"{new} (differs further on)")


def _short(path: str, value: Any) -> Any:
    """Return a value for people; how a mapper is set may hold a key, so that is not shown."""
    if path.endswith(".mappers"):
        value = [mapper.get("type") for mapper in value or []]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
