"""What an Airbyte says of itself, read once for all that share a session."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from airflow_airbyte_ext.api.operation import declared_by
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.web_backend import WebBackendMethods
from airflow_airbyte_ext.api.workspaces import WorkspaceMethods
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteOperationMissingError,
    AirbyteResponseError,
    AirbyteStatusError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.instance import InstanceConfigurationResponse
    from airflow_airbyte_ext.api.operation import Operation

# Seconds for which a refusal is kept: a fresh instance returns 500 until somebody has set it up.
REFUSAL_KEPT = 300.0
# Letters of a version; what is longer is none, and is printed in many messages.
MAX_VERSION = 50

# What a server that lacks the configuration is, by how it says so (docs/airbyte-behaviour.md, Authentication).
_SPANS = {"json": Release.UP_TO_0_40_27, "text": Release.FROM_0_40_28}


# Sends an anonymous operation, and returns its response.
Read: TypeAlias = "Callable[[Operation], Any]"


class _Known(NamedTuple):
    release: Release
    configuration: InstanceConfigurationResponse | None = None
    until: float = math.inf


class Instance:
    """
    The release and the configuration of one Airbyte, for several clients and threads.

    :param clock: Says when a refusal is old enough to read again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._known: _Known | None = None

    def release(self, read: Read) -> Release:
        """
        Return the release; a span of releases before 0.57.4, and `UNREADABLE` where the server does not say.

        :param read: Sends the requests, where something is to be read.
        :raises AirbyteApiError: Airbyte could not be reached.
        """
        return self._get(read).release

    def configuration(self, read: Read) -> InstanceConfigurationResponse | None:
        """Return the response of `getInstanceConfiguration`; None where the release lacks it, or it was refused."""
        return self._get(read).configuration

    def _get(self, read: Read) -> _Known:
        with self._lock:
            if self._known is None or self._clock.monotonic() >= self._known.until:
                # An error that is raised meanwhile may want the release for its message.
                self._known = _Known(Release.UNREADABLE)
                known = None
                try:
                    known = self._read(read)
                finally:
                    self._known = known
            return self._known

    def _read(self, read: Read) -> _Known:
        try:
            configuration = read(declared_by(WorkspaceMethods.get_instance_configuration))
        except AirbyteOperationMissingError as error:
            if error.reported_as in _SPANS:
                return _Known(_SPANS[error.reported_as])
            return self._refused(_release_of_web_app(read, is_token_check=error.reported_as == "empty"))
        except AirbyteStatusError as error:
            if error.http_status == 500:  # of an instance that nobody has set up
                return self._refused(_release_of_web_app(read))
            return _Known(Release.UNREADABLE, until=-math.inf) if error.retryable else self._refused()
        except AirbyteResponseError:
            return self._refused()
        version = configuration.version
        return _Known(Release(version[:MAX_VERSION]) if version else Release.FROM_0_50_9, configuration)

    def _refused(self, release: Release = Release.UNREADABLE) -> _Known:
        return _Known(release, until=self._clock.monotonic() + REFUSAL_KEPT)


def _release_of_web_app(read: Read, *, is_token_check: bool = False) -> Release:
    """
    Return the release that the web app's configuration names since 1.7.0.

    :param is_token_check: Whether the instance's configuration was refused as servers that check tokens refuse a path
        that they lack. Where this one is, too, it is no proxy that guards the one path, but such a server.
    """
    try:
        version = read(declared_by(WebBackendMethods.get_webapp_config)).version
    except AirbyteOperationMissingError as error:
        return Release.FROM_0_50_0 if is_token_check and error.reported_as == "empty" else Release.UNREADABLE
    except AirbyteApiError:
        return Release.UNREADABLE
    return Release(version[:MAX_VERSION]) if version else Release.UNREADABLE
