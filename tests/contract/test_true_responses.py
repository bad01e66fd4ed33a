"""Each response of a real server, byte by byte, and what it means for the user.

The bytes are those of `true_bytes` and `true_airbyte`, typed from the facts about Airbyte alone.
"""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
import true_bytes as b
from raw_server import CLOSE, RawServer
from true_airbyte import CLIENT_ID, CLIENT_SECRET, JOB, TOKEN, Job, TrueAirbyte, token_ending_at

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteBadRequestError,
    AirbyteBusyError,
    AirbyteConflictError,
    AirbyteError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbytePermissionError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteStatusError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.report import job_page

CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture
def start(connect_to):
    """Start an Airbyte of a release, and connect a client to it."""
    running: list[RawServer] = []

    def start(release: str, *, token_check: bool = False, **settings):
        server = RawServer(TrueAirbyte(release, token_check, jobs=[Job()]))
        running.append(server)
        settings = settings or ({"token": TOKEN} if token_check else {})
        return server, connect_to(server.url, **settings)

    yield start
    for server in running:
        server.close()


def get_connection(client):
    return client.get_connection(connection_id=b.UNKNOWN)


# -- a path that the release lacks (3.1.2) ----------------------------------------------------------

MISSING = {
    "jobs/get_light": (lambda client: client.get_job_info_light(id=JOB), "0.40.7"),
    "jobs/get_without_logs": (lambda client: client.get_job_info_without_logs(id=JOB), "0.44.6"),
    "web_backend/state/get_type": (lambda client: client.get_state_type(connection_id=b.CONNECTION), "0.39.28"),
    "workspaces/get_by_connection_id": (
        lambda client: client.get_workspace_by_connection_id(connection_id=b.CONNECTION),
        "0.40.19",
    ),
    "attempt/get_for_job": (lambda client: client.get_attempt_for_job(job_id=JOB, attempt_number=0), "0.50.9"),
    "connections/clear": (lambda client: client.clear_connection(connection_id=b.CONNECTION), "0.57.3"),
    "connections/last_job_per_stream": (
        lambda client: client.get_connection_last_job_per_stream(connection_id=b.CONNECTION),
        "0.62.0",
    ),
    "connections/events/list_for_job": (lambda client: client.list_connection_events_for_job(id=JOB), "2.0.0"),
    "workspaces/list": (lambda client: client.list_workspaces(), None),
    "web_backend/geographies/list": (lambda client: client.web_backend_list_geographies(), None),
    "instance_configuration": (lambda client: client.get_instance_configuration(), "0.50.9"),
    "web_backend/config": (lambda client: client.get_webapp_config(), "1.7.0"),
}


@pytest.mark.parametrize(
    ("release", "token_check", "path"),
    [
        ("0.36.0", False, "jobs/get_light"),  # JERSEY with an explicit null id
        ("0.36.0", False, "web_backend/state/get_type"),
        ("0.36.0", False, "instance_configuration"),
        ("0.40.6", False, "jobs/get_light"),  # JERSEY without an id
        ("0.40.6", False, "workspaces/get_by_connection_id"),
        ("0.40.20", False, "jobs/get_without_logs"),
        ("0.40.28", False, "jobs/get_without_logs"),  # PLAIN from here on
        ("0.40.28", False, "instance_configuration"),
        ("0.40.32", False, "attempt/get_for_job"),
        ("0.50.8", False, "attempt/get_for_job"),
        ("0.50.8", True, "attempt/get_for_job"),  # 403 empty
        ("0.50.31", False, "connections/clear"),
        ("0.50.31", True, "connections/last_job_per_stream"),
        ("0.57.4", False, "connections/last_job_per_stream"),
        ("0.57.4", True, "connections/last_job_per_stream"),  # 403 JSONERROR, the bare inner object
        ("0.64.7", False, "connections/events/list_for_job"),
        ("0.64.7", True, "connections/events/list_for_job"),
        ("1.2.0", False, "web_backend/config"),
        ("1.2.0", True, "connections/events/list_for_job"),
        ("1.8.0", False, "workspaces/list"),
        ("1.8.0", True, "workspaces/list"),
        ("1.8.0", True, "web_backend/geographies/list"),
        ("1.8.0", True, "connections/events/list_for_job"),
        ("2.0.0", False, "workspaces/list"),
        ("2.0.0", True, "workspaces/list"),
        ("2.2.0", True, "workspaces/list"),
        ("2.4.0", False, "workspaces/list"),
        ("2.4.0", True, "web_backend/geographies/list"),
    ],
)
def test_a_missing_path_is_a_missing_operation(start, release, token_check, path):
    """In each of its three ways; the error names the release that has it, and nothing is repeated."""
    server, client = start(release, token_check=token_check)
    call, since = MISSING[path]
    with pytest.raises(AirbyteOperationMissingError, match=since and re.escape(since)):
        call(client)
    assert server.count(path) <= 1


@pytest.mark.parametrize("release", ["1.8.0", "2.0.0", "2.4.0"])
def test_403_for_what_the_release_has_is_the_role(start, release):
    """4: connections/get is in every release, so 403 is about the role."""
    server, client = start(release, token_check=True)
    server.on("connections/get", b.FORBIDDEN)
    with pytest.raises(AirbytePermissionError):
        get_connection(client)
    assert server.count("connections/get") == 1


@pytest.mark.parametrize("release", ["0.50.8", "0.50.31"])
def test_an_empty_403_for_what_the_release_has(start, release):
    """4: empty up to 0.51; that the server does not tell its release changes nothing."""
    server, client = start(release, token_check=True)
    server.on("connections/get", b.EMPTY_403)
    with pytest.raises(AirbytePermissionError):
        get_connection(client)
    assert server.count("connections/get") == 1


# -- what is no Airbyte (3.1.5) ---------------------------------------------------------------------

STRANGERS = {
    "traefik": b.TRAEFIK_404,
    "default-backend": b.DEFAULT_BACKEND_404,
    "empty": b.EMPTY_404,
    "nginx": b.NGINX_404,
    "kong": b.KONG_404,
    "aws": b.AWS_404,
}
stranger = pytest.mark.parametrize("response", STRANGERS.values(), ids=STRANGERS)
NOT_AIRBYTE = r"(?is)\bno(t|thing)?\b[^.]*\bAirbyte"


@stranger
def test_a_404_of_something_else_is_no_airbyte(start, response):
    """Neither an unknown id nor a missing operation."""
    server, client = start("1.8.0")
    server.respond = lambda _: response
    with pytest.raises(AirbyteResponseError, match=NOT_AIRBYTE):
        get_connection(client)


@stranger
def test_health_of_something_else_is_no_airbyte(start, response):
    """Health is in every release, so its 404 cannot mean anything else."""
    server, client = start("1.8.0")
    server.respond = lambda _: response
    with pytest.raises(AirbyteResponseError, match=NOT_AIRBYTE):
        client.get_health_check()


@stranger
def test_a_wait_outlives_a_404_of_something_else(start, clock, response):
    """While an ingress has no backend, its 404 does not mean that the job is gone."""
    server, client = start("1.8.0")
    airbyte = server.respond
    assert isinstance(airbyte, TrueAirbyte)
    airbyte.jobs = [Job(statuses=["running", "succeeded"])]
    server.on("jobs/get_light", airbyte, response, response, response, airbyte)
    job = wait_for_job(client, JOB, clock=clock, connection_id=b.CONNECTION, polling=Polling(1))
    assert job.status == "succeeded"


# -- unknown ids (3.1.3) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "response"),
    [
        ("0.36.0", b.JERSEY_UNKNOWN_ID),
        ("0.40.20", b.JERSEY_UNKNOWN_ID),
        ("0.40.28", b.MICRO_UNKNOWN_ID_0_40_28),
        ("0.40.32", b.MICRO_UNKNOWN_ID),
        ("0.50.8", b.MICRO_UNKNOWN_ID),
        ("0.57.4", b.MICRO_UNKNOWN_ID),
        ("1.2.0", b.MICRO_UNKNOWN_ID),
        ("1.8.0", b.MICRO_SHORT_UNKNOWN_ID),
        ("2.0.0", b.OPAQUE_404),
        ("2.4.0", b.OPAQUE_404),
    ],
)
def test_an_unknown_connection_is_not_found(start, release, response):
    """404 in four shapes, after one request."""
    server, client = start(release)
    server.on("connections/get", response)
    with pytest.raises(AirbyteNotFoundError) as caught:
        get_connection(client)
    assert server.count("connections/get") == 1
    assert "Secret.java" not in str(caught.value)


READS_BY_ID = {
    "sources/get": lambda client: client.get_source(source_id=b.UNKNOWN),
    "workspaces/get_by_connection_id": lambda client: client.get_workspace_by_connection_id(connection_id=b.UNKNOWN),
}


@pytest.mark.parametrize(
    ("release", "path", "response"),
    [
        ("0.36.0", "sources/get", b.JERSEY_UNKNOWN_SOURCE),
        ("0.40.6", "sources/get", b.JERSEY_UNKNOWN_SOURCE),
        ("0.40.20", "workspaces/get_by_connection_id", b.JERSEY_UNKNOWN_FOR_WORKSPACE),
        ("0.40.28", "workspaces/get_by_connection_id", b.JERSEY_UNKNOWN_FOR_WORKSPACE),
        ("0.50.8", "workspaces/get_by_connection_id", b.JERSEY_UNKNOWN_FOR_WORKSPACE),
        ("0.50.31", "workspaces/get_by_connection_id", b.MICRO_UNKNOWN_ID),
    ],
)
def test_an_unknown_id_is_not_found_though_500(start, release, path, response):
    """500 with the name of ConfigNotFoundException is an unknown id, after one request."""
    server, client = start(release)
    server.on(path, response)
    with pytest.raises(AirbyteNotFoundError):
        READS_BY_ID[path](client)
    assert server.count(path) == 1


@pytest.mark.parametrize(
    ("release", "path", "response"),
    [
        ("0.36.0", "jobs/get", b.JERSEY_UNKNOWN_JOB),
        ("0.40.20", "jobs/get_light", b.JERSEY_UNKNOWN_JOB),
        ("0.40.32", "jobs/get_light", b.MICRO_UNKNOWN_JOB),
        ("0.64.7", "jobs/get_light", b.MICRO_UNKNOWN_JOB),
        ("1.8.0", "jobs/get_light", b.MICRO_SHORT_UNKNOWN_JOB),
        ("1.8.0", "jobs/cancel", b.MICRO_SHORT_UNKNOWN_JOB),
    ],
)
def test_an_unknown_job_is_not_found_though_500(start, release, path, response):
    """Up to 1.8 the text of the 500 says so, which decides after one request."""
    server, client = start(release)
    server.on(path, response)
    calls = {
        "jobs/get": client.get_job_info,
        "jobs/get_light": client.get_job_info_light,
        "jobs/cancel": client.cancel_job,
    }
    with pytest.raises(AirbyteNotFoundError):
        calls[path](id=b.UNKNOWN_JOB)
    assert server.count(path) == 1


def test_an_opaque_500_keeps_its_error_id(start):
    """Since 2.0 a 500 says nothing but its id, which is the only handle to the server's log."""
    server, client = start("2.0.0")
    server.on("jobs/get_light", b.OPAQUE_500)
    with pytest.raises(AirbyteServerError, match=b.ERROR_ID) as caught:
        client.get_job_info_light(id=b.UNKNOWN_JOB)
    assert caught.value.error_id == b.ERROR_ID


@pytest.mark.parametrize("response", [b.MICRO_UNKNOWN_ATTEMPT, b.OPAQUE_404], ids=["micro", "opaque"])
def test_an_unknown_attempt_is_not_found(start, response):
    """404 for an id, not for the path."""
    server, client = start("1.2.0" if response == b.MICRO_UNKNOWN_ATTEMPT else "2.0.0")
    server.on("attempt/get_for_job", response)
    with pytest.raises(AirbyteNotFoundError):
        client.get_attempt_for_job(job_id=JOB, attempt_number=9)
    assert server.count("attempt/get_for_job") == 1


# -- wrong methods and wrong requests (3.1.2, 1.2) --------------------------------------------------


@pytest.mark.parametrize(
    ("release", "response"),
    [("0.57.4", b.MICRO_WRONG_METHOD), ("1.8.0", b.EMPTY_WRONG_METHOD)],
    ids=["0.57.4", "1.8.0"],
)
def test_405_is_no_missing_operation(start, release, response):
    """A path that has other methods is there, and so may be the id: the request was changed on its way."""
    server, client = start(release)
    server.on("connections/get", response)
    with pytest.raises((AirbyteStatusError, AirbyteResponseError), match="405") as caught:
        get_connection(client)
    assert not isinstance(caught.value, AirbyteNotFoundError)
    assert server.count("connections/get") == 1


def test_405_of_the_web_app_is_no_airbyte(start):
    """Up to 1.7 nginx serves the web app, and refuses a POST with a page of its own."""
    server, client = start("1.2.0")
    server.respond = lambda _: b.NGINX_WRONG_METHOD
    with pytest.raises(AirbyteResponseError):
        get_connection(client)


def test_the_wrong_method_500_of_old_releases(start):
    """Up to 0.40.27 a wrong method is a 500, and neither an unknown id nor a missing operation."""
    server, client = start("0.36.0")
    server.on("connections/get", b.JERSEY_WRONG_METHOD)
    with pytest.raises(AirbyteServerError, match="405 Method Not Allowed"):
        get_connection(client)


@pytest.mark.parametrize(
    ("release", "response", "text"),
    [
        ("0.40.20", b.JERSEY_UNKNOWN_FIELD, "Unrecognized field"),
        ("0.40.20", b.JERSEY_MALFORMED, "java.util.UUID"),
        ("1.8.0", b.JSONERROR_MALFORMED, "java.util.UUID"),
    ],
    ids=["unknown-field", "malformed-422", "malformed-400"],
)
def test_a_request_that_cannot_be_read_is_sent_once(start, release, response, text):
    """With the server's reason, from `message` or from `_embedded`, and without its stack."""
    server, client = start(release)
    server.on("connections/get", response)
    with pytest.raises(AirbyteBadRequestError, match=text) as caught:
        get_connection(client)
    assert server.count("connections/get") == 1
    assert "Secret.java" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "error", "text"),
    [
        (b.KNOWN_409, AirbyteConflictError, "A sync is already running"),
        (b.PROBLEM_LOCKED, AirbyteConflictError, "The connection is locked and cannot be modified"),
        (b.KNOWN_423, AirbyteBusyError, "while a sync is running"),
    ],
    ids=["known-409", "problem-409", "known-423"],
)
def test_known_refusals_keep_their_reason(start, response, error, text):
    """2.0 still gives the reason of 409 and 423, as `message` or as `detail`."""
    server, client = start("2.2.0")
    server.on("connections/update", response)
    with pytest.raises(error, match=text):
        client.update_connection(connection_id=b.CONNECTION, name="x")
    assert server.count("connections/update") == 1


# -- the instance (3.1.3, 4) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "response"),
    [
        ("0.36.0", b.JERSEY_MISSING_WITH_NULL_ID),
        ("0.40.28", b.PLAIN_MISSING),
        ("0.50.8", b.EMPTY_403),
        ("0.50.8", b.EMPTY_401),
        ("0.64.7", b.MICRO_FRESH_INSTANCE),
        ("1.8.0", b.MICRO_SHORT_FRESH_INSTANCE),
        ("2.0.0", b.OPAQUE_500),
        ("2.0.0", b.INGRESS_403),
    ],
    ids=["jersey-404", "plain-404", "empty-403", "empty-401", "micro-500", "short-500", "opaque-500", "html-403"],
)
def test_a_refusal_of_the_instance_is_kept(start, clock, release, response):
    """One request within a minute, also by the twin and by the page of a job."""
    server, client = start(release)
    server.on("instance_configuration", response)
    server.on("web_backend/config", b.PLAIN_MISSING)
    for reader in (client, client, client.without_retries()):
        with suppress(AirbyteApiError):
            reader.release()
        clock.sleep(20)
    with suppress(AirbyteApiError):
        job_page(client, connection_id=b.CONNECTION, job_id=JOB, workspace_id=b.WORKSPACE)
    assert server.count("instance_configuration") == 1


def test_a_fresh_instance_is_read_again_later(start, clock):
    """The refusal of a fresh instance is not kept for good."""
    server, client = start("1.2.0")
    server.on("instance_configuration", b.MICRO_FRESH_INSTANCE, server.respond)
    with suppress(AirbyteApiError):
        client.release()
    clock.sleep(3600)
    assert str(client.release()) == "1.2.0"


@pytest.mark.parametrize("token_check", [False, True], ids=["open", "token"])
@pytest.mark.parametrize(("release", "refusal"), [("1.8.0", b.MICRO_SHORT_FRESH_INSTANCE), ("2.4.0", b.OPAQUE_500)])
def test_the_web_app_s_configuration_has_the_release_too(start, release, refusal, token_check):
    """4: web_backend/config is anonymous since 1.7.0."""
    server, client = start(release, token_check=token_check)
    server.on("instance_configuration", refusal)
    assert str(client.release()) == release


def test_a_fresh_instance_lacks_what_its_release_lacks(start):
    """1.8 with a token check: the release from web_backend/config decides that 403 means a missing operation."""
    server, client = start("1.8.0", token_check=True)
    server.on("instance_configuration", b.MICRO_SHORT_FRESH_INSTANCE)
    with pytest.raises(AirbyteOperationMissingError):
        client.list_workspaces()


# -- limits (3.1.4) ---------------------------------------------------------------------------------

STATE = {"stateType": "stream", "connectionId": b.CONNECTION, "streamState": []}


@pytest.mark.parametrize(
    ("release", "response", "limit"),
    [
        ("0.40.20", b.NGINX_413, r"client_max_body_size"),
        ("1.8.0", b.NGINX_413, r"client_max_body_size"),
        ("2.0.0", b.JSONERROR_413, r"(?i)max.request.size"),
    ],
    ids=["basic-proxy", "web-app", "server"],
)
def test_too_large_a_request_is_not_repeated(start, release, response, limit):
    """Another try cannot help; the error names the limit to raise."""
    server, client = start(release)
    server.on("state/create_or_update", response)
    with pytest.raises(AirbyteApiError, match=limit) as caught:
        client.create_or_update_state(connection_id=b.CONNECTION, connection_state=STATE)
    assert not caught.value.retryable
    assert server.count("state/create_or_update") == 1


STARTS_WORK = {
    "discover": ("sources/discover_schema", lambda client: client.discover_schema_for_source(source_id=b.SOURCE)),
    "refreshed": (
        "web_backend/connections/get",
        lambda client: client.web_backend_discover_connection(connection_id=b.CONNECTION),
    ),
}


@pytest.mark.parametrize("what", STARTS_WORK)
@pytest.mark.parametrize(
    ("response", "error"),
    [(CLOSE, AirbyteUnreachableError), (b.NGINX_502, AirbyteServerError), (b.NGINX_504, AirbyteServerError)],
    ids=["closed", "502", "504"],
)
@pytest.mark.parametrize("release", ["0.40.6", "0.50.31", "1.8.0"])
def test_a_discovery_is_not_repeated(start, release, response, error, what):
    """Each repetition would run the connector once more, beside the run that goes on."""
    server, client = start(release)
    path, call = STARTS_WORK[what]
    server.on(path, response)
    with pytest.raises(error):
        call(client)
    assert server.count(path) == 1


@pytest.mark.parametrize("response", [CLOSE, b.NGINX_502, b.NGINX_504], ids=["closed", "502", "504"])
def test_a_read_is_repeated(start, response):
    """A read that starts nothing on the server is repeated after the same failures."""
    server, client = start("1.8.0")
    server.on("connections/get", response, response, server.respond)
    assert client.get_connection(connection_id=b.CONNECTION).connection_id == b.CONNECTION
    assert server.count("connections/get") == 3


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("connections/sync", lambda client: client.sync_connection(connection_id=b.CONNECTION)),
        ("connections/reset", lambda client: client.reset_connection(connection_id=b.CONNECTION)),
        ("connections/clear", lambda client: client.clear_connection(connection_id=b.CONNECTION)),
        ("jobs/cancel", lambda client: client.cancel_job(id=JOB)),
    ],
)
def test_what_starts_or_stops_is_not_repeated(start, path, call):
    """After the 5 minutes the server closes the connection, and what was started goes on."""
    server, client = start("1.8.0")
    server.on(path, CLOSE)
    with pytest.raises(AirbyteUnreachableError) as caught:
        call(client)
    assert caught.value.was_sent
    assert server.count(path) == 1


# -- deletions (3.1.3) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "response"), [("1.8.0", b.NO_CONTENT), ("0.40.28", b.EMPTY_200)], ids=["204", "200"]
)
def test_a_deletion_has_no_body(start, release, response):
    """204; 0.40.28 alone has 200 without a body and without a content type."""
    server, client = start(release)
    server.on("connections/delete", response)
    assert client.delete_connection(connection_id=b.CONNECTION) is None
    assert server.count("connections/delete") == 1


# -- signing in (4) ---------------------------------------------------------------------------------


def test_a_slow_token_endpoint_is_tried_again(start):
    """3.1.4: 408 after a second, since 1.6.0."""
    server, client = start("1.8.0", token_check=True, **CREDENTIALS)
    server.on("applications/token", b.PROBLEM_408, server.respond)
    assert client.get_connection(connection_id=b.CONNECTION).name == "Orders"
    assert server.count("applications/token") == 2


@pytest.mark.parametrize(
    ("release", "response"),
    [
        ("0.64.7", b.COMMUNITY_TOKEN_400),
        ("1.8.0", b.COMMUNITY_TOKEN_400),
        ("2.4.0", b.COMMUNITY_TOKEN_400),
        ("0.57.4", b.KEYCLOAK_TOKEN_401),
        ("1.2.0", b.KEYCLOAK_TOKEN_500),
        ("2.0.0", b.OPAQUE_500),
        ("2.2.0", b.OPAQUE_401),
        ("1.8.0", b.DATABASE_TOKEN_500),
    ],
    ids=[
        *("community-0.64.7", "community-1.8.0", "community-2.4.0", "keycloak-401", "keycloak-500"),
        *("keycloak-opaque-500", "keycloak-opaque-401", "database-500"),
    ],
)
def test_wrong_client_credentials(start, release, response):
    """In each set-up; neither the connection nor the operation is blamed, and the secret is not shown."""
    server, client = start(release, token_check=True, **CREDENTIALS)
    server.on("applications/token", response)
    server.on(b.PUBLIC_TOKEN_PATH, response)
    with pytest.raises(AirbyteAuthenticationError) as caught:
        get_connection(client)
    assert CLIENT_SECRET not in str(caught.value)
    assert server.count("connections/get") == 0


@pytest.mark.parametrize("release", ["0.57.4", "1.2.0", "1.8.0", "2.4.0"])
def test_no_token_endpoint_means_no_authentication(start, release):
    """PLAIN 404 at both paths: the server wants no credentials, and the error is about that."""
    server, client = start(release, **CREDENTIALS)
    server.on("applications/token", b.PLAIN_MISSING)
    with pytest.raises(AirbyteError, match=r"(?i)authentication[^.]*\b(off|disabled|not enabled)\b"):
        get_connection(client)
    assert server.count("applications/token") == 1


@pytest.mark.parametrize("settings", [{}, {"token": "stale"}, CREDENTIALS], ids=["none", "token", "client-credentials"])
@pytest.mark.parametrize("release", ["0.40.20", "0.50.31", "0.57.4"])
def test_a_basic_proxy_is_named(start, release, settings):
    """The page with "Nope." is no web app: the proxy wants a user name and a password."""
    server, client = start(release, **settings)
    server.respond = lambda _: b.BASIC_PROXY_401
    with pytest.raises(AirbyteAuthenticationError, match="Basic"):
        get_connection(client)


def test_a_basic_proxy_guards_health_too(start):
    """Health is anonymous on every server, and not behind the proxy."""
    server, client = start("0.40.20")
    server.respond = lambda _: b.BASIC_PROXY_401
    with pytest.raises(AirbyteAuthenticationError, match="Basic"):
        client.get_health_check()
    assert server.count("health") == 1


def test_the_password_that_a_basic_proxy_refuses(start):
    """Wrong credentials get the same page as none."""
    server, client = start("0.40.32", username="airbyte", password="wrong-word")
    server.respond = lambda _: b.BASIC_PROXY_401
    with pytest.raises(AirbyteAuthenticationError) as caught:
        get_connection(client)
    assert server.count("connections/get") == 1
    assert "wrong-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("release", "response"),
    [
        ("0.50.31", b.EMPTY_401),
        ("1.8.0", b.UNAUTHORIZED),
        ("1.8.0", b.CHALLENGE_401),
        ("2.4.0", b.UNAUTHORIZED),
    ],
    ids=["empty", "1.8", "1.8-challenge", "2.4"],
)
def test_a_bad_token_is_refused_once(start, release, response):
    """401 with and without a challenge; a token that the user keeps cannot be bought again."""
    server, client = start(release, token_check=True, token="stale")
    server.on("connections/get", response)
    with pytest.raises(AirbyteAuthenticationError):
        get_connection(client)
    assert server.count("connections/get") == 1


def test_a_json_challenge_is_not_called_a_proxy(start):
    """1.3 - 2.1: the community edition itself challenges; no proxy is to be looked for."""
    server, client = start("1.8.0", token_check=True, token="stale")
    server.on("connections/get", b.CHALLENGE_401)
    with pytest.raises(AirbyteAuthenticationError) as caught:
        get_connection(client)
    assert "proxy" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("release", "refusal"), [("0.50.31", b.EMPTY_401), ("1.8.0", b.CHALLENGE_401), ("2.4.0", b.UNAUTHORIZED)]
)
def test_an_expired_token_is_bought_again(start, clock, release, refusal):
    """After a 401, one new token and one repetition."""
    server, client = start(release, token_check=True, **CREDENTIALS)
    airbyte = server.respond
    assert isinstance(airbyte, TrueAirbyte)
    first, second = (token_ending_at(clock.time() + 900, word=word) for word in ("first", "second"))
    airbyte.tokens = {second}
    server.on("applications/token", *(b.http("200 OK", f'{{"access_token":"{token}"}}') for token in (first, second)))
    server.on("connections/get", refusal, airbyte)
    assert client.get_connection(connection_id=b.CONNECTION).name == "Orders"
    assert server.count("connections/get") == 2
    assert server.count("applications/token") == 2


@pytest.mark.parametrize("release", ["2.2.0", "2.4.0"])
def test_basic_is_refused_since_2_2(start, release):
    """The error names the release that stopped it, and client credentials, which take its place."""
    server, client = start(release, token_check=True, username="admin@example.com", password="pass-word")
    with pytest.raises(AirbyteAuthenticationError, match=r"(?is)2\.2.*client|client.*2\.2") as caught:
        client.get_connection(connection_id=b.CONNECTION)
    assert server.count("connections/get") == 1
    assert "pass-word" not in str(caught.value)


# -- several workspaces (6) -------------------------------------------------------------------------

OTHER_WORKSPACE = "66666666-6666-4666-8666-666666666666"


def test_403_for_two_workspaces_is_no_missing_operation(start):
    """2.4 refuses a request that names two workspaces; the operation is there, and works for each of them."""
    server, client = start("2.4.0", token_check=True)
    airbyte = server.respond
    assert isinstance(airbyte, TrueAirbyte)
    path = "jobs/list_for_workspaces"
    server.on(path, lambda got: b.FORBIDDEN if len(got.json["workspaceIds"]) > 1 else airbyte(got))
    with suppress(AirbytePermissionError):
        client.list_jobs_for_workspaces(config_types=["sync"], workspace_ids=[b.WORKSPACE, OTHER_WORKSPACE])
    one = client.list_jobs_for_workspaces(config_types=["sync"], workspace_ids=[b.WORKSPACE])
    assert [entry.job.id for entry in one.jobs] == [JOB]
