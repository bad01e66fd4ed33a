"""From an HTTP answer to a model, or to the error that says what is wrong with it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from airflow_airbyte_ext.api.models.base import adapter_of
from airflow_airbyte_ext.exceptions import (
    AirbyteAnswerError,
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteBadRequestError,
    AirbyteBusyError,
    AirbyteConflictError,
    AirbyteNotFoundError,
    AirbytePermissionError,
    AirbyteRateLimitError,
    AirbyteServerError,
    AirbyteStatusError,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from requests import Response

    from airflow_airbyte_ext.api.operations import Answer, Operation

LONGEST_QUOTE = 500

# What a proxy before Airbyte says with a web page of its own; any other page is not of an Airbyte at all.
PROXY_STATUSES = {401, 403, 407, 408, 425, 429}

STATUS_ERRORS: dict[int, tuple[type[AirbyteStatusError], str]] = {
    400: (AirbyteBadRequestError, "Airbyte could not read the request: check the ids that were given"),
    401: (AirbyteAuthenticationError, "the credentials are missing, wrong or expired"),
    403: (
        AirbytePermissionError,
        "the credentials are right, but their role may not do this, or may not see this id",
    ),
    404: (AirbyteNotFoundError, "Airbyte does not know this id"),
    409: (AirbyteConflictError, "the connection is busy or deleted"),
    422: (AirbyteBadRequestError, "Airbyte could not read the request: check the ids that were given"),
    423: (AirbyteBusyError, "a sync is running on this connection: try again when it has ended"),
    408: (AirbyteServerError, "a proxy did not wait for the request or its answer"),
    429: (AirbyteRateLimitError, "too many requests: try again later"),
    502: (AirbyteServerError, "a proxy could not reach Airbyte"),
    503: (AirbyteServerError, "Airbyte is not available now"),
    504: (AirbyteServerError, "a proxy did not wait for Airbyte's answer"),
}


def read_answer(operation: Operation[Answer], response: Response) -> Answer:
    """
    Return the model of an answer.

    :raises AirbyteAnswerError: The answer is not JSON, or not of the operation's shape.
    :raises AirbyteStatusError: Airbyte said no; the class tells how.
    """
    if response.is_redirect:
        raise _redirected(operation, response)
    if response.status_code >= 400:
        raise status_error(operation, response)
    if is_html(response):
        raise AirbyteAnswerError(
            f"{operation.operation_id}: {_address(response)} answered with a web page: this is the web app or a "
            "login page, not the API. Give the address at which the API answers, such as https://airbyte.example.com/api.",
            operation=operation.operation_id,
        )
    try:
        return _validated(operation, response.json() if response.content else None)
    except (ValueError, RecursionError):
        raise AirbyteAnswerError(
            f"{operation.operation_id}: {_address(response)} answered HTTP {response.status_code} without JSON "
            f"({_content_type(response)}). Check the base URL, and any proxy before Airbyte.",
            operation=operation.operation_id,
        ) from None


def status_error(operation: Operation[Any], response: Response) -> AirbyteApiError:
    """Return the error for an HTTP status of 400 and above; the status alone decides its class."""
    status = response.status_code
    default = (AirbyteServerError, "Airbyte failed") if status >= 500 else (AirbyteStatusError, "Airbyte said no")
    error_class, meaning = STATUS_ERRORS.get(status, default)
    if is_html(response) and status < 500 and status not in PROXY_STATUSES:
        return AirbyteAnswerError(
            f"{operation.operation_id}: {_address(response)} answered HTTP {status} with a web page, as something "
            "that is not Airbyte's API does. Check the base URL.",
            operation=operation.operation_id,
        )
    body = json_or_none(response)
    error_id = str(body["errorId"]) if isinstance(body, dict) and body.get("errorId") else None
    if status == 403:
        meaning += f"; {operation.operation_id} wants at least the role {operation.role}"
    words = "" if operation.holds_secrets else _server_words(response, body)
    return error_class(
        f"{operation.operation_id}: HTTP {status}: {meaning}."
        + (f' Airbyte says: "{words}".' if words else "")
        + (f" The server's log has more under errorId {error_id}." if error_id else ""),
        operation=operation.operation_id,
        http_status=status,
        error_id=error_id,
        retry_after=_retry_after(response),
    )


def is_html(response: Response) -> bool:
    """Whether the answer is a web page, whatever its header says."""
    return "html" in _content_type(response) or response.content[:200].lstrip().lower().startswith(
        (b"<!doctype", b"<html")
    )


def json_or_none(response: Response) -> Any:
    """Return the answer's JSON, or None where it has none."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _validated(operation: Operation[Answer], answer: object) -> Answer:
    try:
        read: Answer = _adapter(operation).validate_python(answer)
        return read
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, detail["loc"])) or "the whole" for detail in error.errors()[:5])
        raise AirbyteAnswerError(
            f"{operation.operation_id}: Airbyte's answer does not have the expected shape ({fields}). "
            "Is this the Config API of an Airbyte from 0.36 on?",
            operation=operation.operation_id,
        ) from None


@cache
def _adapter(operation: Operation[Any]) -> TypeAdapter[Any]:
    return adapter_of(operation.answer)


def _redirected(operation: Operation[Any], response: Response) -> AirbyteAnswerError:
    target = response.headers["Location"].split("?")[0]
    return AirbyteAnswerError(
        f"{operation.operation_id}: {_address(response)} redirects to {target}. Redirects are not followed, so that "
        "credentials go nowhere else: give the final address as the base URL, or sign in where a login page is shown.",
        operation=operation.operation_id,
    )


def _server_words(response: Response, body: Any) -> str:
    """Return what the server itself says, of any era: never a stack trace, never a page."""
    if isinstance(body, dict):
        embedded = body.get("_embedded")
        errors = embedded.get("errors") if isinstance(embedded, dict) else None
        inner = [error.get("message") for error in errors or [] if isinstance(error, dict)]
        words = next(
            (word for word in [*inner, body.get("detail"), body.get("message"), body.get("title")] if word),
            "",
        )
    else:
        words = "" if is_html(response) else response.text
    first_line = str(words).strip().split("\n")[0]
    return re.sub(r"^Internal Server Error: (?=.)", "", first_line)[:LONGEST_QUOTE].rstrip(". ")


def _retry_after(response: Response) -> float | None:
    try:
        return Retry().get_retry_after(response.raw)
    except InvalidHeader:
        return None


def _address(response: Response) -> str:
    return response.url.split("?")[0]


def _content_type(response: Response) -> str:
    return response.headers.get("Content-Type", "no content type").lower()
