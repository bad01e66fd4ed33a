"""Lists of the fake: what is shown, and pages that hold still while rows come and go."""

from __future__ import annotations

import uuid

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
PAGED = ["1.8.0", "2.0", "head"]


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


def web_list(airbyte, **body):
    return ask(airbyte, "web_backend/connections/list", workspaceId=airbyte.workspace_id, **body)


def names(response, kind="connections"):
    return [each["name"] for each in response[kind]]


@pytest.mark.parametrize("era", PAGED)
def test_a_row_added_between_two_pages_neither_repeats_nor_loses_one(era):
    """A row that is added between two pages neither repeats nor loses another."""
    with FakeAirbyte(era) as airbyte:
        for number in range(5):
            airbyte.add_connection(f"C{number}")
        first = web_list(airbyte, pageSize=2)
        assert (names(first), first["page_size"], first["num_connections"]) == (["C0", "C1"], 2, 5)
        airbyte.add_connection("B, before the cursor")
        airbyte.add_connection("C2½, after it")
        seen, cursor = [], first["connections"][-1]["connectionId"]
        while page := web_list(airbyte, pageSize=2, cursor=cursor)["connections"]:
            seen += [each["name"] for each in page]
            cursor = page[-1]["connectionId"]
        assert seen == ["C2", "C2½, after it", "C3", "C4"]


@pytest.mark.parametrize("era", PAGED)
def test_equal_names_are_told_apart_by_their_ids(era):
    with FakeAirbyte(era) as airbyte:
        made = {airbyte.add_connection("Same") for _ in range(7)}
        seen, cursor = [], None
        while page := web_list(airbyte, pageSize=3, **({"cursor": cursor} if cursor else {}))["connections"]:
            seen += [each["connectionId"] for each in page]
            cursor = seen[-1]
        assert (len(seen), set(seen)) == (7, made)


def test_the_row_of_the_cursor_may_be_deleted():
    with FakeAirbyte() as airbyte:
        ids = [airbyte.add_connection(f"C{number}") for number in range(4)]
        ask(airbyte, "connections/delete", 204, connectionId=ids[1])
        assert names(web_list(airbyte, cursor=ids[1])) == ["C2", "C3"]
        ask(airbyte, "web_backend/connections/list", 404, workspaceId=airbyte.workspace_id, cursor=UNKNOWN)


@pytest.mark.parametrize(("era", "shown"), [("0.50", 25), ("1.7.0", 25), ("1.8.0", 20), ("2.0", 20)])
def test_a_page_has_20_rows_since_1_8(era, shown):
    with FakeAirbyte(era) as airbyte:
        for number in range(25):
            airbyte.add_connection(f"C{number:02}")
        response = web_list(airbyte)
        assert len(response["connections"]) == shown
        assert ("page_size" in response) == (shown == 20)
        assert len(web_list(airbyte, pageSize=3)["connections"]) == (3 if shown == 20 else 25)
        for kind in ("sources", "destinations"):
            found = ask(airbyte, f"{kind}/list", workspaceId=airbyte.workspace_id)[kind]
            assert len(found) == shown


def test_sources_are_paged_by_their_name():
    with FakeAirbyte() as airbyte:
        ids = {name: airbyte.add_source(name) for name in ("c", "a", "d", "b")}
        workspace = {"workspaceId": airbyte.workspace_id}
        first = ask(airbyte, "sources/list", **workspace, pageSize=2)
        airbyte.add_source("aa")
        rest = ask(airbyte, "sources/list", **workspace, pageSize=9, cursor=ids["b"])
        assert (names(first, "sources"), names(rest, "sources")) == (["a", "b"], ["c", "d"])
        assert names(ask(airbyte, "sources/list", **workspace, filters={"searchTerm": "AA"}), "sources") == ["aa"]
        assert ask(airbyte, "destinations/list", **workspace)["destinations"] == []
        ask(airbyte, "sources/list", 404, **workspace, cursor=UNKNOWN)


def test_sorting_by_other_columns():
    with FakeAirbyte() as airbyte:
        first = airbyte.add_connection("A", source="z", destination="m")
        second = airbyte.add_connection("B", source="y", destination="n")
        airbyte.advance(airbyte.start_job(first), "succeeded")
        assert names(web_list(airbyte, sortKey="sourceName_asc")) == ["B", "A"]
        assert names(web_list(airbyte, sortKey="connectionName_desc")) == ["B", "A"]
        assert names(web_list(airbyte, sortKey="destinationName_desc")) == ["B", "A"]
        assert names(web_list(airbyte, sortKey="lastSync_desc")) == ["A", "B"]
        assert names(web_list(airbyte, sortKey="connectionName_desc", cursor=second)) == ["A"]
        body = {"workspaceId": airbyte.workspace_id, "sortKey": "age_asc"}
        ask(airbyte, "web_backend/connections/list", 400, **body)


def test_filters():
    with FakeAirbyte() as airbyte:
        orders = airbyte.add_connection("Orders", source="Shop", destination="Lake", tags=["daily", "finance"])
        airbyte.add_connection("Clicks", source="Web", destination="Lake", tags=["daily"], status="inactive")
        (tag,) = [airbyte.add_tag("finance")]
        shown = web_list(airbyte)["connections"]
        shop = next(each["source"]["sourceId"] for each in shown if each["connectionId"] == orders)
        assert names(web_list(airbyte, sourceId=[shop])) == ["Orders"]
        assert names(web_list(airbyte, destinationId=[shown[0]["destination"]["destinationId"]])) == [
            "Clicks",
            "Orders",
        ]
        for filters in ({"tagIds": [tag["tagId"]]}, {"states": ["active"]}, {"searchTerm": "shop"}):
            assert names(web_list(airbyte, filters=filters)) == ["Orders"]
        airbyte.advance(airbyte.start_job(orders), "failed")
        assert names(web_list(airbyte, filters={"statuses": ["failed"]})) == ["Orders"]
        assert names(web_list(airbyte, filters={"statuses": ["paused"]})) == ["Clicks"]
        assert web_list(airbyte, filters={"statuses": ["failed"]})["num_connections"] == 1


def test_older_servers_do_not_know_the_filters():
    with FakeAirbyte("0.40") as airbyte:
        airbyte.add_connection("Orders")
        assert names(web_list(airbyte, sourceId=[UNKNOWN], filters={"searchTerm": "x"})) == []
        assert names(web_list(airbyte, filters={"searchTerm": "x"})) == ["Orders"]


@pytest.mark.parametrize(("era", "whole"), [("0.36", True), ("0.40.9", True), ("0.40.10", False), ("head", False)])
def test_items_were_whole_connections_before_0_40_10(era, whole):
    with FakeAirbyte(era) as airbyte:
        airbyte.add_connection()
        (item,) = web_list(airbyte)["connections"]
        assert ("syncCatalog" in item) == whole
        assert item["isSyncing"] is False


def test_a_list_shows_whether_a_job_runs():
    with FakeAirbyte() as airbyte:
        job_id = airbyte.start_job(airbyte.add_connection())
        for status, syncing in (("running", True), ("incomplete", False), ("succeeded", False)):
            airbyte.advance(job_id, status)
            (item,) = web_list(airbyte)["connections"]
            assert (item["latestSyncJobStatus"], item["isSyncing"]) == (status, syncing)


def test_offsets_count_rows_as_they_are_now():
    """connections/list_paginated: unlike a cursor, an offset repeats rows when one is deleted or added before it."""
    with FakeAirbyte() as airbyte:
        ids = [airbyte.add_connection(f"C{number}") for number in range(4)]
        body = {"workspaceIds": [airbyte.workspace_id], "userId": str(uuid.uuid4())}

        def page(offset, **more):
            pagination = {"pageSize": 2, "rowOffset": offset}
            return names(ask(airbyte, "connections/list_paginated", **body, pagination=pagination, **more))

        assert (page(0), page(2), page(4)) == (["C0", "C1"], ["C2", "C3"], [])
        airbyte.set_connection_status(ids[0], "deprecated")
        assert page(2) == ["C3"]
        assert page(2, includeDeleted=True) == ["C2", "C3"]
        elsewhere = airbyte.add_workspace("Elsewhere")
        airbyte.add_connection("There", workspace_id=elsewhere)
        assert names(ask(airbyte, "connections/list_paginated", workspaceIds=[elsewhere])) == ["There"]
        ask(airbyte, "connections/list_paginated", 500)


@pytest.mark.parametrize("era", ["0.36", "0.50", "2.0"])
def test_a_workspace_shows_only_its_own(era):
    with FakeAirbyte(era) as airbyte:
        airbyte.add_connection("Here")
        elsewhere = airbyte.add_workspace("Elsewhere")
        there = airbyte.add_connection("There", workspace_id=elsewhere)
        for path in ("connections/list", "connections/list_all", "web_backend/connections/list"):
            assert names(ask(airbyte, path, workspaceId=elsewhere)) == ["There"]
            ask(airbyte, path, 404, workspaceId=UNKNOWN)
        assert [each["workspaceId"] for each in ask(airbyte, "sources/list", workspaceId=elsewhere)["sources"]] == [
            elsewhere
        ]
        airbyte.start_job(there)
        if era != "0.36":
            assert ask(airbyte, "workspaces/get_by_connection_id", connectionId=there)["name"] == "Elsewhere"
            jobs = {"configTypes": ["sync"], "workspaceIds": [airbyte.workspace_id]}
            assert ask(airbyte, "jobs/list_for_workspaces", **jobs)["jobs"] == []


def test_workspaces_are_listed_by_organization():
    """Workspaces are listed by organization since workspaces list is gone."""
    with FakeAirbyte() as airbyte:
        airbyte.add_workspace("Finance")
        assert requests.post(f"{airbyte.base_url}/v1/workspaces/list", json={}, timeout=10).status_code == 404
        organization = "00000000-0000-0000-0000-000000000000"
        path = "workspaces/list_by_organization_id"
        assert names(ask(airbyte, path, organizationId=organization), "workspaces") == ["Default Workspace", "Finance"]
        assert names(ask(airbyte, path, organizationId=organization, nameContains="fin"), "workspaces") == ["Finance"]
        assert ask(airbyte, path, organizationId=UNKNOWN) == {"workspaces": []}
        ask(airbyte, path, 500)


def test_search_finds_nothing():
    """As on real servers: the comparison is with something that no connection equals."""
    with FakeAirbyte() as airbyte:
        airbyte.add_connection("Orders")
        assert ask(airbyte, "connections/search", name="Orders") == {"connections": []}
