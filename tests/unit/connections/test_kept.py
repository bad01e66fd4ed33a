"""A catalog does not come back as it was sent: what is in effect already is sent no second time, and never an error."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import pytest

from airflow_airbyte_ext.connections.update import apply_changes, changed_fields
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteUpdateUnverifiedError

ID = "11111111-1111-4111-8111-111111111111"
MASK = "**********"
HASH = {"method": "SHA-256", "fieldNameSuffix": "_hashed"}


def entry(name: str = "orders", **config: Any) -> dict[str, Any]:
    columns = {"id": {"type": "integer"}, "at": {"type": "string"}, "note": {"type": "string"}}
    stream = {
        "name": name,
        "namespace": "public",
        "jsonSchema": {"type": "object", "properties": columns},
        "supportedSyncModes": ["full_refresh", "incremental"],
    }
    settings = {"syncMode": "incremental", "destinationSyncMode": "append_dedup", "cursorField": ["at"]}
    return {"stream": stream, "config": {"selected": True, "primaryKey": [["id"]], **settings, **config}}


def hashing(field: str, **more: Any) -> dict[str, Any]:
    return {"type": "hashing", "mapperConfiguration": {"targetField": field, **HASH, **more}}


def encryption(key: str) -> dict[str, Any]:
    configuration = {"algorithm": "AES", "targetField": "note", "key": key, "mode": "CBC", "padding": "PKCS5Padding"}
    return {"type": "encryption", "mapperConfiguration": configuration}


class Converter:
    """connections/update and connections/get, which convert a catalog as Airbyte 1.8 does (CatalogConverter)."""

    def __init__(self, stub, *entries: dict[str, Any], masks: bool = True) -> None:
        self.masks = masks
        self.connection: dict[str, Any] = {"connectionId": ID, "name": "Orders", "status": "active"}
        self.take({"syncCatalog": {"streams": list(entries)}})
        self.stub = stub
        self.raw = stub.next_response
        stub.next_response = self.respond
        stub.response("instance_configuration", {"version": "1.8.0"})

    def respond(self, path: str):
        if path.endswith("connections/update"):
            self.take(self.stub.requests[-1].json)
        elif not path.endswith("connections/get"):
            return self.raw(path)
        self.stub.response("/ignored", {**self.connection, "syncCatalog": {"streams": self.given()}})
        return self.stub._queues.pop("/ignored").pop()

    @property
    def sent(self) -> int:
        return len(self.stub.seen("connections/update"))

    def take(self, update: dict[str, Any]) -> None:
        kept = []
        for each in copy.deepcopy(update["syncCatalog"]["streams"]):
            config, stream = each["config"], each["stream"]
            if config.get("selected") is False:
                continue
            if config.get("fieldSelectionEnabled"):
                names = {field["fieldPath"][0] for field in config["selectedFields"]}
                columns = stream["jsonSchema"]["properties"]
                stream["jsonSchema"]["properties"] = {name: columns[name] for name in columns if name in names}
            if not config.get("mappers"):
                config["mappers"] = [hashing(field["fieldPath"][0]) for field in config.get("hashedFields") or []]
            for number, mapper in enumerate(config["mappers"]):
                mapper["id"] = f"{number}2222222-2222-4222-8222-222222222222"
            kept.append(each)
        self.connection["syncCatalog"] = {"streams": kept}

    def given(self) -> list[dict[str, Any]]:
        streams = copy.deepcopy(self.connection["syncCatalog"]["streams"])
        for number, each in enumerate(streams):
            config, stream = each["config"], each["stream"]
            mappers = config["mappers"]
            hashed = [mapper["mapperConfiguration"]["targetField"] for mapper in mappers if mapper["type"] == "hashing"]
            chosen = list(stream["jsonSchema"]["properties"]) if config.get("fieldSelectionEnabled") else []
            config |= {
                "selected": True,
                "suggested": False,
                "aliasName": stream["name"].replace("-", "_"),
                "fieldSelectionEnabled": bool(config.get("fieldSelectionEnabled")),
                "selectedFields": [{"fieldPath": [name]} for name in chosen],
                "hashedFields": [{"fieldPath": [name]} for name in hashed],
                "generationId": number + 1,
                "minimumGenerationId": 0,
                "syncId": 17,
            }
            for mapper in mappers:
                if self.masks and "key" in mapper["mapperConfiguration"]:
                    mapper["mapperConfiguration"]["key"] = MASK
            stream |= {"sourceDefinedCursor": False, "sourceDefinedPrimaryKey": [], "defaultCursorField": []}
        return streams


def selection(*names: str) -> dict[str, Any]:
    return {"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": [name]} for name in names]}


WANTED = {
    "an unselected stream": [entry(syncMode="full_refresh"), entry("users", selected=False)],
    "a selection in another order": [entry(**selection("at", "id"))],
    "a selection of all": [entry(**selection("note", "at", "id"))],
    "fields to hash": [entry(hashedFields=[{"fieldPath": ["note"]}, {"fieldPath": ["id"]}])],
    "hashing mappers": [entry(mappers=[hashing("note")])],
    "both, of which mappers count": [entry(hashedFields=[{"fieldPath": ["id"]}], mappers=[hashing("note")])],
    "a mapper with an id": [entry(mappers=[{**hashing("note"), "id": "32222222-2222-4222-8222-222222222222"}])],
    "a mapper whose defaults are left out": [
        entry(mappers=[{"type": "hashing", "mapperConfiguration": {"targetField": "note"}}])
    ],
    "a secret": [entry(mappers=[encryption("s3cret")])],
    "generations and names of its own": [
        entry(syncMode="full_refresh", generationId=99, aliasName="x", suggested=True)
    ],
    "another order of streams": [entry("users"), entry(syncMode="full_refresh")],
}


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_an_update_takes_effect_and_is_sent_once(stub, connect_to, wanted, masks) -> None:
    server = Converter(stub, entry(), masks=masks)
    client = connect_to(stub.url)
    changes = {"sync_catalog": {"streams": wanted}}
    assert apply_changes(client, ID, changes).applied
    again = apply_changes(client, ID, changes)
    assert (again.changes, again.applied) == ((), False)
    assert server.sent == 1


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_what_airbyte_gives_back_is_no_change(stub, connect_to, wanted) -> None:
    Converter(stub, *wanted)
    client = connect_to(stub.url)
    there = client.get_connection(connection_id=ID)
    assert not changed_fields(there, {"sync_catalog": there.sync_catalog})
    assert not apply_changes(client, ID, {"sync_catalog": {"streams": wanted}}, dry_run=True).changes


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        (entry(), entry(**selection("id", "at")), "field_selection_enabled"),
        (entry(**selection("id", "at")), entry(**selection("id", "at", "note")), "selected_fields"),
        (entry(**selection("id", "at")), entry(), "json_schema"),
        (entry(), entry(hashedFields=[{"fieldPath": ["id"]}]), "mappers"),
        (entry(hashedFields=[{"fieldPath": ["id"]}]), entry(), "mappers"),
        (entry(mappers=[hashing("id")]), entry(mappers=[hashing("id", method="MD5")]), "mappers"),
        (entry(mappers=[hashing("id"), encryption("k")]), entry(mappers=[encryption("k"), hashing("id")]), "mappers"),
        (entry(), entry(cursorField=["id"]), "cursor_field"),
        (entry(), entry(primaryKey=[["at"]]), "primary_key"),
        (entry(), entry(selected=False), "selected"),
    ],
)
def test_what_is_another_catalog_is_a_change(stub, connect_to, before, after, path) -> None:
    Converter(stub, before, entry("users"))
    there = connect_to(stub.url).get_connection(connection_id=ID)
    found = changed_fields(there, {"sync_catalog": {"streams": [after, entry("users")]}})
    assert f"sync_catalog.public.orders.{path}" in [each.path for each in found]


def test_another_secret_cannot_be_seen_and_is_warned_of(stub, connect_to, caplog) -> None:
    server = Converter(stub, entry(mappers=[encryption("old")]))
    client = connect_to(stub.url)
    wanted = {"sync_catalog": {"streams": [entry(mappers=[encryption("new")])]}}
    with caplog.at_level(logging.WARNING):
        assert not apply_changes(client, ID, wanted).changes
    assert server.sent == 0
    (message,) = caplog.messages
    assert "masks the secrets of the mappers of public.orders" in message
    assert "new" not in message.replace("cannot be seen", "")


def test_the_mask_itself_asks_for_nothing(stub, connect_to, caplog) -> None:
    Converter(stub, entry(mappers=[encryption("old")]))
    there = connect_to(stub.url).get_connection(connection_id=ID)
    apply_changes(connect_to(stub.url), ID, {"sync_catalog": there.sync_catalog})
    assert not caplog.messages


def test_a_catalog_that_was_not_taken_is_still_an_error(stub, connect_to) -> None:
    server = Converter(stub, entry())
    server.take = lambda _update: None  # type: ignore[assignment]
    with pytest.raises(AirbyteUpdateUnverifiedError, match=r"sync_catalog\.public\.orders\.sync_mode"):
        apply_changes(connect_to(stub.url), ID, {"sync_catalog": {"streams": [entry(syncMode="full_refresh")]}})


def test_a_catalog_in_which_nothing_is_selected_is_refused(stub, connect_to) -> None:
    server = Converter(stub, entry())
    with pytest.raises(AirbyteConfigurationError, match="no streams that are selected"):
        apply_changes(connect_to(stub.url), ID, {"sync_catalog": {"streams": [entry(selected=False)]}})
    assert server.sent == 0


def test_a_comparison_leaves_both_sides_as_they_are(stub, connect_to) -> None:
    Converter(stub, entry(hashedFields=[{"fieldPath": ["id"]}]))
    there = connect_to(stub.url).get_connection(connection_id=ID)
    before = json.dumps(there.model_dump(mode="json"))
    changed_fields(there, {"sync_catalog": there.sync_catalog})
    assert json.dumps(there.model_dump(mode="json")) == before
