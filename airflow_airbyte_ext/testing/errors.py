"""Why Airbyte refuses, and how each release says it.

The world raises a `Refusal` that says what happened; `reply` words it as the server of a release does.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_airbyte_ext.testing.eras import Era

Json = dict[str, Any]
_JACKSON = "com.fasterxml.jackson.databind.exc"
_FAILURE = "Internal Server Error: "
_ILLEGAL_STATE = "java.lang.IllegalStateException"
_RUNTIME = "java.lang.RuntimeException"

# What Airbyte's own code refuses with a status: the status, the class, and the cause that a database or validator adds.
_KNOWN = {
    "conflict": (409, "ValueConflictKnownException", ""),
    "sync_running": (423, "SyncIsRunningException", ""),
    "unprocessable": (422, "BadObjectSchemaKnownException", "io.airbyte.validation.json.JsonValidationException"),
}
# What nobody catches: all of it is a 500.
_UNCAUGHT = {
    "illegal": _ILLEGAL_STATE,
    "illegal_argument": "java.lang.IllegalArgumentException",
    "no_such_job": _RUNTIME,
    "unknown_id_uncaught": _RUNTIME,
    "class_cast": "java.lang.ClassCastException",
    "null_pointer": "java.lang.NullPointerException",
    "no_value": "java.util.NoSuchElementException",
    "unsupported": "java.lang.UnsupportedOperationException",
}


class Refusal(Exception):  # noqa: N818  a refusal is a response of the server, not a fault of the fake
    """Airbyte will not do what was requested: `kind` says why, `message` is Airbyte's sentence, `subject` what of."""

    def __init__(self, kind: str, message: str = "", subject: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.subject = subject


@dataclass(frozen=True)
class Reply:
    """A response: `body` is JSON, raw text that is labelled as JSON, or None for nothing at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def unknown_id(config_type: str, subject: str) -> Refusal:
    """Nothing has this id; `config_type` is Airbyte's word for the table, such as STANDARD_SYNC."""
    return Refusal("unknown_id", f"Could not find configuration for {config_type}: {subject}.", subject)


def uncaught(refusal: Refusal) -> Refusal:
    """An unknown id where the release forgets to turn it into a 404."""
    table = refusal.message.removeprefix("Could not find configuration for ").partition(":")[0]
    cause = f"io.airbyte.config.persistence.ConfigNotFoundException: config type: {table} id: {refusal.subject}"
    return Refusal("unknown_id_uncaught", cause, refusal.subject)


def reply(era: Era, refusal: Refusal, path: str, argument: str = "body") -> Reply:
    """The response of this release; `argument` is the request's schema as Java names a parameter of it."""
    if refusal.kind in _KNOWN:
        return _known(era, refusal)
    if refusal.kind in _UNCAUGHT:
        return _failure(era, refusal.message, _UNCAUGHT[refusal.kind], _cause_of(refusal))
    if refusal.kind in _BY_KIND:
        return _BY_KIND[refusal.kind](era, refusal, path)
    return _unreadable(era, refusal, path, argument)


# What the world refuses


def _known(era: Era, refusal: Refusal) -> Reply:
    status, name, cause = _KNOWN[refusal.kind]
    if era.has("errors_are_opaque"):
        return Reply(status, {"message": refusal.message, **_error_id()})
    return Reply(status, _exception(era, refusal.message, _own(era, name), cause and f"{cause}: {refusal.message}"))


def _failure(era: Era, message: str, name: str, cause: str = "") -> Reply:
    if era.has("errors_are_opaque"):
        return Reply(500, _error_id())
    empty: Json = {}
    if era.has("error_stacks_are_empty"):
        empty = {"exceptionStack": [], "rootCauseExceptionStack": []}
    return Reply(500, _exception(era, _FAILURE + message, name, cause) | empty)


def _cause_of(refusal: Refusal) -> str:
    return refusal.message if refusal.kind == "unknown_id_uncaught" else ""


def _unknown_id(era: Era, refusal: Refusal, _: str) -> Reply:
    if era.has("errors_are_opaque"):
        return Reply(404, _error_id())
    text = _FAILURE if era.has("unknown_id_is_called_an_error") else ""
    cause = f"io.airbyte.config.persistence.ConfigNotFoundException: {refusal.message}"
    body = _exception(era, text + refusal.message, _own(era, "IdNotFoundKnownException"), cause)
    return Reply(404, body | ({"id": refusal.subject} if era.has("unknown_id_is_named") else {}))


def _constraint(era: Era, _: Refusal, __: str) -> Reply:
    if not era.has("constraints_are_conflicts"):
        text = "SQL: violates foreign key constraint"
        return _failure(
            era, text, "org.jooq.exception.DataAccessException", f"org.postgresql.util.PSQLException: {text}"
        )
    message = "Failed to access database. Check the server logs for more information"
    if era.has("errors_are_opaque"):
        return Reply(409, {"message": message, **_error_id()})
    return Reply(409, _exception(era, message, _own(era, "ConflictException")))


def _locked(_: Era, refusal: Refusal, __: str) -> Reply:
    data = {"connectionId": refusal.subject, "statusReason": refusal.message}
    detail = "The connection is locked and cannot be modified."
    return problem(409, "error:connection/locked", "Connection is locked", detail, data)


def problem(status: int, kind: str, title: str, detail: str, data: Json | None = None) -> Reply:
    """A "problem" of Airbyte's newer code."""
    body = {"status": status, "type": kind, "title": title, "detail": detail}
    return Reply(status, body | ({"data": data} if data else {}))


def timed_out() -> Reply:
    """What a token endpoint says that took longer than a second."""
    detail = "The request has exceeded the timeout associated with this endpoint."
    return problem(408, "error:request-timeout-exceeded", "Request timeout exceeded", detail)


# What is refused on the way to a handler


def _unknown_path(era: Era, _: Refusal, __: str) -> Reply:
    if era.has("missing_path_is_text"):
        return Reply(404, "Object not found.")
    cause = "javax.ws.rs.NotFoundException: HTTP 404 Not Found"
    message = "Object not found. HTTP 404 Not Found"
    body = _exception(era, message, _own(era, "IdNotFoundKnownException"), cause)
    return Reply(404, body | ({"id": None} if era.has("explicit_nulls") else {}))


def _wrong_method(era: Era, refusal: Refusal, path: str) -> Reply:
    """`subject` is the method that the path has, `message` the one that came."""
    if not era.has("wrong_method_is_405"):
        return _failure(era, "HTTP 405 Method Not Allowed", "javax.ws.rs.NotAllowedException")
    text = f"Method [{refusal.message}] not allowed for URI [{path}]. Allowed methods: [{refusal.subject}]"
    body = None if era.has("routing_errors_are_empty") else _json_error(era, 405, text, path)
    return Reply(405, body, {"Allow": refusal.subject or ""})


def _wrong_content_type(era: Era, refusal: Refusal, path: str) -> Reply:
    if not era.has("wrong_content_type_is_415"):
        return _failure(era, "HTTP 415 Unsupported Media Type", "javax.ws.rs.NotSupportedException")
    if era.has("routing_errors_are_empty"):
        return Reply(415)
    text = f"Content Type [{refusal.subject}] not allowed. Allowed types: [application/json]"
    return Reply(415, _json_error(era, 415, text, path))


def _too_large(era: Era, refusal: Refusal, path: str) -> Reply:
    return Reply(413, _json_error(era, 413, refusal.message, path))


def _unreadable(era: Era, refusal: Refusal, path: str, argument: str) -> Reply:
    """A body that is missing, cannot be read, or lacks or has a field that it should not."""
    if refusal.kind == "missing":
        return _missing(era, refusal)
    if refusal.kind == "no_body":
        if era.has("malformed_is_422"):
            return _failure(era, "null", _UNCAUGHT["null_pointer"])
        return Reply(400, _json_error(era, 400, f"Required argument [{argument}] not specified", path))
    if era.has("malformed_is_422"):
        if refusal.kind == "undeclared":
            name, text = "UnrecognizedPropertyException", refusal.message
        else:
            name, text = "InvalidFormatException", f"{refusal.message}\n at [Source: line: 1] {refusal.message}"
        return Reply(422, _exception(era, f"Invalid json input. {text}", f"{_JACKSON}.{name}"))
    text = f"Failed to convert argument [{argument}] for value [null] due to: {refusal.message}"
    return Reply(400, _json_error(era, 400, text, path))


def _missing(era: Era, refusal: Refusal) -> Reply:
    if not era.has("required_fields_are_validated"):
        return _failure(era, f'Cannot invoke "Object.toString()" because "{refusal.subject}" is null', _NULL_POINTER)
    body = _exception(era, "Some properties contained invalid input.", "javax.validation.ConstraintViolationException")
    for name in ("rootCauseExceptionClassName", "rootCauseExceptionStack"):
        body.pop(name, None)
    wrong = {"propertyPath": refusal.subject, "message": "must not be null", "invalidValue": "null"}
    return Reply(400, {**body, "validationErrors": [wrong]})


# Who may call


def _security(era: Era, refusal: Refusal, path: str) -> Reply:
    status = {"unauthorized": 401, "forbidden": 403}[refusal.kind]
    if era.has("security_errors_are_empty"):
        return Reply(status)
    return Reply(status, _json_error(era, status, HTTPStatus(status).phrase, path))


def _wrong_credentials(era: Era, _: Refusal, path: str) -> Reply:
    return Reply(400, _json_error(era, 400, "Invalid client id or token", path))


def _refused_by_keycloak(era: Era, _: Refusal, path: str) -> Reply:
    if era.has("keycloak_refusal_breaks"):
        text = "class java.lang.String cannot be cast to class javax.ws.rs.core.Response"
        return _failure(era, text, _UNCAUGHT["class_cast"])
    if era.has("keycloak_refusal_is_opaque"):
        return Reply(401, _error_id())
    return Reply(401, _json_error(era, 401, "HTTP 401 Unauthorized", path))


# Bodies


def _exception(era: Era, message: str, name: str, cause: str = "") -> Json:
    """The body about a Java exception; `cause` is the first line of its cause's stack, "" when it has none."""
    body: Json = {"message": message, "exceptionClassName": name}
    if not era.has("error_stacks"):
        return body
    body["exceptionStack"] = _stack(f"{name}: {message.removeprefix(_FAILURE)}")
    if cause:
        own = "java.lang.Class" if era.has("root_cause_is_class") else cause.partition(":")[0]
        return body | {"rootCauseExceptionClassName": own, "rootCauseExceptionStack": _stack(cause)}
    if era.has("explicit_nulls"):
        body |= {"rootCauseExceptionClassName": None, "rootCauseExceptionStack": None}
    return body


def _stack(first: str) -> list[str]:
    return [first, "\tat io.airbyte.server.Fake.respond(Fake.java:1)"]


def _own(era: Era, name: str) -> str:
    package = "io.airbyte.commons.server.errors" if era.has("errors_are_in_commons") else "io.airbyte.server.errors"
    return f"{package}.{name}"


def _json_error(era: Era, status: int, message: str, path: str) -> Json:
    """The framework's own body."""
    inner: Json = {"message": message}
    if era.has("json_errors_have_links"):
        inner |= {"_links": {}, "_embedded": {}}
    return {
        "message": "Request Entity Too Large" if status == 413 else HTTPStatus(status).phrase,
        "_links": {"self": {"href": path, "templated": False}},
        "_embedded": {"errors": [inner]},
    }


def _error_id() -> Json:
    return {"errorId": str(uuid.uuid4())}


_NULL_POINTER = _UNCAUGHT["null_pointer"]
_BY_KIND = {
    "unknown_id": _unknown_id,
    "constraint": _constraint,
    "locked": _locked,
    "unknown_path": _unknown_path,
    "wrong_method": _wrong_method,
    "wrong_content_type": _wrong_content_type,
    "too_large": _too_large,
    "unauthorized": _security,
    "forbidden": _security,
    "wrong_credentials": _wrong_credentials,
    "refused_by_keycloak": _refused_by_keycloak,
}
