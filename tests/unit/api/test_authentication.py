"""Signing in: every kind, tokens that are bought and renewed, and one clear error for wrong credentials."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_airbyte_ext.exceptions import AirbyteAuthenticationError
from airflow_airbyte_ext.testing import Fault

TOKEN_OPERATION = "applicationTokenRequest"
NOWHERE = "99999999-9999-4999-8999-999999999999"


@pytest.mark.parametrize(
    ("era", "auth"),
    [
        ("2.0", "none"),
        ("0.40", "basic"),
        ("0.50", "basic"),
        ("1.0", "bearer"),
        ("1.0", "client_credentials"),
        ("2.0", "client_credentials"),
        ("head", "client_credentials"),
    ],
)
def test_the_right_credentials_open_the_door(start_fake, connect, era, auth):
    """Every kind of authentication works, on every era that has it."""
    airbyte = start_fake(era, auth=auth)
    connection_id = airbyte.add_connection()
    assert connect(airbyte).get_connection(connection_id=connection_id).connection_id == connection_id


def test_no_authentication_sends_no_credentials(airbyte, client, monkeypatch, tmp_path):
    """Not even those of a ~/.netrc, which may be another service's."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    client.get_health_check()
    assert "authorization" not in airbyte.journal[0].headers


def test_basic_credentials_may_hold_any_letter(start_fake, connect):
    """Letters outside ASCII go as UTF-8."""
    airbyte = start_fake("0.40", auth="basic", username="zoë", password="pässwörd €")
    connect(airbyte).get_health_check()
    pair = base64.b64encode("zoë:pässwörd €".encode()).decode()
    assert airbyte.journal[-1].headers["authorization"] == f"Basic {pair}"


@pytest.mark.parametrize(("era", "auth", "wrong"), [("0.50", "basic", "password"), ("1.0", "bearer", "token")])
def test_wrong_fixed_credentials_are_told_at_once(start_fake, connect, era, auth, wrong):
    """Basic (an HTML 401 from nginx) and bearer (an empty one): one request, one error, nothing repeated."""
    airbyte = start_fake(era, auth=auth)
    with pytest.raises(AirbyteAuthenticationError, match="credentials") as caught:
        connect(airbyte, **{wrong: "wrong-hunter2"}).get_connection(connection_id=NOWHERE)
    assert len(airbyte.journal) == 1
    assert caught.value.http_status == 401
    assert "hunter2" not in str(caught.value)
    assert not caught.value.retryable


def test_a_token_is_bought_once_and_used_again(start_fake, connect):
    """Ten operations need one token."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    for _ in range(10):
        client.get_connection(connection_id=connection_id)
    assert len(airbyte.calls(TOKEN_OPERATION)) == 1


@pytest.mark.parametrize("lifetime", [20, 180, 900, 86_400])
def test_a_token_is_renewed_before_it_ends(start_fake, connect, clock, lifetime):
    """However long a token lives, no operation ever meets a 401."""
    airbyte = start_fake(auth="client_credentials", token_lifetime=lifetime)
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    for _ in range(60):
        client.get_connection(connection_id=connection_id)
        clock.sleep(lifetime / 20)
    assert {request.status for request in airbyte.journal} == {200}
    assert 3 <= len(airbyte.calls(TOKEN_OPERATION)) <= 5


def test_a_refused_token_is_renewed_once_and_the_operation_repeated(start_fake, connect):
    """A restarted Airbyte forgets tokens; nobody notices."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    client.get_connection(connection_id=connection_id)
    airbyte.revoke_tokens()
    client.sync_connection(connection_id=connection_id)
    assert len(airbyte.calls(TOKEN_OPERATION)) == 2
    assert [request.status for request in airbyte.calls("syncConnection")] == [401, 200]


def test_a_new_token_that_is_refused_too_is_the_end(start_fake, connect):
    """Two 401 in a row: the operation was sent twice, and not a third time."""
    airbyte = start_fake(auth="client_credentials")
    client = connect(airbyte)
    airbyte.fail_next("getConnection", Fault.status(401, ""), times=2)
    with pytest.raises(AirbyteAuthenticationError):
        client.get_connection(connection_id=NOWHERE)
    assert len(airbyte.calls("getConnection")) == 2
    assert len(airbyte.calls(TOKEN_OPERATION)) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": "Bad Request", "_embedded": {"errors": [{"message": "Invalid client id or token"}]}}),
        (401, {"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}),
        (401, ""),
        (403, {"message": "Forbidden"}),
        (422, {"message": "Invalid input"}),
        (500, {"message": "Internal Server Error: not yet implemented", "exceptionClassName": "java.lang.X"}),
        (500, {"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}),
    ],
)
def test_wrong_client_credentials_are_one_error_whatever_the_status(start_fake, connect, status, body):
    """400, 401 and 500 all mean: check client id and secret."""
    airbyte = start_fake(auth="client_credentials")
    airbyte.fail_next(TOKEN_OPERATION, Fault.status(status, body), times=5 if status == 500 else 1)
    with pytest.raises(AirbyteAuthenticationError, match="client id and secret") as caught:
        connect(airbyte).get_connection(connection_id=NOWHERE)
    assert airbyte.calls("getConnection") == []
    assert "fake-client-secret" not in f"{caught.value}{caught.value!r}"
    assert caught.value.http_status == status


@pytest.mark.parametrize("era", ["1.0", "2.0", "head"])
def test_wrong_client_credentials_on_a_real_server(start_fake, connect, era):
    """The error is the same in each era, though the servers' responses differ."""
    airbyte = start_fake(era, auth="client_credentials")
    with pytest.raises(AirbyteAuthenticationError, match="client id and secret"):
        connect(airbyte, client_secret="wrong-hunter2").get_connection(connection_id=NOWHERE)


def test_a_token_endpoint_that_is_down_for_a_moment_is_asked_again(start_fake, connect):
    """The server gives it one second, so its time-outs pass."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    airbyte.fail_next(TOKEN_OPERATION, Fault.status(503), times=2)
    assert connect(airbyte).get_connection(connection_id=connection_id)


def test_a_token_endpoint_that_stays_down_is_not_asked_over_and_over(start_fake, connect):
    """Tries do not multiply: five for the token times five for the operation would be twenty-five."""
    airbyte = start_fake(auth="client_credentials")
    airbyte.fail_next(TOKEN_OPERATION, Fault.status(503), times=25)
    with pytest.raises(Exception, match="503"):
        connect(airbyte).get_connection(connection_id=NOWHERE)
    requested = len(airbyte.calls(TOKEN_OPERATION))
    airbyte.reset()
    assert requested <= 5


def test_a_token_that_could_not_be_bought_leaves_a_write_unsent(start_fake, connect):
    """A sync whose token endpoint is down was surely not started."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    airbyte.fail_next(TOKEN_OPERATION, Fault.status(503), times=5)
    with pytest.raises(Exception, match="503"):
        connect(airbyte).sync_connection(connection_id=connection_id)
    assert airbyte.calls("syncConnection") == []


def test_threads_share_one_renewal(start_fake, connect, clock):
    """Twenty threads whose token ended buy one new token, not twenty."""
    airbyte = start_fake(auth="client_credentials", token_lifetime=180)
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    client.get_connection(connection_id=connection_id)
    clock.sleep(179)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: client.get_connection(connection_id=connection_id), range(40)))
    assert len(found) == 40
    assert len(airbyte.calls(TOKEN_OPERATION)) == 2
    assert {request.status for request in airbyte.journal} == {200}


def test_threads_whose_token_is_refused_do_not_throw_away_the_new_one(start_fake, connect):
    """After a revocation each thread gets through, with few purchases."""
    airbyte = start_fake(auth="client_credentials")
    connection_id = airbyte.add_connection()
    client = connect(airbyte)
    client.get_connection(connection_id=connection_id)
    airbyte.revoke_tokens()
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: client.get_connection(connection_id=connection_id), range(40)))
    assert len(found) == 40
    assert len(airbyte.calls(TOKEN_OPERATION)) == 2
