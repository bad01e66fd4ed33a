"""One odd object stops neither its neighbours nor itself, and the log names it."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from airflow_airbyte_ext.connections.find import find_connections
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteResponseError
from airflow_airbyte_ext.jobs.reader import jobs_of
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot

IDS = [f"{number}1111111-1111-4111-8111-111111111111" for number in range(1, 6)]
WORKSPACE = "99999999-9999-4999-8999-999999999999"


def connection(number: int, **more: Any) -> dict[str, Any]:
    stream = {"stream": {"name": "items"}, "config": {"syncMode": "incremental", "primaryKey": [["id"]]}}
    named = {"connectionId": IDS[number], "name": f"Orders {number}", "status": "active"}
    return {**named, "syncCatalog": {"streams": [copy.deepcopy(stream)]}, **more}


def with_odd_key(number: int) -> dict[str, Any]:
    odd = connection(number)
    odd["syncCatalog"]["streams"][0]["config"]["primaryKey"] = [["id"], None]
    return odd


@pytest.fixture
def client(stub, connect_to):
    stub.response("instance_configuration", {"version": "2.0.0"})
    return connect_to(stub.url)


def test_an_odd_key_stops_neither_its_connection_nor_the_others(stub, client, caplog) -> None:
    stub.response("connections/list", {"connections": [connection(0), with_odd_key(1), connection(2)]})
    listed = client.list_connections_for_workspace(workspace_id=WORKSPACE).connections
    assert [each.connection_id for each in listed] == IDS[:3]
    assert [each.streams() for each in listed] == [[(None, "items")]] * 3
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "listConnectionsForWorkspace" in record.message
    assert f"'Orders 1' '{IDS[1]}': syncCatalog.streams 'items': config.primaryKey" in record.message


def test_an_odd_key_does_not_hide_its_own_connection(stub, client) -> None:
    stub.response("connections/get", with_odd_key(1))
    found = client.get_connection(connection_id=IDS[1])
    assert (found.name, found.status, found.streams()) == ("Orders 1", "active", [(None, "items")])
    (place,) = found.left_out.places
    assert place == "syncCatalog.streams 'items': config.primaryKey"


@pytest.mark.parametrize(
    ("odd", "there"),
    [
        ({"tags": 5}, True),
        ({"scheduleData": {"cron": {"cronExpression": 1, "cronTimeZone": "UTC"}}}, True),
        ({"name": ["x"]}, True),
        ({"status": 5}, True),
        ({"connectionId": None}, False),
        ({"connectionId": 7}, False),
    ],
)
def test_a_listed_connection_counts_as_long_as_it_has_an_id(stub, client, odd, there) -> None:
    stub.response("web_backend/connections/list", {"connections": [connection(0), {**connection(1), **odd}, 5, None]})
    found = find_connections(client, workspace_id=WORKSPACE)
    assert {each.connection_id for each in found} == ({IDS[0], IDS[1]} if there else {IDS[0]})


def test_odd_rows_do_not_end_the_walk_over_pages(stub, client) -> None:
    """A page is short where it had few rows, and not where few of them were of use."""
    ids = [f"{number:08}-1111-4111-8111-111111111111" for number in range(99)]
    first = [{"name": "odd"}, *({**connection(0), "connectionId": each} for each in ids)]
    stub.response("web_backend/connections/list", {"connections": first, "page_size": 100})
    stub.response("web_backend/connections/list", {"connections": [connection(1)], "page_size": 100})
    assert len(find_connections(client, workspace_id=WORKSPACE)) == 100


def test_a_backup_of_an_odd_connection_is_whole(stub, client) -> None:
    """What is odd has nothing to do with its state."""
    state = {"stateType": "stream", "connectionId": IDS[1], "streamState": [{"streamDescriptor": {"name": "items"}}]}
    stub.response("connections/get", {**with_odd_key(1), "scheduleData": 5, "workspaceId": WORKSPACE})
    stub.response("jobs/list", {"jobs": [{"job": 5}]})
    stub.response("jobs/list", {"jobs": []})
    stub.response("state/get", state)
    snapshot = take_snapshot(client, IDS[1])
    assert snapshot.origin.connection_name == "Orders 1"
    assert snapshot.state == state


def job(number: int, **more: Any) -> dict[str, Any]:
    return {"job": {"id": number, "configType": "sync", "configId": IDS[0], "status": "succeeded", **more}}


@pytest.mark.parametrize("odd", [{}, {"job": None}, {"job": 5}, {"job": {"status": "failed"}}, 7, None])
def test_an_odd_job_hides_no_other_one(stub, client, odd) -> None:
    stub.response("jobs/list", {"jobs": [job(3), odd, job(1)]})
    assert [entry.job.id for entry in jobs_of(client, IDS[0], ["sync"])] == [3, 1]


def test_a_job_whose_status_is_odd_has_not_ended(stub, client) -> None:
    stub.response("jobs/list", {"jobs": [job(3, status=5)]})
    (entry,) = jobs_of(client, IDS[0], ["sync"])
    assert (entry.job.id, entry.job.status) == (3, None)


@pytest.mark.parametrize(
    ("operation", "path", "response"),
    [
        ("get_connection", "connections/get", connection(1, status=5)),
        ("get_connection", "connections/get", {"name": "x"}),
        ("get_connection", "connections/get", [5]),
        ("get_job_info_light", "jobs/get_light", {"job": {"id": 1, "status": 5}}),
        ("get_last_replication_job", "jobs/get_last_replication_job", {"job": {"id": "x"}}),
        ("refresh_connection_stream", "connections/refresh", {"job": {"id": "x"}}),
        ("get_instance_configuration", "instance_configuration", {"version": 5, "edition": "community"}),
        ("get_job_info_light", "jobs/get_light", {"job": {"status": "succeeded"}}),
    ],
)
def test_what_a_task_decides_by_must_be_there(stub, client, operation, path, response) -> None:
    stub.response(path, response)
    if path == "instance_configuration":
        stub._queues[path].popleft()
    requested = {
        "get_job_info_light": {"id": 1},
        "get_instance_configuration": {},
        "refresh_connection_stream": {"connection_id": IDS[1], "refresh_mode": "Merge"},
    }.get(operation, {"connection_id": IDS[1]})
    with pytest.raises(AirbyteResponseError, match="does not have the expected shape"):
        getattr(client, operation)(**requested)


@pytest.mark.parametrize("jobs", [5, {"a": 1}, "none"])
def test_a_list_that_is_none_is_not_an_empty_one(stub, client, jobs) -> None:
    stub.response("jobs/list", {"jobs": jobs})
    with pytest.raises(AirbyteResponseError, match="does not have the expected shape"):
        list(jobs_of(client, IDS[0], ["sync"]))


def test_no_part_of_a_state_is_left_out(stub, client) -> None:
    entry = {"streamDescriptor": {"name": 5}, "streamState": {}}
    stub.response("state/get", {"stateType": "stream", "connectionId": IDS[0], "streamState": [entry]})
    with pytest.raises(AirbyteResponseError, match="does not have the expected shape"):
        client.get_state(connection_id=IDS[0])


def test_a_connection_with_odd_parts_is_not_sent_back_without_them(stub, connect_to) -> None:
    """Up to 0.40.7 an update replaces the whole connection."""
    for path in ("instance_configuration", "web_app_config"):
        stub.response(path, {"message": "Object not found. HTTP 404 Not Found"}, status=404)
    stub.response("connections/get", with_odd_key(1))
    client = connect_to(stub.url)
    with pytest.raises(AirbyteConfigurationError, match=r"config\.primaryKey.*Change it in Airbyte"):
        client.update_connection(connection_id=IDS[1], status="inactive")
    assert not stub.seen("connections/update")
