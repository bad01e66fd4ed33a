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
    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.jobs.report import JobReport

# Since then a run of a connection that is not active ends cancelled; before it succeeded (facts, 3.3).
CANCELS_INACTIVE_SINCE = "0.58.1"


def connection_problem(client: AirbyteClient, connection_id: str) -> AirbyteConnectionUnusableError | None:
    """Return why the connection cannot run a job, or None where nothing is wrong with it, or it cannot be read."""
    try:
        return _problem_of(known_connection(client, connection_id))
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
    problem = _problem_of(known_connection(client, connection_id))
    if isinstance(problem, AirbyteConnectionInactiveError | AirbyteConnectionLockedError):
        raise type(problem)(
            f"{problem} On a connection that is not active, {for_what} would delete state and move nothing, so it was "
            "not sent.",
            connection_id=connection_id,
        )
    if problem:
        raise problem


def why_nothing_moved(client: AirbyteClient, report: JobReport) -> str:
    """Say that a job moved nothing because its connection is not active; nothing where that is not the reason."""
    cancels = client.release().is_at_least(CANCELS_INACTIVE_SINCE)
    is_suspect = report.status == "cancelled" or (
        report.status == "succeeded" and not report.records_synced and not cancels
    )
    if not is_suspect or not report.connection_id:
        return ""
    problem = connection_problem(client, report.connection_id)
    if not isinstance(problem, AirbyteConnectionInactiveError | AirbyteConnectionLockedError):
        return ""
    return f"{problem} While a connection is not active, Airbyte ends its jobs, and moves nothing."


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
