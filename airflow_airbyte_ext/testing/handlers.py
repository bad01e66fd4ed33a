"""The handlers of health, tokens, jobs, attempts, state, workspaces, sources, destinations and operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.call import chosen, cursor_page, offset_page, uuid_of
from airflow_airbyte_ext.testing.errors import Refusal, uncaught

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Attempt, Job
    from airflow_airbyte_ext.testing.model import Workspace

_ALL = 10**9


def health(_: Call) -> Any:
    """GET health."""
    return {"available": True}


def instance(call: Call) -> Any:
    """GET instance_configuration, which fails as long as the instance has no user and no organization."""
    if call.world.is_fresh:
        raise Refusal("illegal", "Default organization does not exist.")
    return call.responses.instance(call.guard, call.url)


def token(call: Call) -> Any:
    """applications/token."""
    return {"access_token": _issued(call)}


def public_token(call: Call) -> Any:
    """The same under the public API's path."""
    return {"access_token": _issued(call), "token_type": "Bearer", "expires_in": call.guard.expires_in}


def _issued(call: Call) -> str:
    return call.guard.issue(call.text("client_id"), call.text("client_secret"))


# Jobs and attempts


def cancel(call: Call) -> Any:
    """jobs/cancel."""
    return call.responses.jobs.info(call.world.cancel(call.number("id")))


def _read_job(call: Call) -> Job:
    job = call.world.job(call.number("id"))
    job.read()
    return job


def get_job(call: Call) -> Any:
    """jobs/get."""
    return call.responses.jobs.info(_read_job(call))


def get_job_light(call: Call) -> Any:
    """jobs/get_light."""
    return {"job": call.responses.jobs.job_read(_read_job(call))}


def get_job_without_logs(call: Call) -> Any:
    """jobs/get_without_logs."""
    return call.responses.jobs.info_without_logs(_read_job(call))


def get_job_debug_info(call: Call) -> Any:
    """jobs/get_debug_info."""
    return call.responses.jobs.debug_info(call.world.job(call.number("id")))


def get_last_replication_job(call: Call) -> Any:
    """jobs/get_last_replication_job: the newest job of any kind that was not cancelled, without totals."""
    jobs = [job for job in call.world.jobs(call.id("connectionId")) if job.status != "cancelled"]
    return {"job": call.responses.jobs.job_read(jobs[-1])} if jobs else {}


def _attempt(call: Call) -> tuple[Job, Attempt]:
    number = call.number("attemptNumber")
    job = call.world.job(call.number("jobId"))
    if not 0 <= number < len(job.attempts):
        message = f"Could not find attempt for job_id: {job.id} and attempt no: {number}"
        raise Refusal("unknown_id", message, str(job.id))
    return job, job.attempts[number]


def get_attempt(call: Call) -> Any:
    """attempt/get_for_job."""
    return call.responses.jobs.attempt_info(*_attempt(call))


def get_combined_stats(call: Call) -> Any:
    """attempt/get_combined_stats."""
    _, attempt = _attempt(call)
    return call.responses.jobs.stats(attempt.records, attempt.bytes)


# State


def get_state(call: Call) -> Any:
    """state/get: a connection that is unknown has no state and is not an error."""
    connection_id = call.id("connectionId")
    connection = call.world.connections.get(connection_id)
    return call.responses.state(connection_id, call.world.state_of(connection) if connection else None)


def get_state_type(call: Call) -> Any:
    """web_backend/state/get_type: a bare JSON string."""
    return get_state(call)["stateType"]


def write_state(call: Call) -> Any:
    """state/create_or_update."""
    return _upsert_state(call, safe=False)


def write_state_safe(call: Call) -> Any:
    """state/create_or_update_safe."""
    return _upsert_state(call, safe=True)


def _upsert_state(call: Call, safe: bool) -> Any:
    connection_id = call.id("connectionId")
    if call.body.get("connectionState") is None:
        raise Refusal("missing", subject="connectionState")
    state = call.with_body(call.body["connectionState"]).body
    return call.responses.state(connection_id, call.world.write_state(connection_id, state, safe))


# Workspaces


def get_workspace(call: Call) -> Any:
    """workspaces/get."""
    return call.responses.workspace(call.world.workspace(call.id("workspaceId")))


def get_workspace_of_connection(call: Call) -> Any:
    """workspaces/get_by_connection_id."""
    try:
        connection = call.world.connection(call.id("connectionId"))
    except Refusal as refusal:
        fails = refusal.kind == "unknown_id" and call.world.era.has("workspace_of_unknown_connection_is_500")
        raise (uncaught(refusal) if fails else refusal) from None
    return call.responses.workspace(call.world.workspace(connection.workspace_id))


def list_workspaces(call: Call) -> Any:
    """workspaces/list."""
    return _workspaces(call, list(call.world.workspaces.values()))


def list_workspaces_paginated(call: Call) -> Any:
    """workspaces/list_paginated: of the named ones, those that exist."""
    named = [call.world.workspaces.get(uuid_of(each)) for each in call.required_items("workspaceIds")]
    return _workspaces(call, offset_page(call, [each for each in named if each], default=_ALL))


def list_workspaces_of_organization(call: Call) -> Any:
    """workspaces/list_by_organization_id: there is one organization, and it has all workspaces."""
    here = call.id("organizationId") == call.world.organization_id
    part = str(call.body.get("nameContains") or "").lower()
    found = [each for each in call.world.workspaces.values() if here and part in each.name.lower()]
    return _workspaces(call, offset_page(call, sorted(found, key=lambda each: each.name), default=_ALL))


def _workspaces(call: Call, found: list[Workspace]) -> Any:
    return {"workspaces": [call.responses.workspace(each) for each in found]}


# Sources, destinations and operations


def get_source(call: Call) -> Any:
    """sources/get."""
    try:
        return call.responses.actor(call.world.actor("source", call.id("sourceId")))
    except Refusal as refusal:
        fails = refusal.kind == "unknown_id" and call.world.era.has("unknown_source_is_500")
        raise (uncaught(refusal) if fails else refusal) from None


def get_destination(call: Call) -> Any:
    """destinations/get."""
    return call.responses.actor(call.world.actor("destination", call.id("destinationId")))


def get_destination_version(call: Call) -> Any:
    """actor_definition_versions/get_for_destination: among others, whether its streams can be refreshed."""
    return call.responses.definition_version(call.world.actor("destination", call.id("destinationId")))


def list_sources(call: Call) -> Any:
    """sources/list."""
    return _actors(call, "source")


def list_destinations(call: Call) -> Any:
    """destinations/list."""
    return _actors(call, "destination")


def _actors(call: Call, kind: str) -> Any:
    """All of a workspace, or pages where the release has them."""
    workspace = call.world.workspace(call.id("workspaceId"))
    found = call.world.actors(kind, workspace.id)
    if not call.world.era.has("cursor_pages"):
        return {f"{kind}s": [call.responses.actor(each) for each in found]}
    requested = call.with_body(call.body.get("filters") or {})
    term = str(requested.body.get("searchTerm") or "").lower()
    shown = [each.id for each in found if term in f"{each.name} {each.connector}".lower()]
    order, descending = chosen(call, "sortKey", {"actorName": lambda actor: actor.name.lower()})
    page, size = cursor_page(call, call.world.actors_by_id, shown, order, f"{kind.upper()}_CONNECTION", descending)
    reads = [call.responses.actor(each) for each in page]
    return {f"{kind}s": reads, "page_size": size, "num_connections": len(shown)}


def get_operation(call: Call) -> Any:
    """operations/get."""
    return call.world.operation(call.id("operationId"))


def list_operations(call: Call) -> Any:
    """operations/list, of one connection."""
    connection = call.world.connection(call.id("connectionId"))
    return {"operations": [call.world.operation(each) for each in connection.operation_ids]}
