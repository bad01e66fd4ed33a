"""`airbyte-state rewind`."""

from __future__ import annotations

import pytest
from cli_states import SECRET, cursors, state_of, writes

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.snapshots.plan import plan_writes
from airflow_airbyte_ext.snapshots.rewind import rewound, with_value
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.testing import Step


def test_a_key_is_set_and_all_else_stays(cli, airbyte, orders, store):
    """With a snapshot of the state before, as with every restore."""
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'cursor="3"', "--yes")
    assert run.code == 0
    assert cursors(airbyte, orders) == {"orders": "3", "users": "20"}
    assert len(list(store.rglob("before-restore/*.json"))) == 1


def test_a_stream_is_removed(cli, airbyte, orders):
    assert cli("rewind", "--connection", orders, "--stream", "public.users", "--remove", "--yes").code == 0
    assert cursors(airbyte, orders) == {"orders": "10"}


def test_the_last_stream_is_removed(cli, airbyte, orders):
    """What is left is no state at all."""
    airbyte.set_state(orders, state_of(orders="10"))
    assert cli("rewind", "--connection", orders, "--stream", "orders", "--remove", "--yes").code == 0
    assert airbyte.state(orders)["stateType"] == "not_set"


def test_a_global_state_keeps_its_shared_part(cli, airbyte, orders):
    entries = state_of(orders="10", users="20")["streamState"]
    part = {"shared_state": {"lsn": 7}, "streamStates": entries}
    airbyte.set_state(orders, {"stateType": "global", "globalState": part})
    assert cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'cursor="3"', "--yes").code == 0
    now = airbyte.state(orders)["globalState"]
    assert now["shared_state"] == {"lsn": 7}
    assert {"cursor": "3"} in [entry["streamState"] for entry in now["streamStates"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stream", "nonsense", "--remove"],
        ["--stream", "orders", "--set", 'curser="3"'],
        ["--stream", "orders", "--set", "cursor=3"],
        ["--stream", "orders", "--set", f"cursor={SECRET}"],
        ["--stream", "orders", "--set", "cursor=NaN"],
        ["--stream", "orders", "--set", "cursor"],
        ["--stream", "orders", "--set", SECRET],
        ["--stream", "orders", "--set", 'cursor="\\ud800"'],
        ["--stream", "orders", "--set", "cursor=" + "[" * 100_000],
        ["--stream", "orders"],
    ],
)
def test_what_no_sync_would_understand_is_refused(cli, airbyte, orders, arguments):
    """A wrong key, or a number where text was, would be read as no cursor at all; values are not repeated."""
    run = cli("rewind", "--connection", orders, "--yes", *arguments)
    assert (run.code, writes(airbyte)) == (2, [])
    assert SECRET not in run.out + run.err


def test_a_dry_run_shows_the_key_and_writes_nothing(cli, airbyte, orders):
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'cursor="3"', "--dry-run")
    assert (run.code, writes(airbyte)) == (0, [])
    assert "public.orders" in run.out


def test_a_running_job_refuses_it(cli, airbyte, orders):
    airbyte.script(orders, [Step("running")])
    airbyte.start_job(orders)
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--remove", "--yes")
    assert (run.code, writes(airbyte)) == (3, [])


def test_a_null_row_is_removed(cli, airbyte, orders):
    """The next sync would break on it, whatever else the state has."""
    rows = [*state_of(orders="10")["streamState"], {"streamDescriptor": {"name": "null"}, "streamState": None}]
    airbyte.set_state(orders, {"stateType": "stream", "streamState": rows})
    run = cli("rewind", "--connection", orders, "--stream", "null", "--remove", "--yes")
    assert (run.code, cursors(airbyte, orders)) == (0, {"orders": "10"})
    assert ["null", "removed", "(null)"] in [line.split() for line in run.out.splitlines()]


@pytest.mark.parametrize("state", [state_of(users="20"), {"stateType": "not_set"}])
def test_a_stream_without_state_gets_its_first_cursor(cli, airbyte, orders, state):
    """Any key, since there is none to compare with: which is said."""
    airbyte.set_state(orders, state)
    settings = ["--set", 'cursor="3"', "--set", "inner.page=7"]
    run = cli("rewind", "--connection", orders, "--stream", "orders", *settings, "--yes")
    assert run.code == 0
    rows = {row["streamDescriptor"]["name"]: row["streamState"] for row in airbyte.state(orders)["streamState"]}
    assert rows["orders"] == {"cursor": "3", "inner": {"page": 7}}
    assert ("users" in rows) == (state["stateType"] == "stream")
    assert run.err.count("has no state yet") == 1


def test_a_first_cursor_needs_a_stream_of_the_connection(cli, airbyte, orders):
    airbyte.set_state(orders, state_of(users="20"))
    run = cli("rewind", "--connection", orders, "--stream", "odrers", "--set", 'cursor="3"', "--yes")
    assert (run.code, writes(airbyte)) == (2, [])
    assert "public.orders" in run.err


def test_a_place_in_a_list_is_set_and_suggested(cli, airbyte, orders):
    """The states of partitions: one cursor for each account, say."""
    partitions = [{"partition": {"id": number}, "cursor": {"at": f"2026-0{number}"}} for number in (1, 2)]
    rows = [{"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"states": partitions}}]
    airbyte.set_state(orders, {"stateType": "stream", "streamState": rows})
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'states.cursor="2025"', "--yes")
    assert run.code == 2
    assert "'states.0.cursor.at', 'states.0.partition.id', 'states.1.cursor.at'" in run.err
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'states.1.cursor.at="2025"', "--yes")
    assert run.code == 0
    (row,) = airbyte.state(orders)["streamState"]
    assert [each["cursor"] for each in row["streamState"]["states"]] == [{"at": "2026-01"}, {"at": "2025"}]


def test_many_paths_are_cut(cli, airbyte, orders):
    rows = [{"streamDescriptor": {"name": "orders"}, "streamState": {"states": list(range(1000))}}]
    airbyte.set_state(orders, {"stateType": "stream", "streamState": rows})
    run = cli("rewind", "--connection", orders, "--stream", '{"name": "orders"}', "--set", "x=1", "--yes")
    assert (run.code, "'states.19', ..." in run.err) == (2, True)


def test_a_legacy_state_is_rewound_and_removed(cli, airbyte, orders):
    """It is one for all streams, and so named as a whole."""
    airbyte.set_state(orders, {"stateType": "legacy", "state": {"orders": {"cursor": "10"}, "users": 1}})
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", 'cursor="3"', "--yes")
    assert (run.code, "--legacy" in run.err) == (2, True)
    run = cli("rewind", "--connection", orders, "--legacy", "--set", 'orders.cursor="3"', "--yes")
    assert run.code == 0
    assert airbyte.state(orders)["state"] == {"orders": {"cursor": "3"}, "users": 1}
    assert cli("rewind", "--connection", orders, "--legacy", "--remove", "--yes").code == 0
    assert airbyte.state(orders)["stateType"] == "not_set"
    run = cli("rewind", "--connection", orders, "--legacy", "--set", "a=1", "--yes")
    assert (run.code, "not legacy" in run.err) == (2, True)


def test_a_key_may_hold_an_equals_sign(cli, airbyte, orders):
    rows = [{"streamDescriptor": {"name": "orders"}, "streamState": {"a=b": "x=1", "c": 1}}]
    airbyte.set_state(orders, {"stateType": "stream", "streamState": rows})
    stream = '{"name": "orders"}'
    for setting in ('a=b="y=2"', "c=3"):
        assert cli("rewind", "--connection", orders, "--stream", stream, "--set", setting, "--yes").code == 0
    assert airbyte.state(orders)["streamState"][0]["streamState"] == {"a=b": "y=2", "c": 3}


def test_several_rows_of_a_stream_can_be_removed_alone():
    """Which of them counts is not known, so nothing is set in them."""
    rows = [{"streamDescriptor": {"name": name}, "streamState": {"c": c}} for name, c in (("a", 1), ("a", 2), ("b", 3))]
    current = content_of({"stateType": "stream", "streamState": rows})
    with pytest.raises(AirbyteConfigurationError, match="2 rows that differ"):
        rewound(current, (None, "a"), [("c", 1)])
    target = rewound(current, (None, "a"), None)
    (write,) = plan_writes("11111111-1111-4111-8111-111111111111", current, target).writes
    assert write.state["streamState"] == [{"streamDescriptor": {"name": "a"}}]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("a", 2, {"a": 2, "b": {"c": [1, {"d": "x"}], "e.f": True}}),
        ("a", 2.5, {"a": 2.5, "b": {"c": [1, {"d": "x"}], "e.f": True}}),
        ("b.c.0", 9, {"a": 1, "b": {"c": [9, {"d": "x"}], "e.f": True}}),
        ("b.c.1.d", "y", {"a": 1, "b": {"c": [1, {"d": "y"}], "e.f": True}}),
        ("b.e.f", False, {"a": 1, "b": {"c": [1, {"d": "x"}], "e.f": False}}),
        ("b", {}, {"a": 1, "b": {}}),
        ("a", None, {"a": None, "b": {"c": [1, {"d": "x"}], "e.f": True}}),
    ],
)
def test_a_dotted_path_leads_through_objects_and_lists(path, value, expected):
    """Keys may hold dots themselves, and the state that was given is not changed."""
    state = {"a": 1, "b": {"c": [1, {"d": "x"}], "e.f": True}}
    assert with_value(state, path, value) == expected
    assert state == {"a": 1, "b": {"c": [1, {"d": "x"}], "e.f": True}}


@pytest.mark.parametrize(
    ("path", "value"), [("b.c.7", 1), ("b.c.x", 1), ("a.b", 1), ("", 1), ("a", True), ("b.e.f", 1)]
)
def test_a_path_that_leads_nowhere_is_an_error(path, value):
    with pytest.raises(AirbyteConfigurationError):
        with_value({"a": 1, "b": {"c": [1], "e.f": True}}, path, value)


@pytest.mark.parametrize("number", ["0.12345678901234567890", "1e400", "0.10000000000000000000000000000000000001"])
def test_a_number_that_would_lose_digits_is_not_set(cli, airbyte, orders, number):
    """Here as in a snapshot: it would be another one."""
    before = state_of(orders="10")
    before["streamState"][0]["streamState"] = {"cursor": 1}
    airbyte.set_state(orders, before)
    run = cli("rewind", "--connection", orders, "--stream", "orders", "--set", f"cursor={number}", "--yes")
    assert (run.code, writes(airbyte)) == (2, [])
    assert "double can hold" in run.err
    assert number not in run.err
