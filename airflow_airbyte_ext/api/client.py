"""A typed client of Airbyte's Config API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.connections import ConnectionMethods
from airflow_airbyte_ext.api.jobs import JobMethods
from airflow_airbyte_ext.api.operation import OPERATIONS
from airflow_airbyte_ext.api.state import StateMethods
from airflow_airbyte_ext.api.transport import ATTEMPTS, Transport
from airflow_airbyte_ext.api.web_backend import WebBackendMethods
from airflow_airbyte_ext.api.workspaces import WorkspaceMethods

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.instance import InstanceConfigurationResponse
    from airflow_airbyte_ext.api.releases import Release
    from airflow_airbyte_ext.api.settings import ClientSettings

__all__ = ["OPERATIONS", "AirbyteClient"]


class AirbyteClient(ConnectionMethods, JobMethods, StateMethods, WebBackendMethods, WorkspaceMethods):
    """
    Airbyte's Config API. Usable without Airflow, from any thread, and as a context manager.

    A method is an operationId in snake case. Wrong arguments raise `AirbyteConfigurationError` before anything is
    sent, and all else the leaves of `AirbyteApiError`. Reads are repeated after failures that may pass, and an
    operation that starts, stops or changes something only when the server surely did not accept it.

    :param settings: Which Airbyte, and how.
    :param clock: Waits between tries; tests and killable tasks hand over their own.
    :param attempts: How often one operation is tried at most.
    :param renew: Reads the settings again after credentials were refused, which may have been changed meanwhile.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
        renew: Callable[[], ClientSettings] | None = None,
    ) -> None:
        self._transport = Transport(settings, clock=clock, attempts=attempts, renew=renew)
        self._without_retries: AirbyteClient | None = None

    def __enter__(self) -> AirbyteClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client's sockets."""
        self._transport.close()

    def without_retries(self) -> AirbyteClient:
        """Return a client with the same session that tries everything once: for callers who repeat by themselves."""
        if self._without_retries is None:
            self._without_retries = object.__new__(AirbyteClient)
            self._without_retries._transport = self._transport.without_retries()
            self._without_retries._without_retries = self._without_retries
        return self._without_retries

    def another(self) -> AirbyteClient:
        """Return a client of the same Airbyte with sockets of its own, for whom this one's are in use."""
        return AirbyteClient(self.settings, renew=self._transport.access.renew)

    @property
    def settings(self) -> ClientSettings:
        """The settings that the client was made with; with other credentials where those were renewed."""
        return self._transport.settings

    def release(self) -> Release:
        """Return the server's release, read once; see `api.instance.Instance`."""
        return self._transport.release()

    def instance(self) -> InstanceConfigurationResponse | None:
        """Return what the instance says of itself, read once with the release; None where it says nothing."""
        return self._transport.instance()

    def server_time(self) -> float | None:
        """Return the server's clock at its last response, in epoch seconds; None where it does not say."""
        return self._transport.server_time()
