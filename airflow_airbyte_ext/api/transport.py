"""One HTTP session to one Airbyte: signing in, time-outs, retries, and errors that say what to do."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import requests
from pydantic import JsonValue
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from airflow_airbyte_ext import __version__
from airflow_airbyte_ext.api.answers import is_html, json_or_none, read_answer
from airflow_airbyte_ext.api.auth import ClientCredentialsAuth, NoAuth, authentication
from airflow_airbyte_ext.api.clock import Clock, SystemClock
from airflow_airbyte_ext.api.network import network_error
from airflow_airbyte_ext.api.operations import (
    APPLICATION_TOKEN_REQUEST,
    GET_HEALTH_CHECK,
    GET_INSTANCE_CONFIGURATION,
    Repeat,
)
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import (
    AirbyteAnswerError,
    AirbyteApiError,
    AirbyteAuthenticationError,
    AirbyteBadRequestError,
    AirbyteNotFoundError,
    AirbyteOperationMissingError,
    AirbytePermissionError,
    AirbyteServerError,
    AirbyteStatusError,
    AirbyteUnreachableError,
)

if TYPE_CHECKING:
    from requests import Response
    from requests.auth import AuthBase

    from airflow_airbyte_ext.api.models.instance import AccessToken
    from airflow_airbyte_ext.api.operations import Answer, Operation
    from airflow_airbyte_ext.api.settings import ClientSettings

log = logging.getLogger(__name__)

Body = Mapping[str, JsonValue]

ATTEMPTS = 5
LONGEST_PAUSE = 30.0
CONNECT_TIMEOUT = 10.0
POOLED_CONNECTIONS = 32
OLDEST_RELEASE = "0.36.0"
CLOUD_TOKEN_URL = "https://api.airbyte.com/v1/applications/token"

# Statuses that may pass by themselves. 500 is one only for reads: after a write nobody knows what it did.
PASSING_STATUSES = {408, 425, 429, 502, 503, 504}
# With these, Airbyte says that it did not accept the request.
NOT_ACCEPTED_STATUSES = {425, 429}


class Transport:
    """
    Sends operations to one Airbyte.

    :param settings: Which Airbyte, and how.
    :param clock: Waits between tries, and tells when a token ends.
    :param attempts: How often one operation is tried at most.
    """

    def __init__(self, settings: ClientSettings, *, clock: Clock | None = None, attempts: int = ATTEMPTS) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        self._attempts = attempts
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=POOLED_CONNECTIONS))
        self._session.headers.update(
            {
                "Accept": "application/json",
                "User-Agent": f"airflow-airbyte-ext/{__version__} Python/{platform.python_version()}",
                **settings.headers,
            }
        )
        self._auth = authentication(settings, buy_token=self._buy_token, clock=self._clock)
        self._release: Release | None = None

    def single(self) -> Transport:
        """Return a transport with the same session and credentials that tries everything only once."""
        twin = object.__new__(Transport)
        twin.__dict__.update(self.__dict__, _attempts=1)
        return twin

    def close(self) -> None:
        """Close the session's sockets."""
        self._session.close()

    def send(self, operation: Operation[Answer], body: Body | None = None) -> Answer:
        """
        Send an operation, again where that is safe and may help, and return its answer.

        :raises AirbyteApiError: See `exceptions` for its leaves.
        """
        return self._send(operation, self.settings.base_url + operation.path, body, auth=self._auth)

    def release(self) -> Release:
        """Return the server's release: `UNTOLD` or `UNKNOWN` before 0.57.4, `UNREADABLE` where it cannot be asked."""
        if self._release is None:
            try:
                version = self._ask_anonymously(GET_INSTANCE_CONFIGURATION).version
                self._release = Release(version) if version else Release.UNTOLD
            except AirbyteOperationMissingError:
                self._release = Release.UNKNOWN
            except (AirbyteAnswerError, AirbyteStatusError):
                return Release.UNREADABLE
        return self._release

    def _ask_anonymously(self, operation: Operation[Answer]) -> Answer:
        # The release may be asked for while a token is being bought, so it must not want one itself.
        auth = NoAuth() if isinstance(self._auth, ClientCredentialsAuth) else self._auth
        return self._send(operation, self.settings.base_url + operation.path, None, auth=auth)

    def _send(self, operation: Operation[Answer], url: str, body: Body | None, *, auth: AuthBase) -> Answer:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: _worth_repeating(operation, error)),
            wait=_pause,
            stop=stop_after_attempt(self._attempts),
            sleep=self._clock.sleep,
            before_sleep=_say_why,
            reraise=True,
        )
        answer: Answer = retrying(self._send_once, operation, url, body, auth)
        return answer

    def _send_once(self, operation: Operation[Answer], url: str, body: Body | None, auth: AuthBase) -> Answer:
        response = self._exchange(operation, url, body, auth)
        if response.status_code == 401 and isinstance(auth, ClientCredentialsAuth):
            auth.discard(response.request)
            response = self._exchange(operation, url, body, auth)
        log.debug("%s: HTTP %s after %s", operation.operation_id, response.status_code, response.elapsed)
        if self._lacks(operation, response):
            if operation.gone is None and Release(operation.since).is_before(OLDEST_RELEASE):
                raise AirbyteAnswerError(
                    f"{operation.operation_id}: what answers at {self.settings.base_url} does not look like an Airbyte "
                    f"(HTTP {response.status_code}). Check host and port.",
                    operation=operation.operation_id,
                )
            raise _missing(operation)
        try:
            return read_answer(operation, response)
        except AirbyteAuthenticationError as error:
            raise self._told_how(error) from None

    def _told_how(self, error: AirbyteAuthenticationError) -> AirbyteAuthenticationError:
        """Return the error with where and how we signed in: with `auto` nobody else knows."""
        settings = self.settings
        chosen = " (chosen by auto)" if settings.auth == "auto" else ""
        return AirbyteAuthenticationError(
            f"{error} The address is {settings.base_url}, and the authentication {settings.auth_kind!r}{chosen}.",
            operation=error.operation,
            http_status=error.http_status,
            error_id=error.error_id,
        )

    def _exchange(self, operation: Operation[Any], url: str, body: Body | None, auth: AuthBase) -> Response:
        """Send one request, and turn the network's errors into ours."""
        settings = self.settings
        try:
            return self._session.request(
                operation.method,
                url,
                json=None if operation.method == "GET" else dict(body or {}),
                auth=auth,
                timeout=(
                    min(CONNECT_TIMEOUT, settings.timeout),
                    max(settings.timeout, operation.read_timeout),
                ),
                # Given with each request, since an environment variable would win over the session's own.
                verify=settings.verify,
                cert=settings.client_cert,
                proxies=dict(settings.proxies),  # which `requests` adds the environment's to
                allow_redirects=False,
            )
        except OSError as error:  # which `requests` makes its own errors of
            raise network_error(operation, url, error, settings) from None

    def _lacks(self, operation: Operation[Any], response: Response) -> bool:
        """Whether an error status means that the operation itself, not the id in its request, is unknown."""
        if is_html(response) or response.status_code not in (404, 405):
            return False
        if response.status_code == 405:
            return True
        body = json_or_none(response)
        if not isinstance(body, dict):
            return False
        # Up to 1.8 the body names the server's exception class, which is another one for an unknown path.
        if exception_class := str(body.get("exceptionClassName") or ""):
            return "NotFoundKnown" not in exception_class
        if operation in (GET_HEALTH_CHECK, GET_INSTANCE_CONFIGURATION, APPLICATION_TOKEN_REQUEST):
            return True  # no id is asked for
        release = self.release()
        is_gone = operation.gone is not None and release.is_at_least(operation.gone)
        return is_gone or release.is_before(operation.since) or "_links" in body

    def _buy_token(self) -> AccessToken:
        settings = self.settings
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        credentials = {"client_id": settings.client_id, "client_secret": secret}
        refusal: AirbyteApiError | None = None
        for url in _token_urls(settings):
            # The public API's twin of the operation, and OAuth servers, want the grant named too.
            grant = {} if url.startswith(settings.base_url + "/v1/") else {"grant-type": "client_credentials"}
            try:
                return self._send(APPLICATION_TOKEN_REQUEST, url, {**credentials, **grant}, auth=NoAuth())
            except (AirbyteOperationMissingError, AirbyteNotFoundError, AirbyteAnswerError) as error:
                refusal = error
            except (
                AirbyteAuthenticationError,
                AirbyteBadRequestError,
                AirbytePermissionError,
                AirbyteServerError,
            ) as error:
                raise _credentials_refused(url, error) from None
        raise AirbyteAuthenticationError(
            f"No token endpoint was found ({refusal}) Give its address as token_url, or choose another kind of "
            "authentication (auth): an Airbyte without token endpoint wants none or basic.",
            operation=APPLICATION_TOKEN_REQUEST.operation_id,
        )


def _missing(operation: Operation[Any]) -> AirbyteOperationMissingError:
    span = f"release {operation.since} or later" if operation.gone is None else f"releases from {operation.since} on"
    until = f" and before {operation.gone}" if operation.gone else ""
    instead = operation.instead or "Upgrade Airbyte, or check that the base URL is Airbyte's."
    return AirbyteOperationMissingError(
        f"{operation.operation_id} ({operation.path}) is not in this Airbyte: it needs {span}{until}. {instead}",
        operation=operation.operation_id,
    )


def _token_urls(settings: ClientSettings) -> list[str]:
    if settings.token_url:
        return [settings.token_url]
    if settings.is_cloud:
        return [CLOUD_TOKEN_URL]
    return [settings.base_url + root + APPLICATION_TOKEN_REQUEST.path for root in ("", "/public")]


def _credentials_refused(url: str, error: AirbyteStatusError) -> AirbyteApiError:
    """Return one error for wrong credentials: releases answer them with 400, 401 or 500."""
    if error.http_status in PASSING_STATUSES:
        return error
    refused = AirbyteAuthenticationError(
        f"Airbyte gave no token for this client id and secret (HTTP {error.http_status} from {url}). Check both; "
        "in a community edition `abctl local credentials` shows them."
        + (" Some releases also answer 500 to wrong ones." if error.http_status >= 500 else ""),
        operation=error.operation,
        http_status=error.http_status,
        error_id=error.error_id,
    )
    refused.worth_retrying = error.http_status >= 500
    return refused


def _worth_repeating(operation: Operation[Any], error: BaseException) -> bool:
    """Whether sending the operation again is safe, and may help."""
    if isinstance(error, AirbyteApiError) and error.operation != operation.operation_id:
        return False  # it has been repeated already: the token's, or the release's
    if isinstance(error, AirbyteUnreachableError) and not error.worth_retrying:
        return False
    if isinstance(error, AirbyteUnreachableError):
        return operation.repeat is Repeat.READ or not error.sent
    if not isinstance(error, AirbyteStatusError) or isinstance(error, AirbyteAuthenticationError):
        return False
    if operation.repeat is Repeat.READ:
        return error.http_status in PASSING_STATUSES or error.http_status == 500
    return error.http_status in NOT_ACCEPTED_STATUSES


_back_off = wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE)


def _pause(state: RetryCallState) -> float:
    """Wait as long as the server asks for, within a bound, else ever longer."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, AirbyteStatusError) else None
    return _back_off(state) if asked is None else min(asked, LONGEST_PAUSE)


def _say_why(state: RetryCallState) -> None:
    if state.outcome and state.next_action:
        log.info("%s Trying again in %.1f s.", state.outcome.exception(), state.next_action.sleep)
