"""Which Airbyte connection a task is about: named by its id, or by its name in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_airbyte_ext.api.arguments import TEMPLATE_HINT, optional, uuid_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID
from airflow_airbyte_ext.hooks.arguments import CheckedArguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient

_TWO_WAYS = "Give connection_id, or connection_name and workspace_id"
TARGET_FIELDS = ("connection_id", "connection_name", "workspace_id")
"""The arguments that name a connection; all of them are templated."""


def check_target(connection_id: object, connection_name: object, workspace_id: object) -> None:
    """
    Check that a connection is named in exactly one way; their values are not checked.

    :raises AirbyteConfigurationError: Says which arguments are given, and which are wanted.
    """
    values = (connection_id, connection_name, workspace_id)
    given = [name for name, value in zip(TARGET_FIELDS, values, strict=True) if value is not None]
    if given not in (["connection_id"], ["connection_name", "workspace_id"]):
        raise AirbyteConfigurationError(f"{_TWO_WAYS}; given: {' and '.join(given) or 'none of them'}.")


def resolve_connection(
    client: AirbyteClient, connection_id: object, connection_name: object, workspace_id: object
) -> str:
    """
    Return the id of the connection that is named by its id, or by its name in a workspace.

    No request is sent where the id is given: it may be of no connection.

    :raises AirbyteConfigurationError: An argument is wrong, or rendered to nothing; or the workspace has no connection
        of this name, or several.
    :raises AirbyteApiError: A request failed.
    """
    from airflow_airbyte_ext.connections.find import connection_by_name

    check_target(connection_id, connection_name, workspace_id)
    if connection_id is not None:
        return uuid_argument("connection_id", connection_id)
    name = text_argument("connection_name", connection_name)
    workspace = uuid_argument("workspace_id", workspace_id)
    return connection_by_name(client, workspace_id=workspace, name=name).connection_id


def text_argument(name: str, value: object) -> str:
    """
    Return a text that says something.

    :raises AirbyteConfigurationError: It is empty, or what a template makes of nothing.
    """
    text = str(value)
    if text.strip() in ("", "None"):
        raise AirbyteConfigurationError(f"{name} is {value!r}, which names nothing. {TEMPLATE_HINT}")
    return text


TARGET_CHECKS = {
    "connection_id": optional(uuid_argument),
    "connection_name": optional(text_argument),
    "workspace_id": optional(uuid_argument),
}
"""How each of them is checked; `check_target` checks that the right ones are given."""


class ConnectionTask(CheckedArguments, BaseOperator):
    """
    A task about one Airbyte connection.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its exact name instead, with `workspace_id`; resolved when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named: a UUID. (templated)
    :param airbyte_conn_id: The Airflow Connection that points at Airbyte. (templated)
    """

    template_fields: Sequence[str] = (*TARGET_FIELDS, "airbyte_conn_id")
    argument_checks: ClassVar = TARGET_CHECKS

    def __init__(
        self,
        *,
        connection_id: str | None = None,
        connection_name: str | None = None,
        workspace_id: str | None = None,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_target(connection_id, connection_name, workspace_id)
        self.connection_id = connection_id
        self.connection_name = connection_name
        self.workspace_id = workspace_id
        self.airbyte_conn_id = airbyte_conn_id

    def find_connection(self, client: AirbyteClient) -> str:
        """Return the id of the connection; see `resolve_connection`."""
        return resolve_connection(client, self.connection_id, self.connection_name, self.workspace_id)
