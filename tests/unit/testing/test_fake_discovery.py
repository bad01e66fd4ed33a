"""Discovery in the fake: what a source has now, what that breaks, and what the fake refuses when it is strict."""

from __future__ import annotations

import pytest
import requests

from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Stream

UNKNOWN = "00000000-0000-4000-8000-00000000dead"


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


class Scene:
    """A connection, and its source's catalog to be changed."""

    def __init__(self, airbyte: FakeAirbyte, **settings) -> None:
        self.airbyte = airbyte
        self.id = airbyte.add_connection(streams=[Stream("orders", columns=COLUMNS), "users"], settings=settings)
        self.source = ask(airbyte, "connections/get", connectionId=self.id)["sourceId"]

    def change(self, **columns) -> None:
        orders, users = self.airbyte.discovered_catalog(self.id)
        properties = orders["jsonSchema"]["properties"]
        for name, kind in columns.items():
            properties.pop(name, None)
            if kind:
                properties[name] = {"type": kind}
        self.airbyte.set_discovered_catalog(self.id, [orders, users])

    def discover(self):
        body = {"sourceId": self.source, "connectionId": self.id, "disable_cache": True}
        return ask(self.airbyte, "sources/discover_schema", **body)

    def status(self):
        return ask(self.airbyte, "connections/get", connectionId=self.id)["status"]


COLUMNS = {"id": "integer", "updated_at": "string", "note": "string"}


@pytest.fixture
def scene():
    with FakeAirbyte() as airbyte:
        yield Scene(airbyte)


def test_nothing_has_changed(scene):
    response = scene.discover()
    assert (response["catalogDiff"], response["breakingChange"]) == ({"transforms": []}, False)
    assert [each["stream"]["name"] for each in response["catalog"]["streams"]] == ["orders", "users"]
    assert scene.status() == "active"


@pytest.mark.parametrize(
    ("columns", "kind", "breaking"),
    [
        ({"note": None}, "remove_field", False),
        ({"note": "integer"}, "update_field_schema", False),
        ({"more": "string"}, "add_field", False),
        ({"updated_at": None}, "remove_field", True),
        ({"id": None}, "remove_field", True),
    ],
)
def test_a_changed_column(scene, columns, kind, breaking):
    """Only the loss of the cursor or of the key breaks a connection, and switches it off."""
    scene.change(**columns)
    response = scene.discover()
    (transform,) = response["catalogDiff"]["transforms"]
    (field,) = transform["updateStream"]["fieldTransforms"]
    assert (transform["transformType"], field["transformType"], field["breaking"]) == ("update_stream", kind, breaking)
    assert field["fieldName"] == list(columns)
    assert response["breakingChange"] == breaking
    assert scene.status() == ("inactive" if breaking else "active") == response["connectionStatus"]
    shown = ask(scene.airbyte, "web_backend/connections/get", connectionId=scene.id)
    assert shown["schemaChange"] == ("breaking" if breaking else "non_breaking")


def test_streams_come_and_go(scene):
    scene.airbyte.set_discovered_catalog(scene.id, [scene.airbyte.discovered_catalog(scene.id)[0], ("public", "new")])
    response = scene.discover()
    assert {each["transformType"]: each["streamDescriptor"] for each in response["catalogDiff"]["transforms"]} == {
        "add_stream": {"name": "new", "namespace": "public"},
        "remove_stream": {"name": "users"},
    }
    assert response["breakingChange"] is False


def test_another_key_breaks_a_deduplicated_stream(scene):
    orders, users = scene.airbyte.discovered_catalog(scene.id)
    orders["sourceDefinedPrimaryKey"] = [["note"]]
    scene.airbyte.set_discovered_catalog(scene.source, [orders, users])
    response = scene.discover()
    (change,) = response["catalogDiff"]["transforms"][0]["updateStream"]["streamAttributeTransforms"]
    assert (change["transformType"], change["breaking"], response["breakingChange"]) == (
        "update_primary_key",
        True,
        True,
    )


def test_a_catalog_has_an_id_of_its_own(scene):
    first = scene.discover()["catalogId"]
    assert scene.discover()["catalogId"] == first
    scene.change(note=None)
    assert scene.discover()["catalogId"] != first


def test_without_disable_cache_the_answer_is_what_was_found_last(scene):
    scene.change(id=None)
    body = {"sourceId": scene.source, "connectionId": scene.id}
    old = ask(scene.airbyte, "sources/discover_schema", **body)
    assert scene.discover()["breakingChange"] is True
    scene.airbyte.set_connection_status(scene.id, "active")
    new = ask(scene.airbyte, "sources/discover_schema", **body)
    assert old["catalog"] != new["catalog"]
    # Old news is not compared, and switches nothing off.
    assert not {"catalogDiff", "breakingChange", "connectionStatus"} & (old.keys() | new.keys())
    assert scene.status() == "active"
    scene.airbyte.fail_discovery(scene.id)
    assert ask(scene.airbyte, "sources/discover_schema", **body)["jobInfo"]["succeeded"] is True
    assert scene.discover()["jobInfo"]["succeeded"] is False


def test_a_source_that_cannot_be_asked_answers_200_without_a_catalog(scene):
    scene.airbyte.fail_discovery(scene.id, Failure("source", "config_error", "Wrong password."))
    response = scene.discover()
    assert response["jobInfo"]["succeeded"] is False
    assert response["jobInfo"]["failureReason"]["externalMessage"] == "Wrong password."
    assert set(response) == {"jobInfo"}
    ask(scene.airbyte, "web_backend/connections/get", 500, connectionId=scene.id, withRefreshedCatalog=True)
    ask(scene.airbyte, "web_backend/connections/get", connectionId=scene.id)
    scene.airbyte.fail_discovery(scene.id, None)
    assert scene.discover()["jobInfo"]["succeeded"] is True


def test_discovery_without_a_connection_touches_none(scene):
    scene.change(id=None)
    response = ask(scene.airbyte, "sources/discover_schema", sourceId=scene.source)
    assert "catalogDiff" not in response
    assert scene.status() == "active"
    ask(scene.airbyte, "sources/discover_schema", 404, sourceId=UNKNOWN)
    requested = {"sourceId": scene.source, "disable_cache": True}
    ask(scene.airbyte, "sources/discover_schema", 404, **requested, connectionId=UNKNOWN)
    ask(scene.airbyte, "sources/discover_schema", 400, sourceId="abc")
    ask(scene.airbyte, "sources/discover_schema", 500)


def test_a_connection_may_ask_to_be_switched_off_by_any_change():
    with FakeAirbyte() as airbyte:
        scene = Scene(airbyte, nonBreakingChangesPreference="disable")
        scene.discover()
        assert scene.status() == "active"
        scene.change(more="string")
        scene.discover()
        assert scene.status() == "inactive"


def test_a_refreshed_catalog_keeps_the_settings(scene):
    """A refreshed catalog shows what there is with the settings of the connection."""
    scene.change(note=None)
    scene.airbyte.set_discovered_catalog(scene.id, [*scene.airbyte.discovered_catalog(scene.id), "new"])
    plain = ask(scene.airbyte, "web_backend/connections/get", connectionId=scene.id)
    assert len(plain["syncCatalog"]["streams"]) == 2
    assert "catalogDiff" not in plain
    response = ask(scene.airbyte, "web_backend/connections/get", connectionId=scene.id, withRefreshedCatalog=True)
    orders, users, new = response["syncCatalog"]["streams"]
    assert "note" not in orders["stream"]["jsonSchema"]["properties"]
    assert orders["config"] == plain["syncCatalog"]["streams"][0]["config"]
    assert (users["config"]["selected"], new["config"]["selected"]) == (True, False)
    assert len(response["catalogDiff"]["transforms"]) == 2
    assert response["catalogId"] != plain["catalogId"]


def test_old_servers_tell_field_changes_in_a_list():
    with FakeAirbyte("0.50") as airbyte:
        scene = Scene(airbyte)
        scene.change(id=None)
        (transform,) = scene.discover()["catalogDiff"]["transforms"]
        assert [each["fieldName"] for each in transform["updateStream"]] == [["id"]]
    with FakeAirbyte("0.40.18") as airbyte:
        scene = Scene(airbyte)
        assert "catalogDiff" not in ask(airbyte, "sources/discover_schema", sourceId=scene.source, disable_cache=True)


# Strict


@pytest.mark.parametrize("era", ["2.2", "2.4", "head"])
def test_a_strict_server_refuses_what_a_request_does_not_declare(era):
    with FakeAirbyte(era, strict=True) as airbyte:
        connection_id = airbyte.add_connection()
        shown = ask(airbyte, "connections/get", connectionId=connection_id)
        refused = [
            ("connections/get", {"connectionId": connection_id, "extra": 1}),
            ("connections/update", {"connectionId": connection_id, "geography": "auto"}),
            ("connections/update", {"connectionId": connection_id, "syncCatalog": {"streams": [{"other": {}}]}}),
            ("web_backend/connections/update", {"connectionId": connection_id, "operationIds": []}),
            ("web_backend/connections/list", {"workspaceId": airbyte.workspace_id, "filters": {"name": "x"}}),
            ("workspaces/get", {"workspaceId": airbyte.workspace_id, "extra": None}),
        ]
        for path, body in refused:
            ask(airbyte, path, 400, **body)
        ask(airbyte, "connections/update", connectionId=connection_id, syncCatalog=shown["syncCatalog"])
        # Jobs, state and sources are not in the list.
        ask(airbyte, "jobs/list", configTypes=["sync"], extra=1)
        ask(airbyte, "state/get", connectionId=connection_id, extra=1)
        ask(airbyte, "sources/list", workspaceId=airbyte.workspace_id, extra=1)


@pytest.mark.parametrize("era", ["0.40.28", "0.50", "2.0", "head"])
def test_other_servers_ignore_it(era):
    with FakeAirbyte(era) as airbyte:
        ask(airbyte, "connections/get", connectionId=airbyte.add_connection(), extra=1)


def test_no_server_could_be_strict_before_2_2():
    with pytest.raises(ValueError, match=r"2\.2\.0"):
        FakeAirbyte("2.0", strict=True)


@pytest.mark.parametrize(
    ("era", "path", "body"),
    [
        ("0.36", "connections/get", {"extra": None}),
        ("0.40.27", "connections/get", {"extra": 1}),
        ("0.40.5", "jobs/list", {"configTypes": ["sync"], "configId": UNKNOWN, "includingJobId": 1}),
        ("0.40.27", "jobs/list", {"configTypes": ["sync"], "configId": UNKNOWN, "statuses": ["running"]}),
        ("0.40.26", "web_backend/connections/list", {"workspaceId": UNKNOWN, "sourceId": UNKNOWN}),
        ("0.40.18", "sources/discover_schema", {"sourceId": UNKNOWN, "connectionId": UNKNOWN}),
        ("0.40.14", "connections/update", {"connectionId": UNKNOWN, "geography": "auto"}),
        ("0.40.0", "connections/update", {"connectionId": UNKNOWN, "scheduleType": "manual"}),
        ("0.40.8", "web_backend/connections/update", {"connectionId": UNKNOWN, "operationIds": []}),
        ("0.40.20", "state/create_or_update", {"connectionId": UNKNOWN, "connectionState": {"shared_state": 1}}),
    ],
)
def test_up_to_0_40_27_an_undeclared_field_is_422(era, path, body):
    """At any depth and whatever its value, before anything is looked for."""
    with FakeAirbyte(era) as airbyte:
        response = ask(airbyte, path, 422, **body)
        assert response["message"].startswith("Invalid json input. Unrecognized field ")
        assert not any(request.effect for request in airbyte.journal)


@pytest.mark.parametrize(
    ("era", "path", "body"),
    [
        ("0.40.6", "jobs/list", {"configTypes": ["sync"], "configId": UNKNOWN, "includingJobId": 1}),
        ("0.40.20", "state/get", {"connectionId": UNKNOWN}),
        ("0.40.27", "web_backend/connections/list", {"workspaceId": "00000000-0000-4000-8000-0000000000a1"}),
    ],
)
def test_a_declared_field_is_taken_by_old_servers(era, path, body):
    with FakeAirbyte(era) as airbyte:
        ask(airbyte, path, 200, **body)


# Setting up


def test_sources_and_destinations_are_shared_by_name():
    with FakeAirbyte() as airbyte:
        ids = [airbyte.add_connection(name, source="Shop", destination="Lake") for name in ("a", "b")]
        first, second = (ask(airbyte, "connections/get", connectionId=each) for each in ids)
        assert (first["sourceId"], first["destinationId"]) == (second["sourceId"], second["destinationId"])
        by_id = airbyte.add_connection("c", source=first["sourceId"])
        assert ask(airbyte, "connections/get", connectionId=by_id)["sourceId"] == first["sourceId"]
        elsewhere = airbyte.add_workspace("Elsewhere")
        other = airbyte.add_connection("d", source="Shop", workspace_id=elsewhere)
        assert ask(airbyte, "connections/get", connectionId=other)["sourceId"] != first["sourceId"]


@pytest.mark.parametrize(
    ("schedule", "kind", "data"),
    [
        ("manual", "manual", None),
        ((6, "hours"), "basic", {"basicSchedule": {"timeUnit": "hours", "units": 6}}),
        ("0 0 3 * * ?", "cron", {"cron": {"cronExpression": "0 0 3 * * ?", "cronTimeZone": "UTC"}}),
        (("0 0 3 * * ?", "CET"), "cron", {"cron": {"cronExpression": "0 0 3 * * ?", "cronTimeZone": "CET"}}),
    ],
)
def test_schedules(schedule, kind, data):
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(schedule=schedule)
        shown = ask(airbyte, "connections/get", connectionId=connection_id)
        assert (shown["scheduleType"], shown.get("scheduleData")) == (kind, data)


def test_what_cannot_be_set_up_is_told():
    with FakeAirbyte() as airbyte:
        wrong = (
            {"schedule": "daily"},
            {"schedule": "0 0 3 * * ? CET"},
            {"settings": {"colour": "red"}},
            {"workspace_id": UNKNOWN},
        )
        for arguments in wrong:
            with pytest.raises(ValueError, match=r"cannot read|unknown setting|Could not find"):
                airbyte.add_connection(**arguments)
        with pytest.raises(ValueError, match="SOURCE_CONNECTION"):
            airbyte.set_discovered_catalog(UNKNOWN, [])
