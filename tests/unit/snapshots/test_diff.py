"""What differs between two states, as people are told it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from snapshot_states import (
    STABLE,
    entry,
    global_state,
    legacy_state,
    not_set,
    rows_of,
    said_by,
    states,
    stream_state,
)

from airflow_airbyte_ext.snapshots.diff import diff
from airflow_airbyte_ext.snapshots.state import content_of

BEFORE = stream_state(
    entry("same", {"c": 1}),
    entry("gone", {"c": "s3cr3t-1"}),
    entry("moved", {"c": "s3cr3t-2", "deep": {"x": 1, "y": [1, 2]}, "left": 1}),
    entry("same", {"c": 1}, "public"),
)
AFTER = stream_state(
    entry("same", {"c": 1}, "public"),
    entry("moved", {"c": "s3cr3t-3", "deep": {"x": 1, "y": [1, 3]}, "new": None}),
    entry("came", {"c": "s3cr3t-4"}, ""),
    entry("same", {"c": 1}),
)


def of(before, after, **how):
    return diff(content_of(before), content_of(after), **how)


def changes(found) -> dict[str, str]:
    return {part.name: part.change for part in found.parts}


def test_each_stream_is_added_removed_changed_or_equal():
    found = of(BEFORE, AFTER)
    assert changes(found) == {
        "gone": "removed",
        "moved": "changed",
        "same": "equal",
        ".came": "added",
        "public.same": "equal",
    }
    assert not found.is_equal
    assert {part.name for part in found.differing} == {"gone", "moved", ".came"}
    assert found.summary() == "1 added, 1 removed, 1 changed, 2 equal"


def test_the_paths_of_the_keys_that_changed():
    """Only of those, and a list is one value."""
    (moved,) = [part for part in of(BEFORE, AFTER).parts if part.name == "moved"]
    assert sorted(moved.keys) == ["c", "deep.y", "left", "new"]


def test_no_value_is_shown_unless_asked_for():
    hidden, shown = of(BEFORE, AFTER), of(BEFORE, AFTER, values=True)
    assert "s3cr3t" not in repr(hidden) + hidden.summary()
    assert all(f"s3cr3t-{number}" in str([(part.before, part.after) for part in shown.parts]) for number in range(1, 5))
    assert {(part.before, part.after) for part in hidden.parts} == {(None, None)}
    (moved,) = [part for part in shown.parts if part.name == "moved"]
    assert (moved.before["c"], moved.after["c"]) == ("s3cr3t-2", "s3cr3t-3")


def test_the_shared_part_and_the_type_are_compared():
    found = of(global_state(entry("a", 1), shared={"lsn": 1}), global_state(entry("a", 1), shared={"lsn": 2}))
    assert changes(found) == {"a": "equal", "(shared)": "changed"}
    assert found.parts[-1].keys == ("lsn",)
    assert changes(of(global_state(entry("a", 1)), global_state(entry("a", 1), shared={}))) == {
        "a": "equal",
        "(shared)": "added",
    }
    other = of(stream_state(entry("a", 1)), global_state(entry("a", 1)))
    assert (other.type_before, other.type_after, other.is_equal) == ("stream", "global", False)
    assert "stream -> global" in other.summary()


def test_a_legacy_state_is_compared():
    assert changes(of(legacy_state({"a": 1}), legacy_state({"a": 2}))) == {"(legacy)": "changed"}
    assert changes(of(legacy_state({"a": 1}), stream_state(entry("b", 1)))) == {"b": "added", "(legacy)": "removed"}
    assert of(not_set(), not_set()).is_equal
    assert of(not_set(), stream_state()).is_equal


def test_a_stream_that_is_called_like_the_shared_part_can_be_told_from_it():
    """Nor is a dot in a name a namespace: two parts of one name would leave open which of them has changed."""
    before = global_state(entry("(shared)", 1), entry("b", 1, "a"), entry("a.b", 1), shared=1)
    after = global_state(entry("(shared)", 2), entry("b", 1, "a"), entry("a.b", 2), shared=1)
    found = of(before, after)
    assert len(found.parts) == 4
    assert [part.change for part in found.parts].count("changed") == 2
    assert len({(part.name, getattr(part, "key", None)) for part in found.parts}) == 4


def test_a_key_without_a_name_is_shown_as_changed():
    (part,) = of(stream_state(entry("a", {"": 1, "x": 1})), stream_state(entry("a", {"": 2, "x": 1}))).parts
    assert len(part.keys) == 1


NULL = entry("a", None)
TWICE = (entry("a", {"c": 1}), entry("a", {"c": 2}))


@pytest.mark.parametrize(
    ("before", "after", "change", "keys"),
    [
        ([NULL], [], "removed", ("(null)",)),
        ([], [NULL], "added", ("(null)",)),
        ([NULL], [entry("a", {"c": 1})], "added", ("(null)",)),
        ([NULL], [NULL], "equal", ("(null)",)),
        ([entry("a", {})], [], "removed", ()),
        (TWICE, [entry("a", {"c": 1})], "changed", ("(2 rows)",)),
        (TWICE, [], "removed", ("(2 rows)",)),
        (TWICE, TWICE[::-1], "equal", ("(2 rows)",)),
        ([TWICE[0], NULL], [TWICE[0]], "changed", ("(2 rows)",)),
        ([TWICE[0], TWICE[0]], [TWICE[0]], "equal", ()),
    ],
)
def test_odd_rows_are_named(before, after, change, keys):
    """3.6: null rows, and several rows of one stream, which Airbyte returns in no order; equal ones are one state."""
    for state in (stream_state, global_state):
        (part,) = of(state(*before), state(*after)).parts
        assert (part.name, part.change, part.keys) == ("a", change, keys)


def test_a_null_shared_part_is_named():
    (part,) = of(global_state(shared=None), global_state()).parts
    assert (part.name, part.change, part.keys) == ("(shared)", "removed", ("(null)",))


@settings(STABLE, max_examples=400)
@given(before=states(), after=states())
def test_a_diff_is_equal_only_where_the_states_are(before, after):
    """Each stream of either is in it once, with what really became of it."""
    found = of(before, after)
    one, two = said_by(before), said_by(after)
    if not (content_of(before).has_nulls or content_of(after).has_nulls):
        assert found.is_equal == (one == two)
    counts = {"added": 0, "removed": 0, "changed": 0, "equal": 0}
    for key in {**rows_of(before), **rows_of(after)}:
        old, new = one[1].get(key), two[1].get(key)
        counts["added" if old is None else "removed" if new is None else "equal" if old == new else "changed"] += 1
    streams = [part for part in found.parts if part.key in {**rows_of(before), **rows_of(after)}]
    assert {change: sum(part.change == change for part in streams) for change in counts} == counts
    for part in found.parts:
        assert (part.before, part.after) == (None, None)


@settings(STABLE, max_examples=200)
@given(before=states(), after=states())
def test_a_diff_the_other_way_round_is_the_mirror(before, after):
    mirror = {"added": "removed", "removed": "added"}
    there, back = of(before, after), of(after, before)
    assert [mirror.get(part.change, part.change) for part in there.parts] == [part.change for part in back.parts]
    assert [part.keys for part in there.parts] == [part.keys for part in back.parts]
