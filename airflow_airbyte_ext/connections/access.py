"""A connection that can be used, or the error that says why not: many releases do not say so themselves."""

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


def get_connection_or_explain(client: AirbyteClient, connection_id: str) -> ConnectionRead:
    """
    Return a connection; a deleted one, too.

    :raises AirbyteConnectionUnknownError: The server does not have it; says what to do.
    :raises AirbyteApiError: A request failed.
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
    :raises AirbyteApiError: A request failed.
    """
    connection = get_connection_or_explain(client, connection_id)
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


def connection_problem(client: AirbyteClient, connection_id: str) -> AirbyteConnectionUnusableError | None:
    """Return why the connection cannot run a job, or None where nothing is wrong with it, or it cannot be read."""
    try:
        return _problem_of(get_connection_or_explain(client, connection_id))
    except AirbyteConnectionUnknownError as error:
        return error
    except AirbyteApiError:
        return None


def check_usable(client: AirbyteClient, connection_id: str, *, for_what: str) -> None:
    """
    Check that the connection is active, before something is started that deletes state.

    No release of Airbyte refuses this: the state is deleted (since 0.62.0), and the destination stays as it is.

    :param for_what: What is to be started, such as "a reset".
    :raises AirbyteConnectionUnusableError: It is inactive, deleted, locked or unknown.
    :raises AirbyteApiError: It could not be read.
    """
    problem = _problem_of(get_connection_or_explain(client, connection_id))
    if isinstance(problem, AirbyteConnectionInactiveError | AirbyteConnectionLockedError):
        raise type(problem)(
            f"{problem} On a connection that is not active, {for_what} would delete state and move nothing, so it was "
            "not sent.",
            connection_id=connection_id,
        )
    if problem:
        raise problem


def _problem_of(connection: ConnectionRead) -> AirbyteConnectionUnusableError | None:
    name = f"Connection {connection.name!r} ({connection.connection_id})"
    match connection.status:
        case "inactive":
            by_airbyte = (
                " Airbyte may have paused it itself, since the source's schema has a breaking change."
                if getattr(connection, "breaking_change", None)
                else ""
            )
            return AirbyteConnectionInactiveError(
                f"{name} is inactive.{by_airbyte} Enable it in Airbyte, or take this task out.",
                connection_id=connection.connection_id,
            )
        case "deprecated":
            return deleted_error(connection)
        case "locked":
            reason = f" ({connection.status_reason})" if connection.status_reason else ""
            return AirbyteConnectionLockedError(
                f"{name} is locked by Airbyte{reason}. Unlock it there.", connection_id=connection.connection_id
            )
        case _:
            return None
