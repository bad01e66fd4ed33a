"""What users do works with every release of Airbyte, as its servers really respond, with their token check and without.

The servers are those of `true_airbyte`, which is written from the facts about Airbyte and knows nothing of the client.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from raw_server import RawServer
from restore_steps import restored
from submitting import submit_refresh, submit_reset, submit_sync
from true_airbyte import DECLARED, JOB, LOG, REASON, TOKEN, Job, TrueAirbyte, number
from true_bytes import CONNECTION, JSONERROR_413, NGINX_413, UNKNOWN_JOB, WORKSPACE

from airflow_airbyte_ext.connections.find import find_connections
from airflow_airbyte_ext.exceptions import (
    AirbyteJobNotFoundError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbyteRestoreRefusedError,
)
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.logs import attempt_log_tail
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.report import job_page, read_report, workspace_of
from airflow_airbyte_ext.snapshots.restore import Restorer, StateContent
from airflow_airbyte_ext.snapshots.store import SnapshotStore

OPEN = (
    *("0.36.0", "0.40.6", "0.40.20", "0.40.28", "0.40.32", "0.50.8", "0.50.31", "0.57.4", "0.64.7"),
    *("1.2.0", "1.8.0", "2.0.0", "2.2.0", "2.4.0"),
)
WITH_TOKEN_CHECK = ("0.50.8", "0.50.31", "0.57.4", "0.64.7", "1.2.0", "1.8.0", "2.0.0", "2.2.0", "2.4.0")
EVERY = [(release, False) for release in OPEN] + [(release, True) for release in WITH_TOKEN_CHECK]
STRICT = ("0.36.0", "0.40.6", "0.40.20", "0.40.27")
WITHOUT_GET_LIGHT = ("0.36.0", "0.40.6")


def name_of(setup: object) -> str:
    release, token_check = setup if isinstance(setup, tuple) else (setup, False)
    return f"{release}{'-token' if token_check else ''}"


@pytest.fixture
def start(connect_to):
    """Start an Airbyte of a release, and connect a client that has what it wants; nothing may be left unprepared."""
    running: list[tuple[RawServer, TrueAirbyte]] = []

    def start(setup, *jobs: Job):
        release, token_check = setup if isinstance(setup, tuple) else (setup, False)
        airbyte = TrueAirbyte(release, token_check, jobs=list(jobs))
        server = RawServer(airbyte)
        running.append((server, airbyte))
        return server, airbyte, connect_to(server.url, **({"token": TOKEN} if token_check else {}))

    yield start
    for server, airbyte in running:
        server.close()
        assert not airbyte.unprepared


every = pytest.mark.parametrize("setup", EVERY, ids=name_of)


@every
def test_a_job_is_followed_to_its_end(start, clock, setup):
    """Whatever endpoint a release lacks, another one has the status."""
    server, _, client = start(setup, Job(statuses=["pending", "running", "running", "succeeded"]))
    job = wait_for_job(client, JOB, clock=clock, connection_id=CONNECTION, polling=Polling(1))
    assert job.status == "succeeded"
    assert server.count("jobs/get") == 0


@pytest.mark.parametrize("release", WITHOUT_GET_LIGHT)
@pytest.mark.parametrize("connection_id", [CONNECTION, None], ids=["with-connection", "without-connection"])
def test_before_0_40_7_the_list_is_polled(start, clock, release, connection_id):
    """3.7: without jobs/get_light the list is polled, never jobs/get, which sends all logs."""
    server, _, client = start(release, Job(statuses=["running"] * 6 + ["succeeded"]))
    assert wait_for_job(client, JOB, clock=clock, connection_id=connection_id, polling=Polling(1)).status == "succeeded"
    assert server.count("jobs/list") >= 2
    assert server.count("jobs/get") <= 1
    assert server.count("jobs/get_light") <= 1


@every
def test_a_failed_job_has_its_reason(start, clock, setup):
    """3.3: the last attempt's reason, from the lightest endpoint that the release has."""
    _, _, client = start(setup, Job(statuses=["failed"]))
    report = read_report(client, JOB, connection_id=CONNECTION, attached=False, clock=clock)
    assert (report.status, report.attempts) == ("failed", 2)
    assert REASON in (report.failure or "")


@every
def test_a_good_job_has_attempts_and_records(start, clock, setup):
    """A good job has its attempt and its records; its logs are not read for them."""
    server, _, client = start(setup, Job(statuses=["succeeded"]))
    report = read_report(client, JOB, connection_id=CONNECTION, attached=False, clock=clock)
    assert (report.status, report.job_type, report.attempts, report.records_synced) == ("succeeded", "sync", 1, 42)
    assert server.count("jobs/get") == 0


@every
def test_the_end_of_the_log_is_read(start, setup):
    """3.7: with attempt/get_for_job since 0.50.9, and before with jobs/get alone."""
    server, airbyte, client = start(setup, Job(statuses=["failed"]))
    tail = attempt_log_tail(client, JOB, 1, lines=2)
    assert len(tail) == 2
    assert LOG[-1] in tail[-1].message
    assert server.count("jobs/get") == (0 if airbyte.since("0.50.9") else 1)


@every
def test_a_running_job_is_cancelled_once(start, clock, setup):
    """One cancellation, and the job as it is afterwards."""
    server, _, client = start(setup, Job(statuses=["running"]))
    job = cancel_job(client, JOB, connection_id=CONNECTION, clock=clock)
    assert job is not None
    assert job.status == "cancelled"
    assert server.count("jobs/cancel") == 1


@every
def test_a_sync_is_started_once(start, clock, setup):
    """One POST, and its job."""
    server, _, client = start(setup)
    assert submit_sync(client, CONNECTION, clock=clock).job.id == JOB
    assert server.count("connections/sync") == 1


@every
def test_a_reset_is_started_once(start, clock, setup):
    """Through reset or clear, whichever the release has."""
    _, airbyte, client = start(setup)
    job = submit_reset(client, CONNECTION, clock=clock).job
    assert (job.id, job.config_type) == (JOB, "reset_connection")
    assert [job.kind for job in airbyte.jobs] == ["reset_connection"]


@pytest.mark.parametrize("setup", [each for each in EVERY if number(each[0]) < number("0.57.2")], ids=name_of)
def test_a_refresh_is_a_missing_operation(start, clock, setup):
    """Before 0.57.2 there is no refresh, which is not a matter of roles or of the connection's id."""
    server, _, client = start(setup)
    with pytest.raises(AirbyteOperationMissingError):
        submit_refresh(client, CONNECTION, mode="Merge", clock=clock)
    assert server.count("connections/refresh") <= 1


@every
def test_connections_are_found_by_name(start, setup):
    """A row of the list, in each of its two forms."""
    _, _, client = start(setup)
    assert [row.connection_id for row in find_connections(client, workspace_id=WORKSPACE, name="Ord*")] == [CONNECTION]


@every
def test_the_workspace_is_found(start, setup):
    """Through the source, where workspaces/get_by_connection_id is missing."""
    _, _, client = start(setup)
    assert workspace_of(client, CONNECTION) == WORKSPACE


@every
def test_a_connection_is_updated(start, setup):
    """Wholly before 0.40.8, with what that release declares."""
    server, airbyte, client = start(setup)
    assert client.update_connection(connection_id=CONNECTION, status="inactive").status == "inactive"
    assert server.count("connections/update") == 1
    assert not airbyte.refused


@pytest.mark.parametrize("setup", [each for each in EVERY if number(each[0]) >= number("0.57.4")], ids=name_of)
def test_the_release_is_read(start, setup):
    """2.2: `version` since 0.57.4."""
    _, _, client = start(setup)
    assert str(client.release()) == setup[0]


# -- state ------------------------------------------------------------------------------------------

BEFORE = {("public", "orders"): {"cursor": "9"}}
WANTED = {("public", "orders"): {"cursor": "5"}}


def stream_state(rows: dict[tuple[str, str], dict[str, str]]) -> dict[str, object]:
    entries = [
        {"streamDescriptor": {"name": name, "namespace": namespace}, "streamState": state}
        for (namespace, name), state in rows.items()
    ]
    return {"stateType": "stream", "connectionId": CONNECTION, "streamState": entries}


@pytest.mark.parametrize("setup", [each for each in EVERY if number(each[0]) >= number("0.40.3")], ids=name_of)
def test_state_is_restored(start, clock, tmp_path, setup):
    """With create_or_update, where create_or_update_safe is missing (before 0.50.21)."""
    _, airbyte, client = start(setup)
    airbyte.state = stream_state(BEFORE)
    restorer = Restorer(client, SnapshotStore(tmp_path), CONNECTION, clock=clock)
    restored(restorer, lambda _: StateContent(type="stream", streams=WANTED))
    assert airbyte.state == stream_state(WANTED)


def test_before_0_40_3_no_state_is_written(start, clock, tmp_path):
    """There is no operation that writes state, and the error is about that."""
    server, airbyte, client = start("0.36.0")
    airbyte.state = {"connectionId": CONNECTION, "state": {"cursor": "9"}}
    restorer = Restorer(client, SnapshotStore(tmp_path), CONNECTION, clock=clock)
    with pytest.raises((AirbyteOperationMissingError, AirbyteRestoreRefusedError)):
        restored(restorer, lambda _: StateContent(type="legacy", legacy={"cursor": "5"}))
    assert not airbyte.states
    assert server.count("state/create_or_update") <= 1


@pytest.mark.parametrize(
    ("release", "path", "refusal"),
    [
        ("0.40.20", "state/create_or_update", NGINX_413),
        ("2.0.0", "state/create_or_update_safe", JSONERROR_413),
    ],
)
def test_a_refused_second_write_is_taken_back(start, clock, tmp_path, release, path, refusal):
    """A change of type needs two writes; where the second is too large, the state from before is written again."""
    server, airbyte, client = start(release)
    entry = {"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": "9"}}
    before = {
        "stateType": "global",
        "connectionId": CONNECTION,
        "globalState": {"streamStates": [entry], "shared_state": {"lsn": 7}},
    }
    airbyte.state = before
    server.on(path, airbyte, refusal, airbyte)
    restorer = Restorer(client, SnapshotStore(tmp_path), CONNECTION, clock=clock)
    with pytest.raises(AirbyteRestoreRefusedError):
        restored(restorer, lambda _: StateContent(type="stream", streams=WANTED))
    assert airbyte.state == before
    assert server.count(path) == 3


# -- what is sent to releases that refuse unknown fields --------------------------------------------


@pytest.mark.parametrize("release", STRICT)
def test_nothing_undeclared_is_ever_sent(start, clock, tmp_path, release):
    """1.2: releases up to 0.40.27 refuse what they do not declare, so it is not sent even once."""
    server, airbyte, client = start(release)
    job = submit_sync(client, CONNECTION, clock=clock).job
    cancel_job(client, job.id, connection_id=CONNECTION, clock=clock)
    wait_for_job(client, job.id, clock=clock, connection_id=CONNECTION, polling=Polling(1))
    wait_for_job(client, job.id, clock=clock, polling=Polling(1))
    read_report(client, job.id, connection_id=CONNECTION, attached=False, clock=clock)
    read_report(client, job.id, attached=False, clock=clock)
    attempt_log_tail(client, job.id, 0)
    airbyte.jobs.clear()
    submit_reset(client, CONNECTION, clock=clock)
    find_connections(client, workspace_id=WORKSPACE, name="Orders")
    job_page(client, connection_id=CONNECTION, job_id=job.id)
    client.update_connection(connection_id=CONNECTION, name="Other")
    if airbyte.since("0.40.3"):
        airbyte.jobs.clear()
        airbyte.state = stream_state(BEFORE)
        restored(
            Restorer(client, SnapshotStore(tmp_path), CONNECTION, clock=clock),
            lambda _: StateContent(type="stream", streams=WANTED),
        )
    assert not airbyte.refused
    assert not undeclared_in(server, release)


def undeclared_in(server: RawServer, release: str) -> list[str]:
    """The fields in the journal that the release does not declare."""
    found = []
    for request in server.journal:
        declared = DECLARED.get(request.path.removeprefix("/api/v1/"))
        if declared is not None:
            fields = {name for name, first in declared.items() if number(first) <= number(release)}
            found += [f"{request.path}: {name}" for name in request.json if name not in fields]
    return found


@every
def test_no_kind_of_job_is_requested_that_is_unknown(start, clock, setup):
    """3.8: "refresh" is a kind since 0.57.2; before, a list that names it is refused."""
    _, airbyte, client = start(setup)
    job = submit_sync(client, CONNECTION, clock=clock).job
    cancel_job(client, job.id, connection_id=CONNECTION, clock=clock)
    read_report(client, job.id, connection_id=CONNECTION, attached=False, clock=clock)
    assert not airbyte.refused


# -- unknown ids through the functions on top -------------------------------------------------------


@pytest.mark.parametrize("connection_id", [CONNECTION, None], ids=["with-connection", "without-connection"])
@pytest.mark.parametrize("release", ["0.36.0", "0.40.6", "0.40.20", "0.40.32", "1.2.0", "1.8.0", "2.0.0", "2.4.0"])
def test_a_job_that_never_was_has_vanished(start, clock, release, connection_id):
    """3.1.3: unknown jobs are 500 in every era; up to 1.8 by the text, since 2.0 by the list."""
    _, _, client = start(release)
    with pytest.raises(AirbyteJobNotFoundError):
        wait_for_job(client, UNKNOWN_JOB, clock=clock, connection_id=connection_id, polling=Polling(1), seen=False)


@pytest.mark.parametrize("release", ["0.36.0", "0.40.6", "0.40.32", "1.2.0", "1.8.0"])
def test_an_unknown_job_is_not_cancelled(start, clock, release):
    """None comes back, and nothing is sent that might cancel another job."""
    server, _, client = start(release)
    assert cancel_job(client, UNKNOWN_JOB, connection_id=CONNECTION, clock=clock) is None
    assert server.count("jobs/cancel") == 0


@pytest.mark.parametrize(
    "setup", [("0.50.31", False), ("1.2.0", False), ("1.8.0", True), ("2.0.0", False)], ids=name_of
)
def test_an_unknown_attempt_is_no_missing_operation(start, setup):
    """3.1.3: 404 for an attempt; the heavy jobs/get would not know it either."""
    server, _, client = start(setup, Job(statuses=["failed"]))
    with suppress(AirbyteNotFoundError):
        assert attempt_log_tail(client, JOB, 9) == []
    assert server.count("jobs/get") == 0


# -- the job's page ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "address"),
    [
        ("0.57.4", f"https://airbyte.example.com/workspaces/{WORKSPACE}/connections/{CONNECTION}/job-history#{JOB}::"),
        ("0.64.7", f"https://airbyte.example.com/workspaces/{WORKSPACE}/connections/{CONNECTION}/job-history#{JOB}::"),
        ("1.8.0", f"https://airbyte.example.com/workspaces/{WORKSPACE}/connections/{CONNECTION}/timeline?jobId={JOB}"),
        ("2.4.0", f"https://airbyte.example.com/workspaces/{WORKSPACE}/connections/{CONNECTION}/timeline?jobId={JOB}"),
    ],
)
def test_the_page_of_a_job(start, release, address):
    """5: the timeline since 1.1, the job history before."""
    _, _, client = start(release)
    assert (job_page(client, connection_id=CONNECTION, job_id=JOB) or "").startswith(address)


@pytest.mark.parametrize("setup", EVERY, ids=name_of)
def test_the_instance_is_requested_once(start, setup):
    """One request for a client, its twin and the page of a job, whatever the response is."""
    server, _, client = start(setup)
    client.release()
    client.without_retries().release()
    job_page(client, connection_id=CONNECTION, job_id=JOB, workspace_id=WORKSPACE)
    client.release()
    assert server.count("instance_configuration") == 1
