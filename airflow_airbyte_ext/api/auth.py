"""Signing in: nothing, HTTP Basic, a fixed bearer token, or client credentials that buy tokens."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
import threading
from typing import TYPE_CHECKING

from requests.auth import AuthBase, HTTPBasicAuth

from airflow_airbyte_ext.exceptions import AirbyteResponseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.instance import AccessToken
    from airflow_airbyte_ext.api.settings import ClientSettings

log = logging.getLogger(__name__)

# Many requests may be refused at once, and each would read the credentials again.
RENEWAL_INTERVAL = 10.0
# Airbyte's shortest tokens live three minutes; a token that does not say how long it lives is taken to live this long.
UNKNOWN_LIFETIME = 120.0


class NoAuth(AuthBase):
    """No credentials. (With no auth object at all, `requests` would read ~/.netrc.)"""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Leave the request as it is."""
        return request


class BearerAuth(AuthBase):
    """A token that somebody else keeps valid."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class ClientCredentialsAuth(AuthBase):
    """
    Buys a token when there is none, and a new one before the old one ends.

    :param buy_token: Buys a token.
    :param clock: Says when a token ends.
    """

    def __init__(self, buy_token: Callable[[], AccessToken], *, clock: Clock) -> None:
        self._buy_token = buy_token
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._current()}"
        return request

    def discard(self, refused: PreparedRequest) -> None:
        """Forget the token that `refused` carried, unless another thread has renewed it meanwhile."""
        with self._lock:
            if refused.headers.get("Authorization") == f"Bearer {self._token}":
                self._token = None

    def _current(self) -> str:
        with self._lock:
            if self._token is None or self._clock.monotonic() >= self._renew_at:
                bought = self._buy_token()
                token = bought.access_token.get_secret_value()
                if not re.fullmatch(r"[!-~]+", token):
                    raise AirbyteResponseError(
                        "The token endpoint gave a token that no header can carry. Check token_url."
                    )
                lifetime = lifetime_of(token, bought.expires_in, now=self._clock.time())
                self._renew_at = self._clock.monotonic() + max(lifetime * 0.8, lifetime - 30)
                self._token = token
            return self._token


def lifetime_of(token: str, expires_in: float | None, *, now: float) -> float:
    """
    Return how many seconds a new token lives.

    The JWT's own `exp` decides, since several releases report a wrong `expires_in` (180 s, say, for a token that
    lives 24 h). With `iat` beside it, the server's clock need not agree with ours.

    :param now: Epoch seconds.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims.get("iat", now))
    except (IndexError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        lifetime = expires_in or UNKNOWN_LIFETIME
    return lifetime if lifetime > 0 else UNKNOWN_LIFETIME


def authentication(settings: ClientSettings, *, buy_token: Callable[[], AccessToken], clock: Clock) -> AuthBase:
    """Return what signs the requests of a client with these settings."""
    match settings.auth_kind:
        case "basic":
            password = settings.password.get_secret_value() if settings.password else ""
            return HTTPBasicAuth((settings.username or "").encode(), password.encode())
        case "bearer":
            return BearerAuth(settings.token.get_secret_value() if settings.token else "")
        case "client_credentials":
            return ClientCredentialsAuth(buy_token, clock=clock)
        case _:
            return NoAuth()


class Access:
    """
    The settings of a client and what signs its requests; both may change while it is used.

    :param settings: As the client was made with them.
    :param sign: Returns what signs the requests of a client with given settings.
    :param renew: Reads the settings again, where somebody may have changed the credentials; None where nobody can.
    :param clock: Says when they were read.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        sign: Callable[[ClientSettings], AuthBase],
        renew: Callable[[], ClientSettings] | None,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.auth = sign(settings)
        self.renew = renew
        self._sign = sign
        self._clock = clock
        self._lock = threading.Lock()
        self._read_again_at = -math.inf

    def has_changed(self, refused: AuthBase) -> bool:
        """Whether there are other credentials than those that were refused; reads them again, not too often."""
        with self._lock:
            if self.auth is not refused:
                return True  # for another thread
            if self.renew is None or self._clock.monotonic() < self._read_again_at:
                return False
            self._read_again_at = self._clock.monotonic() + RENEWAL_INTERVAL
            try:
                settings = self.renew()
            except Exception as error:  # whatever it is, what was refused is what matters
                log.warning("The credentials were refused, and could not be read again (%s).", type(error).__name__)
                return False
            if settings == self.settings or settings.base_url != self.settings.base_url:
                return False
            log.info("The credentials were refused, and others have been given meanwhile: trying with those.")
            self.settings, self.auth = settings, self._sign(settings)
            return True
