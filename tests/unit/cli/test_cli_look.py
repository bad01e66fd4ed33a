"""`airbyte-state list`, `show` and `diff`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cli_states import SECRET, state_of

from airflow_airbyte_ext.snapshots.snapshot import Origin, Snapshot
from airflow_airbyte_ext.snapshots.store import SnapshotStore


@pytest.fixture
def saved(cli, orders):
    cli("backup", "--connection", orders)
    return orders


@pytest.mark.parametrize("command", [["list"], ["verify"], ["forget", "--keep-last", "1"], ["show"], ["diff"]])
def test_a_store_that_is_not_there_is_an_error(cli, orders, command):
    """A mistyped address must not look like a store without snapshots."""
    run = cli(*command, *(["--connection", orders] if command[0] not in ("list", "verify") else []))
    assert (run.code, run.out) == (2, "")
    assert "There is no store at" in run.err
    assert len(run.err.splitlines()) == 1


def test_a_name_in_a_store_that_is_not_there_is_told(cli):
    """Where only Airbyte could know the name, the option that asks it is named."""
    assert "There is no store at" in cli("show", "--connection", "Orders").err
    assert "--workspace" in cli("backup", "--connection", "Orders").err


def test_an_empty_store_lists_nothing(cli, store):
    store.mkdir()
    run = cli("list")
    assert (run.code, run.out) == (0, "")
    assert "no such snapshots" in run.err


def test_a_listing_needs_no_airbyte(cli, saved, monkeypatch):
    """Not even its address: only the store is read."""
    monkeypatch.delenv("AIRBYTE_URL")
    run = cli("list")
    assert run.code == 0
    assert saved in run.out
    assert "Orders" in run.out


def test_the_snapshots_of_a_workspace_are_found_without_airbyte(cli, airbyte, saved, monkeypatch):
    """By what each snapshot says of its origin, so that deleted connections are found too."""
    monkeypatch.delenv("AIRBYTE_URL")
    run = cli("list", "--workspace", airbyte.workspace_id, "--json")
    assert [one["connection_id"] for one in run.json["connections"]] == [saved]
    other = cli("list", "--workspace", "99999999-9999-4999-8999-999999999999", "--json")
    assert other.json["connections"] == []


def test_the_snapshots_of_one_connection_are_listed_oldest_first(cli, saved):
    cli("backup", "--connection", saved)
    run = cli("list", "--connection", saved)
    rows = run.out.splitlines()[2:]
    assert len(rows) == 2
    assert rows[1].endswith("latest, same as above")
    document = cli("list", "--connection", saved, "--json").json
    assert set(document) == {"command", "store", "connections", "exit_code"}
    assert [ref["id"] for ref in document["connections"][0]["snapshots"]] == [row.split()[0] for row in rows]


def test_a_snapshot_is_shown_without_values(cli, airbyte, orders):
    """Keys are no secret; values appear when requested, and only then."""
    airbyte.set_state(orders, state_of(orders=SECRET))
    cli("backup", "--connection", orders)
    for more in ([], ["--json"], ["--snapshot", "current"]):
        run = cli("show", "--connection", orders, *more)
        assert run.code == 0
        assert "cursor" in run.out
        assert SECRET not in run.out + run.err
    for more in ([], ["--json"]):
        assert SECRET in cli("show", "--connection", orders, "--values", *more).out


def test_names_cannot_steer_the_terminal(cli, airbyte):
    """A stream or a connection may be called anything."""
    odd = airbyte.add_connection("\x1b[2J[red]Gone[/red] :boom:", ["a\x07b"])
    airbyte.set_state(
        odd, {"stateType": "stream", "streamState": [{"streamDescriptor": {"name": "a\x07b"}, "streamState": {"k": 1}}]}
    )
    cli("backup", "--connection", odd)
    out = cli("list").out + cli("show", "--connection", odd).out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]Gone[/red] :boom:" in out


def test_equal_states_end_with_0_and_differing_ones_with_1(cli, airbyte, saved):
    """As `diff` does; what differs is said by stream and key, never by value unless requested."""
    assert cli("diff", "--connection", saved).code == 0
    airbyte.set_state(saved, state_of(orders=SECRET, events="1"))
    run = cli("diff", "--connection", saved)
    assert run.code == 1
    assert "1 added, 1 removed, 1 changed" in run.out
    assert SECRET not in run.out + run.err
    document = cli("diff", "--connection", saved, "--json")
    assert {part["name"]: (part["change"], part["keys"]) for part in document.json["parts"]} == {
        "public.events": ("added", []),
        "public.orders": ("changed", ["cursor"]),
        "public.users": ("removed", []),
    }
    assert SECRET not in document.out
    assert SECRET in cli("diff", "--connection", saved, "--values").out


def test_two_snapshots_are_compared_without_airbyte(cli, airbyte, saved, monkeypatch):
    airbyte.set_state(saved, state_of(orders="11", users="20"))
    cli("backup", "--connection", saved)
    first, second = (
        ref["id"] for ref in cli("list", "--connection", saved, "--json").json["connections"][0]["snapshots"]
    )
    monkeypatch.delenv("AIRBYTE_URL")
    run = cli("diff", "--connection", saved, "--snapshot", first, "--with", second)
    assert run.code == 1
    assert "public.orders" in run.out


@pytest.mark.parametrize("which", ["latest", "20991231", "1999-01-01", "nonsense", ""])
def test_an_unknown_snapshot_is_wrong_usage(cli, orders, which):
    run = cli("show", "--connection", orders, "--snapshot", which)
    assert run.code == 2
    assert len(run.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("nonsense", "'nonsense' names no snapshot. Give"),
        ("yesterday", "'yesterday' names no snapshot. Give"),
        ("2026-02-30", "'2026-02-30' is no date or time that exists"),
        ("1999-01-01", "had been taken by 1999-01-01T00:00:00+00:00: the first is of 2025-10-09"),
        ("2099123", "whose id begins with '2099123'"),
        ("./nowhere.json", "There is no snapshot at ./nowhere.json."),
    ],
)
def test_an_unknown_snapshot_is_told_by_what_is_wrong(cli, saved, which, words):
    """One message for all of them would leave the person at night to guess."""
    run = cli("show", "--connection", saved, "--snapshot", which)
    assert run.code == 2
    assert words in run.err
    assert len(run.err.splitlines()) == 1


def test_a_connection_without_snapshots_is_told(cli, saved):
    """Whichever snapshot of it was meant."""
    for which in ("latest", "yesterday", "2026-01-01"):
        run = cli("show", "--connection", "99999999-9999-4999-8999-999999999999", "--snapshot", which)
        assert run.code == 2
        assert "no snapshots of connection 99999999-9999-4999-8999-999999999999; it has those of 1 others" in run.err


def test_safety_snapshots_alone_are_told(cli, airbyte, saved, store):
    airbyte.set_state(saved, state_of(orders="1"))
    cli("restore", "--connection", saved, "--yes")
    for path in store.glob("*/*.json"):
        path.unlink()
    assert "Give its id" in cli("show", "--connection", saved).err


def test_a_connection_is_named(cli, airbyte, saved, monkeypatch):
    """By what its snapshots say, also when Airbyte is down; where a workspace is given, as Airbyte has it."""
    assert cli("backup", "--connection", "Orders").code == 0
    workspace = ["--workspace", airbyte.workspace_id]
    new = airbyte.add_connection("New = old")
    assert "'New = old' is no connection's id" in cli("backup", "--connection", "New = old").err
    assert cli("backup", "--connection", "New = old", *workspace).code == 0
    assert cli("diff", "--connection", "New = old", *workspace).code == 0
    monkeypatch.delenv("AIRBYTE_URL")
    assert saved in cli("list", "--connection", "Orders").out
    assert new in cli("show", "--connection", "New = old").out
    assert cli("verify", "--connection", "Orders", *workspace).code == 0
    assert cli("forget", "--connection", "Orders", "--keep-last", "1").code == 0


def test_a_name_that_is_unknown_or_ambiguous_lists_what_there_is(cli, airbyte, saved):
    run = cli("show", "--connection", "Order")
    assert run.code == 2
    assert "It has snapshots of: 'Orders'" in run.err
    twin = airbyte.add_connection("Orders")
    cli("backup", "--connection", twin)
    for command in (["show"], ["restore", "--yes"], ["rewind", "--stream", "orders", "--remove", "--yes"]):
        run = cli(*command, "--connection", "Orders")
        assert (run.code, saved in run.err, twin in run.err) == (2, True, True)


def test_connections_without_a_snapshot_are_listed(cli, airbyte, saved):
    workspace = ["--workspace", airbyte.workspace_id]
    new = airbyte.add_connection("New")
    run = cli("list", "--missing", *workspace)
    assert (run.code, new in run.out, saved in run.out) == (0, True, False)
    assert cli("list", "--missing", *workspace, "--json").json["missing"] == [
        {"connection_id": new, "connection_name": "New"}
    ]
    cli("backup", "--connection", new)
    run = cli("list", "--missing", *workspace)
    assert (run.out, "0 connections of the workspace have no snapshot" in run.err) == ("", True)
    assert cli("list", "--missing").code == 2


@pytest.mark.parametrize("kind", ["stream", "global"])
def test_odd_rows_are_shown_and_compared(cli, airbyte, orders, kind):
    """A null row breaks the next sync, and an empty one holds no cursor."""
    rows = [
        {"streamDescriptor": {"name": name, "namespace": "public"}, "streamState": state}
        for name, state in (("orders", None), ("users", {}))
    ]
    state = {"streamState": rows} if kind == "stream" else {"globalState": {"streamStates": rows}}
    airbyte.set_state(orders, {"stateType": kind, **state})
    run = cli("show", "--connection", orders, "--snapshot", "current")
    assert [line.split() for line in run.out.splitlines() if line.startswith("public.")] == [
        ["public.orders", "(null)"],
        ["public.users", "(empty)"],
    ]
    parts = cli("show", "--connection", orders, "--snapshot", "current", "--json").json["streams"]
    assert [(part["name"], part["odd"]) for part in parts] == [("orders", "(null)"), ("users", None)]
    cli("backup", "--connection", orders)
    airbyte.set_state(orders, {"stateType": "not_set"})
    run = cli("diff", "--connection", orders)
    assert run.code == 1
    assert ["public.orders", "removed", "(null)"] in [line.split() for line in run.out.splitlines()]


def test_several_rows_of_a_stream_are_shown_and_compared(cli, airbyte, store):
    """As a database without a key on them may hold them; a file of a backup of such a state."""
    connection = airbyte.add_connection("Twice")
    rows = [{"streamDescriptor": {"name": "t"}, "streamState": {key: SECRET}} for key in ("a", "b")]
    origin = Origin(base_url=airbyte.url, connection_id=connection)
    state = {"stateType": "stream", "connectionId": connection, "streamState": rows}
    snapshot = Snapshot(datetime(2026, 3, 1, tzinfo=UTC), origin, state)
    SnapshotStore(store).write(snapshot)
    run = cli("show", "--connection", connection)
    assert ["t", "(2", "rows)", "a,", "b"] in [line.split() for line in run.out.splitlines()]
    run = cli("diff", "--connection", connection)
    assert ["t", "removed", "(2", "rows)"] in [line.split() for line in run.out.splitlines()]
    assert SECRET not in run.out + run.err
    run = cli("restore", "--connection", connection, "--yes")
    assert (run.code, "several rows, which differ, of t" in run.err) == (3, True)


def test_an_ambiguous_prefix_names_the_candidates(cli, saved):
    cli("backup", "--connection", saved)
    run = cli("show", "--connection", saved, "--snapshot", "2025")
    assert run.code == 2
    assert "begins 2 snapshots" in run.err


def test_a_damaged_snapshot_is_refused(cli, saved, store):
    (path,) = store.rglob("*.json")
    path.write_text(path.read_text().replace('"10"', '"11"'))
    run = cli("show", "--connection", saved, "--json")
    assert run.code == run.json["exit_code"] == 3
    assert run.json["error"]["type"] == "AirbyteSnapshotDamagedError"
    assert len(run.err.splitlines()) == 1


def test_a_time_means_the_newest_snapshot_by_then(cli, airbyte, saved):
    first = cli("show", "--connection", saved, "--json").json
    airbyte.set_state(saved, state_of(orders="99"))
    cli("backup", "--connection", saved)
    then = cli("show", "--connection", saved, "--snapshot", first["taken_at"], "--json").json
    assert then["snapshot"]["id"] == first["snapshot"]["id"]
