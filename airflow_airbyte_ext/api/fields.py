"""
What the fields of a request are: checked types, and from which release to which one Airbyte declares a field.

Releases up to 0.40.27 refuse a request with a field that they do not declare, and the newest can be set to; all others
ignore it in silence. So a field goes only to a server that has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer, PlainValidator
from pydantic.alias_generators import to_camel

from airflow_airbyte_ext.api.arguments import uuid_text
from airflow_airbyte_ext.api.releases import IGNORES_UNKNOWN_FIELDS_SINCE, Release
from airflow_airbyte_ext.api.streams import StreamKey

# Named in camelCase on the wire, and in snake case alone by callers and in complaints; no field that is not declared.
REQUEST_CONFIG = ConfigDict(
    alias_generator=to_camel,
    extra="forbid",
    validate_by_name=True,
    validate_by_alias=False,
    loc_by_alias=False,
    protected_namespaces=(),
)


@dataclass(frozen=True)
class Released:
    """
    Which releases declare a field.

    :param since: The first one.
    :param removed_in: The first one that does not any more.
    :param alternative: What to use where it is not declared.
    """

    since: str = "0.1.0"
    removed_in: str | None = None
    alternative: str = ""

    def unavailable_reason(self, release: Release) -> str | None:
        """
        Say why this release does not declare the field, or None.

        Where the release is not known exactly, the field must be sure where a server may refuse it: up to 0.40.27.
        """
        may_refuse = release.is_before(IGNORES_UNKNOWN_FIELDS_SINCE) and not release.is_at_least(self.since)
        if release.is_before(self.since) or may_refuse:
            return f"came with Airbyte {self.since}"
        if self.removed_in and release.is_at_least(self.removed_in):
            return f"is gone since Airbyte {self.removed_in}"
        return None


class InPage:
    """Marks an argument that is part of the request's `pagination`, which is left out where one of them is None."""


def _stream_objects(streams: Any) -> list[dict[str, str]]:
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
    return (
        isinstance(stream, (list, tuple))
        and len(stream) == 2
        and isinstance(stream[0], str | None)
        and isinstance(stream[1], str)
    )


def _time_with_offset(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", value, re.ASCII):
        raise ValueError(f"is {value!r}, which is no time with its offset, such as 2026-01-31T12:00:00+00:00")
    return value


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # Nothing of the value is shown: it is a state, or a configuration with secrets.
        raise ValueError("holds something that JSON cannot say") from None
    return value


Uuid: TypeAlias = Annotated[str, AfterValidator(uuid_text)]
Id: TypeAlias = Annotated[int, Field(ge=0, strict=True)]
NonEmpty: TypeAlias = Annotated[str, Field(min_length=1)]
Time: TypeAlias = Annotated[str, AfterValidator(_time_with_offset)]
_AS_IT_IS = PlainSerializer(lambda value: value)
JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_json_object), _AS_IT_IS]
Streams: TypeAlias = Annotated[Sequence[StreamKey], PlainValidator(_stream_objects), _AS_IT_IS]

ConnectionStatus = Literal["active", "inactive", "deprecated"]
NamespaceDefinition = Literal["source", "destination", "customformat"]
ScheduleType = Literal["manual", "basic", "cron"]
NonBreakingChangesPreference = Literal["ignore", "disable", "propagate_columns", "propagate_fully"]
BackfillPreference = Literal["enabled", "disabled"]
RefreshMode = Literal["Truncate", "Merge"]
OrderField = Literal["createdAt", "updatedAt"]
OrderMethod = Literal["ASC", "DESC"]

PAGED = Released("1.8.0")
_IN_PAGE = InPage()
# Items in a page; then how many to pass over, since 0.64.2 a multiple of the size.
PageSize: TypeAlias = Annotated[int, Field(gt=0), _IN_PAGE]
RowOffset: TypeAlias = Annotated[int, Field(ge=0), _IN_PAGE]
