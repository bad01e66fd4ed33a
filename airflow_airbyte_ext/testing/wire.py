"""The network's own faults: connections that close without an answer, or in the middle of one.

ASGI has no word for them, so the server's protocol hands out its transports, by the address of the client.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket

    from starlette.types import Receive, Scope, Send


class Transports:
    """The open connections of a server, by the address of the client."""

    def __init__(self) -> None:
        self._open: dict[Any, asyncio.Transport] = {}

    def of(self, scope: Scope) -> asyncio.Transport | None:
        """The connection on which this request came."""
        return self._open.get(tuple(scope["client"]))

    def abort(self) -> None:
        """Close all at once."""
        for transport in list(self._open.values()):
            transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """A uvicorn protocol that keeps this record."""
        opened = self._open

        class Recorded(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                opened[transport.get_extra_info("peername")[:2]] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                opened.pop(self.transport.get_extra_info("peername")[:2], None)
                super().connection_lost(exc)

        return Recorded


class Dropped(Response):
    """No answer at all: the connection is closed."""

    def __init__(self, transports: Transports) -> None:
        super().__init__()
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Close the connection, and wait until the server has noticed."""
        transport = self._transports.of(scope)
        if transport:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class Hanging(Response):
    """No response, while the connection stays open until the client closes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Wait for the client to go."""
        while (await receive())["type"] != "http.disconnect":
            pass


class Truncated(Response):
    """The first half of an answer, under the Content-Length of the whole."""

    def __init__(self, transports: Transports, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code, dict(whole.headers))
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half, then close the connection."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = self._transports.of(scope)
        if transport:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


class ThreadedServer(uvicorn.Server):
    """A uvicorn server for a thread: says when it listens, and stops at once when told."""

    def __init__(self, config: uvicorn.Config, transports: Transports) -> None:
        super().__init__(config)
        self._transports = transports
        self._listens = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self, sock: socket.socket) -> None:
        """Serve on this socket in a thread; returns when the server listens."""
        self._thread = threading.Thread(target=self.run, args=([sock],), name="fake-airbyte", daemon=True)
        self._thread.start()
        if not self._listens.wait(timeout=10):
            raise RuntimeError("the fake Airbyte did not start within 10 seconds")

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop and self._stopping and self._thread:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=10)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self._listens.set()

    async def main_loop(self) -> None:
        """Wait to be stopped, instead of asking ten times a second."""
        if self._stopping:
            await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop without waiting for answers that are still delayed."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        self._transports.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
