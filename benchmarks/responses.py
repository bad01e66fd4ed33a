"""What the stub server responds: prepared bytes, as Airbyte would write them."""

from __future__ import annotations

import json
import uuid
from typing import Any

WORKSPACE_ID = "99999999-9999-4999-8999-999999999999"
SOURCE_ID = "88888888-8888-4888-8888-888888888888"
DESTINATION_ID = "77777777-7777-4777-8777-777777777777"
ANY_ID = "00000000-0000-4000-8000-000000000000"

GET_STATE = "/api/v1/state/get"
GET_CONNECTION = "/api/v1/connections/get"
LIST_CONNECTIONS = "/api/v1/web_backend/connections/list"
LIST_JOBS = "/api/v1/jobs/list"
GET_WORKSPACE = "/api/v1/workspaces/get_by_connection_id"
# What a backup requests each connection.
FOR_EACH = (GET_CONNECTION, LIST_JOBS, GET_STATE, GET_WORKSPACE)


def connection_id(number: int) -> str:
    """Return the id of a connection of the stub."""
    return str(uuid.UUID(int=number, version=4))


def prepared(*, connections: int, streams: int, catalog_streams: int) -> dict[str, bytes]:
    """Return the response for each path; ANY_ID stands for the connection of the request."""
    connection = _connection(ANY_ID, catalog_streams)
    responses = {
        "/api/v1/instance_configuration": {"edition": "community", "version": "1.8.5", "auth": {"mode": "none"}},
        GET_WORKSPACE: {"workspaceId": WORKSPACE_ID, "name": "Default", "slug": "default"},
        LIST_JOBS: {"jobs": [{"job": _job(), "attempts": [_attempt()]}], "totalJobCount": 120},
        GET_CONNECTION: connection,
        GET_STATE: _state(streams),
    }
    whole = {path: _json(response) for path, response in responses.items()}
    one = _json(_listed(ANY_ID))
    listed = b",".join(one.replace(ANY_ID.encode(), connection_id(number).encode()) for number in range(connections))
    return {**whole, LIST_CONNECTIONS: b'{"connections":[' + listed + b"]}"}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _state(streams: int) -> dict[str, Any]:
    entries = [_stream_state(f"table_{number:05d}", number) for number in range(streams)]
    return {"stateType": "stream", "connectionId": ANY_ID, "streamState": entries}


def _stream_state(name: str, number: int) -> dict[str, Any]:
    """Return a row as a database source writes it."""
    return {
        "streamDescriptor": {"name": name, "namespace": "public"},
        "streamState": {
            "cursor": f"2026-11-21T{number % 24:02d}:14:15.{number:06d}Z",
            "version": 2,
            "state_type": "cursor_based",
            "stream_name": name,
            "cursor_field": ["updated_at"],
            "stream_namespace": "public",
            "cursor_record_count": number % 7,
        },
    }


def _connection(identity: str, streams: int) -> dict[str, Any]:
    # Airbyte declares a workspaceId here, and does not give it.
    return {
        "connectionId": identity,
        "name": "Shop → Warehouse",
        "status": "active",
        "sourceId": SOURCE_ID,
        "destinationId": DESTINATION_ID,
        "scheduleType": "manual",
        "syncCatalog": {"streams": [_configured(f"table_{number:05d}") for number in range(streams)]},
    }


def _listed(identity: str) -> dict[str, Any]:
    source = {"sourceId": SOURCE_ID, "name": "Shop", "sourceName": "Postgres"}
    destination = {"destinationId": DESTINATION_ID, "name": "Warehouse", "destinationName": "Snowflake"}
    return {
        "connectionId": identity,
        "name": "Shop → Warehouse",
        "status": "active",
        "scheduleType": "manual",
        "source": source,
        "destination": destination,
        "isSyncing": False,
    }


def _configured(name: str) -> dict[str, Any]:
    columns = {f"column_{number:02d}": {"type": "string", "format": "date-time"} for number in range(20)}
    stream = {"name": name, "namespace": "public", "jsonSchema": {"type": "object", "properties": columns}}
    return {"stream": stream, "config": {"syncMode": "incremental", "cursorField": ["updated_at"], "selected": True}}


def _job() -> dict[str, Any]:
    return {"id": 4711, "configType": "sync", "configId": ANY_ID, "status": "succeeded", "createdAt": 1795000000}


def _attempt() -> dict[str, Any]:
    return {"id": 0, "status": "succeeded", "createdAt": 1795000000, "bytesSynced": 2048, "recordsSynced": 100}
