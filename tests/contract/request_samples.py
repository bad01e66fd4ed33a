"""Arguments for the client's methods, made of what a release's document says of each operation's request."""

from __future__ import annotations

import re
import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_snake
from pydantic.fields import FieldInfo
from schema_samples import Pick, Schemas, schemas_of
from typing_extensions import get_type_hints, is_typeddict

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.validation import released_fields

if typing.TYPE_CHECKING:
    from airflow_airbyte_ext.api.operation import Operation

# Not in the documents at hand, which are trimmed: nobody can judge these here.
NOT_IN_THE_DOCUMENTS = {
    "listSourcesForWorkspace": "sources/list was trimmed away",
    "listDestinationsForWorkspace": "destinations/list was trimmed away",
    "listWorkspacesInOrganization": "workspaces/list_by_organization_id was trimmed away",
    "getOperation": "operations/get was trimmed away",
    "listOperationsForConnection": "operations/list was trimmed away",
    "getWebappConfig": "web_backend/config was trimmed away",
}

# Fields that must be given, although our `TypedDict` does not say so, and before which release.
MUST_BE_GIVEN = {
    # Required by the documents; the client leaves it to its caller.
    ("listJobsFor", "config_id"): "0.50.46",
    ("getConnectionLastJobPerStream", "streams"): "0.64.0",
    # An argument of the method that has no default.
    ("webBackendUpdateConnection", "skip_reset"): None,
}

# What the methods spread out into arguments of their own.
SPREAD = {"pagination"}
# A second method for an operation, for what is not to be sent again.
VARIANTS = {"web_backend_discover_connection"}


class Least(Pick):
    """Required properties only, and one item in each list."""

    def length(self, depth: int) -> int:
        return 1


MOST = Pick(optional=True)
LEAST = Least(optional=False)


def method_of(operation_id: str) -> str:
    """The client's method: the operationId in snake case."""
    return to_snake(operation_id)


def unwrapped(hint: Any) -> tuple[Any, list[Any]]:
    """The type of a field without `Required`, `Annotated`, "or None" and "list of", and all that was noted on it."""
    notes: list[Any] = []
    while True:
        notes += getattr(hint, "__metadata__", ())
        origin = typing.get_origin(hint)
        arguments = [each for each in typing.get_args(hint) if each is not types.NoneType]
        is_optional = origin in (typing.Union, types.UnionType) and len(arguments) == 1
        if (
            not is_optional
            and origin not in (typing.Required, typing.NotRequired, list)
            and not hasattr(hint, "__metadata__")
        ):
            return hint, notes
        hint = arguments[0]


def fields_of(request: type) -> dict[str, tuple[str, Any]]:
    """The fields of a request, and of each its name on the wire and its type."""
    found = {}
    for name, hint in get_type_hints(request, include_extras=True).items():
        kind, notes = unwrapped(hint)
        alias = next((note.alias for note in notes if isinstance(note, FieldInfo) and note.alias), None)
        found[name] = (alias or to_camel(name), kind)
    return found


def declared_fields(request: type, release: str) -> dict[str, tuple[str, Any]]:
    """The fields that we say this release declares."""
    marks = released_fields(request)
    return {
        name: field
        for name, field in fields_of(request).items()
        if not (name in marks and marks[name].unavailable_reason(Release(release)))
    }


def required_fields(request: type) -> set[str]:
    """The fields that must be given; a `Required` that is a string yet is none for `__required_keys__`."""
    hints = get_type_hints(request, include_extras=True)
    return set(request.__required_keys__) | {  # type: ignore[attr-defined]
        name for name, hint in hints.items() if typing.get_origin(hint) is typing.Required
    }


def documented() -> list[tuple[str, str]]:
    """Every operation of the client, with each release whose document has it."""
    from openapi import RELEASES, SPEC_DIR

    if not SPEC_DIR.is_dir():
        return [(RELEASES[0], "getHealthCheck")]  # one case, which is skipped
    return [(release, name) for name in OPERATIONS for release in RELEASES if schemas_of(release).has(name)]


def body_like(operation: Operation, release: str, *, full: bool) -> dict[str, Any] | None:
    """A request as the release's document has it, with the fields that we say it declares, or the required ones."""
    schemas = schemas_of(release)
    schema = schemas.request_schema(operation.operation_id)
    if operation.request is None or schema is None:
        return None
    must = {
        name
        for (operation_id, name), first in MUST_BE_GIVEN.items()
        if operation_id == operation.operation_id and (first is None or Release(release).is_before(first))
    }
    return _body(schemas, schema, operation.request, release, full=full, must=must)


def _body(
    schemas: Schemas, schema: dict[str, Any], request: type, release: str, *, full: bool, must: set[str]
) -> dict[str, Any]:
    properties = schemas.properties(schema)
    required = required_fields(request) | must
    made = {}
    for name, (wire, kind) in declared_fields(request, release).items():
        if not full and name not in required:
            continue
        assert wire in properties, f"{request.__name__}.{name} is not declared in {release}"
        if is_typeddict(kind):
            made[wire] = _body(schemas, properties[wire], kind, release, full=full, must=set())
        else:
            made[wire] = schemas.make(properties[wire], MOST if full else LEAST)
    return made


def arguments_of(operation: Operation, body: dict[str, Any] | None) -> dict[str, Any]:
    """The arguments of the client's method that make this body."""
    if operation.request is None or body is None:
        return {}
    found = {}
    for name, value in _fields(operation.request, body).items():
        found.update(value if name in SPREAD else {name: value})
    return found


def _fields(request: type, body: dict[str, Any]) -> dict[str, Any]:
    return {name: _given(name, kind, body[wire]) for name, (wire, kind) in fields_of(request).items() if wire in body}


def _given(name: str, kind: Any, value: Any) -> Any:
    if is_typeddict(kind):
        return _fields(kind, value)
    if name == "streams":
        return [(stream.get("streamNamespace"), stream["streamName"]) for stream in value]
    return value


def keyword_arguments(method: Any) -> set[str]:
    """All keyword arguments of a method, those of its `Unpack` too."""
    found = set()
    for name, annotation in method.__annotations__.items():
        if name == "return":
            continue
        unpacked = re.fullmatch(r"Unpack\[(?:writes\.)?(\w+)\]", str(annotation))
        found |= set(fields_of(_request_named(unpacked[1]))) if unpacked else {name}
    return found


def _request_named(name: str) -> type:
    from airflow_airbyte_ext.api import jobs
    from airflow_airbyte_ext.api.models import writes

    (found,) = {vars(module)[name] for module in (jobs, writes) if name in vars(module)}
    return found


def offered_arguments(operation: Operation) -> set[str]:
    """The arguments that the method of an operation should have, by its request."""
    found: set[str] = set()
    for name, (_, kind) in fields_of(operation.request).items() if operation.request else ():
        found |= set(fields_of(kind)) if name in SPREAD else {name}
    return found


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
