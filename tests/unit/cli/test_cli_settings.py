"""Where `airbyte-state` finds its Airbyte: options, files, the environment, an Airflow Connection."""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import pytest
from airflow.models.connection import Connection

from airflow_airbyte_ext.api.airflow_connection import settings_of
from airflow_airbyte_ext.cli.airflow_connection import parse_airflow_connection
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import settings_from_connection

SECRET = "p@ss/w:rd%?#&"
CLIENT_ID = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
CONNECTIONS = {
    "host with a scheme": {"host": "https://airbyte.example.com"},
    "host with port and path": {"host": "https://Airbyte.example.com:8443/Pre/fix"},
    "bare host": {"host": "airbyte.example.com", "port": 8000},
    "bare host with a path": {"host": "Airbyte.example.com/Pre", "schema": "https", "port": 8443},
    "address of IPv6": {"host": "http://[::1]:8000", "login": "me", "password": SECRET},
    "basic": {"host": "http://airbyte", "login": "me@example.com", "password": SECRET},
    "client credentials": {"host": "http://airbyte", "login": CLIENT_ID, "password": SECRET},
    "bearer": {"host": "http://airbyte", "password": SECRET, "extra": {"auth": "bearer"}},
    "token": {"host": "http://airbyte", "extra": {"token": SECRET, "verify": "false", "timeout": 5}},
    "nested extra": {
        "host": "http://airbyte",
        "extra": {"headers": {"X-Team": "data"}, "proxies": {}, "token_url": ""},
    },
    "official provider": {
        "conn_type": "airbyte",
        "host": "http://airbyte/api/public/v1/",
        "schema": "/applications/token",
        "login": "id",
        "password": SECRET,
    },
}


def connection_of(fields):
    extra = json.dumps(fields["extra"]) if "extra" in fields else None
    return Connection(conn_id="here", **{"conn_type": "airbyteconfig", **fields, "extra": extra})


@pytest.mark.parametrize("form", [Connection.get_uri, Connection.as_json], ids=["uri", "json"])
@pytest.mark.parametrize("fields", CONNECTIONS.values(), ids=CONNECTIONS)
def test_an_airflow_connection_means_what_it_means_to_the_hook(fields, form):
    """In either form in which Airflow writes it."""
    connection = connection_of(fields)
    read = settings_of(parse_airflow_connection(form(connection), name="X"), name="X")
    assert read == settings_from_connection(connection)


def test_an_extra_in_the_query_is_read_value_by_value():
    """The form in which people write URIs by hand."""
    uri = "airbyteconfig://me:pw@airbyte.example.com:8443/https?timeout=5&verify=false&auth=basic"
    settings = settings_of(parse_airflow_connection(uri, name="X"), name="X")
    assert (settings.base_url, settings.timeout, settings.verify) == (
        "https://airbyte.example.com:8443/api",
        5.0,
        False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"airbyteconfig:me:{SECRET}@host",
        f"a://b://c://{SECRET}",
        f'{{"password": "{SECRET}"',
        "[]",
        f"airbyteconfig://me:{quote(SECRET, safe='')}@host:port/",
        f'{{"host": 1, "password": "{SECRET}"}}',
        '{"extra": "[1]"}',
    ],
)
def test_what_is_no_connection_is_refused_without_repeating_it(text):
    with pytest.raises(AirbyteConfigurationError) as caught:
        settings_of(parse_airflow_connection(text, name="MY_VARIABLE"), name="MY_VARIABLE")
    assert "MY_VARIABLE" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_unknown_setting_in_the_extra_is_named():
    with pytest.raises(AirbyteConfigurationError, match="'tokn'"):
        settings_of(parse_airflow_connection('{"host": "http://a", "extra": {"tokn": "x"}}', name="X"), name="X")


@pytest.fixture
def locked(start_fake, monkeypatch):
    """An Airbyte behind a password, which nothing in the environment names."""
    airbyte = start_fake("1.0", auth="basic", password=SECRET)
    monkeypatch.delenv("AIRBYTE_URL")
    return airbyte


def test_the_default_airflow_connection_is_used_where_no_url_is_given(cli, locked, monkeypatch):
    wanted = locked.add_connection()
    connection = Connection(conn_id="x", conn_type="airbyteconfig", host=locked.url, login="airbyte", password=SECRET)
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", connection.get_uri())
    assert cli("backup", "--connection", wanted).code == 0
    monkeypatch.setenv("OTHER", connection.as_json())
    monkeypatch.setenv("AIRBYTE_URL", "http://127.0.0.1:9")
    assert cli("backup", "--connection", wanted, "--airflow-conn-env", "OTHER").code == 0
    assert cli("backup", "--connection", wanted).code == 4


def test_a_secret_comes_from_the_environment_a_file_or_stdin(cli, locked, monkeypatch, tmp_path):
    """Never from an option; and no run shows it."""
    wanted = locked.add_connection()
    arguments = ["backup", "--connection", wanted, "--url", locked.url, "--username", "airbyte", "--json"]
    runs = [cli(*arguments)]
    (tmp_path / "secret").write_text(SECRET + "\n")
    runs.append(cli(*arguments, "--password-file", tmp_path / "secret"))
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET + "\n"))
    runs.append(cli(*arguments, "--password-file", "-"))
    monkeypatch.setenv("AIRBYTE_PASSWORD", SECRET)
    runs.append(cli(*arguments))
    assert [run.code for run in runs] == [2, 0, 0, 0]
    assert all(SECRET not in run.out + run.err for run in runs)
    assert cli(*arguments, "--password", SECRET).code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRBYTE_URL", "ftp://airbyte"),
        ("AIRBYTE_URL", ""),
        ("AIRBYTE_TIMEOUT", "soon"),
        ("AIRBYTE_AUTH", "magic"),
        ("AIRBYTE_STATE_STORE", ""),
        ("AIRBYTE_STATE_STORE", "nonsense://there"),
        ("AIRBYTE_STATE_KEYS", "nonsense"),
    ],
)
def test_a_wrong_setting_is_one_line(cli, orders, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    run = cli("backup", "--connection", orders)
    assert run.code == 2
    assert run.out == ""
    assert len(run.err.splitlines()) == 1


def test_a_variable_or_a_file_that_is_not_there_is_named(cli, orders, tmp_path):
    assert "NO_SUCH" in cli("backup", "--connection", orders, "--airflow-conn-env", "NO_SUCH").err
    for option in ("--key-file", "--password-file"):
        run = cli("backup", "--connection", orders, option, tmp_path / "none")
        assert (run.code, option in run.err) == (2, True)
