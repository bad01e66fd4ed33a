"""
What a response of status 400 and above means, and the error that says so.

Airbyte reports an operation that its release lacks in three ways, each of which may mean something else, too. So one
function, `meaning_of`, decides from the response *and* the release; everything that falls back to another operation
rests on it. Facts: sections 3.1 and 4.
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from airflow_airbyte_ext.api.releases import OLDEST_RELEASE, Release
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteBadRequestError,
    AirbyteBusyError,
    AirbyteConflictError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbytePermissionError,
    AirbyteProxyAuthenticationError,
    AirbyteRateLimitError,
    AirbyteRequestTooLargeError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteStatusError,
)
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.operation import Operation
    from airflow_airbyte_ext.api.response import HttpResponse
    from airflow_airbyte_ext.api.settings import ClientSettings

# The community edition checks tokens since the one, and takes no user name and password since the other.
TOKENS_SINCE = "0.63.9"
BASIC_REFUSED_SINCE = "2.2.0"
MAX_QUOTE = 500
MAX_ERROR_ID = 100
MAX_RETRY_AFTER = 86400.0
# With these, Airbyte or a proxy before it says that it did not accept the request.
NOT_ACCEPTED_STATUSES = {425, 429}

# The whole body for a path that the release lacks, since 0.40.28; up to 0.40.27 a JSON message begins like it.
NO_SUCH_PATH = "Object not found."
# What a 500 says where a release has no 404 for an unknown id, and never where it has.
_UNKNOWN_ID_TEXT = re.compile(r"ConfigNotFoundException|Could not find job with id")
# What a proxy before Airbyte says with a web page of its own; a page with another status is not of an Airbyte at all.
_PROXY_STATUSES = {401, 403, 407, 408, 413, 425, 429}

_STATUS_ERRORS: dict[int, tuple[type[AirbyteStatusError], str]] = {
    400: (AirbyteBadRequestError, "Airbyte could not read the request: check the ids that were given"),
    401: (AirbyteAuthenticationError, "the credentials are missing, wrong or expired"),
    403: (
        AirbytePermissionError,
        "the credentials are right, but their role may not do this, or may not see this id",
    ),
    404: (AirbyteNotFoundError, "Airbyte does not know this id"),
    409: (AirbyteConflictError, "the connection is busy or deleted"),
    413: (AirbyteRequestTooLargeError, "the request is too large"),
    422: (AirbyteBadRequestError, "Airbyte could not read the request: check the ids that were given"),
    423: (AirbyteBusyError, "a sync is running on this connection: try again when it has ended"),
    408: (AirbyteServerError, "the request was given up before its response came"),
    429: (AirbyteRateLimitError, "too many requests: try again later"),
    502: (AirbyteServerError, "a proxy could not reach Airbyte"),
    503: (AirbyteServerError, "Airbyte is not available now"),
    504: (AirbyteServerError, "a proxy did not wait for Airbyte's response"),
}


class Meaning(Enum):
    """What a refusal means."""

    MISSING = "this release does not have the operation"
    MISSING_OR_FORBIDDEN = "this release does not have it, or the role may not use it: servers say the same of both"
    UNKNOWN_ID = "the operation is there, and an id in the request is unknown"
    NOT_AIRBYTE = "something responded that is not Airbyte's API"
    STATUS = "what the HTTP status says"


def meaning_of(
    operation: Operation, response: HttpResponse, release: Callable[[], Release], *, is_token_fresh: bool = False
) -> Meaning:
    """
    Return what a refusal means, from the response and the server's release.

    :param release: Returns the server's release; called only where the response alone does not decide.
    :param is_token_fresh: Whether the request carried a token that had just been issued.
    """
    status = response.status
    if status == 404:
        return _meaning_of_404(operation, response, release)
    if response.is_html and status < 500 and status not in _PROXY_STATUSES:
        return Meaning.NOT_AIRBYTE
    if status == 405:
        # No operation of ours is there under another method, in any release.
        return Meaning.NOT_AIRBYTE
    if status == 403 and _may_be_of_the_token_check(response):
        is_there = operation.is_in(release())
        if is_there is None:
            return Meaning.MISSING_OR_FORBIDDEN
        return Meaning.STATUS if is_there else Meaning.MISSING
    if status == 401 and is_token_fresh and operation.is_in(release()) is False:
        return Meaning.MISSING
    if status == 500 and _UNKNOWN_ID_TEXT.search(_own_message(response.json_or_none)):
        return Meaning.UNKNOWN_ID
    return Meaning.STATUS


def _meaning_of_404(operation: Operation, response: HttpResponse, release: Callable[[], Release]) -> Meaning:
    body = response.json_or_none
    if not isinstance(body, dict):
        return Meaning.MISSING if response.text.strip() == NO_SUCH_PATH else Meaning.NOT_AIRBYTE
    if body.get("id") is None and _own_message(body).startswith(NO_SUCH_PATH):
        return Meaning.MISSING
    if not _is_airbytes(body):
        return Meaning.NOT_AIRBYTE
    if operation.request is None:
        return Meaning.MISSING  # it has no id that could be unknown
    is_there = operation.is_in(release())
    # The framework's own 404 has links. No release of Airbyte sends it for a path, but a later one may.
    return Meaning.UNKNOWN_ID if is_there or (is_there is None and "_links" not in body) else Meaning.MISSING


def _may_be_of_the_token_check(response: HttpResponse) -> bool:
    """Whether a 403 is what a server that checks tokens sends for a path: empty, or in the framework's own form."""
    if "Authorization" not in response.request.headers or response.is_html:
        return False
    body = response.json_or_none
    return not response.body.strip() or (isinstance(body, dict) and "_links" in body)


def _is_airbytes(body: dict[str, Any]) -> bool:
    """Whether an object is an error of any of Airbyte's eras: handlers', framework's, "problems", or an id alone."""
    marks = {"exceptionClassName", "errorId", "_links", "id"}
    return bool(marks & body.keys()) or {"type", "title"} <= body.keys() or "Could not find" in _own_message(body)


def refusal(
    operation: Operation,
    response: HttpResponse,
    settings: ClientSettings,
    release: Callable[[], Release],
    *,
    is_token_fresh: bool = False,
) -> AirbyteApiError:
    """Return the error for a response of status 400 and above; see `meaning_of` for the arguments."""
    match meaning_of(operation, response, release, is_token_fresh=is_token_fresh):
        case Meaning.MISSING | Meaning.MISSING_OR_FORBIDDEN as meaning:
            return _missing(operation, response, is_sure=meaning is Meaning.MISSING)
        case Meaning.NOT_AIRBYTE:
            return _not_airbyte(operation, response)
        case Meaning.UNKNOWN_ID:
            error_class, meaning_text = _STATUS_ERRORS[404]
        case Meaning.STATUS:
            error_class, meaning_text = _of_status(operation, response, settings, release)
    status, body = response.status, response.json_or_none
    error_id = (isinstance(body, dict) and one_line(_text_of(body, "errorId"), MAX_ERROR_ID)) or None
    words = "" if operation.holds_secrets else _server_words(response, body)
    return error_class(
        f"{operation.operation_id}: HTTP {status}: {meaning_text}."
        + (f' Airbyte says: "{words}".' if words else "")
        + (f" The server's log has more under errorId {error_id}." if error_id else ""),
        operation=operation.operation_id,
        http_status=status,
        error_id=error_id,
        retry_after=_retry_after(response),
        is_airbytes=is_proof(response),
    )


def is_proof(response: HttpResponse) -> bool:
    """
    Whether a response proves that Airbyte refused the request, or never got it.

    It does in a form of Airbyte's own. Any other may be of a proxy that refuses what Airbyte has sent back.
    """
    body = response.json_or_none
    if isinstance(body, dict):
        # Gateways have messages, too, but they do not know of conflicts.
        return _is_airbytes(body) or (response.status in (409, 423) and "message" in body)
    is_of_token_check = response.status in (401, 403) and not response.body.strip()
    return is_of_token_check or response.status in NOT_ACCEPTED_STATUSES


def _of_status(
    operation: Operation, response: HttpResponse, settings: ClientSettings, release: Callable[[], Release]
) -> tuple[type[AirbyteStatusError], str]:
    """Return the class of error for a status, and what it means here."""
    status = response.status
    default = (AirbyteServerError, "Airbyte failed") if status >= 500 else (AirbyteStatusError, "Airbyte said no")
    error_class, meaning = _STATUS_ERRORS.get(status, default)
    match status:
        case 401 | 407 if is_of_a_proxy(response):
            return AirbyteProxyAuthenticationError, _proxy_advice(settings)
        case 401:
            meaning = _sign_in_advice(settings, release)
        case 403 if not isinstance(response.json_or_none, dict) and not _may_be_of_the_token_check(response):
            meaning = "a proxy or firewall before Airbyte forbids this request"
        case 403:
            meaning += f"; {operation.operation_id} wants at least the role {operation.role}"
        case 413:
            meaning += (
                " for a proxy before Airbyte: raise its limit (nginx: client_max_body_size)"
                if response.is_html or not response.body
                else " for Airbyte, which takes 10 MB by default: raise its limit (the server's "
                "MICRONAUT_SERVER_MAX_REQUEST_SIZE), or make the request smaller"
            )
    return error_class, meaning


def _sign_in_advice(settings: ClientSettings, release: Callable[[], Release]) -> str:
    """Say why credentials were refused, and which ones this server wants."""
    kind = settings.auth_kind
    at = f"at {settings.base_url} with authentication {kind!r}{' (chosen by auto)' if settings.auth == 'auto' else ''}"
    meaning = f"the credentials are missing, wrong or expired, {at}"
    tokens = "give client_id and client_secret (`abctl local credentials` shows them), with auth client_credentials"
    if kind == "basic" and release().is_at_least(BASIC_REFUSED_SINCE):
        return f"Airbyte {BASIC_REFUSED_SINCE} and later refuse HTTP Basic, {at}: {tokens}"
    if kind == "basic" and not release().is_before(TOKENS_SINCE):
        return f"{meaning}. Many releases take tokens alone: if user name and password are right, {tokens}"
    return f"{meaning}. This Airbyte checks tokens: {tokens}" if kind == "none" else meaning


def is_of_a_proxy(response: HttpResponse) -> bool:
    """Whether a 401 comes from before Airbyte: its own is JSON, or empty."""
    return response.status == 407 or bool(response.body.strip() and response.json_or_none is None)


def _proxy_advice(settings: ClientSettings) -> str:
    if settings.auth_kind == "basic":
        return f"a proxy before {settings.base_url} refuses these credentials: check user name and password"
    return (
        f"a proxy before {settings.base_url} wants credentials of its own, and got authentication "
        f"{settings.auth_kind!r}. Where it wants HTTP Basic, give its user name and password, with auth basic"
    )


def _missing(operation: Operation, response: HttpResponse, *, is_sure: bool) -> AirbyteApiError:
    name = operation.operation_id
    if operation.removed_in is None and Release(operation.since).is_before(OLDEST_RELEASE):
        return AirbyteResponseError(
            f"{name}: an Airbyte responds, but it has nothing at {response.address} (HTTP {response.status}). "
            "Check the path in the base URL: it ends with /api.",
            operation=name,
        )
    since, removed_in = operation.since, operation.removed_in
    span = f"releases from {since} on and before {removed_in}" if removed_in else f"release {since} or later"
    alternative = operation.alternative or "Upgrade Airbyte, or check that the base URL is Airbyte's."
    what = (
        "is not in this Airbyte: it needs"
        if is_sure
        else f"is not in this Airbyte, or the role of the credentials is too small: HTTP {response.status} says "
        f"the same of both. It needs the role {operation.role}, and"
    )
    return AirbyteOperationMissingError(
        f"{name} ({operation.path}) {what} {span}. {alternative}",
        operation=name,
        reported_as=_form_of(response),
    )


def _form_of(response: HttpResponse) -> Literal["json", "text", "empty", "other"]:
    if not response.body:
        return "empty"
    if response.text.strip() == NO_SUCH_PATH:
        return "text"
    return "json" if _own_message(response.json_or_none).startswith(NO_SUCH_PATH) else "other"


def _not_airbyte(operation: Operation, response: HttpResponse) -> AirbyteResponseError:
    page = " with a web page" if response.is_html else ""
    return AirbyteResponseError(
        f"{operation.operation_id}: {response.address} responded HTTP {response.status}{page}, as something that "
        "is not Airbyte's API does. Check host, port and path of the base URL, and any proxy before Airbyte.",
        operation=operation.operation_id,
    )


def _own_message(body: Any) -> str:
    return _text_of(body, "message") if isinstance(body, dict) else ""


def _text_of(body: dict[str, Any], name: str) -> str:
    try:
        return str(body.get(name) or "")
    except RecursionError:
        return ""


def _server_words(response: HttpResponse, body: Any) -> str:
    """Return what the server itself says, of any era: never a stack trace, never a page."""
    if isinstance(body, dict):
        embedded = body.get("_embedded")
        errors = embedded.get("errors") if isinstance(embedded, dict) else None
        inner = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        found = [*(_text_of(error, "message") for error in inner)]
        found += [_text_of(body, name) for name in ("detail", "message", "title")]
        words = next(filter(None, found), "")
    else:
        words = "" if response.is_html else response.text
    first_line = words.strip().split("\n")[0]
    return re.sub(r"^Internal Server Error: (?=.)", "", first_line)[:MAX_QUOTE].rstrip(". ")


def _retry_after(response: HttpResponse) -> float | None:
    """Return for how many seconds the server wants no request; None where it does not say, or nothing sensible."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds = float(text)
    elif (moment := date_of(text)) is not None:
        seconds = moment - time.time()
    else:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def date_of(text: str) -> float | None:
    """Return a date of HTTP as epoch seconds; None where it is none, or not one that a calendar has."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
