from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import Connection
from lines import connection_of

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook, settings_from_connection
from airflow_airbyte_ext.testing import FakeAirbyte

UUID = "5fa98fdf-8c1f-4e3b-9b1e-0a1b2c3d4e5f"


def connection(conn_type: str = "airbyteconfig", **fields) -> Connection:
    extra = fields.pop("extra", None)
    return Connection(conn_id="c", conn_type=conn_type, extra=json.dumps(extra) if extra else None, **fields)


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "https://a.example.com"}, "https://a.example.com/api"),
        ({"host": "https://a.example.com/airbyte/api/v1/"}, "https://a.example.com/airbyte/api"),
        ({"host": "localhost", "port": 8000}, "http://localhost:8000/api"),
        ({"host": "a.example.com", "schema": "https"}, "https://a.example.com/api"),
        ({"host": "a.example.com/airbyte", "port": 8443, "schema": "https"}, "https://a.example.com:8443/airbyte/api"),
        ({"host": "localhost:8000"}, "http://localhost:8000/api"),
    ],
)
def test_the_host_field_is_airbytes_address_in_any_usual_form(fields, base_url) -> None:
    assert settings_from_connection(connection(**fields)).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "none"),
        ({"login": "airbyte", "password": "password"}, "basic"),
        ({"login": UUID, "password": "s"}, "client_credentials"),
        ({"login": "my-client", "password": "s", "extra": {"auth": "client_credentials"}}, "client_credentials"),
        ({"login": UUID, "password": "s", "extra": {"auth": "basic"}}, "basic"),
        ({"password": "the-token", "extra": {"auth": "bearer"}}, "bearer"),
        ({"extra": {"token": "t"}}, "bearer"),
    ],
)
def test_login_and_password_are_what_the_authentication_needs(fields, kind) -> None:
    assert settings_from_connection(connection(host="http://a", **fields)).auth_kind == kind


def official(airbyte_host: str = "http://localhost:8000/api/public/v1/", **fields) -> dict:
    return {"conn_type": "airbyte", "host": airbyte_host, **fields}


LOCAL = "http://localhost:8000/api"
CLOUD = "https://cloud.airbyte.com/api"
# As the official provider's documentation of the releases says, and what its forms hold beside it.
OFFICIAL = {
    "3.x": (official("airbyte", port=8001), "http://airbyte:8001/api", "none"),
    "3.x Basic": (official("airbyte", port=8001, login="airbyte", password="pw"), "http://airbyte:8001/api", "basic"),
    "3.x TLS": (
        official("airbyte", port=8001, schema="https", login="airbyte", password="pw"),
        "https://airbyte:8001/api",
        "basic",
    ),
    "3.x URL": (official("https://airbyte:8001", login="airbyte", password="pw"), "https://airbyte:8001/api", "basic"),
    "3.x unused password": (official("airbyte", password="pw"), "http://airbyte/api", "none"),
    "3.8 Cloud": (official("https://api.airbyte.com", password="api-key"), CLOUD, "bearer"),
    "4.x Cloud": (official("https://api.airbyte.com/v1/", login="id", password="s"), CLOUD, "client_credentials"),
    "4.x Cloud, token": (
        official("https://api.airbyte.com/v1/", login="id", password="s", schema="v1/applications/token"),
        CLOUD,
        "client_credentials",
    ),
    "Cloud, whole token URL": (
        official(
            "https://cloud.airbyte.com",
            login="id",
            password="s",
            schema="https://api.airbyte.com/v1/applications/token",
        ),
        CLOUD,
        "client_credentials",
    ),
    "5.x": (official(login="id", password="s"), LOCAL, "client_credentials"),
    "5.x token": (
        official(login="id", password="s", schema="/api/public/v1/applications/token"),
        LOCAL,
        "client_credentials",
    ),
    "5.x token by its end": (
        official(login="id", password="s", schema="applications/token"),
        LOCAL,
        "client_credentials",
    ),
    "6.x": (official("http://localhost:8000/api/v1/"), LOCAL, "none"),
    "6.x unused token": (official("http://localhost:8000/api/v1/", schema="v1/applications/token"), LOCAL, "none"),
    "URI with the path as schema": (
        official("http://localhost", port=8000, schema="api/public/v1/", login=UUID, password="s"),
        LOCAL,
        "client_credentials",
    ),
    "HttpHook": ({"conn_type": "http", "host": "airbyte", "port": 8001}, "http://airbyte:8001/api", "none"),
    "HttpHook TLS": ({"conn_type": "https", "host": "airbyte", "schema": ""}, "https://airbyte/api", "none"),
}


def forms_of(fields: dict) -> list[Connection]:
    """The Connection, and what Airflow makes of its URI and of its JSON."""
    made = connection(**fields)
    return [made, connection_of(made.get_uri()), connection_of(json.dumps(fields))]


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_connection_of_the_official_provider_works_as_it_is(name) -> None:
    """In every form of its documentation, and every form that Airflow makes of that."""
    fields, base_url, kind = OFFICIAL[name]
    for each in forms_of(fields):
        settings = settings_from_connection(each)
        assert (settings.base_url, settings.auth_kind, settings.token_url) == (base_url, kind, None)
        given = settings.password or settings.token or settings.client_secret
        assert (given.get_secret_value() if given else None) == (fields.get("password") if kind != "none" else None)


@pytest.mark.parametrize(
    "schema", ["https://sso.example.com/oauth/token", "http://localhost/token", "//sso.example.com/applications/token"]
)
def test_a_password_goes_to_no_other_server_than_the_host(schema) -> None:
    """The official provider would post it there; a token URL of another server is to be named as such."""
    fields = official(login="id", password="s", schema=schema)
    for each in forms_of(fields):
        with pytest.raises(AirbyteConfigurationError, match="give that address as token_url in the extra"):
            settings_from_connection(each)
    url = "https://sso.example.com/oauth/token"
    settings = settings_from_connection(connection(**fields, extra={"token_url": url}))
    assert (settings.auth_kind, settings.token_url) == ("client_credentials", url)


def test_an_endpoint_that_is_not_airbytes_own_is_kept() -> None:
    settings = settings_from_connection(connection(**official(login="id", password="s", schema="/sso/token")))
    assert (settings.auth_kind, settings.token_url) == ("client_credentials", "http://localhost:8000/sso/token")


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"proxies": {"http": "http://p:3128"}, "timeout": 7}, {"proxies": {"http": "http://p:3128"}, "timeout": 7}),
        (
            {"http": "http://p:3128", "https": "http://p:3128"},
            {"proxies": dict.fromkeys(("http", "https"), "http://p:3128")},
        ),
        ({"proxies": "http://p:3128"}, {"proxies": dict.fromkeys(("http", "https"), "http://p:3128")}),
        ({"X-Team": "data", "verify": False, "check_response": True}, {"headers": {"X-Team": "data"}, "verify": False}),
        ({"cert": "/etc/me.pem"}, {"client_cert": "/etc/me.pem"}),
    ],
    ids=str,
)
def test_the_extra_of_an_official_connection_means_what_it_meant(extra, expected) -> None:
    """Proxies since 5.2, in two spellings; in 3.x the headers and options of an HTTP Connection."""
    for each in forms_of(official("http://airbyte", extra=extra)):
        settings = settings_from_connection(each)
        assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        ("airbyteconfig://http://localhost:8000/api/v1", "http://localhost:8000/api"),
        ("airbyteconfig://https://example.com/tools/airbyte", "https://example.com/tools/airbyte/api"),
        ("airbyteconfig://example.com:8443/https", "https://example.com:8443/api"),
        ("airbyteconfig://https%3A%2F%2Fexample.com%2Ftools", "https://example.com/tools/api"),
        ("airbyte://airbyte:password@airbyte-proxy:8000", "http://airbyte-proxy:8000/api"),
        ("http://airbyte-server:8001", "http://airbyte-server:8001/api"),
        ("airbyteconfig://[::1]:8000", "http://[::1]:8000/api"),
        ("airbyteconfig://http%3A%2F%2F%5B%3A%3A1%5D%3A8000", "http://[::1]:8000/api"),
    ],
)
def test_a_uri_written_by_hand_keeps_its_path(uri, base_url) -> None:
    """Airflow puts the path of a URI into the schema field."""
    assert settings_from_connection(connection_of(uri)).base_url == base_url


def test_json_within_a_uri_is_read() -> None:
    query = "headers=%7B%22X-Team%22%3A+%22data%22%7D&proxies=%7B%7D&verify=false&timeout=5&token=12345"
    settings = settings_from_connection(connection_of(f"airbyteconfig://airbyte/?{query}"))
    assert (settings.headers, settings.proxies, settings.verify) == ({"X-Team": "data"}, {}, False)
    assert (settings.timeout, settings.token.get_secret_value()) == (5, "12345")


@pytest.mark.parametrize("extra", ["not json", '"text"', "[1]", "7"])
def test_an_extra_that_is_no_json_object_is_an_error(extra) -> None:
    """Airflow takes it for an empty one, and then nobody knows why the token is not sent."""
    with pytest.raises(AirbyteConfigurationError, match="'c': the extra is not a JSON object"):
        settings_from_connection(Connection(conn_id="c", conn_type="airbyteconfig", host="http://a", extra=extra))


def test_secrets_of_the_extra_are_masked_and_short_words_are_not(mocker) -> None:
    """Airflow warns in the task log of each short value that it is told to mask."""
    masked: list[str] = []
    mocker.patch("airflow.providers.common.compat.sdk.mask_secret", create=True, side_effect=masked.append)
    extra = {
        "auth": "auto",
        "verify": "true",
        "token": "the-token",
        "headers": {"X-Team": "data-platform", "X-Api-Key": "the-key", "X-Token": "abc"},
        "proxies": {"https": "http://me:proxy-password@proxy:3128"},
    }
    settings_from_connection(connection(host="http://a", extra=extra))
    assert masked == ["the-token", "the-key", "proxy-password"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "base_url is empty"),
        ({"host": "http://a", "extra": {"tiemout": 3}}, "'tiemout', which is not a setting. Allowed are auth, "),
        ({"host": "http://a", "extra": {"timeout": -1}}, "timeout: input should be greater than 0"),
        ({"host": "http://a", "extra": {"timeout": "soon"}}, "timeout: input should be a valid number"),
        ({"host": "http://a", "extra": {"auth": "kerberos"}}, "auth: input should be 'auto', 'none'"),
        ({"host": "http://a", "extra": {"auth": "basic"}}, "'basic' lacks username"),
        (
            {"host": "http://a", "extra": {"headers": "{X: 1"}},
            'headers in the extra is not JSON. Write it like {"name"',
        ),
        ({"host": "http://a", "extra": {"headers": "[1]"}}, "headers: input should be a valid dictionary"),
        ({"host": "http://u:secret-pw@a"}, "base_url holds credentials"),
    ],
)
def test_a_wrong_field_is_named_without_its_value(fields, words) -> None:
    """A wrong field is named and no value that may be secret is repeated."""
    with pytest.raises(AirbyteConfigurationError) as caught:
        settings_from_connection(connection(**fields))
    assert words in str(caught.value)
    assert "Airflow Connection 'c'" in str(caught.value)
    assert "secret-pw" not in str(caught.value)


def test_empty_fields_of_the_form_mean_the_defaults() -> None:
    """The form sends null and {} for what was left empty."""
    extra = {
        "auth": "auto",
        "token": None,
        "token_url": "",
        "verify": None,
        "headers": {},
        "proxies": {},
        "timeout": 30,
    }
    settings = settings_from_connection(connection(host="http://a", extra=extra))
    assert (settings.auth_kind, settings.verify, settings.timeout) == ("none", True, 30)


@pytest.mark.parametrize(("word", "value"), [("false", False), ("True", True), ("/etc/ca.pem", "/etc/ca.pem")])
def test_verify_is_a_word_or_a_path_in_the_form(word, value) -> None:
    assert settings_from_connection(connection(host="http://a", extra={"verify": word})).verify == value


@pytest.mark.parametrize("era", ["0.36", "0.40", "0.50", "1.0", "2.0", "head"])
def test_the_test_button_greets_every_era(era, monkeypatch) -> None:
    with FakeAirbyte(era=era) as airbyte:
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps({"conn_type": "airbyteconfig", "host": airbyte.url}))
        worked, message = AirbyteConfigHook("tested").test_connection()
    assert worked, message
    assert airbyte.base_url in message


@pytest.mark.parametrize("auth", ["basic", "bearer", "client_credentials"])
def test_the_test_button_refuses_wrong_credentials(auth, monkeypatch) -> None:
    """Asking for the server's health alone would not notice: it responds anonymously."""
    with FakeAirbyte(auth=auth) as airbyte:
        extra = {"auth": auth, "token": "wrong-one"} if auth == "bearer" else {"auth": auth}
        fields = {"conn_type": "airbyteconfig", "host": airbyte.url, "extra": extra}
        if auth != "bearer":
            fields |= {"login": UUID, "password": "wrong-one"}
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps(fields))
        worked, message = AirbyteConfigHook("tested").test_connection()
    assert not worked
    assert "credentials" in message or "client id and secret" in message
    assert "wrong-one" not in message


def test_the_test_button_never_raises(monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps({"conn_type": "airbyteconfig", "host": "ftp://a"}))
    worked, message = AirbyteConfigHook("tested").test_connection()
    assert not worked
    assert "is not an http or https URL" in message
