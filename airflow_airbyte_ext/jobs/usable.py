"""Whether a connection can run a job, and why not; many releases do not say so themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionDeletedError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionLockedError,
    AirbyteConnectionUnknownError,
    AirbyteConnectionUnusableError,
    AirbyteNotFoundError,
)

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.connections import ConnectionRead


def known_connection(client: AirbyteClient, connection_id: str) -> ConnectionRead:
    """
    Return a connection.

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


def connection_problem(client: AirbyteClient, connection_id: str) -> AirbyteConnectionUnusableError | None:
    """Return why the connection cannot run a job, or None where nothing is wrong with it."""
    try:
        connection = known_connection(client, connection_id)
    except AirbyteConnectionUnknownError as error:
        return error
    except AirbyteApiError:
        return None
    name = f"Connection {connection.name!r} ({connection_id})"
    match connection.status:
        case "inactive":
            return AirbyteConnectionInactiveError(
                f"{name} is inactive. Enable it in Airbyte, or take this task out.", connection_id=connection_id
            )
        case "deprecated":
            return AirbyteConnectionDeletedError(
                f"{name} was deleted in Airbyte. Give the id of the connection that took its place.",
                connection_id=connection_id,
            )
        case "locked":
            reason = f" ({connection.status_reason})" if connection.status_reason else ""
            return AirbyteConnectionLockedError(
                f"{name} is locked by Airbyte{reason}. Unlock it there.", connection_id=connection_id
            )
        case _:
            return None
