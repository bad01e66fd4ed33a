"""Proxies: they are used, named in errors, and never a reason to send a write twice."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteUnreachableError
from airflow_airbyte_ext.testing import Fault


class _Forward(BaseHTTPRequestHandler):
    """Passes a request on, and breaks off where Airbyte does."""

    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        self.server.seen.append((self.command, self.path, self.headers.get("Proxy-Authorization")))  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _, _, rest = self.path.partition("://")
        host, _, path = rest.partition("/")
        onward = http.client.HTTPConnection(host, timeout=10)
        try:
            onward.request(self.command, f"/{path}", body, dict(self.headers))
            response = onward.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            onward.close()
        self.send_response(response.status)
        self.send_header("Content-Type", response.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def proxy():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Forward)
    server.daemon_threads = True
    server.seen = []  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_proxy_is_used(airbyte, connect, proxy):
    """Every request goes through the proxy of its scheme, with the proxy's own credentials."""
    address = proxy.url.replace("http://", "http://user:secret@")
    assert connect(airbyte, proxies={"http": address}).get_health_check().available
    assert proxy.seen == [("GET", f"{airbyte.base_url}/v1/health", "Basic dXNlcjpzZWNyZXQ=")]
    assert len(airbyte.journal) == 1


def test_the_setting_wins_over_the_environment(airbyte, connect, proxy, monkeypatch):
    """A proxy that is given is the one that is used."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert connect(airbyte, proxies={"http": proxy.url}).get_health_check().available


def test_the_environment_does_not_creep_into_the_settings(airbyte, connect, proxy, monkeypatch):
    """Settings say what was given, before a request and after it."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    client = connect(airbyte, proxies={"http": proxy.url})
    client.get_health_check()
    assert client.settings.proxies == {"http": proxy.url}


def test_a_proxy_that_does_not_answer_is_named(airbyte, connect):
    """Nothing reached Airbyte; the error names the setting and no password."""
    client = connect(airbyte, proxies={"http": "http://user:hunter2@127.0.0.1:9"})
    with pytest.raises(AirbyteUnreachableError, match="proxies") as caught:
        client.get_health_check()
    assert caught.value.was_sent is False
    assert "hunter2" not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("address", ["http://", "nonsense://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_address_that_cannot_work_is_named(airbyte, connect, address):
    """An error of ours that speaks of `proxies`, not of a broken connection."""
    with pytest.raises(Exception, match="prox") as caught:
        connect(airbyte, proxies={"http": address}, attempts=1).get_health_check()
    assert type(caught.value).__module__ == "airflow_airbyte_ext.exceptions"


@pytest.mark.parametrize("fault", [Fault.drop_before(), Fault.drop_after()], ids=["before", "after"])
def test_an_answer_that_is_lost_behind_a_proxy_is_not_a_proxy_that_is_down(airbyte, connect, proxy, fault):
    """The proxy broke off after it had the request: a sync may run now, so it is not sent again."""
    connection_id = airbyte.add_connection()
    airbyte.fail_next("syncConnection", fault)
    with pytest.raises(AirbyteUnreachableError) as caught:
        connect(airbyte, proxies={"http": proxy.url}).sync_connection(connection_id=connection_id)
    assert len(airbyte.calls("syncConnection")) == 1
    assert caught.value.was_sent is True


def test_a_tunnel_that_is_refused_sent_nothing(stub, connect_to):
    """Behind a proxy that opens no tunnel, nobody has seen the request."""
    client = connect_to("https://airbyte.example.com", proxies={"https": stub.url}, attempts=1)
    with pytest.raises(AirbyteApiError, match="proxies") as caught:
        client.get_health_check()
    assert caught.value.was_sent is False  # type: ignore[attr-defined]
    assert [(request.method, request.path) for request in stub.requests] == [("CONNECT", "airbyte.example.com:443")]
