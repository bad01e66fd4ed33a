"""Where snapshots live: a folder for each connection, on any path that fsspec reaches."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from upath import UPath
from upath.registry import available_implementations

from airflow_airbyte_ext.api.arguments import uuid_argument
from airflow_airbyte_ext.api.exact_json import count_values
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
    AirbyteSnapshotNotFoundError,
    AirbyteSnapshotStoreError,
)
from airflow_airbyte_ext.snapshots.files import MAX_BYTES, MAX_VALUES, check_folder, local_path, read_bytes
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.snapshot import Snapshot, id_time
from airflow_airbyte_ext.text import has_password, one_line, shown_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    def is_encrypted(self) -> bool:
        """Whether its name says that it is encrypted."""
        return self.path.endswith(".fernet")

    @property
    def short_digest(self) -> str:
        """The first twelve digits of the SHA-256 of the state's content."""
        return self.id.rpartition("-")[2]


class SnapshotStore:
    """
    Lists, reads, writes and deletes snapshots. Files are written once; unfinished ones are never listed.

    :param root: A folder: a local path, or any address that fsspec understands (`s3://bucket/airbyte`), or a path
        object such as Airflow's ObjectStoragePath.
    :param packing: Whether files are compressed and encrypted; reading takes every kind, but see `Packing`.
    :param allow_any_path: Let `find` take the path of a file that is not in this store.
    :raises AirbyteConfigurationError: The address is empty, of an unknown kind, or a chain of stores.
    :raises AirbyteSnapshotStoreError: The store cannot be reached, where its kind connects at once.
    """

    def __init__(self, root: Any, *, packing: Packing | None = None, allow_any_path: bool = False) -> None:
        self._packing = packing or Packing()
        self._allow_any_path = allow_any_path
        self.root: Any = root
        self.name = shown_address(root)
        """The store's address, as it may be shown."""
        self._has_password = has_password(str(root))
        check_address(str(root))
        with self._explained("opened"):
            try:
                self.root = UPath(root) if isinstance(root, str | os.PathLike) else root
                _ = self.root.fs
            except (ValueError, ImportError) as error:
                raise AirbyteConfigurationError(
                    f"The store {self.name} is of a kind that cannot be used here: {self._reason(error)}. Check the "
                    "address, and whether the package for such stores is installed."
                ) from None

    @property
    def has_keys(self) -> bool:
        """Whether encrypted snapshots can be read."""
        return bool(self._packing.keys)

    def holds(self, path: str) -> bool:
        """Whether a path is one of a file below this store's root, wherever links lead."""
        scheme, separator, _ = path.partition("://")
        root = local_path(self.root)
        if root is None:
            base = str(self.root).rstrip("/") + "/"
            below = path.removeprefix(base)
            return below != path and not {"", ".", ".."} & set(below.split("/"))
        if separator and scheme != "file":
            return False
        with self._explained("read"):
            place = os.path.realpath(local_path(self._at(path)) or "")
            return place.startswith(os.path.realpath(root).rstrip("/") + "/")

    def write(self, snapshot: Snapshot, *, safety: bool = False) -> SnapshotRef:
        """
        Keep a snapshot, whole or not at all.

        :param safety: Keep it aside, as the state before a restore: "latest" never means such a one, so that a restore
            that was cut off can be run again.

        :raises AirbyteSnapshotStoreError: The store cannot be written.
        :raises AirbyteSnapshotError: The state is not understood, or larger than a snapshot may be.
        """
        folder = self._folder(snapshot.origin.connection_id, safety)
        path = folder / f"{snapshot.id}.json{self._packing.suffix}"
        data = snapshot.to_bytes()
        packed = self._packing.pack(data)
        if max(len(data), len(packed)) > MAX_BYTES or count_values(data) > MAX_VALUES:
            raise AirbyteSnapshotError(
                f"The state of connection {snapshot.origin.connection_id} is larger than the "
                f"{MAX_BYTES // 1024**2} MiB, or the {MAX_VALUES} values, that a snapshot may have, and was not kept."
            )
        self._check_folders(folder)
        latest = None if self._packing.keys else self.latest(snapshot.origin.connection_id)
        if latest and latest.is_encrypted:
            log.warning("Snapshot %s is written without encryption, and the one before has it.", snapshot.id)
        with self._explained("written"):
            if local := local_path(path):
                _write_local(local, packed)
            else:
                # An object appears when it is closed, whole. Equal names have equal content.
                with path.open("wb") as file:
                    file.write(packed)
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
        where = shown_address(ref.path)
        with self._explained("read", where):
            try:
                data = read_bytes(self._at(ref.path))
            except FileNotFoundError:
                raise AirbyteSnapshotNotFoundError(f"There is no snapshot at {where}.") from None
        snapshot = Snapshot.from_bytes(self._packing.unpack(data, where=where), where=where)
        named = _FILE.fullmatch(ref.path.rpartition("/")[2])
        if named and named["id"] != snapshot.id:
            raise AirbyteSnapshotDamagedError(
                f"{where} holds snapshot {snapshot.id}, which its name does not say. Give it its own name back."
            )
        return snapshot

    def delete(self, ref: SnapshotRef) -> None:
        """Delete a snapshot; one that is gone already is fine."""
        with self._explained("deleted", shown_address(ref.path)), contextlib.suppress(FileNotFoundError):
            self._at(ref.path).unlink()

    def snapshots(self, connection_id: str, *, safety: bool = False) -> list[SnapshotRef]:
        """Return a connection's snapshots, oldest first: the ordinary ones, or those of the time before restores."""
        connection_id = uuid_argument("connection_id", connection_id)
        return sorted(self._files(connection_id, safety))

    def check_exists(self) -> None:
        """
        Check that there is a store; `connections` of one that was never written to are none.

        :raises AirbyteSnapshotNotFoundError: There is nothing at its address.
        :raises AirbyteSnapshotStoreError: It cannot be read.
        """
        with self._explained("read"):
            self._forget_listings()
            if self.root.exists():
                return
        raise AirbyteSnapshotNotFoundError(f"There is no store at {self.name}. Check the address, or take a backup.")

    def connections(self) -> list[str]:
        """Return the ids of the connections that have snapshots."""
        with self._explained("read"):
            self._forget_listings()
            # A file under the name of a connection is none, and must not stop the others.
            paths = list(self.root.iterdir()) if self.root.exists() else []
            names = [path.name for path in paths if (local := local_path(path)) is None or local.is_dir()]
        return sorted(name for name in names if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name))

    def latest(self, connection_id: str) -> SnapshotRef | None:
        """Return a connection's newest snapshot, and with keys the newest encrypted one; None where it has none."""
        return max(self._trusted(self.snapshots(connection_id)), default=None)

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
            ISO 8601, which means the newest snapshot that had been taken by then (in UTC where it names no zone). With
            keys, "latest" and times mean encrypted snapshots alone.
        :raises AirbyteSnapshotNotFoundError: There is none like that, or more than one.
        :raises AirbyteConfigurationError: A path leads out of the store, and that is not allowed.
        """
        match = _FILE.fullmatch(which.rpartition("/")[2])
        if "/" in which:
            self._check_path(which)
            snapshot_id = match["id"] if match else self.read(SnapshotRef(which, connection_id, which)).id
            return SnapshotRef(snapshot_id, connection_id, which)
        which = match["id"] if match else which
        every = self.snapshots(connection_id)
        refs = self._trusted(every)
        if which == LATEST:
            return self._one(refs[-1:], which, connection_id, plain=len(every))
        everything = [*every, *self.snapshots(connection_id, safety=True)]
        # One snapshot may lie there twice, plain and packed: the last of a name is the encrypted one.
        everything.sort(key=lambda ref: ref.is_encrypted)
        by_id = {ref.id: ref for ref in everything if which and ref.id.startswith(which)}
        if by_id:
            return self._one(list(by_id.values()), which, connection_id)
        moment = _moment(which)
        by_time = [ref for ref in refs if moment is not None and ref.taken_at <= moment]
        return self._one(by_time[-1:], which, connection_id, plain=len(every) if moment else 0)

    def _trusted(self, refs: list[SnapshotRef]) -> list[SnapshotRef]:
        """Return what may be taken without being named: with keys, a plain file may be anybody's."""
        return [ref for ref in refs if ref.is_encrypted or not self._packing.keys]

    def _check_path(self, path: str) -> None:
        if not self._allow_any_path and not self.holds(path):
            raise AirbyteConfigurationError(
                f"The snapshot {shown_address(path)} is not in the store {self.name}. Give the path of a snapshot in "
                "it, or, where anyone who names it may have any file read, allow that in the DAG (allow_any_path=True)."
            )

    def _one(self, refs: list[SnapshotRef], which: str, connection_id: str, *, plain: int = 0) -> SnapshotRef:
        if len(refs) == 1:
            return refs[0]
        if refs:
            ids = ", ".join(ref.id for ref in refs[:5])
            raise AirbyteSnapshotNotFoundError(f"{which!r} begins {len(refs)} snapshots: {ids}. Give more of the id.")
        if plain and self._packing.keys:
            raise AirbyteSnapshotNotFoundError(
                f"{self.name} has no encrypted snapshot {one_line(which)!r} of connection {connection_id}, and a key "
                "was given: a plain one may be anybody's. Take a backup with the key, or name the plain one by its id "
                "and allow it (allow_plain=True, --allow-plain)."
            )
        raise AirbyteSnapshotNotFoundError(self._why_missing(which, connection_id))

    def _why_missing(self, which: str, connection_id: str) -> str:
        """Say why there is no such snapshot: the store, the connection, or what was requested."""
        self.check_exists()
        refs, text = self.snapshots(connection_id), repr(one_line(which))
        if not refs and not self.snapshots(connection_id, safety=True):
            others = len(set(self.connections()) - {connection_id})
            return (
                f"{self.name} has no snapshots of connection {connection_id}; it has those of {others} others. Check "
                "the connection and the store, or take a backup."
            )
        if which == LATEST:
            return (
                f"{self.name} has only snapshots of connection {connection_id} that restores took before they wrote: "
                f"{text} never means one of these. Give its id."
            )
        if moment := _moment(which):
            first = f"the first is of {refs[0].taken_at:%Y-%m-%d %H:%M:%S} UTC" if refs else "there are none"
            return f"No snapshot of connection {connection_id} had been taken by {moment.isoformat()}: {first}."
        if re.match(r"\d{4}-", which):
            return f"{text} is no date or time that exists. Write it as 2026-11-21 or 2026-11-21T12:00."
        if re.match(r"\d", which):
            return f"{self.name} has no snapshot of connection {connection_id} whose id begins with {text}."
        return (
            f'{text} names no snapshot. Give "latest", an id or the beginning of one, a path with a /, or a time in '
            "ISO 8601 such as 2026-11-21T12:00."
        )

    def _files(self, connection_id: str, safety: bool) -> Iterator[SnapshotRef]:
        folder = self._folder(connection_id, safety)
        self._check_folders(folder)
        with self._explained("read", shown_address(folder)):
            # Another process may have written since fsspec last listed the folder.
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

    def _check_folders(self, folder: Any) -> None:
        root, own = local_path(self.root), local_path(folder)
        if root is not None and own is not None:
            for each in dict.fromkeys((root, own.parent, own)):
                check_folder(each, root)

    def _at(self, path: str) -> Any:
        """Return a path object in this store's file system, with its credentials, for the text of a path."""
        below = path.removeprefix(str(self.root).rstrip("/") + "/")
        if below != path:
            return self.root / below
        is_plain = local_path(self.root) is not None and not self.root.protocol
        return self.root.with_segments(path.removeprefix("file://") if is_plain else path)

    def _forget_listings(self) -> None:
        if local_path(self.root) is None:
            self.root.fs.invalidate_cache()

    def _reason(self, error: Exception) -> str:
        """Return what a file system says; where the address holds a password it may say a piece of that."""
        return "its address holds a password, so more is not said" if self._has_password else str(error)

    @contextlib.contextmanager
    def _explained(self, done: str, where: str = "") -> Iterator[None]:
        try:
            yield
        except AirbyteError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            what = where or f"The store {self.name}"
            raise AirbyteSnapshotStoreError(
                f"{what} cannot be {done}: {type(error).__name__}: {self._reason(error)}. Check that the place exists "
                "and has room, and that this process may use it."
            ) from (None if self._has_password else error)


def check_address(address: str) -> None:
    """
    Check the address of a store.

    :raises AirbyteConfigurationError: It is empty, has white space around it, lacks slashes, or is a chain of stores.
    """
    if not address.strip():
        raise AirbyteConfigurationError("The store is empty; give a path, such as s3://conn_id@bucket/airbyte.")
    if address != address.strip():
        raise AirbyteConfigurationError(
            f"The store {shown_address(address)!r} has white space around it. Take that out, also where a template "
            "leaves it."
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*::", address):
        raise AirbyteConfigurationError(
            f"The store {shown_address(address)!r} is a chain of stores (::), in which copies are kept elsewhere and "
            "listings are old. Give the address behind the last ::."
        )
    scheme, colon, rest = address.partition(":")
    lacks_slashes = len(scheme) > 1 and colon and not rest.startswith("//")
    if lacks_slashes and scheme.lower() in available_implementations(fallback=True):
        raise AirbyteConfigurationError(
            f"The store {shown_address(address)!r} lacks slashes, and would be a folder of that name: write "
            f"{scheme}://. A folder that is called so is ./{scheme}:..."
        )


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
