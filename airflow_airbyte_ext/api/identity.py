"""Whether a response is about what was asked for: a proxy or a cache may give that of another request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.models import connections as c
from airflow_airbyte_ext.api.models import instance as i
from airflow_airbyte_ext.api.models import jobs as j
from airflow_airbyte_ext.api.models import web_backend as w
from airflow_airbyte_ext.api.models.operations import OperationRead
from airflow_airbyte_ext.api.models.state import ConnectionState
from airflow_airbyte_ext.exceptions import AirbyteAnswerError
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_airbyte_ext.api.operations import Operation


def _job(response: j.JobInfoRead | j.JobInfoLightRead | j.JobOptionalRead | c.RefreshRead) -> list[j.JobRead]:
    return [response.job] if response.job else []


# By the type of the response and the field of the request: what must be equal to it. What a release does not send is
# None, and says nothing.
_IDS: list[tuple[tuple[type, ...], str, Callable[[Any], Iterable[object]]]] = [
    (
        (j.JobInfoRead, j.JobOptionalRead, c.RefreshRead),
        "connectionId",
        lambda response: (job.config_id for job in _job(response)),
    ),
    ((j.JobInfoRead, j.JobInfoLightRead), "id", lambda response: (job.id for job in _job(response))),
    ((j.JobReadList,), "configId", lambda response: (entry.job.config_id for entry in response.jobs)),
    (
        (ConnectionState, c.ConnectionRead, c.ConnectionSyncProgressRead, w.WebBackendConnectionRead),
        "connectionId",
        lambda response: [response.connection_id],
    ),
    ((i.WorkspaceRead,), "workspaceId", lambda response: [response.workspace_id]),
    ((i.SourceRead,), "sourceId", lambda response: [response.source_id]),
    ((i.DestinationRead,), "destinationId", lambda response: [response.destination_id]),
    ((OperationRead,), "operationId", lambda response: [response.operation_id]),
]

_WORDS = {"id": "job", "configId": "connection"}


def check_is_about(operation: Operation[Any], request: Mapping[str, Any], response: object) -> None:
    """
    Check that a response is about what its request asked for.

    :param request: The body, as Airbyte names it.
    :raises AirbyteAnswerError: It is about something else; whether Airbyte did what it was asked for is not known.
    """
    for kinds, field, ids in _IDS:
        if operation.answer not in kinds or field not in request:
            continue
        wanted = str(request[field])
        for found in ids(response):
            if found is not None and str(found).lower() != wanted.lower():
                raise AirbyteAnswerError(
                    f"{operation.operation_id}: the response is about {_WORDS.get(field, field.removesuffix('Id'))} "
                    f"{one_line(found)}, and not about {one_line(wanted)}. Check any proxy or cache before Airbyte.",
                    operation=operation.operation_id,
                )
