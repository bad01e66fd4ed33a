"""The handlers of connections/* and of sources/discover_schema: to read, list, change, run, clear and refresh them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing import writes
from airflow_airbyte_ext.testing.call import offset_page, uuid_of
from airflow_airbyte_ext.testing.catalog import difference, discovered_entry, is_breaking
from airflow_airbyte_ext.testing.errors import Refusal, unknown_id
from airflow_airbyte_ext.testing.model import NAMES, Event
from airflow_airbyte_ext.testing.serializers import moved, named_stream, without_nulls

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Job, Stream
    from airflow_airbyte_ext.testing.model import Actor, Connection

_ALL = 10**9
_PAGE = 200
_WORDS = {"sync": "SYNC", "refresh": "REFRESH", "reset_connection": "CLEAR"}
_ENDS = {"succeeded": "SUCCEEDED", "failed": "FAILED", "cancelled": "CANCELLED"}


def get_connection(call: Call) -> Any:
    """connections/get, of deleted ones too."""
    return call.responses.connection(call.world.connection(call.id("connectionId")))


def list_connections(call: Call) -> Any:
    """connections/list, which hides deleted ones."""
    return _read(call, call.world.connections_of(call.id("workspaceId")))


def list_all_connections(call: Call) -> Any:
    """connections/list_all, with deleted ones."""
    return _read(call, call.world.connections_of(call.id("workspaceId"), deleted=True))


def list_paginated(call: Call) -> Any:
    """connections/list_paginated: pages by offset, over several workspaces."""
    wanted = [uuid_of(each) for each in call.required_items("workspaceIds")]
    tags = call.ids("tagIds") if call.world.era.declares("ListConnectionsForWorkspacesRequestBody.tagIds") else []
    shown = [
        each
        for each in call.world.connections.values()
        if each.workspace_id in wanted
        and (each.status != "deprecated" or call.flag("includeDeleted"))
        and (not tags or any(tag["tagId"] in tags for tag in each.tags))
    ]
    return _read(call, offset_page(call, shown, default=_ALL))


def search(call: Call) -> Any:
    """connections/search: it compares with something that no connection equals, and finds nothing."""
    _ = call
    return {"connections": []}


def _read(call: Call, connections: list[Any]) -> Any:
    return {"connections": [call.responses.connection(each) for each in connections]}


def create(call: Call) -> Any:
    """connections/create."""
    return call.responses.connection(writes.create(call))


def update(call: Call) -> Any:
    """connections/update, which never resets anything."""
    return call.responses.connection(writes.update(call, call.body))


def update_with_reason(call: Call) -> Any:
    """connections/update_with_reason: the update is an object of its own."""
    if call.body.get("connectionUpdate") is None:
        raise Refusal("missing", subject="connectionUpdate")
    reason = str(call.body.get("updateReason") or "")
    return call.responses.connection(writes.update(call, call.body["connectionUpdate"], reason))


def delete(call: Call) -> Any:
    """connections/delete: whatever runs is cancelled, and the connection stays as a deprecated one."""
    call.world.delete(call.id("connectionId"))


def sync(call: Call) -> Any:
    """connections/sync."""
    return call.responses.jobs.info(call.world.sync(call.id("connectionId")))


def reset(call: Call) -> Any:
    """connections/reset and connections/clear."""
    return call.responses.jobs.info(call.world.reset(call.id("connectionId")))


def reset_streams(call: Call) -> Any:
    """connections/reset/stream and connections/clear/stream."""
    connection_id = call.id("connectionId")
    streams = tuple(named_stream(entry) for entry in call.required_items("streams"))
    return call.responses.jobs.info(call.world.reset(connection_id, streams))


def refresh(call: Call) -> Any:
    """connections/refresh: 200 also when no job comes of it, since nothing can be refreshed or a job runs."""
    era = call.world.era
    connection = call.world.connection(call.id("connectionId"))
    if era.declares("ConnectionStreamRefreshRequestBody.refreshMode"):
        _check_mode(call, call.text("refreshMode"))
    streams: tuple[Stream, ...] = tuple(named_stream(entry) for entry in call.items("streams"))
    job = call.world.refresh(connection.connection_id, streams)
    if era.has("refresh_returns_a_job"):
        return {"job": call.responses.jobs.job_read(job)} if job else {}
    # The old response said whether there can be a refresh, and nothing about a job.
    return {"value": call.world.can_refresh(connection)}


def _check_mode(call: Call, mode: str) -> None:
    if (mode.capitalize() if call.world.era.has("enums_ignore_case") else mode) not in ("Truncate", "Merge"):
        raise Refusal("malformed", f'Cannot construct instance of `RefreshMode`, problem: Unexpected value "{mode}"')


def statuses(call: Call) -> Any:
    """connections/status."""
    ids = [uuid_of(each) for each in call.required_items("connectionIds")]
    return [call.responses.connection_status(call.world.connection(each)) for each in ids]


Json = dict[str, Any]


def list_events(call: Call) -> Any:
    """connections/events/list."""
    connection = call.world.connection(call.id("connectionId"))
    start, end = _moment(call, "createdAtStart"), _moment(call, "createdAtEnd")
    kinds = call.items("eventTypes")
    found = [
        event
        for event in _events(call, connection.connection_id)
        if (not kinds or event.type in kinds)
        and (start is None or event.created_at >= start)
        and (end is None or event.created_at <= end)
    ]
    return {"events": [_event_read(event) for event in offset_page(call, found, _PAGE)]}


def list_events_for_job(call: Call) -> Any:
    """connections/events/list_for_job."""
    job = call.world.job(call.number("id"))
    events = _events(call, job.connection_id)
    return {"events": [_event_read(event) for event in events if event.summary.get("jobId") == job.id]}


def get_event(call: Call) -> Any:
    """connections/events/get."""
    connection_id, wanted = call.id("connectionId"), call.id("connectionEventId")
    call.world.connection(connection_id)
    for event in _events(call, connection_id):
        if event.id == wanted:
            return {**_event_read(event), "details": event.summary}
    raise unknown_id("CONNECTION_TIMELINE_EVENT", wanted)


def _event_read(event: Event) -> Json:
    """ConnectionEvent."""
    return {
        "id": event.id,
        "connectionId": event.connection_id,
        "eventType": event.type,
        "summary": event.summary,
        "createdAt": int(event.created_at),
    }


def _events(call: Call, connection_id: str) -> list[Event]:
    shown = [event for event in call.world.events if event.connection_id == connection_id]
    shown += [event for job in call.world.jobs(connection_id) for event in _job_events(job)]
    shown.sort(key=lambda event: event.created_at)
    return shown[::-1]


def _job_events(job: Job) -> list[Event]:
    word = _WORDS.get(job.kind)
    if word is None:
        return []
    # A run of the schedule is not shown as started, nor as cancelled what was ended for something else.
    events = [_event(job, f"{word}_STARTED", {"jobId": job.id}, job.created_at)] if job.is_manual else []
    if job.status in _ENDS and not job.superseded:
        loaded = [moved(job, stream, job.attempts) for stream in job.streams]
        summary = {
            "jobId": job.id,
            "attemptsCount": len(job.attempts),
            "startTimeEpochSeconds": int(job.created_at),
            "endTimeEpochSeconds": int(job.updated_at),
            "recordsLoaded": sum(records for records, _ in loaded),
            "bytesLoaded": sum(size for _, size in loaded),
        }
        events.append(_event(job, f"{word}_{_ENDS[job.status]}", summary, job.updated_at))
    return events


def _event(job: Job, kind: str, summary: Json, when: float) -> Event:
    key = str(uuid.uuid5(NAMES, f"{job.connection_id} {job.id} {kind}"))
    return Event(key, job.connection_id, kind, summary, when)


def _moment(call: Call, name: str) -> float | None:
    text = call.body.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        raise Refusal(
            "malformed", f'Cannot deserialize value of type `java.time.OffsetDateTime` from "{text}"'
        ) from None


def discover_schema(call: Call) -> Any:
    """sources/discover_schema: 200 also when the source could not be read, and old news unless `disable_cache`."""
    world = call.world
    source = world.actor("source", call.id("sourceId"))
    try:
        catalog_id, found, is_requested = world.discover(source.id, cached=not call.flag("disable_cache"))
    except Refusal as refusal:
        if refusal.kind != "discovery":
            raise
        return {"jobInfo": _job_info(call, source, refusal.message)}
    offers_one = len(found) == 1 and not world.era.has("new_streams_are_selected")
    entries = [discovered_entry(world.era, stream, is_alone=offers_one) for stream in found]
    response: Json = {"catalog": call.responses.catalog(entries), "jobInfo": _job_info(call, source)}
    if world.era.declares("SourceDiscoverSchemaRead.catalogId"):
        response["catalogId"] = catalog_id
    # Old news has no differences, and no consequences.
    return response | (_for_connection(call, source, found) if is_requested else {})


def _for_connection(call: Call, source: Actor, found: list[Json]) -> Json:
    if call.body.get("connectionId") is None or not call.world.era.declares(
        "SourceDiscoverSchemaRequestBody.connectionId"
    ):
        return {}
    return consequences(call, call.world.connection(call.id("connectionId")), source, found)


def consequences(call: Call, requested: Connection, source: Actor, found: list[Json]) -> Json:
    """What a discovery for a connection says of it, and does to it (or to every connection of the source)."""
    era = call.world.era
    for connection in call.world.connections.values():
        is_meant = connection is requested or not era.has("discovery_concerns_one_connection")
        if is_meant and connection.source.id == source.id and connection.status != "deprecated":
            _feel(call, connection, changes(call, connection, found))
    transforms = changes(call, requested, found)
    shown: Json = {"catalogDiff": {"transforms": transforms}, "breakingChange": is_breaking(transforms)}
    status = {"connectionStatus": requested.status} if era.declares("SourceDiscoverSchemaRead.connectionStatus") else {}
    return shown | status


def changes(call: Call, connection: Connection, found: list[Json]) -> list[Json]:
    """The differences between what the source has and what the connection was made from."""
    raw = call.world.raw_catalog(connection)
    if raw is None:
        raw = [entry["stream"] for entry in connection.catalog]
    return difference(call.world.era, raw, connection.catalog, found)


def _feel(call: Call, connection: Connection, transforms: list[Json]) -> None:
    """A breaking change switches a connection off, and any change when it is set to that."""
    breaking = is_breaking(transforms)
    connection.breaking_change = breaking
    preference = call.responses.settings(connection).get("nonBreakingChangesPreference")
    if connection.status == "active" and (breaking or (transforms and preference == "disable")):
        connection.status = "inactive"


def _job_info(call: Call, source: Actor, problem: str | None = None) -> Json:
    """SynchronousJobRead."""
    era, when = call.world.era, int(call.world.now())
    shown = [f"Discovering the schema of {source.name}", *([problem] if problem else [])]
    fields: Json = {
        "id": str(uuid.uuid4()),
        "configType": "discover_schema",
        "configId": source.definition_id,
        "createdAt": when,
        "endedAt": when,
        "succeeded": problem is None,
    }
    fields |= call.responses.jobs.log_fields(shown, when)
    if era.declares("SynchronousJobRead.connectorConfigurationUpdated"):
        fields["connectorConfigurationUpdated"] = False
    if problem and era.declares("SynchronousJobRead.failureReason"):
        failure = call.world.failing_discoveries[source.id]
        fields["failureReason"] = call.responses.jobs.failure_reason(failure, when)
    return without_nulls(era, fields)
