"""Compressed and encrypted files: what opens them, what does not, and what a message may say."""

from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_states import STABLE

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
)
from airflow_airbyte_ext.snapshots.files import MAX_BYTES
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.snapshot import Snapshot

OLD, NEW, WRONG = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))
KINDS = {
    "": Packing(),
    ".gz": Packing(compress=True),
    ".fernet": Packing(keys=(NEW,)),
    ".gz.fernet": Packing(compress=True, keys=(NEW,)),
}
STARTS = [b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"gAAAA", b"gAAAAAB"]
DATA = b'{"state": "' + b"secret cursor " * 50 + b'"}'


def unpack(packing: Packing, data: bytes) -> bytes:
    return packing.unpack(data, where="the file")


@pytest.mark.parametrize("suffix", KINDS)
def test_every_packing_opens_what_it_packed(suffix):
    """Its suffix says what it is; encrypted bytes tell nothing."""
    packing = KINDS[suffix]
    packed = packing.pack(DATA)
    assert packing.suffix == suffix
    assert unpack(packing, packed) == DATA
    assert (packed == DATA) == (suffix == "")
    assert (b"secret" in packed) == (suffix == "")
    if "gz" in suffix:
        assert len(packed) < len(DATA)


@pytest.mark.parametrize("written", KINDS)
@pytest.mark.parametrize("compress", [False, True], ids=["", "gz"])
def test_reading_takes_every_packing(written, compress):
    """A store goes on reading what it held before compression or encryption was switched on, where that is allowed."""
    reading = Packing(compress, keys=(OLD, NEW), allow_plain=True)
    assert unpack(reading, KINDS[written].pack(DATA)) == DATA


@pytest.mark.parametrize("written", ["", ".gz"])
def test_with_a_key_plain_bytes_are_refused(written):
    """Anybody who can write to the store can have put them there, with a fitting SHA-256."""
    with pytest.raises(AirbyteSnapshotKeyError, match=r"the file is not encrypted.*allow_plain=True, --allow-plain"):
        unpack(Packing(keys=(NEW,)), KINDS[written].pack(DATA))


@pytest.mark.parametrize("times", [1, 3])
def test_a_bomb_is_defused(times):
    """A few bytes of gzip that stand for more than a snapshot may have, in one piece or in several."""
    piece = gzip.compress(bytes(MAX_BYTES // times + 1), 1)
    with pytest.raises(AirbyteSnapshotDamagedError, match=r"the file is larger than the 256 MiB"):
        unpack(Packing(), piece * times)


def test_equal_snapshots_have_equal_compressed_files():
    """So the header of gzip has no time in it."""
    assert Packing(compress=True).pack(DATA)[4:8] == bytes(4)
    assert Packing(compress=True).pack(DATA) == Packing(compress=True).pack(DATA)


def test_keys_can_be_rotated():
    """The old key still opens what it closed; what is written from now on needs the new one."""
    before = Packing.with_keys(OLD).pack(DATA)
    rotated = Packing.with_keys(f"{NEW}, {OLD}")
    assert unpack(rotated, before) == DATA
    after = rotated.pack(DATA)
    assert unpack(Packing.with_keys(NEW), after) == DATA
    with pytest.raises(AirbyteSnapshotKeyError):
        unpack(Packing.with_keys(OLD), after)
    with pytest.raises(AirbyteSnapshotKeyError):
        unpack(Packing.with_keys(NEW), before)


@pytest.mark.parametrize("keys", [(), (WRONG,), (WRONG, OLD)], ids=["no key", "wrong", "two wrong"])
@pytest.mark.parametrize("suffix", [".fernet", ".gz.fernet"])
def test_without_the_key_it_stays_closed(suffix, keys):
    """The message names the file and tells no key."""
    with pytest.raises(AirbyteSnapshotKeyError, match="the file") as caught:
        unpack(Packing(keys=keys), KINDS[suffix].pack(DATA))
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert not any(key in shown for key in (*keys, NEW))


@pytest.mark.parametrize("keys", [None, "", " ", ",", " , "])
def test_no_key_means_no_encryption(keys):
    assert Packing.with_keys(keys).suffix == ""


@pytest.mark.parametrize("key", ["short", "x" * 44, "ü" * 44, OLD[:-4], OLD + OLD, f"{OLD};{NEW}", f"{OLD} {NEW}"])
def test_a_key_that_is_none_is_refused_and_not_told(key):
    """Nor does the error before it, which a stack trace would show."""
    for make in (lambda: Packing(keys=(key,)), lambda: Packing.with_keys(f"{NEW},{key}")):
        with pytest.raises(AirbyteConfigurationError, match="Fernet") as caught:
            make()
        assert key not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_keys_are_not_shown():
    shown = repr(Packing(True, (NEW, OLD))) + str(Packing.with_keys(f"{NEW},{OLD}"))
    assert NEW not in shown
    assert OLD not in shown


def read(packing: Packing, data: bytes) -> Snapshot:
    return Snapshot.from_bytes(unpack(packing, data), where="the file")


@pytest.mark.parametrize("suffix", [".gz", ".fernet", ".gz.fernet"])
def test_cut_off_anywhere_it_is_an_error_of_a_snapshot(suffix):
    """Every length: never a stack of gzip, of the cipher or of JSON."""
    packed = KINDS[suffix].pack(DATA)
    for length in range(len(packed)):
        with pytest.raises(
            (AirbyteSnapshotDamagedError, AirbyteSnapshotKeyError, AirbyteSnapshotFormatError), match="the file"
        ):
            read(KINDS[suffix], packed[:length])


@pytest.mark.parametrize("suffix", [".gz", ".fernet", ".gz.fernet"])
def test_a_flipped_bit_is_an_error_of_a_snapshot_or_changes_nothing(suffix):
    """Every bit of the file in turn."""
    packed, refused = KINDS[suffix].pack(DATA), 0
    for position in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[position // 8] ^= 1 << position % 8
        try:
            data = unpack(KINDS[suffix], bytes(flipped))
        except AirbyteSnapshotError:
            refused += 1
            continue
        # What is opened is what was packed, or is not opened at all and then no JSON.
        if data != DATA:
            with pytest.raises(AirbyteSnapshotError):
                Snapshot.from_bytes(data, where="the file")
    assert refused > len(packed) * 4


@settings(STABLE, max_examples=300)
@given(
    junk=st.binary(max_size=60), start=st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"gAAAA", b"gAAAAAB"])
)
def test_junk_is_an_error_of_a_snapshot(junk, start):
    with pytest.raises(AirbyteSnapshotError, match="the file"):
        read(KINDS[".gz.fernet"], start + junk)


def test_bytes_after_the_end_of_the_compressed_ones_are_damage():
    with pytest.raises(AirbyteSnapshotError):
        read(Packing(), gzip.compress(DATA) + b"junk")
