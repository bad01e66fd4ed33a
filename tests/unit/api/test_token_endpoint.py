"""Where tokens are bought, and how long they live."""

from __future__ import annotations

import base64
import json

import pytest

from airflow_airbyte_ext.exceptions import AirbyteAuthenticationError, AirbyteUnreachableError

CREDENTIALS = {"client_id": "an-id", "client_secret": "a-secret"}
HEALTH = "/v1/health"


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


def bought_after(stub, connect_to, clock, seconds: float, **token: object) -> int:
    """How many tokens two operations buy that are so many seconds apart."""
    stub.response("/v1/applications/token", token)
    stub.response(HEALTH, {"available": True})
    client = connect_to(stub.url, **CREDENTIALS)
    client.get_health_check()
    clock.sleep(seconds)
    client.get_health_check()
    return len(stub.seen("/applications/token"))


def test_the_config_api_has_its_own_token_endpoint(stub, connect_to):
    """It wants JSON with client id and secret, and nothing else."""
    stub.response("/api/v1/applications/token", {"access_token": "abc"})
    stub.response(HEALTH, {"available": True})
    connect_to(stub.url, **CREDENTIALS).get_health_check()
    request = stub.requests[0]
    assert (request.method, request.path) == ("POST", "/api/v1/applications/token")
    assert request.json == CREDENTIALS
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert stub.requests[1].headers["authorization"] == "Bearer abc"


def test_the_public_twin_is_asked_where_the_first_is_missing(stub, connect_to):
    """An Airbyte may serve tokens at the public API only, which wants the grant named."""
    stub.response(
        "/api/public/v1/applications/token", {"access_token": "abc", "expires_in": 180, "token_type": "Bearer"}
    )
    stub.response(HEALTH, {"available": True})
    connect_to(stub.url, **CREDENTIALS).get_health_check()
    assert stub.seen("/public/v1/applications/token")[0].json == {**CREDENTIALS, "grant-type": "client_credentials"}


def test_a_given_token_url_is_the_only_one_asked(stub, connect_to):
    """Nothing is guessed where the address is known."""
    stub.response("/sso/token", {"access_token": "abc"})
    stub.response(HEALTH, {"available": True})
    connect_to(stub.url, **CREDENTIALS, token_url=f"{stub.url}/sso/token").get_health_check()
    assert [request.path for request in stub.requests] == ["/sso/token", "/api/v1/health"]


def test_tokens_for_cloud_come_from_its_public_api(stub, connect_to):
    """Seen from a proxy: the first tunnel requested is to api.airbyte.com."""
    client = connect_to("https://cloud.airbyte.com", **CREDENTIALS, proxies={"https": stub.url}, attempts=1)
    with pytest.raises(AirbyteUnreachableError, match="proxy"):
        client.get_health_check()
    assert {request.path for request in stub.requests} == {"api.airbyte.com:443"}


def test_an_airbyte_without_token_endpoint_says_what_to_choose(stub, connect_to):
    """Releases before 0.50.38 have none: the error names the setting and the other kinds."""
    with pytest.raises(AirbyteAuthenticationError, match=r"token_url.*none.*basic"):
        connect_to(stub.url, **CREDENTIALS).get_health_check()


@pytest.mark.parametrize(("seconds", "tokens"), [(100, 1), (3000, 1), (3599, 2)])
def test_the_tokens_own_exp_decides(stub, connect_to, clock, seconds, tokens):
    """Releases were seen to report a wrong expires_in: the JWT is right."""
    token = jwt(exp=clock.time() + 3600)
    assert bought_after(stub, connect_to, clock, seconds, access_token=token, expires_in=180) == tokens


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "..", jwt(sub="no exp"), jwt(exp="soon"), jwt(exp=None)])
@pytest.mark.parametrize(("seconds", "tokens"), [(140, 1), (179, 2)])
def test_without_exp_the_answer_decides(stub, connect_to, clock, token, seconds, tokens):
    """A token that is no JWT, or one without exp, lives for expires_in seconds."""
    assert bought_after(stub, connect_to, clock, seconds, access_token=token, expires_in=180) == tokens


@pytest.mark.parametrize(("seconds", "tokens"), [(80, 1), (119, 2)])
@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt(exp=[1])])
def test_without_any_hint_a_token_lives_two_minutes(stub, connect_to, clock, token, seconds, tokens):
    """The shortest lifetime of any Airbyte is three minutes."""
    assert bought_after(stub, connect_to, clock, seconds, access_token=token) == tokens


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_a_server_whose_clock_is_wrong_does_no_harm(stub, connect_to, clock, skew):
    """With iat beside exp the lifetime is known, whatever the time is over there."""
    token = jwt(iat=clock.time() + skew, exp=clock.time() + skew + 900)
    assert bought_after(stub, connect_to, clock, 600, access_token=token) == 1


def test_a_token_answer_without_token_is_an_error_of_ours(stub, connect_to):
    """A token endpoint that returns something else is not taken for one."""
    stub.response("/v1/applications/token", {"ok": True})
    with pytest.raises(AirbyteAuthenticationError, match="token"):
        connect_to(stub.url, **CREDENTIALS).get_health_check()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("body", [{"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}, {"message": "Not Found"}, b""])
def test_a_token_endpoint_that_is_not_there_ends_in_an_error(stub, connect_to, body):
    """A 404 that could be an unknown id or path: to find out which, no token may be needed."""
    stub.response("/sso/token", body, status=404)
    stub.response("/v1/instance_configuration", {"version": "2.0.0"})
    client = connect_to(stub.url, **CREDENTIALS, token_url=f"{stub.url}/sso/token")
    with pytest.raises(AirbyteAuthenticationError, match="token_url"):
        client.get_health_check()
