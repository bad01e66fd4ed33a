"""Every request that the client sends, held against Airbyte's own documents of each release that has the operation."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel
from submitting import submit_sync

from airflow_airbyte_ext.api import AirbyteClient
from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.validation import released_fields
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteError
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.logs import attempt_log_tail
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.report import job_page, read_report
from airflow_airbyte_ext.testing import Fault, Step

sys.path.insert(0, str(Path(__file__).parent))
from openapi import RELEASES, load, without_nulls
from request_samples import (
    LEAST,
    MOST,
    VARIANTS,
    arguments_of,
    body_like,
    documented,
    keyword_arguments,
    method_of,
    offered_arguments,
)
from schema_samples import schemas_of

ID = "11111111-1111-4111-8111-111111111111"
DOCUMENT_OF = {"0.36": "0.39.0", "0.40": "0.40.32", "0.50": "0.50.31", "1.0": "1.0.0", "2.0": "2.0.0", "head": "head"}
STREAM = {"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": 1}}
STATES = {
    "stream": {"stateType": "stream", "connectionId": ID, "streamState": [STREAM]},
    "global": {
        "stateType": "global",
        "connectionId": ID,
        "globalState": {"shared_state": {"lsn": 1}, "streamStates": [STREAM]},
    },
    "legacy": {"stateType": "legacy", "connectionId": ID, "state": {"cursor": 1}},
}
# What a method says where its caller does not.
SAID_BY_DEFAULT = {"disable_cache": False, "includeDeleted": False}
READ_FIRST = {"updateConnection": "getConnection", "webBackendUpdateConnection": "webBackendGetConnection"}
# The token's operation has no method: the transport requests it.
BY_METHOD = [pair for pair in documented() if pair[1] != "applicationTokenRequest"]


def judge(document, operation_id: str, method: str, path: str, body: object) -> None:
    """Method, path and body are those of the document; nothing is sent that it does not declare."""
    documented = document.operations[operation_id]
    assert (method, path) == (documented.method, documented.path)
    if documented.request is None:
        assert body is None or (method == "POST" and body == {})
    else:
        document.validate_request(operation_id, body)


@pytest.fixture
def server_of(stub):
    """Make the stub a server of a release: it tells it where it would, and responses what its document says."""

    def make(release: str, *operation_ids: str):
        schemas = schemas_of(release)
        if schemas.has("getInstanceConfiguration"):
            said = schemas.make(schemas.response_schema("getInstanceConfiguration"), LEAST)
            shown = {"version": "dev" if release == "head" else release} if "version" in said else {}
            stub.response("/v1/instance_configuration", {**said, **shown})
        elif Release(release).is_before("0.40.28"):  # after it a missing path is told in plain text
            stub.response("/v1/instance_configuration", {"message": "Object not found. HTTP 404 Not Found"}, status=404)
        for operation_id in operation_ids:
            schema = schemas.response_schema(operation_id)
            stub.response(OPERATIONS[operation_id].path, schemas.make(schema, MOST) if schema else b"")
        return stub

    return make


@pytest.mark.parametrize("full", [False, True], ids=["least", "most"])
@pytest.mark.parametrize(("release", "operation_id"), BY_METHOD)
def test_a_request_is_as_documented(server_of, connect_to, release, operation_id, full):
    """In each release that has the operation, with the least that can be said and with all that it declares."""
    document = load(release)
    operation = OPERATIONS[operation_id]
    wanted = body_like(operation, release, full=full)
    if wanted and Release(release).is_before("0.40.28") and operation_id not in READ_FIRST:
        # Such a server does not say which release it is, and refuses what it does not declare.
        for name, mark in released_fields(operation.request).items():
            if mark.unavailable_reason(Release.UP_TO_0_40_27):
                wanted.pop(to_camel(name), None)
    arguments = arguments_of(operation, wanted)
    if operation_id == "webBackendUpdateConnection":
        arguments.setdefault("skip_reset", False)
    stub = server_of(release, operation_id, READ_FIRST.get(operation_id, operation_id))
    getattr(connect_to(stub.url, attempts=1), method_of(operation_id))(**arguments)

    (request,) = stub.seen(operation.path)[-1:]
    body = without_nulls(request.json)
    judge(document, operation_id, request.method, request.path.removeprefix("/api"), body)
    if request.method == "POST":
        assert request.headers["content-type"] == "application/json"
    changed = {name: value for name, value in (body or {}).items() if name in (wanted or {})}
    assert changed == (wanted or {})
    others = {name: value for name, value in (body or {}).items() if name not in (wanted or {})}
    if operation_id in READ_FIRST and not Release(release).is_at_least("0.50.9"):
        assert set(others) <= set(schemas_of(release).properties(schemas_of(release).request_schema(operation_id)))
    else:
        assert others.items() <= SAID_BY_DEFAULT.items()


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize(
    ("release", "operation_id"), [pair for pair in BY_METHOD if pair[1].startswith("createOrUpdateState")]
)
def test_every_kind_of_state_is_written_as_documented(server_of, connect_to, release, operation_id, kind):
    """Stream, global and legacy: each exactly as it was given."""
    document = load(release)
    stub = server_of(release, operation_id)
    write = getattr(connect_to(stub.url), method_of(operation_id))
    write(connection_id=ID, connection_state=STATES[kind])
    (request,) = stub.seen(OPERATIONS[operation_id].path)
    judge(document, operation_id, request.method, request.path.removeprefix("/api"), request.json)
    assert request.json["connectionState"] == STATES[kind]


@pytest.mark.parametrize("method", ["reset_connection_stream", "clear_connection_stream", "refresh_connection_stream"])
@pytest.mark.parametrize("release", [name for name in RELEASES if not Release(name).is_before("0.63.0")])
def test_a_stream_without_a_namespace_is_asked_for_without_one(server_of, connect_to, release, method):
    """Null and the empty string are different namespaces, and the null one is left out."""
    operation = next(each for each in OPERATIONS.values() if method_of(each.operation_id) == method)
    mode = {"refresh_mode": "Merge"} if method.startswith("refresh") else {}
    stub = server_of(release, operation.operation_id)
    getattr(connect_to(stub.url), method)(connection_id=ID, streams=[(None, "orders"), ("", "orders")], **mode)
    (request,) = stub.seen(operation.path)
    load(release).validate_request(operation.operation_id, request.json)
    assert request.json["streams"] == [{"streamName": "orders"}, {"streamName": "orders", "streamNamespace": ""}]


@pytest.mark.parametrize("release", [name for name in RELEASES if not Release(name).is_before("0.50.38")])
def test_a_token_is_asked_for_as_documented(stub, connect_to, release):
    """The Config API's token endpoint takes client id and secret, and no grant."""
    document = load(release)
    stub.response("/v1/applications/token", {"access_token": "abc"})
    with suppress(AirbyteApiError):
        connect_to(stub.url, client_id="i", client_secret="s").get_health_check()
    request = stub.requests[0]
    judge(document, "applicationTokenRequest", request.method, request.path.removeprefix("/api"), request.json)


METHODS = {name: method for name, method in inspect.getmembers(AirbyteClient) if hasattr(method, "operation")}


def test_every_method_is_an_operation_and_every_operation_a_method():
    """By the operationId in snake case; the token's operation is the transport's own."""
    expected = {method_of(name) for name in OPERATIONS} - {"application_token_request"}
    assert set(METHODS) == expected | VARIANTS
    assert all(hasattr(AirbyteClient, name) for name in expected)


@pytest.mark.parametrize("operation_id", [name for name in OPERATIONS if name != "applicationTokenRequest"])
def test_the_arguments_of_a_method_are_the_fields_of_its_request(operation_id):
    """By their names in snake case; a page is flat, and a list of ids is called one."""
    method = METHODS[method_of(operation_id)]
    assert keyword_arguments(method) == offered_arguments(OPERATIONS[operation_id])
    kinds = {parameter.kind for name, parameter in inspect.signature(method).parameters.items() if name != "self"}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


def _flow(airbyte, client, clock) -> None:
    """Everything that the jobs floor does with one connection."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running"), Step("succeeded")])
    airbyte.fail_next("syncConnection", Fault.drop_before())
    job_id = submit_sync(client, connection_id, clock=clock).job.id
    wait_for_job(client, job_id, connection_id=connection_id, clock=clock, seen=False)
    read_report(client, job_id, connection_id=connection_id, attached=False)
    attempt_log_tail(client, job_id, 0)
    job_page(client, connection_id=connection_id, job_id=job_id)
    airbyte.script(connection_id, [Step("running", polls=99)])
    cancel_job(client, airbyte.start_job(connection_id), connection_id=connection_id, clock=clock)
    with suppress(AirbyteError):
        submit_sync(client, ID, clock=clock)


@pytest.mark.parametrize("era", DOCUMENT_OF)
def test_the_jobs_floor_asks_each_era_only_what_it_documents(start_fake, connect, clock, era):
    """Release by release: no filter, kind or field that came later."""
    document = load(DOCUMENT_OF[era])
    airbyte = start_fake(era)
    _flow(airbyte, connect(airbyte), clock)
    served = [request for request in airbyte.journal if request.operation_id]
    assert len({request.operation_id for request in served}) >= 6
    for request in served:
        judge(document, request.operation_id, request.method, request.path.removeprefix("/api"), request.body)
