"""The HTTP side: a Starlette app that routes, checks who calls, lets faults happen and keeps the journal."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from airflow_airbyte_ext.testing import literals, pages
from airflow_airbyte_ext.testing.answers import Answers
from airflow_airbyte_ext.testing.call import Call
from airflow_airbyte_ext.testing.errors import Refusal, answer
from airflow_airbyte_ext.testing.faults import Fault, FaultQueue
from airflow_airbyte_ext.testing.operations import OPERATIONS, Operation
from airflow_airbyte_ext.testing.strictness import check_properties
from airflow_airbyte_ext.testing.wire import Dropped, Transports, Truncated

if TYPE_CHECKING:
    from starlette.requests import Request as HttpRequest

    from airflow_airbyte_ext.testing.auth import Guard
    from airflow_airbyte_ext.testing.world import World

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass
class Request:
    """One request in the journal, in the order of arrival.

    `status` is the HTTP status that was answered, None while there is no answer or when the connection was dropped;
    `body` the parsed JSON, or None; `headers` have lower-case names; `effect` says whether Airbyte did what was asked.
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
    """What the app works on; `lock` guards the world against the thread of the test."""

    world: World
    guard: Guard
    prefix: str = ""
    strict: bool = False
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    faults: FaultQueue = field(default_factory=FaultQueue)
    journal: list[Request] = field(default_factory=list)
    transports: Transports = field(default_factory=Transports)

    def __post_init__(self) -> None:
        self._answers = Answers(self.world)
        era = self.world.era
        served = [operation for operation in OPERATIONS if operation.served_by(era)]
        self._table = {f"{self.prefix}/api{operation.path}": operation for operation in served}

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
            response = self._fault_answer(fault) if fault and not fault.effect else None
            if response is None:
                response = self._answer(request, operation, raw)
            if fault and fault.effect:
                response = self._spoilt(fault, response)
            request.status = None if isinstance(response, Dropped) else response.status_code
        if fault and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return response

    def _answer(self, request: Request, operation: Operation | None, raw: bytes) -> Response:
        if not self.guard.admits(request.headers, self._anonymous(request, operation)):
            if self.guard.kind == "basic":
                return HTMLResponse(pages.UNAUTHORIZED, 401, self.guard.challenge())
            return Response(status_code=401, headers=self.guard.challenge())
        if operation is None and not self._is_api(request.path):
            return self._page(request)
        try:
            result = self._handle(request, operation, raw)
        except Refusal as refusal:
            status, body = answer(self.world.era, refusal, request.path)
            return _json(body, status)
        request.effect = True
        if operation and operation.status == 204:
            return Response(status_code=204)
        return _json(result, 200)

    def _handle(self, request: Request, operation: Operation | None, raw: bytes) -> Any:
        if operation is None:
            raise Refusal("unknown_path")
        if request.method != operation.method:
            raise Refusal("wrong_method", f"Method [{request.method}] not allowed for URI [{request.path}]")
        if raw and not request.headers.get("content-type", "").startswith("application/json"):
            raise Refusal("media_type", "Content Type not allowed. Allowed types: [application/json]")
        body = {} if not raw else _parsed(raw)
        if not isinstance(body, dict):
            raise Refusal("malformed", "Cannot deserialize value from Array value (token `JsonToken.START_ARRAY`)")
        if self.strict:
            check_properties(operation.operation_id, body)
        return operation.handler(Call(self.world, self._answers, self.guard, body, self.url))

    def _anonymous(self, request: Request, operation: Operation | None) -> bool:
        return operation.anonymous if operation else not self._is_api(request.path)

    def _is_api(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self.prefix}/api/")

    def _page(self, request: Request) -> Response:
        """What nginx serves beside the API: the web app, at any path, for any GET."""
        if not f"{request.path}/".startswith(f"{self.prefix}/"):
            return HTMLResponse("default backend - 404", 404)
        if request.method not in ("GET", "HEAD"):
            return HTMLResponse(pages.proxy_error(405), 405)
        return HTMLResponse(pages.WEB_APP)

    def _fault_answer(self, fault: Fault) -> Response:
        if fault.kind == "drop":
            return Dropped(self.transports)
        if fault.kind == "html":
            return HTMLResponse(pages.WEB_APP, fault.code)
        if fault.kind == "redirect":
            return Response(status_code=fault.code, headers=dict(fault.headers))
        if isinstance(fault.body, (dict, list)):
            return _json(fault.body, fault.code, dict(fault.headers))
        text = pages.proxy_error(fault.code) if fault.body is None else str(fault.body)
        return HTMLResponse(text, fault.code, dict(fault.headers))

    def _spoilt(self, fault: Fault, response: Response) -> Response:
        if fault.kind == "truncated":
            return Truncated(self.transports, response)
        return response if fault.kind == "delay" else self._fault_answer(fault)


def _parsed(raw: bytes) -> Any:
    try:
        return literals.loads(raw)
    except ValueError as error:
        raise Refusal("malformed", f"Unexpected character: {error}") from error


def _json(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(literals.encode(body), status, headers, media_type="application/json")
