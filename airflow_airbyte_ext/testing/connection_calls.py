"""The handlers of connections/*: to read, list, change, run, clear and refresh them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing import writes
from airflow_airbyte_ext.testing.answers import named_stream
from airflow_airbyte_ext.testing.call import uuid_of
from airflow_airbyte_ext.testing.cursors import offset_page
from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Stream

_ALL = 10**9


def get_connection(call: Call) -> Any:
    """connections/get, of deleted ones too."""
    return call.answers.connection(call.world.connection(call.id("connectionId")))


def list_connections(call: Call) -> Any:
    """connections/list, which hides deleted ones."""
    return _read(call, call.world.connections_of(call.id("workspaceId")))


def list_all_connections(call: Call) -> Any:
    """connections/list_all, with deleted ones."""
    return _read(call, call.world.connections_of(call.id("workspaceId"), deleted=True))


def list_paginated(call: Call) -> Any:
    """connections/list_paginated: pages by offset, over several workspaces."""
    wanted = [uuid_of(each) for each in call.required_items("workspaceIds")]
    tags = call.ids("tagIds") if call.world.era.declares("ListConnectionsForWorkspacesRequestBody.tagIds") else []
    shown = [
        each
        for each in call.world.connections.values()
        if each.workspace_id in wanted
        and (each.status != "deprecated" or call.flag("includeDeleted"))
        and (not tags or any(tag["tagId"] in tags for tag in each.tags))
    ]
    return _read(call, offset_page(call, shown, default=_ALL))


def search(call: Call) -> Any:
    """connections/search: it compares with something that no connection equals, and finds nothing."""
    _ = call
    return {"connections": []}


def _read(call: Call, connections: list[Any]) -> Any:
    return {"connections": [call.answers.connection(each) for each in connections]}


def create(call: Call) -> Any:
    """connections/create."""
    return call.answers.connection(writes.create(call))


def update(call: Call) -> Any:
    """connections/update, which never resets anything."""
    return call.answers.connection(writes.update(call, call.body))


def update_with_reason(call: Call) -> Any:
    """connections/update_with_reason: the update is an object of its own."""
    if call.body.get("connectionUpdate") is None:
        raise Refusal("missing", subject="connectionUpdate")
    reason = str(call.body.get("updateReason") or "")
    return call.answers.connection(writes.update(call, call.body["connectionUpdate"], reason))


def delete(call: Call) -> Any:
    """connections/delete: whatever runs is cancelled, and the connection stays as a deprecated one."""
    call.world.delete(call.id("connectionId"))


def sync(call: Call) -> Any:
    """connections/sync."""
    return call.answers.jobs.info(call.world.sync(call.id("connectionId")))


def reset(call: Call) -> Any:
    """connections/reset and connections/clear."""
    return call.answers.jobs.info(call.world.reset(call.id("connectionId")))


def reset_streams(call: Call) -> Any:
    """connections/reset/stream and connections/clear/stream."""
    connection_id = call.id("connectionId")
    streams = tuple(named_stream(entry) for entry in call.required_items("streams"))
    return call.answers.jobs.info(call.world.reset(connection_id, streams))


def refresh(call: Call) -> Any:
    """connections/refresh: 200 also when no job comes of it, since nothing can be refreshed or a job runs."""
    era = call.world.era
    connection = call.world.connection(call.id("connectionId"))
    if era.declares("ConnectionStreamRefreshRequestBody.refreshMode"):
        _check_mode(call, call.text("refreshMode"))
    streams: tuple[Stream, ...] = tuple(named_stream(entry) for entry in call.items("streams"))
    job = call.world.refresh(connection.connection_id, streams)
    if era.has("refresh_returns_a_job"):
        return {"job": call.answers.jobs.job_read(job)} if job else {}
    # The old answer said whether there can be a refresh, and nothing about a job.
    return {"value": call.world.can_refresh(connection)}


def _check_mode(call: Call, mode: str) -> None:
    if (mode.capitalize() if call.world.era.has("enums_ignore_case") else mode) not in ("Truncate", "Merge"):
        raise Refusal("malformed", f'Cannot construct instance of `RefreshMode`, problem: Unexpected value "{mode}"')


def statuses(call: Call) -> Any:
    """connections/status."""
    ids = [uuid_of(each) for each in call.required_items("connectionIds")]
    return [call.answers.connection_status(call.world.connection(each)) for each in ids]
