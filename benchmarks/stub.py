"""A server that returns prepared bytes, each after the same time; it runs in its own process and costs little."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from benchmarks.responses import ANY_ID, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = "/counts"


@dataclass
class Counts:
    """
    What a stub server did.

    :param requests: How many it responded, this one left out.
    :param sockets: How many were opened to it, this one left out.
    :param seconds: How long it took to respond the requests, one by one: never less than the latency.
    """

    requests: int = 0
    sockets: int = 0
    seconds: float = 0.0

    def __sub__(self, earlier: Counts) -> Counts:
        # The one that requested the earlier counts had a socket.
        sockets = self.sockets - earlier.sockets - 1
        return Counts(self.requests - earlier.requests, sockets, self.seconds - earlier.seconds)


@dataclass(frozen=True)
class Stub:
    """A stub server that runs."""

    url: str

    def counts(self) -> Counts:
        """Return what it counted since it started."""
        with urlopen(self.url + COUNTS) as response:
            return Counts(**json.load(response))


@contextmanager
def running_stub(
    *, connections: int = 1, streams: int = 5, catalog_streams: int = 5, latency: float = 0.0
) -> Iterator[Stub]:
    """
    Run a stub server in a process of its own.

    :param connections: How many the workspace has.
    :param streams: How many each connection's state has.
    :param catalog_streams: How many each connection's catalog has.
    :param latency: Seconds from a request to its response.
    """
    numbers = [str(number) for number in (connections, streams, catalog_streams, latency)]
    command = [sys.executable, "-m", "benchmarks.stub", *numbers]
    # It ends with its standard input, so also when this process is killed.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Stub(f"http://127.0.0.1:{int(process.stdout.readline())}")


class _Server:
    def __init__(self, responses: dict[str, bytes], latency: float) -> None:
        self._responses = responses
        self._latency = latency
        self._counts = Counts(sockets=-1)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Response the requests of one socket until the client closes it."""
        self._counts.sockets += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_content_length(head))
                writer.write(await self._response(head.split(b" ", 2)[1].decode(), body))
                await writer.drain()
        writer.close()

    async def _response(self, path: str, body: bytes) -> bytes:
        if path == COUNTS:
            return _http(200, json.dumps(asdict(self._counts)).encode())
        started = time.perf_counter()
        await asyncio.sleep(self._latency)
        self._counts.requests += 1
        self._counts.seconds += time.perf_counter() - started
        if path not in self._responses:
            return _http(404, b'{"message":"the stub has no such response"}')
        request = json.loads(body or b"{}")
        identity = request.get("connectionId") or request.get("configId") or ANY_ID
        return _http(200, self._responses[path].replace(ANY_ID.encode(), identity.encode()))


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def _http(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(arguments: Any) -> None:
    responses = prepared(
        connections=arguments.connections, streams=arguments.streams, catalog_streams=arguments.catalog_streams
    )
    server = await asyncio.start_server(_Server(responses, arguments.latency).converse, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("connections", "streams", "catalog_streams"):
        parser.add_argument(name, type=int)
    parser.add_argument("latency", type=float)
    asyncio.run(_serve(parser.parse_args()))
