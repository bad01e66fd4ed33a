"""What an Airbyte holds: workspaces, sources, destinations, tags, operations, connections, and what sources have."""

from __future__ import annotations

import uuid
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.catalog import StreamKey, discovered_stream, entry_of, key_of
from airflow_airbyte_ext.testing.errors import Refusal, unknown_id
from airflow_airbyte_ext.testing.model import NAMES, Actor, Connection, Event, Tag, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.jobs import Failure, Stream

Json = dict[str, Any]
WORKSPACE_ID = "00000000-0000-4000-8000-0000000000a1"
ORGANIZATION_ID = "00000000-0000-0000-0000-000000000000"
CONNECTION_STATUSES = ("active", "inactive", "deprecated", "locked")
SCHEDULE_TYPES = ("manual", "basic", "cron")
CONNECTORS = {"source": "Postgres", "destination": "Snowflake"}
_EVERY_DAY = {"basicSchedule": {"timeUnit": "hours", "units": 24}}
_AT_THREE = {"cron": {"cronExpression": "0 0 3 * * ?", "cronTimeZone": "UTC"}}
USUAL_SCHEDULES: dict[str, Json | None] = {"manual": None, "basic": _EVERY_DAY, "cron": _AT_THREE}
_COLORS = ("FBECB1", "FEC9BE", "FFD0B2", "DEECF1", "CAC7FF", "C4F0C2")


class Inventory:
    """Everything but jobs; `now` gives epoch seconds."""

    def __init__(self, era: Era, now: Callable[[], float]) -> None:
        self.era = era
        self.now = now
        self.created_at = now()
        self.workspaces = {WORKSPACE_ID: Workspace(WORKSPACE_ID, "Default Workspace")}
        self.actors_by_id: dict[str, Actor] = {}
        self.tags: dict[str, Tag] = {}
        self.operations: dict[str, Json] = {}
        self.connections: dict[str, Connection] = {}
        self.discoveries: dict[str, list[Json]] = {}
        self.catalogs: dict[str, list[Json]] = {}
        self.known_streams: dict[str, dict[StreamKey, Json]] = {}
        self.failing_discoveries: dict[str, Failure] = {}
        self.cached_catalogs: dict[str, tuple[str, list[Json]]] = {}
        self.events: list[Event] = []
        self.is_fresh = False

    @property
    def organization_id(self) -> str:
        """The one organization."""
        return ORGANIZATION_ID

    @property
    def workspace_id(self) -> str:
        """The workspace that was there from the beginning."""
        return WORKSPACE_ID

    # Workspaces, sources and destinations

    def add_workspace(self, name: str) -> Workspace:
        """Make another workspace."""
        made = Workspace(str(uuid.uuid5(NAMES, f"workspace {len(self.workspaces)} {name}")), name)
        self.workspaces[made.id] = made
        return made

    def workspace(self, workspace_id: str) -> Workspace:
        """The workspace with this id."""
        if workspace_id not in self.workspaces:
            raise unknown_id("STANDARD_WORKSPACE", workspace_id)
        return self.workspaces[workspace_id]

    def add_actor(
        self,
        kind: str,
        name: str,
        connector: str | None = None,
        workspace_id: str = WORKSPACE_ID,
        actor_id: str | None = None,
        supports_refreshes: bool = True,
    ) -> Actor:
        """Make a source or a destination."""
        self.workspace(workspace_id)
        key = actor_id or str(uuid.uuid4())
        made = Actor(key, kind, name, connector or CONNECTORS[kind], self.now(), workspace_id, supports_refreshes)
        self.actors_by_id[key] = made
        return made

    def actor(self, kind: str, actor_id: str) -> Actor:
        """The source or destination with this id."""
        found = self.actors_by_id.get(actor_id)
        if found is None or found.kind != kind:
            raise unknown_id(f"{kind.upper()}_CONNECTION", actor_id)
        return found

    def actors(self, kind: str, workspace_id: str | None = None) -> list[Actor]:
        """All sources, or all destinations, of one workspace or of all."""
        return [
            actor
            for actor in self.actors_by_id.values()
            if actor.kind == kind and workspace_id in (None, actor.workspace_id)
        ]

    def actor_named(self, kind: str, name: str, workspace_id: str) -> Actor:
        """The source or destination with this id or name; a name that is new makes one."""
        for actor in self.actors(kind, workspace_id):
            if name in (actor.id, actor.name):
                return actor
        return self.add_actor(kind, name, workspace_id=workspace_id)

    def workspaces_named(self, body: Json) -> set[str]:
        """The workspaces to which the things belong that a request names."""
        connections = [self.connections.get(each) for each in _named(body, "connectionId", "connectionIds", "configId")]
        actors = [self.actors_by_id.get(each) for each in _named(body, "sourceId", "destinationId")]
        found = {each.workspace_id for each in (*connections, *actors) if each}
        return found | {each for each in _named(body, "workspaceId", "workspaceIds") if each in self.workspaces}

    # Tags and operations

    def tag_named(self, name: str, workspace_id: str) -> Tag:
        """The tag of this name, made when there is none."""
        key = str(uuid.uuid5(uuid.UUID(workspace_id), f"tag {name}"))
        color = _COLORS[len(self.tags) % len(_COLORS)]
        return self.tags.setdefault(key, Tag(key, workspace_id, name, color))

    def add_operation(self, name: str, configuration: Json, workspace_id: str = WORKSPACE_ID) -> str:
        """Make an operation; `configuration` is Airbyte's OperatorConfiguration."""
        key = str(uuid.uuid4())
        made = {"workspaceId": workspace_id, "operationId": key, "name": name, "operatorConfiguration": configuration}
        self.operations[key] = made
        return key

    def operation(self, operation_id: str) -> Json:
        """The operation with this id."""
        if operation_id not in self.operations:
            raise unknown_id("STANDARD_SYNC_OPERATION", operation_id)
        return self.operations[operation_id]

    # Connections

    def add_connection(
        self,
        name: str,
        streams: Iterable[Stream],
        status: str = "active",
        connection_id: str | None = None,
        schedule_type: str = "manual",
        *,
        source: Actor | None = None,
        destination: Actor | None = None,
        workspace_id: str = WORKSPACE_ID,
    ) -> Connection:
        """Make a connection, with a source and a destination of its own unless they are given."""
        if schedule_type not in SCHEDULE_TYPES:
            raise ValueError(f"unknown schedule type {schedule_type!r}: choose one of {', '.join(SCHEDULE_TYPES)}")
        key = str(uuid.UUID(connection_id)) if connection_id else str(uuid.uuid4())
        if key in self.connections:
            raise ValueError(f"there is a connection {key} already")
        source_name, _, destination_name = name.partition(" → ")
        connection = Connection(
            key,
            name,
            source or self._own_actor(key, "source", source_name, workspace_id),
            destination or self._own_actor(key, "destination", destination_name or "Warehouse", workspace_id),
            [entry_of(self.era, stream) for stream in streams],
            "active",
            schedule_type,
            self.now(),
            deepcopy(USUAL_SCHEDULES[schedule_type]),
        )
        self.note_streams(connection)
        connection.catalog_id = self.catalog_id(connection.source.id)
        self.connections[key] = connection
        self.set_status(key, status)
        return connection

    def _own_actor(self, key: str, kind: str, name: str, workspace_id: str) -> Actor:
        return self.add_actor(kind, name, None, workspace_id, str(uuid.uuid5(uuid.UUID(key), kind)))

    def set_status(self, connection_id: str, status: str) -> None:
        """Switch a connection; "deprecated" is Airbyte's word for a deleted one."""
        if status not in CONNECTION_STATUSES:
            raise ValueError(f"unknown status {status!r}: choose one of {', '.join(CONNECTION_STATUSES)}")
        if status == "locked" and not self.era.declares("ConnectionStatus.locked"):
            raise ValueError("connections can be locked from 2.1.0 on")
        self.connection(connection_id).status = status

    def connection(self, connection_id: str) -> Connection:
        """The connection with this id, deleted ones too."""
        try:
            return self.connections[connection_id]
        except KeyError:
            raise unknown_id("STANDARD_SYNC", connection_id) from None

    def connections_of(self, workspace_id: str, deleted: bool = False) -> list[Connection]:
        """The connections of a workspace, in the order of their making."""
        self.workspace(workspace_id)
        return [
            each
            for each in self.connections.values()
            if each.workspace_id == workspace_id and (deleted or each.status != "deprecated")
        ]

    # What a source has

    def note_streams(self, connection: Connection, streams: Iterable[Json] = ()) -> None:
        """The source of a new connection has its streams, and these, as long as no test says otherwise."""
        known = self.known_streams.setdefault(connection.source.id, {})
        for stream in [*streams, *(entry["stream"] for entry in connection.catalog)]:
            known.setdefault(key_of(stream), deepcopy(stream))

    def discovered(self, source_id: str) -> list[Json]:
        """The AirbyteStreams that the source has now: what a test said, or else what its connections began with."""
        if source_id in self.discoveries:
            return self.discoveries[source_id]
        return list(self.known_streams.get(source_id, {}).values())

    def raw_catalog(self, connection: Connection) -> list[Json] | None:
        """The AirbyteStreams from which the connection was made; None where the server does not know them."""
        if connection.catalog_id is None or not self.era.declares("ConnectionUpdate.sourceCatalogId"):
            return None
        if connection.catalog_id == self.catalog_id(connection.source.id):
            return self.discovered(connection.source.id)
        return self.catalogs.get(connection.catalog_id)

    def set_discovered(self, source_id: str, streams: Iterable[Stream | Json]) -> None:
        """Say what the source has from now on."""
        self.actor("source", source_id)
        shown = [deepcopy(each) if isinstance(each, dict) else discovered_stream(each) for each in streams]
        before = self.discovered(source_id)
        if before:
            # Somebody has discovered what the connections of this source were made from.
            self.cached_catalogs.setdefault(source_id, (self.catalog_id(source_id), deepcopy(before)))
        self.catalogs[self.catalog_id(source_id)] = deepcopy(before)
        self.discoveries[source_id] = shown

    def catalog_id(self, source_id: str) -> str:
        """The id under which the source's catalog of now is stored: another one for another catalog."""
        known = repr(self.discoveries[source_id]) if source_id in self.discoveries else ""
        return str(uuid.uuid5(uuid.UUID(source_id), f"catalog{known}"))

    def discover(self, source_id: str, cached: bool = False) -> tuple[str, list[Json], bool]:
        """The source's catalog, its id, and whether the source was requested it.

        With `cached` it is the one that was found last, if there is one. A Refusal of the kind "discovery" when the
        source has to be read and cannot be.
        """
        is_requested = not cached or source_id not in self.cached_catalogs
        if is_requested:
            if source_id in self.failing_discoveries:
                raise Refusal("discovery", self.failing_discoveries[source_id].message, source_id)
            self.cached_catalogs[source_id] = (self.catalog_id(source_id), deepcopy(self.discovered(source_id)))
        catalog_id, streams = self.cached_catalogs[source_id]
        return catalog_id, deepcopy(streams), is_requested


def _named(body: Json, *names: str) -> list[str]:
    """The ids under these names of a request, in lists or alone."""
    values = [body.get(name) for name in names]
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each.lower() for each in flat if isinstance(each, str)]
