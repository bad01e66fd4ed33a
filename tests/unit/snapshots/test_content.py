"""What a state says, where rows repeat themselves or say nothing."""

from __future__ import annotations

from airflow_airbyte_ext.snapshots.state import content_of

CONNECTION = "11111111-1111-4111-8111-111111111111"


def row(name: str, state: object) -> dict:
    return {"streamDescriptor": {"name": name}, "streamState": state}


def stream(*rows: dict) -> dict:
    return {"stateType": "stream", "connectionId": CONNECTION, "streamState": list(rows)}


def test_rows_that_differ_in_the_order_of_their_keys_are_one():
    """An object in JSON has no order."""
    content = content_of(stream(row("a", {"x": 1, "y": 2}), row("a", {"y": 2, "x": 1})))
    assert content.conflicts == {}
    assert content.streams == {(None, "a"): {"x": 1, "y": 2}}


def test_rows_that_differ_are_all_kept():
    content = content_of(stream(row("a", {"x": 1}), row("a", {"x": 2}), row("b", 1)))
    assert content.conflicts == {(None, "a"): ({"x": 1}, {"x": 2})}
    assert content.streams == {(None, "b"): 1}


def test_a_stream_that_is_given_a_state_has_no_conflict_any_more():
    """And no null row is left; another stream's conflict is."""
    before = content_of(stream(row("a", 1), row("a", 2), row("b", 1), row("b", 2), row("c", None)))
    after = before.with_streams({(None, "a"): 3})
    assert after.streams == {(None, "a"): 3}
    assert after.conflicts == {(None, "b"): (1, 2)}
    assert before.has_nulls
    assert not after.has_nulls


def test_a_shared_part_that_is_null_is_a_null_row():
    part = {"shared_state": None, "streamStates": [row("a", 1)]}
    before = content_of({"stateType": "global", "connectionId": CONNECTION, "globalState": part})
    assert before.has_nulls
    assert not before.with_streams(before.streams).has_nulls


def test_nothing_is_no_state_and_has_no_nulls():
    content = content_of({"stateType": "not_set", "connectionId": CONNECTION})
    assert content.is_empty
    assert not content.has_nulls
    assert (content.type, content.streams, content.shared, content.legacy) == ("not_set", {}, None, None)


def test_no_value_is_in_a_repr():
    """It may be printed in a traceback."""
    content = content_of(stream(row("a", "s3cr3t"), row("b", "s3cr3t"), row("b", "other")))
    assert "s3cr3t" not in repr(content)
    whole = {"stateType": "legacy", "connectionId": CONNECTION, "state": {"x": "s3cr3t"}}
    assert "s3cr3t" not in repr(content_of(whole))
    part = {"shared_state": "s3cr3t", "streamStates": []}
    assert "s3cr3t" not in repr(content_of({"stateType": "global", "connectionId": CONNECTION, "globalState": part}))
