"""Credentials that somebody changes while a client is used, as when a gateway's token is rotated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.exceptions import AirbyteAuthenticationError, AirbytePermissionError
from airflow_airbyte_ext.testing import Fault

KINDS = {
    "basic": ("0.50", {"username": "airbyte", "password": "password"}, {"password": "new"}),
    "bearer": ("1.0", {"token": "fake-bearer-token"}, {"token": "new"}),
    "client_credentials": (
        "1.0",
        {"client_id": "00000000-0000-4000-8000-00000000c11d", "client_secret": "fake-client-secret"},
        {"client_secret": "new"},
    ),
}


@pytest.fixture
def vault(clock):
    """Where the settings are read, again and again."""

    class Vault:
        def __init__(self) -> None:
            self.settings: dict = {}
            self.read = 0

        def __call__(self) -> ClientSettings:
            self.read += 1
            return ClientSettings(**self.settings)

        def connect(self) -> AirbyteClient:
            return AirbyteClient(ClientSettings(**self.settings), clock=clock, renew=self)

    return Vault()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("once", [False, True])
def test_refused_credentials_are_read_again(start_fake, vault, kind, once):
    """Also by the twin that tries everything once, and by a client that is made of this one afterwards."""
    era, old, new = KINDS[kind]
    airbyte = start_fake(era, auth=kind)
    wanted = airbyte.add_connection()
    vault.settings = {"base_url": airbyte.url, **old}
    client = vault.connect()
    user = client.without_retries() if once else client
    assert user.get_connection(connection_id=wanted).connection_id == wanted
    airbyte.rotate_credentials(**new)
    vault.settings |= new
    assert user.get_connection(connection_id=wanted).connection_id == wanted
    assert vault.read == 1
    assert client.get_connection(connection_id=wanted).connection_id == wanted
    assert client.another().get_connection(connection_id=wanted).connection_id == wanted
    assert vault.read == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateways_token_in_a_header_is_read_again(start_fake, vault, status):
    """A gateway before an Airbyte without authentication returns 401 or 403."""
    airbyte = start_fake()
    wanted = airbyte.add_connection()
    vault.settings = {"base_url": airbyte.url, "headers": {"X-Gateway-Token": "old"}}
    client = vault.connect()
    vault.settings = {**vault.settings, "headers": {"X-Gateway-Token": "new"}}
    airbyte.fail_next("getConnection", Fault.status(status))
    assert client.get_connection(connection_id=wanted).connection_id == wanted
    assert [call.headers["x-gateway-token"] for call in airbyte.calls("getConnection")] == ["old", "new"]


def test_credentials_that_are_still_the_same_are_told_as_before(start_fake, vault, clock):
    """They are read once for many refusals; ten seconds later they may be others."""
    airbyte = start_fake("1.0", auth="bearer")
    wanted = airbyte.add_connection()
    vault.settings = {"base_url": airbyte.url, "token": "wrong"}
    client = vault.connect()
    for _ in range(5):
        with pytest.raises(AirbyteAuthenticationError):
            client.get_connection(connection_id=wanted)
    assert (vault.read, len(airbyte.calls("getConnection"))) == (1, 5)
    vault.settings["token"] = airbyte.token
    clock.sleep(10)
    assert client.get_connection(connection_id=wanted).connection_id == wanted


def test_another_airbyte_is_not_gone_over_to(start_fake, vault):
    """Its jobs are others."""
    airbyte, other = start_fake(), start_fake()
    wanted = airbyte.add_connection()
    vault.settings = {"base_url": airbyte.url}
    client = vault.connect()
    vault.settings = {"base_url": other.url, "token": "new"}
    airbyte.fail_next("getConnection", Fault.status(403))
    with pytest.raises(AirbytePermissionError):
        client.get_connection(connection_id=wanted)
    assert other.journal == []


def test_settings_that_cannot_be_read_do_not_hide_the_refusal(start_fake, vault):
    airbyte = start_fake()
    vault.settings = {"base_url": airbyte.url}
    client = vault.connect()
    vault.settings = {}
    airbyte.fail_next("getConnection", Fault.status(401))
    with pytest.raises(AirbyteAuthenticationError):
        client.get_connection(connection_id=airbyte.add_connection())


def test_many_threads_read_them_once(start_fake, vault):
    airbyte = start_fake("1.0", auth="bearer")
    wanted = airbyte.add_connection()
    vault.settings = {"base_url": airbyte.url, "token": airbyte.token}
    client = vault.connect()
    airbyte.rotate_credentials(token="new")
    vault.settings["token"] = "new"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: client.get_connection(connection_id=wanted).connection_id, range(24)))
    assert found == [wanted] * 24
    assert vault.read == 1
