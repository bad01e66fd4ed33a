"""From an address in a DAG to a snapshot store, with Airflow's own credentials and keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseHook, ObjectStoragePath, Variable

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.text import has_password, one_line, shown_address

if TYPE_CHECKING:
    from airflow_airbyte_ext.snapshots.store import SnapshotStore

_A_KEY = r"[A-Za-z0-9_-]{43}="


def open_store(
    address: str,
    *,
    encryption_key: str | None = None,
    compress: bool = False,
    allow_plain: bool = False,
    allow_any_path: bool = False,
) -> SnapshotStore:
    """
    Return the store at an address.

    :param address: A local path, or a URL such as `s3://conn_id@bucket/airbyte`.
    :param encryption_key: Where the Fernet keys are: "variable:NAME", or "connection:ID" for a Connection's password.
        Several keys are separated by commas, the newest first.
    :param compress: Whether new snapshots are compressed.
    :param allow_plain: Whether, with a key, snapshots that are not encrypted may be read.
    :param allow_any_path: Whether a snapshot may be the path of a file outside of the store.
    :raises AirbyteConfigurationError: The address is empty, or there is no key where it should be.
    """
    from airflow_airbyte_ext.snapshots.packing import Packing
    from airflow_airbyte_ext.snapshots.store import SnapshotStore

    store_argument("store", address)
    packing = Packing.with_keys(_keys(encryption_key), compress=compress, allow_plain=allow_plain)
    return SnapshotStore(ObjectStoragePath(address), packing=packing, allow_any_path=allow_any_path)


def store_argument(name: str, value: object) -> None:  # noqa: ARG001
    """
    Take the address of a store.

    :raises AirbyteConfigurationError: It is empty, cannot be meant, or holds a password.
    """
    from airflow_airbyte_ext.snapshots.store import check_address

    address = str(value)
    if not value or address == "None":
        raise AirbyteConfigurationError(f"The store is {value!r}; give a path, such as s3://conn_id@bucket/airbyte.")
    check_address(address)
    if has_password(address):
        raise AirbyteConfigurationError(
            f"The store {shown_address(address)} holds a password, which is now in the DAG and in what Airflow "
            "shows of the task: change it. Keep the new one in an Airflow Connection, and give that one's id, as in "
            "s3://conn_id@bucket/airbyte."
        )


def key_argument(name: str, value: object) -> tuple[str, str]:
    """
    Return in what kind of place a key is, and its name there.

    :raises AirbyteConfigurationError: It is none that is known.
    """
    where = str(value)
    kind, _, place = where.partition(":")
    if kind not in ("variable", "connection") or not place or re.search(_A_KEY, where):
        # Not repeated: it may be the key.
        raise AirbyteConfigurationError(
            f'{name} does not say where the key is; give "variable:NAME" or "connection:ID". If it is the key '
            "itself, it is now in the DAG and in what Airflow shows of the task: make a new key, keep it in a "
            "Variable with the old one behind it, take new backups, and forget the snapshots of the old one."
        )
    return kind, place


def _keys(where: str | None) -> str | None:
    if where is None:
        return None
    kind, name = key_argument("encryption_key", where)
    keys = Variable.get(name, None) if kind == "variable" else BaseHook.get_connection(name).password
    if not keys:
        raise AirbyteConfigurationError(f"encryption_key {one_line(where)!r} names a place that holds no key.")
    return str(keys)
