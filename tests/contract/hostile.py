"""A proxy before a fake Airbyte: each request takes effect, and its response is then spoiled, byte by byte."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import socketserver
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

# What is sent one after the other: bytes, seconds to wait, or None to reset the connection. Then it is closed.
Parts = Iterable[bytes | float | None]


@dataclass
class Exchange:
    """A request, and what the fake has responded to it."""

    path: str
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        return self.path.partition("/v1/")[2]


Spoil = Callable[[Exchange], Parts | None]


class HostileProxy(socketserver.ThreadingTCPServer):
    """Forwards each request to an Airbyte; `spoil` returns what is sent instead of its response, or None."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind)
        self.spoil: Spoil = lambda _exchange: None
        self.requests = 0
        self.limit = 2000
        """So many requests are forwarded at most; who sends more does not end."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spoil_next(self, operation: str, parts: Callable[[Exchange], Parts], times: int = 1) -> None:
        """Spoil the next responses of an operation, which is named by the end of its path."""
        left = [times]

        def spoil(exchange: Exchange) -> Parts | None:
            if exchange.operation != operation or left[0] == 0:
                return None
            left[0] -= 1
            return parts(exchange)

        self.spoil = spoil

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no trouble."""


@contextmanager
def hostile_proxy(behind: str) -> Iterator[HostileProxy]:
    proxy = HostileProxy(behind)
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: HostileProxy
    disable_nagle_algorithm = True

    def handle(self) -> None:
        upstream = http.client.HTTPConnection(self.server.behind.hostname or "", self.server.behind.port, timeout=10)
        try:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while self._serve(upstream):
                    pass
        finally:
            upstream.close()

    def _serve(self, upstream: http.client.HTTPConnection) -> bool:
        line = self.rfile.readline().decode()
        if not line.strip():
            return False
        method, target, _ = line.split()
        headers = dict(_headers(self.rfile))
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.requests += 1
        if self.server.requests > self.server.limit:
            return False
        upstream.request(method, target, body or None, headers)
        answer = upstream.getresponse()
        content = answer.read()
        exchange = Exchange(target, answer.status, content, dict(answer.getheaders()))
        parts = self.server.spoil(exchange)
        if parts is None:
            kind = exchange.headers.get("content-type", "application/json")
            self.wfile.write(response(content, f"{answer.status} Status", kind, closes=False))
            return True
        for part in parts:
            if part is None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif isinstance(part, float):
                time.sleep(part)
            else:
                self.wfile.write(part)
        return False


def _headers(lines: Any) -> Iterator[tuple[str, str]]:
    while header := lines.readline().decode().strip():
        name, _, value = header.partition(":")
        yield name.lower(), value.strip()


def response(
    body: bytes = b"",
    status: str = "200 OK",
    kind: str = "application/json",
    *headers: str,
    length: Any = None,
    closes: bool = True,
) -> bytes:
    """A whole response, with a length that need not be its own."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, f"Content-Length: {length}"]
    lines += ["Connection: close"] if closes else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


@cache
def bomb(megabytes: int = 300) -> bytes:
    """JSON that is compressed twice: a few hundred bytes for hundreds of megabytes."""
    spaces = b" " * 2**20
    compressor = zlib.compressobj(wbits=31)
    inner = [compressor.compress(part) for part in (b'"', *[spaces] * megabytes, b'"')]
    return gzip.compress(b"".join(inner) + compressor.flush())


_PAGE = b"<html><body>no</body></html>"
_GZIP = "Content-Encoding: gzip"


def _said(body: bytes, status: str = "200 OK", kind: str = "application/json", *headers: str, **more: Any) -> Any:
    return lambda _exchange: [response(body, status, kind, *headers, **more)]


def _raw(*parts: bytes | float | None) -> Any:
    return lambda _exchange: list(parts)


# By name: what is sent after the request has taken effect. None of them is a response.
BROKEN: dict[str, Callable[[Exchange], Parts]] = {
    "two lengths": lambda it: [response(it.body, length="5, 6")],
    "a length that is cut": lambda it: [response(it.body, length=len(it.body) + 10)],
    "a length that cuts": lambda it: [response(it.body, length=3)],
    "a length beyond all bounds": lambda it: [response(it.body, length="9" * 30)],
    "bad chunk": lambda it: [chunked(b"zz\r\n" + it.body)],
    "negative chunk": lambda it: [chunked(b"-1\r\n" + it.body)],
    "huge chunk": lambda it: [chunked(b"FFFFFFFFFFFF\r\n" + it.body)],
    "cut chunk": lambda it: [chunked(b"%x\r\n" % (len(it.body) + 5) + it.body)],
    "no last chunk": lambda it: [chunked(b"%x\r\n" % len(it.body) + it.body + b"\r\n")],
    "no chunk at all": lambda it: [chunked()],
    "gzip that is none": lambda it: [response(it.body, "200 OK", "application/json", _GZIP)],
    "gzip that is cut": lambda it: [response(gzip.compress(it.body)[:-12], "200 OK", "application/json", _GZIP)],
    "gzip with a wrong sum": lambda it: [
        response(gzip.compress(it.body)[:-8] + b"\0" * 8, "200 OK", "application/json", _GZIP)
    ],
    "another encoding": lambda it: [response(it.body, "200 OK", "application/json", "Content-Encoding: br")],
    "encoded too often": lambda it: [
        response(it.body, "200 OK", "application/json", "Content-Encoding: gzip, gzip, gzip, gzip")
    ],
    "HTTP/0.9": lambda it: [it.body],
    "no status": _raw(b"\r\n\r\n"),
    "status first": _raw(b"200 OK HTTP/1.1\r\n\r\n"),
    "a status of words": _raw(b"HTTP/1.1 OK 200\r\n\r\n"),
    "a status too large": _raw(b"HTTP/1.1 20000 OK\r\n\r\n"),
    # The words of errors that are of a request which was never sent.
    "words of a tunnel": _raw(b"Tunnel connection failed: 403 Forbidden\r\n\r\n"),
    "words of a proxy": _raw(b"cannot connect to proxy: PEM X509\r\n\r\n"),
    "words of TLS": _raw(b"WRONG_VERSION_NUMBER HTTP_REQUEST\r\n\r\n"),
    "too many headers": lambda it: [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(300)) + b"\r\n" + it.body
    ],
    "a header too long": lambda it: [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n" + it.body],
    "interim for ever": _raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000),
    "early hints alone": _raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "other protocol": _raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "closed": _raw(),
    "reset": _raw(None),
    "nothing": _said(b""),
    "no content": _raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    "text": _said(b"OK", "200 OK", "text/plain"),
    "web page": _said(_PAGE, "200 OK", "text/html"),
    "cut JSON": lambda it: [response(it.body[: len(it.body) // 2])],
    "no character set": lambda it: [
        response(b"\xff\xfe\xff" + it.body, "200 OK", "application/json; charset=undefined")
    ],
    "not a number": _said(b'{"job": {"id": NaN}}'),
    "half a character": _said(b'{"job": {"id": 1, "status": "\\ud800"}}'),
    "nested too deeply": _said(b"[" * 100_000),
    "a number too long": _said(b'{"job": {"id": ' + b"9" * 5000 + b"}}"),
    "a number beyond 64 bits": _said(b'{"job": {"id": ' + b"9" * 30 + b"}}"),
    "a list": _said(b"[]"),
    "a word": _said(b'"job"'),
    "null": _said(b"null"),
    "an empty object": _said(b"{}"),
    "a job that is a number": _said(b'{"job": 5, "jobs": 5}'),
    "a job without id": _said(b'{"job": {"status": "running"}}'),
    "a redirect": _said(b"", "302 Found", "text/html", "Location: https://sso.example.com/login"),
    "a redirect to nowhere": _said(b"", "302 Found", "text/html", "Location: http://[::1"),
    "a redirect with a body": _said(_PAGE, "307 Temporary Redirect", "text/html", "Location: /login"),
    "moved, but not where": _said(b"", "301 Moved"),
    "not modified": _raw(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    "an odd status": lambda it: [response(it.body, "399 Odd")],
    "a status of no kind": lambda it: [response(it.body, "999 No")],
    # Of a proxy that does not like what Airbyte has sent back.
    "proxy 400": _said(b"bad", "400 Bad Request", "text/plain"),
    "proxy 401": _said(_PAGE, "401 Unauthorized", "text/html"),
    "proxy 403": _said(_PAGE, "403 Forbidden", "text/html"),
    "proxy 403 in JSON": _said(b'{"error": "forbidden"}', "403 Forbidden"),
    "proxy 404": _said(b"404 page not found", "404 Not Found", "text/plain"),
    "proxy 405": _said(_PAGE, "405 Method Not Allowed", "text/html"),
    "proxy 407": _said(_PAGE, "407 Proxy Authentication Required", "text/html"),
    "proxy 409": _said(_PAGE, "409 Conflict", "text/html"),
    "proxy 413": _said(_PAGE, "413 Request Entity Too Large", "text/html"),
    "proxy 422": _said(b'{"detail": "no"}', "422 Unprocessable Entity"),
    "proxy 423": _said(b"locked", "423 Locked", "text/plain"),
    "proxy 431": _said(b"", "431 Request Header Fields Too Large"),
    "proxy 451": _said(_PAGE, "451 Unavailable For Legal Reasons", "text/html"),
    "proxy 499": _said(b"", "499 Client Closed Request"),
    "proxy 502": _said(_PAGE, "502 Bad Gateway", "text/html"),
    "proxy 504": _said(_PAGE, "504 Gateway Timeout", "text/html"),
    "a Retry-After of another age": _said(
        b"", "503 Busy", "application/json", "Retry-After: Fri, 31 Dec 99999999 23:59:59 GMT"
    ),
    "a Retry-After too long": _said(b"", "503 Busy", "application/json", f"Retry-After: {'9' * 5000}"),
    "an error of another shape": _said(json.dumps({"_embedded": {"errors": 5}, "message": [5]}).encode(), "500 Failed"),
    "an error nested too deeply": _said(b'{"message":' + b"[" * 900 + b"]" * 900 + b"}", "500 Failed"),
}
