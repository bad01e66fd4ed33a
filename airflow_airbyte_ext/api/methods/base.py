"""What every group of methods stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_airbyte_ext.api.bodies import body_of
from airflow_airbyte_ext.exceptions import AirbyteAnswerError

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.api.models.instance import InstanceConfigurationResponse
    from airflow_airbyte_ext.api.models.jobs import JobInfoLightRead, JobInfoRead
    from airflow_airbyte_ext.api.models.state import ConnectionState
    from airflow_airbyte_ext.api.operations import Answer, Operation
    from airflow_airbyte_ext.api.releases import Release
    from airflow_airbyte_ext.api.transport import Transport

AboutJob = TypeVar("AboutJob", bound="JobInfoLightRead | JobInfoRead")
AboutConnection = TypeVar("AboutConnection", bound="ConnectionRead | ConnectionState")


class Sender:
    """
    Sends operations, and knows the server's release.

    Every method of the groups raises `AirbyteConfigurationError` for a wrong argument, before anything is sent, and
    the leaves of `AirbyteApiError` for all that goes wrong on the way.
    """

    _transport: Transport

    def release(self) -> Release:
        """Return the server's release, read once; see `api.instance.Instance`."""
        return self._transport.release()

    def instance(self) -> InstanceConfigurationResponse | None:
        """Return what the instance says of itself, read once with the release; None where it says nothing."""
        return self._transport.instance()

    def server_time(self) -> float | None:
        """Return the server's clock at its last response, in epoch seconds; None where it does not say."""
        return self._transport.server_time

    def _send_for_job(self, operation: Operation[AboutJob], job_id: int) -> AboutJob:
        """Send an operation on a job; a response about another one, as of a cache, is none."""
        response = self._send(operation, id=job_id)
        if response.job.id != job_id:
            raise _of_another(operation, "job", response.job.id, job_id)
        return response

    def _send_for_connection(self, operation: Operation[AboutConnection], connection_id: str) -> AboutConnection:
        """Send an operation on a connection; a response about another one is none."""
        response = self._send(operation, connection_id=connection_id)
        if response.connection_id.lower() != connection_id.lower():
            raise _of_another(operation, "connection", response.connection_id, connection_id)
        return response

    def _send(self, operation: Operation[Answer], release: Release | None = None, /, **arguments: Any) -> Answer:
        return self._transport.send(operation, body_of(operation, arguments, lambda: release or self.release()))


def _of_another(operation: Operation[Any], what: str, found: object, wanted: object) -> AirbyteAnswerError:
    return AirbyteAnswerError(
        f"{operation.operation_id}: the response is about {what} {str(found)[:50]}, and not about {wanted}. Check any "
        "proxy or cache before Airbyte.",
        operation=operation.operation_id,
    )
