"""What the fields of an Airflow Connection mean; known here, so that Airflow's hook and the shell read them alike."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from airflow_airbyte_ext.api.settings import CLOUD_HOSTS, ClientSettings, checked_url, looks_like_client_id
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS, CONNECTION_TYPE
from airflow_airbyte_ext.text import one_line

# The types with which the official provider works: its own, and `http`, since its 3.x is Airflow's HttpHook.
_OFFICIAL_TYPES = {"airbyte", "http", "https"}
_SCHEMES = {"http", "https"}
# HttpHook's options; everything else in its extra is a header.
_HTTP_HOOK_OPTIONS = {"allow_redirects", "check_response", "max_redirects", "stream", "trust_env"}
_API_ROOT = re.compile(r"(^|/)(api(/public)?|v1)/?$")
_PUBLIC_API_ROOT = re.compile(r"/api/public(/v1)?/?$")
_AIRBYTES_TOKEN_ENDPOINT = re.compile(r"(^|/)applications/token/?$")
_SECRET_FIELDS = {name for name, form in CONNECTION_FIELDS.items() if form["schema"].get("format") == "password"}
_JSON_FIELDS = {name for name, form in CONNECTION_FIELDS.items() if form["schema"].get("format") == "json"}


@dataclass(frozen=True)
class AirflowConnection:
    """The fields of an Airflow Connection, wherever they come from."""

    conn_type: str | None = None
    # People also write whole addresses with passwords, and keys, where they do not belong.
    host: str | None = field(default=None, repr=False)
    schema: str | None = field(default=None, repr=False)
    port: int | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_official(self) -> bool:
        """Whether it is written for the official provider."""
        return self.conn_type in _OFFICIAL_TYPES

    @property
    def scheme(self) -> str:
        """The scheme of a host that has none."""
        words = ((self.schema or "").lower(), self.conn_type)
        return next((word for word in words if word in _SCHEMES), "http")

    @property
    def path(self) -> str:
        """The schema field where it is neither scheme nor token endpoint: a URI holds the address's path there."""
        schema = (self.schema or "").strip("/")
        is_path = _API_ROOT.search(schema) if self.is_official else "://" not in schema
        return schema if is_path and schema.lower() not in _SCHEMES else ""

    @property
    def token_endpoint(self) -> str:
        """The schema field where the official provider keeps the token's address, whole or as a path."""
        schema = (self.schema or "").strip()
        return schema if self.is_official and schema.lower() not in _SCHEMES and not self.path else ""

    @property
    def address(self) -> str:
        """The host field as a URL; what it lacks comes from schema and port, as in Airflow's own URIs."""
        host = (self.host or "").strip()
        if not host:
            return host
        scheme, _, rest = host.rpartition("://")
        name, slash, path = rest.partition("/")
        if name.count(":") > 1 and "[" not in name:
            name = f"[{name}]"  # an IPv6 address, whose brackets Airflow takes out of a URI
        port = f":{self.port}" if self.port and ":" not in name.rpartition("]")[2] else ""
        address = f"{scheme or self.scheme}://{name}{port}{slash}{path}"
        return f"{address.rstrip('/')}/{self.path}" if self.path else address


def settings_of(connection: AirflowConnection, *, name: str, **changes: Any) -> ClientSettings:
    """
    Return the settings that a Connection holds.

    Host is Airbyte's address; login and password are user name and password, or client id and client secret. The
    extra holds the other settings by name. They go to that address alone, unless the extra's `token_url` names another.

    :param name: What to call the Connection in errors.
    :param changes: Settings that replace the Connection's.
    :raises AirbyteConfigurationError: Names the field of the Connection that is wrong.
    """
    check_type(connection, name=name)
    try:
        _check_fields(connection)
        given = _given(connection)
        return ClientSettings(**{"base_url": connection.address, **_credentials(connection, given), **changes})
    except AirbyteConfigurationError as error:
        hint = " (The host field holds base_url.)" if "base_url" in str(error) else ""
        raise AirbyteConfigurationError(f"{name}: {error}{hint}") from None


def check_type(connection: AirflowConnection, *, name: str) -> None:
    """
    Check that a Connection is of an Airbyte: the password of a database must not go to the database over HTTP.

    A Connection in JSON may lack the type; then it was not made for anything else.

    :param name: What to call the Connection in errors.
    :raises AirbyteConfigurationError: It is of another type.
    """
    if connection.conn_type and connection.conn_type != CONNECTION_TYPE and not connection.is_official:
        raise AirbyteConfigurationError(
            f"{name} is of type {one_line(connection.conn_type, 50)!r}, and nothing was sent to it. Name one that "
            f"points at an Airbyte, or give this one the type {CONNECTION_TYPE!r}."
        )


def _check_fields(connection: AirflowConnection) -> None:
    """Check that the fields are text, which in JSON they need not be, and that the host is an address."""
    for name in ("host", "schema", "login", "password"):
        if not isinstance(getattr(connection, name), str | None):
            raise AirbyteConfigurationError(f"the {name} field is no text. In JSON, write it in quotes.")
    if not (connection.schema or "").isprintable():
        raise AirbyteConfigurationError("the schema field has a line break or another control character.")
    if not isinstance(connection.port, int | None):
        raise AirbyteConfigurationError("the port field is no number.")
    if connection.address:
        checked_url(connection.address, "base_url")


def extra_object(given: str | dict[str, Any] | None) -> dict[str, Any]:
    """
    Return the extra of a Connection.

    :param given: Its text; or an object, which Airflow 3.2 makes of a URI's query.
    :raises AirbyteConfigurationError: It is no JSON object.
    """
    if isinstance(given, dict):
        return given
    if not (given or "").strip():
        return {}
    try:
        extra = json.loads(str(given))
    except (ValueError, RecursionError):
        extra = None
    if not isinstance(extra, dict):
        raise AirbyteConfigurationError('the extra is not a JSON object. Write it like {"timeout": 60}.')
    return extra


def _given(connection: AirflowConnection) -> dict[str, Any]:
    """Return the settings that the extra holds; a value of a URI is text, also where JSON is meant."""
    extra = _official_extra(connection.extra) if connection.is_official else connection.extra
    if unknown := sorted(set(extra) - set(CONNECTION_FIELDS)):
        raise AirbyteConfigurationError(
            f"the extra has {', '.join(repr(one_line(each, 50)) for each in unknown[:10])}, which is not a setting. "
            "Allowed are "
            f"{', '.join(sorted(CONNECTION_FIELDS))}."
        )
    return {key: _parsed(key, value) for key, value in extra.items() if value not in (None, "", {})}


def _parsed(key: str, value: Any) -> Any:
    if key in _SECRET_FIELDS and isinstance(value, int):
        return str(value)  # some releases of Airflow read the digits of a URI as a number
    is_list = key == "client_cert" and isinstance(value, str) and value.startswith("[")
    if not isinstance(value, str) or not (is_list or key in _JSON_FIELDS):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        example = '["cert.pem", "key.pem"]' if is_list else '{"name": "value"}'
        raise AirbyteConfigurationError(f"{key} in the extra is not JSON. Write it like {example}.") from None


def _official_extra(extra: dict[str, Any]) -> dict[str, Any]:
    """Return what the official provider's extra means: proxies, and in its 3.x headers and options of HTTP."""
    known = {key: value for key, value in extra.items() if key in CONNECTION_FIELDS}
    if isinstance(proxies := known.get("proxies"), str) and "{" not in proxies:
        known["proxies"] = dict.fromkeys(_SCHEMES, proxies)
    # Its documentation shows the proxies by themselves, too.
    bare = {key: extra[key] for key in _SCHEMES & set(extra)}
    renamed = {"proxies": bare} if bare and "proxies" not in known else {}
    if "cert" in extra:
        renamed["client_cert"] = extra["cert"]
    others = set(extra) - set(known) - set(bare) - {"cert"} - _HTTP_HOOK_OPTIONS
    headers = {key: str(extra[key]) for key in others if extra[key] is not None}
    if headers and "headers" not in known:
        renamed["headers"] = headers
    return {**renamed, **known}


def _credentials(connection: AirflowConnection, given: dict[str, Any]) -> dict[str, Any]:
    """Add login and password under the names of the kind of authentication that they are for."""
    login, password = connection.login or None, connection.password or None
    if login is None and password is None:
        return given
    if connection.token_endpoint and "token_url" not in given:
        given = _with_token_endpoint(connection, given)
    match given.get("auth", "auto"):
        case "auto":
            kind = _kind(connection, "token_url" in given)
        case word:
            kind = word
    match kind:
        case "client_credentials":
            return {"client_id": login, "client_secret": password, **given}
        case "bearer":
            return {"token": password, **given}
        case "none":
            return given
        case _:
            return {"username": login, "password": password, **given}


def _with_token_endpoint(connection: AirflowConnection, given: dict[str, Any]) -> dict[str, Any]:
    """Add what the schema field says of the token; Airbyte's own endpoint is found without it."""
    address = connection.address.rstrip("/") + "/"
    try:
        url = urljoin(address, connection.token_endpoint)
    except ValueError:
        url = ""
    here, there = urlsplit(address), checked_url(url, "the token endpoint in the schema field")
    is_cloud = {here.hostname, there.hostname} <= CLOUD_HOSTS and there.scheme == "https"
    if not is_cloud and (here.scheme, here.netloc) != (there.scheme, there.netloc):
        raise AirbyteConfigurationError(
            f"the schema field is the address of a token endpoint at {there.hostname}, which is not the host field's "
            "server, so login and password are not sent there. If they are to be, give that address as token_url in "
            "the extra."
        )
    if not _AIRBYTES_TOKEN_ENDPOINT.search(there.path):
        given = {**given, "token_url": url}
    is_open = connection.login and given.get("auth", "auto") == "auto"
    return {**given, "auth": "client_credentials"} if is_open else given


def _kind(connection: AirflowConnection, has_token_url: bool) -> str:
    """Decide what login and password are for, where nothing says it."""
    address = connection.address
    is_cloud = urlsplit(address).hostname in CLOUD_HOSTS
    if not connection.is_official or connection.login:
        is_client = looks_like_client_id(connection.login or "") or has_token_url
        is_client = is_client or (connection.is_official and (is_cloud or bool(_PUBLIC_API_ROOT.search(address))))
        return "client_credentials" if is_client else "basic"
    # In the official provider's 3.x a password alone is an API key of Cloud, and else is not used.
    return "bearer" if is_cloud else "none"
