"""Why Airbyte refuses, and how each era says it.

The world raises a `Refusal` that says what happened; `answer` words it as the server of an era does.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.eras import Era

_COMMONS = "io.airbyte.commons.server.errors"
_SERVER = "io.airbyte.server.errors"

_STATUS = {
    "unknown_id": 404,
    "unknown_path": 404,
    "wrong_method": 405,
    "conflict": 409,
    "media_type": 415,
    "unprocessable": 422,
    "sync_running": 423,
    "illegal": 500,
    "no_such_job": 500,
    "credentials": 400,
}


class Refusal(Exception):  # noqa: N818  a refusal is an answer of the server, not a fault of the fake
    """Airbyte will not do what was asked: `kind` says why, `message` is Airbyte's sentence."""

    def __init__(self, kind: str, message: str = "", subject: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.subject = subject


def unknown_id(config_type: str, subject: str) -> Refusal:
    """Nothing has this id; `config_type` is Airbyte's word for the table, such as STANDARD_SYNC."""
    return Refusal("unknown_id", f"Could not find configuration for {config_type}: {subject}.", subject)


def answer(era: Era, refusal: Refusal, path: str) -> tuple[int, Any]:
    """The HTTP status and the JSON body with which this era refuses; a body of None is an empty one."""
    if refusal.kind == "malformed":
        return _malformed(era, refusal, path)
    if refusal.kind == "missing":
        return 400, _missing(era, refusal)
    if refusal.kind == "constraint":
        return _constraint(era)
    if refusal.kind == "credentials" and era.release == "head":
        return 401, _error_id()
    return _STATUS[refusal.kind], _body(era, refusal, path)


def _body(era: Era, refusal: Refusal, path: str) -> Any:
    if refusal.kind in ("wrong_method", "media_type", "credentials"):
        return _json_error(refusal.message, path)
    if refusal.kind == "unknown_path":
        return _unknown_path(era, path)
    if era.errors == "opaque":
        told = refusal.kind in ("conflict", "sync_running", "unprocessable")
        return {"message": refusal.message, **_error_id()} if told else _error_id()
    return _worded(era, refusal)


def _worded(era: Era, refusal: Refusal) -> dict[str, Any]:
    if refusal.kind == "unknown_id":
        return _unknown_id(era, refusal)
    if refusal.kind == "conflict":
        package = _SERVER if era.before("1.3.0") else _COMMONS
        return _exception(era, refusal.message, f"{package}.ValueConflictKnownException")
    if refusal.kind == "sync_running":
        return _exception(era, refusal.message, f"{_COMMONS}.SyncIsRunningException")
    if refusal.kind == "unprocessable":
        return _exception(era, refusal.message, "io.airbyte.validation.json.JsonValidationException")
    name = "java.lang.RuntimeException" if refusal.kind == "no_such_job" else "java.lang.IllegalStateException"
    return _exception(era, f"Internal Server Error: {refusal.message}", name)


def _unknown_id(era: Era, refusal: Refusal) -> dict[str, Any]:
    if era.errors == "jersey":
        body = _exception(era, refusal.message, f"{_SERVER}.IdNotFoundKnownException")
        return {**body, "id": refusal.subject}
    # The status is 404 although the message says otherwise.
    message = f"Internal Server Error: {refusal.message}"
    return _exception(era, message, f"{_COMMONS}.IdNotFoundKnownException")


def _unknown_path(era: Era, path: str) -> dict[str, Any]:
    if era.errors == "opaque":
        return _error_id()
    if era.errors == "micronaut":
        return _json_error("Page Not Found", path, title="Not Found")
    return _exception(era, "Object not found.", "javax.ws.rs.NotFoundException")


def _malformed(era: Era, refusal: Refusal, path: str) -> tuple[int, dict[str, Any]]:
    if era.errors == "jersey":
        name = "com.fasterxml.jackson.databind.exc.InvalidFormatException"
        return 422, _exception(era, f"Invalid json input. {refusal.message}", name)
    return 400, _json_error(f"Failed to convert argument for value [null] due to: {refusal.message}", path)


def _missing(era: Era, refusal: Refusal) -> dict[str, Any]:
    if era.errors == "opaque":
        return _error_id()
    message = "Some properties contained invalid input."
    problem = {"propertyPath": refusal.subject, "message": "must not be null"}
    return {
        **_exception(era, message, "javax.validation.ConstraintViolationException"),
        "validationErrors": [problem],
    }


def _constraint(era: Era) -> tuple[int, dict[str, Any]]:
    if era.before("1.3.0"):
        name = "org.jooq.exception.DataAccessException"
        return 500, _exception(era, "Internal Server Error: SQL: violates foreign key constraint", name)
    message = "Failed to access database. Check the server logs for more information"
    return 409, {"message": message, **_error_id()}


def _exception(era: Era, message: str, name: str) -> dict[str, Any]:
    body: dict[str, Any] = {"message": message, "exceptionClassName": name}
    if era.tells_stacks:
        body["exceptionStack"] = [f"{name}: {message}", "\tat io.airbyte.server.Fake.answer(Fake.java:1)"]
    return body


def _json_error(message: str, path: str, title: str = "Bad Request") -> dict[str, Any]:
    return {
        "message": title,
        "_links": {"self": {"href": path, "templated": False}},
        "_embedded": {"errors": [{"message": message, "_links": {}, "_embedded": {}}]},
    }


def _error_id() -> dict[str, Any]:
    return {"errorId": str(uuid.uuid4())}
