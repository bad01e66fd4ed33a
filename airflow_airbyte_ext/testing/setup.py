"""How a test sets a fake Airbyte up: its workspaces, sources, destinations and connections, and what sources have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.inventory import WORKSPACE_ID
from airflow_airbyte_ext.testing.jobs import Failure, Stream
from airflow_airbyte_ext.testing.model import SETTINGS
from airflow_airbyte_ext.testing.writes import is_quartz

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from airflow_airbyte_ext.testing.model import Connection
    from airflow_airbyte_ext.testing.world import World

StreamName = str | tuple[str | None, str] | Stream
Schedule = str | tuple[int, str] | tuple[str, str]
_UNREACHABLE = Failure("source", "config_error", "The source could not be reached.")


class Planting(ABC):
    """The part of `FakeAirbyte` with which a test says what there is."""

    _world: World

    @abstractmethod
    def _by_hand(self) -> AbstractContextManager[None]:
        """Hold the world still."""

    @property
    def workspace_id(self) -> str:
        """The id of the workspace that is there from the beginning."""
        return WORKSPACE_ID

    def add_workspace(self, name: str) -> str:
        """Make another workspace and return its id."""
        with self._by_hand():
            return self._world.add_workspace(name).id

    def add_source(self, name: str, connector: str = "Postgres", *, workspace_id: str = WORKSPACE_ID) -> str:
        """Make a source and return its id."""
        with self._by_hand():
            return self._world.add_actor("source", name, connector, workspace_id).id

    def add_destination(
        self,
        name: str,
        connector: str = "Snowflake",
        *,
        workspace_id: str = WORKSPACE_ID,
        supports_refreshes: bool = True,
    ) -> str:
        """Make a destination and return its id; without `supports_refreshes`, connections/refresh starts nothing."""
        with self._by_hand():
            made = self._world.add_actor(
                "destination", name, connector, workspace_id, supports_refreshes=supports_refreshes
            )
        return made.id

    def add_tag(self, name: str, *, workspace_id: str = WORKSPACE_ID) -> dict[str, Any]:
        """The tag of this name, as Airbyte writes it ({"tagId": ...}); made when there is none."""
        with self._by_hand():
            return self._world.tag_named(name, workspace_id).as_json()

    def add_operation(self, name: str, configuration: dict[str, Any], *, workspace_id: str = WORKSPACE_ID) -> str:
        """Make an operation and return its id; `configuration` is an OperatorConfiguration of Airbyte's documents."""
        with self._by_hand():
            return self._world.add_operation(name, deepcopy(configuration), workspace_id)

    def add_connection(
        self,
        name: str = "Orders",
        streams: Iterable[StreamName] = ("orders",),
        status: str = "active",
        connection_id: str | None = None,
        schedule_type: str = "manual",
        *,
        source: str | None = None,
        destination: str | None = None,
        tags: Iterable[str] = (),
        schedule: Schedule | None = None,
        workspace_id: str = WORKSPACE_ID,
        settings: dict[str, Any] | None = None,
    ) -> str:
        """Make a connection and return its id.

        `streams` are names, or (namespace, name), or `Stream`s; `status` is active, inactive, deprecated (deleted) or
        locked; `schedule_type` manual, basic or cron. "A → B" as a name calls the source A and the destination B.
        `source` and `destination` are ids, or names: a name that the workspace does not have makes one. `schedule` is
        (6, "hours"), a cron expression of Airbyte ("0 0 3 * * ?", in UTC), one with its time zone ("0 0 3 * * ?",
        "Europe/Berlin"), or "manual".
        `tags` are names. `settings` are further properties of a ConnectionRead, in Airbyte's words ({"prefix": "x_"}).
        """
        catalog = [as_stream(stream) for stream in streams]
        with self._by_hand():
            self._world.workspace(workspace_id)
            made = self._world.add_connection(
                name,
                catalog,
                status,
                connection_id,
                schedule_type,
                source=self._world.actor_named("source", source, workspace_id) if source else None,
                destination=self._world.actor_named("destination", destination, workspace_id) if destination else None,
                workspace_id=workspace_id,
            )
            made.tags = [self._world.tag_named(tag, workspace_id).as_json() for tag in tags]
            if schedule is not None:
                made.schedule_type, made.schedule_data = _schedule(schedule)
            _settle(made, settings or {})
        return made.connection_id

    def set_connection_status(self, connection_id: str, status: str) -> None:
        """Switch a connection to active, inactive, deprecated (Airbyte's word for deleted) or locked (era "head")."""
        with self._by_hand():
            self._world.set_status(connection_id, status)

    # What sources have

    def discovered_catalog(self, source_or_connection_id: str) -> list[dict[str, Any]]:
        """What the source would find now, as AirbyteStreams: change them and hand them to `set_discovered_catalog`."""
        with self._by_hand():
            return deepcopy(self._world.discovered(self._source(source_or_connection_id)))

    def set_discovered_catalog(
        self, source_or_connection_id: str, streams: Iterable[StreamName | dict[str, Any]]
    ) -> None:
        """Say what the source has from now on.

        `streams` are names, `Stream`s (with `columns`, `cursor` and `primary_key`), or AirbyteStreams as JSON.
        """
        shown = [stream if isinstance(stream, dict) else as_stream(stream) for stream in streams]
        with self._by_hand():
            self._world.set_discovered(self._source(source_or_connection_id), shown)

    def fail_discovery(self, source_or_connection_id: str, failure: Failure | None = _UNREACHABLE) -> None:
        """Let every discovery of this source fail for this reason, until it is called with None."""
        with self._by_hand():
            source_id = self._source(source_or_connection_id)
            self._world.failing_discoveries.pop(source_id, None)
            if failure:
                self._world.failing_discoveries[source_id] = failure

    def _source(self, key: str) -> str:
        connection = self._world.connections.get(key)
        return connection.source.id if connection else self._world.actor("source", key).id


def as_stream(given: StreamName) -> Stream:
    """The stream that a test named."""
    if isinstance(given, Stream):
        return given
    if isinstance(given, str):
        return Stream(given)
    namespace, name = given
    return Stream(name, namespace)


def _schedule(given: Schedule) -> tuple[str, dict[str, Any] | None]:
    if given == "manual":
        return "manual", None
    first, second = (given, "UTC") if isinstance(given, str) else given
    if isinstance(first, int):
        return "basic", {"basicSchedule": {"timeUnit": second, "units": first}}
    if not is_quartz(first):
        raise ValueError(
            f'cannot read the schedule {given!r}: write "0 0 3 * * ?", or ("0 0 3 * * ?", "Europe/Berlin")'
        )
    return "cron", {"cron": {"cronExpression": first, "cronTimeZone": second}}


def _settle(connection: Connection, settings: dict[str, Any]) -> None:
    known = {setting.name: setting for setting in SETTINGS}
    for name, value in settings.items():
        if name == "breakingChange":
            connection.breaking_change = bool(value)
        elif name in known:
            known[name].write(connection, deepcopy(value))
        else:
            choices = ", ".join(sorted([*known, "breakingChange"]))
            raise ValueError(f"unknown setting {name!r}: choose from {choices}")
