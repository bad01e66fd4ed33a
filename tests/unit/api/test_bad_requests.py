"""Wrong arguments are refused by name before anything is sent, and what Airbyte refuses comes as the right error."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.exceptions import (
    AirbyteBadRequestError,
    AirbyteConfigurationError,
    AirbyteOperationMissingError,
    AirbytePermissionError,
)

ID = "11111111-1111-4111-8111-111111111111"
SECRET = "s3cr3t-cursor"
NEW = {"source_id": ID, "destination_id": ID, "status": "active"}
PATH = {operation.operation_id: operation.path for operation in OPERATIONS.values()}


@pytest.fixture
def client_of(stub, connect_to):
    """Make a client of a server that tells its release."""

    def make(release: str | None = "2.0.0"):
        if release:
            stub.response("/v1/instance_configuration", {"edition": "community", "version": release})
        return connect_to(stub.url, attempts=1)

    return make


def sent(stub) -> list[str]:
    """The paths that were asked, but for the one that tells the release."""
    return [request.path for request in stub.requests if not request.path.endswith("/v1/instance_configuration")]


BAD = {
    "a UUID that is none": ("get_connection", {"connection_id": "nope"}, "connection_id is 'nope'.*not a UUID"),
    "an empty UUID": ("sync_connection", {"connection_id": ""}, "connection_id is ''.*not a UUID"),
    "no UUID at all": ("reset_connection", {"connection_id": None}, "connection_id is None; give its value"),
    "one bad UUID among many": (
        "get_connection_statuses",
        {"connection_ids": [ID, "nope"]},
        r"connection_ids\.1 is 'nope'",
    ),
    "a UUID that was not listed": (
        "get_connection_statuses",
        {"connection_ids": ID},
        "connection_ids is the text '1111.*give a list",
    ),
    "a kind of job that was not listed": (
        "list_jobs_for",
        {"config_types": "sync"},
        r"config_types is the text 'sync'; give a list, such as \['sync'\]",
    ),
    "an argument that is nearly right": (
        "update_connection",
        {"connection_id": ID, "schedul_data": {}},
        r"no argument schedul_data \(did you mean schedule_data\?\)",
    ),
    "a nested one that is nearly right": (
        "web_backend_list_connections_for_workspace",
        {"workspace_id": ID, "filters": {"tag_id": [ID]}},
        r"no argument filters\.tag_id \(did you mean tag_ids\?\)",
    ),
    "a change to nothing": ("update_connection", {"connection_id": ID, "prefix": None}, "prefix is None; leave it out"),
    "a text in the place of tags": (
        "update_connection",
        {"connection_id": ID, "tags": "daily"},
        "tags is the text 'daily'; give a list",
    ),
    "a job id that is a word": ("get_job_info", {"id": "42"}, "id: input should be a valid integer"),
    "a job id that is a flag": ("cancel_job", {"id": True}, "id: input should be a valid integer"),
    "a job id below zero": ("get_job_info_light", {"id": -1}, "id: input should be greater than or equal to 0"),
    "an attempt below zero": ("get_attempt_for_job", {"job_id": 1, "attempt_number": -1}, "attempt_number"),
    "no kind of job": ("list_jobs_for", {"config_types": []}, "config_types: list should have at least 1"),
    "a page of nothing": ("list_jobs_for", {"config_types": ["sync"], "page_size": 0}, "pagination.page_size"),
    "a page before the first": (
        "list_jobs_for",
        {"config_types": ["sync"], "page_size": 5, "row_offset": -5},
        "pagination.row_offset",
    ),
    "a naive time": (
        "list_jobs_for",
        {"config_types": ["sync"], "created_at_start": "2026-01-01T00:00:00"},
        "created_at_start is '2026-01-01T00:00:00'.*offset",
    ),
    "a day": (
        "list_jobs_for_workspaces",
        {"config_types": ["sync"], "workspace_ids": [ID], "updated_at_start": "2026-01-01"},
        "updated_at_start is '2026-01-01'",
    ),
    "a time of events without offset": (
        "list_connection_events",
        {"connection_id": ID, "created_at_end": "2026-01-01T00:00:00"},
        "created_at_end",
    ),
    "an unknown order": (
        "list_jobs_for",
        {"config_types": ["sync"], "order_by_field": "id", "order_by_method": "ASC"},
        "order_by_field: input should be 'createdAt' or 'updatedAt'",
    ),
    "an unknown filter": ("list_jobs_for", {"config_types": ["sync"], "state": "x"}, "no argument state"),
    "no stream": ("reset_connection_stream", {"connection_id": ID, "streams": []}, "streams is empty"),
    "no stream to clear": ("clear_connection_stream", {"connection_id": ID, "streams": ()}, "streams is empty"),
    "no stream to refresh": (
        "refresh_connection_stream",
        {"connection_id": ID, "refresh_mode": "Merge", "streams": []},
        "streams is empty",
    ),
    "names in the place of streams": (
        "reset_connection_stream",
        {"connection_id": ID, "streams": ["ab", "cd"]},
        "streams must be a list of namespace and name",
    ),
    "one name in the place of streams": (
        "reset_connection_stream",
        {"connection_id": ID, "streams": "orders"},
        "streams must be a list of namespace and name",
    ),
    "a stream without a name": (
        "reset_connection_stream",
        {"connection_id": ID, "streams": [("public", None)]},
        "streams must be a list of namespace and name",
    ),
    "a mode in lower case": (
        "refresh_connection_stream",
        {"connection_id": ID, "refresh_mode": "merge"},
        "refresh_mode: input should be 'Truncate' or 'Merge'",
    ),
    "an unknown change": ("update_connection", {"connection_id": ID, "colour": "red"}, "no argument colour"),
    "Airbyte's spelling of a change": (
        "update_connection",
        {"connection_id": ID, "namespaceFormat": "x"},
        "no argument namespaceFormat",
    ),
    "a status that only Airbyte sets": (
        "update_connection",
        {"connection_id": ID, "status": "locked"},
        "status: input should be 'active', 'inactive' or 'deprecated'",
    ),
    "a prefix that is a number": ("update_connection", {"connection_id": ID, "prefix": 3}, "prefix: input should be"),
    "a catalog that is a list": ("update_connection", {"connection_id": ID, "sync_catalog": []}, "sync_catalog"),
    "half a schedule": ("update_connection", {"connection_id": ID, "schedule": {"units": 3}}, r"schedule\.timeUnit"),
    "a change inside a change": (
        "update_connection_with_reason",
        {"connection_update": {"connection_id": ID, "prefix": 3}, "update_reason": "x"},
        r"connection_update\.prefix",
    ),
    "an unknown field of a new connection": (
        "create_connection",
        {**NEW, "workspace_id": ID},
        "no argument workspace_id",
    ),
    "a new connection from nowhere": ("create_connection", {**NEW, "source_id": ""}, "source_id is ''"),
    "a change for the web app": (
        "web_backend_update_connection",
        {"connection_id": ID, "skip_reset": "perhaps"},
        "skip_reset: input should be a valid boolean",
    ),
    "an unknown filter of connections": (
        "web_backend_list_connections_for_workspace",
        {"workspace_id": ID, "filters": {"colour": "red"}},
        r"no argument filters\.colour",
    ),
    "a state that is a text": (
        "create_or_update_state",
        {"connection_id": ID, "connection_state": SECRET},
        "connection_state: input should be a valid dictionary",
    ),
    "a state that JSON cannot say": (
        "create_or_update_state_safe",
        {"connection_id": ID, "connection_state": {SECRET: {1, 2}}},
        "connection_state holds something that JSON cannot say",
    ),
    "a number that JSON cannot say": (
        "create_or_update_state_safe",
        {"connection_id": ID, "connection_state": {SECRET: float("nan")}},
        "connection_state holds something that JSON cannot say",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_argument_is_refused_by_name_and_nothing_is_sent(stub, client_of, case):
    """Whatever the mistake, the error is ours, and holds nothing of a state."""
    method, arguments, message = BAD[case]
    with pytest.raises(AirbyteConfigurationError, match=message) as caught:
        getattr(client_of(), method)(**arguments)
    assert sent(stub) == []
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith(next(name for name in OPERATIONS if name.lower() == method.replace("_", "")))


@pytest.mark.parametrize("method", ["get_connection", "list_jobs_for", "create_connection", "create_or_update_state"])
def test_a_missing_or_unknown_argument_is_a_type_error(stub, client_of, method):
    """The arguments are keywords of the methods, so an editor and a type checker see it before."""
    client = client_of()
    with pytest.raises(TypeError, match=r"missing \d required"):
        getattr(client, method)()
    with pytest.raises(TypeError):
        client.get_connection(ID)
    assert stub.requests == []


def test_a_required_field_within_a_group_is_asked_for_by_name(client_of):
    with pytest.raises(AirbyteConfigurationError, match=r"operations\.0\.name is missing"):
        client_of().web_backend_update_connection(
            connection_id=ID, skip_reset=True, operations=[{"workspaceId": ID, "operatorConfiguration": {}}]
        )


def test_several_mistakes_are_told_at_once(stub, client_of):
    with pytest.raises(AirbyteConfigurationError) as caught:
        client_of().update_connection(connection_id="nope", prefix=3, colour="red")
    assert all(word in str(caught.value) for word in ("connection_id", "prefix", "colour"))
    assert sent(stub) == []


LACKING = {
    "no more, in a development version": (
        "dev",
        "update_connection",
        {"connection_id": ID, "geography": "eu"},
        r"geography is gone since Airbyte 1.7.0, and this Airbyte is a development version \(dev\)",
    ),
    "not yet: tags": ("1.0.0", "create_connection", {**NEW, "tags": []}, "tags came with Airbyte 1.6.0.*is 1.0.0"),
    "not yet: a data plane": (
        "1.0.0",
        "update_connection",
        {"connection_id": ID, "dataplane_group_id": ID},
        "dataplane_group_id came with Airbyte 1.6.0.*geography",
    ),
    "no more: a geography": (
        "1.8.0",
        "update_connection",
        {"connection_id": ID, "geography": "eu"},
        "geography is gone since Airbyte 1.7.0.*dataplane_group_id",
    ),
    "not yet: a page": (
        "1.0.0",
        "web_backend_list_connections_for_workspace",
        {"workspace_id": ID, "page_size": 5},
        "page_size came with Airbyte 1.8.0",
    ),
    "not yet: filters": (
        "1.6.2",
        "web_backend_list_connections_for_workspace",
        {"workspace_id": ID, "filters": {"states": ["active"]}},
        "filters came with Airbyte 1.8.0",
    ),
    "no more: streams": (
        "1.0.0",
        "get_connection_last_job_per_stream",
        {"connection_id": ID, "streams": [(None, "orders")]},
        "streams is gone since Airbyte 0.64.0",
    ),
    "not yet: of sources": (
        "1.7.0",
        "list_sources_for_workspace",
        {"workspace_id": ID, "cursor": ID},
        "cursor came with Airbyte 1.8.0",
    ),
    "not told, and surely not yet": (
        None,
        "create_connection",
        {**NEW, "backfill_preference": "enabled"},
        "backfill_preference came with Airbyte 0.63.0, and this Airbyte is 0.40.28 or newer, before 0.50.9",
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_a_field_that_this_release_lacks_is_refused(stub, client_of, case):
    """And with what does the same there, where something does."""
    release, method, arguments, message = LACKING[case]
    with pytest.raises(AirbyteConfigurationError, match=message):
        getattr(client_of(release), method)(**arguments)
    assert sent(stub) == []


MISSING = {
    "update_connection_with_reason": ("0.63.0", {"connection_update": {"connection_id": ID}, "update_reason": "x"}),
    "reset_connection_stream": (None, {"connection_id": ID, "streams": [(None, "a")]}),
    "clear_connection": (None, {"connection_id": ID}),
    "refresh_connection_stream": (None, {"connection_id": ID, "refresh_mode": "Merge"}),
    "get_connection_statuses": (None, {"connection_ids": [ID]}),
    "list_connection_events": ("0.63.0", {"connection_id": ID}),
    "list_connection_events_for_job": ("1.8.0", {"id": 1}),
    "get_webapp_config": ("1.0.0", {}),
    "list_workspaces": ("1.8.0", {}),
    "web_backend_list_geographies": ("2.0.0", {}),
    "web_backend_search_connections": ("1.0.0", {"name": "x"}),
    "web_backend_list_all_connections_for_workspace": ("1.0.0", {"workspace_id": ID}),
}


@pytest.mark.parametrize("method", MISSING)
def test_a_missing_operation_is_named_with_its_alternative(stub, client_of, method):
    """With the releases that have it, and what to use instead."""
    release, arguments = MISSING[method]
    client = client_of(release)
    operation = next(each for name, each in OPERATIONS.items() if name.lower() == method.replace("_", ""))
    with pytest.raises(AirbyteOperationMissingError) as caught:
        getattr(client, method)(**arguments)
    message = str(caught.value)
    assert operation.operation_id in message
    assert operation.since in message
    assert operation.removed_in is None or f"before {operation.removed_in}" in message
    assert operation.alternative
    assert operation.alternative in message
    assert not caught.value.retryable


def test_what_is_to_be_used_instead_is_there():
    """Every equivalent that an operation names is a method of the client, or a function of this package."""
    import importlib
    import re

    from airflow_airbyte_ext.api import AirbyteClient

    for operation in OPERATIONS.values():
        for name in re.findall(
            r"\b[a-z]+(?:_[a-z]+)+\b", operation.alternative.replace("airflow_airbyte_ext.connections.find.", "")
        ):
            module = importlib.import_module("airflow_airbyte_ext.connections.find")
            known = hasattr(AirbyteClient, name) or hasattr(module, name) or name in ("config_id", "including_job_id")
            assert known, f"{operation.operation_id}: {name}"


@pytest.mark.parametrize(
    ("method", "arguments", "role"),
    [
        ("get_connection", {"connection_id": ID}, "reader"),
        ("sync_connection", {"connection_id": ID}, "runner"),
        ("update_connection", {"connection_id": ID, "prefix": "x"}, "editor"),
        ("delete_connection", {"connection_id": ID}, "editor"),
        ("discover_schema_for_source", {"source_id": ID}, "editor"),
        ("create_or_update_state", {"connection_id": ID, "connection_state": {SECRET: 1}}, "instance admin"),
    ],
)
def test_a_403_names_the_role_that_is_wanted(stub, client_of, method, arguments, role):
    client = client_of()
    operation = next(each for name, each in OPERATIONS.items() if name.lower() == method.replace("_", ""))
    stub.response(operation.path, {"message": "Forbidden"}, status=403)
    with pytest.raises(AirbytePermissionError, match=f"{operation.operation_id} wants at least the role {role}"):
        getattr(client, method)(**arguments)


def test_a_state_that_airbyte_refuses_is_not_repeated_in_the_error(stub, client_of):
    """Servers quote what they could not read."""
    client = client_of()
    stub.response(PATH["createOrUpdateState"], {"message": f"Invalid json input. {SECRET}"}, status=422)
    with pytest.raises(AirbyteBadRequestError) as caught:
        client.create_or_update_state(connection_id=ID, connection_state={"state": SECRET})
    assert SECRET not in str(caught.value)


def test_swapped_arguments_do_not_show_a_state(stub, client_of):
    with pytest.raises(AirbyteConfigurationError) as caught:
        client_of().create_or_update_state(connection_id={"cursor": SECRET}, connection_state=ID)
    assert SECRET not in str(caught.value)
    assert stub.requests == []
