"""What the tests of stores share: snapshots to keep, and processes that write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.snapshot import Origin, Snapshot
from airflow_airbyte_ext.snapshots.store import SnapshotStore

CONNECTION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def snapshot(cursor: Any = 0, *, minutes: float = 0, connection_id: str = CONNECTION, pad: int = 0) -> Snapshot:
    """A snapshot of so many minutes after noon; `pad` makes it so many bytes bigger."""
    state = {"cursor": cursor, **({"pad": "x" * pad} if pad else {})}
    entry = {"streamDescriptor": {"name": "orders"}, "streamState": state}
    origin = Origin("https://airbyte.example.com/api", connection_id)
    whole = {"stateType": "stream", "connectionId": connection_id, "streamState": [entry]}
    return Snapshot(NOON + timedelta(minutes=minutes), origin, whole)


def write_many(root: str, writer: int, count: int) -> None:
    """Write snapshots, among them one that every writer writes: what one of many processes does."""
    store = SnapshotStore(root)
    for number in range(count):
        store.write(snapshot(f"{writer}-{number}", minutes=number))
        store.write(snapshot("shared", minutes=number))


def write_for_ever(root: str, pad: int) -> None:
    """Write one big snapshot after the other, until killed."""
    store = SnapshotStore(root, packing=Packing())
    number = 0
    while True:
        number += 1
        store.write(snapshot(number, minutes=number, pad=pad))


def write_one(root: str, pad: int, limit: int | None = None, uid: int | None = None) -> str:
    """Write one snapshot as a user of that id, and with no file above that many bytes; the error, as text."""
    import os
    import resource

    from airflow_airbyte_ext.exceptions import AirbyteSnapshotStoreError

    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    try:
        SnapshotStore(root).write(snapshot(pad=pad))
    except AirbyteSnapshotStoreError as error:
        return str(error)
    return "written"
