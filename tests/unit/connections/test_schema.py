"""What a source has now, compared with what a connection moves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog
from airflow_airbyte_ext.connections.schema import SchemaChange, discover_changes, schema_changes
from airflow_airbyte_ext.connections.update import apply_changes
from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionDeletedError,
    AirbyteConnectionUnknownError,
    AirbyteDiscoveryError,
    AirbyteResponseError,
)
from airflow_airbyte_ext.testing import Failure, Stream

CONNECTION = "11111111-1111-4111-8111-111111111111"
ERAS = ("0.36", "0.40", "0.50", "1.0", "1.8.0", "2.0", "head")
COLUMNS = {"id": "integer", "updated_at": "string", "note": "string"}


def entry(
    name: str = "orders",
    columns: dict[str, Any] | None = None,
    *,
    keys: list[list[str]] | None = None,
    source_keys: list[list[str]] | None = None,
    **config: Any,
) -> dict[str, Any]:
    settings = {
        "syncMode": "incremental",
        "destinationSyncMode": "append_dedup",
        "cursorField": ["updated_at"],
        "primaryKey": [["id"]] if keys is None else keys,
        "selected": True,
    }
    stream = {
        "name": name,
        "jsonSchema": {"type": "object", "properties": _schemas(COLUMNS if columns is None else columns)},
        "sourceDefinedPrimaryKey": [["id"]] if source_keys is None else source_keys,
    }
    return {"stream": stream, "config": settings | config}


def _schemas(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: {"type": kind} if isinstance(kind, str) else kind for name, kind in columns.items()}


def catalog(*entries: dict[str, Any]) -> AirbyteCatalog:
    return AirbyteCatalog.model_validate({"streams": copy.deepcopy(list(entries))})


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[SchemaChange]:
    return schema_changes(catalog(before), catalog(after))


def without(name: str, **options: Any) -> dict[str, Any]:
    return entry(columns={column: kind for column, kind in COLUMNS.items() if column != name}, **options)


# Streams


@pytest.mark.parametrize("selected", [True, False, None])
def test_a_stream_that_is_gone_breaks_where_it_is_selected(selected) -> None:
    found = schema_changes(catalog(entry("users", selected=selected), entry()), catalog(entry()))
    assert found == [SchemaChange("users", "stream_removed", None, None, None, is_breaking=selected is not False)]


def test_a_new_stream_breaks_nothing() -> None:
    found = schema_changes(catalog(entry()), catalog(entry(), entry("users")))
    assert found == [SchemaChange("users", "stream_added", None, None, None, is_breaking=False)]


def test_no_namespace_and_an_empty_one_are_two() -> None:
    other = entry()
    other["stream"]["namespace"] = ""
    assert [change.kind for change in changes(entry(), other)] == ["stream_removed", "stream_added"]


# Fields


def test_fields_that_come_go_and_change_are_told_with_their_types() -> None:
    after = entry(columns={"id": "integer", "updated_at": "string", "note": "integer", "new": "boolean"})
    assert changes(entry(), after) == [
        SchemaChange("orders", "field_added", "new", None, "boolean", is_breaking=False),
        SchemaChange("orders", "field_type_changed", "note", "string", "integer", is_breaking=False),
    ]
    assert changes(entry(), without("note")) == [
        SchemaChange("orders", "field_removed", "note", "string", None, is_breaking=False)
    ]


@pytest.mark.parametrize(
    ("config", "kind", "breaking"),
    [
        ({}, "cursor_removed", True),
        ({"selected": False}, "cursor_removed", False),
        ({"syncMode": "full_refresh"}, "field_removed", False),
        ({"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["id"]}]}, "cursor_removed", False),
        ({"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["updated_at"]}]}, "cursor_removed", True),
        ({"fieldSelectionEnabled": False, "selectedFields": [{"fieldPath": ["id"]}]}, "cursor_removed", True),
    ],
)
def test_a_cursor_that_is_gone_breaks_where_it_is_used(config, kind, breaking) -> None:
    (change,) = changes(entry(**config), without("updated_at"))
    assert (change.kind, change.field, change.is_breaking) == (kind, "updated_at", breaking)


@pytest.mark.parametrize(
    ("config", "kind", "breaking"),
    [
        ({}, "primary_key_removed", True),
        ({"selected": False}, "primary_key_removed", False),
        ({"destinationSyncMode": "overwrite_dedup"}, "primary_key_removed", True),
        ({"destinationSyncMode": "append"}, "field_removed", False),
        ({"fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["note"]}]}, "primary_key_removed", False),
    ],
)
def test_a_key_that_is_gone_breaks_where_it_is_used(config, kind, breaking) -> None:
    (change,) = changes(entry(**config), without("id"))
    assert (change.kind, change.field, change.is_breaking) == (kind, "id", breaking)


@pytest.mark.parametrize(("name", "breaking"), [("updated_at", True), ("id", False), ("note", False)])
def test_another_type_breaks_the_cursor_alone(name, breaking) -> None:
    (change,) = changes(entry(), entry(columns={**COLUMNS, name: "number"}))
    assert (change.kind, change.field, change.is_breaking) == ("field_type_changed", name, breaking)


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("string", {"type": ["null", "string"]}, None),
        ({"type": ["string", "integer"]}, {"type": ["integer", "string"]}, None),
        ("string", {"type": "string", "description": "A note"}, None),
        ({"type": ["string", "null"]}, {"type": ["null", "string"], "title": "A", "additionalProperties": True}, None),
        ("string", {"oneOf": [{"type": "string"}]}, None),
        ("string", {"anyOf": [{"type": "null"}, {"type": "string", "description": "A note"}]}, None),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer", "title": "A"}]},
            {"anyOf": [{"type": ["integer", "null"]}, {"type": "string"}]},
            None,
        ),
        ("integer", {"type": "number", "airbyte_type": "integer"}, None),
        (
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
            None,
        ),
        ({"type": "array"}, {"type": "array", "items": {}}, None),
        (
            {"type": "array", "items": {"type": ["null", "string"]}},
            {"type": "array", "items": {"type": "string"}},
            None,
        ),
        ({"properties": {"a": {"type": "string"}}}, {"type": "object", "properties": {"a": {"type": "string"}}}, None),
        ({"type": ["number", "integer"]}, "number", None),
        ("integer", "number", ("integer", "number")),
        (
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
            ("string (date-time)", "string (date-time, timestamp_without_timezone)"),
        ),
        ("string", {"type": "string", "format": "date"}, ("string", "string (date)")),
        ({}, "string", ("any", "string")),
        (
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"type": "integer"}},
            ("array of string", "array of integer"),
        ),
        (
            {"type": "string", "airbyte_type": "timestamp_with_timezone"},
            {"type": "string", "airbyte_type": "timestamp_without_timezone"},
            ("string (timestamp_with_timezone)", "string (timestamp_without_timezone)"),
        ),
    ],
)
def test_what_is_another_type(old, new, shown) -> None:
    found = changes(entry(columns={**COLUMNS, "x": old}), entry(columns={**COLUMNS, "x": new}))
    assert [(change.before, change.after) for change in found] == ([shown] if shown else [])


def nested(**inner: Any) -> dict[str, Any]:
    return {"type": "object", "properties": _schemas(inner)}


def test_nested_fields_are_told_by_their_path_and_not_what_lies_in_them() -> None:
    before = {**COLUMNS, "address": nested(city="string", geo=nested(lat="number", lon="number"))}
    after = {**COLUMNS, "address": nested(city="integer")}
    assert [(change.kind, change.field) for change in changes(entry(columns=before), entry(columns=after))] == [
        ("field_type_changed", "address.city"),
        ("field_removed", "address.geo"),
    ]


def test_fields_of_the_objects_in_a_list_are_looked_at() -> None:
    before = {**COLUMNS, "lines": {"type": "array", "items": nested(sku="string")}}
    after = {**COLUMNS, "lines": {"type": "array", "items": nested(sku="string", price="number")}}
    assert [change.field for change in changes(entry(columns=before), entry(columns=after))] == ["lines.price"]


def test_a_nested_cursor_goes_with_what_it_lies_in() -> None:
    before = entry(columns={"id": "integer", "meta": nested(at="string")}, cursorField=["meta", "at"])
    (change,) = changes(before, entry(columns={"id": "integer"}))
    assert (change.kind, change.field, change.is_breaking) == ("cursor_removed", "meta", True)


@pytest.mark.parametrize(
    ("old", "new", "config", "breaking"),
    [
        ([["id"]], [["id"], ["line"]], {}, True),
        ([["id"]], [], {}, True),
        ([], [["id"]], {}, False),
        ([["old"]], [["id"]], {}, False),
        ([["id"]], [["line"]], {"destinationSyncMode": "append"}, False),
        ([["id"]], [["line"]], {"selected": False}, False),
    ],
)
def test_a_source_with_another_key(old, new, config, breaking) -> None:
    """What the connection deduplicates by is `id`: nothing breaks where that is the source's key now."""
    (change,) = changes(entry(source_keys=old, **config), entry(source_keys=new))
    assert (change.kind, change.is_breaking) == ("primary_key_changed", breaking)
    assert (change.before, change.after) == tuple(", ".join(key[0] for key in keys) or "none" for keys in (old, new))


def test_the_order_of_a_keys_fields_is_no_change() -> None:
    assert not changes(entry(source_keys=[["a"], ["b"]]), entry(source_keys=[["b"], ["a"]]))


def test_how_the_source_would_move_its_streams_is_not_looked_at() -> None:
    after = entry(syncMode="full_refresh", destinationSyncMode="overwrite", selected=False, cursorField=[])
    assert not changes(entry(), after)


@pytest.mark.parametrize("schema", [None, True, {}, {"properties": None}, {"properties": {"x": True}}, []])
def test_a_strange_schema_is_no_reason_to_fall_over(schema) -> None:
    strange = entry()
    strange["stream"]["jsonSchema"] = schema
    assert not changes(strange, strange)
    changes(entry(), strange)
    changes(strange, entry())


# What the source itself has chosen


def source_defined(default: list[str], columns: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    made = entry(columns=columns, **{"cursorField": [], "primaryKey": [], **config})
    return {**made, "stream": {**made["stream"], "sourceDefinedCursor": True, "defaultCursorField": default}}


@pytest.mark.parametrize("config", [{}, {"cursorField": ["note"]}, {"cursorField": ["updated_at"]}])
def test_a_cursor_that_the_source_defines_breaks_when_it_is_gone(config) -> None:
    """Whatever the connection says: the source reads by its own."""
    columns = {"id": "integer", "note": "string"}
    (change,) = changes(source_defined(["updated_at"], **config), source_defined(["updated_at"], columns))
    assert (change.kind, change.field, change.is_breaking) == ("cursor_removed", "updated_at", True)


@pytest.mark.parametrize(
    ("config", "breaks"),
    [({}, True), ({"selected": False}, False), ({"syncMode": "full_refresh"}, False), ({"cursorField": ["id"]}, False)],
)
def test_a_cursor_that_the_source_drops_is_breaking(config, breaks) -> None:
    """A source that defines no cursor any more breaks what is read by it."""
    found = changes(source_defined(["updated_at"], **config), entry())
    assert [(change.kind, change.field, change.is_breaking) for change in found] == (
        [("cursor_removed", None, True)] if breaks else []
    )


def test_a_key_that_the_source_defines_breaks_when_its_field_is_gone() -> None:
    (change,) = changes(entry(keys=[]), without("id", keys=[]))
    assert (change.kind, change.field, change.is_breaking) == ("primary_key_removed", "id", True)


def offering(*modes: str, **config: Any) -> dict[str, Any]:
    made = entry(**config)
    return {**made, "stream": {**made["stream"], "supportedSyncModes": list(modes)}}


@pytest.mark.parametrize(
    ("config", "offered", "breaks"),
    [
        ({}, ["full_refresh"], True),
        ({"syncMode": "full_refresh"}, ["incremental"], True),
        ({}, ["incremental"], False),
        ({}, ["incremental", "full_refresh"], False),
        ({}, [], False),
        ({"selected": False}, ["full_refresh"], False),
        ({"syncMode": "full_refresh"}, ["full_refresh"], False),
    ],
)
def test_a_stream_that_is_not_offered_any_more_as_it_is_read_breaks(config, offered, breaks) -> None:
    found = changes(offering("full_refresh", "incremental", **config), offering(*offered))
    shown = [(change.kind, change.before, change.after, change.is_breaking) for change in found]
    mode = config.get("syncMode", "incremental")
    assert shown == ([("sync_mode_removed", mode, offered[0], True)] if breaks else [])


# Any catalog

WORDS = st.text("abc._", min_size=1, max_size=4)
TYPES = st.sampled_from(["string", "integer", "boolean"])
FIELDS = st.recursive(
    TYPES.map(lambda kind: {"type": kind}),
    lambda inner: st.one_of(
        st.dictionaries(WORDS, inner, min_size=1, max_size=3).map(lambda f: {"type": "object", "properties": f}),
        inner.map(lambda item: {"type": ["null", "array"], "items": item}),
    ),
    max_leaves=6,
)


@st.composite
def entries(draw) -> dict[str, Any]:
    columns = draw(st.dictionaries(WORDS, FIELDS, min_size=1, max_size=5))
    names = st.sampled_from(sorted(columns))
    made = entry(
        draw(WORDS),
        columns,
        keys=[[name] for name in draw(st.lists(names, unique=True, max_size=2))],
        source_keys=[[name] for name in draw(st.lists(names, unique=True, max_size=2))],
        syncMode=draw(st.sampled_from(["incremental", "full_refresh"])),
        destinationSyncMode=draw(st.sampled_from(["append", "append_dedup", "overwrite"])),
        cursorField=draw(st.lists(names, max_size=1)),
        selected=draw(st.booleans()),
        fieldSelectionEnabled=draw(st.booleans()),
        selectedFields=[{"fieldPath": [name]} for name in draw(st.lists(names, max_size=3))],
    )
    made["stream"]["namespace"] = draw(st.sampled_from([None, "", "public"]))
    return made


CATALOGS = st.lists(entries(), max_size=4, unique_by=lambda e: (e["stream"]["namespace"], e["stream"]["name"]))


@st.composite
def mutated(draw) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[tuple[str, set[str], str | None]]]:
    """A catalog, the same after some changes of its source, and these changes."""
    before = draw(CATALOGS.filter(bool))
    after, done = [], []
    for each in copy.deepcopy(before):
        stream = each["stream"]
        label = stream["name"] if stream["namespace"] is None else f"{stream['namespace']}.{stream['name']}"
        columns = stream["jsonSchema"]["properties"]
        name = draw(st.sampled_from(sorted(columns)))
        match draw(st.sampled_from(["none", "remove stream", "add", "remove", "retype", "key"])):
            case "remove stream":
                done.append((label, {"stream_removed"}, None))
                continue
            case "add":
                columns["added!"] = draw(FIELDS)
                done.append((label, {"field_added"}, "added!"))
            case "remove":
                del columns[name]
                done.append((label, {"field_removed", "cursor_removed", "primary_key_removed"}, name))
            case "retype":
                columns[name] = {"type": "number"}
                done.append((label, {"field_type_changed"}, name))
            case "key":
                stream["sourceDefinedPrimaryKey"] = [["another!"]]
                done.append((label, {"primary_key_changed"}, None))
        after.append(each)
    if draw(st.booleans()):
        after.append(entry("added!"))
        done.append(("added!", {"stream_added"}, None))
    return before, draw(st.permutations(after)), done  # type: ignore[return-value]


@settings(deadline=None)
@given(CATALOGS)
def test_a_catalog_compared_with_itself_has_no_changes(entries) -> None:
    assert schema_changes(catalog(*entries), catalog(*reversed(entries))) == []


@settings(deadline=None)
@given(mutated())
def test_every_change_is_told_once(world) -> None:
    before, after, done = world
    found = schema_changes(catalog(*before), catalog(*after))
    assert len(found) == len(done)
    for label, kinds, name in done:
        matching = [one for one in found if one.stream == label and one.kind in kinds and one.field == name]
        assert len(matching) >= 1
        assert len(matching) == sum(other == (label, kinds, name) for other in done)


@settings(deadline=None)
@given(mutated())
def test_nothing_breaks_a_stream_that_is_not_selected(world) -> None:
    before, after, _ = world
    for each in before:
        each["config"]["selected"] = False
    assert not any(change.is_breaking for change in schema_changes(catalog(*before), catalog(*after)))


# Asking the source


@pytest.fixture(params=ERAS)
def world(request, start_fake, connect):
    """An Airbyte of each era with a client and a connection."""
    airbyte = start_fake(request.param, strict=request.param == "head")
    made = airbyte.add_connection(streams=[("public", "orders"), ("public", "users")])
    return airbyte, connect(airbyte), made


def test_a_source_that_is_as_it_was_has_no_changes(world) -> None:
    _, client, made = world
    assert discover_changes(client, made) == []


def test_a_source_that_has_changed_is_told_and_the_connection_left_alone(world) -> None:
    airbyte, client, made = world
    before = client.get_connection(connection_id=made)
    columns = {"id": "integer", "name": "string"}
    airbyte.set_discovered_catalog(made, [Stream("orders", "public", columns=columns, cursor=()), Stream("new")])
    assert [(str(change), change.is_breaking) for change in discover_changes(client, made)] == [
        ("stream added: new", False),
        ("field added: public.orders, field name", False),
        ("cursor removed: public.orders, field updated_at", True),
        ("sync mode removed: public.orders", True),
        ("stream removed: public.users", True),
    ]
    assert client.get_connection(connection_id=made) == before
    (call,) = airbyte.calls("discoverSchemaForSource")
    assert "connectionId" not in call.body
    assert call.body["disable_cache"] is True


def test_a_stream_that_was_deselected_is_not_new(world) -> None:
    """Its catalog is behind the connection still, at each discovery; before 0.36.9 Airbyte keeps none there."""
    airbyte, client, made = world
    wanted = client.get_connection(connection_id=made).sync_catalog.model_dump(by_alias=True, exclude_unset=True)
    wanted["streams"] = [each for each in wanted["streams"] if each["stream"]["name"] == "orders"]
    assert apply_changes(client, made, {"sync_catalog": wanted}).applied
    assert client.get_connection(connection_id=made).streams() == [("public", "orders")]
    shown = ["stream added: public.users"] if airbyte.era == "0.36" else []
    assert [[str(change) for change in discover_changes(client, made)] for _ in range(2)] == [shown, shown]


def test_what_a_connection_does_not_select_is_not_new(stub, connect_to, caplog) -> None:
    """`getConnection` has what it moves; Airbyte compares with the catalog that its configuration was made from."""
    moved = entry(columns={"id": "integer", "updated_at": "string"}, fieldSelectionEnabled=True)
    moved["config"]["selectedFields"] = [{"fieldPath": ["id"]}, {"fieldPath": ["updated_at"]}]
    raw = entry()
    deselected = entry("users", selected=False)
    known = {"connectionId": CONNECTION, "sourceId": CONNECTION, "name": "Orders", "status": "active"}
    stub.response("instance_configuration", {"version": "1.0.0"})
    stub.response("/web_backend/connections/get", {**known, "syncCatalog": {"streams": [raw, deselected]}})
    stub.response("/v1/connections/get", {**known, "syncCatalog": {"streams": [moved]}})
    offered = [entry(columns={**COLUMNS, "new": "string"}), entry("users"), entry("another")]
    stub.response("sources/discover_schema", {"catalog": {"streams": offered}, "jobInfo": {"succeeded": True}})
    with caplog.at_level("INFO"):
        found = discover_changes(connect_to(stub.url), CONNECTION)
    assert [str(change) for change in found] == ["stream added: another", "field added: orders, field new"]
    assert all("withRefreshedCatalog" not in request.json for request in stub.seen("web_backend/connections/get"))
    assert "postpones Airbyte's own check for changes" in caplog.text


def test_a_whole_catalog_that_cannot_be_read_is_warned_of(stub, connect_to, caplog) -> None:
    known = {"connectionId": CONNECTION, "sourceId": CONNECTION, "name": "Orders", "status": "active"}
    stub.response("instance_configuration", {"version": "2.0.0"})
    stub.response("/web_backend/connections/get", {"message": "no"}, status=403)
    stub.response("/v1/connections/get", {**known, "syncCatalog": {"streams": [entry()]}})
    stub.response("sources/discover_schema", {"catalog": {"streams": [entry(), entry("users")]}})
    found = discover_changes(connect_to(stub.url), CONNECTION)
    assert [str(change) for change in found] == ["stream added: users"]
    assert "is taken for new" in caplog.text
    assert "postpones" not in caplog.text


@pytest.mark.parametrize("odd", [None, 5, {"streams": 5}])
def test_a_catalog_that_cannot_be_read_is_no_catalog_without_changes(stub, connect_to, odd) -> None:
    known = {"connectionId": CONNECTION, "sourceId": CONNECTION, "name": "Orders", "status": "active"}
    stub.response("/connections/get", {**known, "syncCatalog": odd})
    with pytest.raises(AirbyteResponseError, match="no catalog of connection 'Orders'"):
        discover_changes(connect_to(stub.url), CONNECTION)
    assert not stub.seen("discover_schema")


def test_a_source_that_cannot_be_asked_is_an_error_with_its_reason(world) -> None:
    airbyte, client, made = world
    airbyte.fail_discovery(made, Failure("source", "config_error", "The password has expired."))
    with pytest.raises(AirbyteDiscoveryError) as caught:
        discover_changes(client, made)
    assert caught.value.retryable
    assert caught.value.connection_id == made
    shown = "it gives no reason" if airbyte.era in ("0.36", "0.40") else "The password has expired."
    assert shown in str(caught.value)


def test_only_the_first_line_of_a_reason_is_told(start_fake, connect) -> None:
    airbyte = start_fake()
    made = airbyte.add_connection()
    long = f"Wrong {'x' * 600}"
    airbyte.fail_discovery(made, Failure("source", "config_error", f"{long}\n\tat java.lang.Thread.run"))
    with pytest.raises(AirbyteDiscoveryError) as caught:
        discover_changes(connect(airbyte), made)
    assert str(caught.value).endswith(f"{long[:499]}…")


def test_the_inner_reason_is_told_where_the_outer_one_says_nothing(start_fake, connect) -> None:
    airbyte = start_fake()
    made = airbyte.add_connection()
    failure = Failure("source", "system_error", "Something went wrong in the connector.", "Disk full.\n\tat X")
    airbyte.fail_discovery(made, failure)
    with pytest.raises(AirbyteDiscoveryError, match=r"Something went wrong in the connector: Disk full\.$"):
        discover_changes(connect(airbyte), made)


def test_a_deleted_and_an_unknown_connection_are_not_asked_for(world) -> None:
    airbyte, client, made = world
    airbyte.set_connection_status(made, "deprecated")
    with pytest.raises(AirbyteConnectionDeletedError):
        discover_changes(client, made)
    with pytest.raises(AirbyteConnectionUnknownError):
        discover_changes(client, "99999999-9999-4999-8999-999999999999")
    assert not airbyte.calls("discoverSchemaForSource")
