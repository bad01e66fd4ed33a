"""Operators that find, change and guard Airbyte connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_airbyte_ext.api.arguments import flag_argument, one_of, optional, switch_argument, uuid_argument
from airflow_airbyte_ext.connections.schedule import schedule_argument, time_zone_argument
from airflow_airbyte_ext.connections.target import (
    TARGET_CHECKS,
    TARGET_FIELDS,
    check_target,
    resolve_connection,
    text_argument,
)
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.retries import no_retry_for_permanent_errors
from airflow_airbyte_ext.operators.schema import COLOUR, AirbyteCheckSchemaOperator, cell, log_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.models.web_backend import WebBackendConnectionListItem
    from airflow_airbyte_ext.connections.change import ConnectionUpdateResult

__all__ = ["AirbyteCheckSchemaOperator", "AirbyteListConnectionsOperator", "AirbyteUpdateConnectionOperator"]

_NOTHING_ASKED = "Give what is to be changed: status, schedule or changes."
STATUS = one_of("active", "inactive")


def _tags_argument(name: str, value: Any) -> list[str]:
    return [text_argument(name, tag) for tag in ([value] if isinstance(value, str) else value)]


class AirbyteListConnectionsOperator(CheckedArguments, BaseOperator):
    """
    Find the connections of an Airbyte workspace, to map other tasks over.

    Returns a list of `connection_id`, `name`, `status`, `source`, `destination`, `tags` and `schedule_type`, by name.

    :param workspace_id: The workspace: a UUID. (templated)
    :param name: Their name, or a pattern such as "Orders*"; case matters. (templated)
    :param tags: Names of tags, all of which they must have (Airbyte 1.6.0 and later). (templated)
    :param source: Id or name of their source. (templated)
    :param destination: Id or name of their destination. (templated)
    :param status: "active" or "inactive"; None for both. (templated)
    :param fail_if_none: Fail where there is none; otherwise that is a warning, and tasks mapped over it are skipped.
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
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
        """Ask Airbyte for all connections of the workspace, and choose."""
        from airflow_airbyte_ext.connections.find import find_connections

        with no_retry_for_permanent_errors():
            wanted = self._wanted()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            found = [_listed(row) for row in find_connections(client, **wanted)]
            if not found:
                asked = ", ".join(f"{name} {value!r}" for name, value in wanted.items() if value is not None)
                nothing = f"There is no connection with {asked}. Check them against what Airbyte shows."
                if self.fail_if_none:
                    raise AirbyteConfigurationError(nothing)
                self.log.warning("%s", nothing)
        self._show(found)
        return found

    def _wanted(self) -> dict[str, Any]:
        names = ("workspace_id", "name", "source", "destination", "tags", "status")
        wanted = {name: self.argument_checks[name](name, getattr(self, name)) for name in names}
        return {name: value for name, value in wanted.items() if value is not None}

    def _show(self, found: Sequence[Mapping[str, Any]]) -> None:
        columns = ("name", "connection_id", "status", "source", "destination", "tags")
        rows = [(*(str(row[name]) for name in columns[:-1]), ", ".join(row["tags"])) for row in found]
        self.log.info("Found %s connection%s", len(found), "" if len(found) == 1 else "s")
        log_table(self.log, ("name", "id", *columns[2:]), rows)


class AirbyteUpdateConnectionOperator(CheckedArguments, BaseOperator):
    """
    Change an Airbyte connection: pause it, give it another schedule, or change other settings.

    Only what differs is sent; nothing where all is as asked already. Airbyte's answer is checked afterwards. Returns
    `connection_id`, `changes` (`path`, `before` and `after` of each) and `applied`.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its name instead, with `workspace_id`; looked up when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named. (templated)
    :param status: "active" or "inactive". (templated)
    :param schedule: "manual", a Quartz cron expression such as "0 0 3 * * ?", or {"units": 6, "timeUnit": "hours"}.
        (templated)
    :param schedule_time_zone: What a cron expression is read in, such as "Europe/Berlin". (templated)
    :param changes: Other settings by name, such as {"prefix": "raw_"} or {"tags": ["daily"]}; see docs/operators.md.
        (templated)
    :param dry_run: Show what would change, and send nothing. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    """

    template_fields: Sequence[str] = (
        *TARGET_FIELDS,
        "status",
        "schedule",
        "schedule_time_zone",
        "changes",
        "dry_run",
        "airbyte_conn_id",
    )
    argument_checks: ClassVar = {
        **TARGET_CHECKS,
        "status": optional(STATUS),
        "schedule": optional(schedule_argument),
        "schedule_time_zone": time_zone_argument,
        "dry_run": flag_argument,
    }
    ui_color = COLOUR

    def __init__(
        self,
        *,
        connection_id: str | None = None,
        connection_name: str | None = None,
        workspace_id: str | None = None,
        status: str | None = None,
        schedule: str | Mapping[str, Any] | None = None,
        schedule_time_zone: str = "UTC",
        changes: Mapping[str, Any] | None = None,
        dry_run: bool | str = False,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_target(connection_id, connection_name, workspace_id)
        if status is None and schedule is None and changes is None:
            raise AirbyteConfigurationError(_NOTHING_ASKED)
        self.connection_id = connection_id
        self.connection_name = connection_name
        self.workspace_id = workspace_id
        self.status = status
        self.schedule = schedule
        self.schedule_time_zone = schedule_time_zone
        self.changes = changes
        # Airflow's own operators have a method of this name.
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.airbyte_conn_id = airbyte_conn_id
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Compare, send what differs, and check the answer."""
        from airflow_airbyte_ext.connections.change import apply_changes

        with no_retry_for_permanent_errors():
            changes, is_dry = self._wanted(), flag_argument("dry_run", self.dry_run)
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = resolve_connection(client, self.connection_id, self.connection_name, self.workspace_id)
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
            raise AirbyteConfigurationError(_NOTHING_ASKED)
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
