"""Credentials go to the Airbyte that they are for, and nowhere else; names from elsewhere are made fit for a log."""

from __future__ import annotations

import logging
import traceback
from urllib.parse import urlsplit

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings, origins
from airflow_airbyte_ext.api.airflow_connection import AirflowConnection, extra_object, settings_of
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteError

UUID = "99999999-9999-4999-8999-999999999999"
SECRET = "hunter2-hunter2"
ODD = "a\nb\x1b[31mc\u202ed" + "x" * 5000


@pytest.mark.parametrize("conn_type", ["postgres", "mysql", "generic", "aws", "AIRBYTE", "airbyte_config", ODD])
def test_a_connection_of_something_else_is_refused(conn_type):
    """The password of a database does not go to the database's host over http."""
    connection = AirflowConnection(conn_type, "db.example.com", login="u", password=SECRET)
    with pytest.raises(AirbyteConfigurationError, match="nothing was sent to it") as caught:
        settings_of(connection, name="Airflow Connection 'pg'")
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("conn_type", ["airbyteconfig", "airbyte", "http", "https", "", None])
def test_a_connection_of_an_airbyte_is_taken(conn_type):
    """Also one in JSON that lacks the type, and those of the official provider, whose 3.x was Airflow's HttpHook."""
    connection = AirflowConnection(conn_type, "https://airbyte.example.com", login="u", password=SECRET)
    assert settings_of(connection, name="c").auth_kind == "basic"


@pytest.fixture
def elsewhere(stub):
    """The same server under another host, and so of another origin; it gives a cookie with every response."""
    stub.response("/sso/token", {"access_token": "abc"}, Set_Cookie="sso=1")
    stub.response("/v1/health", {"available": True}, Set_Cookie="airbyte=1; Domain=localhost; Path=/")
    return stub.url.replace("127.0.0.1", "localhost")


def test_a_token_endpoint_of_another_origin_gets_nothing_of_airbytes(stub, connect_to, elsewhere, clock):
    """No extra header, no cookie; and Airbyte gets none of its cookies."""
    client = connect_to(
        stub.url,
        client_id="an-id",
        client_secret="a-secret",
        token_url=f"{elsewhere}/sso/token",
        headers={"X-Api-Key": SECRET, "Cookie": f"session={SECRET}"},
    )
    for _ in range(3):
        client.get_health_check()
        clock.sleep(10_000)
    bought = stub.seen("/sso/token")
    assert len(bought) == 3
    assert not [request for request in bought if SECRET in str(request.headers) or "x-api-key" in request.headers]
    assert "cookie" not in bought[0].headers
    assert [request.headers["x-api-key"] for request in stub.seen("/v1/health")] == [SECRET] * 3
    assert [request.headers["cookie"] for request in stub.seen("/v1/health")] == [f"session={SECRET}"] * 3


def test_a_token_endpoint_of_airbytes_origin_gets_the_headers(stub, connect_to, elsewhere):
    """A gateway before Airbyte wants them for every path."""
    settings = {"client_id": "an-id", "client_secret": "a-secret", "headers": {"X-Api-Key": "key"}}
    connect_to(stub.url, token_url=f"{stub.url}/sso/token", **settings).get_health_check()
    assert stub.seen("/sso/token")[0].headers["x-api-key"] == "key"


def test_a_token_endpoint_of_another_origin_gets_nothing_of_a_netrc(stub, connect_to, elsewhere, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text(f"machine localhost login somebody password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    connect_to(stub.url, client_id="i", client_secret="s", token_url=f"{elsewhere}/sso/token").get_health_check()
    assert "authorization" not in stub.seen("/sso/token")[0].headers


@pytest.mark.parametrize("odd", ["../../x", f"{UUID}/../..", "%2e%2e%2f", f"{UUID}\x00", "", "a" * 36, "/etc/passwd"])
def test_an_id_that_is_none_is_refused_before_anything_is_sent(stub, connect_to, odd):
    """No part of a request's path, and no folder's name, comes from outside."""
    client = connect_to(stub.url)
    for call in (
        lambda: client.get_connection(connection_id=odd),
        lambda: client.sync_connection(connection_id=odd),
        lambda: client.reset_connection(connection_id=odd),
        lambda: client.get_state(connection_id=odd),
        lambda: client.create_or_update_state(connection_id=odd, connection_state={}),
        lambda: client.list_connections_for_workspace(workspace_id=odd),
    ):
        with pytest.raises(AirbyteConfigurationError):
            call()
    assert stub.requests == []


def test_the_client_certificate_is_shown_to_airbyte_alone():
    settings = ClientSettings(
        base_url="https://airbyte.example.com", client_cert="/etc/cert.pem", headers={"X-Api-Key": SECRET}
    )
    airbytes = ({"X-Api-Key": SECRET}, "/etc/cert.pem")
    for own in ("https://airbyte.example.com/api/v1/health", "https://AIRBYTE.example.com:443/sso/token"):
        assert origins.meant_for(own, settings) == airbytes
    for other in (
        "https://sso.example.com/api/token",
        "http://airbyte.example.com/api",
        "https://airbyte.example.com:8443",
        "https://airbyte.example.com.evil.example/api/v1/health",
    ):
        assert origins.meant_for(other, settings) == ({}, None)


def test_proxies_stay_for_a_token_endpoint_of_another_origin(stub, connect_to):
    """A company's way out is the same for both."""
    client = connect_to(
        "http://airbyte.invalid",
        client_id="an-id",
        client_secret="a-secret",
        token_url="http://sso.invalid/token",
        proxies={"http": stub.url},
        attempts=1,
    )
    stub.response("/token", {"access_token": "abc"})
    stub.response("/v1/health", {"available": True})
    client.get_health_check()
    assert [request.path for request in stub.requests] == [
        "http://sso.invalid/token",
        "http://airbyte.invalid/api/v1/health",
    ]


@pytest.fixture
def warnings_of(caplog, monkeypatch):
    """Make clients in a process that has not warned yet; returns the warnings."""
    monkeypatch.setattr(origins, "_warned", set())

    def make(*settings: dict[str, object]) -> list[str]:
        caplog.clear()
        for each in settings:
            AirbyteClient(ClientSettings(**each)).close()
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    return make


BASIC = {"username": "u", "password": SECRET}


def test_plain_http_with_credentials_is_told_once_for_each_host(warnings_of):
    one, other = ({"base_url": f"http://{host}.example.com", **BASIC} for host in "ab")
    shown = warnings_of(one, one, other, {**one, "base_url": "http://a.example.com:8000"})
    assert ["a.example.com" in line for line in shown] == [True, False]
    assert all("plain http" in line and SECRET not in line for line in shown)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "https://a.example.com", **BASIC},
        {"base_url": "http://a.example.com"},
        {"base_url": "http://a.example.com", "headers": {"X-Team": "data"}},
        *(
            {"base_url": f"http://{host}:8000", **BASIC}
            for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost")
        ),
    ],
    ids=str,
)
def test_nothing_is_told_where_nobody_can_listen_or_nothing_is_said(warnings_of, settings):
    assert warnings_of(settings) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://a.example.com", "token": "t"},
        {"base_url": "http://a.example.com", "headers": {"X-Api-Key": "k"}},
        {"base_url": "http://a.example.com", "headers": {"Cookie": "k"}},
        {
            "base_url": "https://a.example.com",
            "client_id": "i",
            "client_secret": "s",
            "token_url": "http://b.example.com",
        },
    ],
    ids=str,
)
def test_every_kind_of_credentials_counts(warnings_of, settings):
    assert len(warnings_of(settings)) == 1


@pytest.mark.parametrize("field", ["base_url", "token_url"])
@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example.com", "a..example.com", ".example.com", "é" * 60 + ".example.com"]
)
def test_a_host_that_dns_cannot_carry_is_refused_by_name(field, host):
    """No UnicodeError from deep inside when the first request is sent."""
    values = {"base_url": "https://airbyte.example.com", field: f"https://{host}"}
    with pytest.raises(AirbyteConfigurationError, match=rf"{field} .*63"):
        ClientSettings(**values)


@pytest.mark.parametrize(
    "host", ["a" * 63 + ".example.com", "airbyte-server_svc", "[::1]", "bücher.example.com", "a.b."]
)
def test_other_hosts_are_taken(host):
    assert ClientSettings(base_url=f"https://{host}").base_url.startswith("https://")


PEM = "-----BEGIN PRIVATE KEY-----\nhunter2-hunter2\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("field", ["verify", "client_cert"])
@pytest.mark.parametrize("value", [PEM, "a\nhunter2-hunter2"])
def test_a_certificate_in_the_place_of_its_file_is_not_repeated(field, value):
    for given in (value, (value, "key.pem")) if field == "client_cert" else (value,):
        with pytest.raises(AirbyteConfigurationError, match=f"{field}.*the path of a file") as caught:
            ClientSettings(base_url="https://airbyte.example.com", **{field: given})
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClientSettings(base_url="https://a.example.com", **{ODD: 1}),
        lambda: ClientSettings(base_url="https://a.example.com", headers={ODD: "x"}),
        lambda: settings_of(
            AirflowConnection("airbyte", "a", extra=dict.fromkeys([ODD, *map(str, range(1000))], 1)), name="c"
        ),
    ],
    ids=["setting", "header", "extra"],
)
def test_an_odd_name_of_a_setting_is_cut_and_on_one_line(make):
    with pytest.raises(AirbyteConfigurationError) as caught:
        make()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "location",
    [
        "https://user:hunter2-hunter2@sso.example.com/login",
        "https://hunter2-hunter2@sso.example.com/login",
        "//user:hunter2-hunter2@sso.example.com/login",
        "https://sso.example.com/login?token=hunter2-hunter2",
        "https://sso.example.com/login#hunter2-hunter2",
        "https://user:hunter2-hunter2#x@sso.example.com/login",
        "/login;a=b#hunter2-hunter2",
        "https://sso.example.com/login\x1b[31m" + "x" * 5000,
    ],
)
def test_a_redirect_is_told_without_what_may_be_secret(stub, connect_to, location):
    stub.response("/v1/connections/get", {}, status=302, Location=location)
    with pytest.raises(AirbyteError, match="redirects to") as caught:
        connect_to(stub.url).get_connection(connection_id=UUID)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", [400, 409, 500])
def test_what_a_server_says_is_on_one_line_and_cut(stub, connect_to, status):
    body = {"message": ODD, "exceptionClassName": ODD, "errorId": ODD}
    stub.response("/v1/connections/get", body, status=status)
    with pytest.raises(AirbyteError) as caught:
        connect_to(stub.url, attempts=1).get_connection(connection_id=UUID)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500
    assert caught.value.error_id.isprintable()  # type: ignore[attr-defined]
    assert len(caught.value.error_id) <= 100  # type: ignore[attr-defined]


WITH_A_SECRET = [
    f"http://u:{SECRET}@h\N{ACCOUNT OF}",
    f"http://u:{SECRET}@[h",
    f"http://[{SECRET}",
    f"//u:{SECRET}@h",
    f"u:{SECRET}@h:80",
    f"http://h:{SECRET}",
    f"http://h/{SECRET}\0",
    f"{SECRET}\n{SECRET}",
    f"{SECRET}\ud800",
    f"https://h?{SECRET}",
    f"ftp://{SECRET}",
    f"{{ {SECRET} }}",
    f"a {SECRET}",
    [SECRET],
    {SECRET: SECRET},
    b"hunter2-hunter2",
    5,
    True,
    1.5,
]
FIELDS = ["host", "schema", "port", "login", "password"]
SETTINGS = ["auth", "token", "token_url", "verify", "client_cert", "timeout", "headers", "proxies"]


@pytest.mark.parametrize("conn_type", ["airbyteconfig", "airbyte", "http"])
@pytest.mark.parametrize("value", WITH_A_SECRET, ids=repr)
def test_what_stands_in_the_wrong_field_is_never_shown(caplog, conn_type, value):
    """Each field and setting takes it, or says what is wrong in words of ours, without the value."""
    caplog.set_level(logging.DEBUG)
    given = {"conn_type": conn_type, "host": "https://airbyte.example.com", "login": "u", "password": "p"}
    for field in FIELDS:
        _settings_show_nothing(AirflowConnection(**{**given, field: value}))
    for name in SETTINGS:
        for each in (value, {"http": value}, [value, value]):
            _settings_show_nothing(AirflowConnection(**given, extra={name: each}))
    assert SECRET not in caplog.text


def _settings_show_nothing(connection: AirflowConnection) -> None:
    assert SECRET not in repr(connection)
    try:
        settings = settings_of(connection, name="Airflow Connection 'c'")
        # A path is no secret, and neither is an address that holds no user.
        shown = repr(settings.model_copy(update=dict.fromkeys(["verify", "client_cert", "base_url", "token_url"])))
    except AirbyteConfigurationError as error:
        shown = "".join(traceback.format_exception(error))
    assert SECRET not in shown


@pytest.mark.parametrize("proxy", WITH_A_SECRET, ids=repr)
def test_a_proxy_that_is_no_address_is_refused_before_it_is_masked(proxy):
    """Its password must go to the masker, which has to find it first."""
    try:
        settings = ClientSettings(base_url="http://h", proxies={"https": proxy})
    except AirbyteConfigurationError as error:
        assert SECRET not in str(error)  # noqa: PT017  some are addresses
    else:
        assert urlsplit(settings.proxies["https"]).scheme in ("", "http", "https", "ftp", "u")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"headers": ' + "[" * 100_000])
def test_an_extra_that_nests_too_deeply_is_none(text):
    """Not a RecursionError of the JSON reader."""
    with pytest.raises(AirbyteConfigurationError, match="is not a JSON object"):
        extra_object(text)
    connection = AirflowConnection("airbyteconfig", "https://airbyte.example.com", extra={"headers": text})
    with pytest.raises(AirbyteConfigurationError, match="headers in the extra is not JSON"):
        settings_of(connection, name="c")
