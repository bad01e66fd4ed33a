"""Where snapshots live: a folder for each connection, on any path that fsspec reaches."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from airflow_airbyte_ext.api.arguments import uuid_argument
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
    AirbyteSnapshotNotFoundError,
    AirbyteSnapshotStoreError,
)
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.snapshot import Snapshot, id_time

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = re.compile(r"(?P<id>\d{8}T\d{12}Z-[0-9a-f]{12})\.json(?:\.gz)?(?:\.fernet)?")
log = logging.getLogger(__name__)

LATEST = "latest"
SAFETY_FOLDER = "before-restore"


@dataclass(frozen=True, order=True)
class SnapshotRef:
    """
    A snapshot's place in a store.

    :param id: Its name, which begins with its time.
    :param connection_id: The connection that it is of.
    :param path: Where its file is.
    :param safety: Whether a restore took it before it wrote.
    """

    id: str
    connection_id: str
    path: str
    safety: bool = False

    @property
    def taken_at(self) -> datetime:
        """When the state was read, in UTC."""
        return id_time(self.id)

    @property
    def digest(self) -> str:
        """The first twelve digits of the SHA-256 of the state's content."""
        return self.id.rpartition("-")[2]


class SnapshotStore:
    """
    Lists, reads, writes and deletes snapshots. Files are written once; unfinished ones are never listed.

    :param root: A folder: a local path, or any address that fsspec understands (`s3://bucket/airbyte`), or a path
        object such as Airflow's ObjectStoragePath.
    :param packing: Whether files are compressed and encrypted; reading takes every kind.
    :raises AirbyteConfigurationError: The address is of an unknown kind.
    """

    def __init__(self, root: Any, *, packing: Packing | None = None) -> None:
        self._packing = packing or Packing()
        self.root: Any = root
        try:
            self.root = UPath(root) if isinstance(root, str | os.PathLike) else root
            _ = self.root.fs
        except (ValueError, ImportError) as error:
            raise AirbyteConfigurationError(
                f"The store {root} is of a kind that cannot be used here: {error}. Check the address, and whether the "
                "package for such stores is installed."
            ) from None

    def write(self, snapshot: Snapshot, *, safety: bool = False) -> SnapshotRef:
        """
        Keep a snapshot, whole or not at all.

        :param safety: Keep it aside, as the state before a restore: "latest" never means such a one, so that a restore
            that was cut off can be run again.

        :raises AirbyteSnapshotStoreError: The store cannot be written.
        """
        folder = self._folder(snapshot.origin.connection_id, safety)
        path = folder / f"{snapshot.id}.json{self._packing.suffix}"
        data = self._packing.pack(snapshot.to_bytes())
        latest = None if self._packing.keys else self.latest(snapshot.origin.connection_id)
        if latest and latest.path.endswith(".fernet"):
            log.warning("Snapshot %s is written without encryption, and the one before has it.", snapshot.id)
        with self._explained("written"):
            if local := _local(path):
                _write_local(local, data)
            else:
                # An object appears when it is closed, whole. Equal names have equal content.
                with path.open("wb") as file:
                    file.write(data)
        return SnapshotRef(snapshot.id, snapshot.origin.connection_id, str(path), safety)

    def read(self, ref: SnapshotRef) -> Snapshot:
        """
        Return a snapshot, checked against its own SHA-256.

        :raises AirbyteSnapshotNotFoundError: It is not there any more.
        :raises AirbyteSnapshotDamagedError: It is not what was written.
        :raises AirbyteSnapshotFormatError: A newer release wrote it.
        :raises AirbyteSnapshotKeyError: It is encrypted, and the key does not open it.
        :raises AirbyteSnapshotStoreError: The store cannot be read.
        """
        with self._explained("read"):
            try:
                data = self._at(ref.path).read_bytes()
            except FileNotFoundError:
                raise AirbyteSnapshotNotFoundError(f"There is no snapshot at {ref.path} any more.") from None
        snapshot = Snapshot.from_bytes(self._packing.unpack(data, where=ref.path), where=ref.path)
        named = _FILE.fullmatch(ref.path.rpartition("/")[2])
        if named and named["id"] != snapshot.id:
            raise AirbyteSnapshotDamagedError(
                f"{ref.path} holds snapshot {snapshot.id}, which its name does not say. Give it its own name back."
            )
        return snapshot

    def delete(self, ref: SnapshotRef) -> None:
        """Delete a snapshot; one that is gone already is fine."""
        with self._explained("written"), contextlib.suppress(FileNotFoundError):
            self._at(ref.path).unlink()

    def snapshots(self, connection_id: str, *, safety: bool = False) -> list[SnapshotRef]:
        """Return a connection's snapshots, oldest first: the ordinary ones, or those of the time before restores."""
        connection_id = uuid_argument("connection_id", connection_id)
        return sorted(self._files(connection_id, safety))

    def connections(self) -> list[str]:
        """Return the ids of the connections that have snapshots."""
        with self._explained("read"):
            self._forget_listings()
            names = [path.name for path in self.root.iterdir()] if self.root.exists() else []
        return sorted(name for name in names if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name))

    def latest(self, connection_id: str) -> SnapshotRef | None:
        """Return a connection's newest snapshot; None where it has none."""
        return max(self.snapshots(connection_id), default=None)

    def latest_like(self, snapshot: Snapshot) -> SnapshotRef | None:
        """Return the newest snapshot of the same connection if it says the same, and can be read; else None."""
        latest = self.latest(snapshot.origin.connection_id)
        try:
            return latest if latest and self.read(latest).digest == snapshot.digest else None
        except (
            AirbyteSnapshotDamagedError,
            AirbyteSnapshotFormatError,
            AirbyteSnapshotKeyError,
            AirbyteSnapshotNotFoundError,
        ):
            return None  # what cannot be restored is no reason to keep nothing

    def find(self, connection_id: str, which: str = LATEST) -> SnapshotRef:
        """
        Return the snapshot that is meant.

        :param which: "latest"; an id, or the beginning of one that no other shares; the path of a file; or a time in
            ISO 8601, which means the newest snapshot that had been taken by then (in UTC where it names no zone).
        :raises AirbyteSnapshotNotFoundError: There is none like that, or more than one.
        """
        match = _FILE.fullmatch(which.rpartition("/")[2])
        if "/" in which:
            snapshot_id = match["id"] if match else self.read(SnapshotRef(which, connection_id, which)).id
            return SnapshotRef(snapshot_id, connection_id, which)
        which = match["id"] if match else which
        refs = self.snapshots(connection_id)
        if which == LATEST:
            return self._one(refs[-1:], which, connection_id)
        everything = [*refs, *self.snapshots(connection_id, safety=True)]
        # One snapshot may lie there twice, plain and packed.
        by_id = {ref.id: ref for ref in everything if which and ref.id.startswith(which)}
        if by_id:
            return self._one(list(by_id.values()), which, connection_id)
        moment = _moment(which)
        by_time = [ref for ref in refs if moment is not None and ref.taken_at <= moment]
        return self._one(by_time[-1:], which, connection_id)

    def _one(self, refs: list[SnapshotRef], which: str, connection_id: str) -> SnapshotRef:
        if len(refs) == 1:
            return refs[0]
        if refs:
            ids = ", ".join(ref.id for ref in refs[:5])
            raise AirbyteSnapshotNotFoundError(f"{which!r} begins {len(refs)} snapshots: {ids}. Give more of the id.")
        raise AirbyteSnapshotNotFoundError(
            f"{self.root} has no snapshot {which!r} of connection {connection_id}. List what there is, or take one."
        )

    def _files(self, connection_id: str, safety: bool) -> Iterator[SnapshotRef]:
        folder = self._folder(connection_id, safety)
        with self._explained("read"):
            # Another process may have written since fsspec last looked.
            self._forget_listings()
            paths = list(folder.iterdir()) if folder.exists() else []
        for path in paths:
            match = _FILE.fullmatch(path.name)
            if match and _is_time(match["id"]):
                yield SnapshotRef(match["id"], connection_id, str(path), safety)

    def _folder(self, connection_id: str, safety: bool) -> Any:
        # A checked UUID is all of the name, so that nothing leads out of the root.
        folder = self.root / uuid_argument("connection_id", connection_id)
        return folder / SAFETY_FOLDER if safety else folder

    def _at(self, path: str) -> Any:
        """Return a path object in this store's file system, with its credentials, for the text of a path."""
        below = path.removeprefix(str(self.root).rstrip("/") + "/")
        return self.root / below if below != path else self.root.with_segments(path)

    def _forget_listings(self) -> None:
        if _local(self.root) is None:
            self.root.fs.invalidate_cache()

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except AirbyteError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            raise AirbyteSnapshotStoreError(
                f"The store {self.root} cannot be {done}: {type(error).__name__}: {error}. Check that the place "
                "exists and has room, and that this process may use it."
            ) from error


def _local(path: Any) -> Path | None:
    return Path(path.path) if getattr(path, "protocol", "") in ("", "file", "local") else None


def _write_local(path: Path, data: bytes) -> None:
    """Write a private file so that its name stands for the whole of it, also after a crash."""
    for folder in reversed([path.parent, *path.parent.parents]):
        folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.unfinished")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_time(snapshot_id: str) -> bool:
    try:
        return bool(id_time(snapshot_id))
    except ValueError:
        return False


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
