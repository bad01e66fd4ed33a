"""How a sync, a reset and a refresh are submitted; what they share is in `submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.exceptions import (
    AirbyteJobNotStartedError,
    AirbyteJobRunningError,
    AirbyteRefreshUnsupportedError,
    AirbyteServerError,
)
from airflow_airbyte_ext.jobs.reader import REFRESH, RESET, SYNC
from airflow_airbyte_ext.jobs.submit import JobSubmitter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.fields import RefreshMode
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.streams import StreamKey

# The name that later releases gave to a reset; its job is of type "reset_connection" all the same.
CLEAR_SINCE = "0.57.3"
# What Java says in the 500 of 0.63.9 to 1.3 for a refresh that is stored, and was not started since a job runs.
NO_JOB_STARTED = "No value present"


class SyncSubmitter(JobSubmitter):
    """
    Finds or starts exactly one sync of a connection.

    Where a refresh is stored from before, Airbyte runs it as this sync, and it is returned. Where a reset is, that
    runs first and is waited for.

    :param client: Speaks to Airbyte.
    :param connection_id: The connection.
    :param attach: Take a sync that runs already for ours; otherwise that is an error.
    :param clock: Waits before the next poll.
    """

    kind = SYNC

    def __init__(
        self, client: AirbyteClient, connection_id: str, *, attach: bool = True, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        super().__init__(client, connection_id, attach=attach, clock=clock)

    def _request(self) -> JobRead:
        return self._client.sync_connection(connection_id=self._connection_id).job


class ResetSubmitter(JobSubmitter):
    """
    Starts exactly one reset of a connection, or of single streams.

    A job that runs is never taken for ours, and never cancelled: to start a reset while a sync runs cancels the sync
    silently, so let `Prepare` wait for its end or cancel it. On a paused connection Airbyte would delete the state, and
    empty nothing: that is an `AirbyteConnectionInactiveError`.

    :param client: Speaks to Airbyte.
    :param connection_id: The connection.
    :param streams: The streams to empty; all when not given.
    :param clock: Waits before the next poll.
    """

    kind = RESET
    deletes_state = True

    def __init__(
        self,
        client: AirbyteClient,
        connection_id: str,
        *,
        streams: Sequence[StreamKey] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(client, connection_id, clock=clock)
        self._streams = streams

    def _request(self) -> JobRead:
        client, connection_id, streams = self._client, self._connection_id, self._streams
        knows_clear = client.release().is_at_least(CLEAR_SINCE)
        if streams is None:
            whole = client.clear_connection if knows_clear else client.reset_connection
            return whole(connection_id=connection_id).job
        single = client.clear_connection_stream if knows_clear else client.reset_connection_stream
        return single(connection_id=connection_id, streams=streams).job


class RefreshSubmitter(JobSubmitter):
    """
    Starts exactly one refresh of a connection, or of single streams (since 0.57.2).

    Airbyte stores a refresh before it starts it, and does not start it while another job runs. Then it is not
    requested again: it is waited for, or started as the connection's next run. A destination that cannot refresh is an
    `AirbyteRefreshUnsupportedError`; a paused connection, whose state Airbyte would delete while it moves nothing, an
    `AirbyteConnectionInactiveError`.

    :param client: Speaks to Airbyte.
    :param connection_id: The connection.
    :param mode: "Truncate" replaces what the destination holds, "Merge" keeps it.
    :param streams: The streams to read from the start; all when not given.
    :param clock: Waits before the next poll.
    """

    kind = REFRESH
    deletes_state = True

    def __init__(
        self,
        client: AirbyteClient,
        connection_id: str,
        *,
        mode: RefreshMode,
        streams: Sequence[StreamKey] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(client, connection_id, clock=clock)
        self._mode = mode
        self._streams = streams
        self._is_read = False
        # None in releases that do not say, before 0.62.4.
        self._supports: bool | None = None

    def _check(self) -> None:
        super()._check()
        if self._is_read:
            return
        connection = self._client.web_backend_get_connection(connection_id=self._connection_id)
        version = connection.destination_actor_definition_version
        self._supports, self._is_read = version.supports_refreshes if version else None, True
        if self._supports is False:
            raise self._unsupported()

    def _request(self) -> JobRead | None:
        client, connection_id = self._client, self._connection_id
        if self.is_stored:
            return client.sync_connection(connection_id=connection_id).job
        try:
            response = client.refresh_connection_stream(
                connection_id=connection_id, refresh_mode=self._mode, streams=self._streams
            )
        except AirbyteServerError as error:
            if error.http_status != 500 or NO_JOB_STARTED not in str(error):
                raise
            self.stored()
            raise self._another_runs() from error
        if response.job is None and response.value is False:
            raise self._unsupported()
        if response.job is None and response.value is None and self._supports is None:
            raise AirbyteJobNotStartedError(
                f"Airbyte started no refresh of connection {connection_id}, and does not say whether it has stored it: "
                "if its destination supports refreshes, the connection's next run is that refresh.",
                connection_id=connection_id,
            )
        self.stored()
        if response.job is None and response.value is None:
            raise self._another_runs()
        return response.job

    def _unsupported(self) -> AirbyteRefreshUnsupportedError:
        return AirbyteRefreshUnsupportedError(
            f"The destination of connection {self._connection_id} does not support refreshes: its connector does not, "
            "or this Airbyte (before 0.63). Nothing was started. Reset the connection and sync it instead, or upgrade "
            "the connector.",
            connection_id=self._connection_id,
        )

    def _another_runs(self) -> AirbyteJobRunningError:
        return AirbyteJobRunningError(
            f"Airbyte has stored the refresh of connection {self._connection_id}, and not started it, as it does while "
            "a job runs.",
            connection_id=self._connection_id,
        )
