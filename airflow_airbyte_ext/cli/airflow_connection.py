"""An Airflow Connection, as an environment variable or a secrets backend holds it, without Airflow."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from airflow_airbyte_ext.api.airflow_connection import AirflowConnection
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError


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
    return dict(query)


def _extra(value: Any) -> dict[str, Any]:
    extra = json.loads(value) if isinstance(value, str) and value else value or {}
    if not isinstance(extra, dict):
        raise TypeError
    return extra
