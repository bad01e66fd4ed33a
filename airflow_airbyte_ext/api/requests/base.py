"""What the requests have in common: their types, and the smallest of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, with_config
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.arguments import uuid_text
from airflow_airbyte_ext.api.bodies import Released

Request = TypeVar("Request", bound=type)


def request_model(request: Request) -> Request:
    """
    Make a `TypedDict` a request: named in camelCase on the wire, and with no field that it does not declare.

    Its fields are given, and named in complaints, in snake case alone.
    """
    return with_config(
        ConfigDict(
            alias_generator=to_camel,
            extra="forbid",
            validate_by_name=True,
            validate_by_alias=False,
            loc_by_alias=False,
            protected_namespaces=(),
        )
    )(request)


def _stream_objects(streams: Any) -> list[dict[str, Any]]:
    if isinstance(streams, (list, tuple)) and not streams:
        raise ValueError("is empty. Name the streams, or take the operation for the whole connection")
    # A string has parts, too: "ab" must not become the stream "b" of the namespace "a".
    if not isinstance(streams, (list, tuple)) or not all(_is_pair(stream) for stream in streams):
        raise ValueError('must be a list of namespace and name of each stream, such as [("public", "orders")]')
    return [
        {"streamName": name} if namespace is None else {"streamName": name, "streamNamespace": namespace}
        for namespace, name in streams
    ]


def _is_pair(stream: Any) -> bool:
    return isinstance(stream, (list, tuple)) and len(stream) == 2


def _time_with_offset(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", value, re.ASCII):
        raise ValueError(f"is {value!r}, which is no time with its offset, such as 2026-01-31T12:00:00+00:00")
    return value


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # Nothing of the value is told: it is a state, or a configuration with secrets.
        raise ValueError("holds something that JSON cannot say") from None
    return value


Uuid = Annotated[str, AfterValidator(uuid_text)]
Id = Annotated[int, Field(ge=0, strict=True)]
Time = Annotated[str, AfterValidator(_time_with_offset)]
AsGiven = Annotated[dict[str, Any], AfterValidator(_json_object), PlainSerializer(lambda value: value)]
Streams = Annotated[list[dict[str, str]], BeforeValidator(_stream_objects)]

ConnectionStatus = Literal["active", "inactive", "deprecated"]
NamespaceDefinition = Literal["source", "destination", "customformat"]
ScheduleType = Literal["manual", "basic", "cron"]
NonBreakingChangesPreference = Literal["ignore", "disable", "propagate_columns", "propagate_fully"]
BackfillPreference = Literal["enabled", "disabled"]
RefreshMode = Literal["Truncate", "Merge"]
OrderField = Literal["createdAt", "updatedAt"]
OrderMethod = Literal["ASC", "DESC"]

PAGED = Released("1.8.0")


@request_model
class ConnectionIdRequestBody(TypedDict):
    """One connection."""

    connection_id: Uuid


@request_model
class WorkspaceIdRequestBody(TypedDict):
    """One workspace."""

    workspace_id: Uuid


@request_model
class SourceIdRequestBody(TypedDict):
    """One source."""

    source_id: Uuid


@request_model
class DestinationIdRequestBody(TypedDict):
    """One destination."""

    destination_id: Uuid


@request_model
class OperationIdRequestBody(TypedDict):
    """One operation."""

    operation_id: Uuid


@request_model
class JobIdRequestBody(TypedDict):
    """One job."""

    id: Id


@request_model
class Pagination(TypedDict, total=False):
    """A page: since 0.64.2 `row_offset` must be a multiple of `page_size`."""

    page_size: Annotated[int, Field(gt=0)]
    row_offset: Annotated[int, Field(ge=0)]


def given(**arguments: Any) -> Mapping[str, Any]:
    """Return the arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


def page(page_size: int | None, row_offset: int) -> Pagination | None:
    """Return a page, or None where no size was given."""
    return None if page_size is None else {"page_size": page_size, "row_offset": row_offset}
