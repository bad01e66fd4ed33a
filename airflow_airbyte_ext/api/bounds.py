"""
What one response may take, and whether its request has left.

`requests` bounds the time between two bytes, and nothing else. Here the whole response is bounded, in time and in
bytes as they come from the socket, whatever part of it they are: status lines, headers, chunks or trailers. And since
the error of a broken response may resemble the error of a request that was never sent, nobody concludes from errors
whether it was: the connection notes when it begins to send.
"""

from __future__ import annotations

import io
import threading
import time
import zlib
from functools import cache
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from airflow_airbyte_ext.api.exact_json import count_values

if TYPE_CHECKING:
    import socket

    import urllib3
    from urllib3 import HTTPConnectionPool, PoolManager
    from urllib3.connection import HTTPConnection

MAX_ENCODINGS = 3
# JSON may have this many values, or more where it may be larger: one for each of this many bytes of the limit.
MIN_VALUES = 1_000_000
BYTES_PER_VALUE = 32
# gzip's own header distinguishes it from zlib's.
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CHUNK = 1 << 16
# What status line and headers may take beside the body.
_HEAD = 1 << 20


class ResponseTooLargeError(Exception):
    """The response is larger than the limit, as it came or decompressed, or has more values than fit into memory."""


class ResponseCutError(Exception):
    """The response ended before it was whole, or is compressed in a way that cannot be read."""


class _Exchange(threading.local):
    """What this thread's request may take, and how far it has come."""

    was_sent = False
    limit = 0


_exchange = _Exchange()


def begin_exchange(limit: int) -> None:
    """Say that this thread is about to send a request whose response may have this many bytes."""
    _exchange.was_sent, _exchange.limit = False, limit


def was_sent() -> bool:
    """Whether any of this thread's request may have left: a connection was there, and it was written to."""
    return _exchange.was_sent


class BoundedSession(requests.Session):
    """
    A session whose requests note that they are sent, and whose responses are bounded.

    No cookie is kept: nothing of Airbyte's needs one, and a server could send ever more of them.
    """

    def __init__(self, connections: int) -> None:
        super().__init__()
        self.headers["Accept-Encoding"] = "gzip"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _BoundedAdapter(pool_maxsize=connections))

    def get_redirect_target(self, _response: requests.Response) -> None:
        """Return nothing: `requests` would read the body of a redirect to see where it leads, however large."""


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> PoolManager:
        is_new = proxy not in self.proxy_manager
        manager: PoolManager = super().proxy_manager_for(proxy, **more)
        if is_new:
            _bound(manager)
        return manager


def _bound(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _bounded_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


@cache
def _bounded_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a kind of pool, be it for TLS or for SOCKS, with connections that are bounded."""
    connection = type("BoundedConnection", (_BoundedConnection, pool.ConnectionCls), {})
    return type("BoundedPool", (pool,), {"ConnectionCls": connection})


class _BoundedResponse(HTTPResponse):
    """A response that must be whole within the socket's timeout, counted from when it is first waited for."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


class _BoundedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        timeout = sock.gettimeout()
        self._raw = raw
        self._sock = sock
        self._until = None if timeout is None else time.monotonic() + timeout
        self._left = _exchange.limit + _HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            seconds = self._until - time.monotonic()
            if seconds <= 0:
                raise TimeoutError("the response was not whole in time")
            self._sock.settimeout(seconds)
        size = self._raw.readinto(buffer)
        self._left -= size or 0
        if self._left < 0:
            raise ResponseTooLargeError
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


if TYPE_CHECKING:
    _Connection = HTTPConnection
else:
    _Connection = object


class _BoundedConnection(_Connection):
    response_class = _BoundedResponse

    def request(self, *arguments: Any, **more: Any) -> None:
        if self.is_closed:
            self.connect()
        _exchange.was_sent = True
        super().request(*arguments, **more)


def read_body(raw: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """
    Return the body of a response, decompressed.

    :param limit: Bytes that it may have, as it comes and decompressed.
    :raises ResponseTooLargeError: It has more, or too many values.
    :raises ResponseCutError: It is not whole, or not compressed as it says.
    """
    if raw.headers.get("Content-Length", "").isdecimal() and int(raw.headers["Content-Length"][:20]) > limit:
        raise ResponseTooLargeError
    body = b"".join(raw.stream(_CHUNK, decode_content=False))
    encodings = raw.headers.get("Content-Encoding", "").lower().split(",")
    if len(encodings) > MAX_ENCODINGS:
        raise ResponseCutError("compressed too often")
    for encoding in reversed(encodings):
        if encoding.strip() in ("gzip", "x-gzip", "deflate"):
            body = _decompressed(body, limit)
        elif encoding.strip() not in ("", "identity"):
            raise ResponseCutError("compressed in another way than requested")
    max_values = max(MIN_VALUES, limit // BYTES_PER_VALUE)
    if len(body) > limit or (len(body) > max_values and count_values(body) > max_values):
        raise ResponseTooLargeError
    return body


def _decompressed(body: bytes, limit: int) -> bytes:
    whole = bytearray()
    while body:  # a 204 of a server that compresses everything has none; who compresses piece by piece sends several
        decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            whole += decompressor.decompress(body, limit + 1 - len(whole))
        except zlib.error:
            raise ResponseCutError("not compressed as it says") from None
        if len(whole) > limit:
            raise ResponseTooLargeError
        if not decompressor.eof:
            raise ResponseCutError("cut")
        body = decompressor.unused_data
    return bytes(whole)
