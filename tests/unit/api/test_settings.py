"""The settings of a client: what is allowed, and errors that name the field."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_airbyte_ext.api import ClientSettings
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

URL = "https://airbyte.example.com"
SECRET = "hunter2-hunter2"


def refusal(**settings) -> str:
    with pytest.raises(AirbyteConfigurationError) as caught:
        ClientSettings(**{"base_url": URL, **settings})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    return str(caught.value)


def test_an_unknown_setting_is_named_with_all_that_is_allowed():
    """A typo shows what could have been meant."""
    message = refusal(tiemout=3)
    assert "tiemout" in message
    for allowed in ("timeout", "base_url", "client_secret", "proxies", "verify"):
        assert allowed in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", "soon"),
        ("timeout", None),
        ("timeout", [SECRET]),
        ("auth", "magic"),
        ("headers", SECRET),
        ("headers", {"X-Key": 1}),
        ("proxies", [SECRET]),
        ("proxies", {"https": {SECRET: 1}}),
        ("verify", {SECRET: 1}),
        ("client_cert", 7),
        ("client_cert", (SECRET,)),
        ("username", {SECRET: 1}),
        ("password", [SECRET]),
        ("token", {"value": SECRET}),
        ("client_secret", [SECRET]),
        ("token_url", 5),
        ("base_url", None),
        ("base_url", [SECRET]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_field(field, value):
    """The error names the field, and never shows the value: it may be a secret."""
    assert field in refusal(**{field: value})


@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan"), float("inf"), timedelta(0), timedelta(seconds=-5)])
def test_a_timeout_is_above_zero_and_ends(value):
    """Zero, negative and endless time-outs are refused with the bound."""
    message = refusal(timeout=value)
    assert "timeout" in message
    assert "0" in message or "finite" in message


@pytest.mark.parametrize(("given", "seconds"), [(5, 5.0), (0.25, 0.25), ("12.5", 12.5), (timedelta(minutes=2), 120.0)])
def test_a_timeout_is_seconds_or_a_timedelta(given, seconds):
    """Fractions, strings of numbers and timedeltas are understood."""
    assert ClientSettings(base_url=URL, timeout=given).timeout == seconds


def test_base_url_is_needed():
    """Without an address nothing can be reached."""
    with pytest.raises(AirbyteConfigurationError, match="base_url"):
        ClientSettings()  # type: ignore[call-arg]


def test_all_problems_are_told_at_once():
    """Nobody wants to find two mistakes in two runs."""
    message = refusal(timeout=-1, auth="magic")
    assert "timeout" in message
    assert "auth" in message


@pytest.mark.parametrize("token_url", ["", "ftp://sso.example.com/token", "sso.example.com/token", "http://"])
def test_a_wrong_token_url_is_refused_by_its_own_name(token_url):
    """The error speaks of token_url, not of base_url, which is right."""
    message = refusal(client_id="a", client_secret="b", token_url=token_url)
    assert "token_url" in message
    assert "base_url" not in message


def test_a_token_url_with_credentials_is_refused_without_repeating_them():
    """A secret in the token URL stays a secret."""
    assert "token_url" in refusal(client_id="a", client_secret="b", token_url=f"https://u:{SECRET}@sso.example.com")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, "none"),
        ({"username": "airbyte", "password": "password"}, "basic"),
        ({"username": "airbyte"}, "basic"),
        ({"token": "t"}, "bearer"),
        ({"client_id": "i", "client_secret": "s"}, "client_credentials"),
        ({"client_id": "", "client_secret": "", "token": "", "username": ""}, "none"),
        ({"auth": "none", "username": "airbyte", "password": "p"}, "none"),
        ({"auth": "basic", "username": "airbyte", "token": "t"}, "basic"),
    ],
)
def test_auto_is_the_kind_whose_values_are_given(values, kind):
    """`auto` decides from what is there; a kind that is named wins."""
    assert ClientSettings(base_url=URL, **values).auth_kind == kind


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"auth": "basic"}, "username"),
        ({"auth": "bearer"}, "token"),
        ({"auth": "client_credentials"}, "client_id"),
        ({"auth": "client_credentials", "client_id": "i"}, "client_secret"),
        ({"client_id": "i"}, "client_secret"),
        ({"client_secret": SECRET}, "client_id"),
    ],
)
def test_missing_credentials_are_named(values, missing):
    """Half a pair of credentials is found before anything is sent."""
    assert missing in refusal(**values)


def test_no_repr_shows_a_secret():
    """Settings may be printed: secrets, and what may carry them (headers, proxies), do not show."""
    settings = ClientSettings(
        base_url=URL,
        password=SECRET,
        token=SECRET,
        client_secret=SECRET,
        headers={"X-Api-Key": SECRET},
        proxies={"https": f"http://user:{SECRET}@proxy.example.com"},
    )
    for shown in (repr(settings), str(settings), f"{settings!r:>300}"):
        assert SECRET not in shown


def test_settings_do_not_change():
    """A client can trust the settings that it was made with."""
    settings = ClientSettings(base_url=URL)
    with pytest.raises(Exception, match="frozen"):
        settings.timeout = 3
