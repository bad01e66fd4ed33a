"""What goes over the wire, for how long it is waited for, and what is never followed."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import pytest

import airflow_airbyte_ext
from airflow_airbyte_ext.api.settings import ClientSettings
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteError,
    AirbyteRequestTimeoutError,
    AirbyteResponseError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.testing import Fault, Step


def test_requests_say_who_asks(airbyte, client):
    """The User-Agent has our name and version, for whoever reads the server's log."""
    client.get_health_check()
    agent = airbyte.journal[0].headers["user-agent"]
    assert agent.startswith(f"airflow-airbyte-ext/{airflow_airbyte_ext.__version__}")
    assert airbyte.journal[0].headers["accept"] == "application/json"


def test_extra_headers_go_with_every_request(start_fake, connect):
    """Gateways want keys, also where tokens are bought; a User-Agent of the user's own wins."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    client = connect(airbyte, headers={"X-Api-Key": "key", "User-Agent": "mine/1"})
    client.get_connection(connection_id=connection_id)
    assert len(airbyte.journal) == 2
    assert {request.headers["x-api-key"] for request in airbyte.journal} == {"key"}
    assert {request.headers["user-agent"] for request in airbyte.journal} == {"mine/1"}


@pytest.mark.parametrize(
    "settings", [{"headers": {"X-Api-Key": "hunter2\n"}}, {"headers": {"X Key": "hunter2"}}, {"token": "hunter2\n"}]
)
def test_what_cannot_be_a_header_is_a_mistake_in_the_settings(airbyte, connect, clock, settings):
    """A pasted secret with a line end is the commonest mistake: told by its field, or forgiven, never retried."""
    try:
        connect(airbyte, **settings).get_health_check()
    except AirbyteError as error:
        message = str(error)
        assert next(iter(settings)) in message
        assert "hunter2" not in message
    assert clock.sleeps == []


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Content-Type", "EXPECT"])
def test_framing_headers_are_refused(name) -> None:
    """A length or an encoding of somebody's own cuts requests in two, on this server or on a proxy before it."""
    with pytest.raises(AirbyteConfigurationError, match=f"headers: {name} is set for each request"):
        ClientSettings(base_url="http://airbyte.example.com", headers={name: "5"})


@pytest.mark.parametrize("settings", [{"headers": {"X-Api-Key": "schlüssel-→"}}, {"token": "hunter2-→"}])
def test_letters_that_no_header_carries_are_an_error_of_ours(airbyte, connect, settings):
    """Not an encoding error from three libraries below."""
    with pytest.raises(AirbyteError) as caught:
        connect(airbyte, **settings).get_health_check()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "/airbyte", "/a/b"])
def test_a_path_prefix_is_kept(start_fake, connect_to, prefix):
    """Behind an ingress the API sits under a path."""
    airbyte = start_fake(path_prefix=prefix)
    assert connect_to(f"{airbyte.url}/api/public/v1").get_health_check().available
    assert airbyte.journal[0].path == f"{prefix}/api/v1/health"


@contextmanager
def silent_server():
    """A server that takes requests and never responses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []
        threading.Thread(target=lambda: _accept_all(server, kept), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for connection in kept:
            connection.close()


def _accept_all(server, kept) -> None:
    while True:
        try:
            kept.append(server.accept()[0])
        except OSError:
            return


def test_an_answer_that_does_not_come_in_time_has_an_unknown_outcome(connect_to):
    """The time-out of the settings ends the wait for a read."""
    with silent_server() as url:
        started = time.monotonic()
        with pytest.raises(AirbyteRequestTimeoutError, match="in time") as caught:
            connect_to(url, timeout=0.1, attempts=1).get_health_check()
        assert time.monotonic() - started < 5
    assert caught.value.was_sent is True
    assert caught.value.operation == "getHealthCheck"


def test_a_slow_airbyte_is_asked_again(airbyte, connect):
    """A read that timed out is repeated."""
    airbyte.fail_next("getHealthCheck", Fault.delay(1.0))
    assert connect(airbyte, timeout=0.15).get_health_check().available
    assert len(airbyte.calls("getHealthCheck")) == 2


@pytest.mark.parametrize("operation", ["sync", "reset", "cancel"])
def test_operations_on_which_airbyte_waits_are_given_longer(airbyte, connect, operation):
    """A sync responds when it runs: a short time-out for reads does not cut it off."""
    connection_id = airbyte.add_connection()
    client = connect(airbyte, timeout=0.1)
    airbyte.fail_next(
        {"sync": "syncConnection", "reset": "resetConnection", "cancel": "cancelJob"}[operation], Fault.delay(0.4)
    )
    if operation == "cancel":
        airbyte.script(connection_id, [Step("running")])
        assert client.cancel_job(id=airbyte.start_job(connection_id)).job.status == "cancelled"
    else:
        assert getattr(client, f"{operation}_connection")(connection_id=connection_id).job.id == 1


def test_a_host_that_does_not_exist_is_said_to_be_one(connect_to):
    """The error shows the address: it is the first thing to check."""
    with pytest.raises(AirbyteUnreachableError, match=r"airbyte\.invalid") as caught:
        connect_to("http://airbyte.invalid", attempts=1).get_health_check()
    assert caught.value.was_sent is False


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", ["basic", "bearer", "none"])
def test_a_redirect_is_never_followed(start_fake, connect, stub, status, auth):
    """Credentials go to the address that was given, and nowhere else; the error shows where it would have led."""
    airbyte = start_fake("1.0", auth=auth)
    stub.response("/login", {"available": True})
    airbyte.fail_next("getConnection", Fault.redirect(f"{stub.url}/login?token=abc", status))
    with pytest.raises(AirbyteResponseError, match=rf"redirects to {stub.url}/login"):
        connect(airbyte).get_connection(connection_id="99999999-9999-4999-8999-999999999999")
    assert stub.requests == []
    assert len(airbyte.journal) == 1


def test_a_redirected_token_request_carries_no_secret_away(start_fake, connect, stub):
    """Client credentials stay with the token endpoint that was meant."""
    airbyte = start_fake(auth="client_credentials")
    airbyte.fail_next("applicationTokenRequest", Fault.redirect(f"{stub.url}/login", 307))
    airbyte.fail_next("publicCreateAccessToken", Fault.redirect(f"{stub.url}/login", 307))
    with pytest.raises(AirbyteError):
        connect(airbyte).get_connection(connection_id="99999999-9999-4999-8999-999999999999")
    assert stub.requests == []


def test_closing_twice_is_allowed(airbyte, connect):
    """A client is a context manager, and may be closed again."""
    client = connect(airbyte)
    with client:
        client.get_health_check()
    client.close()
