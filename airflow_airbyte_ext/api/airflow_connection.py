"""What the fields of an Airflow Connection mean; known here, so that Airflow's hook and the shell read them alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_airbyte_ext.api.settings import ClientSettings, looks_like_client_id
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS


@dataclass(frozen=True)
class AirflowConnection:
    """The fields of an Airflow Connection, wherever they come from."""

    conn_type: str | None = None
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


def settings_of(connection: AirflowConnection, *, name: str, **changes: Any) -> ClientSettings:
    """
    Return the settings that a Connection holds.

    Host is Airbyte's address; login and password are user name and password, or client id and client secret. The
    extra holds the other settings by name.

    :param name: What to call the Connection in errors.
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
        hint = " (The host field holds base_url.)" if "base_url" in str(error) else ""
        raise AirbyteConfigurationError(f"{name}: {error}{hint}") from None


def _address(connection: AirflowConnection) -> str:
    """Return the host field as a URL; what it lacks comes from schema and port, as in Airflow's own URIs."""
    host = (connection.host or "").strip()
    if not host:
        return host
    schema = connection.schema if connection.schema in ("http", "https") else "http"
    scheme, _, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    port = f":{connection.port}" if connection.port and ":" not in name else ""
    return f"{scheme or schema}://{name}{port}{slash}{path}"


def _credentials(connection: AirflowConnection, given: dict[str, Any]) -> dict[str, Any]:
    """Add login and password under the names of the kind of authentication that they are for."""
    login, password = connection.login or None, connection.password or None
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
