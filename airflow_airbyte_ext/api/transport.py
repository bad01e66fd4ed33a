"""One HTTP session to one Airbyte: signing in, time-outs, retries, and errors that say what to do."""

from __future__ import annotations

import http.client
import logging
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import requests
from pydantic import Field, JsonValue
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from airflow_airbyte_ext import __version__
from airflow_airbyte_ext.api.auth import Access, ClientCredentialsAuth, NoAuth, authentication
from airflow_airbyte_ext.api.bounds import (
    BoundedSession,
    ResponseCutError,
    ResponseTooLargeError,
    begin_exchange,
    read_body,
    was_sent,
)
from airflow_airbyte_ext.api.clock import Clock, SystemClock
from airflow_airbyte_ext.api.instance import Instance
from airflow_airbyte_ext.api.network import network_error
from airflow_airbyte_ext.api.operation import declared_by, operation
from airflow_airbyte_ext.api.origins import meant_for, warn_of_plain_http
from airflow_airbyte_ext.api.parsing import check_is_about, parse_response
from airflow_airbyte_ext.api.refusals import NOT_ACCEPTED_STATUSES, date_of, is_proof, refusal
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.response import HttpResponse
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteBadRequestError,
    AirbyteError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbytePermissionError,
    AirbyteProxyAuthenticationError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteStatusError,
    AirbyteUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.auth import AuthBase

    from airflow_airbyte_ext.api.models import instance
    from airflow_airbyte_ext.api.models.instance import AccessToken, InstanceConfigurationResponse
    from airflow_airbyte_ext.api.operation import Operation
    from airflow_airbyte_ext.api.settings import ClientSettings

log = logging.getLogger(__name__)

Body = Mapping[str, JsonValue]

ATTEMPTS = 5
MAX_PAUSE = 30.0
CONNECT_TIMEOUT = 10.0
POOLED_CONNECTIONS = 32
CLOUD_TOKEN_URL = "https://api.airbyte.com/v1/applications/token"


@operation("/v1/applications/token", since="0.50.38", holds_secrets=True)
def application_token_request(
    _client: object,
    *,
    client_id: Annotated[str, Field(alias="client_id")],
    client_secret: Annotated[str, Field(alias="client_secret")],
) -> instance.AccessToken:
    """Buy a token, which changes nothing that anybody else sees."""


TOKEN_REQUEST = declared_by(application_token_request)

# Statuses that may pass by themselves. 500 is one only for reads: after a write nobody knows what it did.
PASSING_STATUSES = {408, 425, 429, 502, 503, 504}

# What may come of a response that nobody foresaw. What else is raised meanwhile is no fault of the response: a signal
# of Airflow's, or of Celery's, that ends the task.
_UNFORESEEN = (
    OSError,
    HTTPError,
    http.client.HTTPException,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    EOFError,
    ResponseCutError,
)


class Transport:
    """
    Sends operations to one Airbyte.

    :param settings: Which Airbyte, and how.
    :param clock: Waits between tries, and says when a token ends.
    :param attempts: How often one operation is tried at most.
    :param renew: Reads the settings again after credentials were refused.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
        renew: Callable[[], ClientSettings] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._attempts = attempts
        self._session = BoundedSession(POOLED_CONNECTIONS)
        self._session.headers.update(
            {
                "Accept": "application/json",
                "User-Agent": f"airflow-airbyte-ext/{__version__} Python/{platform.python_version()}",
            }
        )

        def sign(settings: ClientSettings) -> AuthBase:
            return authentication(settings, buy_token=self._buy_token, clock=self._clock)

        self.access = Access(settings, sign=sign, renew=renew, clock=self._clock)
        self._instance = Instance(self._clock)
        warn_of_plain_http(settings)
        # The server's clock at its last response, and ours then.
        self._server_time: tuple[float | None, float] = (None, 0.0)

    @property
    def settings(self) -> ClientSettings:
        """The settings as they are now."""
        return self.access.settings

    def server_time(self) -> float | None:
        """Return what time it is at the server, in epoch seconds, by its last response; None where it does not say."""
        said, at = self._server_time
        return None if said is None else said + self._clock.monotonic() - at

    def without_retries(self) -> Transport:
        """Return a transport with the same session and credentials that tries everything only once."""
        twin = object.__new__(Transport)
        twin.__dict__.update(self.__dict__, _attempts=1)
        return twin

    def close(self) -> None:
        """Close the session's sockets."""
        self._session.close()

    def send(self, operation: Operation, body: Body | None = None) -> Any:
        """
        Send an operation, again where that is safe and may help, and return its response.

        Credentials that are refused are read again; they may have been changed since.

        :raises AirbyteApiError: See `exceptions` for its leaves.
        """
        url, auth = self.settings.base_url + operation.path, self.access.auth
        try:
            return self._send(operation, url, body, auth=auth)
        except (AirbyteAuthenticationError, AirbytePermissionError) as error:
            may_repeat = not operation.is_write or not error.outcome_unknown
            if not may_repeat or not self.access.has_changed(auth):
                raise
        return self._send(operation, url, body, auth=self.access.auth)

    def release(self) -> Release:
        """Return the server's release, read once; see `Instance.release`."""
        return self._instance.release(self._send_anonymously)

    def instance(self) -> InstanceConfigurationResponse | None:
        """Return what the instance says of itself, read once with the release; None where it says nothing."""
        return self._instance.configuration(self._send_anonymously)

    def _send_anonymously(self, operation: Operation) -> Any:
        # The release may be read while a token is being bought, so it must not want one itself.
        auth = NoAuth() if isinstance(self.access.auth, ClientCredentialsAuth) else self.access.auth
        return self._send(operation, self.settings.base_url + operation.path, None, auth=auth)

    def _release_if_known(self) -> Release:
        try:
            return self.release()
        except AirbyteError:
            return Release.UNREADABLE

    def _send(self, operation: Operation, url: str, body: Body | None, *, auth: AuthBase) -> Any:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: _worth_repeating(operation, error)),
            wait=_pause,
            stop=stop_after_attempt(self._attempts),
            sleep=self._clock.sleep,
            before_sleep=_say_why,
            reraise=True,
        )
        return retrying(self._send_once, operation, url, body, auth)

    def _send_once(self, operation: Operation, url: str, body: Body | None, auth: AuthBase) -> Any:
        def exchange() -> HttpResponse:
            return self._exchange(operation, url, body, auth)

        response = self._clock.run(exchange)
        is_token_fresh = False
        # A proxy's 401 does not prove that Airbyte did nothing.
        may_repeat = not operation.is_write or is_proof(response)
        if response.status == 401 and isinstance(auth, ClientCredentialsAuth) and may_repeat:
            auth.discard(response.request)
            response = self._clock.run(exchange)
            is_token_fresh = True
        try:
            if response.status < 400:
                model = parse_response(operation, response)
                check_is_about(operation, body or {}, model)
                return model
            error = refusal(operation, response, self.settings, self._release_if_known, is_token_fresh=is_token_fresh)
        except _UNFORESEEN as unforeseen:
            raise AirbyteResponseError(
                f"{operation.operation_id}: the response of {response.address} cannot be understood "
                f"({type(unforeseen).__name__}). Check any proxy before Airbyte.",
                operation=operation.operation_id,
            ) from None
        raise error

    def _exchange(self, operation: Operation, url: str, body: Body | None, auth: AuthBase) -> HttpResponse:
        """Send one request and read its response; what goes wrong is an error of ours that knows whether it left."""
        settings = self.settings
        limit = settings.max_response_bytes
        headers, client_cert = meant_for(url, settings)
        begin_exchange(limit)
        try:
            request = self._session.prepare_request(
                requests.Request(
                    operation.method,
                    url,
                    headers=headers,
                    json=None if operation.method == "GET" else dict(body or {}),
                    auth=auth,
                )
            )
            begin_exchange(limit)  # again, for the token may have been bought meanwhile
            # Given with each request, since an environment variable would win over the session's own.
            how = self._session.merge_environment_settings(
                request.url, dict(settings.proxies), stream=True, verify=settings.verify, cert=client_cert
            )
            read_timeout = max(settings.timeout, operation.response_timeout)
            timeout = (min(CONNECT_TIMEOUT, settings.timeout), read_timeout)
            response = self._session.send(request, timeout=timeout, allow_redirects=False, **how)
            with response:
                # What follows an interim response belongs to this request, so such a connection is closed.
                content = read_body(response.raw, limit) if response.status_code >= 200 else b""
            self._server_time = (date_of(response.headers.get("Date", "")), self._clock.monotonic())
            log.debug("%s: HTTP %s after %s", operation.operation_id, response.status_code, response.elapsed)
            return HttpResponse(response.status_code, response.headers, content, request)
        except AirbyteError:
            raise
        except ResponseTooLargeError:
            raise AirbyteResponseError(
                f"{operation.operation_id}: the response of {url} is larger than {limit} bytes, in itself or "
                "decompressed, or has too many values for that size. Increase max_response_bytes if the response "
                "is legitimate; otherwise check any proxy before Airbyte.",
                operation=operation.operation_id,
            ) from None
        except _UNFORESEEN as error:
            raise network_error(operation, url, error, settings, was_sent=was_sent()) from None

    def _buy_token(self) -> AccessToken:
        settings = self.settings
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        credentials = {"client_id": settings.client_id, "client_secret": secret}
        missing: AirbyteApiError | None = None
        for url in _token_urls(settings):
            # The public API's twin of the operation, and OAuth servers, want the grant named too.
            grant = {} if url.startswith(settings.base_url + "/v1/") else {"grant-type": "client_credentials"}
            try:
                token: AccessToken = self._send(TOKEN_REQUEST, url, {**credentials, **grant}, auth=NoAuth())
                return token
            except (AirbyteOperationMissingError, AirbyteNotFoundError, AirbyteResponseError) as absent:
                missing = absent
            except AirbyteProxyAuthenticationError:
                raise
            except (
                AirbyteAuthenticationError,
                AirbyteBadRequestError,
                AirbytePermissionError,
                AirbyteServerError,
            ) as error:
                raise self._credentials_refused(url, error) from None
        no_endpoint = AirbyteAuthenticationError(
            _no_token_endpoint(settings, missing), operation=TOKEN_REQUEST.operation_id
        )
        no_endpoint.retryable = isinstance(missing, AirbyteResponseError)
        raise no_endpoint

    def _credentials_refused(self, url: str, error: AirbyteStatusError) -> AirbyteApiError:
        """Return one error for wrong credentials: set-ups refuse them with 400, 401 or 500."""
        if error.http_status in PASSING_STATUSES:
            return error
        notes = ""
        if error.http_status >= 500:
            notes = " Some set-ups also respond 500 to wrong ones."
        elif error.http_status == 401 and not TOKEN_REQUEST.is_in(self._release_if_known()):
            notes = f" An Airbyte before {TOKEN_REQUEST.since} has no token endpoint, and responds the same."
        refused = AirbyteAuthenticationError(
            f"Airbyte gave no token for this client id and secret (HTTP {error.http_status} from {url}). Check both; "
            f"in a community edition `abctl local credentials` shows them.{notes}",
            operation=error.operation,
            http_status=error.http_status,
            error_id=error.error_id,
        )
        refused.retryable = error.http_status >= 500
        return refused


def _no_token_endpoint(settings: ClientSettings, error: AirbyteApiError | None) -> str:
    if isinstance(error, AirbyteOperationMissingError) and not settings.token_url:
        return (
            f"The Airbyte at {settings.base_url} has no token endpoint: its authentication is off, or it is older than "
            f"{TOKEN_REQUEST.since}. Where its tokens come from elsewhere, give that address as token_url; "
            "else choose auth none, or basic behind a proxy that wants it."
        )
    return (
        f"No token endpoint was found ({error}) Give its address as token_url, or choose another kind of "
        "authentication (auth): an Airbyte without token endpoint wants none or basic."
    )


def _token_urls(settings: ClientSettings) -> list[str]:
    if settings.token_url:
        return [settings.token_url]
    if settings.is_cloud:
        return [CLOUD_TOKEN_URL]
    return [settings.base_url + root + TOKEN_REQUEST.path for root in ("", "/public")]


def _worth_repeating(operation: Operation, error: BaseException) -> bool:
    """Whether sending the operation again is safe, and may help."""
    if isinstance(error, AirbyteApiError) and error.operation != operation.operation_id:
        return False  # it has been repeated already: the token's, or the release's
    if isinstance(error, AirbyteUnreachableError) and not error.retryable:
        return False
    if isinstance(error, AirbyteUnreachableError):
        return not operation.is_write or not error.was_sent
    if not isinstance(error, AirbyteStatusError) or isinstance(error, AirbyteAuthenticationError):
        return False
    if not operation.is_write:
        return error.http_status in PASSING_STATUSES or (error.http_status == 500 and _may_pass(operation, error))
    return error.http_status in NOT_ACCEPTED_STATUSES


def _may_pass(operation: Operation, error: AirbyteStatusError) -> bool:
    """Whether a 500 may become another response next time: an id that is unknown stays so."""
    return not operation.is_500_final and not isinstance(error, AirbyteNotFoundError)


_back_off = wait_random_exponential(multiplier=0.5, max=MAX_PAUSE)


def _pause(state: RetryCallState) -> float:
    """Wait as long as the server says, within a bound, else ever longer."""
    error = state.outcome.exception() if state.outcome else None
    requested = error.retry_after if isinstance(error, AirbyteStatusError) else None
    return _back_off(state) if requested is None else min(requested, MAX_PAUSE)


def _say_why(state: RetryCallState) -> None:
    if state.outcome and state.next_action:
        log.info("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)
