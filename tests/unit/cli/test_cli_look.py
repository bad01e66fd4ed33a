"""`airbyte-state list`, `show` and `diff`."""

from __future__ import annotations

import pytest
from cli_states import SECRET, state_of


@pytest.fixture
def saved(cli, orders):
    cli("backup", "--connection", orders)
    return orders


def test_an_empty_store_lists_nothing(cli):
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
    """Keys are no secret; values appear when asked for, and only then."""
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
    """As `diff` does; what differs is said by stream and key, never by value unless asked."""
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
