"""The fake over its socket: who may call, what can go wrong, what is written down, and how lists are cut."""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
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
from airflow_airbyte_ext.testing.__main__ import command_line
from airflow_airbyte_ext.testing.demo import BROKEN_API_ID, EVENTS_ID, ORDERS_ID, PAUSED_ID, plant_demo
from airflow_airbyte_ext.testing.routes import OPERATIONS

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
    """Docker compose's nginx sends a 401 with Airbyte's page, for health and the web app, and for a POST too."""
    with FakeAirbyte("0.50", "basic") as airbyte:
        for method, path in (("GET", "/api/v1/health"), ("GET", "/"), ("POST", "/api/v1/nothing")):
            response = requests.request(method, airbyte.url + path, timeout=10)
            assert response.status_code == 401
            assert response.headers["content-type"] == "text/html"
            assert response.headers["www-authenticate"] == 'Basic realm="Welcome to Airbyte"'
            for text in ("<title>Airbyte - Access Denied</title>", "Nope.", "HTTP Error Code: 401"):
                assert text in response.text
        right = requests.get(airbyte.base_url + "/v1/health", auth=("airbyte", "password"), timeout=10)
        wrong = requests.get(airbyte.base_url + "/v1/health", auth=("airbyte", "no"), timeout=10)
        assert (right.status_code, wrong.status_code) == (200, 401)


def test_basic_before_a_newer_airbyte_is_some_proxy_of_its_owner():
    """Docker compose's proxy ended with 0.63; nginx has a page of its own."""
    with FakeAirbyte(auth="basic") as airbyte:
        response = requests.get(airbyte.base_url + "/v1/health", timeout=10)
    assert response.headers["www-authenticate"] == 'Basic realm="Restricted"'
    assert "<title>401 Authorization Required</title>" in response.text


def post_unknown(airbyte, path="/v1/connections/get", **headers):
    return requests.post(airbyte.base_url + path, json={"connectionId": UNKNOWN}, headers=headers, timeout=10)


@pytest.mark.parametrize("auth", ["bearer", "client_credentials"])
@pytest.mark.parametrize("era", ["0.64.7", "1.0", "2.0", "head"])
def test_a_server_that_wants_a_token_answers_401(era, auth):
    """Only health, instance_configuration and (tested elsewhere) the token endpoints are for everybody."""
    with FakeAirbyte(era, auth) as airbyte:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            response = post_unknown(airbyte, **headers)
            assert (response.status_code, response.json()["message"]) == (401, "Unauthorized")
        for path in ("health", "instance_configuration"):
            assert requests.get(f"{airbyte.base_url}/v1/{path}", timeout=10).status_code == 200
            assert requests.post(f"{airbyte.base_url}/v1/{path}", json={}, timeout=10).status_code == 401
        mode = requests.get(airbyte.base_url + "/v1/instance_configuration", timeout=10).json()["auth"]["mode"]
        assert mode == "simple"


@pytest.mark.parametrize(
    ("era", "issuer", "challenge"),
    [
        ("0.50", "keycloak", None),
        ("0.64.7", "community", None),
        ("1.2", "community", None),
        ("1.3.0", "community", 'Basic realm="Micronaut Application"'),
        ("1.5.0", "database", 'Basic realm="Micronaut Application"'),
        ("2.0", "community", 'Basic realm="Micronaut Application"'),
        ("2.0", "keycloak", None),
        ("2.2", "community", None),
        ("head", "community", None),
    ],
)
def test_the_challenge_of_a_401(era, issuer, challenge):
    """The community edition challenged with Basic in some releases, and takes none of it since 2.2."""
    with FakeAirbyte(era, "bearer", issuer=issuer) as airbyte:
        assert post_unknown(airbyte).headers.get("www-authenticate") == challenge


@pytest.mark.parametrize(
    ("era", "options", "status"),
    [
        ("0.63.9", {}, 404),
        ("2.0", {}, 404),
        ("2.1.0", {}, 404),
        ("2.2", {}, 401),
        ("head", {}, 401),
        ("2.0", {"takes_basic": False}, 401),
        ("2.0", {"issuer": "keycloak"}, 401),
        ("2.2", {"takes_basic": True}, 404),
    ],
)
def test_the_password_of_the_admin(era, options, status):
    """The community edition took it as HTTP Basic until 2.1; a test may say otherwise."""
    with FakeAirbyte(era, "client_credentials", **options) as airbyte:
        url, body = airbyte.base_url + "/v1/connections/get", {"connectionId": UNKNOWN}
        response = requests.post(url, json=body, auth=(airbyte.username, airbyte.password), timeout=10)
        assert response.status_code == status
        assert requests.post(url, json=body, auth=(airbyte.username, "wrong"), timeout=10).status_code == 401


@pytest.mark.parametrize(("era", "body"), [("0.50", b""), ("0.51.0", b""), ("0.52.0", None), ("2.0", None)])
def test_a_missing_path_behind_a_token_check_is_forbidden(era, body):
    """So is a wrong method: reject-not-found. Without a good token both are 401."""
    with FakeAirbyte(era, "bearer", issuer="keycloak") as airbyte:
        good, bad = {"Authorization": f"Bearer {airbyte.token}"}, {"Authorization": "Bearer wrong"}
        missing = post_unknown(airbyte, "/v1/jobs/get_status", **good)
        method = requests.get(airbyte.base_url + "/v1/jobs/get", headers=good, timeout=10)
        for response in (missing, method):
            assert response.status_code == 403
            assert response.content == body if body is not None else response.json()["message"] == "Forbidden"
        assert post_unknown(airbyte, "/v1/jobs/get_status", **bad).status_code == 401
        assert requests.get(airbyte.base_url + "/v1/jobs/get", headers=bad, timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("era", "path", "status"),
    [("0.40", "/v1", 404), ("0.50.38", "/v1", 404), ("2.0", "/v1", 404), ("2.0", "/public/v1", 404)],
)
def test_without_authentication_there_is_no_token_endpoint(era, path, status):
    """The controller does not exist, so the path is missing; the proxy's Basic is no authentication to the server."""
    for auth in ({}, {"auth": "basic"}):
        with FakeAirbyte(era, **auth) as airbyte:
            url = f"{airbyte.base_url}{path}/applications/token"
            response = requests.post(url, json={"client_id": "x"}, auth=("airbyte", "password"), timeout=10)
            assert (response.status_code, response.content) == (status, b"Object not found.")


@pytest.mark.parametrize(
    ("era", "issuer", "lifetime", "expires_in"),
    [
        ("0.57.4", "keycloak", 180, None),
        ("0.64.7", "community", 180, 180),
        ("1.4.0", "community", 180, 180),
        ("1.5.0", "community", 86_400, 180),
        ("1.5.0", "database", 86_400, 180),
        ("1.5.0", "keycloak", 180, 180),
        ("1.6.0", "community", 900, 900),
        ("head", "database", 900, 900),
    ],
)
def test_how_long_a_token_lives(era, issuer, lifetime, expires_in):
    """The Config API's endpoint does not say; the public one said 180 whatever the truth was, until 1.6.0."""
    with FakeAirbyte(era, "client_credentials", issuer=issuer) as airbyte:
        credentials = {"client_id": airbyte.client_id, "client_secret": airbyte.client_secret}
        response = post(airbyte, "applications/token", **credentials).json()
        assert set(response) == {"access_token"}
        claims = json.loads(base64.urlsafe_b64decode(response["access_token"].split(".")[1] + "=="))
        assert claims["exp"] - claims["iat"] == lifetime
        if expires_in:
            url = airbyte.base_url + "/public/v1/applications/token"
            assert requests.post(url, json=credentials, timeout=10).json()["expires_in"] == expires_in


def test_a_token_lives_as_long_as_it_says():
    """iat and exp are in the token itself; after exp, or when revoked, it gets 401."""
    clock = Clock()
    with FakeAirbyte(auth="client_credentials", now=clock, token_lifetime=60) as airbyte:
        credentials = {"client_id": airbyte.client_id, "client_secret": airbyte.client_secret}
        response = post(airbyte, "applications/token", **credentials).json()
        assert set(response) == {"access_token"}
        middle = response["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=="))
        assert (claims["iat"], claims["exp"]) == (1_700_000_000, 1_700_000_060)

        def status(token):
            headers = {"Authorization": f"Bearer {token}"}
            body = {"connectionId": UNKNOWN}
            url = airbyte.base_url + "/v1/state/get"
            return requests.post(url, json=body, headers=headers, timeout=10).status_code

        assert status(response["access_token"]) == 200
        clock.time += 60
        assert status(response["access_token"]) == 401
        public = requests.post(airbyte.url + "/api/public/v1/applications/token", json=credentials, timeout=10).json()
        assert (public["token_type"], public["expires_in"]) == ("Bearer", 60)
        assert status(public["access_token"]) == 200
        airbyte.revoke_tokens()
        assert status(public["access_token"]) == 401


@pytest.mark.parametrize(
    ("era", "issuer", "status", "words"),
    [
        ("0.63.9", "community", 400, "Invalid client id or token"),
        ("2.0", "community", 400, "Invalid client id or token"),
        ("head", "community", 400, "Invalid client id or token"),
        ("0.57.4", "keycloak", 401, "HTTP 401 Unauthorized"),
        ("0.64.1", "keycloak", 401, "HTTP 401 Unauthorized"),
        ("0.64.2", "keycloak", 500, "java.lang.ClassCastException"),
        ("2.0", "keycloak", 500, "errorId"),
        ("2.2", "keycloak", 401, "errorId"),
        ("1.5.0", "database", 500, "java.lang.IllegalArgumentException"),
        ("head", "database", 500, "errorId"),
    ],
)
def test_wrong_credentials(era, issuer, status, words):
    """A wrong id or secret, as each kind of server refuses it."""
    with FakeAirbyte(era, "client_credentials", issuer=issuer) as airbyte:
        response = post(airbyte, "applications/token", client_id=airbyte.client_id, client_secret="no")
        assert (response.status_code, words in response.text) == (status, True)


@pytest.mark.parametrize(
    ("era", "path", "status"),
    [
        ("1.5.0", "/v1", 200),
        ("1.6.0", "/v1", 408),
        ("1.8", "/public/v1", 200),
        ("2.0", "/public/v1", 408),
    ],
)
def test_a_token_endpoint_that_takes_longer_than_a_second(era, path, status):
    """Newer servers give up."""
    with FakeAirbyte(era, "client_credentials") as airbyte:
        operation = "publicCreateAccessToken" if path.startswith("/public") else "applicationTokenRequest"
        airbyte.fail_next(operation, Fault.delay(1.01))
        credentials = {"client_id": airbyte.client_id, "client_secret": airbyte.client_secret}
        response = requests.post(f"{airbyte.base_url}{path}/applications/token", json=credentials, timeout=10)
    assert response.status_code == status
    if status == 408:
        assert (response.json()["status"], response.json()["type"]) == (408, "error:request-timeout-exceeded")


@pytest.mark.parametrize(
    ("era", "options", "status"),
    [
        ("2.3.0", {"auth": "bearer"}, 200),
        ("2.4", {"auth": "bearer"}, 403),
        ("head", {"auth": "bearer"}, 403),
        ("2.4", {"auth": "bearer", "one_workspace": False}, 200),
        ("2.4", {}, 200),
    ],
)
def test_a_request_over_two_workspaces(era, options, status):
    """2.4 refuses it where it checks tokens."""
    with FakeAirbyte(era, **options) as airbyte:
        here, there = airbyte.workspace_id, airbyte.add_workspace("Elsewhere")
        connections = [airbyte.add_connection("a"), airbyte.add_connection("b", workspace_id=there)]
        headers = {"Authorization": f"Bearer {airbyte.token}"}
        for path, name, ids in (
            ("jobs/list_for_workspaces", "workspaceIds", [here, there]),
            ("connections/status", "connectionIds", connections),
        ):
            for body, expected in (({name: ids}, status), ({name: ids[:1]}, 200)):
                request = {"configTypes": ["sync"], **body}
                url = f"{airbyte.base_url}/v1/{path}"
                assert requests.post(url, json=request, headers=headers, timeout=10).status_code == expected


INSTANCE = {"edition", "initialSetupComplete", "defaultUserId", "defaultOrganizationId", "defaultWorkspaceId"}
NEWER = INSTANCE | {"version", "airbyteUrl", "trackingStrategy"}


@pytest.mark.parametrize(
    ("era", "options", "fields", "auth"),
    [
        ("0.50.9", {}, {"edition", "webappUrl"}, None),
        ("0.50", {}, INSTANCE | {"webappUrl"}, None),
        ("0.50", {"auth": "bearer"}, INSTANCE | {"webappUrl", "auth"}, {"clientId", "defaultRealm"}),
        ("0.57.4", {}, NEWER, None),
        ("0.60.0", {}, NEWER | {"auth"}, {"mode"}),
        ("1.0", {"auth": "bearer"}, NEWER | {"auth", "defaultOrganizationEmail"}, {"mode"}),
        ("head", {}, NEWER | {"auth", "defaultOrganizationEmail"}, {"mode"}),
    ],
)
def test_what_the_instance_configuration_has(era, options, fields, auth):
    """To everybody; the version since 0.57.4, the kind of authentication since 0.60.0."""
    with FakeAirbyte(era, **options) as airbyte:
        response = requests.get(airbyte.base_url + "/v1/instance_configuration", timeout=10).json()
    assert set(response) == fields
    assert set(response.get("auth", {})) == (auth or set())
    assert response.get("version") == (
        None if "version" not in fields else "dev" if era == "head" else airbyte_release(era)
    )


def airbyte_release(era):
    return {"1.0": "1.0.0"}.get(era, era)


def test_editions():
    for era, issuer, edition, mode in (
        ("1.0", "keycloak", "pro", "oidc"),
        ("1.8", "keycloak", "enterprise", "oidc"),
        ("1.8", "database", "community", "simple"),
    ):
        with FakeAirbyte(era, "bearer", issuer=issuer) as airbyte:
            response = requests.get(airbyte.base_url + "/v1/instance_configuration", timeout=10).json()
        assert (response["edition"], response["auth"]["mode"]) == (edition, mode)


@pytest.mark.parametrize("era", ["0.50", "2.0"])
def test_a_fresh_instance_cannot_tell(era):
    """500, until somebody has set it up."""
    with FakeAirbyte(era, fresh_instance=True) as airbyte:
        url = airbyte.base_url + "/v1/instance_configuration"
        assert requests.get(url, timeout=10).status_code == 500
        airbyte.fresh_instance = False
        assert requests.get(url, timeout=10).status_code == 200


def test_a_form_is_no_token_request():
    """The token endpoint wants JSON."""
    with FakeAirbyte(auth="client_credentials") as airbyte:
        url = airbyte.base_url + "/v1/applications/token"
        assert requests.post(url, data={"client_id": "x"}, timeout=10).status_code == 415


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"auth": "oauth"}, "choose one of"),
        ({"era": "3"}, "choose one of"),
        ({"auth": "bearer", "issuer": "somebody"}, "choose one of"),
        ({"era": "0.40", "auth": "bearer"}, "0.50.0"),
        ({"era": "0.50", "auth": "client_credentials"}, "0.50.38"),
        ({"era": "0.57.4", "auth": "client_credentials", "issuer": "community"}, "0.63.9"),
        ({"era": "1.4.0", "auth": "client_credentials", "issuer": "database"}, "1.5.0"),
        ({"era": "2.4", "auth": "bearer", "issuer": "keycloak"}, "2.4.0"),
        ({"era": "2.0", "strict": True}, "2.2.0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    """Old servers issue no tokens, and words are checked at once."""
    with pytest.raises(ValueError, match=re.escape(message)):
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
    """status() has no effect unless requested; headers and JSON bodies are sent as given."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", Fault.status(503, headers={"Retry-After": "1"}), times=2)
    for _ in range(2):
        response = post(airbyte, "connections/sync", connectionId=connection_id)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "503 Service Temporarily Unavailable" in response.text
    assert airbyte.jobs() == []
    airbyte.fail_next("syncConnection", Fault.status(502, body={"message": "bad"}, effect=True))
    response = post(airbyte, "connections/sync", connectionId=connection_id)
    assert (response.status_code, response.json()) == (502, {"message": "bad"})
    assert len(airbyte.jobs()) == 1


def test_pages_and_redirects(airbyte):
    """A wrong base URL shows the web app with 200, a login proxy redirects."""
    airbyte.fail_next("getHealthCheck", Fault.html())
    airbyte.fail_next("getHealthCheck", Fault.redirect("https://login.example.com/"))
    url = airbyte.base_url + "/v1/health"
    page = requests.get(url, timeout=10)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
    moved = requests.get(url, timeout=10, allow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (302, "https://login.example.com/")


def test_a_delayed_answer_blocks_nobody(airbyte):
    """The call takes effect at once; others are returned meanwhile, and stopping does not wait for it."""
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
    shown = [(each.operation_id, each.method, each.path, each.status, each.effect) for each in airbyte.journal]
    assert shown == [
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


@pytest.mark.parametrize(
    ("era", "method", "kind", "body"),
    [
        ("0.36", 500, 500, True),
        ("0.40.20", 500, 500, True),
        ("0.40.28", 405, 415, True),
        ("0.64.1", 405, 415, True),
        ("0.64.2", 405, 415, False),
        ("head", 405, 415, False),
    ],
)
def test_a_wrong_method_and_a_wrong_content_type(era, method, kind, body):
    """500 at first, then the framework's own response, with a body until 0.64.1."""
    with FakeAirbyte(era) as airbyte:
        url = airbyte.base_url + "/v1/jobs/get"
        wrong_method, wrong_kind = requests.get(url, timeout=10), requests.post(url, data={"id": 1}, timeout=10)
        health = requests.post(airbyte.base_url + "/v1/health", json={}, timeout=10)
    assert (wrong_method.status_code, wrong_kind.status_code, health.status_code) == (method, kind, method)
    assert [bool(response.content) for response in (wrong_method, wrong_kind, health)] == [body] * 3
    allowed = [response.headers.get("allow") for response in (wrong_method, health)]
    assert allowed == (["POST", "GET"] if method == 405 else [None, None])
    if method == 405 and body:
        message = "Method [GET] not allowed for URI [/api/v1/jobs/get]. Allowed methods: [POST]"
        assert wrong_method.json()["_embedded"]["errors"][0]["message"] == message
        message = "Content Type [application/x-www-form-urlencoded] not allowed. Allowed types: [application/json]"
        assert wrong_kind.json()["_embedded"]["errors"][0]["message"] == message


@pytest.mark.parametrize(("era", "inner"), [("0.59.1", {"message"}), ("0.60.0", {"message", "_links", "_embedded"})])
def test_the_framework_s_errors_have_links_since_0_60(era, inner):
    with FakeAirbyte(era) as airbyte:
        (error,) = requests.get(airbyte.base_url + "/v1/jobs/get", timeout=10).json()["_embedded"]["errors"]
    assert set(error) == inner


@pytest.mark.parametrize(
    ("era", "own", "cause"),
    [
        ("0.36", "io.airbyte.server.errors", "java.lang.Class"),
        ("0.40.29", "io.airbyte.server.errors", "java.lang.Class"),
        ("0.40.30", "io.airbyte.commons.server.errors", "java.lang.Class"),
        ("0.64.4", "io.airbyte.commons.server.errors", "java.lang.Class"),
        ("1.2", "io.airbyte.commons.server.errors", "io.airbyte.config.persistence.ConfigNotFoundException"),
        ("1.3.0", "io.airbyte.commons.server.errors", None),
    ],
)
def test_what_an_error_says_of_its_cause(era, own, cause):
    with FakeAirbyte(era) as airbyte:
        body = post(airbyte, "connections/get", connectionId=UNKNOWN).json()
    assert body["exceptionClassName"] == f"{own}.IdNotFoundKnownException"
    assert body.get("rootCauseExceptionClassName") == cause
    assert ("exceptionStack" in body) == ("rootCauseExceptionStack" in body) == (cause is not None)


@pytest.mark.parametrize(("era", "get", "posted"), [("0.36", 200, 405), ("1.7.0", 200, 405), ("1.8", 200, 200)])
def test_paths_outside_of_the_api_are_the_web_app_s(era, get, posted):
    """nginx shows its page for any GET and refuses a POST; since 1.8.0 the server shows it for everything."""
    with FakeAirbyte(era) as airbyte:
        page = requests.get(airbyte.url + "/v1/health", timeout=10)
        response = requests.post(airbyte.url + "/v1/health", json={}, timeout=10)
        asset = requests.get(airbyte.url + "/assets/none.js", timeout=10)
    assert (page.status_code, response.status_code) == (get, posted)
    assert "<title>Airbyte" in page.text
    assert "405 Not Allowed" in response.text if posted == 405 else response.text == page.text
    assert asset.status_code == (200 if posted == 405 else 404)


@pytest.mark.parametrize(("era", "status"), [("0.40.27", 422), ("0.40.28", 413), ("head", 413)])
def test_the_server_takes_10_mb(era, status):
    """Since 0.40.28; the framework says how much came and how much may."""
    with FakeAirbyte(era) as airbyte:
        response = post(airbyte, "connections/get", connectionId=UNKNOWN, x="x" * 10 * 1024 * 1024)
    assert response.status_code == status
    if status == 413:
        assert response.json()["message"] == "Request Entity Too Large"
        assert "exceeds the maximum allowed content length [10485760]" in response.text


@pytest.mark.parametrize(("era", "status"), [("0.40.16", 413), ("0.40.25", 413), ("0.40.26", 422)])
def test_the_first_proxy_with_basic_took_1_mb(era, status):
    """It says so before it checks who calls."""
    with FakeAirbyte(era, "basic") as airbyte:
        url, body = airbyte.base_url + "/v1/connections/get", {"x": "x" * 1024 * 1024}
        response = requests.post(url, json=body, auth=("airbyte", "password"), timeout=10)
        assert response.status_code == status
        assert requests.post(url, json=body, timeout=10).status_code == (413 if status == 413 else 401)


def test_everything_may_be_served_under_a_prefix():
    """The web app is at any other path below it, and the ingress knows nothing else."""
    with FakeAirbyte(path_prefix="/airbyte") as airbyte:
        assert airbyte.url.endswith("/airbyte")
        assert requests.get(airbyte.base_url + "/v1/health", timeout=10).json() == {"available": True}
        assert "<title>Airbyte" in requests.get(airbyte.url + "/workspaces/x", timeout=10).text
        root = airbyte.url.removesuffix("/airbyte")
        assert requests.get(root + "/api/v1/health", timeout=10).status_code == 404
        assert "<title>Airbyte" in requests.post(airbyte.url + "/v1/health", json={}, timeout=10).text


@pytest.mark.parametrize(
    ("era", "missing", "malformed", "nothing"),
    [("0.36", 400, 422, 500), ("0.40.27", 400, 422, 500), ("0.40.28", 500, 400, 400), ("2.0", 500, 400, 400)],
)
def test_missing_and_malformed_properties(era, missing, malformed, nothing):
    """Validated with 400 and 422 until 0.40.27; since then the code behind fails on a null, and 400 is malformed."""
    with FakeAirbyte(era) as airbyte:
        lacking = post(airbyte, "connections/get")
        assert lacking.status_code == missing
        assert post(airbyte, "connections/get", connectionId="").status_code == missing
        assert post(airbyte, "connections/get", connectionId="x").status_code == malformed
        assert post(airbyte, "jobs/get", id="x").status_code == malformed
        assert post(airbyte, "jobs/list", configTypes=["nonsense"], configId=UNKNOWN).status_code == malformed
        assert post(airbyte, "jobs/list", configTypes="sync", configId=UNKNOWN).status_code == malformed
        url, kind = airbyte.base_url + "/v1/jobs/get", {"Content-Type": "application/json"}
        assert requests.post(url, json=[1], timeout=10).status_code == malformed
        assert requests.post(url, data="{", headers=kind, timeout=10).status_code == malformed
        empty = requests.post(url, headers=kind, timeout=10)
        assert empty.status_code == nothing
    if missing == 400:
        wrong = {"propertyPath": "connectionId", "message": "must not be null", "invalidValue": "null"}
        assert lacking.json()["validationErrors"] == [wrong]
    if nothing == 400:
        (error,) = empty.json()["_embedded"]["errors"]
        assert error["message"] == "Required argument [jobIdRequestBody] not specified"


def test_0_40_28_deletes_with_200():
    """And with neither body nor content type; before and after it is 204."""
    for era, status in (("0.40.27", 204), ("0.40.28", 200), ("0.40.29", 204)):
        with FakeAirbyte(era) as airbyte:
            response = post(airbyte, "connections/delete", connectionId=airbyte.add_connection())
        assert (response.status_code, response.content, response.headers.get("content-type")) == (status, b"", None)


def test_deleted_connections_are_hidden_from_the_list_only():
    """get still responses, list hides, list_all shows."""
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
    response = requests.post(url, data=body.encode(), headers={"Content-Type": "application/json"}, timeout=10)
    assert blob.encode() in response.content
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
    """No request breaks the fake itself, which would respond in plain text."""
    airbyte.add_connection(connection_id=ORDERS_ID)

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(OPERATIONS), BODIES)
    def ask(operation, body):
        response = session.request(operation.method, airbyte.base_url + operation.path, json=body, timeout=10)
        assert response.headers.get("content-type", "application/json") == "application/json"
        assert b"Traceback" not in response.content

    ask()


# Lists of jobs


def jobs_of(airbyte, path="jobs/list", **body):
    response = post(airbyte, path, **{"configTypes": ["sync", "reset_connection"], **body})
    assert response.status_code == 200, response.text
    return [entry["job"]["id"] for entry in response.json()["jobs"]], response.json().get("totalJobCount")


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
    assert post(airbyte, "jobs/list", configTypes=["sync"]).status_code == 500
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
    requested = {"configId": first, "pagination": pagination, "statuses": ["failed"]}
    assert jobs_of(airbyte, includingJobId=2, **requested)[0] == [5, 4, 2, 1]
    assert jobs_of(airbyte, includingJobId=4, **requested)[0] == [5, 4]
    assert jobs_of(airbyte, includingJobId=3, **requested)[0] == []


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
        response = requests.get(url + "/api/v1/health", auth=("airbyte", "password"), timeout=10)
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    assert response.ok
    for word in ("era=2.0", "auth=basic", "username=airbyte", "password=password"):
        assert word in lines[0]
    assert lines[1] == "workspace 00000000-0000-4000-8000-0000000000a1\n"
    assert lines[2] == f"connection {ORDERS_ID} Orders → Warehouse\n"
    name, _, value = lines[-1].removeprefix("export ").partition("=")
    assert name == "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT"
    shown = {"conn_type": "airbyteconfig", "host": url, "login": "airbyte", "password": "password"}
    assert json.loads(shlex.split(value)[0]) == shown


def test_the_command_line_has_every_argument_but_the_clock():
    """Under the same name, with dashes."""
    options = vars(command_line().parse_args([]))
    arguments = inspect.signature(FakeAirbyte).parameters
    assert arguments.keys() - {"now"} == options.keys() - {"seed", "seconds_per_step"}
    assert {name: arguments[name].default for name in arguments.keys() - {"now", "port"}} == {
        name: options[name] for name in options.keys() - {"seed", "seconds_per_step", "port"}
    }


def test_the_command_line_plays_other_kinds_of_sign_in():
    command = [sys.executable, "-m", "airflow_airbyte_ext.testing", "--port", "0", "--era", "0.57.4"]
    command += ["--auth", "client_credentials", "--issuer", "keycloak", "--fresh-instance"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[3]
        instance = requests.get(url + "/api/v1/instance_configuration", timeout=10)
        token = requests.post(url + "/api/v1/applications/token", json={"client_id": "x"}, timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert (instance.status_code, token.status_code) == (500, 500)


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
