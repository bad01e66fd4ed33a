"""Changing connections: what differs is sent, and what was requested is there afterwards."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from airflow_airbyte_ext.api.models.connections import ConnectionRead
from airflow_airbyte_ext.connections.update import MAX_TEXT, FieldChange, apply_changes, changed_fields
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteConnectionDeletedError,
    AirbyteConnectionUnknownError,
    AirbyteUpdateUnverifiedError,
)

ERAS = ("0.36", "0.40", "0.50", "1.0", "1.8.0", "2.0", "head")
CRON = "0 0 3 * * ?"
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(params=ERAS)
def world(request, start_fake, connect):
    """An Airbyte of each era with a client and a connection."""
    airbyte = start_fake(request.param, strict=request.param == "head")
    made = airbyte.add_connection(streams=[("public", "orders"), ("public", "users")], schedule=(6, "hours"))
    return airbyte, connect(airbyte), made


def sent(airbyte) -> list[dict[str, Any]]:
    return [call.body for call in airbyte.calls("updateConnection")]


def test_what_differs_is_sent_and_told(world) -> None:
    airbyte, client, made = world
    result = apply_changes(client, made, {"status": "inactive", "prefix": "raw_"})
    assert result.connection_id == made
    assert result.applied
    assert [(each.path, each.after) for each in result.changes] == [("status", "inactive"), ("prefix", "raw_")]
    after = client.get_connection(connection_id=made)
    assert (after.status, after.prefix) == ("inactive", "raw_")
    assert len(sent(airbyte)) == 1
    # The rest stays, also where the server wants all of it.
    assert after.streams() == [("public", "orders"), ("public", "users")]
    assert json.loads(after.schedule.model_dump_json()) == {"units": 6, "time_unit": "hours"}


def test_what_is_so_already_is_not_sent(world) -> None:
    airbyte, client, made = world
    before = client.get_connection(connection_id=made)
    wanted = {"status": "active", "name": before.name, "sync_catalog": before.sync_catalog, "prefix": before.prefix}
    requested = {name: value for name, value in wanted.items() if value is not None}
    result = apply_changes(client, made, requested, schedule={"units": 6, "timeUnit": "hours"})
    assert result.changes == ()
    assert not result.applied
    assert not sent(airbyte)


def test_only_the_differing_fields_are_sent(start_fake, connect) -> None:
    airbyte = start_fake("head", strict=True)
    made = airbyte.add_connection(name="Orders")
    apply_changes(connect(airbyte), made, {"status": "active", "name": "Sales"})
    assert sent(airbyte) == [{"connectionId": made, "name": "Sales"}]


def test_a_dry_run_sends_nothing_and_tells_the_same(world) -> None:
    airbyte, client, made = world
    dry = apply_changes(client, made, {"status": "inactive"}, dry_run=True)
    assert not dry.applied
    assert not sent(airbyte)
    assert apply_changes(client, made, {"status": "inactive"}).changes == dry.changes


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "no setting 'colour'"),
        ({"scheduleType": "manual"}, "no setting 'scheduleType'"),
        ({"status": "asleep"}, "status"),
        ({"tags": []}, r"tags came with Airbyte 1\.6\.0"),
    ],
)
def test_a_wrong_change_is_refused_also_in_a_dry_run(start_fake, connect, changes, message, dry_run) -> None:
    airbyte = start_fake("1.0")
    made = airbyte.add_connection()
    with pytest.raises(AirbyteConfigurationError, match=message):
        apply_changes(connect(airbyte), made, changes, dry_run=dry_run)
    assert not sent(airbyte)


def test_a_deleted_and_an_unknown_connection_are_refused(world) -> None:
    airbyte, client, made = world
    airbyte.set_connection_status(made, "deprecated")
    with pytest.raises(AirbyteConnectionDeletedError, match="was deleted"):
        apply_changes(client, made, {"status": "active"})
    with pytest.raises(AirbyteConnectionUnknownError, match="has no connection"):
        apply_changes(client, "99999999-9999-4999-8999-999999999999", {"status": "active"})
    assert not sent(airbyte)


def test_a_change_that_did_not_take_effect_is_an_error_that_names_it(stub, connect_to) -> None:
    """As of a server that drops a field which it does not know."""
    connection = {"connectionId": ID, "name": "Orders", "status": "active", "prefix": "a_"}
    stub.response("instance_configuration", {"version": "2.1.0"})
    stub.response("connections/get", connection)
    stub.response("connections/update", {**connection, "status": "inactive"})
    changes = {"status": "inactive", "prefix": "b_", "on_demand_enabled": True}
    with pytest.raises(AirbyteUpdateUnverifiedError, match="did not take effect: prefix, on_demand_enabled") as caught:
        apply_changes(connect_to(stub.url), ID, {"name": "Orders", **changes})
    assert caught.value.connection_id == ID


# Schedules


def schedule_of(client, made) -> tuple[str | None, dict[str, Any]]:
    found = client.get_connection(connection_id=made)
    data = found.schedule_data.model_dump(exclude_none=True) if found.schedule_data else {}
    return found.schedule_type, data


@pytest.mark.parametrize("era", ERAS[1:])
@pytest.mark.parametrize("before", ["manual", (6, "hours"), CRON])
@pytest.mark.parametrize(
    ("wanted", "kind", "data"),
    [
        ("manual", "manual", {}),
        ({"units": 2, "timeUnit": "days"}, "basic", {"basic_schedule": {"units": 2, "time_unit": "days"}}),
        (
            "0 30 4 * * ?",
            "cron",
            {"cron": {"cron_expression": "0 30 4 * * ?", "cron_time_zone": "Europe/Berlin"}},
        ),
    ],
)
def test_every_schedule_becomes_every_other(start_fake, connect, era, before, wanted, kind, data) -> None:
    airbyte = start_fake(era)
    made, client = airbyte.add_connection(schedule=before), connect(airbyte)
    result = apply_changes(client, made, {}, schedule=wanted, schedule_time_zone="Europe/Berlin")
    assert schedule_of(client, made) == (kind, data)
    assert result.applied == (before != wanted)
    again = apply_changes(client, made, {}, schedule=wanted, schedule_time_zone="Europe/Berlin")
    assert not again.changes


def test_another_time_zone_alone_is_a_change(start_fake, connect) -> None:
    airbyte = start_fake()
    made, client = airbyte.add_connection(schedule=CRON), connect(airbyte)
    result = apply_changes(client, made, {}, schedule=CRON, schedule_time_zone="Asia/Tokyo")
    assert result.changes == (FieldChange("schedule_data.cron.cron_time_zone", "UTC", "Asia/Tokyo"),)
    assert schedule_of(client, made)[1]["cron"]["cron_time_zone"] == "Asia/Tokyo"


def test_an_old_release_takes_units_and_refuses_cron(start_fake, connect) -> None:
    airbyte = start_fake("0.36")
    made, client = airbyte.add_connection(schedule=(6, "hours")), connect(airbyte)
    result = apply_changes(client, made, {}, schedule={"units": "2", "time_unit": "days"})
    assert result.changes == (FieldChange("schedule.time_unit", "hours", "days"), FieldChange("schedule.units", 6, 2))
    for wanted in (CRON, "manual"):
        with pytest.raises(AirbyteConfigurationError, match=r"older than 0\.40\.0"):
            apply_changes(client, made, {}, schedule=wanted)


def test_a_manual_connection_of_an_old_release_has_nothing_to_change(start_fake, connect) -> None:
    """An old release whose connection is manual already has nothing to change."""
    airbyte = start_fake("0.36")
    assert not apply_changes(connect(airbyte), airbyte.add_connection(), {}, schedule="manual").changes


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("0 3 * * *", "without seconds"),
        ("hourly", "give"),
        ("", "what the template rendered to"),
        ("None", "what the template rendered to"),
        ({"units": 1}, "give"),
        ({"units": 1, "timeUnit": "hours", "more": 1}, "give"),
        (7, "give"),
        ({"units": "x", "timeUnit": "hours"}, "units"),
        (
            "0 0 3 * * ? Europe/Berlin",
            "field for the year is 'Europe/Berlin'.*time zone is given as schedule_time_zone",
        ),
        ("0 0 3 * * ? UTC", "time zone is given as schedule_time_zone"),
        ("0 0 24 * * ?", "field for the hour is '24', but must be 0 to 23"),
        ("0 0 3 * * *", r'must be "\?", and not both'),
        ("0 0 3 ? * ?", r'must be "\?", and not both'),
        ("0 0 3 1 * 1", r'must be "\?", and not both'),
        ("0 0 3 * Januar ?", "field for the month is 'Januar'"),
        ("0 0/x 3 * * ?", "field for the minute is '0/x'"),
        ("0 0 3 * * ? 2026 UTC", "give"),
    ],
)
def test_what_is_no_schedule_is_refused(start_fake, connect, wanted, message) -> None:
    airbyte = start_fake()
    made = airbyte.add_connection()
    with pytest.raises(AirbyteConfigurationError, match=message):
        apply_changes(connect(airbyte), made, {}, schedule=wanted)
    assert not sent(airbyte)


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 3 * * ?",
        "0 0/15 * * * ?",
        "0 */15 22-2 ? * MON-FRI",
        "0 0,30 3 L * ?",
        "0 0 3 L-3 * ?",
        "0 0 3 LW * ?",
        "0 0 3 15W jan,JUL ?",
        "0 0 3 ? * 6L",
        "0 0 3 ? * fri#2",
        "0 0 3 ? * SAT,SUN 2026-2030",
        "0 0 3 1 1 ? 2026/2",
        "0  0 3 * * ? *",
    ],
)
def test_what_quartz_takes_is_taken(start_fake, connect, expression) -> None:
    airbyte = start_fake()
    made = airbyte.add_connection()
    assert apply_changes(connect(airbyte), made, {}, schedule=expression, dry_run=True).changes


def test_a_cron_expression_among_the_changes_is_looked_at_as_well(start_fake, connect) -> None:
    airbyte = start_fake()
    cron = {"cron": {"cron_expression": "0 0 3 * * ? Asia/Tokyo", "cron_time_zone": "UTC"}}
    changes = {"schedule_type": "cron", "schedule_data": cron}
    with pytest.raises(AirbyteConfigurationError, match="a time zone is given as cron_time_zone"):
        apply_changes(connect(airbyte), airbyte.add_connection(), changes)
    assert not sent(airbyte)


# Catalogs, tags and the rest


def catalog(*streams: dict[str, Any]) -> dict[str, Any]:
    return {"streams": list(streams)}


def entry(name: str, **config: Any) -> dict[str, Any]:
    settings = {"syncMode": "incremental", "destinationSyncMode": "append_dedup", "aliasName": name, **config}
    stream = {"name": name, "namespace": "public", "jsonSchema": {"properties": {"id": {"type": "integer"}}}}
    return {"stream": stream, "config": {**settings}}


def connection(**fields: Any) -> ConnectionRead:
    return ConnectionRead.model_validate({"connectionId": ID, **fields})


def test_catalogs_are_compared_by_stream_and_setting() -> None:
    before = connection(syncCatalog=catalog(entry("orders"), entry("users", selected=False), entry("gone")))
    after = catalog(entry("orders", syncMode="full_refresh"), entry("users"), entry("new"))
    assert changed_fields(before, {"sync_catalog": after}) == [
        FieldChange("sync_catalog.public.gone", "incremental, append_dedup", None),
        FieldChange("sync_catalog.public.new", None, "incremental, append_dedup"),
        FieldChange("sync_catalog.public.orders.sync_mode", "incremental", "full_refresh"),
        FieldChange("sync_catalog.public.users.selected", False, True),
    ]


def test_the_order_of_streams_and_what_airbyte_fills_in_are_no_changes() -> None:
    """Selected is what no word is said about."""
    full = entry("orders", selected=True, suggested=True, generationId=4, fieldSelectionEnabled=False, mappers=[])
    bare = copy.deepcopy(full)
    bare["config"] = {name: full["config"][name] for name in ("syncMode", "destinationSyncMode")}
    before = connection(syncCatalog=catalog(full, entry("users")))
    assert not changed_fields(before, {"sync_catalog": catalog(entry("users"), bare)})


def test_leaving_out_a_selection_of_fields_is_a_change() -> None:
    chosen = entry("orders", fieldSelectionEnabled=True, selectedFields=[{"fieldPath": ["id"]}])
    found = changed_fields(connection(syncCatalog=catalog(chosen)), {"sync_catalog": catalog(entry("orders"))})
    assert [each.path.rpartition(".")[2] for each in found] == ["field_selection_enabled", "selected_fields"]


def test_long_values_are_shortened_and_still_seen_to_differ() -> None:
    old, new = entry("orders"), entry("orders")
    columns = {f"column_{number}": {"type": "string"} for number in range(50)}
    old["stream"]["jsonSchema"] = {"properties": columns}
    new["stream"]["jsonSchema"] = {"properties": {**columns, "another": {"type": "string"}}}
    (change,) = changed_fields(connection(syncCatalog=catalog(old)), {"sync_catalog": catalog(new)})
    assert change.path == "sync_catalog.public.orders.json_schema"
    assert len(change.before) == MAX_TEXT + 3
    assert change.after == f"{change.before} (differs further on)"
    json.dumps([change.before, change.after])


def test_how_a_mapper_is_set_is_not_shown() -> None:
    def keyed(key: str) -> dict[str, Any]:
        return entry("orders", mappers=[{"type": "encryption", "mapperConfiguration": {"key": key}}])

    (change,) = changed_fields(connection(syncCatalog=catalog(keyed("s3cret"))), {"sync_catalog": catalog(keyed("x"))})
    assert change.before == ["encryption"]
    assert "s3cret" not in str(change)


def test_nothing_is_nothing_however_it_is_said() -> None:
    assert not changed_fields(connection(prefix=None), {"prefix": ""})
    assert not changed_fields(connection(operationIds=None), {"operation_ids": []})
    assert not changed_fields(connection(), {"notify_schema_changes": False, "schedule_data": {}})


def test_a_catalog_is_changed_in_every_release(world) -> None:
    _, client, made = world
    wanted = client.get_connection(connection_id=made).sync_catalog.model_dump(by_alias=True, exclude_unset=True)
    wanted["streams"] = wanted["streams"][:1]
    wanted["streams"][0]["config"] |= {"syncMode": "full_refresh", "destinationSyncMode": "append"}
    result = apply_changes(client, made, {"sync_catalog": wanted})
    assert [each.path for each in result.changes] == [
        "sync_catalog.public.orders.destination_sync_mode",
        "sync_catalog.public.orders.sync_mode",
        "sync_catalog.public.users",
    ]
    assert client.get_connection(connection_id=made).streams() == [("public", "orders")]


@pytest.mark.parametrize("era", ["1.6.0", "1.8.0", "2.0", "head"])
def test_tags_are_compared_by_their_ids(start_fake, connect, era) -> None:
    airbyte = start_fake(era)
    made, client = airbyte.add_connection(tags=["nightly"]), connect(airbyte)
    nightly, finance = airbyte.add_tag("nightly"), airbyte.add_tag("finance")
    assert not apply_changes(client, made, {"tags": [nightly]}).changes
    (change,) = apply_changes(client, made, {"tags": [finance, nightly]}).changes
    assert change.before == [nightly["tagId"]]
    assert {tag.name for tag in client.get_connection(connection_id=made).tags} == {"nightly", "finance"}
    apply_changes(client, made, {"tags": []})
    assert client.get_connection(connection_id=made).tags == []


def test_what_is_left_out_of_an_object_is_taken_out_of_it() -> None:
    before = connection(resourceRequirements={"cpu_limit": "1", "memory_limit": "2Gi"})
    found = changed_fields(before, {"resource_requirements": {"cpu_limit": "1"}})
    assert found == [FieldChange("resource_requirements.memory_limit", "2Gi", None)]


@pytest.mark.parametrize("era", ["1.6.0", "1.8.0", "2.0", "head"])
def test_tags_may_be_names_that_other_connections_carry(start_fake, connect, era) -> None:
    airbyte = start_fake(era, strict=era == "head")
    made, client = airbyte.add_connection(tags=["nightly"]), connect(airbyte)
    airbyte.add_connection("Other", tags=["finance"])
    apply_changes(client, made, {"tags": ["finance", airbyte.add_tag("nightly")]})
    assert {tag.name for tag in client.get_connection(connection_id=made).tags} == {"nightly", "finance"}
    with pytest.raises(AirbyteConfigurationError, match="carries the tag 'dayly'; the others carry: 'finance', 'night"):
        apply_changes(client, made, {"tags": ["dayly"]})


def test_names_of_tags_are_refused_where_there_are_no_tags(start_fake, connect) -> None:
    airbyte = start_fake("1.0")
    with pytest.raises(AirbyteConfigurationError, match=r"tags came with Airbyte 1\.6\.0"):
        apply_changes(connect(airbyte), airbyte.add_connection(), {"tags": ["daily"]})


def test_a_catalog_without_streams_is_refused(world) -> None:
    airbyte, client, made = world
    with pytest.raises(AirbyteConfigurationError, match="sync_catalog has no streams"):
        apply_changes(client, made, {"sync_catalog": {"streams": []}}, dry_run=True)
    assert not sent(airbyte)


@pytest.mark.parametrize(
    ("zone", "message"),
    [("Berlin", "such as Europe/Berlin"), ("", "no time zone"), ("Etc/UTC", 'Write "UTC"'), (None, "no time zone")],
)
def test_a_wrong_time_zone_is_refused(start_fake, connect, zone, message) -> None:
    airbyte = start_fake()
    with pytest.raises(AirbyteConfigurationError, match=message):
        apply_changes(connect(airbyte), airbyte.add_connection(), {}, schedule=CRON, schedule_time_zone=zone)
    assert not sent(airbyte)
