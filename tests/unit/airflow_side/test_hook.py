from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import Connection

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


def test_a_connection_of_the_official_provider_works_as_it_is() -> None:
    """Its schema field holds the token's address, relative to a host that ends in the public API's root."""
    settings = settings_from_connection(
        connection(
            "airbyte",
            host="http://localhost:8000/api/public/v1/",
            login="any-client",
            password="s",
            schema="applications/token",
            extra={"proxies": {"http": "http://proxy:3128"}, "timeout": 7},
        )
    )
    assert settings.base_url == "http://localhost:8000/api"
    assert settings.auth_kind == "client_credentials"
    assert settings.token_url == "http://localhost:8000/api/public/v1/applications/token"
    assert (settings.timeout, settings.proxies) == (7, {"http": "http://proxy:3128"})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "base_url is empty"),
        ({"host": "http://a", "extra": {"tiemout": 3}}, "'tiemout', which is not a setting. Allowed are auth, "),
        ({"host": "http://a", "extra": {"timeout": -1}}, "timeout: input should be greater than 0"),
        ({"host": "http://a", "extra": {"timeout": "soon"}}, "timeout: input should be a valid number"),
        ({"host": "http://a", "extra": {"auth": "kerberos"}}, "auth: input should be 'auto', 'none'"),
        ({"host": "http://a", "extra": {"auth": "basic"}}, "'basic' lacks username"),
        ({"host": "http://u:secret-pw@a"}, "base_url holds credentials"),
    ],
)
def test_a_wrong_field_is_named_and_no_value_that_may_be_secret_is_repeated(fields, words) -> None:
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
    """Asking for the server's health alone would not notice: it answers anonymously."""
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
