"""The HTTP side: a Starlette app that routes, checks who calls, lets faults happen and keeps the journal."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from airflow_airbyte_ext.testing import json_numbers
from airflow_airbyte_ext.testing.call import Call
from airflow_airbyte_ext.testing.errors import Refusal, Reply, reply, timed_out
from airflow_airbyte_ext.testing.faults import Dropped, Fault, FaultQueue, Hanging, Transports, Truncated
from airflow_airbyte_ext.testing.fields import check_declared
from airflow_airbyte_ext.testing.routes import OPERATIONS, TOKEN_OPERATIONS, Operation
from airflow_airbyte_ext.testing.serializers import Responses

if TYPE_CHECKING:
    from starlette.requests import Request as HttpRequest

    from airflow_airbyte_ext.testing.auth import Guard
    from airflow_airbyte_ext.testing.world import World

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_MEGABYTE = 1024 * 1024
_SERVER_LIMIT = 10 * _MEGABYTE
# The paths that newer servers do not take for pages of the web app.
_NO_PAGES = ("/api/", "/assets/", "/fonts/", "/routes/")
# What a server can be text to read strictly.
_STRICT = ("/v1/connections/", "/v1/web_backend/", "/v1/workspaces/")


WEB_APP = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Airbyte</title></head>
<body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body>
</html>
"""

ACCESS_DENIED = """<html>
<head><meta charset="utf-8"><title>Airbyte - Access Denied</title></head>
<body>
<h1>Nope.</h1>
<h2><code>HTTP Error Code: 401</code></h2>
<p>This Airbyte wants a user name and a password.</p>
</body>
</html>
"""

# Where nginx has words of its own.
_NGINX = {
    401: "Authorization Required",
    405: "Not Allowed",
    413: "Request Entity Too Large",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


@dataclass
class Request:
    """One request in the journal, in the order of arrival.

    `status` is the HTTP status that was returned, None while there is no response or when the connection was dropped;
    `body` the parsed JSON, or None; `headers` have lower-case names; `effect` says whether Airbyte did it.
    """

    operation_id: str | None
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    status: int | None = None
    effect: bool = False


@dataclass
class Server:
    """What the app works on; `lock` guards the world against the thread of the test.

    `strict` refuses undeclared properties, `proxy_limit` is the largest request in bytes that a proxy lets through
    (None: as the release's own does), `one_workspace` refuses requests over several where the release may do so.
    """

    world: World
    guard: Guard
    prefix: str = ""
    strict: bool = False
    proxy_limit: int | None = None
    one_workspace: bool = True
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    faults: FaultQueue = field(default_factory=FaultQueue)
    journal: list[Request] = field(default_factory=list)
    transports: Transports = field(default_factory=Transports)

    def __post_init__(self) -> None:
        self._responses = Responses(self.world)
        self._era = era = self.world.era
        served = [operation for operation in OPERATIONS if operation.served_by(era)]
        if not self.guard.checks_tokens:
            served = [operation for operation in served if operation.operation_id not in TOKEN_OPERATIONS]
        self._table = {f"{self.prefix}/api{operation.path}": operation for operation in served}
        if self.proxy_limit is None:
            self.proxy_limit = self._usual_proxy_limit()

    def _usual_proxy_limit(self) -> int | None:
        if self.guard.kind == "basic" and self._era.has("basic_proxy_takes_1_mb"):
            return _MEGABYTE
        return 200 * _MEGABYTE if self._era.has("web_app_has_its_own_nginx") else None

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._serve, methods=_METHODS)])

    async def _serve(self, http: HttpRequest) -> Response:
        raw = await http.body()
        path = http.url.path
        # Airbyte takes a trailing slash.
        operation = self._table.get(path.rstrip("/"))
        with self.lock:
            request = Request(operation.operation_id if operation else None, http.method, path, dict(http.headers))
            with suppress(Refusal):
                request.body = _parsed(raw) if raw else None
            self.journal.append(request)
            fault = self.faults.take(request.operation_id)
            response = self._fault_response(fault) if fault and not fault.effect else None
            if response is None:
                response = self._response(request, operation, raw)
            if fault and fault.effect:
                response = self._spoilt(fault, response, request.operation_id)
            request.status = None if isinstance(response, (Dropped, Hanging)) else response.status_code
            if request.status is not None:
                response.headers.setdefault("Date", formatdate(self.world.now(), usegmt=True))
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return response

    def _response(self, request: Request, operation: Operation | None, raw: bytes) -> Response:
        stopped = self._stopped_by_proxy(request, raw)
        if stopped:
            return stopped
        if operation is None and not self._is_api(request.path):
            return self._page(request)
        try:
            result = self._handle(request, operation, raw)
        except Refusal as refusal:
            return self._refused(refusal, request, operation)
        request.effect = True
        if operation and operation.status == 204:
            return Response(status_code=200 if self._era.has("delete_returns_200") else 204)
        return _json(result, 200)

    def _stopped_by_proxy(self, request: Request, raw: bytes) -> Response | None:
        if self.proxy_limit is not None and len(raw) > self.proxy_limit:
            return _html(proxy_error(413), 413)
        if self.guard.kind == "basic" and not self.guard.admits(request.headers):
            page = ACCESS_DENIED if self._era.has("basic_proxy") else proxy_error(401)
            return _html(page, 401, self.guard.challenge())
        return None

    def _refused(self, refusal: Refusal, request: Request, operation: Operation | None) -> Response:
        if refusal.kind == "hangs":
            return Hanging()
        refused = reply(self._era, refusal, request.path, operation.argument if operation else "body")
        challenge = self.guard.challenge() if refusal.kind == "unauthorized" else {}
        return _sent(refused, challenge)

    def _handle(self, request: Request, operation: Operation | None, raw: bytes) -> Any:
        self._check_size(raw)
        route = operation if operation and request.method == operation.method else None
        self._check_caller(request, route)
        if operation is None:
            raise Refusal("unknown_path")
        if route is None:
            raise Refusal("wrong_method", request.method, operation.method)
        kind = request.headers.get("content-type", "")
        if raw and not kind.startswith("application/json"):
            raise Refusal("wrong_content_type", subject=kind)
        body = self._body(operation, raw)
        if self.guard.checks_tokens and self.one_workspace and self._era.has("one_workspace_per_request"):
            self._check_workspaces(body)
        return operation.handler(Call(self.world, self._responses, self.guard, body, self.url))

    def _check_size(self, raw: bytes) -> None:
        if len(raw) > _SERVER_LIMIT and self._era.has("server_limits_requests"):
            text = f"The content length [{len(raw)}] exceeds the maximum allowed content length [{_SERVER_LIMIT}]"
            raise Refusal("too_large", text)

    def _check_caller(self, request: Request, route: Operation | None) -> None:
        """What the token check refuses: a missing path and a wrong method, too, no matter who calls."""
        if not self.guard.checks_tokens or (route and route.anonymous):
            return
        if not self.guard.admits(request.headers):
            raise Refusal("unauthorized")
        if route is None and self._era.has("missing_path_is_forbidden"):
            raise Refusal("forbidden")

    def _body(self, operation: Operation, raw: bytes) -> dict[str, Any]:
        if not operation.request:
            return {}
        if not raw:
            raise Refusal("no_body")
        body = _parsed(raw)
        if not isinstance(body, dict):
            raise Refusal("malformed", "Cannot deserialize value from Array value (token `JsonToken.START_ARRAY`)")
        is_strict = self.strict and operation.path.startswith(_STRICT)
        if is_strict or self._era.has("undeclared_fields_are_refused"):
            check_declared(self._era, operation.request, body)
        return body

    def _check_workspaces(self, body: dict[str, Any]) -> None:
        if len(self.world.workspaces_named(body)) > 1:
            raise Refusal("forbidden")

    def _is_api(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self.prefix}/api/")

    def _page(self, request: Request) -> Response:
        """What is beside the API: the web app."""
        path = request.path.removeprefix(self.prefix)
        if not f"{request.path}/".startswith(f"{self.prefix}/"):
            return Response("default backend - 404", 404, media_type="text/plain")
        if self._era.has("web_app_has_its_own_nginx"):
            is_read = request.method in ("GET", "HEAD")
            return _html(WEB_APP, 200) if is_read else _html(proxy_error(405), 405)
        if path.startswith(_NO_PAGES):
            return _sent(reply(self._era, Refusal("unknown_path"), request.path))
        return _html(WEB_APP, 200)

    def _fault_response(self, fault: Fault) -> Response:
        headers = dict(fault.headers)
        if fault.kind == "drop":
            return Dropped(self.transports)
        if fault.kind == "html":
            return _html(WEB_APP, fault.code)
        if fault.kind == "redirect":
            return Response(status_code=fault.code, headers=headers)
        if isinstance(fault.body, (dict, list)):
            return _json(fault.body, fault.code, headers)
        return _html(proxy_error(fault.code) if fault.body is None else str(fault.body), fault.code, headers)

    def _spoilt(self, fault: Fault, response: Response, operation_id: str | None) -> Response:
        if fault.kind == "truncated":
            return Truncated(self.transports, response)
        if fault.kind != "delay":
            return self._fault_response(fault)
        gives_up = fault.seconds > 1 and self._gives_up(operation_id)
        return _sent(timed_out()) if gives_up else response

    def _gives_up(self, operation_id: str | None) -> bool:
        """Whether this is a token endpoint that waits for a second only."""
        if operation_id == "applicationTokenRequest":
            return self._era.has("token_endpoint_times_out")
        return operation_id == "publicCreateAccessToken" and self._era.has("public_token_endpoint_times_out")


def _parsed(raw: bytes) -> Any:
    try:
        return json_numbers.loads(raw)
    except ValueError as error:
        raise Refusal("malformed", f"Unexpected character: {error}") from error


def _sent(refused: Reply, headers: dict[str, str] | None = None) -> Response:
    all_headers = {**refused.headers, **(headers or {})}
    if refused.body is None:
        return Response(status_code=refused.status, headers=all_headers)
    if isinstance(refused.body, str):
        return Response(refused.body, refused.status, all_headers, media_type="application/json")
    return _json(refused.body, refused.status, all_headers)


def _json(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json_numbers.encode(body), status, headers, media_type="application/json")


def _html(page: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(page, status, {"Content-Type": "text/html", **(headers or {})})


def proxy_error(status: int) -> str:
    """The page with which nginx responds on its own account."""
    phrase = _NGINX.get(status) or next((known.phrase for known in HTTPStatus if known == status), "Error")
    title = f"{status} {phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
