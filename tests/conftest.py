"""What the tests share: a clock that nobody waits for, fakes that must use up their faults, and a stub of a server."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections import defaultdict, deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

# Before anything imports Airflow, which would otherwise use and fill the user's own home.
_home = tempfile.TemporaryDirectory(prefix="airflow-home-")
for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": _home.name,
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[1] / "example_dags"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home.name}/airflow.db",
}

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings  # noqa: E402
from airflow_airbyte_ext.testing import FakeAirbyte  # noqa: E402

_BESIDE = Path(__file__).resolve().parents[2] / "shared"
ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")


class ManualClock:
    """A clock that jumps when somebody sleeps, and remembers for how long they did."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0
        self.sleeps: list[float] = []

    def time(self) -> float:
        return self.now

    def run(self, call: Any) -> Any:
        return call()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += max(seconds, 0.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def start_fake(clock, request):
    """Start fake Airbytes that live on the test's clock; at the end every fault must have happened."""
    running: list[FakeAirbyte] = []

    def start(era: str = "2.0", **options: Any) -> FakeAirbyte:
        airbyte = FakeAirbyte(era=era, now=clock.time, **options)
        running.append(airbyte.start())
        return airbyte

    yield start
    left = [airbyte.pending_faults() for airbyte in running]
    for airbyte in running:
        airbyte.stop()
    if not request.node.stash.get(_FAILED, False):
        assert not any(left), f"these faults never happened: {left}"


@pytest.fixture
def connect(clock):
    """Make clients of a fake, with the credentials that it wants, on the test's clock."""
    with ExitStack() as stack:

        def make(airbyte: FakeAirbyte, *, attempts: int = 5, **settings: Any) -> AirbyteClient:
            values = {"base_url": airbyte.url, **credentials_of(airbyte), **settings}
            client = AirbyteClient(ClientSettings(**values), clock=clock, attempts=attempts)
            return stack.enter_context(client)

        yield make


def credentials_of(airbyte: FakeAirbyte) -> dict[str, str]:
    return {
        "none": {},
        "basic": {"username": airbyte.username, "password": airbyte.password},
        "bearer": {"token": airbyte.token},
        "client_credentials": {"client_id": airbyte.client_id, "client_secret": airbyte.client_secret},
    }[airbyte.auth]


@pytest.fixture
def airbyte(start_fake):
    """A fake of Airbyte 2.0 without authentication."""
    return start_fake()


@pytest.fixture
def client(airbyte, connect):
    return connect(airbyte)


@dataclass
class StubResponse:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class StubRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class StubServer(ThreadingHTTPServer):
    """Responses with what a test tells it, byte by byte; for what no Airbyte, and so no fake of one, would say."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _StubHandler)
        self.requests: list[StubRequest] = []
        self._queues: dict[str, deque[StubResponse]] = defaultdict(deque)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def response(self, path_end: str, body: Any = None, status: int = 200, **headers: str) -> None:
        """Queue a response for paths that end so; the last one queued stays."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._queues[path_end].append(StubResponse(status, raw, kind | named))

    def next_response(self, path: str) -> StubResponse:
        with self._lock:
            for path_end, queue in self._queues.items():
                if path.split("?")[0].endswith(path_end):
                    return queue.popleft() if len(queue) > 1 else queue[0]
        return StubResponse(404, b"Object not found.", {"Content-Type": "application/json"})

    def seen(self, path_end: str) -> list[StubRequest]:
        return [request for request in self.requests if request.path.split("?")[0].endswith(path_end)]


class _StubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StubServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(StubRequest(self.command, self.path, headers, body))
        response = self.server.next_response(self.path)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = _serve  # noqa: N815  the names that http.server requests

    def do_CONNECT(self) -> None:
        """A proxy that is requested a tunnel, and refuses it."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(StubRequest("CONNECT", self.path, headers, b""))
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def stub():
    server = StubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def connect_to(clock):
    """Make clients of any address, on the test's clock."""
    with ExitStack() as stack:

        def make(base_url: str, *, attempts: int = 5, **settings: Any) -> AirbyteClient:
            client = AirbyteClient(ClientSettings(base_url=base_url, **settings), clock=clock, attempts=attempts)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def recorded():
    """Read a response that a real server gave; skips the test where the recordings are not at hand."""
    folder = Path(os.environ.get("AIRBYTE_SPEC_DIR") or _BESIDE / "airbyte-spec").parent / "recorded"

    def read(name: str) -> Any:
        if not folder.is_dir():
            pytest.skip("recorded responses of real servers are not here")
        return json.loads((folder / name).read_text())

    return read


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch):
    """Tests speak to this machine alone, whatever its environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
