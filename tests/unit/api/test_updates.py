"""Changing a connection sends what the caller changed alone, or all else as it was where Airbyte wants that."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
PATCHING = ["0.40.28", "0.40", "0.50", "1.0", "1.8.0", "2.0", "head"]
# 0.40.20 patches, and does not say which of the releases up to 0.40.27 it is.
REPLACING = ["0.36", "0.39.0", "0.40.7", "0.40.20"]
CRON = {"cron": {"cronExpression": "0 0 4 * * ?", "cronTimeZone": "UTC"}}
HOURLY = {"basicSchedule": {"units": 1, "timeUnit": "hours"}}
NEEDS = {"cpu_request": "0.5", "memory_limit": "2Gi"}
SETTINGS = {
    "prefix": "x_",
    "namespaceDefinition": "customformat",
    "namespaceFormat": "y",
    "resourceRequirements": NEEDS,
}


def planted(start_fake, era):
    """A connection with everything that an update could lose."""
    airbyte = start_fake(era)
    operation = airbyte.add_operation("dbt", {"operatorType": "dbt", "dbt": {"gitRepoUrl": "https://example.com/r"}})
    connection_id = airbyte.add_connection(
        streams=["orders", ("public", "customers")],
        schedule=(6, "hours"),
        settings={**SETTINGS, "operationIds": [operation]},
    )
    return airbyte, connection_id


def shown(connection):
    """What the server says of a connection, but for what it changes by itself."""
    return connection.model_dump(mode="json", by_alias=True, exclude_none=True)


def update(client, method, connection_id, **changes):
    more = {"skip_reset": True} if method.startswith("web_backend") else {}
    return getattr(client, method)(connection_id=connection_id, **more, **changes)


def body_of(airbyte, method):
    operation_id = {
        "update_connection": "updateConnection",
        "web_backend_update_connection": "webBackendUpdateConnection",
    }
    return airbyte.calls(operation_id[method])[-1].body


METHODS = ["update_connection", "web_backend_update_connection"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("era", PATCHING)
def test_only_what_changed_is_sent(start_fake, connect, era, method):
    """Where Airbyte tells its release, nothing is read first."""
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    before = client.get_connection(connection_id=connection_id)
    update(client, method, connection_id, prefix="z_", status="inactive")
    skip = {"skipReset": True} if method.startswith("web_backend") else {}
    assert body_of(airbyte, method) == {"connectionId": connection_id, "prefix": "z_", "status": "inactive", **skip}
    assert len(airbyte.calls("getConnection")) == 1
    assert airbyte.calls("webBackendGetConnection") == []
    after = client.get_connection(connection_id=connection_id)
    assert shown(after) == {**shown(before), "prefix": "z_", "status": "inactive"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("era", REPLACING)
def test_before_patches_everything_else_is_sent_as_it_was(start_fake, connect, era, method):
    """Catalog, schedule, namespace, prefix, operations, requirements: none of them is emptied."""
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    before = client.get_connection(connection_id=connection_id)
    assert before.operation_ids
    assert before.sync_catalog.streams
    update(client, method, connection_id, name="New")
    after = client.get_connection(connection_id=connection_id)
    assert shown(after) == {**shown(before), "name": "New"}
    body = body_of(airbyte, method)
    assert body["syncCatalog"] == before.sync_catalog.raw
    for name, value in {**SETTINGS, "status": "active"}.items():
        assert body[name] == value, name


@pytest.mark.parametrize("era", [*REPLACING[2:], *PATCHING])
@pytest.mark.parametrize("method", METHODS)
def test_a_new_schedule_takes_the_place_of_the_old_one(start_fake, connect, era, method):
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    update(client, method, connection_id, schedule_type="cron", schedule_data=CRON)
    after = client.get_connection(connection_id=connection_id)
    assert (after.schedule_type, after.schedule_data.cron.cron_expression) == ("cron", "0 0 4 * * ?")
    assert after.schedule is None
    assert body_of(airbyte, method).get("schedule") is None
    update(client, method, connection_id, schedule_type="basic", schedule_data=HOURLY)
    after = client.get_connection(connection_id=connection_id)
    assert (after.schedule_type, after.schedule_data.basic_schedule.units) == ("basic", 1)


@pytest.mark.parametrize("method", METHODS)
def test_the_old_form_of_a_schedule_takes_the_place_of_the_new_one(start_fake, connect, method):
    """Where the connection has both forms, the one that was given wins."""
    airbyte, connection_id = planted(start_fake, "0.40.7")
    update(connect(airbyte), method, connection_id, schedule={"units": 2, "timeUnit": "days"})
    body = body_of(airbyte, method)
    assert body["schedule"] == {"units": 2, "timeUnit": "days"}
    assert not {"scheduleType", "scheduleData"} & set(body)


@pytest.mark.parametrize("skip_reset", [True, False])
@pytest.mark.parametrize("era", PATCHING)
def test_whether_streams_are_reset_is_always_said(start_fake, connect, era, skip_reset):
    airbyte, connection_id = planted(start_fake, era)
    connect(airbyte).web_backend_update_connection(connection_id=connection_id, skip_reset=skip_reset, name="New")
    assert body_of(airbyte, "web_backend_update_connection")["skipReset"] is skip_reset


@pytest.mark.parametrize("skip_reset", [True, False])
@pytest.mark.parametrize("era", REPLACING)
def test_skip_reset_goes_only_where_it_is_surely_declared(start_fake, connect, era, skip_reset):
    """Since 0.40.0, where the connection has the new schedule. Before 0.39.36 it is refused with 422."""
    airbyte, connection_id = planted(start_fake, era)
    connect(airbyte).web_backend_update_connection(connection_id=connection_id, skip_reset=skip_reset, name="New")
    sent = body_of(airbyte, "web_backend_update_connection").get("skipReset")
    assert sent is (skip_reset if era.startswith("0.40") else None)


@pytest.mark.parametrize("era", ["0.36", "0.39.0"])
def test_a_catalog_is_not_sent_where_a_reset_cannot_be_ruled_out(start_fake, connect, era):
    """Such a release may reset what the catalog changes: the other operation resets nothing."""
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    catalog = client.get_connection(connection_id=connection_id).sync_catalog
    with pytest.raises(AirbyteConfigurationError, match=r"skip_reset came with Airbyte 0\.39\.36.*update_connection"):
        client.web_backend_update_connection(connection_id=connection_id, skip_reset=True, sync_catalog=catalog)
    assert airbyte.calls("webBackendUpdateConnection") == []


def test_skip_reset_has_no_default(client):
    """Whether data is emptied is nothing to be decided in silence."""
    with pytest.raises(TypeError, match="skip_reset"):
        client.web_backend_update_connection(connection_id=ID, name="New")


@pytest.mark.parametrize("release", [None, "0.63.0", "2.0.0", "dev"])
@pytest.mark.parametrize("method", METHODS)
def test_a_catalog_that_was_read_is_sent_back_as_it_was(stub, connect_to, release, method):
    """With nulls, empty lists and fields of releases to come, at each depth."""
    catalog = {
        "streams": [
            {
                "stream": {
                    "name": "orders",
                    "namespace": None,
                    "jsonSchema": {
                        "type": "object",
                        "properties": {"id": {"type": ["null", "number"], "x": [1, None]}},
                    },
                    "supportedSyncModes": [],
                    "streamOfTomorrow": {"a": [None, {}]},
                },
                "config": {
                    "syncMode": "incremental",
                    "selected": True,
                    "primaryKey": [["id"]],
                    "mappers": [{"type": "hashing", "mapperConfiguration": {"targetField": "id"}, "new": 1}],
                    "configOfTomorrow": [[]],
                },
                "entryOfTomorrow": None,
            }
        ],
        "catalogOfTomorrow": {"snake_case": 1},
    }
    if release:
        stub.response("/v1/instance_configuration", {"version": release})
    response = {"connectionId": ID, "syncCatalog": catalog, "status": "active"}
    for path in ("/v1/connections/get", "/v1/web_backend/connections/get"):
        stub.response(path, response)
    for path in ("/v1/connections/update", "/v1/web_backend/connections/update"):
        stub.response(path, response)
    client = connect_to(stub.url)
    read = client.get_connection(connection_id=ID)
    update(client, method, ID, sync_catalog=read.sync_catalog)
    assert stub.requests[-1].json["syncCatalog"] == catalog
    # One field of it changed: all else stays.
    read.sync_catalog.streams[0].config.selected = False
    update(client, method, ID, sync_catalog=read.sync_catalog)
    catalog["streams"][0]["config"]["selected"] = False
    assert stub.requests[-1].json["syncCatalog"] == catalog


@pytest.mark.parametrize("method", METHODS)
def test_a_catalog_as_plain_json_is_sent_as_it_was_given(stub, connect_to, method):
    catalog = {"streams": [{"stream": {"name": "a", "new": 1}, "config": {"selected": True, "new": None}}]}
    stub.response("/v1/instance_configuration", {"version": "2.0.0"})
    stub.response("/update", {"connectionId": ID})
    update(connect_to(stub.url), method, ID, sync_catalog=catalog)
    assert stub.requests[-1].json["syncCatalog"] == catalog


@pytest.mark.parametrize("changes", [{"geography": "eu"}, {"prefix": 3}, {"colour": "red"}])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("era", ["1.8.0", "2.0", "head"])
def test_a_change_that_this_release_does_not_know_is_not_sent(start_fake, connect, era, method, changes):
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    with pytest.raises(AirbyteConfigurationError, match=next(iter(changes))):
        update(client, method, connection_id, **changes)
    assert {request.operation_id for request in airbyte.journal} <= {"getInstanceConfiguration"}


@pytest.mark.parametrize("changes", [{"tags": []}, {"dataplane_group_id": OTHER}, {"prefix": 3}])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("era", REPLACING)
def test_where_the_whole_is_sent_a_wrong_change_changes_nothing(start_fake, connect, era, method, changes):
    """The connection may have been read by then."""
    airbyte, connection_id = planted(start_fake, era)
    client = connect(airbyte)
    with pytest.raises(AirbyteConfigurationError, match=next(iter(changes))):
        update(client, method, connection_id, **changes)
    reads = {"getInstanceConfiguration", "getConnection", "webBackendGetConnection", None}
    assert {request.operation_id for request in airbyte.journal} <= reads


@pytest.mark.parametrize("era", ["1.0", "2.0"])
def test_a_change_with_a_reason_is_sent_as_one(start_fake, connect, era):
    airbyte, connection_id = planted(start_fake, era)
    connect(airbyte).update_connection_with_reason(
        connection_update={"connection_id": connection_id, "status": "inactive"}, update_reason="cost"
    )
    (request,) = airbyte.calls("updateConnectionWithReason")
    assert request.body == {
        "connectionUpdate": {"connectionId": connection_id, "status": "inactive"},
        "updateReason": "cost",
    }


def test_no_change_is_a_change_of_nothing(start_fake, connect):
    airbyte, connection_id = planted(start_fake, "2.0")
    client = connect(airbyte)
    before = client.get_connection(connection_id=connection_id)
    assert shown(client.update_connection(connection_id=connection_id)) == shown(before)
    assert body_of(airbyte, "update_connection") == {"connectionId": connection_id}


# What is known of the release

JERSEY_MISSING = {
    "message": "Object not found. HTTP 404 Not Found",
    "exceptionClassName": "io.airbyte.server.errors.IdNotFoundKnownException",
    "exceptionStack": ["..."],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("response", "release", "reads_first"),
    [
        ({"body": {"version": "1.0.0"}}, Release("1.0.0"), False),
        ({"body": {"version": "dev"}}, Release("dev"), False),
        ({"body": {"edition": "community"}}, Release.FROM_0_50_9, False),
        (None, Release.FROM_0_40_28, False),
        ({"body": JERSEY_MISSING, "status": 404}, Release.UP_TO_0_40_27, True),
        ({"body": {"message": "Forbidden"}, "status": 403}, Release.UNREADABLE, True),
        ({"body": {"message": "no"}, "status": 500}, Release.UNREADABLE, True),
    ],
    ids=["1.0.0", "dev", "0.50.9 on", "0.40.28 on", "to 0.40.27", "UNREADABLE by 403", "UNREADABLE by 500"],
)
def test_the_whole_is_sent_wherever_the_release_may_want_it(stub, connect_to, method, response, release, reads_first):
    """Known to patch: only the change. Not known: what is there is read, and sent with it."""
    if response:
        stub.response("/v1/instance_configuration", **response)
    there = {"connectionId": ID, "name": "Old", "status": "active", "prefix": "x_", "syncCatalog": {"streams": []}}
    for path in ("/v1/connections/get", "/v1/web_backend/connections/get"):
        stub.response(path, there)
    stub.response("/update", there)
    client = connect_to(stub.url, attempts=1)
    assert client.release() == release
    update(client, method, ID, name="New")
    body = stub.requests[-1].json
    body.pop("skipReset", None)
    assert bool(stub.seen("/connections/get")) is reads_first
    assert body == ({**there, "name": "New"} if reads_first else {"connectionId": ID, "name": "New"})


def test_a_refused_release_is_read_again_after_minutes(stub, connect_to, clock):
    """A fresh instance returns 500 until somebody has set it up: one request in five minutes is enough."""
    stub.response("/v1/instance_configuration", {"message": "no"}, status=403)
    stub.response("/v1/instance_configuration", {"version": "1.0.0"})
    client = connect_to(stub.url, attempts=1)
    assert {str(client.release()) for _ in range(3)} == {"of unknown release"}
    clock.sleep(300)
    assert {str(client.release()) for _ in range(3)} == {"1.0.0"}
    assert len(stub.requests) == 2
