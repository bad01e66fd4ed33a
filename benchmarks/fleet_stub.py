"""A server of a fleet's jobs, by the Config API and by the public one; it costs little, and counts what it is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from benchmarks.fleet import RELEASE, WORKSPACES, Fleet, connection_number, workspace_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIG_API = "/api/v1"
PUBLIC_API = "/api/public/v1"
PREPARE = "/control/prepare"
COUNTS = "/control/counts"
SYNC = f"{CONFIG_API}/connections/sync"
PUBLIC_JOBS = f"{PUBLIC_API}/jobs"
KEPT_ARRIVALS = 200


@dataclass(frozen=True)
class FleetStub:
    """A stub server that runs."""

    url: str

    def prepare(self, *, jobs: int = 0, seconds: float | None = None, latency: float = 0.0) -> int:
        """
        Begin anew: with new jobs, and with nothing counted.

        :param jobs: How many, each of a connection of its own; all start now.
        :param seconds: How long each runs; None for ever.
        :param latency: Seconds from a request to its response.
        :return: The id of the first job; the others follow.
        """
        body = json.dumps({"jobs": jobs, "seconds": seconds, "latency": latency}).encode()
        with urlopen(Request(self.url + PREPARE, data=body)) as response:
            return int(json.load(response)["first"])

    def counts(self) -> dict[str, Any]:
        """
        Return what was counted since it was prepared.

        `requests`, `sockets`, `seconds` from requests to their responses, `paths` (requests of each), and `arrivals`:
        time and path of the first ones, by the clock of time.monotonic, which is one for all processes of a machine.
        """
        with urlopen(self.url + COUNTS) as response:
            counted: dict[str, Any] = json.load(response)
        return counted


@contextmanager
def running_fleet() -> Iterator[FleetStub]:
    """Run the server in a process of its own."""
    # It ends with its standard input, so also when this process is killed.
    command = [sys.executable, "-m", "benchmarks.fleet_stub"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield FleetStub(f"http://127.0.0.1:{int(process.stdout.readline())}")


class _Server:
    def __init__(self) -> None:
        self.fleet = Fleet()
        self.latency = 0.0
        self.sockets = 0
        self.begin()
        whole = {
            "instance_configuration": {"edition": "community", "version": RELEASE, "auth": {"mode": "none"}},
            "health": {"available": True},
            "applications/token": {"access_token": "token", "token_type": "Bearer", "expires_in": 900},
            "workspaces/list": {"workspaces": [_workspace(number) for number in range(WORKSPACES)]},
        }
        fixed = {name: json.dumps(response).encode() for name, response in whole.items()}
        self._responses: dict[str, Callable[[Any, float], bytes | None]] = {
            **{f"{CONFIG_API}/{name}": _always(response) for name, response in fixed.items()},
            f"{PUBLIC_API}/applications/token": _always(fixed["applications/token"]),
            f"{CONFIG_API}/jobs/get_light": lambda request, now: self._job(request["id"], now, with_attempts=False),
            f"{CONFIG_API}/jobs/get_without_logs": lambda request, now: self._job(request["id"], now),
            f"{CONFIG_API}/jobs/get": lambda request, now: self._job(request["id"], now),
            f"{CONFIG_API}/jobs/list": lambda request, now: self.fleet.listed(request, now, whole_workspaces=False),
            f"{CONFIG_API}/jobs/list_for_workspaces": lambda request, now: self.fleet.listed(
                request, now, whole_workspaces=True
            ),
            f"{CONFIG_API}/connections/get": _connection,
            f"{CONFIG_API}/connections/status": self._statuses,
            f"{CONFIG_API}/workspaces/get_by_connection_id": lambda request, _now: json.dumps(
                _workspace(connection_number(request["connectionId"]))
            ).encode(),
            SYNC: self._sync,
            PUBLIC_JOBS: self._public_sync,
        }

    def begin(self) -> None:
        """Count from nothing."""
        self.paths: Counter[str] = Counter()
        self.arrivals: list[tuple[float, str]] = []
        self.seconds = 0.0
        self.sockets = 0

    def control(self, path: str, body: bytes) -> bytes:
        """Do what the benchmark requests, which does not count."""
        if path == PREPARE:
            request = json.loads(body)
            self.begin()
            self.latency = request["latency"]
            seconds = float("inf") if request["seconds"] is None else request["seconds"]
            return json.dumps({"first": self.fleet.prepare(request["jobs"], time.time(), seconds)}).encode()
        self.sockets -= 1
        counted = {"requests": self.paths.total(), "paths": self.paths, "sockets": self.sockets}
        return json.dumps({**counted, "seconds": self.seconds, "arrivals": self.arrivals}).encode()

    def count(self, path: str, arrived: float) -> None:
        """Count a request."""
        self.paths[f"{PUBLIC_JOBS}/{{id}}" if path.startswith(f"{PUBLIC_JOBS}/") else path] += 1
        if len(self.arrivals) < KEPT_ARRIVALS:
            self.arrivals.append((arrived, path))

    def response(self, path: str, body: bytes) -> bytes:
        """Return the whole response to a request."""
        now = time.time()
        if path.startswith(f"{PUBLIC_JOBS}/"):
            job = self.fleet.job(int(path.rpartition("/")[2]))
            return _http(200, job.public(now)) if job else _http(404, b"{}")
        if path not in self._responses:
            return _http(404, b'{"message":"the stub has no such response"}')
        response = self._responses[path](json.loads(body or b"{}"), now)
        # As Airbyte does for a job that it does not know.
        return _http(500, b'{"errorId":"0"}') if response is None else _http(200, response)

    def _job(self, number: int, now: float, *, with_attempts: bool = True) -> bytes | None:
        job = self.fleet.job(number)
        if job is None:
            return None
        attempts = b',"attempts":[{"attempt":%s}]' % job.attempt(now) if with_attempts else b""
        return b'{"job":%s%s}' % (job.light(now), attempts)

    def _statuses(self, request: Any, now: float) -> bytes:
        return b"[%s]" % b",".join(self._status(identity, now) for identity in request["connectionIds"])

    def _status(self, identity: str, now: float) -> bytes:
        job = self.fleet.newest_of(connection_number(identity))
        if job is None:
            return b'{"connectionId":"%s","connectionSyncStatus":"pending"}' % identity.encode()
        runs = job.status(now) == "running"
        active = b',"activeJob":' + job.light(now) if runs else b',"lastSuccessfulSync":%d' % job.ends
        return b'{"connectionId":"%s","connectionSyncStatus":"%s","lastSyncJobId":%d,"lastSyncAttemptNumber":0%s}' % (
            identity.encode(),
            b"running" if runs else b"synced",
            job.id,
            active,
        )

    def _sync(self, request: Any, now: float) -> bytes | None:
        return self._job(self.fleet.start(connection_number(request["connectionId"]), now).id, now)

    def _public_sync(self, request: Any, now: float) -> bytes:
        return self.fleet.start(connection_number(request["connectionId"]), now).public(now)


class _Conversation(asyncio.Protocol):
    """One socket; it is a protocol and no stream since ten thousand waits ask."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.sockets += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[: end + 4]
            whole = end + 4 + _content_length(head)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._take(head.split(b" ", 2)[1].decode().partition("?")[0], body)

    def _take(self, path: str, body: bytes) -> None:
        arrived = time.monotonic()
        if path in (PREPARE, COUNTS):
            self._transport.write(_http(200, self._server.control(path, body)))
            return
        self._server.count(path, arrived)
        if self._server.latency:
            self._loop.call_later(self._server.latency, self._response, path, body, arrived)
        else:
            self._response(path, body, arrived)

    def _response(self, path: str, body: bytes, arrived: float) -> None:
        response = self._server.response(path, body)
        if not self._transport.is_closing():
            self._transport.write(response)
        self._server.seconds += time.monotonic() - arrived


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def _http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d .\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


def _always(response: bytes) -> Callable[[Any, float], bytes]:
    return lambda _request, _now: response


def _workspace(number: int) -> dict[str, str]:
    return {"workspaceId": workspace_id(number), "name": f"Team {number % WORKSPACES}", "slug": "team"}


def _connection(request: Any, _now: float) -> bytes:
    identity = request["connectionId"]
    stream = {"name": "orders", "namespace": "public", "jsonSchema": {"type": "object", "properties": {}}}
    catalog = {"streams": [{"stream": stream, "config": {"syncMode": "incremental", "selected": True}}]}
    ends = {"sourceId": identity, "destinationId": identity, "scheduleType": "manual", "syncCatalog": catalog}
    return json.dumps({"connectionId": identity, "name": "Shop → Warehouse", "status": "active", **ends}).encode()


async def _serve() -> None:
    server = _Server()
    listening = await asyncio.get_running_loop().create_server(
        lambda: _Conversation(server), "127.0.0.1", 0, backlog=4096
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
