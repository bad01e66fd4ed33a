"""
How an operation of the Config API is declared: once, as a method whose signature is its request.

    @operation("/v1/connections/sync", since="0.1.0", role="runner", is_write=True)
    def sync_connection(self, *, connection_id: Uuid) -> jobs.JobInfoRead:
        ...

Annotations are read when an operation is first sent, so that a task imports the models that it needs and no others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib import import_module
from types import NoneType
from typing import TYPE_CHECKING, Any, NotRequired, ParamSpec, Required, TypeVar, get_args, get_origin

from pydantic import with_config
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict, get_type_hints

from airflow_airbyte_ext.api.fields import REQUEST_CONFIG, InPage, Released
from airflow_airbyte_ext.api.validation import body_of

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.releases import Release

Arguments = ParamSpec("Arguments")
Response = TypeVar("Response")
# Completes the arguments of a request, and returns what is known of the release by then.
Prepare = Callable[["AirbyteClient", dict[str, Any]], tuple[Mapping[str, Any], "Release"]]

# Airbyte holds these requests open until its workflow has moved: sync until it runs, reset until there is a
# new job, cancel until it stopped. Proxies give up after minutes, so their callers must find out what came of it.
BLOCKING_TIMEOUT = 300.0
# These carry up to a million log lines, and a response must be whole in its time.
LOGS_TIMEOUT = 120.0
# A discovery runs the connector, and Airbyte responds when that has ended.
DISCOVERY_TIMEOUT = 600.0

PAGE = "pagination"
MODELS = "airflow_airbyte_ext.api.models"
_MODEL_MODULES = ("connections", "instance", "jobs", "state", "web_backend", "writes")

OPERATIONS: dict[str, Operation] = {}


@dataclass(frozen=True, eq=False)
class Operation:
    """
    One operation of the Config API.

    :param function: Its declaration.
    :param operation_id: As in Airbyte's OpenAPI document.
    :param path: Below the base URL.
    :param since: First Airbyte release that has it.
    :param removed_in: First Airbyte release that has it no more.
    :param alternative: What to use where a release does not have it.
    :param role: The least role that may send it, in a workspace or an instance.
    :param is_write: Whether it starts, stops or changes something: sent again only when it surely was not accepted.
    :param method: The HTTP method.
    :param response_timeout: Least seconds for the whole response, where Airbyte itself waits or sends much.
    :param holds_secrets: Whether the request holds state or credentials, which a server's complaint may repeat.
    :param is_500_final: Whether 500 is a response that a retry does not change.
    """

    function: Callable[..., Any]
    operation_id: str
    path: str
    since: str
    removed_in: str | None = None
    alternative: str = ""
    role: str = "reader"
    is_write: bool = False
    method: str = "POST"
    response_timeout: float = 0.0
    holds_secrets: bool = False
    is_500_final: bool = False

    def is_in(self, release: Release) -> bool | None:
        """Whether a release has this operation; None where that is not sure."""
        return release.is_within(self.since, self.removed_in)

    @cached_property
    def request(self) -> type | None:
        """The `TypedDict` of the request; None where it takes none."""
        fields: dict[str, Any] = {}
        for parameter in self._parameters:
            annotation = self._annotations[parameter.name]
            if parameter.kind is parameter.VAR_KEYWORD:
                (shared,) = get_args(annotation)
                hints = get_type_hints(shared, include_extras=True)
                fields |= {name: hint if _is_required(hint) else NotRequired[hint] for name, hint in hints.items()}
            elif parameter.default is parameter.empty and not _notes(annotation, Released):
                fields[parameter.name] = annotation
            else:
                fields[parameter.name] = NotRequired[_given(annotation)]
        if page := {name: fields.pop(name) for name in self._page}:
            fields[PAGE] = NotRequired[_request_type(to_camel(PAGE), page)]
        return _request_type(self.operation_id, fields) if fields else None

    @cached_property
    def response(self) -> Any:
        """The type of the response."""
        return self._annotations["return"]

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a request: what was given, and what has a default that is not None."""
        defaults = self.function.__kwdefaults__ or {}
        fields = {
            name: value for name, value in {**defaults, **given}.items() if name not in defaults or value is not None
        }
        page = {name: fields.pop(name) for name in self._page if name in fields}
        return {**fields, PAGE: page} if page and len(page) == len(self._page) else fields

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return inspect.get_annotations(self.function, eval_str=True, locals=_Names())

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        """The arguments of a request, without the client."""
        parameters = inspect.signature(self.function).parameters.values()
        return [each for each in parameters if each.kind is not each.POSITIONAL_OR_KEYWORD]

    @cached_property
    def _page(self) -> list[str]:
        """The arguments that go into the request's `pagination`."""
        return [each.name for each in self._parameters if _notes(self._annotations[each.name], InPage)]


def operation(
    path: str, *, since: str, operation_id: str | None = None, prepare: Prepare | None = None, **more: Any
) -> Callable[[Callable[Arguments, Response]], Callable[Arguments, Response]]:
    """
    Declare a method of the client, whose name is the operationId in snake case.

    An argument whose default is None is left out of the request where it is not given.

    :param operation_id: Where it is another than the method's name says.
    :param prepare: Completes the arguments before they are checked.
    :param more: See `Operation`.
    """

    def declare(function: Callable[Arguments, Response]) -> Callable[Arguments, Response]:
        declared = Operation(function, operation_id or to_camel(function.__name__), path, since, **more)
        OPERATIONS.setdefault(declared.operation_id, declared)

        @wraps(function)
        def send(*args: Arguments.args, **given: Arguments.kwargs) -> Response:
            function(*args, **given)  # does nothing, after Python has checked the names
            client: Any = args[0]
            arguments, release = prepare(client, given) if prepare else (given, None)
            body = body_of(declared, declared.arguments(arguments), lambda: release or client.release())
            response: Response = client._transport.send(declared, body)
            return response

        send.operation = declared  # type: ignore[attr-defined]
        return send

    return declare


def declared_by(method: Callable[..., Any]) -> Operation:
    """Return the operation that a method of the client declares."""
    return method.operation  # type: ignore[attr-defined, no-any-return]


class _Names(dict[str, Any]):
    """What annotations may name beside what their own module has: the modules of models, imported when named."""

    def __missing__(self, name: str) -> Any:
        if name == "Sequence":
            return list  # what JSON has, and what a complaint is about
        if name not in _MODEL_MODULES:
            raise KeyError(name)
        return import_module(f"{MODELS}.{name}")


def _request_type(name: str, fields: dict[str, Any]) -> type:
    return with_config(REQUEST_CONFIG)(TypedDict(name, fields))  # type: ignore[operator, no-any-return]


def _is_required(hint: Any) -> bool:
    return get_origin(hint) is Required


def _given(annotation: Any) -> Any:
    """Return the type of an argument that was given, without the None that stands for nothing given."""
    kinds = get_args(annotation)
    return next(kind for kind in kinds if kind is not NoneType) if NoneType in kinds else annotation


def _notes(hint: Any, kind: type) -> list[Any]:
    """Return what `Annotated` notes of this kind on a field, within `NotRequired` and "or None"."""
    inner = [] if isinstance(hint, type) else [note for each in get_args(hint) for note in _notes(each, kind)]
    return [*(note for note in getattr(hint, "__metadata__", ()) if isinstance(note, kind)), *inner]
