"""How a snapshot's bytes are kept: compressed, encrypted, both, or as they are."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotKeyError,
)
from airflow_airbyte_ext.snapshots.files import MAX_BYTES, check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_GZIP_MAGIC = b"\x1f\x8b"
_FERNET_MAGIC = b"gAAAA"


@dataclass(frozen=True)
class Packing:
    """
    Whether files are compressed and encrypted.

    :param compress: With gzip.
    :param keys: Fernet keys: the first encrypts, and each may decrypt, so that keys can be rotated as Airflow does it.
        With keys, bytes that are not encrypted are refused: anybody who can write to the store can have put them there.
    :param allow_plain: Take such bytes nevertheless: for snapshots from before the encryption.
    :raises AirbyteConfigurationError: A key is not a Fernet key.
    """

    compress: bool = False
    keys: Sequence[str] = field(default=(), repr=False)
    allow_plain: bool = False

    def __post_init__(self) -> None:
        for key in self.keys:
            # Python's own decoder passes over what is not base64.
            if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", key):
                raise AirbyteConfigurationError(
                    "An encryption key is not a Fernet key: 32 bytes in URL-safe base64. Make one with "
                    '`python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`.'
                ) from None

    @classmethod
    def with_keys(cls, keys: str | None, *, compress: bool = False, allow_plain: bool = False) -> Packing:
        """Take keys as Airflow writes them: separated by commas, the newest first."""
        return cls(compress, tuple(key.strip() for key in (keys or "").split(",") if key.strip()), allow_plain)

    @property
    def suffix(self) -> str:
        """What the packing adds to a file's name."""
        return (".gz" if self.compress else "") + (".fernet" if self.keys else "")

    def pack(self, data: bytes) -> bytes:
        """Return the bytes to keep."""
        # No time in the gzip header: equal snapshots have equal files.
        packed = gzip.compress(data, mtime=0) if self.compress else data
        return MultiFernet([Fernet(key) for key in self.keys]).encrypt(packed) if self.keys else packed

    def unpack(self, data: bytes, *, where: str) -> bytes:
        """
        Return the bytes that were packed, by whichever packing.

        :raises AirbyteSnapshotKeyError: The bytes are encrypted, and no key opens them; or they are not, and there are
            keys.
        :raises AirbyteSnapshotDamagedError: The compressed bytes are cut off or changed, or are too many when unpacked.
        """
        if data.startswith(_FERNET_MAGIC):
            data = self._decrypt(data, where)
        elif self.keys and not self.allow_plain:
            raise AirbyteSnapshotKeyError(
                f"{where} is not encrypted, and a key was given: anybody who can write to the store can have put it "
                "there. Use an encrypted snapshot, or, for one from before the encryption, allow plain files "
                "(allow_plain=True, --allow-plain)."
            )
        if not data.startswith(_GZIP_MAGIC):
            return data
        try:
            return _gunzip(data, where)
        except (OSError, EOFError, zlib.error) as error:
            raise AirbyteSnapshotDamagedError(
                f"{where} is cut off or damaged ({error}). Use another snapshot."
            ) from None

    def _decrypt(self, data: bytes, where: str) -> bytes:
        if not self.keys:
            raise AirbyteSnapshotKeyError(f"{where} is encrypted. Give the key that it was written with.")
        try:
            return MultiFernet([Fernet(key) for key in self.keys]).decrypt(data)
        except InvalidToken:
            raise AirbyteSnapshotKeyError(
                f"No key that was given opens {where}: it was written with another one, or the file is damaged."
            ) from None


def _gunzip(data: bytes, where: str) -> bytes:
    """Unpack no more than a snapshot may have: some bytes can stand for gigabytes."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        unpacked = file.read(MAX_BYTES + 1)
    check_size(len(unpacked), MAX_BYTES, where)
    return unpacked
