"""From an address in a DAG to a snapshot store, with Airflow's own credentials and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseHook, ObjectStoragePath, Variable

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from airflow_airbyte_ext.snapshots.store import SnapshotStore


def open_store(address: str, *, encryption_key: str | None = None, compress: bool = False) -> SnapshotStore:
    """
    Return the store at an address.

    :param address: A local path, or a URL such as `s3://conn_id@bucket/airbyte`.
    :param encryption_key: Where the Fernet keys lie: "variable:NAME", or "connection:ID" for a Connection's password.
        Several keys are separated by commas, the newest first.
    :param compress: Whether new snapshots are compressed.
    :raises AirbyteConfigurationError: The address is empty, or there is no key where it should be.
    """
    from airflow_airbyte_ext.snapshots.packing import Packing
    from airflow_airbyte_ext.snapshots.store import SnapshotStore

    if not address or address == "None":
        raise AirbyteConfigurationError(f"The store is {address!r}; give a path, such as s3://conn_id@bucket/airbyte.")
    packing = Packing.with_keys(_keys(encryption_key), compress=compress)
    return SnapshotStore(ObjectStoragePath(address), packing=packing)


def key_argument(name: str, value: object) -> tuple[str, str]:
    """
    Return what kind of place a key lies in, and its name there.

    :raises AirbyteConfigurationError: It is none that is known.
    """
    kind, _, place = str(value).partition(":")
    if kind not in ("variable", "connection") or not place:
        raise AirbyteConfigurationError(f'{name} is {value!r}; give "variable:NAME" or "connection:ID".')
    return kind, place


def _keys(where: str | None) -> str | None:
    if where is None:
        return None
    kind, name = key_argument("encryption_key", where)
    keys = Variable.get(name, None) if kind == "variable" else BaseHook.get_connection(name).password
    if not keys:
        raise AirbyteConfigurationError(f"encryption_key {where!r} names a place that holds no key.")
    return str(keys)
