"""`airbyte-state rewind`."""

from __future__ import annotations

import pytest
from cli_states import SECRET, cursors, state_of, writes

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.snapshots.rewind import with_value
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
