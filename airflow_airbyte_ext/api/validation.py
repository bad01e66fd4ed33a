"""From a caller's arguments to the body of a request: checked, named as Airbyte names them, and only what was given."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, NotRequired, get_args, get_origin

from pydantic import ValidationError
from typing_extensions import get_type_hints, is_typeddict

from airflow_airbyte_ext.api.fields import Released
from airflow_airbyte_ext.api.models.base import adapter_of
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import TypeAdapter

    from airflow_airbyte_ext.api.operation import Operation
    from airflow_airbyte_ext.api.releases import Release

MAX_SHOWN = 100


def body_of(
    operation: Operation, arguments: Mapping[str, Any], release: Callable[[], Release]
) -> dict[str, Any] | None:
    """
    Return the JSON body of a request.

    :param operation: Whose request.
    :param arguments: By their names in snake case.
    :param release: Returns the server's release; called only where a field is not in all of them.
    :raises AirbyteConfigurationError: Names the argument that is missing, unknown, of the wrong type, or not of this
        release.
    """
    if operation.request is None:
        return None
    try:
        request = _adapter(operation.request).validate_python(dict(arguments))
    except ValidationError as error:
        raise AirbyteConfigurationError(
            f"{operation.operation_id}: "
            f"{'; '.join(_complaint(detail, operation.request) for detail in error.errors()[:5])}."
        ) from None
    _check_release(operation, released_fields(operation.request), request, release)
    body: dict[str, Any] = _adapter(operation.request).dump_python(
        request,
        by_alias=True,
        exclude_unset=True,  # the mode for JSON ends at 255 levels
    )
    return body


@cache
def released_fields(request: type) -> dict[str, Released]:
    """Return the fields of a request that not every release declares."""
    hints = get_type_hints(request, include_extras=True)
    return {name: mark for name, hint in hints.items() if (mark := _mark(hint))}


def _mark(hint: Any) -> Released | None:
    """Return the mark of a field, which stands within `NotRequired` and `Annotated`."""
    for inner in (*getattr(hint, "__metadata__", ()), *get_args(hint)[:1]):
        found = inner if isinstance(inner, Released) else _mark(inner)
        if found:
            return found
    return None


def _check_release(
    operation: Operation, marks: Mapping[str, Released], request: Mapping[str, Any], release: Callable[[], Release]
) -> None:
    for name, mark in marks.items():
        if name not in request:
            continue
        if reason := mark.unavailable_reason(release()):
            alternative = f" {mark.alternative}" if mark.alternative else " Leave it out."
            raise AirbyteConfigurationError(
                f"{operation.operation_id}: {name} {reason}, and this Airbyte is {release().words}.{alternative}"
            )


@cache
def _adapter(request: type) -> TypeAdapter[Any]:
    return adapter_of(request)


def _complaint(detail: Any, request: type) -> str:
    where = ".".join(map(str, detail["loc"])) or "the whole"
    match detail["type"]:
        case "missing":
            return f"{where} is missing"
        case "extra_forbidden":
            near = get_close_matches(str(detail["loc"][-1]), _names(request, detail["loc"][:-1]), n=1)
            return f"there is no argument {where}" + (f" (did you mean {near[0]}?)" if near else "")
        case _ if detail["input"] is None:
            return f"{where} is None; {'give its value' if _is_required(request, detail['loc']) else 'leave it out'}"
        case "list_type" if isinstance(detail["input"], str):
            return _no_list(where, detail["input"])
        case "value_error":
            return f"{where} {str(detail['ctx']['error']).rstrip('.')}"
        case _:
            words: str = detail["msg"]
            return f"{where}: {words[0].lower()}{words[1:]}"


def _no_list(where: str, text: str) -> str:
    return f"{where} is the text {text[:MAX_SHOWN]!r}; give a list, such as [{text[:MAX_SHOWN]!r}]"


def _names(request: Any, path: Sequence[Any]) -> list[str]:
    """Return the arguments of a request, or of an object in it; none where it is not a `TypedDict`."""
    for part in path:
        hint = get_type_hints(request).get(part) if is_typeddict(request) else None
        request = hint if isinstance(part, str) else next(iter(get_args(request)), None)
    return list(get_type_hints(request)) if is_typeddict(request) else []


def _is_required(request: Any, path: Sequence[Any]) -> bool:
    hint = get_type_hints(request, include_extras=True).get(path[0])
    return len(path) > 1 or get_origin(hint) is not NotRequired
