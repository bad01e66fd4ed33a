"""Every request that the client sends, held against Airbyte's own documents of each release that has the operation."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_airbyte_ext.api.operations import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteConfigurationError, AirbyteError
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.page import job_page
from airflow_airbyte_ext.jobs.report import attempt_log_tail, read_report
from airflow_airbyte_ext.jobs.submit import submit_sync
from airflow_airbyte_ext.jobs.wait import wait_for_job
from airflow_airbyte_ext.testing import Fault, Step

sys.path.insert(0, str(Path(__file__).parent))
from openapi import RELEASES, load

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

# Calls with the first release that documents all that they send, where this is not the operation's own.
CALLS = {
    "health": ("getHealthCheck", lambda c: c.get_health_check(), None),
    "instance": ("getInstanceConfiguration", lambda c: c.get_instance_configuration(), None),
    "connection": ("getConnection", lambda c: c.get_connection(connection_id=ID), None),
    "connections": ("listConnectionsForWorkspace", lambda c: c.list_connections_for_workspace(workspace_id=ID), None),
    "sync": ("syncConnection", lambda c: c.sync_connection(connection_id=ID), None),
    "reset": ("resetConnection", lambda c: c.reset_connection(connection_id=ID), None),
    **{
        f"{operation} {'with' if namespace else 'without'} namespace": (
            operation,
            lambda c, method=method, namespace=namespace: getattr(c, method)(
                connection_id=ID, streams=[(namespace, "orders")]
            ),
            # Until 0.50.33 the documents require the namespace, and the servers do not.
            None if namespace else "0.50.34",
        )
        for operation, method in {
            "resetConnectionStream": "reset_connection_stream",
            "clearConnectionStream": "clear_connection_stream",
        }.items()
        for namespace in ("public", None)
    },
    "clear": ("clearConnection", lambda c: c.clear_connection(connection_id=ID), None),
    "job": ("getJobInfo", lambda c: c.get_job_info(id=42), None),
    "light job": ("getJobInfoLight", lambda c: c.get_job_info_light(id=42), None),
    "job without logs": ("getJobInfoWithoutLogs", lambda c: c.get_job_info_without_logs(id=42), None),
    "jobs": ("listJobsFor", lambda c: c.list_jobs_for(config_types=["sync", "reset_connection"], config_id=ID), None),
    "page of jobs": (
        "listJobsFor",
        lambda c: c.list_jobs_for(config_types=["sync"], config_id=ID, page_size=5, row_offset=10),
        None,
    ),
    "refreshes": ("listJobsFor", lambda c: c.list_jobs_for(config_types=["refresh"], config_id=ID), "0.57.2"),
    "jobs up to one": (
        "listJobsFor",
        lambda c: c.list_jobs_for(config_types=["sync"], config_id=ID, including_job_id=42, page_size=5),
        "0.40.6",
    ),
    "all jobs": ("listJobsFor", lambda c: c.list_jobs_for(config_types=["sync"]), "0.50.46"),
    "workspace's jobs": (
        "listJobsForWorkspaces",
        lambda c: c.list_jobs_for_workspaces(config_types=["sync"], workspace_ids=[ID], page_size=5),
        None,
    ),
    "recent jobs": (
        "listJobsForWorkspaces",
        lambda c: c.list_jobs_for_workspaces(
            config_types=["sync"], workspace_ids=[ID], updated_at_start="2026-01-01T00:00:00+00:00"
        ),
        "0.50.18",
    ),
    "cancel": ("cancelJob", lambda c: c.cancel_job(id=42), None),
    "attempt": ("getAttemptForJob", lambda c: c.get_attempt_for_job(job_id=42, attempt_number=0), None),
    "state": ("getState", lambda c: c.get_state(connection_id=ID), None),
    **{
        f"write {kind} state": (
            "createOrUpdateState",
            lambda c, state=state: c.create_or_update_state(connection_id=ID, connection_state=state),
            None,
        )
        for kind, state in STATES.items()
    },
    **{
        f"write {kind} state safely": (
            "createOrUpdateStateSafe",
            lambda c, state=state: c.create_or_update_state_safe(connection_id=ID, connection_state=state),
            None,
        )
        for kind, state in STATES.items()
    },
    "workspace": ("getWorkspaceByConnectionId", lambda c: c.get_workspace_by_connection_id(connection_id=ID), None),
    "source": ("getSource", lambda c: c.get_source(source_id=ID), None),
    "destination": ("getDestination", lambda c: c.get_destination(destination_id=ID), None),
}


def judge(document, operation_id: str, method: str, path: str, body: object) -> None:
    """Method, path and body are those of the document; nothing is sent that it does not declare."""
    documented = document.operations[operation_id]
    assert (method, path) == (documented.method, documented.path)
    if documented.request is None:
        assert body is None or (method == "POST" and body == {})
    else:
        document.validate_request(operation_id, body)


def documented_calls() -> list[tuple[str, str]]:
    """Every call, with each release that has its operation and its fields."""
    return [
        (call, release)
        for call, (operation_id, _, since) in CALLS.items()
        for release in RELEASES
        if not any(Release(release).is_before(first) for first in (OPERATIONS[operation_id].since, since or "0.0.0"))
    ]


@pytest.mark.parametrize(("call", "release"), documented_calls())
def test_a_request_is_as_documented(stub, connect_to, call, release):
    """In each release that has the operation."""
    operation_id, send, _ = CALLS[call]
    document = load(release)
    with suppress(AirbyteApiError):
        send(connect_to(stub.url, attempts=1))
    request = stub.requests[0]
    judge(document, operation_id, request.method, request.path.removeprefix("/api"), request.json)
    if request.method == "POST":
        assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("release", [name for name in RELEASES if not Release(name).is_before("0.50.38")])
def test_a_token_is_asked_for_as_documented(stub, connect_to, release):
    """The Config API's token endpoint takes client id and secret, and no grant."""
    document = load(release)
    stub.answer("/v1/applications/token", {"access_token": "abc"})
    with suppress(AirbyteApiError):
        connect_to(stub.url, client_id="i", client_secret="s").get_health_check()
    request = stub.requests[0]
    judge(document, "applicationTokenRequest", request.method, request.path.removeprefix("/api"), request.json)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_an_operation_is_in_the_documents_from_its_first_release_on(operation_id):
    """The table's `since` agrees with every document at hand."""
    since = OPERATIONS[operation_id].since
    for release in RELEASES:
        has = operation_id in load(release).operations
        assert has is Release(release).is_at_least(since), f"{operation_id} in {release}"


def test_every_operation_of_the_client_is_called_here():
    """A new operation needs a line in the table above."""
    assert {operation_id for operation_id, _, _ in CALLS.values()} | {"applicationTokenRequest"} == set(OPERATIONS)


@pytest.mark.parametrize("method", ["reset_connection_stream", "clear_connection_stream"])
def test_a_reset_of_no_stream_is_not_sent(stub, connect_to, method):
    """An empty list means all streams to some releases, and a plain sync to others."""
    with pytest.raises(AirbyteConfigurationError, match="streams"):
        getattr(connect_to(stub.url), method)(connection_id=ID, streams=[])
    assert stub.requests == []


def _flow(airbyte, client, clock) -> None:
    """Everything that the jobs floor does with one connection."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running"), Step("succeeded")])
    airbyte.fail_next("syncConnection", Fault.drop_before())
    job_id = submit_sync(client, connection_id, clock=clock).job.id
    wait_for_job(client, job_id, connection_id=connection_id, clock=clock, seen=False)
    read_report(client, job_id, connection_id=connection_id, adopted=False)
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
