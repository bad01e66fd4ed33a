"""What every group of methods stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.bodies import body_of

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.instance import InstanceConfigurationResponse
    from airflow_airbyte_ext.api.operations import Answer, Operation
    from airflow_airbyte_ext.api.releases import Release
    from airflow_airbyte_ext.api.transport import Transport


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

    def _send(self, operation: Operation[Answer], release: Release | None = None, /, **arguments: Any) -> Answer:
        return self._transport.send(operation, body_of(operation, arguments, lambda: release or self.release()))
