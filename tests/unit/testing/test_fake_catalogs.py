"""Catalogs do not come back as they were sent, and discoveries are compared with what a connection was made from."""

from __future__ import annotations

import copy

import pytest
import requests

from airflow_airbyte_ext.testing import FakeAirbyte, Step, Stream

COLUMNS = {"id": "integer", "updated_at": "string", "name": "string", "secret": "string"}
ORDERS = Stream("orders v-2", columns=COLUMNS)


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


class Scene:
    """A connection that reads one of the two streams of its source."""

    def __init__(self, airbyte: FakeAirbyte) -> None:
        self.airbyte = airbyte
        self.id = airbyte.add_connection(streams=[ORDERS, "users"])

    @property
    def catalog(self):
        return ask(self.airbyte, "connections/get", connectionId=self.id)["syncCatalog"]

    @property
    def whole(self):
        return ask(self.airbyte, "web_backend/connections/get", connectionId=self.id)["syncCatalog"]

    def update(self, catalog, expected=200, path="connections/update"):
        return ask(self.airbyte, path, expected, connectionId=self.id, syncCatalog=catalog)

    def configure(self, expected=200, /, **config):
        """Change the configuration of the first stream."""
        catalog = copy.deepcopy(self.catalog)
        catalog["streams"][0]["config"] |= config
        return self.update(catalog, expected)

    def discover(self, refreshed=True):
        body = {"connectionId": self.id, "withRefreshedCatalog": refreshed}
        return ask(self.airbyte, "web_backend/connections/get", **body)

    def transforms(self):
        shown = self.discover()["catalogDiff"]["transforms"]
        return sorted((each["transformType"], each["streamDescriptor"]["name"]) for each in shown)


@pytest.fixture(params=["0.50", "1.0", "1.8.0", "2.0", "head"])
def scene(request):
    with FakeAirbyte(request.param) as airbyte:
        yield Scene(airbyte)


def names(catalog):
    return [each["stream"]["name"] for each in catalog["streams"]]


# What comes back


def test_a_stream_that_is_not_selected_is_forgotten(scene):
    """web_backend alone shows it, from the catalog of the source, with the settings of one that is new."""
    scene.configure(selected=False)
    assert names(scene.catalog) == ["users"]
    shown = {each["stream"]["name"]: each["config"] for each in scene.whole["streams"]}
    assert {name: config["selected"] for name, config in shown.items()} == {"orders v-2": False, "users": True}
    assert shown["orders v-2"]["syncMode"] == "full_refresh"


def test_what_the_server_computes_is_its_own(scene):
    scene.configure(aliasName="mine", suggested=True, generationId=7, syncId=8, minimumGenerationId=9)
    config = scene.catalog["streams"][0]["config"]
    assert (config["aliasName"], config["selected"]) == ("orders_v_2", True)
    assert not config.get("suggested")
    assert not {"generationId", "syncId", "minimumGenerationId"} & config.keys()


def test_a_selection_of_fields_prunes_the_schema(scene):
    """The selection comes back in the order of the schema; web_backend still shows the whole schema."""
    selected = [{"fieldPath": [name]} for name in ("name", "updated_at", "id")]
    scene.configure(fieldSelectionEnabled=True, selectedFields=selected)
    entry = scene.catalog["streams"][0]
    assert list(entry["stream"]["jsonSchema"]["properties"]) == ["id", "updated_at", "name"]
    assert entry["config"]["selectedFields"] == selected[::-1]
    (shown,) = [each for each in scene.whole["streams"] if each["stream"]["name"] == "orders v-2"]
    assert list(shown["stream"]["jsonSchema"]["properties"]) == list(COLUMNS)
    assert shown["config"]["selectedFields"] == selected[::-1]


@pytest.mark.parametrize(
    ("paths", "status"),
    [([["id"]], 422), ([["updated_at"]], 422), ([["id"], ["updated_at", "x"]], 500), ([[]], 422), (None, 422)],
)
def test_a_selection_that_cannot_be(scene, paths, status):
    """Without the cursor, without the key, of nested fields, of nothing."""
    before = scene.catalog
    selected = None if paths is None else [{"fieldPath": path} for path in paths]
    scene.configure(status, fieldSelectionEnabled=True, selectedFields=selected)
    assert scene.catalog == before


@pytest.mark.parametrize(("era", "spelt"), [("0.59.1", False), ("0.60.0", True)])
def test_a_selection_of_nothing_is_spelt_out_since_0_60(era, spelt):
    with FakeAirbyte(era) as airbyte:
        config = Scene(airbyte).catalog["streams"][0]["config"]
        assert config.get("selectedFields") == ([] if spelt else None)
        assert config.get("suggested") == (False if spelt else None)


@pytest.mark.parametrize(("era", "mappers"), [("0.64.3", None), ("0.64.4", None), ("1.2", 1), ("2.0", 1)])
def test_hashed_fields_are_mappers(era, mappers):
    with FakeAirbyte(era) as airbyte:
        scene = Scene(airbyte)
        scene.configure(hashedFields=[{"fieldPath": ["secret"]}])
        config = scene.catalog["streams"][0]["config"]
        assert config.get("hashedFields") == (None if era == "0.64.3" else [{"fieldPath": ["secret"]}])
        assert (len(config["mappers"]) if "mappers" in config else None) == mappers
        if mappers:
            (mapper,) = config["mappers"]
            assert (mapper["type"], mapper["mapperConfiguration"]["targetField"]) == ("hashing", "secret")
            assert mapper["id"]


@pytest.mark.parametrize(("era", "key"), [("1.2", "0123"), ("1.3.0", "**********"), ("2.0", "**********")])
def test_a_mapper_gets_an_id_and_its_secrets_are_masked_since_1_3(era, key):
    with FakeAirbyte(era) as airbyte:
        scene = Scene(airbyte)
        settings = {"algorithm": "AES", "targetField": "secret", "key": "0123"}
        scene.configure(mappers=[{"type": "encryption", "mapperConfiguration": settings}])
        config = scene.catalog["streams"][0]["config"]
        (mapper,) = config["mappers"]
        assert (mapper["mapperConfiguration"]["key"], config["hashedFields"]) == (key, [])
        scene.update(scene.catalog)
        assert scene.catalog["streams"][0]["config"]["mappers"] == [mapper]


# What a discovery is compared with


def test_what_was_deselected_is_not_new(scene):
    """The comparison is with the whole catalog behind the connection, not with what is left of it."""
    catalog = copy.deepcopy(scene.catalog)
    selected = [{"fieldPath": [name]} for name in ("id", "updated_at")]
    catalog["streams"][0]["config"] |= {"fieldSelectionEnabled": True, "selectedFields": selected}
    catalog["streams"][1]["config"]["selected"] = False
    scene.update(catalog)
    assert scene.transforms() == []


def test_changes_inside_of_a_stream_that_is_not_read_are_not_told(scene):
    scene.configure(selected=False)
    changed = Stream("orders v-2", columns={"id": "integer"})
    scene.airbyte.set_discovered_catalog(scene.id, [changed, "users", "new"])
    assert scene.transforms() == [("add_stream", "new")]
    scene.airbyte.set_discovered_catalog(scene.id, ["users"])
    assert scene.transforms() == [("remove_stream", "orders v-2")]


def test_what_is_new_stays_new_until_the_connection_is_made_from_it(scene):
    """Which an update says with `sourceCatalogId`."""
    scene.airbyte.set_discovered_catalog(scene.id, [ORDERS, "users", "new"])
    assert scene.transforms() == [("add_stream", "new")]
    refreshed = scene.discover()
    for entry in refreshed["syncCatalog"]["streams"]:
        entry["config"]["selected"] = True
    scene.update(refreshed["syncCatalog"])
    assert names(scene.catalog) == ["orders v-2", "users", "new"]
    assert scene.transforms() == [("add_stream", "new")]
    ask(scene.airbyte, "connections/update", connectionId=scene.id, sourceCatalogId=refreshed["catalogId"])
    assert scene.transforms() == []


def test_a_refreshed_catalog_follows_the_source(scene):
    """A refreshed catalog selects new columns and drops modes that are gone."""
    selected = [{"fieldPath": [name]} for name in ("id", "updated_at")]
    scene.configure(fieldSelectionEnabled=True, selectedFields=selected)
    columns = {"id": "integer", "updated_at": "string", "name": "string", "more": "string"}
    scene.airbyte.set_discovered_catalog(scene.id, [Stream("orders v-2", columns=columns, cursor=()), "users"])
    shown = scene.discover()["syncCatalog"]["streams"][0]["config"]
    assert [each["fieldPath"] for each in shown["selectedFields"]] == [["id"], ["updated_at"], ["more"]]
    assert shown["syncMode"] == "full_refresh"


def test_a_refreshed_catalog_may_switch_the_connection_off(scene):
    """The discovery names the connection, as one of sources/discover_schema does."""
    scene.airbyte.set_discovered_catalog(scene.id, [Stream("orders v-2", columns={"name": "string"}), "users"])
    assert scene.discover(refreshed=False)["status"] == "active"
    assert scene.discover()["status"] == "inactive"
    assert ask(scene.airbyte, "connections/get", connectionId=scene.id)["breakingChange"] is True


@pytest.mark.parametrize(("era", "others"), [("1.6.0", "inactive"), ("1.7.0", "active"), ("2.0", "active")])
def test_since_1_7_a_discovery_concerns_the_named_connection_alone(era, others):
    with FakeAirbyte(era) as airbyte:
        one, two = (airbyte.add_connection(name, source="Shop") for name in ("one", "two"))
        airbyte.set_discovered_catalog(one, [Stream("orders", columns={"name": "string"})])
        ask(airbyte, "web_backend/connections/get", connectionId=one, withRefreshedCatalog=True)
        shown = {each: ask(airbyte, "connections/get", connectionId=each)["status"] for each in (one, two)}
        assert shown == {one: "inactive", two: others}


@pytest.mark.parametrize(
    ("era", "selected", "modes"),
    [
        ("0.40", True, ("full_refresh", "append")),
        ("0.50", False, ("full_refresh", "overwrite")),
        ("2.0", False, ("full_refresh", "overwrite")),
    ],
)
def test_how_a_new_stream_is_offered(era, selected, modes):
    """One that is alone is selected in every release."""
    with FakeAirbyte(era) as airbyte:
        source = airbyte.add_source("Shop")
        for streams, expected in ((["a", "b"], selected), (["a"], True)):
            airbyte.set_discovered_catalog(source, streams)
            offered = ask(airbyte, "sources/discover_schema", sourceId=source, disable_cache=True)["catalog"]
            config = offered["streams"][0]["config"]
            assert config["selected"] is expected
            assert (config["syncMode"], config["destinationSyncMode"]) == modes


def test_a_source_that_defines_cursor_and_key_is_offered_as_incremental():
    with FakeAirbyte() as airbyte:
        source = airbyte.add_source("Shop")
        airbyte.set_discovered_catalog(source, ["a"])
        (stream,) = airbyte.discovered_catalog(source)
        airbyte.set_discovered_catalog(source, [stream | {"sourceDefinedCursor": True}])
        offered = ask(airbyte, "sources/discover_schema", sourceId=source, disable_cache=True)["catalog"]
        assert offered["streams"][0]["config"]["destinationSyncMode"] == "append_dedup"


def test_a_connection_that_names_no_catalog_is_compared_with_itself():
    """What it does not read is new to it, for ever."""
    with FakeAirbyte() as airbyte:
        scene = Scene(airbyte)
        seen = ask(airbyte, "connections/get", connectionId=scene.id)
        catalog = {"streams": seen["syncCatalog"]["streams"][:1]}
        parts = {name: seen[name] for name in ("sourceId", "destinationId", "status")}
        made = ask(airbyte, "connections/create", **parts, syncCatalog=catalog)
        assert "sourceCatalogId" not in made
        scene.id = made["connectionId"]
        assert scene.transforms() == [("add_stream", "users")]
        assert names(scene.whole) == ["orders v-2"]


# What an update starts


@pytest.mark.parametrize(
    ("era", "can", "kind"),
    [
        ("0.58.0", True, "reset_connection"),
        ("0.61.0", True, "refresh"),
        ("0.61.0", False, "reset_connection"),
        ("2.0", True, "refresh"),
    ],
)
def test_an_update_refreshes_what_it_changed_since_0_61(era, can, kind):
    with FakeAirbyte(era) as airbyte:
        airbyte.add_destination("Lake", supports_refreshes=can)
        connection_id = airbyte.add_connection(streams=["a", "b"], destination="Lake")
        airbyte.set_state(connection_id, {"stateType": "stream", "streamState": [row("a"), row("b")]})
        catalog = ask(airbyte, "connections/get", connectionId=connection_id)["syncCatalog"]
        catalog["streams"][0]["config"]["cursorField"] = ["id"]
        ask(airbyte, "web_backend/connections/update", connectionId=connection_id, syncCatalog=catalog)
        assert [(job["kind"], job["streams"]) for job in airbyte.jobs()] == [(kind, [(None, "a")])]


def row(name, cursor="1"):
    return {"streamDescriptor": {"name": name}, "streamState": {"cursor": cursor}}


@pytest.mark.parametrize(("era", "count"), [("0.59.1", 2), ("0.60.0", 1)])
def test_before_0_60_an_update_without_state_resets_everything(era, count):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        catalog = ask(airbyte, "connections/get", connectionId=connection_id)["syncCatalog"]
        catalog["streams"][0]["config"]["cursorField"] = ["id"]
        ask(airbyte, "web_backend/connections/update", connectionId=connection_id, syncCatalog=catalog)
        (job,) = airbyte.jobs()
        assert len(job["streams"]) == count


def test_an_update_does_not_wait_for_what_it_starts():
    """The response comes although a job waits for its next attempt; the refresh is stored."""
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"])
        airbyte.script(connection_id, [Step("incomplete"), Step("running")])
        airbyte.start_job(connection_id)
        catalog = ask(airbyte, "connections/get", connectionId=connection_id)["syncCatalog"]
        catalog["streams"][0]["config"]["cursorField"] = ["id"]
        ask(airbyte, "web_backend/connections/update", connectionId=connection_id, syncCatalog=catalog)
        assert [job["status"] for job in airbyte.jobs()] == ["running"]
        assert airbyte.next_run(connection_id) == {"refresh": [(None, "a")]}


def test_an_update_of_an_inactive_connection_runs_and_loses_state():
    """An update of an inactive connection runs all the same and loses state."""
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(streams=["a", "b"], status="inactive")
        airbyte.set_state(connection_id, {"stateType": "stream", "streamState": [row("a"), row("b")]})
        catalog = ask(airbyte, "connections/get", connectionId=connection_id)["syncCatalog"]
        catalog["streams"][0]["config"]["cursorField"] = ["id"]
        ask(airbyte, "web_backend/connections/update", connectionId=connection_id, syncCatalog=catalog)
        airbyte.advance(airbyte.jobs()[0]["id"], "running")
        assert airbyte.jobs()[0]["status"] == "cancelled"
        assert [each["streamDescriptor"]["name"] for each in airbyte.state(connection_id)["streamState"]] == ["b"]


# History


def test_the_schedule_s_runs_are_not_told_as_started():
    with FakeAirbyte() as airbyte:
        airbyte.default_script = [Step("running")]
        connection_id = airbyte.add_connection()
        body = {"connectionId": connection_id}

        def shown():
            return [each["eventType"] for each in ask(airbyte, "connections/events/list", **body)["events"]][::-1]

        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
        assert shown() == ["SYNC_SUCCEEDED"]
        ask(airbyte, "connections/sync", **body)
        assert sorted(shown()) == ["SYNC_STARTED", "SYNC_SUCCEEDED"]
        # The sync makes way for the reset; nobody has cancelled it.
        reset = ask(airbyte, "connections/reset", **body)["job"]["id"]
        ask(airbyte, "jobs/cancel", id=reset)
        assert sorted(shown()) == ["CLEAR_CANCELLED", "CLEAR_STARTED", "SYNC_STARTED", "SYNC_SUCCEEDED"]
