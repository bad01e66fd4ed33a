"""Whether a response is about what was asked for: a proxy or a cache may give that of another request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import AirbyteResponseError
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_airbyte_ext.api.operation import Operation


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

_WORDS = {"id": "job", "configId": "connection"}


def check_is_about(operation: Operation, request: Mapping[str, Any], response: object) -> None:
    """
    Check that a response is about what its request asked for.

    :param request: The body, as Airbyte names it.
    :raises AirbyteResponseError: It is about something else; whether Airbyte did what it was asked for is not known.
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
