"""Where a run finds its Airbyte, its store and its keys: options, files, the environment, an Airflow Connection."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.airflow_connection import settings_of
from airflow_airbyte_ext.api.settings import ClientSettings
from airflow_airbyte_ext.cli.airflow_connection import parse_airflow_connection
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.snapshots.files import check_private
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.text import shown_address

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

AIRFLOW_DEFAULT = "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT"
STORE = "AIRBYTE_STATE_STORE"
KEYS = "AIRBYTE_STATE_KEYS"
ENVIRONMENT = {
    "base_url": "AIRBYTE_URL",
    "auth": "AIRBYTE_AUTH",
    "username": "AIRBYTE_USERNAME",
    "password": "AIRBYTE_PASSWORD",
    "client_id": "AIRBYTE_CLIENT_ID",
    "client_secret": "AIRBYTE_CLIENT_SECRET",
    "token_url": "AIRBYTE_TOKEN_URL",
    "token": "AIRBYTE_TOKEN",
    "verify": "AIRBYTE_VERIFY",
    "timeout": "AIRBYTE_TIMEOUT",
    "max_response_bytes": "AIRBYTE_MAX_RESPONSE_BYTES",
}
_OPTIONS = ("auth", "username", "client_id", "token_url", "verify", "timeout", "max_response_bytes")
MAX_SECRET = 64 * 1024
_SECRETS = ("password", "client_secret", "token")


def client_settings(options: argparse.Namespace, environment: Mapping[str, str]) -> ClientSettings:
    """
    Return how to reach Airbyte: by the environment or by an Airflow Connection, with the options before either.

    :raises AirbyteConfigurationError: Nothing names an Airbyte, or a value is wrong.
    """
    given = _given(options)
    if name := _airflow_variable(options, environment):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            # Not repeated: it may be the Connection itself, with its password.
            raise AirbyteConfigurationError(
                "--airflow-conn-env is not the name of a variable. Put the Airflow Connection into a variable, and "
                "give the variable's name."
            )
        if not environment.get(name):
            raise AirbyteConfigurationError(f"{name} is not set. Name a variable that holds an Airflow Connection.")
        return settings_of(parse_airflow_connection(environment[name], name=name), name=name, **given)
    found = {field: environment[name] for field, name in ENVIRONMENT.items() if environment.get(name)}
    values = {**found, **given}
    if "base_url" not in values:
        raise AirbyteConfigurationError(
            "Which Airbyte? Give --url, or set AIRBYTE_URL, or hold an Airflow Connection in a variable such as "
            f"{AIRFLOW_DEFAULT} (another one with --airflow-conn-env)."
        )
    return ClientSettings(**values)


def snapshot_store(options: argparse.Namespace, environment: Mapping[str, str]) -> SnapshotStore:
    """
    Return the store, with the keys that open it.

    :raises AirbyteConfigurationError: There is none, or a key is wrong.
    """
    root = options.store or environment.get(STORE)
    if not root:
        raise AirbyteConfigurationError(f"Which store? Give --store, or set {STORE}: a folder, or s3://bucket/airbyte.")
    keys = _text_of(options.key_file, "--key-file") if options.key_file else environment.get(KEYS)
    packing = Packing.with_keys(
        ",".join((keys or "").split()), compress=getattr(options, "compress", False), allow_plain=options.allow_plain
    )
    try:
        # Anyone who has this shell may read the file anyway.
        return SnapshotStore(root, packing=packing, allow_any_path=True)
    except (ValueError, ImportError, OSError) as error:
        raise AirbyteConfigurationError(f"The store {shown_address(root)} cannot be used: {error}") from None


def _airflow_variable(options: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    if options.airflow_conn_env:
        return str(options.airflow_conn_env)
    elsewhere = options.url or environment.get("AIRBYTE_URL")
    return AIRFLOW_DEFAULT if environment.get(AIRFLOW_DEFAULT) and not elsewhere else None


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that options give; secrets come from files alone, since everybody sees a command line."""
    values = {"base_url": options.url, **{name: getattr(options, name) for name in _OPTIONS}}
    for name in _SECRETS:
        if path := getattr(options, f"{name}_file"):
            values[name] = _text_of(path, f"--{name.replace('_', '-')}-file")
    return {name: value for name, value in values.items() if value is not None}


def _text_of(path: str, option: str) -> str:
    """Return what a file with a secret holds. Its path is not repeated in errors: it may be the secret itself."""
    try:
        if path == "-":
            text = sys.stdin.read(MAX_SECRET + 1)
        else:
            check_private(Path(path))
            with Path(path).open() as file:
                text = file.read(MAX_SECRET + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise AirbyteConfigurationError(
            f"{option}: the file cannot be read: {reason}. Give the path of a file that holds the secret, and not the "
            "secret."
        ) from None
    if len(text) > MAX_SECRET:
        raise AirbyteConfigurationError(f"{option}: the file is too large for a secret.")
    if not text.strip():
        raise AirbyteConfigurationError(f"{option}: the file is empty.")
    return text.strip()
