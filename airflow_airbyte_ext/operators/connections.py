"""Operators that find, change and guard Airbyte connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_airbyte_ext.api.arguments import flag_argument, one_of, optional, switch_argument, uuid_argument
from airflow_airbyte_ext.connections.schedule import schedule_argument, time_zone_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteSchemaChangedError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.target import ConnectionTask, text_argument
from airflow_airbyte_ext.hooks.task import no_retry_for_permanent_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.web_backend import WebBackendConnectionListItem
    from airflow_airbyte_ext.connections.schema import SchemaChange
    from airflow_airbyte_ext.connections.update import ConnectionUpdateResult

__all__ = ["AirbyteCheckSchemaOperator", "AirbyteListConnectionsOperator", "AirbyteUpdateConnectionOperator"]

COLOUR = "#e4fff1"
MAX_NAMED = 10
_NOTHING_TO_CHANGE = "Give what is to be changed: status, schedule or changes."
STATUS = one_of("active", "inactive")


def _tags_argument(name: str, value: Any) -> list[str]:
    return [text_argument(name, tag) for tag in ([value] if isinstance(value, str) else value)]


class AirbyteListConnectionsOperator(CheckedArguments, BaseOperator):
    """
    Find the connections of an Airbyte workspace, to map other tasks over.

    Returns a list of `connection_id`, `name`, `status`, `source`, `destination`, `tags` and `schedule_type`, by name.

    :param workspace_id: The workspace: a UUID. (templated)
    :param name: Their name. Where no connection has exactly this name it is a pattern: `*`, `?` and `[...]`, as for
        files. Case matters. (templated)
    :param tags: Names of tags, all of which they must have (Airbyte 1.6.0 and later). (templated)
    :param source: Id or name of their source. (templated)
    :param destination: Id or name of their destination. (templated)
    :param status: "active", "inactive", or None for both; deleted ones are never found. (templated)
    :param fail_if_none: Fail without retries where there is none. Otherwise that is a warning, the list is empty, and
        Airflow skips what is mapped over it.
    :param airbyte_conn_id: The Airflow Connection that points at Airbyte. (templated)
    """

    template_fields: Sequence[str] = (
        "workspace_id",
        "name",
        "tags",
        "source",
        "destination",
        "status",
        "airbyte_conn_id",
    )
    argument_checks: ClassVar = {
        "workspace_id": uuid_argument,
        **dict.fromkeys(("name", "source", "destination"), optional(text_argument)),
        "tags": optional(_tags_argument),
        "status": optional(STATUS),
        "fail_if_none": switch_argument,
    }
    ui_color = COLOUR

    def __init__(
        self,
        *,
        workspace_id: str,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        source: str | None = None,
        destination: str | None = None,
        status: str | None = "active",
        fail_if_none: bool = False,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workspace_id = workspace_id
        self.name = name
        self.tags = tags
        self.source = source
        self.destination = destination
        self.status = status
        self.fail_if_none = fail_if_none
        self.airbyte_conn_id = airbyte_conn_id
        self.check_parsed()

    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002
        """Read all connections of the workspace, and choose."""
        from airflow_airbyte_ext.connections.find import find_connections

        with no_retry_for_permanent_errors():
            wanted = self._wanted()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            found = [_listed(row) for row in find_connections(client, **wanted)]
            if not found:
                requested = ", ".join(f"{name} {value!r}" for name, value in wanted.items() if value is not None)
                nothing = f"There is no connection with {requested}. Check them against what Airbyte shows."
                if self.fail_if_none:
                    raise AirbyteConfigurationError(nothing)
                self.log.warning("%s", nothing)
        self._show(found)
        return found

    def _wanted(self) -> dict[str, Any]:
        given = self.check_rendered()
        names = ("workspace_id", "name", "source", "destination", "tags", "status")
        return {name: given[name] for name in names if given[name] is not None}

    def _show(self, found: Sequence[Mapping[str, Any]]) -> None:
        columns = ("name", "connection_id", "status", "source", "destination", "tags")
        rows = [(*(str(row[name]) for name in columns[:-1]), ", ".join(row["tags"])) for row in found]
        self.log.info("Found %s connection%s", len(found), "" if len(found) == 1 else "s")
        log_table(self.log, ("name", "id", *columns[2:]), rows)


class AirbyteUpdateConnectionOperator(ConnectionTask):
    """
    Change an Airbyte connection: pause it, give it another schedule, or change other settings.

    Only what differs is sent; nothing where all is as requested already. Airbyte's response is checked. Returns
    `connection_id`, `changes` (`path`, `before` and `after` of each) and `applied`.

    Other arguments are those of `ConnectionTask`.

    :param status: "active" or "inactive". (templated)
    :param schedule: "manual", a Quartz cron expression such as "0 0 3 * * ?", or {"units": 6, "timeUnit": "hours"}.
        Before Airbyte 0.40.0 units alone. An expression has six fields, or seven with a year, and is checked before it
        is sent. (templated)
    :param schedule_time_zone: What a cron expression is read in, such as "Europe/Berlin"; Airbyte refuses zones that
        begin with `Etc`. (templated)
    :param changes: Other settings by name, such as {"prefix": "raw_"} or {"tags": ["daily"]}; see docs/operators.md.
        (templated)
    :param dry_run: Show what would change, and send nothing. (templated)
    """

    template_fields: Sequence[str] = (
        *ConnectionTask.template_fields,
        "status",
        "schedule",
        "schedule_time_zone",
        "changes",
        "dry_run",
    )
    argument_checks: ClassVar = {
        **ConnectionTask.argument_checks,
        "status": optional(STATUS),
        "schedule": optional(schedule_argument),
        "schedule_time_zone": time_zone_argument,
        "dry_run": flag_argument,
    }
    ui_color = COLOUR

    def __init__(
        self,
        *,
        status: str | None = None,
        schedule: str | Mapping[str, Any] | None = None,
        schedule_time_zone: str = "UTC",
        changes: Mapping[str, Any] | None = None,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if status is None and schedule is None and changes is None:
            raise AirbyteConfigurationError(_NOTHING_TO_CHANGE)
        self.status = status
        self.schedule = schedule
        self.schedule_time_zone = schedule_time_zone
        self.changes = changes
        # Airflow's own operators have a method of this name.
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Compare, send what differs, and check the response."""
        from airflow_airbyte_ext.connections.update import apply_changes

        with no_retry_for_permanent_errors():
            changes, is_dry = self._wanted(), flag_argument("dry_run", self.dry_run)
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = self.find_connection(client)
            result = apply_changes(
                client,
                connection_id,
                changes,
                schedule=self.schedule,
                schedule_time_zone=self.schedule_time_zone,
                dry_run=is_dry,
            )
        self._show(result, is_dry=is_dry)
        return {
            "connection_id": connection_id,
            "changes": [{"path": each.path, "before": each.before, "after": each.after} for each in result.changes],
            "applied": result.applied,
        }

    def _wanted(self) -> dict[str, Any]:
        changes = dict(self.changes or {})
        friendly = {"status": self.status, "schedule": self.schedule}
        twice = [name for name, value in friendly.items() if value is not None and name in changes]
        if twice:
            raise AirbyteConfigurationError(f"{' and '.join(twice)} is given twice: by itself, and within changes.")
        if self.status is not None:
            changes["status"] = STATUS("status", self.status)
        if not changes and self.schedule is None:
            raise AirbyteConfigurationError(_NOTHING_TO_CHANGE)
        return changes

    def _show(self, result: ConnectionUpdateResult, *, is_dry: bool) -> None:
        scheduling = [each for each in result.changes if each.path.startswith("schedule")]
        scheduling.sort(key=lambda each: each.path != "schedule_type")
        before, after = (
            ", ".join(str(value) for value in values if value is not None)
            for values in ([each.before for each in scheduling], [each.after for each in scheduling])
        )
        rows = [("schedule", f"{cell(before)} -> {cell(after)}")] if scheduling else []
        rows += [
            (each.path, f"{cell(each.before)} -> {cell(each.after)}")
            for each in result.changes
            if each not in scheduling
        ]
        self.log.info("Connection %r (%s)", result.name, result.connection_id)
        log_table(self.log, ("setting", "before -> after"), rows)
        if not result.changes:
            self.log.info("It is as requested already: nothing was sent.")
        elif is_dry:
            self.log.info("This was a dry run: nothing was sent.")
        else:
            self.log.info("It was changed, and Airbyte's response says so.")


def _listed(row: WebBackendConnectionListItem) -> dict[str, Any]:
    from airflow_airbyte_ext.connections.find import name_of

    return {
        "connection_id": row.connection_id,
        "name": row.name,
        "status": row.status,
        "source": name_of(row.source),
        "destination": name_of(row.destination),
        "tags": sorted(tag.name or "" for tag in row.tags),
        "schedule_type": row.schedule_type,
    }


class AirbyteCheckSchemaOperator(ConnectionTask):
    """
    Discover what a connection's source has now, before a sync stumbles over it; the connection is left as it is.

    Returns `connection_id`, `breaking` and `changes` (`stream`, `kind`, `field`, `before`, `after` and `is_breaking` of
    each). Discovering a schema takes Airbyte from seconds to minutes.

    Other arguments are those of `ConnectionTask`.

    :param on_breaking: What to do about changes that syncs stumble over, such as a stream or a cursor that is gone:
        "fail" without retries, "warn", or "skip" this task and those after it. (templated)
    :param on_change: What to do about other changes: "ignore", "warn", "fail" or "skip". (templated)
    """

    template_fields: Sequence[str] = (*ConnectionTask.template_fields, "on_breaking", "on_change")
    argument_checks: ClassVar = {
        **ConnectionTask.argument_checks,
        "on_breaking": one_of("fail", "warn", "skip"),
        "on_change": one_of("ignore", "warn", "fail", "skip"),
    }
    ui_color = COLOUR

    def __init__(self, *, on_breaking: str = "fail", on_change: str = "ignore", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_breaking = on_breaking
        self.on_change = on_change
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Discover, compare, and fail, skip or go on."""
        from airflow_airbyte_ext.connections.schema import discover_changes

        with no_retry_for_permanent_errors():
            self.check_rendered()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = self.find_connection(client)
            changes = discover_changes(client, connection_id)
            self._show(changes)
            self._act(connection_id, changes)
        return {
            "connection_id": connection_id,
            "breaking": any(change.is_breaking for change in changes),
            "changes": [vars(change) for change in changes],
        }

    def _show(self, changes: Sequence[SchemaChange]) -> None:
        rows = [
            (
                each.stream,
                each.field or "",
                each.kind.replace("_", " "),
                "" if each.before is None and each.after is None else f"{cell(each.before)} -> {cell(each.after)}",
                "yes" if each.is_breaking else "no",
            )
            for each in changes
        ]
        if changes:
            count = f"{len(changes)} place{'' if len(changes) == 1 else 's'}"
            self.log.info("The source differs from the connection in %s.", count)
        else:
            self.log.info("The source is as the connection expects it.")
        log_table(self.log, ("stream", "field", "change", "before -> after", "breaking"), rows)

    def _act(self, connection_id: str, changes: Sequence[SchemaChange]) -> None:
        """Do what is requested about each kind of change: fail wins over skip, and skip over warn."""
        breaking = [change for change in changes if change.is_breaking]
        others = [change for change in changes if not change.is_breaking]
        requested = [(self.on_breaking, breaking), (self.on_change, others)]
        for action in ("fail", "skip", "warn"):
            shown = [change for wanted, found in requested if wanted == action for change in found]
            if not shown:
                continue
            message = _described(connection_id, shown)
            if action == "fail":
                raise AirbyteSchemaChangedError(message, connection_id=connection_id)
            if action == "skip":
                raise AirflowSkipException(message)
            self.log.warning("%s", message)


def _described(connection_id: str, changes: Sequence[SchemaChange]) -> str:
    named = "; ".join(map(str, changes[:MAX_NAMED]))
    more = f"; and {len(changes) - MAX_NAMED} more" if len(changes) > MAX_NAMED else ""
    return (
        f"The source of connection {connection_id} has changed: {named}{more}. "
        "Check the connection's schema in Airbyte, and refresh it there."
    )


def cell(value: Any) -> str:
    """Return a value for a table."""
    return "none" if value in (None, "", []) else str(value)


def log_table(log: Any, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show a table in a task's log; nothing where it has no rows."""
    from airflow_airbyte_ext.tables import table_lines

    for line in table_lines(columns, rows) if rows else []:
        log.info("%s", line)
