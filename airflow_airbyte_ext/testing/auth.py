"""Who may call: nobody asked, HTTP Basic at the proxy, a fixed bearer token, or tokens from client credentials."""

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
CLIENT_ID = "00000000-0000-4000-8000-00000000c11d"


@dataclass
class Guard:
    """Checks the Authorization header, and issues tokens.

    `kind` is one of `KINDS`, `token_lifetime` seconds; `now` gives epoch seconds. Tokens are JSON Web Tokens with `iat`
    and `exp`, as Airbyte's are; clients read `exp`, for the answer of the Config API's token endpoint does not tell.
    """

    era: Era
    kind: str
    now: Callable[[], float]
    username: str = "airbyte"
    password: str = "password"
    token: str = "fake-bearer-token"
    client_id: str = CLIENT_ID
    client_secret: str = "fake-client-secret"
    token_lifetime: int = 900
    _issued: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown auth {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.kind == "client_credentials" and self.era.before("0.63.9"):
            raise ValueError(f"Airbyte {self.era.release} issues no tokens: client credentials came with 0.63.9")

    @property
    def mode(self) -> str:
        """What instance_configuration says in auth.mode: a proxy's Basic is not known to the server."""
        return "simple" if self.kind in ("bearer", "client_credentials") else "none"

    def admits(self, headers: Mapping[str, str], anonymous: bool) -> bool:
        """Whether this request may pass; the proxy of "basic" asks everybody, on every path."""
        given = headers.get("authorization", "")
        if self.kind == "basic":
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return given == f"Basic {pair}"
        if anonymous or self.kind == "none":
            return True
        scheme, _, token = given.partition(" ")
        return scheme.lower() == "bearer" and self._knows(token)

    def _knows(self, token: str) -> bool:
        if self.kind == "bearer":
            return token == self.token
        return self._issued.get(token, 0) > self.now()

    def issue(self, client_id: str, client_secret: str) -> str:
        """A new token for the right client id and secret."""
        if self.kind != "client_credentials" or (client_id, client_secret) != (
            self.client_id,
            self.client_secret,
        ):
            raise Refusal("credentials", "Invalid client id or token")
        issued_at = int(self.now())
        claims = {"iss": "airbyte", "sub": client_id, "aud": "airbyte-server", "jti": str(uuid.uuid4())}
        token = _signed({**claims, "iat": issued_at, "exp": issued_at + self.token_lifetime}, self.client_secret)
        self._issued[token] = issued_at + self.token_lifetime
        return token

    def revoke(self) -> None:
        """Forget every token that was issued, and the fixed one."""
        self._issued.clear()
        self.token = f"revoked-{uuid.uuid4()}"

    def challenge(self) -> dict[str, str]:
        """The headers of a 401."""
        if self.kind == "basic":
            return {"WWW-Authenticate": 'Basic realm="Airbyte"'}
        # Until 2026-06 the community edition had the framework's own Basic login switched on.
        asks_basic = self.era.since("0.63.9") and self.era.before("head")
        return {"WWW-Authenticate": 'Basic realm="Micronaut Application"'} if asks_basic else {}


def _signed(claims: dict[str, object], secret: str) -> str:
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _part(value: dict[str, object]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
