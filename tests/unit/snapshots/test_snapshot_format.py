"""The file of a snapshot: what it holds, what its digest stands for, and that nothing but a whole one is ever read."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_states import (
    CONNECTION,
    ODD_TEXTS,
    STABLE,
    digest_of,
    entry,
    global_state,
    legacy_state,
    nested,
    not_set,
    said_by,
    states,
    stream_state,
)

from airflow_airbyte_ext.exceptions import AirbyteSnapshotDamagedError, AirbyteSnapshotFormatError
from airflow_airbyte_ext.snapshots.snapshot import Origin, Snapshot, id_time
from airflow_airbyte_ext.snapshots.state import content_of

TAKEN_AT = datetime(2026, 3, 1, 2, 3, 4, 567890, tzinfo=UTC)
UNUSABLE = (AirbyteSnapshotDamagedError, AirbyteSnapshotFormatError)


def snapshot_of(state, taken_at=TAKEN_AT) -> Snapshot:
    return Snapshot(taken_at, Origin("https://airbyte.example.com/api", CONNECTION, connection_name="Ünïcode"), state)


def read(data: bytes) -> Snapshot:
    return Snapshot.from_bytes(data, where="the file")


@settings(STABLE, max_examples=400)
@given(state=states(ODD_TEXTS))
def test_what_was_written_is_read(state):
    """State, time and origin come back, and the file is plain ASCII."""
    snapshot = snapshot_of(state)
    data = snapshot.to_bytes()
    again = read(data)
    assert (again.state, again.taken_at, again.origin, again.id) == (state, TAKEN_AT, snapshot.origin, snapshot.id)
    assert data.isascii()
    assert again.to_bytes() == data


@settings(STABLE, max_examples=400)
@given(state=states(ODD_TEXTS), data=st.data())
def test_the_digest_is_the_described_one_whatever_the_order_and_form(state, data):
    """Worked out here by the description: order of streams and keys, null rows and spelt-out nulls do not count."""
    assert content_of(state).digest() == digest_of(state)
    other = json.loads(json.dumps(state, sort_keys=True))
    for holder, name in ((other, "streamState"), (other.get("globalState"), "streamStates")):
        if holder and name in holder:
            rows = data.draw(st.permutations(holder[name]))
            for row in rows:
                row["streamDescriptor"].setdefault("namespace", None)
            holder[name] = [*rows, entry("not there")]
    for name in ("state", "streamState", "globalState"):
        other.setdefault(name, None)
    assert content_of(other).digest() == digest_of(state)


@settings(STABLE, max_examples=400)
@given(one=states(ODD_TEXTS), other=states(ODD_TEXTS))
def test_digests_are_equal_only_where_the_states_are(one, other):
    assert (content_of(one).digest() == content_of(other).digest()) == (said_by(one) == said_by(other))


def state_with(a, b, namespace="n", shared=10**20, name="a"):
    return global_state(entry(name, a), entry("b", b, namespace), shared={"lsn": shared})


A = {"c": [1, {"d": "x"}]}
BASE = state_with(A, {})
CHANGED = {
    "a value": state_with({"c": [1, {"d": "y"}]}, {}),
    "one more key": state_with({**A, "e": None}, {}),
    "the order in a list": state_with({"c": [{"d": "x"}, 1]}, {}),
    "a number's kind": state_with({"c": [1.0, {"d": "x"}]}, {}),
    "a bool for a number": state_with({"c": [True, {"d": "x"}]}, {}),
    "a text for a number": state_with({"c": ["1", {"d": "x"}]}, {}),
    "a big integer's last digit": state_with(A, {}, shared=10**20 + 1),
    "a namespace": state_with(A, {}, namespace=""),
    "no namespace": state_with(A, {}, namespace=None),
    "a name": state_with(A, {}, name="A"),
    "the states of two streams": state_with({}, A),
    "a stream less": global_state(entry("a", A), shared={"lsn": 10**20}),
    "no shared part": global_state(entry("a", A), entry("b", {}, "n")),
    "an empty shared part": global_state(entry("a", A), entry("b", {}, "n"), shared={}),
    "the type": stream_state(entry("a", A), entry("b", {}, "n")),
    "a legacy blob": legacy_state({"c": 1}),
    "an empty blob": legacy_state({}),
    "nothing": not_set(),
}


def test_every_change_of_a_state_is_another_digest():
    digests = {what: content_of(each).digest() for what, each in {"": BASE, **CHANGED}.items()}
    assert len(set(digests.values())) == len(CHANGED) + 1


def test_the_id_is_the_time_in_utc_and_the_digest():
    local = TAKEN_AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    snapshot = snapshot_of(BASE, local)
    assert snapshot.id == f"20260301T020304567890Z-{digest_of(BASE)[:12]}"
    assert id_time(snapshot.id) == TAKEN_AT
    assert read(snapshot.to_bytes()).taken_at == TAKEN_AT


def document(**changes) -> bytes:
    made = json.loads(snapshot_of(BASE).to_bytes())
    return json.dumps({**made, **changes}).encode()


def test_a_newer_format_is_refused_and_names_the_release_that_wrote_it():
    data = document(format_version=2, written_by="airflow-airbyte-ext 9.8.7", state="of a shape from the future")
    with pytest.raises(AirbyteSnapshotFormatError, match=r"format 2\b.*airflow-airbyte-ext 9\.8\.7"):
        read(data)


@pytest.mark.parametrize("data", [b"{}", b"[]", b"null", b'{"format": "other", "format_version": 1}', b'"x"', b"1"])
def test_json_that_is_no_snapshot_is_refused(data):
    with pytest.raises(AirbyteSnapshotFormatError, match="the file is not a snapshot"):
        read(data)


JUNK = {
    "empty": b"",
    "white space": b" \n",
    "not JSON": b"PK\x03\x04 something",
    "not text": b"\xff\xfe\x00\xd8",
    "half a character": b'{"format": "\xc3',
    "much too deep": b"[" * 200_000,
    "a number of 5000 digits": b'{"format": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK.keys())
def test_what_is_not_json_is_damaged(data):
    with pytest.raises(UNUSABLE, match="the file"):
        read(data)


def test_a_file_that_was_cut_off_anywhere_is_damaged():
    data = snapshot_of(BASE).to_bytes()
    for length in range(len(data.rstrip())):
        with pytest.raises(AirbyteSnapshotDamagedError, match="the file"):
            read(data[:length])


def test_a_flipped_bit_never_gives_another_state():
    """Each bit of the file in turn: it is refused, or the state in it is the one that was saved."""
    data = snapshot_of(BASE).to_bytes()
    refused = 0
    for position in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        try:
            again = read(bytes(flipped))
        except UNUSABLE:
            refused += 1
        else:
            assert said_by(again.state) == said_by(BASE)
    assert refused > len(data) * 4


WRONG = [None, 0, 5, -1.5, "", "x", [], [1], {}, {"a": 1}, True]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("field", ["format", "format_version", "taken_at", "origin", "state_sha256", "state"])
def test_a_part_of_the_wrong_kind_is_refused(field, wrong):
    with pytest.raises(UNUSABLE, match="the file"):
        read(document(**{field: wrong}))


@pytest.mark.parametrize("field", ["format", "format_version", "taken_at", "origin", "state_sha256", "state"])
def test_a_part_that_lacks_is_refused(field):
    made = json.loads(document())
    del made[field]
    with pytest.raises(UNUSABLE, match="the file"):
        read(json.dumps(made).encode())


@pytest.mark.parametrize("wrong", [None, 5, "", "../..", [], {}], ids=repr)
def test_an_origin_without_a_connection_is_refused(wrong):
    """Whose state it is decides where it may be restored."""
    origin = {**json.loads(document())["origin"], "connection_id": wrong}
    with pytest.raises(UNUSABLE, match="the file"):
        read(document(origin=origin))


@pytest.mark.parametrize("wrong", ["20260301", "2026-03-01T02:03:04", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_a_time_without_a_zone_or_that_is_none_is_refused(wrong):
    """A time of an unknown zone is another time on another machine."""
    with pytest.raises(AirbyteSnapshotDamagedError, match="the file"):
        read(document(taken_at=wrong))


ENDS = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59.999999+00:00",
]


@pytest.mark.parametrize("moment", ENDS)
def test_a_time_at_the_ends_of_the_calendar_is_read_or_damaged(moment):
    """Never an OverflowError, and never an id that is no id."""
    try:
        snapshot = read(document(taken_at=moment))
    except AirbyteSnapshotDamagedError:
        assert "14:00" in moment
    else:
        assert id_time(snapshot.id) == snapshot.taken_at
        assert read(snapshot.to_bytes()).id == snapshot.id


ORIGIN_FIELDS = [name for name in Origin.__dataclass_fields__ if name != "connection_id"]


@pytest.mark.parametrize("wrong", [True, 1.5, [], ["x"], {}, {"a": 1}], ids=repr)
@pytest.mark.parametrize("field", ORIGIN_FIELDS)
def test_a_field_of_the_origin_that_is_of_the_wrong_type_is_refused(field, wrong):
    """It would end up in messages, tables and file names as whatever it is."""
    origin = {**json.loads(document())["origin"], field: wrong}
    with pytest.raises(AirbyteSnapshotDamagedError, match=rf"the file.*origin\.{field}"):
        read(document(origin=origin))


@pytest.mark.parametrize("field", ORIGIN_FIELDS)
def test_a_field_of_the_origin_may_be_null_or_lack(field):
    origin = json.loads(document())["origin"]
    assert getattr(read(document(origin={**origin, field: None})).origin, field) is None
    del origin[field]
    assert getattr(read(document(origin=origin)).origin, field) is None


def paths_of(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths_of(item, (*path, key))


def test_a_wrong_kind_anywhere_in_the_state_is_refused_or_says_the_same():
    """Every part of the state replaced by every kind of JSON: never a stack of something else, never another state."""
    whole = json.loads(document())
    tried = 0
    for path in list(paths_of(whole["state"]))[1:]:
        for wrong in WRONG:
            made = deepcopy(whole)
            holder = made["state"]
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            tried += 1
            try:
                again = read(json.dumps(made).encode())
            except UNUSABLE:
                continue
            assert said_by(again.state) == said_by(BASE), (path, wrong)
    assert tried > 150


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")], ids=str)
def test_a_file_with_a_number_that_is_none_is_damaged(number):
    made = json.loads(document())
    made["state"]["globalState"]["shared_state"]["lsn"] = number
    with pytest.raises(AirbyteSnapshotDamagedError):
        read(json.dumps(made).encode())


def test_a_message_about_a_file_tells_nothing_of_its_state():
    secret = "s3cr3t-cursor"
    data = snapshot_of(stream_state(entry("a", {"token": secret}))).to_bytes()
    spoilt = [data[:-30], data.replace(b"s3cr3t", b"S3cr3t"), data.replace(b'"token"', b'"token'), b"[1]" + data]
    for each in spoilt:
        with pytest.raises(UNUSABLE) as caught:
            read(each)
        assert not re.search(r"s3cr3t", str(caught.value) + repr(caught.value), re.IGNORECASE)


def test_a_snapshot_does_not_show_its_state():
    """A snapshot that lands in a log by accident tells no cursor and no token."""
    assert "s3cr3t" not in repr(snapshot_of(stream_state(entry("a", {"token": "s3cr3t"}))))


def test_a_content_does_not_show_its_state():
    """Nor does the state that was read from it."""
    content = content_of(global_state(entry("a", {"token": "s3cr3t"}), shared="s3cr3t"))
    assert "s3cr3t" not in repr(content) + repr(content_of(legacy_state("s3cr3t")))


@pytest.mark.parametrize("depth", [60, 200, 450])
def test_deep_json_comes_back(depth):
    """Airbyte takes JSON of 1000 levels."""
    data = snapshot_of(stream_state(entry("a", nested(depth, 1)))).to_bytes()
    assert read(data).to_bytes() == data
