"""What an Airbyte is made of, and which release brought which setting of a connection."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.catalog import StreamKey, key_of, selected_streams
from airflow_airbyte_ext.testing.fields import within
from airflow_airbyte_ext.testing.state_rows import StateRows

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.jobs import Step, Stream

Json = dict[str, Any]
# Why a locked connection is locked.
LOCKED = "locked by the platform"
NAMES = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
_HOUR = 3600.0
_SECONDS = {"minutes": 60.0, "hours": _HOUR, "days": 24 * _HOUR, "weeks": 7 * 24 * _HOUR, "months": 30 * 24 * _HOUR}


@dataclass(frozen=True)
class Workspace:
    """What sources, destinations, connections and tags belong to."""

    id: str
    name: str


@dataclass(frozen=True)
class Actor:
    """A source or a destination, and the connector (definition) that it runs."""

    id: str
    kind: str
    name: str
    connector: str
    created_at: float
    workspace_id: str
    supports_refreshes: bool = True

    @property
    def definition_id(self) -> str:
        """The id of the connector: the same for every actor that runs it."""
        return str(uuid.uuid5(NAMES, self.connector))


@dataclass(frozen=True)
class Tag:
    """A label on connections, with a colour of the user interface."""

    id: str
    workspace_id: str
    name: str
    color: str

    def as_json(self) -> Json:
        """Tag of Airbyte's documents."""
        return {"tagId": self.id, "workspaceId": self.workspace_id, "name": self.name, "color": self.color}


@dataclass(frozen=True)
class Event:
    """A line of a connection's history, at epoch seconds; `type` is a ConnectionEventType."""

    id: str
    connection_id: str
    type: str
    summary: Json
    created_at: float


@dataclass
class Connection:
    """A pipe from a source to a destination; times are epoch seconds.

    `catalog` are its AirbyteStreamAndConfigurations, those that a sync reads. `tags` are the ids, in order.
    `schedule_data` is Airbyte's ConnectionScheduleData, None for a manual schedule. `more` holds settings that only
    travel through the API.
    `stored_resets` and `stored_refreshes` are the streams that the next run resets or refreshes, whatever starts it.
    `late_states` is what the pods of cancelled jobs will write yet, and when.
    """

    connection_id: str
    name: str
    source: Actor
    destination: Actor
    catalog: list[Json]
    status: str
    schedule_type: str
    created_at: float
    schedule_data: Json | None = None
    namespace_definition: str | None = "source"
    namespace_format: str | None = "${SOURCE_NAMESPACE}"
    prefix: str | None = ""
    operation_ids: list[str] = field(default_factory=list)
    tags: list[Json] = field(default_factory=list)
    resource_requirements: Json | None = None
    catalog_id: str | None = None
    breaking_change: bool = False
    more: Json = field(default_factory=dict)
    state: StateRows = field(default_factory=StateRows)
    stored_resets: dict[StreamKey, Stream] = field(default_factory=dict)
    stored_refreshes: dict[StreamKey, Stream] = field(default_factory=dict)
    late_states: list[tuple[float, StateRows]] = field(default_factory=list)
    scripts: list[list[Step]] = field(default_factory=list)
    every_script: list[Step] | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What a sync reads."""
        return selected_streams(self.catalog)

    def resumes(self, stream: Stream) -> bool:
        """Whether a full refresh of this stream goes on where an attempt stopped."""
        shown = [each["stream"] for each in self.catalog if key_of(each["stream"]) == stream.key]
        return self.destination.supports_refreshes and any(each.get("isResumable") is True for each in shown)

    @property
    def workspace_id(self) -> str:
        """The workspace that it belongs to."""
        return self.source.workspace_id

    @property
    def interval(self) -> float | None:
        """The seconds between two runs of a basic schedule, None for any other."""
        basic = (self.schedule_data or {}).get("basicSchedule")
        return basic["units"] * _SECONDS[basic["timeUnit"]] if basic else None

    @property
    def legacy_schedule(self) -> Json | None:
        """ConnectionSchedule, which knows no cron."""
        basic = (self.schedule_data or {}).get("basicSchedule")
        return {"units": basic["units"], "timeUnit": basic["timeUnit"]} if basic else None


@dataclass(frozen=True)
class Setting:
    """A property of a connection's requests and responses, and the releases that have it.

    It is kept in the attribute of the connection that is named, or else in `more`, where `default` stands for what was
    never set (None: the response leaves it out).
    """

    name: str
    attribute: str = ""
    since: str = ""
    until: str = ""
    default: Any = None
    evidence: str = "[SPEC ConnectionRead]"

    def known_to(self, era: Era) -> bool:
        """Whether servers of this era have it."""
        return within(era.release, self.since, self.until)

    def read(self, connection: Connection) -> Any:
        """The value now."""
        if self.attribute:
            return getattr(connection, self.attribute)
        return connection.more.get(self.name, self.default)

    def write(self, connection: Connection, value: Any) -> None:
        """Set it."""
        if self.attribute:
            setattr(connection, self.attribute, value)
        else:
            connection.more[self.name] = value


# What a request may set beside the name, the catalog, the status and the schedule, which have rules of their own.
SETTINGS = (
    Setting("namespaceDefinition", "namespace_definition"),
    Setting("namespaceFormat", "namespace_format"),
    Setting("prefix", "prefix"),
    Setting("operationIds", "operation_ids"),
    Setting("resourceRequirements", "resource_requirements"),
    Setting("sourceCatalogId", "catalog_id", "0.36.9"),
    Setting("geography", "", "0.40.15", "1.7.0", "auto"),
    Setting("notifySchemaChanges", "", "0.40.18", default=True),
    Setting("nonBreakingChangesPreference", "", "0.40.18", default="ignore"),
    Setting("notifySchemaChangesByEmail", "", "0.42.1", default=False),
    Setting("backfillPreference", "", "0.50.45"),
    Setting("tags", "tags", "1.6.0"),
    Setting("dataplaneGroupId", "", "1.6.0"),
    Setting("destinationCatalogId", "", "1.7.0"),
    Setting("onDemandEnabled", "", "2.1.0", default=False, evidence="[SPEC ConnectionRead b3bd59d23b]"),
)
