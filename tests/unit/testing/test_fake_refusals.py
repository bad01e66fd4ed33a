"""Whatever the operation, a wrong id is refused as the release refuses it."""

from __future__ import annotations

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.eras import ERAS, era_named
from airflow_airbyte_ext.testing.routes import OPERATIONS, TOKEN_OPERATIONS

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
# state/get and its like know no unknown connection, and search looks at nothing.
FORGIVING = ("/v1/state/", "/v1/web_backend/state/", "/v1/connections/search", "/v1/web_backend/connections/search")
# What a request needs beside its first id.
BY_CONNECTION = {
    "getConnection": {},
    "updateConnection": {"syncCatalog": {"streams": []}, "status": "active"},
    "deleteConnection": {},
    "syncConnection": {},
    "resetConnection": {},
    "clearConnection": {},
    "resetConnectionStream": {"streams": [{"streamName": "a"}]},
    "clearConnectionStream": {"streams": [{"streamName": "a"}]},
    "refreshConnectionStream": {"refreshMode": "Merge"},
    "getConnectionLastJobPerStream": {"streams": []},
    "listConnectionEvents": {},
    "getConnectionEvent": {"connectionEventId": UNKNOWN},
    "webBackendGetConnection": {},
    "webBackendUpdateConnection": {"syncCatalog": {"streams": []}, "status": "active"},
    "getWorkspaceByConnectionId": {},
    "listOperationsForConnection": {},
}
BY_WORKSPACE = (
    "listConnectionsForWorkspace",
    "listAllConnectionsForWorkspace",
    "webBackendListConnectionsForWorkspace",
    "webBackendListAllConnectionsForWorkspace",
    "webBackendGetWorkspaceState",
    "getWorkspace",
    "listSourcesForWorkspace",
    "listDestinationsForWorkspace",
)
OTHERS = {
    "getSource": "sourceId",
    "discoverSchemaForSource": "sourceId",
    "getDestination": "destinationId",
    "getOperation": "operationId",
}
ASKED = {
    **{operation_id: ("connectionId", rest) for operation_id, rest in BY_CONNECTION.items()},
    **{operation_id: ("workspaceId", {}) for operation_id in BY_WORKSPACE},
    **{operation_id: (name, {}) for operation_id, name in OTHERS.items()},
}
# Where an unknown id is no 404, by the facts: the releases and the status; None is a request that never ends.
OTHERWISE = {
    "syncConnection": ("sync_of_unknown_hangs", None),
    "getSource": ("unknown_source_is_500", 500),
    "getWorkspaceByConnectionId": ("workspace_of_unknown_connection_is_500", 500),
}


def of_unknown(era, operation_id):
    behaviour, status = OTHERWISE.get(operation_id, ("typed_state", 404))
    return status if operation_id in OTHERWISE and era_named(era).has(behaviour) else 404


@pytest.mark.parametrize("era", [*ERAS, "0.39.0", "0.40.27", "0.63.0", "1.3.0"])
def test_unknown_malformed_and_missing_ids(era):
    """422 and 400 up to 0.40.27, and since then 400 and 500: nothing validates what is missing."""
    malformed, missing = (422, 400) if era_named(era).has("malformed_is_422") else (400, 500)
    with FakeAirbyte(era) as airbyte, requests.Session() as session:
        for operation in OPERATIONS:
            if operation.operation_id not in ASKED or not operation.served_by(era_named(era)):
                continue
            name, rest = ASKED[operation.operation_id]
            unknown = of_unknown(era, operation.operation_id)
            for value, expected in ((UNKNOWN, unknown), ("abc", malformed), (None, missing), ("", missing)):
                if expected is None:
                    continue
                body = {name: value, **rest} if value is not None else rest
                response = session.post(airbyte.base_url + operation.path, json=body)
                assert response.status_code == expected, (operation.operation_id, value, response.text[:200])
        assert airbyte.jobs() == []
        assert not any(request.effect for request in airbyte.journal)


@pytest.mark.parametrize(
    ("path", "name", "last", "first"),
    [
        ("sources/get", "sourceId", "0.40.17", "0.40.18"),
        ("workspaces/get_by_connection_id", "connectionId", "0.50.29", "0.50.30"),
    ],
)
def test_an_unknown_id_that_was_a_failure_once(path, name, last, first):
    """500 that names Airbyte's exception, until the server turned it into a 404."""
    for release, status in ((last, 500), (first, 404)):
        with FakeAirbyte(release) as airbyte:
            response = requests.post(f"{airbyte.base_url}/v1/{path}", json={name: UNKNOWN}, timeout=10)
        assert response.status_code == status
        failed = response.json()["message"].startswith(
            "Internal Server Error: io.airbyte.config.persistence.ConfigNotFoundException"
        )
        assert failed == (status == 500)


def test_no_operation_with_an_id_is_forgotten():
    without = {"getConnectionStatuses", "listConnectionsForWorkspacesPaginated", "listConnectionEventsForJob"}
    without |= {"updateConnectionWithReason", "createConnection", "webBackendCreateConnection"}
    without |= {"webBackendCheckUpdates", "webBackendListGeographies", "getWebappConfig", "getConnectionSyncProgress"}
    for operation in OPERATIONS:
        if operation.path.startswith(("/v1/connections/", "/v1/web_backend/")) and not operation.path.startswith(
            FORGIVING
        ):
            assert operation.operation_id in ASKED or operation.operation_id in without


def test_what_knows_no_unknown_connection():
    """The last job, the progress, a list of jobs and the state of a connection that never was: nothing, with 200."""
    with FakeAirbyte() as airbyte:
        for path, body, expected in (
            ("jobs/get_last_replication_job", {"connectionId": UNKNOWN}, {}),
            ("jobs/list", {"configTypes": ["sync"], "configId": UNKNOWN}, {"jobs": [], "totalJobCount": 0}),
            ("connections/sync_progress", {"connectionId": UNKNOWN}, {"connectionId": UNKNOWN, "streams": []}),
            ("state/get", {"connectionId": UNKNOWN}, {"stateType": "not_set", "connectionId": UNKNOWN}),
        ):
            response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
            assert (response.status_code, response.json()) == (200, expected)


def _is_missing(response):
    return response.content == b"Object not found." or (
        response.status_code == 404 and "Object not found. HTTP 404 Not Found" in response.text
    )


@pytest.mark.parametrize("era", ["0.36", *sorted({each.until for each in OPERATIONS if each.until}), "head"])
def test_what_is_gone_or_not_there_yet_is_a_missing_path(era):
    with FakeAirbyte(era) as airbyte, requests.Session() as session:
        for operation in OPERATIONS:
            response = session.request(operation.method, airbyte.base_url + operation.path, json={})
            is_served = operation.served_by(era_named(era)) and operation.operation_id not in TOKEN_OPERATIONS
            assert _is_missing(response) is not is_served, operation.operation_id


LIVED = {
    "webBackendListAllConnectionsForWorkspace": ("", "0.40.8"),
    "webBackendSearchConnections": ("", "0.40.10"),
    "webBackendListGeographies": ("0.40.15", "1.7.0"),
    "listWorkspaces": ("", "1.7.0"),
    "webBackendCheckUpdates": ("0.40.25", ""),
    "getWebappConfig": ("1.7.0", ""),
    "getStateType": ("0.39.28", ""),
    "listConnectionsForWorkspacesPaginated": ("0.50.13", ""),
    "listWorkspacesPaginated": ("0.50.13", ""),
    "listWorkspacesInOrganization": ("0.50.18", ""),
    "refreshConnectionStream": ("0.57.2", ""),
    "updateConnectionWithReason": ("0.64.4", ""),
    "getConnectionLastJobPerStream": ("0.62.0", ""),
    "getConnectionSyncProgress": ("0.50.32", ""),
    "listConnectionEvents": ("0.63.6", ""),
    "listConnectionEventsForJob": ("2.0.0", ""),
    "getAttemptCombinedStats": ("0.50.5", ""),
}


def test_what_lived_when():
    """Of the releases between two documents, the facts tell; "" is older or newer than all that the fake knows."""
    lived = {each.operation_id: (each.since, each.until) for each in OPERATIONS if each.operation_id in LIVED}
    assert lived == LIVED


@pytest.mark.parametrize("name", ["3", "0.35.0", "1.8.x", "1.8.0-rc1", "dev", ""])
def test_a_release_is_written_in_full_and_not_too_old(name):
    with pytest.raises(ValueError, match="choose one of"):
        FakeAirbyte(name)
