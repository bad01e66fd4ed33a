"""Files and folders that somebody else may have put there: read within bounds, and suspected where they are odd."""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
from pathlib import Path
from typing import Any

from airflow_airbyte_ext.exceptions import AirbyteSnapshotDamagedError, AirbyteSnapshotStoreError
from airflow_airbyte_ext.text import shown_address

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024 * 1024
"""How large a snapshot may be: its file, and what is unpacked from it."""

MAX_VALUES = 8_000_000
"""How many values its JSON may have: a few bytes of the file each, and some hundred in memory."""

# With these it is the file that is odd, and not the store: a socket, a device without driver, links in a circle, a
# file of somebody else.
_ODD_FILE = {errno.ENXIO, errno.ENODEV, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM}

_warned: set[tuple[str, str]] = set()
_warning = threading.Lock()


def local_path(path: Any) -> Path | None:
    """Return a path object of any file system as a path of this machine; None where it is not one."""
    return Path(path.path) if getattr(path, "protocol", "") in ("", "file", "local") else None


def read_bytes(path: Any) -> bytes:
    """
    Return the content of a file that is no more than a file.

    :param path: A path object of any file system.
    :raises FileNotFoundError: There is none.
    :raises AirbyteSnapshotDamagedError: It is not a regular file, is too large, or may not be read.
    """
    local = local_path(path)
    return _read_remote(path) if local is None else read_regular(local, limit=MAX_BYTES, where=shown_address(path))


def read_regular(path: Path, *, limit: int, where: str) -> bytes:
    """
    Return the content of a regular file of this machine, and never wait for a writer at its other end.

    :param limit: How many bytes it may have.
    :param where: Names the file in errors.
    :raises FileNotFoundError: There is none.
    :raises AirbyteSnapshotDamagedError: It is not a regular file, is too large, or may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _ODD_FILE:
            raise
        raise AirbyteSnapshotDamagedError(f"{where} cannot be read ({error.strerror}). Use another snapshot.") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise AirbyteSnapshotDamagedError(
                f"{where} is {_kind(facts.st_mode)}, not a regular file, and so no snapshot. Remove it, and see who "
                "put it there. Use another snapshot."
            )
        check_size(facts.st_size, limit, where)
        with os.fdopen(handle, "rb", closefd=False) as file:
            # It may grow meanwhile, or not say its size. Some of the kernel's files have nothing now: None.
            data = file.read(limit + 1) or b""
    finally:
        os.close(handle)
    check_size(len(data), limit, where)
    return data


def _read_remote(path: Any) -> bytes:
    with path.open("rb") as file:
        data: bytes = file.read(MAX_BYTES + 1)
    check_size(len(data), MAX_BYTES, shown_address(path))
    return data


def check_size(size: int, limit: int, where: str) -> None:
    """
    Check that something is no larger than a snapshot may be.

    :raises AirbyteSnapshotDamagedError: It is.
    """
    if size > limit:
        raise AirbyteSnapshotDamagedError(
            f"{where} is larger than the {limit // 1024**2} MiB that a snapshot may have. Use another snapshot."
        )


def check_folder(folder: Path, root: Path) -> None:
    """
    Check who else can change what a folder holds; says each thing once in the life of a process.

    :param root: The store that it is in, or is.
    :raises AirbyteSnapshotStoreError: It is a link in the store, which could lead anywhere.
    """
    try:
        facts = folder.lstat()
        is_link = stat.S_ISLNK(facts.st_mode)
        mode = folder.stat().st_mode
    except OSError:
        return  # not there, or not to be checked: anyone who uses it says so
    if is_link and folder != root:
        raise AirbyteSnapshotStoreError(
            f"{shown_address(folder)} is a link, and could lead out of the store. Put the folder itself in its place."
        )
    if is_link:
        warn_once("link", folder, "The store %s is a link: anyone who can change it decides where snapshots go.")
    if mode & stat.S_IWOTH:
        warn_once(
            "writable",
            folder,
            "Everybody on this machine can write to %s, and so put a snapshot there that is restored: chmod o-w.",
        )


def check_private(file: Path) -> None:
    """Say, once in the life of a process, that a file with a secret can be read by everybody."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        warn_once("readable", file, "Everybody on this machine can read %s, which holds a secret: chmod 600.")


def warn_once(kind: str, path: Path, text: str) -> None:
    """Log a warning about a path, once in the life of a process."""
    with _warning:
        if (kind, str(path)) in _warned:
            return
        _warned.add((kind, str(path)))
    log.warning(text, shown_address(path))


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something odd")
