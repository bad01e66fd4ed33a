"""Find or start exactly one sync, reset or refresh; how is in `submitter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import (
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteRefreshUnsupportedError,
    AirbyteServerError,
)
from airflow_airbyte_ext.jobs.find import REFRESH, RESET, newest_job
from airflow_airbyte_ext.jobs.running import settled
from airflow_airbyte_ext.jobs.submitter import Submission, SubmitOptions, Submitter
from airflow_airbyte_ext.jobs.usable import check_usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.fields import RefreshMode
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.streams import StreamKey

__all__ = ["submit_refresh", "submit_reset", "submit_sync"]

# The name that later releases gave to a reset; its job is of type "reset_connection" all the same.
CLEAR_SINCE = "0.57.3"
# What Java says in the 500 of 0.63.9 to 1.3 for a refresh that is stored, and was not started since a job runs.
NO_JOB_STARTED = "No value present"


def submit_sync(
    client: AirbyteClient,
    connection_id: str,
    *,
    clock: Clock = SYSTEM_CLOCK,
    attach: bool = True,
    **options: Unpack[SubmitOptions],
) -> Submission:
    """
    Find or start exactly one sync of the connection; see `Submitter.submit`.

    Where a refresh is stored from before, Airbyte runs it as this sync, and it is returned. Where a reset is, that
    runs first and is waited for.

    :param attach: Take a sync that runs already for ours; otherwise that is an error.
    """
    submitter = Submitter(
        client,
        connection_id,
        start=lambda: client.sync_connection(connection_id=connection_id).job,
        clock=clock,
    )
    return submitter.submit(attach=attach, **options)


def submit_reset(
    client: AirbyteClient,
    connection_id: str,
    *,
    clock: Clock = SYSTEM_CLOCK,
    streams: Sequence[StreamKey] | None = None,
    **options: Unpack[SubmitOptions],
) -> Submission:
    """
    Start exactly one reset of the connection, or of single streams; see `Submitter.submit`.

    A job that runs is never taken for ours, and never cancelled: to start a reset while a sync runs cancels the sync
    silently, so let `make_way` wait for its end or cancel it.

    :param streams: The streams to empty; all when not given.
    :raises AirbyteConnectionInactiveError: The connection is paused: Airbyte would delete its state, and empty nothing.
    """

    def start() -> JobRead:
        knows_clear = client.release().is_at_least(CLEAR_SINCE)
        if streams is None:
            whole = client.clear_connection if knows_clear else client.reset_connection
            return whole(connection_id=connection_id).job
        single = client.clear_connection_stream if knows_clear else client.reset_connection_stream
        return single(connection_id=connection_id, streams=streams).job

    submitter = Submitter(
        client,
        connection_id,
        start=start,
        check=lambda: check_usable(client, connection_id, for_what="a reset"),
        clock=clock,
        kind=RESET,
    )
    return submitter.submit(attach=False, **_settling(client, connection_id, clock, options))


def submit_refresh(
    client: AirbyteClient,
    connection_id: str,
    *,
    mode: RefreshMode,
    clock: Clock = SYSTEM_CLOCK,
    streams: Sequence[StreamKey] | None = None,
    **options: Unpack[SubmitOptions],
) -> Submission:
    """
    Start exactly one refresh of the connection, or of single streams (since 0.57.2); see `Submitter.submit`.

    Airbyte stores a refresh before it starts it, and does not start it while another job runs. Then it is not
    requested again: it is waited for, or started as the connection's next run.

    :param mode: "Truncate" replaces what the destination holds, "Merge" keeps it.
    :param streams: The streams to read from the start; all when not given.
    :raises AirbyteRefreshUnsupportedError: The destination cannot be refreshed.
    :raises AirbyteConnectionInactiveError: The connection is paused: Airbyte would delete its state, and move nothing.
    """
    supports: bool | None = None
    is_read = False

    def check() -> None:
        nonlocal supports, is_read
        check_usable(client, connection_id, for_what="a refresh")
        if not is_read:
            supports, is_read = _supports_refreshes(client, connection_id), True

    def start() -> JobRead | None:
        if submitter.is_stored:
            return client.sync_connection(connection_id=connection_id).job
        try:
            response = client.refresh_connection_stream(connection_id=connection_id, refresh_mode=mode, streams=streams)
        except AirbyteServerError as error:
            if error.http_status != 500 or NO_JOB_STARTED not in str(error):
                raise
            submitter.stored()
            raise _another_runs(connection_id) from error
        if response.job is None and response.value is False:
            raise _unsupported(connection_id)
        if response.job is None and response.value is None and supports is None:
            raise AirbyteJobNotStartedError(
                f"Airbyte started no refresh of connection {connection_id}, and does not say whether it has stored it: "
                "if its destination supports refreshes, the connection's next run is that refresh.",
                connection_id=connection_id,
            )
        submitter.stored()
        if response.job is None and response.value is None:
            raise _another_runs(connection_id)
        return response.job

    submitter = Submitter(client, connection_id, start=start, check=check, clock=clock, kind=REFRESH)
    return submitter.submit(attach=False, **_settling(client, connection_id, clock, options))


def _settling(client: AirbyteClient, connection_id: str, clock: Clock, options: SubmitOptions) -> SubmitOptions:
    """Return the options, where what deletes state waits for the last state of a job that was cancelled before."""
    if options.get("make_way") is not None:
        return options
    return {
        **options,
        "make_way": lambda: settled(client, connection_id, lambda: newest_job(client, connection_id), clock=clock),
    }


def _supports_refreshes(client: AirbyteClient, connection_id: str) -> bool | None:
    """
    Return whether the destination's connector supports refreshes; None in releases that do not say (before 0.62.4).

    :raises AirbyteRefreshUnsupportedError: It does not.
    """
    version = client.web_backend_get_connection(connection_id=connection_id).destination_actor_definition_version
    supports = version.supports_refreshes if version else None
    if supports is False:
        raise _unsupported(connection_id)
    return supports


def _unsupported(connection_id: str) -> AirbyteRefreshUnsupportedError:
    return AirbyteRefreshUnsupportedError(
        f"The destination of connection {connection_id} does not support refreshes: its connector does not, or this "
        "Airbyte (before 0.63). Nothing was started. Reset the connection and sync it instead, or upgrade the "
        "connector.",
        connection_id=connection_id,
    )


def _another_runs(connection_id: str) -> AirbyteJobRunningError:
    return AirbyteJobRunningError(
        f"Airbyte has stored the refresh of connection {connection_id}, and not started it, as it does while a job "
        "runs.",
        connection_id=connection_id,
    )
