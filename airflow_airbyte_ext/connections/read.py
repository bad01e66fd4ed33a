"""Read a connection that is to be changed or compared."""

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


def existing_connection(client: AirbyteClient, connection_id: str) -> ConnectionRead:
    """
    Return a connection, whether active or not.

    :raises AirbyteConnectionUnknownError: The server does not have it.
    :raises AirbyteConnectionDeletedError: It was deleted.
    :raises AirbyteApiError: Airbyte could not be asked.
    """
    try:
        connection = client.get_connection(connection_id=connection_id)
    except AirbyteNotFoundError:
        raise AirbyteConnectionUnknownError(
            f"{client.settings.base_url} has no connection {connection_id}. Check the id, and that the Airflow "
            "Connection points at the right Airbyte.",
            connection_id=connection_id,
        ) from None
    if connection.status == "deprecated":
        raise AirbyteConnectionDeletedError(
            f"Connection {connection.name!r} ({connection_id}) was deleted in Airbyte. Give the id of the connection "
            "that took its place.",
            connection_id=connection_id,
        )
    return connection
