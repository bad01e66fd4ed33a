"""From an HTTP response to a model that is about what was requested, or to the error that says what is wrong."""

from __future__ import annotations

import logging
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pydantic import ValidationError

from airflow_airbyte_ext.api.exact_json import EXACTLY, InexactJsonError
from airflow_airbyte_ext.api.models.base import PartialModel, adapter_of
from airflow_airbyte_ext.api.odd import MAX_ODD, read_without_odd_parts
from airflow_airbyte_ext.exceptions import AirbyteResponseError
from airflow_airbyte_ext.text import MAX_ADDRESS, one_line, shown_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import TypeAdapter

    from airflow_airbyte_ext.api.operation import Operation
    from airflow_airbyte_ext.api.response import HttpResponse

log = logging.getLogger(__name__)

MAX_NAMED = 10
_WORDS = {"id": "job", "configId": "connection"}


def parse_response(operation: Operation, response: HttpResponse) -> Any:
    """
    Return the model of a response.

    :param response: Of a status below 400; `refusals` has the others.
    :raises AirbyteResponseError: The response is not JSON, or not of the operation's shape.
    """
    if 300 <= response.status < 400 and "Location" in response.headers:
        raise _redirected(operation, response)
    if not 200 <= response.status < 300:
        raise AirbyteResponseError(
            f"{operation.operation_id}: {response.address} responded HTTP {response.status}, which is no response to "
            "this request. Check any proxy before Airbyte.",
            operation=operation.operation_id,
        )
    if response.is_html:
        raise AirbyteResponseError(
            f"{operation.operation_id}: {response.address} responded with a web page: this is the web app or a "
            "login page, not the API. Give the address of the API, such as https://airbyte.example.com/api.",
            operation=operation.operation_id,
        )
    try:
        exactly = EXACTLY if getattr(operation.response, "is_exact", False) else {}
        return _validated(operation, response.json(**exactly) if response.body else None)
    except InexactJsonError as error:
        raise AirbyteResponseError(
            f"{operation.operation_id}: the state in the response of {response.address} holds {error}, and so could "
            "not be kept as it is. No real Airbyte sends such a number: check any proxy before Airbyte.",
            operation=operation.operation_id,
        ) from None
    except (ValueError, RecursionError):
        raise AirbyteResponseError(
            f"{operation.operation_id}: {response.address} responded HTTP {response.status} without JSON "
            f"({response.content_type or 'no content type'}). Check the base URL, and any proxy before Airbyte.",
            operation=operation.operation_id,
        ) from None


def _validated(operation: Operation, response: object) -> Any:
    """Return the model; where a part is odd, without that part, which the log names."""
    validate = _adapter(operation).validate_python
    try:
        return validate(response)
    except ValidationError as error:
        odd = error
    try:
        if getattr(operation.response, "is_strict", False):
            raise odd
        read, left_out = read_without_odd_parts(validate, response)
    except ValidationError as error:
        fields = _fields_of(error)
        raise AirbyteResponseError(
            f"{operation.operation_id}: Airbyte's response does not have the expected shape ({fields}). "
            "Is this the Config API of an Airbyte from 0.36 on?",
            operation=operation.operation_id,
        ) from None
    if isinstance(read, PartialModel):
        read.note(left_out)
    _warn_once(operation.operation_id, left_out.places[:MAX_NAMED], len(left_out.places) - MAX_NAMED)
    return read


def _fields_of(error: ValidationError) -> str:
    """Return the first places that are odd; where there are very many, to list them all takes gigabytes."""
    if error.error_count() > MAX_ODD:
        return f"in {error.error_count()} places"
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(".".join(map(str, detail["loc"])) or "the whole" for detail in details[:5])


@lru_cache(maxsize=1000)
def _warn_once(operation_id: str, places: tuple[str, ...], others: int) -> None:
    more = f"; and {others} more" if others > 0 else ""
    log.warning(
        "%s: Airbyte's response is not as expected in places, which count as not given: %s%s.",
        operation_id,
        one_line("; ".join(places), 2_000),
        more,
    )


@cache
def _adapter(operation: Operation) -> TypeAdapter[Any]:
    return adapter_of(operation.response)


def _redirected(operation: Operation, response: HttpResponse) -> AirbyteResponseError:
    location = response.headers["Location"]
    try:
        address = urljoin(response.request.url or "", location) if len(location) <= MAX_ADDRESS else ""
    except ValueError:
        address = ""
    target = re.split("[?#]", shown_address(address))[0]
    # What a browser would make of any other is not known, nor where its password ends.
    if not re.fullmatch(r"https?://(\*\*\*@)?[^/@\\]+(/[^@\\]*)?", target):
        target = "no address"
    return AirbyteResponseError(
        f"{operation.operation_id}: {response.address} redirects to {target}. Redirects are not followed, so that "
        "credentials go nowhere else: give the final address as the base URL, or sign in where a login page is shown.",
        operation=operation.operation_id,
    )


def _job(response: Any) -> list[Any]:
    return [response.job] if response.job else []


# By the type of the response and the field of the request: what must be equal to it. What a release does not send is
# None, and says nothing. Types stand by their names, since to import the models of all operations takes long.
_IDS: list[tuple[tuple[str, ...], str, Callable[[Any], Iterable[object]]]] = [
    (
        ("JobInfoRead", "JobOptionalRead", "RefreshRead"),
        "connectionId",
        lambda response: (job.config_id for job in _job(response)),
    ),
    (("JobInfoRead", "JobInfoLightRead"), "id", lambda response: (job.id for job in _job(response))),
    (("JobReadList",), "configId", lambda response: (entry.job.config_id for entry in response.jobs)),
    (
        ("ConnectionState", "ConnectionRead", "ConnectionSyncProgressRead", "WebBackendConnectionRead"),
        "connectionId",
        lambda response: [response.connection_id],
    ),
    (("WorkspaceRead",), "workspaceId", lambda response: [response.workspace_id]),
    (("SourceRead",), "sourceId", lambda response: [response.source_id]),
    (("DestinationRead",), "destinationId", lambda response: [response.destination_id]),
    (("OperationRead",), "operationId", lambda response: [response.operation_id]),
]


def check_is_about(operation: Operation, request: Mapping[str, Any], response: object) -> None:
    """
    Check that a response is about what its request is about.

    :param request: The body, as Airbyte names it.
    :raises AirbyteResponseError: It is about something else; whether Airbyte did what was requested is not known.
    """
    for kinds, field, ids in _IDS:
        if type(response).__name__ not in kinds or field not in request:
            continue
        wanted = str(request[field])
        for found in ids(response):
            if found is not None and str(found).lower() != wanted.lower():
                raise AirbyteResponseError(
                    f"{operation.operation_id}: the response is about {_WORDS.get(field, field.removesuffix('Id'))} "
                    f"{one_line(found)}, and not about {one_line(wanted)}. Check any proxy or cache before Airbyte.",
                    operation=operation.operation_id,
                )
