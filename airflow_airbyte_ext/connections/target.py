"""Which Airbyte connection a task is about: named by its id, or by its name in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.arguments import TEMPLATE_HINT, optional, uuid_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient

_TWO_WAYS = "Give connection_id, or connection_name and workspace_id"
TARGET_FIELDS = ("connection_id", "connection_name", "workspace_id")
"""The arguments that name a connection; all of them are templated."""


def check_target(connection_id: object, connection_name: object, workspace_id: object) -> None:
    """
    Check that a connection is named in exactly one way; for constructors, so templates are not looked into.

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

    Nothing is asked where the id is given: it may be of no connection.

    :raises AirbyteConfigurationError: An argument is wrong, or rendered to nothing; or the workspace has no connection
        of this name, or several.
    :raises AirbyteApiError: Airbyte could not be asked.
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
