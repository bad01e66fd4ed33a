"""The operations that the fake serves: one handler, and one row in a table, for each.

A handler gets a `Call` and returns the JSON of a 200 answer, or raises a `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.answers import named_stream
from airflow_airbyte_ext.testing.call import Call, uuid_of
from airflow_airbyte_ext.testing.errors import Refusal, unknown_id
from airflow_airbyte_ext.testing.job_lists import list_jobs, list_jobs_for_workspaces

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.jobs import Job

Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Operation:
    """One row of the table: the operationId and path of Airbyte's document, and the first release that has it."""

    operation_id: str
    path: str
    handler: Handler
    since: str = "0.1.0"
    method: str = "POST"
    anonymous: bool = False

    def served_by(self, era: Era) -> bool:
        """Whether servers of this era have it."""
        return era.since(self.since)


def _health(_: Call) -> Any:
    return {"available": True}


def _instance(call: Call) -> Any:
    return call.answers.instance(call.guard.mode, call.url)


def _token(call: Call) -> Any:
    return {"access_token": _issued(call)}


def _public_token(call: Call) -> Any:
    return {"access_token": _issued(call), "token_type": "Bearer", "expires_in": call.guard.token_lifetime}


def _issued(call: Call) -> str:
    return call.guard.issue(call.text("client_id"), call.text("client_secret"))


def _get_connection(call: Call) -> Any:
    return call.answers.connection(call.world.connection(call.id("connectionId")))


def _list_connections(call: Call) -> Any:
    return _connections(call, hidden=("deprecated",))


def _list_all_connections(call: Call) -> Any:
    return _connections(call, hidden=())


def _connections(call: Call, hidden: tuple[str, ...]) -> Any:
    _workspace(call)
    shown = [c for c in call.world.connections.values() if c.status not in hidden]
    return {"connections": [call.answers.connection(connection) for connection in shown]}


def _workspace(call: Call) -> None:
    workspace_id = call.id("workspaceId")
    if workspace_id != call.world.workspace_id:
        raise unknown_id("STANDARD_WORKSPACE", workspace_id)


def _sync(call: Call) -> Any:
    return call.answers.jobs.info(call.world.sync(call.id("connectionId")))


def _reset(call: Call) -> Any:
    return call.answers.jobs.info(call.world.reset(call.id("connectionId")))


def _reset_streams(call: Call) -> Any:
    connection_id = call.id("connectionId")
    entries = call.body.get("streams")
    if not isinstance(entries, list):
        raise Refusal("missing", subject="streams")
    streams = tuple(named_stream(entry) for entry in entries)
    return call.answers.jobs.info(call.world.reset(connection_id, streams))


def _cancel(call: Call) -> Any:
    return call.answers.jobs.info(call.world.cancel(call.number("id")))


def _read_job(call: Call) -> Job:
    job = call.world.job(call.number("id"))
    job.read()
    return job


def _get_job(call: Call) -> Any:
    return call.answers.jobs.info(_read_job(call))


def _get_job_light(call: Call) -> Any:
    return {"job": call.answers.jobs.job_read(_read_job(call))}


def _get_job_without_logs(call: Call) -> Any:
    return call.answers.jobs.info(_read_job(call), logs=False)


def _get_job_debug_info(call: Call) -> Any:
    return call.answers.jobs.debug_info(call.world.job(call.number("id")))


def _get_last_replication_job(call: Call) -> Any:
    jobs = call.world.jobs(call.id("connectionId"))
    return {"job": call.answers.jobs.job_read(jobs[-1], stats=True)} if jobs else {}


def _get_attempt(call: Call) -> Any:
    number = call.number("attemptNumber")
    job = call.world.job(call.number("jobId"))
    if not 0 <= number < len(job.attempts):
        message = f"Could not find attempt for job_id: {job.id} and attempt no: {number}"
        raise Refusal("unknown_id", message, str(job.id))
    return call.answers.jobs.attempt_info(job, job.attempts[number], logs=True)


def _get_state(call: Call) -> Any:
    connection_id = call.id("connectionId")
    connection = call.world.connections.get(connection_id)
    return call.answers.state(connection_id, connection.state if connection else None)


def _get_state_type(call: Call) -> Any:
    return _get_state(call)["stateType"]


def _write_state(call: Call) -> Any:
    return _upsert_state(call, safe=False)


def _write_state_safe(call: Call) -> Any:
    return _upsert_state(call, safe=True)


def _upsert_state(call: Call, safe: bool) -> Any:
    # These endpoints do not validate: what is missing is met as a null by the code behind them.
    state = call.body.get("connectionState")
    if not call.body.get("connectionId") or not isinstance(state, dict):
        raise Refusal("illegal", "null")
    connection_id = call.id("connectionId")
    return call.answers.state(connection_id, call.world.write_state(connection_id, state, safe))


def _get_workspace(call: Call) -> Any:
    _workspace(call)
    return call.answers.workspace()


def _get_workspace_of_connection(call: Call) -> Any:
    call.world.connection(call.id("connectionId"))
    return call.answers.workspace()


def _get_source(call: Call) -> Any:
    return call.answers.actor(call.world.actor("source", call.id("sourceId")))


def _get_destination(call: Call) -> Any:
    return call.answers.actor(call.world.actor("destination", call.id("destinationId")))


def _list_sources(call: Call) -> Any:
    _workspace(call)
    return {"sources": [call.answers.actor(actor) for actor in call.world.actors("source")]}


def _list_destinations(call: Call) -> Any:
    _workspace(call)
    return {"destinations": [call.answers.actor(actor) for actor in call.world.actors("destination")]}


def _get_connection_statuses(call: Call) -> Any:
    ids = call.body.get("connectionIds")
    if not isinstance(ids, list):
        raise Refusal("missing", subject="connectionIds")
    return [call.answers.connection_status(call.world.connection(uuid_of(each))) for each in ids]


# First releases are from Airbyte's own documents, one for each release.
OPERATIONS = (
    Operation("getHealthCheck", "/v1/health", _health, method="GET", anonymous=True),
    Operation("getInstanceConfiguration", "/v1/instance_configuration", _instance, "0.50.9", "GET", anonymous=True),
    Operation("getConnection", "/v1/connections/get", _get_connection),
    Operation("listConnectionsForWorkspace", "/v1/connections/list", _list_connections),
    Operation("listAllConnectionsForWorkspace", "/v1/connections/list_all", _list_all_connections, "0.32.1"),
    Operation("getConnectionStatuses", "/v1/connections/status", _get_connection_statuses, "0.50.18"),
    Operation("syncConnection", "/v1/connections/sync", _sync),
    Operation("resetConnection", "/v1/connections/reset", _reset),
    Operation("clearConnection", "/v1/connections/clear", _reset, "0.57.3"),
    Operation("resetConnectionStream", "/v1/connections/reset/stream", _reset_streams, "0.42.0"),
    Operation("clearConnectionStream", "/v1/connections/clear/stream", _reset_streams, "0.57.3"),
    Operation("getJobInfo", "/v1/jobs/get", _get_job),
    Operation("getJobInfoLight", "/v1/jobs/get_light", _get_job_light, "0.40.7"),
    Operation("getJobInfoWithoutLogs", "/v1/jobs/get_without_logs", _get_job_without_logs, "0.44.6"),
    Operation("getJobDebugInfo", "/v1/jobs/get_debug_info", _get_job_debug_info, "0.35.10"),
    Operation("getLastReplicationJob", "/v1/jobs/get_last_replication_job", _get_last_replication_job, "0.40.29"),
    Operation("listJobsFor", "/v1/jobs/list", list_jobs),
    Operation("listJobsForWorkspaces", "/v1/jobs/list_for_workspaces", list_jobs_for_workspaces, "0.50.6"),
    Operation("cancelJob", "/v1/jobs/cancel", _cancel),
    Operation("getAttemptForJob", "/v1/attempt/get_for_job", _get_attempt, "0.50.9"),
    Operation("getState", "/v1/state/get", _get_state),
    Operation("createOrUpdateState", "/v1/state/create_or_update", _write_state, "0.40.3"),
    Operation("createOrUpdateStateSafe", "/v1/state/create_or_update_safe", _write_state_safe, "0.50.21"),
    Operation("getStateType", "/v1/web_backend/state/get_type", _get_state_type, "0.39.28"),
    Operation("getWorkspace", "/v1/workspaces/get", _get_workspace),
    Operation(
        "getWorkspaceByConnectionId",
        "/v1/workspaces/get_by_connection_id",
        _get_workspace_of_connection,
        "0.40.19",
    ),
    Operation("getSource", "/v1/sources/get", _get_source),
    Operation("listSourcesForWorkspace", "/v1/sources/list", _list_sources),
    Operation("getDestination", "/v1/destinations/get", _get_destination),
    Operation("listDestinationsForWorkspace", "/v1/destinations/list", _list_destinations),
    Operation("applicationTokenRequest", "/v1/applications/token", _token, "0.50.38", anonymous=True),
    Operation("publicCreateAccessToken", "/public/v1/applications/token", _public_token, "0.63.9", anonymous=True),
)
