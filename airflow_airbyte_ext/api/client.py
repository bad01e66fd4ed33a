"""A typed client of Airbyte's Config API: one short method per operation, named by its operationId."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api import operations as op
from airflow_airbyte_ext.api.transport import ATTEMPTS, Transport
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from pydantic import JsonValue

    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.connections import ConnectionRead, ConnectionReadList
    from airflow_airbyte_ext.api.models.instance import (
        DestinationRead,
        HealthCheckRead,
        InstanceConfigurationResponse,
        SourceRead,
        WorkspaceRead,
    )
    from airflow_airbyte_ext.api.models.jobs import (
        AttemptInfoRead,
        JobInfoLightRead,
        JobInfoRead,
        JobReadList,
    )
    from airflow_airbyte_ext.api.models.state import ConnectionState
    from airflow_airbyte_ext.api.releases import Release
    from airflow_airbyte_ext.api.settings import ClientSettings
    from airflow_airbyte_ext.api.streams import StreamKey


class AirbyteClient:
    """
    Airbyte's Config API. Usable without Airflow, from any thread, and as a context manager.

    Every method raises the leaves of `AirbyteApiError`; reads are repeated after failures that may pass, and an
    operation that starts or stops something only when the server surely did not accept it.

    :param settings: Which Airbyte, and how.
    :param clock: Waits between tries; tests and killable tasks hand over their own.
    :param attempts: How often one operation is tried at most.
    """

    def __init__(self, settings: ClientSettings, *, clock: Clock | None = None, attempts: int = ATTEMPTS) -> None:
        self._transport = Transport(settings, clock=clock, attempts=attempts)

    def __enter__(self) -> AirbyteClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client's sockets."""
        self._transport.close()

    def single(self) -> AirbyteClient:
        """Return a client with the same session that tries everything once: for callers who repeat by themselves."""
        twin = object.__new__(AirbyteClient)
        twin._transport = self._transport.single()
        return twin

    @property
    def settings(self) -> ClientSettings:
        """The settings that the client was made with."""
        return self._transport.settings

    def release(self) -> Release:
        """Return the server's release, asked for once."""
        return self._transport.release()

    # Instance

    def get_health_check(self) -> HealthCheckRead:
        """Say whether Airbyte is available (anonymous, except behind a Basic proxy)."""
        return self._transport.send(op.GET_HEALTH_CHECK)

    def get_instance_configuration(self) -> InstanceConfigurationResponse:
        """Return release, edition and web address of the instance (anonymous; since 0.50.9)."""
        return self._transport.send(op.GET_INSTANCE_CONFIGURATION)

    # Connections

    def get_connection(self, *, connection_id: str) -> ConnectionRead:
        """Return a connection; a deleted one still answers, with status `deprecated`."""
        return self._transport.send(op.GET_CONNECTION, {"connectionId": connection_id})

    def list_connections_for_workspace(self, *, workspace_id: str) -> ConnectionReadList:
        """Return all connections of a workspace but the deleted ones."""
        return self._transport.send(op.LIST_CONNECTIONS_FOR_WORKSPACE, {"workspaceId": workspace_id})

    def sync_connection(self, *, connection_id: str) -> JobInfoRead:
        """
        Start a sync. Prefer `jobs.submit`, which also finds the job after a lost answer.

        Airbyte answers only when its workflow runs; while one runs it answers 409 (before 0.39: the running job).
        """
        return self._transport.send(op.SYNC_CONNECTION, {"connectionId": connection_id})

    def reset_connection(self, *, connection_id: str) -> JobInfoRead:
        """Start a reset, which empties the destination and the state. A running sync is cancelled silently."""
        return self._transport.send(op.RESET_CONNECTION, {"connectionId": connection_id})

    def reset_connection_stream(self, *, connection_id: str, streams: Sequence[StreamKey]) -> JobInfoRead:
        """
        Start a reset of single streams (since 0.42.0).

        :param streams: Namespace and name of each. An empty list means all to some releases, and is refused.
        """
        return self._transport.send(op.RESET_CONNECTION_STREAM, _stream_request(connection_id, streams))

    def clear_connection(self, *, connection_id: str) -> JobInfoRead:
        """Start a clear: a reset under its later name (since 0.57.3), whose job is of type `reset_connection`, too."""
        return self._transport.send(op.CLEAR_CONNECTION, {"connectionId": connection_id})

    def clear_connection_stream(self, *, connection_id: str, streams: Sequence[StreamKey]) -> JobInfoRead:
        """Start a clear of single streams (since 0.57.3); see `reset_connection_stream`."""
        return self._transport.send(op.CLEAR_CONNECTION_STREAM, _stream_request(connection_id, streams))

    # Jobs

    def get_job_info(self, *, id: int) -> JobInfoRead:
        """Return a job with its attempts and all their log lines: up to a million, so never poll with it."""
        return self._transport.send(op.GET_JOB_INFO, {"id": id})

    def get_job_info_light(self, *, id: int) -> JobInfoLightRead:
        """Return a job alone (since 0.40.7): the operation to poll with. An unknown id gives 500."""
        return self._transport.send(op.GET_JOB_INFO_LIGHT, {"id": id})

    def get_job_info_without_logs(self, *, id: int) -> JobInfoRead:
        """Return a job with its attempts and no logs (since 0.44.6)."""
        return self._transport.send(op.GET_JOB_INFO_WITHOUT_LOGS, {"id": id})

    def list_jobs_for(
        self,
        *,
        config_types: Sequence[str],
        config_id: str | None = None,
        including_job_id: int | None = None,
        page_size: int | None = None,
        row_offset: int = 0,
    ) -> JobReadList:
        """
        Return a page of jobs, newest first.

        :param config_types: Kinds of job; a kind that the release does not know is refused.
        :param config_id: The connection; may be left out since 0.50.46, for tokens that see the whole instance.
        :param including_job_id: Return the pages up to this job, whatever the other filters say (since 0.40.6).
        :param page_size: Jobs in a page; Airbyte's default is 200.
        :param row_offset: Jobs to pass over: a multiple of `page_size` (since 0.64.2).
        """
        body: dict[str, JsonValue] = {"configTypes": list(config_types)}
        if config_id is not None:
            body["configId"] = config_id
        if including_job_id is not None:
            body["includingJobId"] = including_job_id
        if page_size is not None:
            body["pagination"] = {"pageSize": page_size, "rowOffset": row_offset}
        return self._transport.send(op.LIST_JOBS_FOR, body)

    def list_jobs_for_workspaces(
        self,
        *,
        config_types: Sequence[str],
        workspace_ids: Sequence[str],
        updated_at_start: str | None = None,
        page_size: int | None = None,
        row_offset: int = 0,
    ) -> JobReadList:
        """
        Return a page of the jobs of whole workspaces, newest first (since 0.50.6).

        :param updated_at_start: ISO 8601 time with offset; jobs that moved since then (since 0.50.18).
        """
        body: dict[str, JsonValue] = {"configTypes": list(config_types), "workspaceIds": list(workspace_ids)}
        if updated_at_start is not None:
            body["updatedAtStart"] = updated_at_start
        if page_size is not None:
            body["pagination"] = {"pageSize": page_size, "rowOffset": row_offset}
        return self._transport.send(op.LIST_JOBS_FOR_WORKSPACES, body)

    def cancel_job(self, *, id: int) -> JobInfoRead:
        """
        Cancel whatever job runs on this job's connection, which need not be this one.

        Prefer `jobs.cancel`, which looks first and verifies afterwards.
        """
        return self._transport.send(op.CANCEL_JOB, {"id": id})

    def get_attempt_for_job(self, *, job_id: int, attempt_number: int) -> AttemptInfoRead:
        """Return one attempt with its log alone (since 0.50.9); attempts are counted from 0."""
        return self._transport.send(op.GET_ATTEMPT_FOR_JOB, {"jobId": job_id, "attemptNumber": attempt_number})

    # State

    def get_state(self, *, connection_id: str) -> ConnectionState:
        """Return a connection's state; `not_set` for one without state, and for an unknown connection."""
        return self._transport.send(op.GET_STATE, {"connectionId": connection_id})

    def create_or_update_state(self, *, connection_id: str, connection_state: dict[str, JsonValue]) -> ConnectionState:
        """Write state by upsert: an omitted stream stays (since 0.40.3). Takes Airbyte's own JSON."""
        return self._transport.send(
            op.CREATE_OR_UPDATE_STATE, {"connectionId": connection_id, "connectionState": connection_state}
        )

    def create_or_update_state_safe(
        self, *, connection_id: str, connection_state: dict[str, JsonValue]
    ) -> ConnectionState:
        """Write state by upsert, refused with 423 while a sync runs (since 0.50.21)."""
        return self._transport.send(
            op.CREATE_OR_UPDATE_STATE_SAFE,
            {"connectionId": connection_id, "connectionState": connection_state},
        )

    # Workspaces, sources, destinations

    def get_workspace_by_connection_id(self, *, connection_id: str) -> WorkspaceRead:
        """Return the workspace that a connection belongs to (since 0.40.19)."""
        return self._transport.send(op.GET_WORKSPACE_BY_CONNECTION_ID, {"connectionId": connection_id})

    def get_source(self, *, source_id: str) -> SourceRead:
        """Return a source."""
        return self._transport.send(op.GET_SOURCE, {"sourceId": source_id})

    def get_destination(self, *, destination_id: str) -> DestinationRead:
        """Return a destination."""
        return self._transport.send(op.GET_DESTINATION, {"destinationId": destination_id})


def _stream_request(connection_id: str, streams: Sequence[StreamKey]) -> dict[str, JsonValue]:
    if not streams:
        raise AirbyteConfigurationError("streams is empty. Name the streams, or reset the whole connection.")
    return {
        "connectionId": connection_id,
        "streams": [
            {"streamName": name} if namespace is None else {"streamName": name, "streamNamespace": namespace}
            for namespace, name in streams
        ],
    }
