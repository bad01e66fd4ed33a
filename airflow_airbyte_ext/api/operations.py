"""
The table of the Config API's operations: one row decides all that is particular to an operation.

Paths, methods and operationIds are those of Airbyte's OpenAPI documents; `since` is the first Airbyte release
whose own document has the operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from airflow_airbyte_ext.api.models.base import AirbyteModel
from airflow_airbyte_ext.api.models.connections import ConnectionRead, ConnectionReadList
from airflow_airbyte_ext.api.models.instance import (
    AccessToken,
    DestinationRead,
    HealthCheckRead,
    InstanceConfigurationResponse,
    SourceRead,
    WorkspaceRead,
)
from airflow_airbyte_ext.api.models.jobs import AttemptInfoRead, JobInfoLightRead, JobInfoRead, JobReadList
from airflow_airbyte_ext.api.models.state import ConnectionState

Answer = TypeVar("Answer", bound=AirbyteModel)

# Airbyte holds these requests open until its workflow has moved: sync until it runs, reset until there is a
# new job, cancel until it stopped. Proxies give up after minutes; whoever asks must reconcile after a time-out.
BLOCKING_TIMEOUT = 300.0


class Repeat(Enum):
    """Whether sending an operation again may do harm."""

    READ = "changes nothing: repeat it after any failure that may pass"
    NEVER = "starts or stops something: repeat it only when it surely was not accepted"


@dataclass(frozen=True)
class Operation(Generic[Answer]):
    """
    One operation of the Config API.

    :param operation_id: As in Airbyte's OpenAPI document.
    :param path: Below the base URL.
    :param since: First Airbyte release that has it.
    :param repeat: Whether it may be sent again.
    :param answer: The model of its answer.
    :param read_timeout: Least time to wait for the answer in seconds, where Airbyte itself waits.
    :param holds_secrets: Whether the request holds state or credentials, which a server's complaint may repeat.
    """

    operation_id: str
    path: str
    since: str
    repeat: Repeat
    answer: type[Answer]
    method: str = "POST"
    read_timeout: float = 0.0
    holds_secrets: bool = False


def _read(operation_id: str, path: str, since: str, answer: type[Answer], method: str = "POST") -> Operation[Answer]:
    return Operation(operation_id, path, since, Repeat.READ, answer, method)


def _write(
    operation_id: str, path: str, since: str, answer: type[Answer], read_timeout: float = 0.0
) -> Operation[Answer]:
    return Operation(operation_id, path, since, Repeat.NEVER, answer, read_timeout=read_timeout)


def _state_write(operation_id: str, path: str, since: str) -> Operation[ConnectionState]:
    return Operation(operation_id, path, since, Repeat.NEVER, ConnectionState, holds_secrets=True)


GET_HEALTH_CHECK = _read("getHealthCheck", "/v1/health", "0.6.1", HealthCheckRead, "GET")
GET_INSTANCE_CONFIGURATION = _read(
    "getInstanceConfiguration", "/v1/instance_configuration", "0.50.9", InstanceConfigurationResponse, "GET"
)
# Buying a token changes nothing that anybody else sees.
APPLICATION_TOKEN_REQUEST = Operation(
    "applicationTokenRequest", "/v1/applications/token", "0.50.38", Repeat.READ, AccessToken, holds_secrets=True
)

GET_CONNECTION = _read("getConnection", "/v1/connections/get", "0.1.0", ConnectionRead)
LIST_CONNECTIONS_FOR_WORKSPACE = _read(
    "listConnectionsForWorkspace", "/v1/connections/list", "0.1.0", ConnectionReadList
)
SYNC_CONNECTION = _write("syncConnection", "/v1/connections/sync", "0.1.0", JobInfoRead, BLOCKING_TIMEOUT)
RESET_CONNECTION = _write("resetConnection", "/v1/connections/reset", "0.6.1", JobInfoRead, BLOCKING_TIMEOUT)
RESET_CONNECTION_STREAM = _write(
    "resetConnectionStream", "/v1/connections/reset/stream", "0.42.0", JobInfoRead, BLOCKING_TIMEOUT
)
CLEAR_CONNECTION = _write("clearConnection", "/v1/connections/clear", "0.57.3", JobInfoRead, BLOCKING_TIMEOUT)
CLEAR_CONNECTION_STREAM = _write(
    "clearConnectionStream", "/v1/connections/clear/stream", "0.57.3", JobInfoRead, BLOCKING_TIMEOUT
)

GET_JOB_INFO = _read("getJobInfo", "/v1/jobs/get", "0.1.0", JobInfoRead)
GET_JOB_INFO_LIGHT = _read("getJobInfoLight", "/v1/jobs/get_light", "0.40.7", JobInfoLightRead)
GET_JOB_INFO_WITHOUT_LOGS = _read("getJobInfoWithoutLogs", "/v1/jobs/get_without_logs", "0.44.6", JobInfoRead)
LIST_JOBS_FOR = _read("listJobsFor", "/v1/jobs/list", "0.1.0", JobReadList)
LIST_JOBS_FOR_WORKSPACES = _read("listJobsForWorkspaces", "/v1/jobs/list_for_workspaces", "0.50.6", JobReadList)
CANCEL_JOB = _write("cancelJob", "/v1/jobs/cancel", "0.17.3", JobInfoRead, BLOCKING_TIMEOUT)
GET_ATTEMPT_FOR_JOB = _read("getAttemptForJob", "/v1/attempt/get_for_job", "0.50.9", AttemptInfoRead)

GET_STATE = _read("getState", "/v1/state/get", "0.24.1", ConnectionState)
CREATE_OR_UPDATE_STATE = _state_write("createOrUpdateState", "/v1/state/create_or_update", "0.40.3")
CREATE_OR_UPDATE_STATE_SAFE = _state_write("createOrUpdateStateSafe", "/v1/state/create_or_update_safe", "0.50.21")

GET_WORKSPACE_BY_CONNECTION_ID = _read(
    "getWorkspaceByConnectionId", "/v1/workspaces/get_by_connection_id", "0.40.19", WorkspaceRead
)
GET_SOURCE = _read("getSource", "/v1/sources/get", "0.1.0", SourceRead)
GET_DESTINATION = _read("getDestination", "/v1/destinations/get", "0.1.0", DestinationRead)

OPERATIONS: dict[str, Operation[AirbyteModel]] = {
    row.operation_id: row for row in list(globals().values()) if isinstance(row, Operation)
}
