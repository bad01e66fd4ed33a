"""How a write changes the rows of a state: the facts that Airbyte's own tests assert."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_airbyte_ext.testing import Stream, json_numbers
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.state_rows import StateRows

ABSENT = object()


def entry(name, value=ABSENT, namespace=ABSENT):
    described = {"name": name} | ({} if namespace is ABSENT else {"namespace": namespace})
    return {"streamDescriptor": described} | ({} if value is ABSENT else {"streamState": value})


def stream_state(*entries):
    return {"stateType": "stream", "streamState": list(entries)}


def global_state(*entries, **shared):
    return {"stateType": "global", "globalState": {**shared, "streamStates": list(entries)}}


def rows_with(*writes):
    rows = StateRows()
    for write in writes:
        rows.write(write)
    return rows


def values(rows):
    state = rows.read()
    listed = state.get("streamState") or state.get("globalState", {}).get("streamStates", [])
    return {
        (row["streamDescriptor"]["name"], row["streamDescriptor"].get("namespace")): row["streamState"]
        for row in listed
    }


def test_nothing_stored_is_not_set():
    """A connection without rows has the type not_set and nothing else."""
    assert StateRows().read() == {"stateType": "not_set"}


def test_a_stream_that_is_left_out_stays():
    """A write is an upsert for each stream that it lists."""
    rows = rows_with(stream_state(entry("a", 1), entry("b", 2)), stream_state(entry("b", 3), entry("c", 4)))
    assert values(rows) == {("a", None): 1, ("b", None): 3, ("c", None): 4}


def test_an_entry_without_a_value_deletes_its_row():
    """Absent is delete; deleting the last row leaves not_set."""
    rows = rows_with(stream_state(entry("a", 1), entry("b", 2)), stream_state(entry("a")))
    assert values(rows) == {("b", None): 2}
    rows.write(stream_state(entry("b")))
    assert rows.read() == {"stateType": "not_set"}


def test_a_json_null_and_an_empty_object_are_values():
    """null is stored as a JSON null (and breaks the next sync), {} as {}."""
    rows = rows_with(stream_state(entry("a", None), entry("b", {})))
    assert values(rows) == {("a", None): None, ("b", None): {}}
    assert rows.has_null()


def test_an_empty_namespace_is_another_stream_than_none():
    """NULL and "" are different streams; an explicit null namespace is none."""
    rows = rows_with(stream_state(entry("a", 1), entry("a", 2, "")), stream_state(entry("a", 3, None)))
    assert values(rows) == {("a", None): 3, ("a", ""): 2}


def test_a_global_write_without_shared_state_deletes_it():
    """The shared state is written always; the streams that are left out stay."""
    rows = rows_with(global_state(entry("a", 1), shared_state={"lsn": 1}), global_state(entry("b", 2)))
    assert values(rows) == {("a", None): 1, ("b", None): 2}
    assert "shared_state" not in rows.read()["globalState"]


def test_a_shared_state_of_null_is_stored():
    """null is a value in the shared state, too."""
    assert rows_with(global_state(shared_state=None)).read()["globalState"] == {
        "shared_state": None,
        "streamStates": [],
    }


def test_legacy_may_become_stream_or_global():
    """The legacy blob is deleted, the new rows are written."""
    for write in (stream_state(entry("a", 1)), global_state(entry("a", 1))):
        rows = rows_with({"stateType": "legacy", "state": {"x": 1}}, write)
        assert rows.kind == write["stateType"]
        assert values(rows) == {("a", None): 1}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (stream_state(entry("a", 1)), global_state(entry("a", 1))),
        (global_state(entry("a", 1)), stream_state(entry("a", 1))),
        (stream_state(entry("a", 1)), {"stateType": "legacy", "state": {}}),
        (global_state(shared_state=1), {"stateType": "legacy", "state": {}}),
    ],
)
def test_any_other_change_of_type_is_refused(first, second):
    """Stream and global do not turn into each other, and nothing turns into legacy."""
    rows = rows_with(first)
    before = rows.read()
    with pytest.raises(Refusal, match="Unexpected type migration"):
        rows.write(second)
    assert rows.read() == before


def test_after_everything_was_deleted_any_type_may_follow():
    """All streams bare and no shared state leaves not_set."""
    rows = rows_with(global_state(entry("a", 1), shared_state=1), global_state(entry("a")))
    assert rows.kind == "not_set"
    rows.write(stream_state(entry("a", 2)))
    assert rows.kind == "stream"


@pytest.mark.parametrize(
    "state",
    [
        {"stateType": "not_set"},
        {},
        {"stateType": "stream"},
        {"stateType": "global", "globalState": {"shared_state": {}}},
        {"stateType": "global"},
        {"stateType": "stream", "streamState": [{}]},
        {"stateType": "stream", "streamState": [entry("a", 1), entry(["a"], 1)]},
    ],
)
def test_what_the_server_stumbles_over_is_refused_and_changes_nothing(state):
    """not_set cannot be written, and a missing list is a NullPointerException."""
    rows = rows_with(stream_state(entry("a", 0)))
    with pytest.raises(Refusal):
        rows.write(state)
    assert values(rows) == {("a", None): 0}


def test_streams_come_in_an_order_of_the_server():
    """The order is neither that of the write nor the alphabet's, and always the same."""
    names = [f"s{n}" for n in range(20)]
    rows = rows_with(stream_state(*(entry(name, 1) for name in names)))
    order = [name for name, _ in values(rows)]
    assert order != names
    assert order != sorted(names)
    assert order == [name for name, _ in values(rows_with(stream_state(*(entry(n, 1) for n in names[::-1]))))]


def test_a_sync_goes_on_from_the_cursor():
    """Incremental streams move on from what is stored; full-refresh streams keep no state."""
    orders, full = Stream("orders"), Stream("full", sync_mode="full_refresh")
    rows = rows_with(stream_state(entry("orders", {"cursor": "40", "mine": 1}), entry("full", {})))
    rows.advance([(orders, 2), (full, 5)], "stream")
    assert values(rows) == {("orders", None): {"cursor": "42", "mine": 1}}


def test_a_sync_of_a_global_state_moves_its_shared_part():
    """The type stays, and both parts move."""
    rows = rows_with(global_state(entry("orders", {"cursor": "1"}), shared_state={"cursor": "1"}))
    rows.advance([(Stream("orders"), 3)], "stream")
    assert rows.read()["globalState"]["shared_state"] == {"cursor": "4"}


def test_what_was_read_is_a_copy():
    """Nobody changes the rows by changing a response."""
    rows = rows_with(stream_state(entry("a", {"x": []})))
    rows.read()["streamState"][0]["streamState"]["x"].append(1)
    assert values(rows) == {("a", None): {"x": []}}


@pytest.mark.parametrize("text", ["1e400", "-0", "1.10", "1E+2", "0.1", "-0.0", "9" * 5000, "123456789012345678901"])
def test_a_number_comes_back_as_it_was_written(text):
    """State is the user's: no number is rounded, shortened or refused."""
    state = json_numbers.loads('{"stateType": "legacy", "state": [' + text + "]}")
    assert json_numbers.dumps(rows_with(state).read()["state"]) == f"[{text}]"


def test_what_is_not_json_is_refused():
    """NaN and Infinity are Python's, not JSON's."""
    for text in ("NaN", "[-Infinity]", "{"):
        with pytest.raises(ValueError, match=r".+"):
            json_numbers.loads(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_goes_in_and_out_unchanged(value):
    """Any JSON that Python can write comes back, number by number as it was written."""
    text = json.dumps(value)
    assert json_numbers.dumps(json_numbers.loads(text)) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


keys = st.tuples(st.sampled_from("ab"), st.sampled_from([None, "", "public"]))


@given(st.lists(st.dictionaries(keys, st.none() | st.integers() | st.just(ABSENT))))
def test_writes_add_up_like_an_upsert(writes):
    """After any writes, a row is what was last said about it."""
    expected = {}
    rows = StateRows()
    for write in writes:
        rows.write(stream_state(*(entry(name, value, namespace) for (name, namespace), value in write.items())))
        expected |= write
    assert values(rows) == {key: value for key, value in expected.items() if value is not ABSENT}
