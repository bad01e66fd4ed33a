"""Finding connections, in every era and over pages that change meanwhile."""

from __future__ import annotations

import json
from itertools import count

import pytest

from airflow_airbyte_ext.connections.find import connection_by_name, find_connections
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteResponseError

ERAS = ("0.36", "0.40", "0.50", "1.0", "1.8.0", "2.0", "head")
TAGGED = ("1.6.0", "1.8.0", "2.0", "head")
WORKSPACE = "11111111-1111-4111-8111-111111111111"
LIST = "webBackendListConnectionsForWorkspace"


@pytest.fixture(params=ERAS)
def world(request, start_fake, connect):
    """An Airbyte of each era with a client."""
    airbyte = start_fake(request.param, strict=request.param == "head")
    return airbyte, connect(airbyte)


def names(found) -> list[str]:
    return [row.name for row in found]


def test_all_are_found_by_name_and_never_the_deleted_ones(world) -> None:
    airbyte, client = world
    for name in ("Users", "Orders", "Clicks"):
        airbyte.add_connection(name)
    airbyte.add_connection("Gone", status="deprecated")
    airbyte.add_connection("Elsewhere", workspace_id=airbyte.add_workspace("Another"))
    assert names(find_connections(client, workspace_id=airbyte.workspace_id)) == ["Clicks", "Orders", "Users"]


@pytest.mark.parametrize("auth", [True, False])
@pytest.mark.parametrize("era", ERAS)
def test_a_wrong_workspace_is_an_error_that_names_the_right_ones(start_fake, connect, era, auth) -> None:
    """And not an empty list, from which a mapped task would make nothing at all."""
    airbyte = start_fake(era, **({} if auth else {"auth": "none"}))
    another = airbyte.add_workspace("Another")
    airbyte.add_connection("Orders")
    with pytest.raises(AirbyteConfigurationError, match=f"has no workspace {WORKSPACE}") as caught:
        find_connections(connect(airbyte), workspace_id=WORKSPACE)
    assert f"'Another' ({another})" in str(caught.value)
    assert airbyte.workspace_id in str(caught.value)


def test_many_workspaces_are_counted(start_fake, connect) -> None:
    airbyte = start_fake("1.0")
    for number in range(30):
        airbyte.add_workspace(f"W{number}")
    with pytest.raises(AirbyteConfigurationError, match="and 21 more"):
        find_connections(connect(airbyte), workspace_id=WORKSPACE)


def test_a_list_without_end_is_an_error(stub, connect_to) -> None:
    stub.response("instance_configuration", {"version": "2.0.0"})
    served = count()
    row = '{"connectionId": "%08x-1111-4111-8111-111111111111"}'

    def respond(path: str):
        if not path.endswith("connections/list"):
            return responded(path)
        rows = [json.loads(row % next(served)) for _ in range(100)]
        stub._queues.pop("/again", None)
        stub.response("/again", {"connections": rows, "page_size": 100})
        return stub._queues["/again"][0]

    responded, stub.next_response = stub.next_response, respond
    with pytest.raises(AirbyteResponseError, match="does not end: after 2000 pages"):
        find_connections(connect_to(stub.url), workspace_id=WORKSPACE)


def test_an_empty_workspace_is_no_error(world) -> None:
    airbyte, client = world
    assert find_connections(client, workspace_id=airbyte.add_workspace("Another")) == []


def test_a_list_of_many_connections_carries_no_catalogs(start_fake, connect) -> None:
    airbyte = start_fake("1.8.0")
    for number in range(30):
        airbyte.add_connection(f"C{number}", streams=[f"s{each}" for each in range(20)])
    assert len(find_connections(connect(airbyte), workspace_id=airbyte.workspace_id)) == 30
    assert not airbyte.calls("listConnectionsForWorkspace")


def test_equal_names_are_in_the_order_of_their_ids(world) -> None:
    airbyte, client = world
    ids = sorted(airbyte.add_connection("Twin") for _ in range(5))
    found = find_connections(client, workspace_id=airbyte.workspace_id)
    assert [row.connection_id for row in found] == ids


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Orders", ["Orders"]),
        ("orders", []),
        ("Orders*", ["Orders", "Orders E", "Orders [EU]"]),
        ("Orders [EU]", ["Orders [EU]"]),
        ("Orders [A-Z]", ["Orders E"]),
        ("Order?", ["Orders"]),
    ],
)
def test_a_name_is_the_very_name_or_a_pattern(start_fake, connect, name, expected) -> None:
    airbyte = start_fake()
    for each in ("Orders", "Orders E", "Orders [EU]", "Users"):
        airbyte.add_connection(each)
    assert names(find_connections(connect(airbyte), workspace_id=airbyte.workspace_id, name=name)) == expected


def test_status_source_and_destination_choose(world) -> None:
    airbyte, client = world
    shop = airbyte.add_source("Shop")
    airbyte.add_connection("A", source=shop, destination="Lake")
    airbyte.add_connection("B", source=shop, destination="Warehouse", status="inactive")
    airbyte.add_connection("C", source="Ads", destination="Lake")

    def found(**wanted: str) -> list[str]:
        return names(find_connections(client, workspace_id=airbyte.workspace_id, **wanted))

    assert found(source="Shop") == found(source=shop) == ["A", "B"]
    assert found(destination="Lake") == ["A", "C"]
    assert found(status="active") == ["A", "C"]
    assert found(status="inactive") == ["B"]
    assert found(source="Shop", destination="Lake") == ["A"]
    assert found(source="Lake") == found(destination=shop) == []


@pytest.mark.parametrize("era", TAGGED)
def test_all_tags_are_wanted(start_fake, connect, era) -> None:
    airbyte = start_fake(era)
    airbyte.add_connection("A", tags=["nightly", "finance"])
    airbyte.add_connection("B", tags=["nightly"])
    airbyte.add_connection("C")
    client = connect(airbyte)

    def found(tags) -> list[str]:
        return names(find_connections(client, workspace_id=airbyte.workspace_id, tags=tags))

    assert found(["nightly"]) == found("nightly") == ["A", "B"]
    assert found(["nightly", "finance"]) == ["A"]
    assert found(["Nightly"]) == []
    assert found([]) == ["A", "B", "C"]


@pytest.mark.parametrize("era", ["0.36", "0.40", "0.50", "1.0"])
def test_tags_of_a_release_without_them_are_an_error(start_fake, connect, era) -> None:
    airbyte = start_fake(era)
    with pytest.raises(AirbyteConfigurationError, match=r"tags came with Airbyte 1\.6\.0, and this Airbyte is"):
        find_connections(connect(airbyte), workspace_id=airbyte.workspace_id, tags=["nightly"])
    assert not airbyte.calls(LIST)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
@pytest.mark.parametrize("era", ["1.0", "1.8.0", "head"])
def test_pages_are_walked_to_their_end(start_fake, connect, era, count) -> None:
    airbyte = start_fake(era)
    expected = sorted(airbyte.add_connection(f"C{number:03}") for number in range(count))
    found = find_connections(connect(airbyte), workspace_id=airbyte.workspace_id)
    assert sorted(row.connection_id for row in found) == expected
    assert len(airbyte.calls(LIST)) == (1 if era == "1.0" else count // 100 + 1)


class Moving:
    """A client whose workspace changes between two pages."""

    def __init__(self, client, read) -> None:
        self.release = client.release
        self.web_backend_list_connections_for_workspace = read


@pytest.mark.parametrize("added", ["C000 before", "M between", "Z after"])
def test_connections_that_are_added_between_pages_lose_and_repeat_nothing(start_fake, connect, added) -> None:
    airbyte = start_fake("head")
    old = {airbyte.add_connection(f"{letter}{number:03}") for letter in "DX" for number in range(120)}
    client = connect(airbyte)
    pages = 0

    def read(**page):
        nonlocal pages
        pages += 1
        response = client.web_backend_list_connections_for_workspace(**page)
        airbyte.add_connection(f"{added} {pages}")
        return response

    moving = Moving(client, read)
    found = [row.connection_id for row in find_connections(moving, workspace_id=airbyte.workspace_id)]
    assert len(found) == len(set(found))
    assert old <= set(found)


def test_connections_that_are_deleted_between_pages_lose_no_other(start_fake, connect) -> None:
    airbyte = start_fake("head")
    ids = [airbyte.add_connection(f"C{number:03}") for number in range(210)]
    client = connect(airbyte)

    def read(**page):
        response = client.web_backend_list_connections_for_workspace(**page)
        airbyte.set_connection_status(response.connections[-1].connection_id, "deprecated")
        return response

    rows = find_connections(Moving(client, read), workspace_id=airbyte.workspace_id)
    assert [row.connection_id for row in rows] == ids


@pytest.mark.parametrize("status", [200, 503])
def test_a_page_that_repeats_itself_ends_the_walk(stub, connect_to, status) -> None:
    """A server that passes over the cursor, also one that does not tell its release."""
    rows = [{"connectionId": f"{WORKSPACE[:-12]}{number:012}", "name": str(number)} for number in range(100)]
    stub.response("instance_configuration", {"version": "1.8.0"}, status=status)
    stub.response("web_backend/connections/list", {"connections": rows, "page_size": 100, "num_connections": 1000})
    found = find_connections(connect_to(stub.url), workspace_id=WORKSPACE)
    assert len(found) == 100
    first, second = (request.json for request in stub.seen("web_backend/connections/list"))
    assert first.get("pageSize") == second.get("pageSize") == (100 if status == 200 else None)
    assert "cursor" not in first
    assert second["cursor"] == rows[-1]["connectionId"]


def test_a_deleted_connection_is_left_out_also_where_a_server_lists_it(stub, connect_to) -> None:
    row = {"connectionId": WORKSPACE, "name": "Orders", "status": "deprecated"}
    stub.response("web_backend/connections/list", {"connections": [row]})
    assert find_connections(connect_to(stub.url), workspace_id=WORKSPACE) == []


def test_smaller_pages_than_requested_are_walked_to_the_end(stub, connect_to) -> None:
    """A server that cuts smaller pages than requested is walked to the end."""
    rows = [{"connectionId": f"{WORKSPACE[:-12]}{number:012}", "name": str(number)} for number in range(45)]
    stub.response("instance_configuration", {"version": "1.8.0"})
    for start in (0, 20, 40):
        page = {"connections": rows[start : start + 20], "page_size": 20, "num_connections": 45}
        stub.response("web_backend/connections/list", page)
    assert len(find_connections(connect_to(stub.url), workspace_id=WORKSPACE)) == 45


def test_a_name_leads_to_its_connection(world) -> None:
    airbyte, client = world
    wanted = airbyte.add_connection("Orders [EU]")
    airbyte.add_connection("Orders E")
    found = connection_by_name(client, workspace_id=airbyte.workspace_id, name="Orders [EU]")
    assert found.connection_id == wanted


def test_a_name_that_nothing_has_is_answered_with_the_nearest_ones(world) -> None:
    airbyte, client = world
    for name in ("Orders to warehouse", "Users", *(f"Unlike {number}" for number in range(12))):
        airbyte.add_connection(name)
    with pytest.raises(AirbyteConfigurationError, match="no connection that is called 'Order to warehouse'") as caught:
        connection_by_name(client, workspace_id=airbyte.workspace_id, name="Order to warehouse")
    hint = str(caught.value).partition("nearest to it: ")[2]
    assert hint.startswith("'Orders to warehouse'")
    assert hint.count("'") == 20


def test_a_pattern_is_no_name(world) -> None:
    airbyte, client = world
    airbyte.add_connection("Orders")
    with pytest.raises(AirbyteConfigurationError, match="'Orders'"):
        connection_by_name(client, workspace_id=airbyte.workspace_id, name="Ord*")


def test_an_empty_workspace_is_said_to_be_empty(world) -> None:
    airbyte, client = world
    with pytest.raises(AirbyteConfigurationError, match="It has no connections at all"):
        connection_by_name(client, workspace_id=airbyte.workspace_id, name="Orders")


def test_a_name_of_several_is_answered_with_each_of_them(world) -> None:
    airbyte, client = world
    first = airbyte.add_connection("Orders", source="Shop", destination="Lake")
    second = airbyte.add_connection("Orders", source="Shop", destination="Warehouse", status="inactive")
    airbyte.add_connection("Orders", status="deprecated")
    with pytest.raises(AirbyteConfigurationError, match="2 connections of workspace") as caught:
        connection_by_name(client, workspace_id=airbyte.workspace_id, name="Orders")
    assert f"{first}: Shop -> Lake, active" in str(caught.value)
    assert f"{second}: Shop -> Warehouse, inactive" in str(caught.value)
