"""The schema guard; users import the operator from `operators.connections`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_airbyte_ext.api.arguments import one_of
from airflow_airbyte_ext.connections.target import TARGET_CHECKS, TARGET_FIELDS, check_target, resolve_connection
from airflow_airbyte_ext.exceptions import AirbyteSchemaChangedError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID, AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.retries import no_retry_for_permanent_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.connections.schema import SchemaChange

COLOUR = "#e4fff1"
_MOST_NAMED = 10


class AirbyteCheckSchemaOperator(CheckedArguments, BaseOperator):
    """
    Ask a connection's source what it has now, before a sync stumbles over it; the connection is left as it is.

    Returns `connection_id`, `breaking` and `changes` (`stream`, `kind`, `field`, `before`, `after` and `is_breaking` of
    each). Discovering a schema takes Airbyte from seconds to minutes.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its name instead, with `workspace_id`; looked up when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named. (templated)
    :param on_breaking: What to do about changes that syncs stumble over, such as a stream or a cursor that is gone:
        "fail", "warn", or "skip" this task and those after it. (templated)
    :param on_change: What to do about other changes: "ignore", "warn", "fail" or "skip". (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    """

    template_fields: Sequence[str] = (*TARGET_FIELDS, "on_breaking", "on_change", "airbyte_conn_id")
    argument_checks: ClassVar = {
        **TARGET_CHECKS,
        "on_breaking": one_of("fail", "warn", "skip"),
        "on_change": one_of("ignore", "warn", "fail", "skip"),
    }
    ui_color = COLOUR

    def __init__(
        self,
        *,
        connection_id: str | None = None,
        connection_name: str | None = None,
        workspace_id: str | None = None,
        on_breaking: str = "fail",
        on_change: str = "ignore",
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_target(connection_id, connection_name, workspace_id)
        self.connection_id = connection_id
        self.connection_name = connection_name
        self.workspace_id = workspace_id
        self.on_breaking = on_breaking
        self.on_change = on_change
        self.airbyte_conn_id = airbyte_conn_id
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Discover, compare, and fail, skip or go on."""
        from airflow_airbyte_ext.connections.schema import discover_changes

        with no_retry_for_permanent_errors():
            self.check_rendered()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = resolve_connection(client, self.connection_id, self.connection_name, self.workspace_id)
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
        """Do what is asked for about each kind of change: to fail goes before to skip, and that before to warn."""
        breaking = [change for change in changes if change.is_breaking]
        others = [change for change in changes if not change.is_breaking]
        asked = [(self.on_breaking, breaking), (self.on_change, others)]
        for action in ("fail", "skip", "warn"):
            told = [change for wanted, found in asked if wanted == action for change in found]
            if not told:
                continue
            message = _story(connection_id, told)
            if action == "fail":
                raise AirbyteSchemaChangedError(message, connection_id=connection_id)
            if action == "skip":
                raise AirflowSkipException(message)
            self.log.warning("%s", message)


def _story(connection_id: str, changes: Sequence[SchemaChange]) -> str:
    named = "; ".join(map(str, changes[:_MOST_NAMED]))
    more = f"; and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
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
