"""The fake over its socket: who may call, what can go wrong, what is written down, and how lists are cut."""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Fault, Step
from airflow_airbyte_ext.testing.operations import OPERATIONS
from airflow_airbyte_ext.testing.seeds import BROKEN_API_ID, EVENTS_ID, ORDERS_ID, PAUSED_ID, plant_demo

UNKNOWN = "00000000-0000-4000-8000-00000000dead"


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture
def airbyte():
    with FakeAirbyte() as airbyte:
        yield airbyte


def post(airbyte, path, session=requests, **body):
    return session.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)


# Who may call


def test_basic_is_asked_by_the_proxy_on_every_path():
    """nginx answers 401 with its own page, for health and the web app, too."""
    with FakeAirbyte("0.50", "basic") as airbyte:
        for path in ("/api/v1/health", "/", "/api/v1/nothing"):
            answer = requests.get(airbyte.url + path, timeout=10)
            assert answer.status_code == 401
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["www-authenticate"].startswith("Basic")
        right = requests.get(airbyte.base_url + "/v1/health", auth=("airbyte", "password"), timeout=10)
        wrong = requests.get(airbyte.base_url + "/v1/health", auth=("airbyte", "no"), timeout=10)
        assert (right.status_code, wrong.status_code) == (200, 401)


@pytest.mark.parametrize("auth", ["bearer", "client_credentials"])
def test_a_server_that_wants_a_token_answers_401_without_a_body(auth):
    """Only health and instance_configuration are for everybody."""
    with FakeAirbyte(auth=auth) as airbyte:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = requests.post(airbyte.base_url + "/v1/connections/get", json={}, headers=headers, timeout=10)
            assert (answer.status_code, answer.content) == (401, b"")
        for path in ("health", "instance_configuration"):
            assert requests.get(f"{airbyte.base_url}/v1/{path}", timeout=10).status_code == 200
        mode = requests.get(airbyte.base_url + "/v1/instance_configuration", timeout=10).json()["auth"]["mode"]
        assert mode == "simple"


def test_a_token_lives_as_long_as_it_says():
    """iat and exp are in the token itself; after exp, or when revoked, it gets 401."""
    clock = Clock()
    with FakeAirbyte(auth="client_credentials", now=clock, token_lifetime=60) as airbyte:
        credentials = {"client_id": airbyte.client_id, "client_secret": airbyte.client_secret}
        answer = post(airbyte, "applications/token", **credentials).json()
        assert set(answer) == {"access_token"}
        middle = answer["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=="))
        assert (claims["iat"], claims["exp"]) == (1_700_000_000, 1_700_000_060)

        def status(token):
            headers = {"Authorization": f"Bearer {token}"}
            body = {"connectionId": UNKNOWN}
            url = airbyte.base_url + "/v1/state/get"
            return requests.post(url, json=body, headers=headers, timeout=10).status_code

        assert status(answer["access_token"]) == 200
        clock.time += 60
        assert status(answer["access_token"]) == 401
        public = requests.post(airbyte.url + "/api/public/v1/applications/token", json=credentials, timeout=10).json()
        assert (public["token_type"], public["expires_in"]) == ("Bearer", 60)
        assert status(public["access_token"]) == 200
        airbyte.revoke_tokens()
        assert status(public["access_token"]) == 401


@pytest.mark.parametrize(("era", "status"), [("1.0", 400), ("2.0", 400), ("head", 401)])
def test_a_wrong_client_secret(era, status):
    """400 in the community edition, which Airbyte's head turned into 401."""
    with FakeAirbyte(era, "client_credentials") as airbyte:
        answer = post(airbyte, "applications/token", client_id=airbyte.client_id, client_secret="no")
        assert answer.status_code == status
        if status == 400:
            assert answer.json()["_embedded"]["errors"][0]["message"] == "Invalid client id or token"
        else:
            assert set(answer.json()) == {"errorId"}


def test_a_form_is_no_token_request():
    """The token endpoint wants JSON."""
    with FakeAirbyte(auth="client_credentials") as airbyte:
        url = airbyte.base_url + "/v1/applications/token"
        assert requests.post(url, data={"client_id": "x"}, timeout=10).status_code == 415


def test_what_cannot_be_is_refused():
    """Old servers issue no tokens, and words are checked at once."""
    for arguments in ({"era": "0.50", "auth": "client_credentials"}, {"auth": "oauth"}, {"era": "3"}):
        with pytest.raises(ValueError, match=r"0\.63\.9|choose one of"):
            FakeAirbyte(**arguments)


# What can go wrong


def test_a_dropped_call_has_no_answer_and_may_or_may_not_have_happened(airbyte):
    """drop_before starts nothing, drop_after starts the job; both look the same from outside."""
    connection_id = airbyte.add_connection()
    for fault, jobs in ((Fault.drop_before(), 0), (Fault.drop_after(), 1)):
        airbyte.fail_next("syncConnection", fault)
        with pytest.raises(requests.ConnectionError):
            post(airbyte, "connections/sync", connectionId=connection_id)
        assert len(airbyte.jobs(connection_id)) == jobs
    before, after = airbyte.calls("syncConnection")
    assert (before.status, before.effect, after.status, after.effect) == (None, False, None, True)
    assert airbyte.pending_faults() == []


def test_a_dropped_call_ends_only_its_own_connection(airbyte, session):
    """A kept-alive connection can be dropped, and the next call opens another."""
    assert session.get(airbyte.base_url + "/v1/health", timeout=10).ok
    airbyte.fail_next("*", Fault.drop_before())
    with pytest.raises(requests.ConnectionError):
        session.get(airbyte.base_url + "/v1/health", timeout=10)
    assert session.get(airbyte.base_url + "/v1/health", timeout=10).ok


def test_a_truncated_answer_took_effect(airbyte):
    """The whole length is promised and half of it comes."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.truncated())
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(airbyte, "connections/sync", connectionId=connection_id)
    assert len(airbyte.jobs()) == 1


def test_a_status_may_stand_for_a_call_that_worked_or_not(airbyte):
    """status() has no effect unless asked; headers and JSON bodies are sent as given."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(503, headers={"Retry-After": "1"}), times=2)
    for _ in range(2):
        answer = post(airbyte, "connections/sync", connectionId=connection_id)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "503 Service Unavailable" in answer.text
    assert airbyte.jobs() == []
    airbyte.fail_next("syncConnection", Fault.status(502, body={"message": "bad"}, effect=True))
    answer = post(airbyte, "connections/sync", connectionId=connection_id)
    assert (answer.status_code, answer.json()) == (502, {"message": "bad"})
    assert len(airbyte.jobs()) == 1


def test_pages_and_redirects(airbyte):
    """A wrong base URL shows the web app with 200, a login proxy redirects."""
    airbyte.fail_next("getHealthCheck", Fault.html())
    airbyte.fail_next("getHealthCheck", Fault.redirect("https://login.example.com/"))
    url = airbyte.base_url + "/v1/health"
    page = requests.get(url, timeout=10)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    moved = requests.get(url, timeout=10, allow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (302, "https://login.example.com/")


def test_a_delayed_answer_blocks_nobody(airbyte):
    """The call takes effect at once; others are answered meanwhile, and stopping does not wait for it."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.delay(3600))
    outcome: list[object] = []

    def call() -> None:
        try:
            outcome.append(post(airbyte, "connections/sync", connectionId=connection_id))
        except requests.RequestException as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not airbyte.jobs():
        assert requests.get(airbyte.base_url + "/v1/health", timeout=10).ok
    assert airbyte.calls("syncConnection")[0].effect
    airbyte.stop()
    thread.join(timeout=10)
    assert isinstance(outcome[0], requests.RequestException)


def test_faults_wait_for_their_operation(airbyte):
    """A fault of another operation stays; pending_faults tells what has not happened."""
    airbyte.fail_next("getState", Fault.status(500))
    assert requests.get(airbyte.base_url + "/v1/health", timeout=10).ok
    (pending,) = airbyte.pending_faults()
    assert (pending.operation_id, pending.times) == ("getState", 1)
    airbyte.reset()
    assert airbyte.pending_faults() == []
    with pytest.raises(ValueError, match="unknown operation"):
        airbyte.fail_next("sync", Fault.status(500))


# What is written down


def test_the_journal_tells_every_request_in_order(airbyte):
    """Operation, method, path, status, body, headers with lower-case names, and whether it took effect."""
    connection_id = airbyte.add_connection()
    headers = {"X-Airbyte-Analytic-Source": "tests"}
    requests.post(
        airbyte.base_url + "/v1/connections/get",
        json={"connectionId": connection_id},
        headers=headers,
        timeout=10,
    )
    post(airbyte, "connections/get", connectionId=UNKNOWN)
    requests.post(airbyte.base_url + "/v1/nothing", data="{", headers={"Content-Type": "application/json"}, timeout=10)
    requests.get(airbyte.url + "/anything", timeout=10)
    told = [(each.operation_id, each.method, each.path, each.status, each.effect) for each in airbyte.journal]
    assert told == [
        ("getConnection", "POST", "/api/v1/connections/get", 200, True),
        ("getConnection", "POST", "/api/v1/connections/get", 404, False),
        (None, "POST", "/api/v1/nothing", 404, False),
        (None, "GET", "/anything", 200, False),
    ]
    first, *_, third, _ = airbyte.journal
    assert first.body == {"connectionId": connection_id}
    assert first.headers["x-airbyte-analytic-source"] == "tests"
    assert third.body is None


# Paths


def test_a_trailing_slash_is_accepted(airbyte):
    """As Airbyte does."""
    assert post(airbyte, "connections/get/", connectionId=airbyte.add_connection()).ok


@pytest.mark.parametrize(("era", "keys"), [("0.36", "message"), ("1.0", "_embedded"), ("2.0", "errorId")])
def test_an_unknown_api_path_is_answered_as_the_era_does(era, keys):
    """So is an operation that came later; a wrong method is a 405."""
    with FakeAirbyte(era) as airbyte:
        answer = post(airbyte, "jobs/get_status", id=1)
        assert (answer.status_code, keys in answer.json()) == (404, True)
        assert requests.get(airbyte.base_url + "/v1/jobs/get", timeout=10).status_code == 405
        assert post(airbyte, "jobs/get_light", id=1).status_code == (404 if era == "0.36" else 500)


def test_everything_may_be_served_under_a_prefix():
    """The web app is at any other path below it, and the ingress knows nothing else."""
    with FakeAirbyte(path_prefix="/airbyte") as airbyte:
        assert airbyte.url.endswith("/airbyte")
        assert requests.get(airbyte.base_url + "/v1/health", timeout=10).json() == {"available": True}
        assert "<title>Airbyte" in requests.get(airbyte.url + "/workspaces/x", timeout=10).text
        root = airbyte.url.removesuffix("/airbyte")
        assert requests.get(root + "/api/v1/health", timeout=10).status_code == 404
        assert requests.post(airbyte.url + "/v1/health", json={}, timeout=10).status_code == 405


def test_missing_and_malformed_properties():
    """Missing is 400; malformed is 422 until 0.40.27 and 400 since; state writes validate nothing."""
    for era, malformed in (("0.36", 422), ("0.40", 400), ("2.0", 400)):
        with FakeAirbyte(era) as airbyte:
            assert post(airbyte, "connections/get").status_code == 400
            assert post(airbyte, "connections/get", connectionId="").status_code == 400
            assert post(airbyte, "connections/get", connectionId="x").status_code == malformed
            assert post(airbyte, "jobs/get", id="x").status_code == malformed
            assert requests.post(airbyte.base_url + "/v1/jobs/get", json=[1], timeout=10).status_code == malformed
            if era != "0.36":
                assert post(airbyte, "state/create_or_update").status_code == 500


def test_deleted_connections_are_hidden_from_the_list_only():
    """get still answers, list hides, list_all shows."""
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection(status="deprecated")
        workspace = {"workspaceId": airbyte.workspace_id}
        assert post(airbyte, "connections/get", connectionId=connection_id).json()["status"] == "deprecated"
        assert post(airbyte, "connections/list", **workspace).json() == {"connections": []}
        assert len(post(airbyte, "connections/list_all", **workspace).json()["connections"]) == 1
        assert post(airbyte, "connections/list", workspaceId=UNKNOWN).status_code == 404


def test_nulls_are_spelt_out_before_0_39_9_and_left_out_since():
    """In 0.36 a manual connection has a schedule of null."""
    for era, spelt in (("0.36", True), ("0.40", False)):
        with FakeAirbyte(era) as airbyte:
            connection = post(airbyte, "connections/get", connectionId=airbyte.add_connection()).json()
            assert ("schedule" in connection) is spelt


def test_numbers_in_a_state_survive_the_wire(airbyte):
    """Literals that no float can hold come back as they were sent."""
    connection_id = airbyte.add_connection()
    blob = '{"big":12345678901234567890123,"huge":1e400,"exact":1.10,"text":"é\\u0000"}'
    row = '{"streamDescriptor":{"name":"orders"},"streamState":' + blob + "}"
    state = f'{{"stateType":"stream","connectionId":"{connection_id}","streamState":[{row}]}}'
    body = f'{{"connectionId":"{connection_id}","connectionState":{state}}}'
    url = airbyte.base_url + "/v1/state/create_or_update"
    answer = requests.post(url, data=body.encode(), headers={"Content-Type": "application/json"}, timeout=10)
    assert blob.encode() in answer.content
    assert blob.encode() in post(airbyte, "state/get", connectionId=connection_id).content


NAMES = [
    "connectionId",
    "id",
    "workspaceId",
    "sourceId",
    "streams",
    "configTypes",
    "configId",
    "statuses",
    "pagination",
    "pageSize",
    "rowOffset",
    "includingJobId",
    "connectionIds",
    "connectionState",
    "stateType",
    "streamState",
    "globalState",
    "streamStates",
    "streamDescriptor",
    "name",
    "namespace",
    "streamName",
    "jobId",
    "attemptNumber",
    "workspaceIds",
    "createdAtStart",
    "orderByField",
    "client_id",
]
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
WORDS = st.sampled_from(["stream", "global", "sync", "running", "createdAt", ORDERS_ID, "2024-01-01T00:00:00Z"])
BODIES = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


def test_whatever_is_sent_the_fake_answers_as_airbyte(airbyte, session):
    """No request breaks the fake itself, which would answer in plain text."""
    airbyte.add_connection(connection_id=ORDERS_ID)

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(OPERATIONS), BODIES)
    def ask(operation, body):
        answer = session.request(operation.method, airbyte.base_url + operation.path, json=body, timeout=10)
        assert answer.headers["content-type"] == "application/json"

    ask()


# Lists of jobs


def jobs_of(airbyte, path="jobs/list", **body):
    answer = post(airbyte, path, **{"configTypes": ["sync", "reset_connection"], **body})
    assert answer.status_code == 200, answer.text
    return [entry["job"]["id"] for entry in answer.json()["jobs"]], answer.json().get("totalJobCount")


@pytest.fixture
def history():
    """Five finished jobs a minute apart, number 3 failed and of another connection; and the clock."""

    def make(era):
        clock = Clock()
        airbyte = FakeAirbyte(era, now=clock).start()
        started.append(airbyte)
        first, second = (airbyte.add_connection(name) for name in ("First", "Second"))
        for number in range(1, 6):
            airbyte.advance(
                airbyte.start_job(second if number == 3 else first), "failed" if number == 3 else "succeeded"
            )
            clock.time += 60
        return airbyte, first, second

    started: list[FakeAirbyte] = []
    yield make
    for airbyte in started:
        airbyte.stop()


def at(seconds):
    moment = datetime.fromtimestamp(1_700_000_000, tz=UTC) + timedelta(seconds=seconds)
    return moment.isoformat()


@pytest.mark.parametrize("era", ["0.36", "0.40", "0.50", "1.0", "2.0", "head"])
def test_the_newest_job_comes_first(history, era):
    """jobs/list is ordered by createdAt, descending."""
    airbyte, first, _ = history(era)
    assert jobs_of(airbyte, configId=first)[0] == [5, 4, 2, 1]
    assert jobs_of(airbyte, configId=first, pagination={"pageSize": 2})[0] == [5, 4]


def test_a_row_offset_is_rounded_down_to_a_page(history):
    """Since 0.64.2 the server divides; before, the offset is taken as it is."""
    pagination = {"pageSize": 2, "rowOffset": 1}
    for era, ids in (("0.50", [4, 2]), ("1.0", [5, 4])):
        airbyte, first, _ = history(era)
        assert jobs_of(airbyte, configId=first, pagination=pagination)[0] == ids


def test_config_id_was_required(history):
    """Since 0.50.46 a list without it is of the whole instance."""
    airbyte, _, _ = history("0.50")
    assert post(airbyte, "jobs/list", configTypes=["sync"]).status_code == 400
    airbyte, _, _ = history("2.0")
    assert jobs_of(airbyte) == ([5, 4, 3, 2, 1], 5)
    assert post(airbyte, "jobs/list").status_code == 500
    assert post(airbyte, "jobs/list", configTypes=["clear", "nonsense"]).status_code == 400


def test_statuses_came_in_0_50_46(history):
    """0.50.31 takes one status, and forgets the filter when it counts."""
    airbyte, _, second = history("0.50")
    assert jobs_of(airbyte, configId=second, status="succeeded") == ([], 1)
    assert jobs_of(airbyte, configId=second, statuses=["succeeded"]) == ([3], 1)
    airbyte, _, _ = history("2.0")
    assert jobs_of(airbyte, statuses=["failed", "running"]) == ([3], 1)
    assert jobs_of(airbyte, statuses=["succeeded"], pagination={"pageSize": 1}) == ([5], 4)


def test_time_filters(history):
    """Start and end are inclusive; the End filters of 0.50.31 keep what is newer."""
    airbyte, _, _ = history("2.0")
    assert jobs_of(airbyte, createdAtStart=at(60), createdAtEnd=at(120))[0] == [3, 2]
    assert jobs_of(airbyte, updatedAtStart=at(180))[0] == [5, 4]
    assert jobs_of(airbyte, orderByField="updatedAt", orderByMethod="ASC")[0] == [1, 2, 3, 4, 5]
    assert post(airbyte, "jobs/list", configTypes=["sync"], createdAtStart="2023-01-01").status_code == 400
    airbyte, first, _ = history("0.50")
    assert jobs_of(airbyte, configId=first, createdAtEnd=at(60))[0] == [5, 4, 2]


def test_a_list_up_to_a_job(history):
    """includingJobId gives the first pages up to that job, and nothing when it is another connection's."""
    airbyte, first, _ = history("2.0")
    pagination = {"pageSize": 2}
    asked = {"configId": first, "pagination": pagination, "statuses": ["failed"]}
    assert jobs_of(airbyte, includingJobId=2, **asked)[0] == [5, 4, 2, 1]
    assert jobs_of(airbyte, includingJobId=4, **asked)[0] == [5, 4]
    assert jobs_of(airbyte, includingJobId=3, **asked)[0] == []


def test_a_list_for_workspaces_ignores_config_id_and_counts_its_page(history):
    """One call polls every connection of a workspace."""
    airbyte, first, _ = history("2.0")
    path = "jobs/list_for_workspaces"
    workspace = [airbyte.workspace_id]
    assert jobs_of(airbyte, path, workspaceIds=workspace, configId=first)[0] == [5, 4, 3, 2, 1]
    assert jobs_of(airbyte, path, workspaceIds=workspace, pagination={"pageSize": 2}) == ([5, 4], 2)
    assert jobs_of(airbyte, path, workspaceIds=[UNKNOWN]) == ([], 0)


def test_a_list_is_a_poll_of_the_jobs_that_it_contains(airbyte):
    """Every read of a status counts, and looking through Python does not."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("pending"), Step("running", polls=2), Step("succeeded", records=4)])
    job_id = post(airbyte, "connections/sync", connectionId=connection_id).json()["job"]["id"]
    shown = []
    for path, body in (
        ("jobs/get_light", {"id": job_id}),
        ("jobs/get", {"id": job_id}),
        ("jobs/get_without_logs", {"id": job_id}),
    ):
        shown.append(post(airbyte, path, **body).json()["job"]["status"])
        airbyte.jobs()
    running = {"configTypes": ["sync"], "statuses": ["running"]}
    assert shown == ["pending", "running", "running"]
    assert post(airbyte, "jobs/list", **running).json()["jobs"] == []
    assert airbyte.jobs()[0]["status"] == "succeeded"


def test_the_failure_of_an_attempt_reaches_the_reader(airbyte):
    """Times of attempts are seconds, the failure's own is milliseconds."""
    connection_id = airbyte.add_connection()
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, "failed", Failure("source", "config_error", "renew the key"))
    job = post(airbyte, "jobs/get", id=job_id).json()
    attempt = job["attempts"][0]["attempt"]
    (reason,) = attempt["failureSummary"]["failures"]
    assert (reason["failureOrigin"], reason["externalMessage"]) == ("source", "renew the key")
    assert reason["timestamp"] // 1000 == attempt["endedAt"]
    assert job["attempts"][0]["logType"] == "structured"
    with pytest.raises(ValueError, match="Could not find job"):
        airbyte.advance(99, "failed")


# The demo, the command line, TLS, the plugin


def test_the_demo():
    """Four connections with fixed ids: one succeeds, one retries, one fails with a reason, one is off."""
    clock = Clock()
    with FakeAirbyte(now=clock) as airbyte:
        plant_demo(airbyte, seconds_per_step=1.0)
        for connection_id in (ORDERS_ID, EVENTS_ID, BROKEN_API_ID):
            assert post(airbyte, "connections/sync", connectionId=connection_id).ok
        assert post(airbyte, "connections/sync", connectionId=PAUSED_ID).status_code == 500
        seen: dict[str, list[str]] = {key: [] for key in (ORDERS_ID, EVENTS_ID, BROKEN_API_ID)}
        records = []
        for _ in range(8):
            for job in airbyte.jobs():
                seen[job["connection_id"]].append(job["status"])
            records.append(sum(attempt["records"] for attempt in airbyte.jobs(ORDERS_ID)[0]["attempts"]))
            clock.time += 1
    assert seen[ORDERS_ID] == ["pending", *["running"] * 5, "succeeded", "succeeded"]
    assert seen[EVENTS_ID][2] == "incomplete"
    assert (seen[EVENTS_ID][-1], seen[BROKEN_API_ID][-1]) == ("succeeded", "failed")
    assert records == sorted(records)
    assert len(set(records)) > 4


def test_a_demo_can_be_planted_in_every_era():
    """The oldest knows no state of streams."""
    for era in ("0.36", "head"):
        with FakeAirbyte(era) as airbyte:
            plant_demo(airbyte)
            assert len(airbyte.calls("getState")) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_serves_until_it_is_stopped(number):
    """A line says where and how, the last how Airflow gets there; both signals end it well."""
    command = [sys.executable, "-m", "airflow_airbyte_ext.testing", "--port", "0", "--seed", "demo"]
    with subprocess.Popen([*command, "--auth", "basic"], stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(9)]
        url = lines[0].split()[3]
        answer = requests.get(url + "/api/v1/health", auth=("airbyte", "password"), timeout=10)
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    assert answer.ok
    for word in ("era=2.0", "auth=basic", "username=airbyte", "password=password"):
        assert word in lines[0]
    assert lines[1] == "workspace 00000000-0000-4000-8000-0000000000a1\n"
    assert lines[2] == f"connection {ORDERS_ID} Orders → Warehouse\n"
    name, _, value = lines[-1].removeprefix("export ").partition("=")
    assert name == "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT"
    told = {"conn_type": "airbyteconfig", "host": url, "login": "airbyte", "password": "password"}
    assert json.loads(shlex.split(value)[0]) == told


def test_a_port_that_is_taken_is_told_with_a_way_out(airbyte):
    port = airbyte.url.rpartition(":")[2]
    command = [sys.executable, "-m", "airflow_airbyte_ext.testing", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"(port {port}). Give another --port, or --port 0 for a free one." in done.stderr


def test_tls(tmp_path):
    """With a certificate the same is served as https, drops included."""
    x509 = pytest.importorskip("cryptography.x509")
    certfile, keyfile = _certificate(x509, tmp_path)
    with FakeAirbyte(certfile=certfile, keyfile=keyfile) as airbyte:
        assert airbyte.url.startswith("https://127.0.0.1:")
        url = airbyte.base_url + "/v1/health"
        assert requests.get(url, verify=certfile, timeout=10).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=10)
        airbyte.fail_next("*", Fault.drop_after())
        with pytest.raises(requests.ConnectionError):
            requests.get(url, verify=certfile, timeout=10)


def _certificate(x509, folder):
    import ipaddress

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    certfile, keyfile = folder / "cert.pem", folder / "key.pem"
    certfile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, traditional = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    keyfile.write_bytes(key.private_bytes(pem, traditional, serialization.NoEncryption()))
    assert ssl.create_default_context(cafile=str(certfile))
    return str(certfile), str(keyfile)


def test_the_pytest_fixture(tmp_path):
    """A marker gives its arguments; without one it is the default fake."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_plain(fake_airbyte):\n"
        "    assert (fake_airbyte.era, fake_airbyte.auth) == ('2.0', 'none')\n"
        "@pytest.mark.airbyte(era='1.0', auth='basic')\n"
        "def test_marked(fake_airbyte):\n"
        "    assert fake_airbyte.add_connection() and fake_airbyte.url\n"
        "    assert (fake_airbyte.era, fake_airbyte.auth) == ('1.0', 'basic')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider"]
    command += ["-p", "airflow_airbyte_ext.testing.pytest_plugin", str(tmp_path)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.getcwd()}
    outcome = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in outcome.stdout, outcome.stdout + outcome.stderr


def test_the_plugin_needs_no_server_to_be_loaded():
    """pytest loads it for everybody who has the package, also without the extra."""
    code = (
        "import sys; import airflow_airbyte_ext.testing.pytest_plugin; "
        "sys.exit(bool({'uvicorn', 'starlette', 'requests', 'airflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_starting_and_stopping():
    """Without `with`, twice, and with a plain word when it does not run."""
    airbyte = FakeAirbyte()
    with pytest.raises(RuntimeError, match="not been started"):
        airbyte.url  # noqa: B018
    airbyte.start()
    with pytest.raises(RuntimeError, match="runs already"):
        airbyte.start()
    airbyte.stop()
    airbyte.stop()
    airbyte.start()
    assert requests.get(airbyte.base_url + "/v1/health", timeout=10).ok
    airbyte.stop()
