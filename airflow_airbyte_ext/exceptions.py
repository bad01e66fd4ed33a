"""
Every error that this package raises.

* AirbyteError
  + AirbyteConfigurationError            settings or an argument are wrong; nothing was sent
  + AirbyteApiError                      an operation was sent, or tried
    + AirbyteUnreachableError            the network gave no response
      + AirbyteRequestTimeoutError       ... in time; the outcome is unknown
    + AirbyteResponseError               there was a response, but not one of Airbyte's
    + AirbyteOperationMissingError       this Airbyte release does not have the operation
    + AirbyteStatusError                 Airbyte said no
      + AirbyteBadRequestError           400, 422
      + AirbyteAuthenticationError       401, or wrong credentials
        + AirbyteProxyAuthenticationError ... at a proxy before Airbyte
      + AirbytePermissionError           403
      + AirbyteNotFoundError             404
      + AirbyteConflictError             409
      + AirbyteRequestTooLargeError      413
      + AirbyteBusyError                 423
      + AirbyteRateLimitError            429
      + AirbyteServerError               5xx
  + AirbyteConnectionUnusableError       the Airbyte connection cannot be used as it is
    + AirbyteConnectionUnknownError      no such connection on this server
    + AirbyteConnectionInactiveError     paused
    + AirbyteConnectionDeletedError      status "deprecated"
    + AirbyteConnectionLockedError       status "locked"
    + AirbyteRefreshUnsupportedError     its destination cannot be refreshed
    + AirbyteJobRunningError             another job runs on it
  + AirbyteDiscoveryError                a source's schema could not be discovered
  + AirbyteSchemaChangedError            a source does not have any more what the connection moves
  + AirbyteUpdateUnverifiedError         a connection was changed, and is not as was requested
  + AirbyteJobError                      a job did not end as wished
    + AirbyteJobFailedError              Airbyte said: failed
    + AirbyteJobCancelledError           Airbyte said: cancelled
    + AirbyteNoRecordsError              it succeeded, and moved nothing, which the task was not to accept
    + AirbyteJobTimeoutError             it still ran when the wait was over
    + AirbyteJobStatusUnavailableError   its status could not be read for too long
    + AirbyteJobNotFoundError            this server does not know it (any more)
    + AirbyteJobNotStartedError          Airbyte accepted no job, and does not say why
  + AirbyteSnapshotError                 a saved state cannot be used, found, read or kept
    + AirbyteSnapshotNotFoundError       there is none like that in the store
    + AirbyteSnapshotDamagedError        the file is not what was written
    + AirbyteSnapshotFormatError         written by a newer release, or not a snapshot at all
    + AirbyteSnapshotKeyError            encrypted, and no key opens it; or plain, beside a key
    + AirbyteSnapshotStoreError          the store cannot be read or written
  + AirbyteRestoreError                  state was not restored
    + AirbyteRestoreRefusedError         nothing was written
    + AirbyteRestoreUnverifiedError      something was written, and the state is not what was wanted

Each message says what happened, to which operation or job, and what to do. No message holds credentials,
request bodies, state values or a server's stack trace, and each is one line: what it quotes from elsewhere cannot
forge another.
"""

from __future__ import annotations

from typing import Literal

from airflow_airbyte_ext.text import fit_message


class AirbyteError(Exception):
    """The root of the tree: catch this to catch everything."""

    retryable = True
    """Whether the same call may succeed later without anybody changing anything."""

    def __init__(self, message: str = "") -> None:
        super().__init__(fit_message(message))


class AirbyteConfigurationError(AirbyteError):
    """A setting or an argument is wrong; nothing was sent."""

    retryable = False


class AirbyteApiError(AirbyteError):
    """An operation has no response."""

    outcome_unknown = True
    """Whether the operation may have taken effect all the same: nothing proves that it did not."""

    def __init__(self, message: str, *, operation: str = "") -> None:
        super().__init__(message)
        self.operation = operation


class AirbyteUnreachableError(AirbyteApiError):
    """The network gave no response: whether the operation took effect is unknown unless `was_sent` is False."""

    def __init__(self, message: str, *, operation: str = "", was_sent: bool = True) -> None:
        super().__init__(message, operation=operation)
        self.was_sent = self.outcome_unknown = was_sent


class AirbyteRequestTimeoutError(AirbyteUnreachableError):
    """The response did not come in time: the outcome is unknown."""


class AirbyteResponseError(AirbyteApiError):
    """There was a response, but not one that Airbyte's Config API gives."""


class AirbyteOperationMissingError(AirbyteApiError):
    """
    This Airbyte release does not have the operation.

    :param reported_as: How the server said so: as `json` up to 0.40.27, as `text` since 0.40.28; where it checks
        tokens with an `empty` body up to 0.51, and in an `other` way since.
    """

    retryable = False
    outcome_unknown = False

    def __init__(
        self, message: str, *, operation: str = "", reported_as: Literal["json", "text", "empty", "other"] = "other"
    ) -> None:
        super().__init__(message, operation=operation)
        self.reported_as = reported_as


class AirbyteStatusError(AirbyteApiError):
    """
    Airbyte responded with an HTTP error status.

    :param is_airbytes: Whether the response has the form of Airbyte's own. A proxy may refuse what Airbyte has done
        already: the response, for its size or its words.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        http_status: int = 0,
        error_id: str | None = None,
        retry_after: float | None = None,
        is_airbytes: bool = True,
    ) -> None:
        super().__init__(message, operation=operation)
        self.http_status = http_status
        self.outcome_unknown = not is_airbytes or http_status == 408 or http_status >= 500
        self.error_id = error_id
        self.retry_after = retry_after


class AirbyteBadRequestError(AirbyteStatusError):
    """Airbyte could not read the request (400, 422)."""

    retryable = False


class AirbyteAuthenticationError(AirbyteStatusError):
    """The credentials are missing or wrong."""

    retryable = False


class AirbyteProxyAuthenticationError(AirbyteAuthenticationError):
    """A proxy before Airbyte wants credentials of its own, or other ones (401, 407)."""


class AirbytePermissionError(AirbyteStatusError):
    """The credentials are right, but their role may not do this (403)."""

    retryable = False


class AirbyteNotFoundError(AirbyteStatusError):
    """Airbyte does not know the id (404)."""

    retryable = False


class AirbyteConflictError(AirbyteStatusError):
    """The operation does not fit what the connection is doing now (409)."""


class AirbyteRequestTooLargeError(AirbyteStatusError):
    """The request is larger than Airbyte, or a proxy before it, takes (413)."""

    retryable = False


class AirbyteBusyError(AirbyteStatusError):
    """A running sync holds the state (423)."""


class AirbyteRateLimitError(AirbyteStatusError):
    """Too many requests (429)."""


class AirbyteServerError(AirbyteStatusError):
    """Airbyte, or a proxy before it, failed (5xx, 408)."""


class AirbyteConnectionUnusableError(AirbyteError):
    """The Airbyte connection cannot be used as it is."""

    retryable = False

    def __init__(self, message: str, *, connection_id: str = "") -> None:
        super().__init__(message)
        self.connection_id = connection_id


class AirbyteConnectionUnknownError(AirbyteConnectionUnusableError):
    """This server has no such connection."""


class AirbyteConnectionInactiveError(AirbyteConnectionUnusableError):
    """The connection is paused."""


class AirbyteConnectionDeletedError(AirbyteConnectionUnusableError):
    """The connection was deleted; Airbyte keeps it as status "deprecated"."""


class AirbyteConnectionLockedError(AirbyteConnectionUnusableError):
    """Airbyte locked the connection."""


class AirbyteRefreshUnsupportedError(AirbyteConnectionUnusableError):
    """The destination's connector does not support refreshes."""


class AirbyteJobRunningError(AirbyteConnectionUnusableError):
    """Another job runs on the connection."""

    retryable = True

    def __init__(self, message: str, *, connection_id: str = "", job_id: int | None = None) -> None:
        super().__init__(message, connection_id=connection_id)
        self.job_id = job_id


class AirbyteDiscoveryError(AirbyteError):
    """A source's schema could not be discovered; the message carries Airbyte's reason."""

    def __init__(self, message: str, *, connection_id: str = "") -> None:
        super().__init__(message)
        self.connection_id = connection_id


class AirbyteSchemaChangedError(AirbyteError):
    """A source does not have any more what the connection moves."""

    retryable = False

    def __init__(self, message: str, *, connection_id: str = "") -> None:
        super().__init__(message)
        self.connection_id = connection_id


class AirbyteUpdateUnverifiedError(AirbyteError):
    """Airbyte took a change of a connection, and the connection is not as was requested."""

    retryable = False

    def __init__(self, message: str, *, connection_id: str = "") -> None:
        super().__init__(message)
        self.connection_id = connection_id


class AirbyteJobError(AirbyteError):
    """A job did not end as wished."""

    def __init__(self, message: str, *, job_id: int | None = None, connection_id: str = "") -> None:
        super().__init__(message)
        self.job_id = job_id
        self.connection_id = connection_id


class AirbyteJobFailedError(AirbyteJobError):
    """Airbyte said that the job failed; the message carries its reason."""


class AirbyteJobCancelledError(AirbyteJobError):
    """Airbyte said that the job was cancelled."""


class AirbyteNoRecordsError(AirbyteJobError):
    """The job succeeded and moved no record, and the task was configured not to accept that."""


class AirbyteJobTimeoutError(AirbyteJobError):
    """The job still ran when the wait was over."""


class AirbyteJobStatusUnavailableError(AirbyteJobError):
    """The job's status could not be read for too long; the job itself may be fine."""


class AirbyteJobNotFoundError(AirbyteJobError):
    """This server does not know the job."""

    retryable = False


class AirbyteJobNotStartedError(AirbyteJobError):
    """Airbyte started no job, and did not say why."""


class AirbyteSnapshotError(AirbyteError):
    """A saved state cannot be used, found, read or kept."""

    retryable = False


class AirbyteSnapshotNotFoundError(AirbyteSnapshotError):
    """The store has no such snapshot."""


class AirbyteSnapshotDamagedError(AirbyteSnapshotError):
    """The file is not what was written."""


class AirbyteSnapshotFormatError(AirbyteSnapshotError):
    """The file was written by a newer release, or is not a snapshot."""


class AirbyteSnapshotKeyError(AirbyteSnapshotError):
    """The file is encrypted, and no key opens it; or it is not, and a key was given."""


class AirbyteSnapshotStoreError(AirbyteSnapshotError):
    """The store cannot be read or written."""

    retryable = True


class AirbyteRestoreError(AirbyteError):
    """State was not restored."""

    def __init__(self, message: str, *, connection_id: str = "", safety_snapshot: str | None = None) -> None:
        super().__init__(message)
        self.connection_id = connection_id
        self.safety_snapshot = safety_snapshot


class AirbyteRestoreRefusedError(AirbyteRestoreError):
    """The restore does not fit; nothing was written."""

    retryable = False


class AirbyteRestoreUnverifiedError(AirbyteRestoreError):
    """Something was written, and the state is not what was wanted; the safety snapshot leads back."""
