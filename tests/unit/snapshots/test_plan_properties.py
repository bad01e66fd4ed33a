"""Whatever the state is now, the planned writes make it the snapshot's: against Airbyte's rules of writing, no HTTP."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from snapshot_states import (
    CONNECTION,
    KEYS,
    STABLE,
    digest_of,
    entries_of,
    entry,
    global_state,
    has_poison,
    legacy_state,
    not_set,
    rows_of,
    said_by,
    states,
    stream_state,
)

from airflow_airbyte_ext.exceptions import AirbyteRestoreRefusedError
from airflow_airbyte_ext.snapshots.plan import plan_writes, target_of
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.testing.state_rows import StateRows


def server_with(state) -> StateRows:
    rows = StateRows()
    rows.replace(state)
    return rows


def apply_changes(server: StateRows, snapshot, **how):
    """Plan from what the server responds, and send it all; the writes, as they are on the wire."""
    current = content_of(server.read())
    plan = plan_writes(CONNECTION, current, target_of(content_of(snapshot), current, **how))
    sent = [json.loads(json.dumps(write.state)) for write in plan.writes]
    for state in sent:
        server.write(state)
    return sent


def check_sent(sent, kept) -> None:
    """No write is one that Airbyte stores as poison, cannot take, or that deletes what is to stay."""
    for state in sent:
        assert state["stateType"] in ("stream", "global", "legacy")
        assert not has_poison(state)
        keys = [(e["streamDescriptor"].get("namespace"), e["streamDescriptor"]["name"]) for e in entries_of(state)]
        assert len(keys) == len(set(keys))
    last = sent[-1:]
    for state in last:
        bare = [e["streamDescriptor"] for e in entries_of(state) if "streamState" not in e]
        assert not {(each.get("namespace"), each["name"]) for each in bare} & kept


@settings(STABLE, max_examples=500)
@given(before=states(), snapshot=states())
@example(before=stream_state(entry("a", None)), snapshot=not_set())
@example(before=global_state(shared=None), snapshot=global_state(shared={}))
@example(before=stream_state(entry("a", {}), entry("a", {}, "")), snapshot=stream_state(entry("a", {}, None)))
def test_exact_makes_the_state_the_snapshots(before, snapshot):
    """Content is equal, no null is left, and a second plan has nothing to write."""
    server = server_with(before)
    sent = apply_changes(server, snapshot)
    assert said_by(server.read()) == said_by(snapshot)
    assert not has_poison(server.read())
    check_sent(sent, set(rows_of(snapshot)))
    assert len(sent) <= 2
    assert apply_changes(server, snapshot) == []


@settings(STABLE, max_examples=300)
@given(state=states(poison=False), data=st.data())
def test_an_equal_state_is_not_written_in_whatever_order(state, data):
    shuffled = json.loads(json.dumps(state))
    for holder, name in ((shuffled, "streamState"), (shuffled.get("globalState"), "streamStates")):
        if holder and name in holder:
            holder[name] = data.draw(st.permutations(holder[name]))
    assert apply_changes(server_with(state), shuffled) == []


def test_a_legacy_null_is_deleted_when_the_snapshot_has_no_state():
    """A row that holds nothing is still a row: afterwards Airbyte says not_set, as it did."""
    server = server_with(legacy_state(None))
    apply_changes(server, not_set())
    assert server.read()["stateType"] == "not_set"


@settings(STABLE, max_examples=300)
@given(before=states(), snapshot=states(), data=st.data())
def test_merge_takes_the_given_streams_and_leaves_the_others(before, snapshot, data):
    """Also the shared part stays; states of unlike types are refused."""
    server = server_with(before)
    there, wanted = said_by(server.read()), said_by(snapshot)
    # What becomes of a legacy state, and of a snapshot without a row, has its own tests.
    assume(there[0] != "legacy" and wanted[0] != "not_set")
    some = st.lists(st.sampled_from(sorted(wanted[1], key=repr)), unique=True, min_size=1) if wanted[1] else st.none()
    chosen = data.draw(st.none() | some)
    # A state of nothing but nulls still has its type.
    kind = server.read()["stateType"]
    if wanted[0] == "legacy" or kind not in ("not_set", wanted[0]):
        with pytest.raises(AirbyteRestoreRefusedError):
            apply_changes(server, snapshot, mode="merge", streams=chosen)
        assert said_by(server.read()) == there
        return
    sent = apply_changes(server, snapshot, mode="merge", streams=chosen)
    taken = {key: value for key, value in wanted[1].items() if chosen is None or key in chosen}
    after = said_by(server.read())
    assert after[1] == {**there[1], **taken}
    assert after[2] == (wanted[2] if kind == "not_set" else there[2])
    assert not has_poison(server.read())
    check_sent(sent, set(after[1]))


def test_merge_sends_the_given_streams_alone():
    """What is not restored is not sent: a job that moved it meanwhile would be set back."""
    before = global_state(entry("a", {"c": 1}), entry("b", {"c": 1}), shared={"lsn": 7})
    snapshot = global_state(entry("a", {"c": 0}), entry("b", {"c": 0}), shared={"lsn": 3})
    server = server_with(before)
    (sent,) = apply_changes(server, snapshot, mode="merge", streams=[(None, "a")])
    assert sent["globalState"] == {"shared_state": {"lsn": 7}, "streamStates": [entry("a", {"c": 0})]}


@pytest.mark.parametrize("before", [stream_state(entry("a", 1)), global_state(entry("a", 1), shared=2), not_set()])
@pytest.mark.parametrize("snapshot", [stream_state(), stream_state(entry("a", None)), global_state(), not_set()])
def test_merging_a_snapshot_without_a_row_changes_nothing(before, snapshot):
    server = server_with(before)
    with suppress(AirbyteRestoreRefusedError):
        apply_changes(server, snapshot, mode="merge")
    assert said_by(server.read()) == said_by(before)


@pytest.mark.parametrize("snapshot", [stream_state(entry("a", {"c": 0})), global_state(entry("a", {}), shared={})])
def test_merge_into_a_legacy_state_is_refused(snapshot):
    """Writing one stream deletes the blob, and with it how far all other streams have read."""
    server = server_with(legacy_state({"a": 1, "b": 2}))
    with pytest.raises(AirbyteRestoreRefusedError):
        apply_changes(server, snapshot, mode="merge")


# Two rows of one stream, as a database without a key on them may hold them (3.6).
TWICE = stream_state(entry("a", {"c": 1}), entry("b", {}), entry("a", {"c": 2}))
ONE = stream_state(entry("a", {"c": 2}))


@pytest.mark.parametrize("rows", [TWICE["streamState"], TWICE["streamState"][::-1]])
def test_several_rows_of_a_stream_become_one_state(rows):
    """A write reaches both rows, so it is sent even where one of them is as wanted; without a state both go."""
    current = content_of(stream_state(*rows))
    (write,) = plan_writes(CONNECTION, current, content_of(ONE)).writes
    assert write.state["streamState"] == [entry("a", {"c": 2}), entry("b")]
    (write,) = plan_writes(CONNECTION, current, content_of(not_set())).writes
    assert write.state["streamState"] == [entry("a"), entry("b")]


def test_a_null_row_beside_a_good_one_is_written_over():
    """Or the next sync would break on it."""
    current = content_of(stream_state(entry("a", None), entry("a", {"c": 2})))
    (write,) = plan_writes(CONNECTION, current, content_of(ONE)).writes
    assert write.state["streamState"] == ONE["streamState"]


def test_rows_that_cannot_be_brought_back_are_refused():
    """Airbyte takes one state for a stream; the others can be restored."""
    twice = content_of(TWICE)
    for how in ({}, {"mode": "merge"}, {"mode": "merge", "streams": [(None, "a")]}):
        with pytest.raises(AirbyteRestoreRefusedError, match=r"several rows, which differ, of a, .*merge"):
            target_of(twice, content_of(not_set()), **how)
    target = target_of(twice, content_of(not_set()), mode="merge", streams=[(None, "b")])
    assert target.streams == {(None, "b"): {}}


def test_a_merge_leaves_the_rows_of_other_streams_alone():
    current = content_of(TWICE)
    target = target_of(content_of(stream_state(entry("b", {"c": 9}))), current, mode="merge")
    (write,) = plan_writes(CONNECTION, current, target).writes
    assert write.state["streamState"] == [entry("b", {"c": 9})]
    assert target.conflicts == current.conflicts


def test_the_order_of_rows_means_nothing():
    assert content_of(TWICE).digest() == content_of(stream_state(*TWICE["streamState"][::-1])).digest()
    assert content_of(TWICE).digest() == digest_of(TWICE)
    assert content_of(TWICE).digest() != content_of(ONE).digest()
    equal = stream_state(*ONE["streamState"], *ONE["streamState"])
    assert content_of(equal).digest() == content_of(ONE).digest()


def test_merge_without_a_stream_that_the_snapshot_has_is_refused():
    with pytest.raises(AirbyteRestoreRefusedError, match=r"public\.b"):
        apply_changes(server_with(not_set()), stream_state(entry("a", {})), mode="merge", streams=[("public", "b")])


def test_single_streams_are_for_merge():
    with pytest.raises(AirbyteRestoreRefusedError, match="merge"):
        apply_changes(server_with(not_set()), stream_state(entry("a", {})), streams=[(None, "a")])


@settings(STABLE, max_examples=300)
@given(snapshot=states(poison=False), old=KEYS, new=KEYS)
def test_a_renamed_stream_keeps_its_state(snapshot, old, new):
    rows = rows_of(snapshot)
    if old not in rows or (new in rows and new != old):
        return
    server = server_with(not_set())
    apply_changes(server, snapshot, renamed={old: new})
    assert rows_of(server.read()) == {new if key == old else key: value for key, value in rows.items()}


def test_two_streams_cannot_be_renamed_to_one():
    """One of the two states would be lost without a word."""
    snapshot = stream_state(entry("a", {"c": 1}), entry("b", {"c": 2}))
    with pytest.raises(AirbyteRestoreRefusedError):
        apply_changes(server_with(not_set()), snapshot, renamed={(None, "a"): (None, "b")})


def test_a_rename_of_a_stream_that_the_snapshot_lacks_is_refused():
    with pytest.raises(AirbyteRestoreRefusedError, match="typo"):
        apply_changes(server_with(not_set()), stream_state(entry("a", {})), renamed={(None, "typo"): (None, "b")})


def test_two_streams_may_swap_names():
    server = server_with(not_set())
    a, b = (None, "a"), (None, "b")
    apply_changes(server, stream_state(entry("a", 1), entry("b", 2)), renamed={a: b, b: a})
    assert said_by(server.read()) == said_by(stream_state(entry("a", 2), entry("b", 1)))
