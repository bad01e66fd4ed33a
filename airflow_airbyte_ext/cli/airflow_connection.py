"""An Airflow Connection, as an environment variable or a secrets backend holds it, without Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from airflow_airbyte_ext.api.settings import ClientSettings, looks_like_client_id
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS


@dataclass(frozen=True)
class AirflowConnection:
    """The fields of an Airflow Connection."""

    conn_type: str | None = None
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


def parse_airflow_connection(text: str, *, name: str) -> AirflowConnection:
    """
    Read a Connection in Airflow's URI or JSON form.

    :param name: The variable that holds it, for errors; the text itself holds secrets and is never repeated.
    :raises AirbyteConfigurationError: It is neither.
    """
    try:
        return _from_json(text) if text.lstrip().startswith("{") else _from_uri(text.strip())
    except (ValueError, TypeError, AttributeError):
        raise AirbyteConfigurationError(
            f"{name} holds no Airflow Connection. Give Airflow's URI or JSON form of it, as "
            "`airflow connections get -o json` or Connection.get_uri() shows it."
        ) from None


def settings_of(connection: AirflowConnection, *, name: str, **changes: Any) -> ClientSettings:
    """
    Return the settings that a Connection holds; it means the same here as in `hooks.airbyte.settings_from_connection`.

    :param changes: Settings that replace the Connection's.
    :raises AirbyteConfigurationError: Names the field of the Connection that is wrong.
    """
    if unknown := sorted(set(connection.extra) - set(CONNECTION_FIELDS)):
        raise AirbyteConfigurationError(
            f"{name}: the extra has {', '.join(map(repr, unknown))}, which is not a setting. Allowed are "
            f"{', '.join(sorted(CONNECTION_FIELDS))}."
        )
    given = {key: value for key, value in connection.extra.items() if value not in (None, "", {})}
    try:
        return ClientSettings(**{"base_url": _address(connection), **_credentials(connection, given), **changes})
    except AirbyteConfigurationError as error:
        raise AirbyteConfigurationError(f"{name}: {error} (The host field holds base_url.)") from None


def _from_json(text: str) -> AirflowConnection:
    fields = json.loads(text)
    port = fields.get("port")
    texts = {key: fields.get(key) or None for key in ("host", "schema", "login", "password")}
    if not all(isinstance(value, str | None) for value in texts.values()):
        raise TypeError
    return AirflowConnection(
        conn_type=(fields.get("conn_type") or "").replace("-", "_"),
        port=int(port) if port else None,
        extra=_extra(fields.get("extra")),
        **texts,
    )


def _from_uri(uri: str) -> AirflowConnection:
    """Read Airflow's URI form: type://login:password@host:port/schema?extra, perhaps with another :// for the host."""
    kind, separator, rest = uri.partition("://")
    protocol, has_protocol, address = rest.partition("://")
    if has_protocol and ("@" in protocol or ":" in protocol or "/" in protocol or "?" in protocol):
        has_protocol = ""
    if not separator or "://" in address:
        raise ValueError
    parts = urlsplit(f"//{address if has_protocol else rest}")
    host = _host(parts)
    return AirflowConnection(
        conn_type=kind.replace("-", "_"),
        host=f"{protocol}://{host}" if has_protocol and host else host or None,
        schema=unquote(parts.path[1:]) or None,
        port=parts.port,
        login=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        extra=_query(parts.query),
    )


def _host(parts: SplitResult) -> str:
    host = unquote(parts.hostname or "")
    if "/" not in host:
        return host
    # A path in the host field is quoted, and urlsplit has made it lower case.
    return unquote(parts.netloc.rpartition("@")[2].partition(":")[0])


def _query(text: str) -> dict[str, Any]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    if "__extra__" in query:
        return _extra(query["__extra__"])
    return {key: _json_or_text(value) for key, value in query.items()}


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _extra(value: Any) -> dict[str, Any]:
    extra = json.loads(value) if isinstance(value, str) and value else value or {}
    if not isinstance(extra, dict):
        raise TypeError
    return extra


def _address(connection: AirflowConnection) -> str:
    """Return the host field as a URL; a bare host gets the Connection's schema and port, as in Airflow's own URIs."""
    host = (connection.host or "").strip()
    if not host or "://" in host:
        return host
    scheme = connection.schema if connection.schema in ("http", "https") else "http"
    name, slash, path = host.partition("/")
    port = f":{connection.port}" if connection.port and ":" not in name else ""
    return f"{scheme}://{name}{port}{slash}{path}"


def _credentials(connection: AirflowConnection, given: dict[str, Any]) -> dict[str, Any]:
    """Add login and password under the names of the kind of authentication that they are for."""
    login, password = connection.login, connection.password
    # The official provider keeps the token's address in the schema field, and knows client credentials only.
    if connection.conn_type == "airbyte" and connection.schema and "token_url" not in given:
        schema = connection.schema
        whole = schema if "://" in schema else f"{_address(connection).rstrip('/')}/{schema.lstrip('/')}"
        given = {**given, "token_url": whole}
    if login is None and password is None:
        return given
    kind = given.get("auth", "auto")
    if kind == "client_credentials" or (kind == "auto" and (looks_like_client_id(login or "") or "token_url" in given)):
        return {"client_id": login, "client_secret": password, **given}
    if kind == "bearer":
        return {"token": password, **given}
    return {"username": login, "password": password, **given}
