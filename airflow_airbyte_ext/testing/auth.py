"""Who may call: everybody, those whom a proxy lets in by HTTP Basic, or those whose token the server checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_airbyte_ext.testing.eras import Era

KINDS = ("none", "basic", "bearer", "client_credentials")
ISSUERS = ("community", "keycloak", "database")
CLIENT_ID = "00000000-0000-4000-8000-00000000c11d"
_REPORTED_LIFETIME = 180


@dataclass
class Guard:
    """Checks the Authorization header, and issues tokens.

    `kind` is one of `KINDS`; "bearer" and "client_credentials" are a server that checks tokens, and `issuer` says whose
    (None: the community edition's where the release has them, else Keycloak's). `takes_basic` says whether such a
    server also takes username and password (None: as the release does). `token_lifetime` is in seconds (None: as the
    release does), `now` gives epoch seconds. Tokens are JSON Web Tokens with `iat` and `exp`, as Airbyte's are; clients
    read `exp`, for the response of the Config API's token endpoint does not say how long they live.
    """

    era: Era
    kind: str
    now: Callable[[], float]
    username: str = "airbyte"
    password: str = "password"
    token: str = "fake-bearer-token"
    client_id: str = CLIENT_ID
    client_secret: str = "fake-client-secret"
    token_lifetime: int | None = None
    issuer: str | None = None
    takes_basic: bool | None = None
    _issued: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown auth {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.issuer is None:
            self.issuer = "community" if self.era.has("community_checks_tokens") else "keycloak"
        if self.issuer not in ISSUERS:
            raise ValueError(f"unknown issuer {self.issuer!r}: choose one of {', '.join(ISSUERS)}")
        if self.checks_tokens:
            self._check_issuer()
        if self.takes_basic is None:
            self.takes_basic = self.issuer == "community" and self.era.has("community_takes_basic")

    def _check_issuer(self) -> None:
        era, reason = self.era, ""
        if self.issuer == "community" and not era.has("community_checks_tokens"):
            reason = "the community edition checks tokens from 0.63.9 on"
        elif self.issuer == "database" and not era.has("database_applications"):
            reason = "applications are in the database from 1.5.0 on"
        elif self.issuer == "keycloak" and not era.has("keycloak"):
            reason = "Pro and Enterprise check tokens of Keycloak from 0.50.0 on, and before 2.4.0"
        elif self.issuer == "keycloak" and self.kind != "bearer" and not era.has("keycloak_applications"):
            reason = "Keycloak issues tokens to applications from 0.50.38 on"
        if reason:
            raise ValueError(f"Airbyte {era.release} has no auth {self.kind!r} of the issuer {self.issuer!r}: {reason}")

    @property
    def checks_tokens(self) -> bool:
        """Whether the server itself checks who calls."""
        return self.kind in ("bearer", "client_credentials")

    @property
    def mode(self) -> str:
        """What instance_configuration says in auth.mode: a proxy's Basic is not known to the server."""
        if not self.checks_tokens:
            return "none"
        return "oidc" if self.issuer == "keycloak" else "simple"

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether these headers have the right credentials."""
        given = headers.get("authorization", "")
        if self.kind == "none":
            return True
        if self.kind == "basic":
            return given == self._basic()
        if self.takes_basic and given == self._basic():
            return True
        scheme, _, token = given.partition(" ")
        return scheme.lower() == "bearer" and self._knows(token)

    def _basic(self) -> str:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return f"Basic {pair}"

    def _knows(self, token: str) -> bool:
        if self.kind == "bearer":
            return token == self.token
        return self._issued.get(token, 0) > self.now()

    @property
    def lifetime(self) -> int:
        """The seconds that an issued token lives."""
        if self.token_lifetime is not None:
            return self.token_lifetime
        if self.era.has("tokens_live_15_minutes"):
            return 15 * 60
        a_day = self.era.has("tokens_live_a_day") and self.issuer != "keycloak"
        return 24 * 3600 if a_day else 3 * 60

    @property
    def expires_in(self) -> int:
        """What the public token endpoint says of it."""
        return _REPORTED_LIFETIME if self.era.has("expires_in_is_180") else self.lifetime

    def issue(self, client_id: str, client_secret: str) -> str:
        """A new token for the right client id and secret."""
        if self.kind != "client_credentials" or (client_id, client_secret) != (self.client_id, self.client_secret):
            raise self._wrong_credentials(client_id)
        issued_at = int(self.now())
        claims = {"iss": "airbyte", "sub": client_id, "aud": "airbyte-server", "jti": str(uuid.uuid4())}
        token = _signed({**claims, "iat": issued_at, "exp": issued_at + self.lifetime}, self.client_secret)
        self._issued[token] = issued_at + self.lifetime
        return token

    def _wrong_credentials(self, client_id: str) -> Refusal:
        if self.issuer == "keycloak":
            return Refusal("refused_by_keycloak")
        if self.issuer == "database":
            return Refusal("illegal_argument", f"Could not find an application for client id {client_id}")
        return Refusal("wrong_credentials")

    def revoke(self) -> None:
        """Forget every token that was issued, and the fixed one."""
        self._issued.clear()
        self.token = f"revoked-{uuid.uuid4()}"

    def challenge(self) -> dict[str, str]:
        """The headers of a 401."""
        if self.kind == "basic":
            realm = "Welcome to Airbyte" if self.era.has("basic_proxy") else "Restricted"
            return {"WWW-Authenticate": f'Basic realm="{realm}"'}
        wants_basic = self.issuer != "keycloak" and self.era.has("challenges_with_basic")
        return {"WWW-Authenticate": 'Basic realm="Micronaut Application"'} if wants_basic else {}


def _signed(claims: dict[str, object], secret: str) -> str:
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _part(value: dict[str, object]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
