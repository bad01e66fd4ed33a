"""sources/discover_schema: asking a source what it has, and what that does to its connections."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.catalogs import difference, discovered_entry, is_breaking
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.job_answers import without_nulls

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.model import Actor, Connection

Json = dict[str, Any]


def discover_schema(call: Call) -> Any:
    """sources/discover_schema: 200 also when the source could not be asked, and old news unless `disable_cache`."""
    world = call.world
    source = world.actor("source", call.id("sourceId"))
    try:
        catalog_id, found, is_asked = world.discover(source.id, cached=not call.flag("disable_cache"))
    except Refusal as refusal:
        if refusal.kind != "discovery":
            raise
        return {"jobInfo": _job_info(call, source, refusal.message)}
    offers_one = len(found) == 1 and not world.era.has("new_streams_are_selected")
    entries = [discovered_entry(world.era, stream, is_alone=offers_one) for stream in found]
    answer: Json = {"catalog": call.answers.catalog(entries), "jobInfo": _job_info(call, source)}
    if world.era.declares("SourceDiscoverSchemaRead.catalogId"):
        answer["catalogId"] = catalog_id
    # Old news has no differences, and no consequences.
    return answer | (_for_connection(call, source, found) if is_asked else {})


def _for_connection(call: Call, source: Actor, found: list[Json]) -> Json:
    if call.body.get("connectionId") is None or not call.world.era.declares(
        "SourceDiscoverSchemaRequestBody.connectionId"
    ):
        return {}
    return consequences(call, call.world.connection(call.id("connectionId")), source, found)


def consequences(call: Call, asked: Connection, source: Actor, found: list[Json]) -> Json:
    """What a discovery for a connection says of it, and does to it (or to every connection of the source)."""
    era = call.world.era
    for connection in call.world.connections.values():
        is_meant = connection is asked or not era.has("discovery_concerns_one_connection")
        if is_meant and connection.source.id == source.id and connection.status != "deprecated":
            _feel(call, connection, changes(call, connection, found))
    transforms = changes(call, asked, found)
    told: Json = {"catalogDiff": {"transforms": transforms}, "breakingChange": is_breaking(transforms)}
    status = {"connectionStatus": asked.status} if era.declares("SourceDiscoverSchemaRead.connectionStatus") else {}
    return told | status


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
    preference = call.answers.settings(connection).get("nonBreakingChangesPreference")
    if connection.status == "active" and (breaking or (transforms and preference == "disable")):
        connection.status = "inactive"


def _job_info(call: Call, source: Actor, problem: str | None = None) -> Json:
    """SynchronousJobRead."""
    era, when = call.world.era, int(call.world.now())
    told = [f"Discovering the schema of {source.name}", *([problem] if problem else [])]
    fields: Json = {
        "id": str(uuid.uuid4()),
        "configType": "discover_schema",
        "configId": source.definition_id,
        "createdAt": when,
        "endedAt": when,
        "succeeded": problem is None,
    }
    fields |= call.answers.jobs.log_fields(told, when)
    if era.declares("SynchronousJobRead.connectorConfigurationUpdated"):
        fields["connectorConfigurationUpdated"] = False
    if problem and era.declares("SynchronousJobRead.failureReason"):
        failure = call.world.failing_discoveries[source.id]
        fields["failureReason"] = call.answers.jobs.failure_reason(failure, when)
    return without_nulls(era, fields)
