"""A connection that is there, or the error that says that it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionDeletedError,
    AirbyteConnectionUnknownError,
    AirbyteNotFoundError,
)

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.connections import ConnectionRead


def known_connection(client: AirbyteClient, connection_id: str) -> ConnectionRead:
    """
    Return a connection; a deleted one, too.

    :raises AirbyteConnectionUnknownError: The server does not have it; says what to do.
    :raises AirbyteApiError: Airbyte could not be asked.
    """
    try:
        return client.get_connection(connection_id=connection_id)
    except AirbyteNotFoundError:
        raise AirbyteConnectionUnknownError(
            f"{client.settings.base_url} has no connection {connection_id}. Check the id, and that the Airflow "
            "Connection points at the right Airbyte.",
            connection_id=connection_id,
        ) from None


def existing_connection(client: AirbyteClient, connection_id: str) -> ConnectionRead:
    """
    Return a connection, whether active or not.

    :raises AirbyteConnectionUnknownError: The server does not have it.
    :raises AirbyteConnectionDeletedError: It was deleted.
    :raises AirbyteApiError: Airbyte could not be asked.
    """
    connection = known_connection(client, connection_id)
    if connection.status == "deprecated":
        raise deleted_error(connection)
    return connection


def deleted_error(connection: ConnectionRead) -> AirbyteConnectionDeletedError:
    """Return the error for a connection that was deleted, which Airbyte keeps as status `deprecated`."""
    return AirbyteConnectionDeletedError(
        f"Connection {connection.name!r} ({connection.connection_id}) was deleted in Airbyte. Give the id of the "
        "connection that took its place.",
        connection_id=connection.connection_id,
    )
