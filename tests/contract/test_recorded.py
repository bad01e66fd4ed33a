"""Our models against what real servers returned, and the lessons that those responses taught."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.report import report_of
from airflow_airbyte_ext.jobs.status import JobStatus

ID = "11111111-1111-4111-8111-111111111111"
RECORDED = {
    "connections_get_0.36.json": ("getConnection", lambda whole: whole["json"]),
    "connections_list_0.50.json": ("listConnectionsForWorkspace", lambda whole: whole["response"]["json"]),
    "jobs_get_0.36.json": ("getJobInfo", lambda whole: whole["json"]),
    "jobs_get_stats.json": ("getJobInfo", lambda whole: whole["json"]),
    "oss_workspaces_list.json": ("listWorkspaces", lambda whole: whole["response"]["json"]),
}


def read(operation_id: str, response: Any) -> Any:
    return TypeAdapter(OPERATIONS[operation_id].response).validate_python(response)


def shown(value: Any) -> Any:
    """What a response says: a null, an empty list and a property that is left out say the same."""
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items() if item not in (None, [])}
    return [shown(item) for item in value] if isinstance(value, list) else value


def assert_nothing_is_lost(operation_id: str, response: Any) -> Any:
    adapter = TypeAdapter(OPERATIONS[operation_id].response)
    found = adapter.validate_python(response)
    assert shown(adapter.dump_python(found, mode="json", by_alias=True, exclude_unset=True)) == shown(response)
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_answer_is_read_and_nothing_of_it_is_lost(recorded, name):
    """Responses of real servers, from 0.36 on."""
    operation_id, pick = RECORDED[name]
    assert_nothing_is_lost(operation_id, pick(recorded(name)))


def test_a_recorded_conversation_is_read_and_nothing_of_it_is_lost(recorded):
    """A whole cassette of 0.39.18: all responses whose operation we know."""
    paths = {operation.path: operation for operation in OPERATIONS.values()}
    seen: dict[str, Any] = {}
    for exchange in recorded("octavia_0.39.18.json")["interactions"]:
        path = exchange["request"]["uri"].partition("/api")[2].rstrip("/")
        if path in paths and exchange["response"]["status"]["code"] == 200:
            operation = paths[path]
            if operation.operation_id.startswith("webBackendList"):
                read(operation.operation_id, exchange["response"]["json"])  # keeps what a list needs
            else:
                found = assert_nothing_is_lost(operation.operation_id, exchange["response"]["json"])
                seen[operation.operation_id] = found
    assert seen
    assert seen["getHealthCheck"].available is True


def test_explicit_nulls_of_old_servers_are_as_good_as_nothing(recorded):
    """Before 0.39.9 every null is spelt out: schedule, requirements, namespace."""
    connection = read("getConnection", recorded("connections_get_0.36.json")["json"])
    assert connection.schedule is None
    assert connection.resource_requirements is None
    assert connection.streams() == [(None, "epidemic_stats")]
    assert connection.sync_catalog.streams[0].config.selected is True
    assert connection.status == "active"
    assert connection.name == "File <> Snowflake Demo"


def test_a_connection_of_a_list_has_all_that_snapshots_and_links_use(recorded):
    response = recorded("connections_list_0.50.json")["response"]["json"]
    for raw, connection in zip(
        response["connections"], read("listConnectionsForWorkspace", response).connections, strict=True
    ):
        assert (connection.connection_id, connection.name) == (raw["connectionId"], raw["name"])
        assert (connection.source_id, connection.destination_id) == (raw["sourceId"], raw["destinationId"])
        assert connection.operation_ids == raw["operationIds"]
        assert connection.streams() == [
            (entry["stream"].get("namespace"), entry["stream"]["name"]) for entry in raw["syncCatalog"]["streams"]
        ]
        assert connection.sync_catalog.raw == raw["syncCatalog"]


def test_a_status_that_is_null_is_no_end(recorded):
    job = read("getJobInfo", recorded("jobs_get_0.36.json")["json"]).job
    assert (job.id, job.config_type, job.created_at) == (45, "sync", 1650644844)
    assert not JobStatus.of(job.status).is_terminal


def test_figures_that_are_absent_are_none_and_those_of_streams_are_kept(recorded):
    """No totals, no ids, no times: only what each stream moved."""
    response = recorded("jobs_get_stats.json")["json"]
    info = read("getJobInfo", response)
    (attempt,) = [entry.attempt for entry in info.attempts]
    assert attempt.total_stats is None
    assert attempt.stream_stats[0].stats.bytes_committed is None
    assert [(each.stream_name, each.stats.records_committed) for each in attempt.stream_stats] == [
        ("dagster_teams", 3),
        ("dagster_tags", 622),
        ("dagster_releases", 119),
        ("dagster_array_test", 119),
    ]
    report = report_of(info.job, [attempt], attached=False).as_dict()
    assert len(report["streams"]) == 4


def test_recorded_errors_keep_their_status_and_show_no_stack(recorded, stub, connect_to):
    """All three eras of error bodies: the status decides, and Java stays in the server's log."""
    for sample in recorded("errors.json")["samples"]:
        if not isinstance(sample["status"], int) or sample["status"] < 400:
            continue
        body = sample["body"]
        raw = json.dumps(body) if isinstance(body, dict) else str(body or "")
        kind = "text/html" if raw.startswith("<") else "application/json"
        stub._queues.clear()
        stub.response("/v1/connections/get", raw.encode(), status=sample["status"], Content_Type=kind)
        stub.response("/v1/instance_configuration", {"version": "2.0.0"})
        with pytest.raises(AirbyteApiError) as caught:
            connect_to(stub.url, attempts=1).get_connection(connection_id=ID)
        assert caught.value.http_status == sample["status"], sample["case"]  # type: ignore[attr-defined]
        message = str(caught.value)
        assert not any(trace in message for trace in ("\tat ", "exceptionStack", ".java", "<html")), sample["case"]
        if isinstance(body, dict) and body.get("errorId"):
            assert body["errorId"] in message


# Lessons


def test_attempts_are_wrapped_in_a_job_and_bare_in_a_list():
    attempt = {"id": 0, "status": "succeeded", "createdAt": 1_700_000_000, "updatedAt": 1_700_000_060}
    job = {"id": 7, "configType": "sync", "configId": ID, "status": "succeeded"}
    wrapped = read("getJobInfo", {"job": job, "attempts": [{"attempt": attempt, "logs": {"logLines": ["a"]}}]})
    bare = read("listJobsFor", {"jobs": [{"job": job, "attempts": [attempt]}], "totalJobCount": 1})
    assert wrapped.attempts[0].attempt == bare.jobs[0].attempts[0]


def test_jobs_tell_seconds_and_failures_milliseconds():
    """Neither is converted behind the reader's back."""
    attempt = {
        "id": 0,
        "createdAt": 1_700_000_000,
        "failureSummary": {"failures": [{"timestamp": 1_700_000_000_123}], "partialSuccess": False},
    }
    found = read("listJobsFor", {"jobs": [{"job": {"id": 7, "createdAt": 1_700_000_000}, "attempts": [attempt]}]}).jobs[
        0
    ]
    assert found.job.created_at == found.attempts[0].created_at == 1_700_000_000
    assert found.attempts[0].failure_summary.failures[0].timestamp == 1_700_000_000_123


@pytest.mark.parametrize("empty", [[], {}, None], ids=repr)
def test_an_empty_list_may_be_an_empty_object_or_null(empty):
    assert read("listJobsFor", {"jobs": empty, "totalJobCount": 0}).jobs == []
    connection = read("getConnection", {"connectionId": ID, "syncCatalog": {"streams": empty}, "operationIds": empty})
    assert (connection.streams(), connection.operation_ids) == ([], [])
    assert read("getJobInfo", {"job": {"id": 1}, "attempts": empty}).attempts == []


def test_a_missing_namespace_is_null_and_not_empty():
    """A namespace that is missing is null and another than the empty one."""
    streams = [
        {"stream": {"name": "a"}},
        {"stream": {"name": "a", "namespace": None}},
        {"stream": {"name": "a", "namespace": ""}},
    ]
    connection = read("getConnection", {"connectionId": ID, "syncCatalog": {"streams": streams}})
    assert connection.streams() == [(None, "a"), (None, "a"), ("", "a")]


def test_the_type_of_a_state_is_a_bare_json_string(stub, connect_to):
    stub.response("/v1/web_backend/state/get_type", "stream")
    assert connect_to(stub.url).get_state_type(connection_id=ID) == "stream"


def test_a_deletion_is_answered_with_204_and_nothing(stub, connect_to):
    stub.response("/v1/connections/delete", b"", status=204)
    connect_to(stub.url).delete_connection(connection_id=ID)
    assert [request.json for request in stub.requests] == [{"connectionId": ID}]


def test_a_changed_stream_is_a_bare_list_first_and_an_object_later():
    """`updateStream` holds the changed fields alone at first, and later beside the attributes of the stream."""
    field = {
        "transformType": "add_field",
        "fieldName": ["id"],
        "breaking": False,
        "addField": {"schema": {"type": "string"}},
    }
    key = {"oldPrimaryKey": [], "newPrimaryKey": [["id"]]}
    attribute = {"transformType": "update_primary_key", "breaking": True, "updatePrimaryKey": key}
    first = {"transformType": "update_stream", "streamDescriptor": {"name": "a"}, "updateStream": [field]}
    later = {**first, "updateStream": {"fieldTransforms": [field], "streamAttributeTransforms": [attribute]}}
    responses = [{"connectionId": ID, "catalogDiff": {"transforms": [each]}} for each in (first, later)]
    old, new = (
        read("webBackendGetConnection", response).catalog_diff.transforms[0].update_stream for response in responses
    )
    assert old.field_transforms == new.field_transforms
    assert old.field_transforms[0].add_field.schema_ == {"type": "string"}
    assert (old.stream_attribute_transforms, new.stream_attribute_transforms[0].breaking) == ([], True)


def test_a_changed_type_tells_both_schemas_bare():
    """An added field wraps its schema in `schema`; a changed one does not."""
    update = {"oldSchema": {"type": "string"}, "newSchema": {"type": "number"}}
    field = {"transformType": "update_field_schema", "fieldName": ["id"], "updateFieldSchema": update}
    diff = {
        "transforms": [{"transformType": "update_stream", "streamDescriptor": {"name": "a"}, "updateStream": [field]}]
    }
    (stream,) = read("webBackendGetConnection", {"connectionId": ID, "catalogDiff": diff}).catalog_diff.transforms
    changed = stream.update_stream.field_transforms[0].update_field_schema
    assert (changed.old_schema, changed.new_schema) == ({"type": "string"}, {"type": "number"})


def test_selected_fields_are_paths():
    config = {"selected": True, "fieldSelectionEnabled": True, "selectedFields": [{"fieldPath": ["address", "city"]}]}
    response = {"connectionId": ID, "syncCatalog": {"streams": [{"stream": {"name": "a"}, "config": config}]}}
    (entry,) = read("getConnection", response).sync_catalog.streams
    assert entry.config.field_selection_enabled is True
    assert [each.field_path for each in entry.config.selected_fields] == [["address", "city"]]


def test_the_creation_time_is_named_in_two_ways():
    """A connections birth is snake case in one api and camel case in the other."""
    assert read("getConnection", {"connectionId": ID, "created_at": 1}).created_at == 1
    assert read("webBackendGetConnection", {"connectionId": ID, "createdAt": 1}).created_at == 1


def test_the_catalog_that_a_connection_was_made_of_has_two_names():
    assert read("getConnection", {"connectionId": ID, "sourceCatalogId": ID}).source_catalog_id == ID
    assert read("webBackendGetConnection", {"connectionId": ID, "catalogId": ID}).source_catalog_id == ID
