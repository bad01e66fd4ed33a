"""Whatever the operation, a wrong id is refused as the era refuses it."""

from __future__ import annotations

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte
from airflow_airbyte_ext.testing.eras import ERAS, era_named
from airflow_airbyte_ext.testing.operations import OPERATIONS

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
    "getConnectionSyncProgress": {},
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


@pytest.mark.parametrize("era", [*ERAS, "0.39.0", "0.63.0", "1.8.0"])
def test_unknown_malformed_and_missing_ids(era):
    malformed = 422 if era_named(era).before("0.40.28") else 400
    with FakeAirbyte(era) as airbyte, requests.Session() as session:
        for operation in OPERATIONS:
            if operation.operation_id not in ASKED or not operation.served_by(era_named(era)):
                continue
            name, rest = ASKED[operation.operation_id]
            for value, expected in ((UNKNOWN, 404), ("abc", malformed), (None, 400), ("", 400)):
                body = {name: value, **rest} if value is not None else rest
                answer = session.post(airbyte.base_url + operation.path, json=body)
                assert answer.status_code == expected, (operation.operation_id, value, answer.text[:200])
            assert ("errorId" in answer.json()) == era_named(era).since("2.0.0")
        assert airbyte.jobs() == []
        assert not any(request.effect for request in airbyte.journal)


def test_no_operation_with_an_id_is_forgotten():
    without = {"getConnectionStatuses", "listConnectionsForWorkspacesPaginated", "listConnectionEventsForJob"}
    without |= {"updateConnectionWithReason", "createConnection", "webBackendCreateConnection"}
    without |= {"webBackendCheckUpdates", "webBackendListGeographies", "getWebappConfig"}
    for operation in OPERATIONS:
        if operation.path.startswith(("/v1/connections/", "/v1/web_backend/")) and not operation.path.startswith(
            FORGIVING
        ):
            assert operation.operation_id in ASKED or operation.operation_id in without


@pytest.mark.parametrize("era", ["0.36", *sorted({each.gone for each in OPERATIONS if each.gone}), "head"])
def test_what_is_gone_or_not_there_yet_is_an_unknown_path(era):
    with FakeAirbyte(era) as airbyte, requests.Session() as session:
        for operation in OPERATIONS:
            answer = session.request(operation.method, airbyte.base_url + operation.path, json={})
            unknown = answer.status_code == 404 and "Could not find" not in answer.text
            assert unknown == (not operation.served_by(era_named(era))), operation.operation_id


LIVED = {
    "webBackendListAllConnectionsForWorkspace": ("0.32.1", "0.40.8"),
    "webBackendSearchConnections": ("0.29.22", "0.40.10"),
    "webBackendListGeographies": ("0.40.15", "1.7.0"),
    "listWorkspaces": ("0.27.1", "1.7.0"),
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
    """Of the releases between two documents, the facts tell."""
    lived = {each.operation_id: (each.since, each.gone) for each in OPERATIONS if each.operation_id in LIVED}
    assert lived == LIVED


@pytest.mark.parametrize("name", ["3", "0.35.0", "1.8", "1.8.0-rc1", "dev", ""])
def test_a_release_is_written_in_full_and_not_too_old(name):
    with pytest.raises(ValueError, match="choose one of"):
        FakeAirbyte(name)
