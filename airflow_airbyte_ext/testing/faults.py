"""Ways for a call to go wrong, the queue of those to come, and the network's own faults."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Fault:
    """One way for a call to go wrong; made by the class methods.

    `effect` says whether Airbyte does what was requested before the response goes wrong.
    """

    kind: str
    effect: bool = False
    code: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def drop_before(cls) -> Fault:
        """The connection is closed without a response, and nothing has happened."""
        return cls("drop")

    @classmethod
    def drop_after(cls) -> Fault:
        """The call takes effect, then the connection is closed without a response."""
        return cls("drop", effect=True)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """The call takes effect at once; its normal response comes N seconds of real time later."""
        return cls("delay", effect=True, seconds=seconds)

    @classmethod
    def status(
        cls, code: int, body: Any = None, headers: Mapping[str, str] | None = None, *, effect: bool = False
    ) -> Fault:
        """Another status instead of the response.

        `body` is JSON (a dict or a list) or text; without one a proxy's HTML page is sent.
        """
        return cls("status", effect=effect, code=code, body=body, headers=dict(headers or {}))

    @classmethod
    def html(cls, status: int = 200) -> Fault:
        """The page of the web app instead of a response, as when a base URL is not quite right."""
        return cls("html", code=status)

    @classmethod
    def truncated(cls) -> Fault:
        """The call takes effect, and the response stops in the middle."""
        return cls("truncated", effect=True)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Fault:
        """A redirect, as to a login page."""
        return cls("redirect", code=status, headers={"Location": location})


@dataclass
class PendingFault:
    """A fault that waits for `times` more calls of `operation_id` ("*": of any)."""

    operation_id: str
    fault: Fault
    times: int


class FaultQueue:
    """The faults that wait for their calls, in the order in which they were requested."""

    def __init__(self) -> None:
        self._pending: list[PendingFault] = []

    def add(self, operation_id: str, fault: Fault, times: int) -> None:
        """Let the next `times` calls of this operation go wrong."""
        if times < 1:
            raise ValueError("a fault happens at least once: use times=1 or more")
        self._pending.append(PendingFault(operation_id, fault, times))

    def take(self, operation_id: str | None) -> Fault | None:
        """The fault of the call that is just being made, if one waits for it."""
        for pending in self._pending:
            if pending.operation_id in ("*", operation_id):
                pending.times -= 1
                if pending.times == 0:
                    self._pending.remove(pending)
                return pending.fault
        return None

    def pending(self) -> list[PendingFault]:
        """What has not happened yet."""
        return list(self._pending)

    def clear(self) -> None:
        """Forget all."""
        self._pending.clear()


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
    """No response at all: the connection is closed."""

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
    """The first half of a response, under the Content-Length of the whole."""

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
    """A uvicorn server for a thread: says when it listens, and stops at once on request."""

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
        """Wait to be stopped, instead of checking ten times a second."""
        if self._stopping:
            await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop without waiting for responses that are still delayed."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        self._transports.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
