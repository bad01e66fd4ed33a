"""Changing connections of the fake: creating, patching and replacing, resetting what changed, refreshing, deleting."""

from __future__ import annotations

import copy

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte, Step, Stream

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
PATCHING = ["0.40", "0.50", "1.0", "1.8.0", "2.0", "head"]
REPLACING = ["0.36", "0.39.0", "0.40.7"]


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


def read(airbyte, connection_id):
    return ask(airbyte, "connections/get", connectionId=connection_id)


def kinds(airbyte, connection_id):
    return [job["kind"] for job in airbyte.jobs(connection_id)]


# Create


@pytest.mark.parametrize("era", ["0.36", "0.50", "2.0", "head"])
def test_a_created_connection_is_what_was_asked_for(era):
    with FakeAirbyte(era) as airbyte:
        model = read(airbyte, airbyte.add_connection(streams=["a", "b"]))
        source, destination = airbyte.add_source("Shop"), airbyte.add_destination("Lake")
        body = {
            "sourceId": source,
            "destinationId": destination,
            "status": "inactive",
            "syncCatalog": model["syncCatalog"],
            "prefix": "x_",
            "namespaceDefinition": "customformat",
            "namespaceFormat": "y",
            "schedule": {"units": 3, "timeUnit": "hours"},
        }
        made = ask(airbyte, "connections/create", **body)
        assert {name: made[name] for name in body} == body
        assert made["name"] == "Shop <> Lake"
        assert read(airbyte, made["connectionId"]) == made
        ask(airbyte, "connections/create", 404, **{**body, "sourceId": UNKNOWN})
        for required in ("sourceId", "destinationId", "status"):
            lacking = {name: value for name, value in body.items() if name != required}
            ask(airbyte, "connections/create", 400 if era == "0.36" else 500, **lacking)
        wrong = 422 if era == "0.36" else 400
        for name, value in {"sourceId": "abc", "status": "asleep", "syncCatalog": []}.items():
            ask(airbyte, "connections/create", wrong, **{**body, name: value})
        assert len(ask(airbyte, "connections/list", workspaceId=airbyte.workspace_id)["connections"]) == 2


# Update


@pytest.mark.parametrize("era", PATCHING)
def test_since_0_40_8_an_update_changes_only_what_it_names(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"], schedule=(6, "hours"), settings={"prefix": "x_"})
        before = read(airbyte, connection_id)
        response = ask(airbyte, "connections/update", connectionId=connection_id, name="New")
        assert response == before | {"name": "New"}
        cron = {"cron": {"cronExpression": "0 0 4 * * ?", "cronTimeZone": "UTC"}}
        ask(airbyte, "connections/update", connectionId=connection_id, scheduleType="cron", scheduleData=cron)
        after = read(airbyte, connection_id)
        assert (after["scheduleType"], after["scheduleData"], after.get("schedule")) == ("cron", cron, None)
        assert (after["prefix"], after["syncCatalog"]) == ("x_", before["syncCatalog"])
        manual = ask(airbyte, "connections/update", connectionId=connection_id, scheduleType="manual")
        assert manual.get("scheduleData") is None


@pytest.mark.parametrize("era", PATCHING)
def test_a_patch_refuses_half_a_schedule_and_the_legacy_one(era):
    """As Airbyte's validateConnectionPatch does: an illegal argument is a 500."""
    basic = {"units": 1, "timeUnit": "days"}
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        for wrong in ({"schedule": basic}, {"scheduleData": {"basicSchedule": basic}}):
            ask(airbyte, "connections/update", 500, connectionId=connection_id, **wrong)
        assert read(airbyte, connection_id)["scheduleType"] == "manual"


@pytest.mark.parametrize("era", PATCHING)
@pytest.mark.parametrize(
    ("expression", "zone", "status"),
    [
        ("0 0 4 * * ?", "Europe/Berlin", 200),
        ("0 0 4 ? * MON 2030", "UTC", 200),
        ("0 0/15 8-18 ? * MON-FRI", "UTC", 200),
        ("0 0 4 L * ?", "UTC", 200),
        ("0 0 4 ? * 6#3", "UTC", 200),
        ("0 0 4 * * ? Europe/Berlin", "UTC", 422),
        ("0 61 4 * * ?", "UTC", 422),
        ("0 0 4 * * ? 2030 UTC", "UTC", 422),
        ("0 4 * * *", "UTC", 422),
        ("0 0 4 * * *", "UTC", 422),
        ("0 0 4 ? * ?", "UTC", 422),
        ("hourly", "UTC", 422),
        ("0 0 4 * * ?", "Berlin", 422),
        ("0 0 4 * * ?", "Etc/UTC", 422),
    ],
)
def test_a_cron_schedule_must_be_quartz_in_a_zone_that_is_known(era, expression, zone, status):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        data = {"cron": {"cronExpression": expression, "cronTimeZone": zone}}
        body = {"connectionId": connection_id, "scheduleType": "cron", "scheduleData": data}
        ask(airbyte, "connections/update", status, **body)
        assert read(airbyte, connection_id)["scheduleType"] == ("cron" if status == 200 else "manual")


@pytest.mark.parametrize("era", REPLACING)
@pytest.mark.parametrize("path", ["connections/update", "web_backend/connections/update"])
def test_before_0_40_8_an_update_replaces_everything(era, path):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(schedule=(6, "hours"), settings={"prefix": "x_"})
        before = read(airbyte, connection_id)
        assert before["schedule"] == {"units": 6, "timeUnit": "hours"}
        for lacking in ({"status": "active"}, {"syncCatalog": before["syncCatalog"]}):
            ask(airbyte, path, 400, connectionId=connection_id, **lacking)
        assert read(airbyte, connection_id) == before
        whole = {"syncCatalog": before["syncCatalog"], "status": "inactive"}
        response = ask(airbyte, path, connectionId=connection_id, **whole)
        assert (response["status"], response.get("prefix"), response.get("schedule")) == ("inactive", None, None)
        assert response["name"] == before["name"]


@pytest.mark.parametrize("era", PATCHING)
def test_an_update_that_is_refused_changes_nothing(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        before = read(airbyte, connection_id)
        for wrong in ({"status": "asleep"}, {"syncCatalog": {}}, {"operationIds": ["abc"]}):
            ask(airbyte, "connections/update", 400, connectionId=connection_id, name="New", **wrong)
        for data in (None, {}, {"basicSchedule": {"units": 1}}):
            body = {"scheduleType": "basic", "scheduleData": data}
            ask(airbyte, "connections/update", 422, connectionId=connection_id, name="New", **body)
        assert read(airbyte, connection_id) == before
        for path in ("connections/update", "web_backend/connections/update", "connections/delete"):
            ask(airbyte, path, 404, connectionId=UNKNOWN)
            ask(airbyte, path, 400, connectionId="abc")
            ask(airbyte, path, 500)


def test_tags_come_from_1_6_and_are_named_by_their_ids():
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(tags=["daily"])
        finance = airbyte.add_tag("finance")
        (daily,) = read(airbyte, connection_id)["tags"]
        assert daily["name"] == "daily"
        response = ask(airbyte, "connections/update", connectionId=connection_id, tags=[finance, daily | {"name": "x"}])
        assert response["tags"] == [finance, daily]
        ask(airbyte, "connections/update", 409, connectionId=connection_id, tags=[finance | {"tagId": UNKNOWN}])
        assert ask(airbyte, "connections/update", connectionId=connection_id, tags=[])["tags"] == []
    with FakeAirbyte("1.5.0") as airbyte:
        assert "tags" not in read(airbyte, airbyte.add_connection(tags=["daily"]))


@pytest.mark.parametrize(("era", "there"), [("0.40.14", False), ("0.40.15", True), ("1.6.0", True), ("1.7.0", False)])
def test_geography_came_and_went(era, there):
    """It is refused before, and ignored after."""
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        status = 422 if era == "0.40.14" else 200
        response = ask(airbyte, "connections/update", status, connectionId=connection_id, geography="eu")
        assert response.get("geography") == ("eu" if there else None)
        url = f"{airbyte.base_url}/v1/web_backend/geographies/list"
        assert requests.post(url, json={}, timeout=10).status_code == (200 if there else 404)


def test_enums_may_be_upper_case_since_0_59_1():
    for era, status in (("0.50", 400), ("1.0", 200)):
        with FakeAirbyte(era) as airbyte:
            connection_id = airbyte.add_connection()
            ask(airbyte, "connections/update", status, connectionId=connection_id, status="INACTIVE")


def test_since_1_8_a_changed_sync_mode_forgets_the_state_of_its_stream():
    for era, rows in (("1.0", 2), ("1.8.0", 1)):
        with FakeAirbyte(era) as airbyte:
            connection_id = airbyte.add_connection(streams=["a", "b"])
            airbyte.advance(airbyte.start_job(connection_id), "succeeded")
            catalog = read(airbyte, connection_id)["syncCatalog"]
            catalog["streams"][0]["config"]["syncMode"] = "full_refresh"
            ask(airbyte, "connections/update", connectionId=connection_id, syncCatalog=catalog)
            assert len(airbyte.state(connection_id)["streamState"]) == rows
            assert kinds(airbyte, connection_id) == ["sync"]


# web_backend/connections/update


def _fewer(airbyte, connection_id):
    catalog = copy.deepcopy(read(airbyte, connection_id)["syncCatalog"])
    catalog["streams"][0]["config"]["selected"] = False
    return {"connectionId": connection_id, "syncCatalog": catalog, "status": "active"}


@pytest.mark.parametrize("era", ["0.39.36", *PATCHING])
def test_a_changed_catalog_resets_the_changed_streams(era):
    """Where the destination cannot refresh them."""
    with FakeAirbyte(era) as airbyte:
        airbyte.add_destination("Old", supports_refreshes=False)
        connection_id = airbyte.add_connection(streams=["a", ("public", "b")], destination="Old")
        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
        body = _fewer(airbyte, connection_id)
        ask(airbyte, "web_backend/connections/update", **body)
        assert kinds(airbyte, connection_id) == ["sync", "reset_connection"]
        reset = airbyte.jobs(connection_id)[-1]
        assert reset["streams"] == [(None, "a")]
        airbyte.advance(reset["id"], "succeeded")
        rows = airbyte.state(connection_id)["streamState"]
        assert [row["streamDescriptor"]["name"] for row in rows] == ["b"]
        # Until 0.58 the workflow went on with a sync.
        follows = ["sync"] if era in ("0.39.36", "0.40", "0.50") else []
        assert kinds(airbyte, connection_id) == ["sync", "reset_connection", *follows]


@pytest.mark.parametrize(
    ("name", "value"), [("syncMode", "full_refresh"), ("destinationSyncMode", "append"), ("cursorField", ["id"])]
)
def test_a_stream_that_is_read_otherwise_is_reset(name, value):
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        catalog = read(airbyte, connection_id)["syncCatalog"]
        catalog["streams"][1]["config"][name] = value
        ask(airbyte, "web_backend/connections/update", connectionId=connection_id, syncCatalog=catalog)
        assert [job["streams"] for job in airbyte.jobs(connection_id)] == [[(None, "b")]]


@pytest.mark.parametrize("era", ["0.39.36", *PATCHING])
def test_skip_reset_leaves_the_data(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        ask(airbyte, "web_backend/connections/update", **_fewer(airbyte, connection_id), skipReset=True)
        assert kinds(airbyte, connection_id) == []


@pytest.mark.parametrize("era", PATCHING)
def test_what_does_not_concern_the_data_resets_nothing(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        catalog = read(airbyte, connection_id)["syncCatalog"]
        catalog["streams"].reverse()
        body = {"connectionId": connection_id, "name": "New", "syncCatalog": catalog}
        ask(airbyte, "web_backend/connections/update", **body)
        assert kinds(airbyte, connection_id) == []
        ask(airbyte, "connections/update", **_fewer(airbyte, connection_id))
        assert kinds(airbyte, connection_id) == []


def test_a_reset_by_update_cancels_the_sync_that_runs():
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        airbyte.default_script = [Step("running")]
        airbyte.start_job(connection_id)
        ask(airbyte, "web_backend/connections/update", **_fewer(airbyte, connection_id))
        assert [job["status"] for job in airbyte.jobs(connection_id)] == ["cancelled", "running"]


@pytest.mark.parametrize("era", ["0.36", "0.39.35"])
def test_before_0_39_36_a_changed_catalog_resets_everything_and_syncs(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        ask(airbyte, "web_backend/connections/update", **_fewer(airbyte, connection_id))
        (reset,) = airbyte.jobs(connection_id)
        assert (reset["kind"], reset["streams"]) == ("reset_connection", [(None, "b")])
        airbyte.advance(reset["id"], "succeeded")
        assert kinds(airbyte, connection_id) == ["reset_connection", "sync"]


def test_operations_are_made_changed_and_dropped_with_the_connection():
    hook = {"operatorType": "webhook", "webhook": {"executionUrl": "https://example.com"}}
    with FakeAirbyte() as airbyte:
        first = airbyte.add_operation("first", hook)
        connection_id = airbyte.add_connection(settings={"operationIds": [first]})
        base = {"workspaceId": airbyte.workspace_id, "operatorConfiguration": hook}
        operations = [{**base, "name": "second"}, {**base, "operationId": first, "name": "renamed"}]
        response = ask(airbyte, "web_backend/connections/update", connectionId=connection_id, operations=operations)
        assert [each["name"] for each in response["operations"]] == ["second", "renamed"]
        response = ask(airbyte, "web_backend/connections/update", connectionId=connection_id, operations=operations[:1])
        assert [each["name"] for each in response["operations"]] == ["second"]
        assert ask(airbyte, "operations/list", connectionId=connection_id)["operations"] == response["operations"]
        ask(airbyte, "operations/get", 404, operationId=UNKNOWN)


# Delete and refresh


@pytest.mark.parametrize("era", ["0.36", *PATCHING])
def test_a_deleted_connection_is_deprecated(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        airbyte.default_script = [Step("running")]
        airbyte.start_job(connection_id)
        assert ask(airbyte, "connections/delete", 204, connectionId=connection_id) is None
        assert read(airbyte, connection_id)["status"] == "deprecated"
        assert airbyte.jobs(connection_id)[0]["status"] == "cancelled"
        workspace = {"workspaceId": airbyte.workspace_id}
        for path, count in (("connections/list", 0), ("connections/list_all", 1), ("web_backend/connections/list", 0)):
            assert len(ask(airbyte, path, **workspace)["connections"]) == count
        ask(airbyte, "connections/delete", 204, connectionId=connection_id)
        assert airbyte.calls("deleteConnection")[0].effect


def test_a_refresh_is_a_job_since_1_2_0_and_a_word_before():
    streams = [{"streamName": "b", "streamNamespace": "public"}]
    for era in ("0.57.2", "1.1.0", "1.2.0", "2.0", "head"):
        with FakeAirbyte(era) as airbyte:
            airbyte.refreshes_activated = True
            airbyte.default_script = [Step("running")]
            connection_id = airbyte.add_connection(streams=["a", ("public", "b")])
            body = {"connectionId": connection_id, "refreshMode": "Truncate"}
            response = ask(airbyte, "connections/refresh", **body, streams=streams)
            assert [(job["kind"], job["streams"]) for job in airbyte.jobs()] == [("refresh", [("public", "b")])]
            if era in ("0.57.2", "1.1.0"):
                assert response == {"value": True}
                continue
            assert response["job"]["configType"] == "refresh"
            refreshed = {"streamsToRefresh": [{"name": "b", "namespace": "public"}]}
            assert response["job"]["refreshConfig"] == refreshed


def test_a_refresh_that_the_destination_does_not_support_is_no_error():
    for era, nothing in (("1.0", {"value": False}), ("2.0", {})):
        with FakeAirbyte(era) as airbyte:
            airbyte.add_destination("Old", supports_refreshes=False)
            connection_id = airbyte.add_connection(destination="Old")
            body = {"connectionId": connection_id, "refreshMode": "Merge"}
            assert ask(airbyte, "connections/refresh", **body) == nothing
            assert airbyte.jobs() == []


def test_the_refresh_mode_is_required_since_0_59():
    with FakeAirbyte("0.58.0") as airbyte:
        airbyte.refreshes_activated = True
        ask(airbyte, "connections/refresh", connectionId=airbyte.add_connection())
        assert len(airbyte.jobs()) == 1
    for era in ("0.59.0", "2.0"):
        _refuses_a_refresh_without_a_mode(era)
    with FakeAirbyte("0.57.1") as airbyte:
        url = f"{airbyte.base_url}/v1/connections/refresh"
        response = requests.post(url, json={"connectionId": airbyte.add_connection()}, timeout=10)
        assert response.status_code == 404


def _refuses_a_refresh_without_a_mode(era):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        ask(airbyte, "connections/refresh", 500, connectionId=connection_id)
        ask(airbyte, "connections/refresh", 400, connectionId=connection_id, refreshMode="Wipe")
        ask(airbyte, "connections/refresh", 404, connectionId=UNKNOWN, refreshMode="Merge")
        assert airbyte.jobs() == []


def test_a_refresh_reads_its_streams_anew():
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(streams=["a", Stream("b")])
        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
        body = {"connectionId": connection_id, "refreshMode": "Merge", "streams": [{"streamName": "a"}]}
        job = ask(airbyte, "connections/refresh", **body)["job"]
        airbyte.advance(job["id"], "running")
        assert [row["streamDescriptor"]["name"] for row in airbyte.state(connection_id)["streamState"]] == ["b"]


# History


def test_the_history_of_a_connection():
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection()
        ask(airbyte, "connections/update", connectionId=connection_id, status="inactive")
        update = {"connectionId": connection_id, "status": "active"}
        ask(airbyte, "connections/update_with_reason", connectionUpdate=update, updateReason="because")
        ask(airbyte, "connections/update_with_reason", 500, updateReason="because")
        job_id = ask(airbyte, "connections/sync", connectionId=connection_id)["job"]["id"]
        airbyte.advance(job_id, "failed")
        events = ask(airbyte, "connections/events/list", connectionId=connection_id)["events"]
        assert {event["eventType"] for event in events} == {
            "CONNECTION_DISABLED",
            "CONNECTION_ENABLED",
            "SYNC_STARTED",
            "SYNC_FAILED",
        }
        kind = {"eventTypes": ["SYNC_FAILED"]}
        (failed,) = ask(airbyte, "connections/events/list", connectionId=connection_id, **kind)["events"]
        body = {"connectionId": connection_id, "connectionEventId": failed["id"]}
        assert ask(airbyte, "connections/events/get", **body)["summary"]["jobId"] == job_id
        ask(airbyte, "connections/events/get", 404, connectionId=connection_id, connectionEventId=UNKNOWN)
        assert len(ask(airbyte, "connections/events/list_for_job", id=job_id)["events"]) == 2
