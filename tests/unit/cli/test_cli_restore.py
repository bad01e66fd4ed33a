"""`airbyte-state restore`."""

from __future__ import annotations

import json

import pytest
from cli_states import SECRET, cursors, files, state_of, writes

from airflow_airbyte_ext.testing import Fault, Step


@pytest.fixture
def moved_on(cli, airbyte, orders):
    """A connection that was saved, and whose state changed afterwards."""
    cli("backup", "--connection", orders)
    airbyte.set_state(orders, state_of(orders=SECRET, events="5"))
    return orders


def test_the_state_is_the_snapshots_again(cli, airbyte, moved_on, store):
    """What changes is shown first, without values; the state before is kept, and the way back is said."""
    run = cli("restore", "--connection", moved_on, "--yes")
    assert run.code == 0
    assert cursors(airbyte, moved_on) == {"orders": "10", "users": "20"}
    for words in ("public.events", "removed", "public.orders", "changed", "written and verified", "to go back:"):
        assert words in run.out
    assert SECRET not in run.out + run.err
    assert len(list(store.rglob("before-restore/*.json"))) == 1


def test_the_way_back_that_it_names_works(cli, airbyte, moved_on):
    """The line can be copied and run."""
    before = cursors(airbyte, moved_on)
    run = cli("restore", "--connection", moved_on, "--yes")
    (line,) = [line for line in run.out.splitlines() if "to go back:" in line]
    assert cli(*line.split("airbyte-state ")[1].split(), "--yes").code == 0
    assert cursors(airbyte, moved_on) == before


def test_json_has_what_was_done(cli, moved_on):
    run = cli("restore", "--connection", moved_on, "--yes", "--json")
    (one,) = run.json["connections"]
    assert run.json["exit_code"] == run.code == 0
    assert (one["result"], one["diff"]["equal"], one["safety_snapshot"]["safety"]) == ("written", False, True)
    assert SECRET not in run.out + run.err


def test_a_dry_run_writes_nothing(cli, airbyte, moved_on, store):
    """Neither to Airbyte nor to the store."""
    before = files(store)
    run = cli("restore", "--connection", moved_on, "--dry-run", "--json")
    assert (run.code, run.json["connections"][0]["result"]) == (0, "would change")
    assert writes(airbyte) == []
    assert files(store) == before


def test_without_a_terminal_it_needs_to_be_told(cli, airbyte, moved_on):
    """Nobody is there who could say yes."""
    run = cli("restore", "--connection", moved_on)
    assert run.code == 2
    assert "--yes" in run.err
    assert writes(airbyte) == []


def test_an_equal_state_is_left_alone(cli, airbyte, orders):
    cli("backup", "--connection", orders)
    run = cli("restore", "--connection", orders, "--yes")
    assert (run.code, writes(airbyte)) == (0, [])
    assert "nothing differs" in run.out


def test_a_merge_restores_single_streams(cli, airbyte, moved_on):
    """Named by the stream's name alone, where no other has it."""
    run = cli("restore", "--connection", moved_on, "--mode", "merge", "--stream", "users", "--yes")
    assert run.code == 0
    assert cursors(airbyte, moved_on) == {"orders": SECRET, "events": "5", "users": "20"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stream", "users"],
        ["--mode", "merge", "--stream", "nonsense"],
        ["--rename", "nonsense=users"],
        ["--rename", "orders=nonsense"],
        ["--rename", "orders=users"],
        ["--snapshot", "1999-01-01"],
        ["--wait-timeout", "soon"],
    ],
)
def test_wrong_names_are_told_before_anything_is_written(cli, airbyte, moved_on, arguments):
    run = cli("restore", "--connection", moved_on, "--yes", *arguments)
    assert run.code == 2
    assert writes(airbyte) == []


def test_an_ambiguous_stream_lists_the_candidates(cli, airbyte):
    """Two namespaces may have a stream of one name; the exact form chooses."""
    two = airbyte.add_connection("Two", [("a", "t"), ("b", "t")])
    entries = [
        {"streamDescriptor": {"name": "t", "namespace": space}, "streamState": {"cursor": space}} for space in "ab"
    ]
    airbyte.set_state(two, {"stateType": "stream", "streamState": entries})
    cli("backup", "--connection", two)
    airbyte.set_state(two, {"stateType": "not_set"})
    run = cli("restore", "--connection", two, "--mode", "merge", "--stream", "t", "--yes")
    assert run.code == 2
    assert "a.t" in run.err
    assert "b.t" in run.err
    exact = json.dumps({"namespace": "b", "name": "t"})
    assert cli("restore", "--connection", two, "--mode", "merge", "--stream", exact, "--yes").code == 0
    assert cursors(airbyte, two) == {"t": "b"}


def test_a_running_job_refuses_the_restore(cli, airbyte, moved_on):
    airbyte.script(moved_on, [Step("running")])
    airbyte.start_job(moved_on)
    run = cli("restore", "--connection", moved_on, "--yes")
    assert (run.code, writes(airbyte)) == (3, [])


def test_a_running_job_is_waited_for_when_asked(cli, airbyte, moved_on):
    """On the test's clock, which makes no one wait."""
    airbyte.script(moved_on, [Step("running", polls=3), Step("succeeded")])
    airbyte.start_job(moved_on)
    run = cli("restore", "--connection", moved_on, "--yes", "--if-running", "wait", "--wait-timeout", "600")
    assert run.code == 0
    assert cursors(airbyte, moved_on) == {"orders": "10", "users": "20"}


def test_waiting_too_long_is_a_refusal(cli, airbyte, moved_on):
    airbyte.script(moved_on, [Step("running")])
    airbyte.start_job(moved_on)
    run = cli("restore", "--connection", moved_on, "--yes", "--if-running", "wait", "--wait-timeout", "60")
    assert (run.code, writes(airbyte)) == (3, [])


def test_a_missing_stream_is_warned_about_or_refused(cli, airbyte, moved_on):
    """A warning is said once, though the restore looks twice."""
    airbyte.set_state(moved_on, state_of(orders="1", users="1", gone="1"))
    cli("backup", "--connection", moved_on)
    airbyte.set_state(moved_on, state_of(orders="2"))
    run = cli("restore", "--connection", moved_on, "--yes", "--if-stream-missing", "fail")
    assert (run.code, writes(airbyte)) == (3, [])
    run = cli("restore", "--connection", moved_on, "--yes")
    assert run.code == 0
    assert run.err.count("warning:") == 1


def test_a_snapshot_of_another_connection_needs_to_be_meant(cli, airbyte, moved_on, store):
    """Its path is refused, with the option that allows it; then it is taken."""
    (path,) = store.rglob("*.json")
    new = airbyte.add_connection("Orders again", [("public", "orders"), ("public", "users")])
    run = cli("restore", "--connection", new, "--snapshot", path, "--yes")
    assert (run.code, writes(airbyte)) == (3, [])
    assert f"--from-connection {moved_on}" in run.err
    assert cli("restore", "--connection", new, "--snapshot", path, "--from-connection", moved_on, "--yes").code == 0
    assert cursors(airbyte, new) == {"orders": "10", "users": "20"}


def test_a_renamed_stream_takes_the_state_of_the_old_one(cli, airbyte, moved_on):
    new = airbyte.add_connection("Orders again", [("shop", "orders2"), ("public", "users")])
    run = cli("restore", "--connection", new, "--from-connection", moved_on, "--rename", "orders=shop.orders2", "--yes")
    assert run.code == 0
    keys = {tuple(entry["streamDescriptor"].values()) for entry in airbyte.state(new)["streamState"]}
    assert {frozenset(key) for key in keys} == {frozenset(("shop", "orders2")), frozenset(("public", "users"))}


def equals_sign_streams(airbyte, *names: str) -> str:
    connection = airbyte.add_connection("Signs", list(names))
    rows = [{"streamDescriptor": {"name": name}, "streamState": {"cursor": name}} for name in names]
    airbyte.set_state(connection, {"stateType": "stream", "streamState": rows})
    return connection


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("x=y=z", "x=y", "z"),
        ("x=y=a=b", "x=y", "a=b"),
        ('{"name": "x=y"}=z', "x=y", "z"),
        ('x=y={"name": "a=b"}', "x=y", "a=b"),
    ],
)
def test_a_stream_whose_name_holds_an_equals_sign_is_renamed(cli, airbyte, text, old, new):
    old_id = equals_sign_streams(airbyte, old, "other")
    cli("backup", "--connection", old_id)
    new_id = airbyte.add_connection("New", [new, "other"])
    run = cli("restore", "--connection", new_id, "--from-connection", "Signs", "--rename", text, "--yes")
    assert (run.code, cursors(airbyte, new_id)) == (0, {new: old, "other": "other"})


def test_an_equals_sign_that_may_mean_two_things_is_refused(cli, airbyte):
    """Both are named, and the exact form chooses."""
    old_id = equals_sign_streams(airbyte, "x", "x=y")
    cli("backup", "--connection", old_id)
    new_id = airbyte.add_connection("New", ["z", "y=z", "x", "x=y"])
    arguments = ["restore", "--connection", new_id, "--from-connection", old_id, "--yes", "--rename"]
    run = cli(*arguments, "x=y=z")
    assert (run.code, writes(airbyte)) == (2, [])
    assert "'x' to 'y=z' or 'x=y' to 'z'" in run.err
    assert cli(*arguments, '{"name": "x=y"}=z').code == 0
    assert cursors(airbyte, new_id) == {"x": "x", "z": "x=y"}


def test_a_map_takes_names(cli, airbyte, moved_on):
    """The old one's as its snapshots have it, the new one's as Airbyte has it where a workspace is given."""
    new = airbyte.add_connection("Orders = new", [("public", "orders")])
    run = cli("restore", "--map", "Orders=Orders = new", "--yes")
    assert (run.code, "'Orders = new' is no connection's id" in run.err) == (2, True)
    run = cli("restore", "--map", f"Orders={new}", "--yes")
    assert (run.code, cursors(airbyte, new)) == (0, {"orders": "10", "users": "20"})
    names = ["--connection", "Orders = new", "--from-connection", "Orders", "--workspace", airbyte.workspace_id]
    run = cli("restore", *names, "--dry-run")
    assert (run.code, new in run.out) == (0, True)


def test_a_map_moves_connections_and_keeps_going(cli, airbyte, moved_on):
    """One of the two has no snapshot: the other is restored, and the end says which failed."""
    new, other = airbyte.add_connection("New", [("public", "orders")]), airbyte.add_connection("Other")
    nowhere = "99999999-9999-4999-8999-999999999999"
    maps = ["--map", f"{moved_on}={new}", "--map", f"{nowhere}={other}"]
    run = cli("restore", *maps, "--yes", "--json")
    assert run.code == 1
    assert [one["result"] for one in run.json["connections"]] == ["written", "failed"]
    assert cursors(airbyte, new) == {"orders": "10", "users": "20"}
    assert other in run.err.splitlines()[-1]


def test_a_workspace_is_restored(cli, airbyte, moved_on):
    """Each connection from its own snapshot, or from the one that the map names."""
    new = airbyte.add_connection("New", [("public", "orders")])
    run = cli("restore", "--workspace", airbyte.workspace_id, "--map", f"{moved_on}={new}", "--yes")
    assert run.code == 0
    assert cursors(airbyte, new) == cursors(airbyte, moved_on) == {"orders": "10", "users": "20"}


def test_an_unverified_state_is_5_and_says_how_to_go_back(cli, airbyte, moved_on):
    """A change of type takes two writes; the second is refused, and so is that of what was there before."""
    shared = {"shared_state": {"lsn": SECRET}, "streamStates": []}
    airbyte.set_state(moved_on, {"stateType": "global", "globalState": shared})
    airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(0))
    airbyte.fail_next("createOrUpdateStateSafe", Fault.status(409, body={"message": "locked"}), times=2)
    run = cli("restore", "--connection", moved_on, "--yes", "--json")
    assert run.code == run.json["exit_code"] == 5
    assert run.json["connections"][0]["error"]["type"] == "AirbyteRestoreUnverifiedError"
    assert SECRET not in run.out + run.err
    (line,) = [line for line in run.err.splitlines() if line.startswith("to go back:")]
    assert cli(*line.split("airbyte-state ")[1].split(), "--yes").code == 0
    assert airbyte.state(moved_on)["globalState"]["shared_state"] == {"lsn": SECRET}


def test_one_unverified_state_among_many_is_5(cli, airbyte, moved_on):
    """It is what somebody has to look at first."""
    fine = airbyte.add_connection("Fine", [("public", "orders")])
    airbyte.set_state(
        moved_on, {"stateType": "global", "globalState": {"shared_state": {"lsn": 1}, "streamStates": []}}
    )
    airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(0))
    airbyte.fail_next("createOrUpdateStateSafe", Fault.status(409, body={"message": "locked"}), times=2)
    maps = ["--map", f"{moved_on}={moved_on}", "--map", f"{moved_on}={fine}"]
    assert cli("restore", *maps, "--yes").code == 5
    assert cursors(airbyte, fine) == {"orders": "10", "users": "20"}


def test_a_deleted_connection_is_refused(cli, airbyte, moved_on):
    airbyte.set_connection_status(moved_on, "deprecated")
    run = cli("restore", "--connection", moved_on, "--yes")
    assert (run.code, writes(airbyte)) == (3, [])


def test_a_store_that_cannot_keep_the_state_before_stops_the_restore(cli, airbyte, moved_on, store):
    """Nothing is written to Airbyte without a way back."""
    (store / moved_on / "before-restore").write_text("a file where the folder would be")
    run = cli("restore", "--connection", moved_on, "--yes")
    assert (run.code, writes(airbyte)) == (4, [])


def test_each_connection_gets_its_own_warning(cli, airbyte, moved_on):
    """Though both lack the same streams."""
    first, second = airbyte.add_connection("First"), airbyte.add_connection("Second")
    run = cli("restore", "--map", f"{moved_on}={first}", "--map", f"{moved_on}={second}", "--yes")
    warnings = [line for line in run.err.splitlines() if line.startswith("warning:")]
    assert [first in warnings[0], second in warnings[1]] == [True, True]
    assert len(warnings) == 2
