"""A server on a socket that responds with the very bytes that a test gives it, and keeps a journal of the requests."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CLOSE = b""
"""The response of a server that closes the connection instead of responding."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


Respond = Callable[[Request], bytes]


@dataclass
class RawServer:
    """Serves until it is closed; `respond` gives the bytes for each request.

    Paths are those behind `/api/v1/`; one that begins with a slash is the whole path.
    """

    respond: Respond
    journal: list[Request] = field(default_factory=list)
    _prepared: dict[str, list[bytes | Respond]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._sockets = _Sockets(("127.0.0.1", 0), _Handler)
        self._sockets.raw = self
        threading.Thread(target=self._sockets.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._sockets.server_address[1]}"

    def on(self, path: str, *responses: bytes | Respond) -> None:
        """Respond to a path with these, one after the other, instead of what the server does itself; the last stays."""
        self._prepared[_whole(path)] = list(responses)

    def requests(self, path: str) -> list[Request]:
        return [request for request in self.journal if request.path == _whole(path)]

    def count(self, path: str) -> int:
        return len(self.requests(path))

    def close(self) -> None:
        self._sockets.shutdown()
        self._sockets.server_close()

    def response_to(self, request: Request) -> bytes:
        with self._lock:
            self.journal.append(request)
            queue = self._prepared.get(request.path)
            response = self.respond if queue is None else queue.pop(0) if len(queue) > 1 else queue[0]
            return response if isinstance(response, bytes) else response(request)


def _whole(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


class _Sockets(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    raw: RawServer


class _Handler(socketserver.StreamRequestHandler):
    server: _Sockets

    def handle(self) -> None:
        try:
            while (request := self._read()) is not None:
                response = self.server.raw.response_to(request)
                if response == CLOSE:
                    return
                self.wfile.write(response)
        except ConnectionError:
            return

    def _read(self) -> Request | None:
        line = self.rfile.readline().decode()
        if not line:
            return None
        method, target, _ = line.split()
        headers: dict[str, str] = {}
        while (header := self.rfile.readline().decode().strip()) != "":
            name, value = header.split(":", 1)
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Request(method, target.split("?")[0], headers, body)
