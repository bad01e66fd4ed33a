"""Whether a connection can run a job, and why not; many releases do not say so themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.known import deleted_error, known_connection
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionLockedError,
    AirbyteConnectionUnknownError,
    AirbyteConnectionUnusableError,
)

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient


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
            return deleted_error(connection)
        case "locked":
            reason = f" ({connection.status_reason})" if connection.status_reason else ""
            return AirbyteConnectionLockedError(
                f"{name} is locked by Airbyte{reason}. Unlock it there.", connection_id=connection_id
            )
        case _:
            return None
