"""The handlers of web_backend: what the web app requests, and the most complete way to read and change a connection."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing import connection_handlers, writes
from airflow_airbyte_ext.testing.call import chosen, cursor_page
from airflow_airbyte_ext.testing.catalog import changed_streams, merged
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.serializers import without_nulls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Job, Stream
    from airflow_airbyte_ext.testing.model import Actor, Connection
    from airflow_airbyte_ext.testing.serializers import Responses
    from airflow_airbyte_ext.testing.world import World

Json = dict[str, Any]


def _responses(call: Call) -> WebResponses:
    return WebResponses(call.world, call.responses)


def get_connection(call: Call) -> Any:
    """web_backend/connections/get, which reads the source first when `withRefreshedCatalog` says so."""
    connection = call.world.connection(call.id("connectionId"))
    if not call.flag("withRefreshedCatalog"):
        return _responses(call).connection(connection)
    try:
        _, found, _ = call.world.discover(connection.source.id)
    except Refusal as refusal:
        if call.world.era.has("refreshed_catalog_is_optional"):
            return _responses(call).connection(connection)
        raise Refusal("illegal", refusal.message) from refusal
    changes = connection_handlers.changes(call, connection, found)
    if call.world.era.declares("SourceDiscoverSchemaRequestBody.connectionId"):
        # The discovery names the connection, and so may switch it off.
        connection_handlers.consequences(call, connection, connection.source, found)
    return _responses(call).connection(connection, found, changes)


def create_connection(call: Call) -> Any:
    """web_backend/connections/create: the operations first, then the connection."""
    made = [_make_operation(call, each) for each in call.items("operations")]
    body = {**call.body, "operationIds": [*call.items("operationIds"), *made]}
    return _responses(call).connection(writes.create(call.with_body(body)))


def update_connection(call: Call) -> Any:
    """web_backend/connections/update: resets the streams that changed unless `skipReset` is true."""
    connection = call.world.connection(call.id("connectionId"))
    old = deepcopy(connection.catalog)
    keeps_ids = call.world.era.declares("WebBackendConnectionUpdate.operationIds")
    body = {name: value for name, value in call.body.items() if name != "operationIds" or keeps_ids}
    if call.body.get("operations") is not None:
        body["operationIds"] = [_store_operation(call, each) for each in call.items("operations")]
    writes.update(call, body)
    _reset_changed(call, connection, changed_streams(old, connection.catalog))
    return _responses(call).connection(connection)


def _reset_changed(call: Call, connection: Connection, changed: tuple[Stream, ...]) -> None:
    """Start what makes the destination fit: a refresh, a reset, or in old releases a reset and then a sync."""
    era, world = call.world.era, call.world
    if era.has("resets_are_whole"):
        # Nothing could be reset but the whole connection.
        if changed or call.flag("withRefreshedCatalog"):
            job = world.reset(connection.connection_id)
            job.then_sync = job.kind == "reset_connection"
        return
    if not changed or call.flag("skipReset") or connection.status == "deprecated":
        return
    if era.has("stateless_updates_reset_all") and connection.state.kind in ("legacy", "not_set"):
        changed = connection.streams
    if era.has("updates_refresh") and connection.destination.supports_refreshes:
        world.run_next(connection, refreshes=changed)
    elif era.has("updates_return_at_once"):
        world.run_next(connection, resets=changed)
    else:
        job = world.reset(connection.connection_id, changed)
        job.then_sync = connection.status == "active"


def _make_operation(call: Call, given: Any) -> str:
    requested = call.with_body(given)
    workspace = call.world.workspace(requested.id("workspaceId"))
    configuration = given.get("operatorConfiguration")
    if not isinstance(configuration, dict):
        raise Refusal("missing", subject="operatorConfiguration")
    return call.world.add_operation(requested.text("name"), deepcopy(configuration), workspace.id)


def _store_operation(call: Call, given: Any) -> str:
    if not isinstance(given, dict) or given.get("operationId") is None:
        return _make_operation(call, given)
    stored = call.world.operation(call.with_body(given).id("operationId"))
    stored |= {name: deepcopy(given[name]) for name in ("name", "operatorConfiguration") if name in given}
    return str(stored["operationId"])


# Lists


def list_connections(call: Call) -> Any:
    """web_backend/connections/list: everything, or pages where the release has them."""
    shown = _filtered(call, call.world.connections_of(call.id("workspaceId")))
    responses = _responses(call)
    if not call.world.era.has("cursor_pages"):
        return {"connections": [responses.listed(each) for each in shown]}
    order, descending = chosen(call, "sortKey", _orders(call))
    ids = [each.connection_id for each in shown]
    page, size = cursor_page(call, call.world.connections, ids, order, "STANDARD_SYNC", descending)
    return {"connections": [responses.listed(each) for each in page], "page_size": size, "num_connections": len(shown)}


def list_all_connections(call: Call) -> Any:
    """web_backend/connections/list_all: with the deleted ones."""
    shown = call.world.connections_of(call.id("workspaceId"), deleted=True)
    return {"connections": [_responses(call).listed(each) for each in shown]}


def search_connections(call: Call) -> Any:  # noqa: ARG001
    """web_backend/connections/search, which finds nothing on real servers, as its twin of connections does."""
    return {"connections": []}


def _orders(call: Call) -> dict[str, Callable[[Connection], Any]]:
    responses = _responses(call)

    def last_sync(connection: Connection) -> float:
        latest = responses.latest_listed(connection)
        return latest.updated_at if latest else 0.0

    return {
        "connectionName": lambda each: each.name.lower(),
        "sourceName": lambda each: each.source.name.lower(),
        "destinationName": lambda each: each.destination.name.lower(),
        "lastSync": last_sync,
    }


def _filtered(call: Call, connections: list[Connection]) -> list[Connection]:
    """The filters of the request, as far as the release has them."""
    tests: list[Callable[[Connection], bool]] = []
    if call.world.era.declares("WebBackendConnectionListRequestBody.sourceId"):
        sources, destinations = call.ids("sourceId"), call.ids("destinationId")
        tests += [lambda each: each.source.id in sources] if sources else []
        tests += [lambda each: each.destination.id in destinations] if destinations else []
    has_filters = call.world.era.declares("WebBackendConnectionListRequestBody.filters")
    if has_filters and call.body.get("filters") is not None:
        tests += _more_filters(call, call.with_body(call.body["filters"]))
    return [each for each in connections if all(test(each) for test in tests)]


def _more_filters(call: Call, requested: Call) -> list[Callable[[Connection], bool]]:
    tests: list[Callable[[Connection], bool]] = []
    sources, destinations = requested.ids("sourceDefinitionIds"), requested.ids("destinationDefinitionIds")
    tags, states, statuses = requested.ids("tagIds"), requested.items("states"), requested.items("statuses")
    term = str(requested.body.get("searchTerm") or "").lower()
    tests += [lambda each: each.source.definition_id in sources] if sources else []
    tests += [lambda each: each.destination.definition_id in destinations] if destinations else []
    tests += [lambda each: any(tag["tagId"] in tags for tag in each.tags)] if tags else []
    tests += [lambda each: each.status in states] if states else []
    tests += [lambda each: _health(call, each) in statuses] if statuses else []
    tests += (
        [lambda each: term in " ".join((each.name, each.source.name, each.destination.name)).lower()] if term else []
    )
    return tests


def _health(call: Call, connection: Connection) -> str:
    """The word of the `statuses` filter for a connection."""
    if connection.status != "active":
        return "paused"
    latest = _responses(call).latest_listed(connection)
    words = {"succeeded": "healthy", "failed": "failed", "cancelled": "failed", "incomplete": "failed"}
    return words.get(latest.status, "running") if latest else "not_synced"


# Small things


def check_updates(_: Call) -> Any:
    """web_backend/check_updates: every connector is new."""
    return {"destinationDefinitions": 0, "sourceDefinitions": 0}


def list_geographies(_: Call) -> Any:
    """web_backend/geographies/list."""
    return {"geographies": ["auto", "us", "eu"]}


def workspace_state(call: Call) -> Any:
    """web_backend/workspace/state."""
    key = call.id("workspaceId")
    return {
        "hasConnections": bool(call.world.connections_of(key)),
        "hasSources": bool(call.world.actors("source", key)),
        "hasDestinations": bool(call.world.actors("destination", key)),
    }


def config(call: Call) -> Any:
    """web_backend/config: what the web app needs before anybody has logged in."""
    return {"version": call.world.era.version, "edition": "community"}


class WebResponses:
    """Turns connections into responses of web_backend."""

    def __init__(self, world: World, responses: Responses) -> None:
        self._world = world
        self._era = world.era
        self._responses = responses

    def connection(
        self, connection: Connection, discovered: list[Json] | None = None, changes: list[Json] | None = None
    ) -> Json:
        """WebBackendConnectionRead; `discovered` is what the source was just read for, and `changes` what is new."""
        era, entries = self._era, connection.catalog
        raw = self._world.raw_catalog(connection)
        shown = raw if discovered is None else discovered
        if shown is not None:
            entries = merged(era, connection.catalog, raw or [each["stream"] for each in connection.catalog], shown)
        settings = self._responses.settings(connection)
        settings["catalogId"] = settings.pop("sourceCatalogId", None)
        if discovered is not None and era.declares("WebBackendConnectionRead.catalogId"):
            settings["catalogId"] = self._world.catalog_id(connection.source.id)
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "sourceId": connection.source.id,
            "destinationId": connection.destination.id,
            "syncCatalog": self._responses.catalog(entries),
            "status": connection.status,
            "source": self._responses.actor(connection.source),
            "destination": self._responses.actor(connection.destination),
            "operations": [self._world.operation(each) for each in connection.operation_ids],
        }
        fields |= settings | self._responses.schedule(connection) | self._syncing(connection)
        fields |= self._changes(connection, changes) | self._versions(connection)
        if era.declares("WebBackendConnectionRead.createdAt"):
            fields["createdAt"] = int(connection.created_at)
        return without_nulls(era, fields | self._responses.status_reason(connection))

    def listed(self, connection: Connection) -> Json:
        """An item of web_backend/connections/list: a whole connection where the release has no items."""
        era = self._era
        if not era.has("lists_have_items"):
            return self.connection(connection)
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "scheduleType": connection.schedule_type,
            "scheduleData": connection.schedule_data,
            "status": connection.status,
            "source": _snippet(connection.source),
            "destination": _snippet(connection.destination),
        }
        fields |= self._syncing(connection, listed=True) | self._versions(connection)
        if era.declares("WebBackendConnectionListItem.schemaChange"):
            fields |= self._schema_change(connection)
        if era.declares("WebBackendConnectionListItem.tags"):
            fields["tags"] = connection.tags
        if era.declares("WebBackendConnectionListItem.onDemandEnabled"):
            fields["onDemandEnabled"] = connection.more.get("onDemandEnabled", False)
        return without_nulls(era, fields)

    def latest_sync(self, connection: Connection, kinds: tuple[str, ...] = ("sync", "refresh")) -> Job | None:
        """The last job that moved data."""
        jobs = [job for job in self._world.jobs(connection.connection_id) if job.kind in kinds]
        return jobs[-1] if jobs else None

    def latest_listed(self, connection: Connection) -> Job | None:
        """The job that a list of connections shows."""
        kinds = ("sync",) if self._era.has("listed_jobs_are_syncs") else ("sync", "refresh")
        return self.latest_sync(connection, kinds)

    def _syncing(self, connection: Connection, listed: bool = False) -> Json:
        latest = self.latest_listed(connection) if listed else self.latest_sync(connection)
        if listed and self._era.has("listed_jobs_are_syncs"):
            is_syncing = latest is not None and latest.status == "running"
        else:
            is_syncing = latest is not None and not latest.terminal
        return {
            "latestSyncJobCreatedAt": latest and int(latest.created_at),
            "latestSyncJobStatus": latest and latest.status,
            "isSyncing": is_syncing,
        }

    def _changes(self, connection: Connection, changes: list[Json] | None) -> Json:
        era = self._era
        fields = self._schema_change(connection) if era.declares("WebBackendConnectionRead.schemaChange") else {}
        if changes is not None and era.declares("WebBackendConnectionRead.catalogDiff"):
            fields["catalogDiff"] = {"transforms": changes}
        return fields

    def _schema_change(self, connection: Connection) -> Json:
        """What is known of changes: of the last discovery, not of what the source has now."""
        if connection.breaking_change:
            return {"schemaChange": "breaking"}
        newest, _ = self._world.cached_catalogs.get(connection.source.id, (connection.catalog_id, []))
        return {"schemaChange": "no_change" if newest == connection.catalog_id else "non_breaking"}

    def _versions(self, connection: Connection) -> Json:
        if not self._era.declares("WebBackendConnectionRead.sourceActorDefinitionVersion"):
            return {}
        return {
            f"{actor.kind}ActorDefinitionVersion": self._responses.definition_version(actor)
            for actor in (connection.source, connection.destination)
        }


def _snippet(actor: Actor) -> Json:
    """SourceSnippetRead or DestinationSnippetRead."""
    return {
        f"{actor.kind}Id": actor.id,
        "name": actor.name,
        f"{actor.kind}DefinitionId": actor.definition_id,
        f"{actor.kind}Name": actor.connector,
    }
