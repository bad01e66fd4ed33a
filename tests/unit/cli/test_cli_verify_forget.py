"""`airbyte-state verify` and `forget`."""

from __future__ import annotations

import pytest
from cli_states import SECRET, files, state_of

DAY = 86_400


@pytest.fixture
def saved(cli, airbyte, orders):
    """Three snapshots of one connection, a day between each two."""
    for cursor in ("10", "11", "12"):
        airbyte.set_state(orders, state_of(orders=cursor))
        cli("backup", "--connection", orders)
    return orders


def test_good_snapshots_are_well(cli, saved, monkeypatch):
    """Airbyte is not asked."""
    monkeypatch.delenv("AIRBYTE_URL")
    run = cli("verify")
    assert run.code == 0
    assert "3 snapshots of 1 connection read: all is well" in run.err


def test_a_damaged_snapshot_is_found_among_good_ones(cli, saved, store):
    """Every other one is still checked."""
    victim = sorted(store.rglob("*.json"))[1]
    victim.write_text(victim.read_text().replace('"11"', '"19"'))
    run = cli("verify", "--connection", saved, "--json")
    assert run.code == run.json["exit_code"] == 1
    (one,) = run.json["connections"]
    assert [ref["ok"] for ref in one["snapshots"]] == [True, False, True]
    assert one["snapshots"][1]["error"]["type"] == "AirbyteSnapshotDamagedError"
    assert victim.name.removesuffix(".json") in run.err


def test_a_renamed_file_is_found(cli, saved, store):
    """Its name lies about its time."""
    victim = sorted(store.rglob("*.json"))[0]
    victim.rename(victim.with_name("20200101T000000000000Z-" + victim.name.split("-")[-1]))
    assert cli("verify").code == 1


def test_a_snapshot_that_no_key_opens_is_found(cli, orders, monkeypatch):
    monkeypatch.setenv("AIRBYTE_STATE_KEYS", "8WQLqhuvqXcGaXv8WgHGsVZ0ZmVlc5hPzUWwHbUDbX0=")
    cli("backup", "--connection", orders)
    assert cli("verify").code == 0
    monkeypatch.delenv("AIRBYTE_STATE_KEYS")
    assert cli("verify").code == 1


def test_the_latest_is_compared_with_airbyte(cli, airbyte, saved):
    """Without showing what Airbyte has."""
    assert cli("verify", "--against-airbyte").code == 0
    airbyte.set_state(saved, state_of(orders=SECRET))
    run = cli("verify", "--against-airbyte")
    assert run.code == 1
    assert "differs" in run.out
    assert SECRET not in run.out + run.err
    assert cli("verify", "--against-airbyte", "--json").json["connections"][0]["equals_airbyte"] is False


def test_a_connection_that_airbyte_does_not_have_fails_alone(cli, airbyte, saved, monkeypatch, start_fake):
    """The snapshots were read all the same."""
    monkeypatch.setenv("AIRBYTE_URL", start_fake().url)
    run = cli("verify", "--against-airbyte", "--json")
    assert run.code == 1
    assert run.json["connections"][0]["error"]["type"] == "AirbyteConnectionUnknownError"
    assert len(run.json["connections"][0]["snapshots"]) == 3


def test_nothing_to_verify_is_no_success(cli, saved, tmp_path):
    """Neither a store that is empty nor a connection without snapshots."""
    assert cli("verify", "--store", tmp_path / "elsewhere").code == 2
    assert cli("verify", "--connection", "99999999-9999-4999-8999-999999999999").code == 1


def test_what_no_rule_keeps_is_deleted(cli, saved, store):
    """Each decision is told with its reasons."""
    run = cli("forget", "--connection", saved, "--keep-last", "2", "--json")
    assert run.code == 0
    (one,) = run.json["connections"]
    assert [ref["result"] for ref in one["snapshots"]] == ["deleted", "kept", "kept"]
    assert one["snapshots"][2]["reasons"] == ["newest", "last 1 of 2"]
    assert len(files(store)) == 2


def test_a_dry_run_deletes_nothing(cli, saved, store):
    before = files(store)
    run = cli("forget", "--connection", saved, "--keep-last", "1", "--dry-run")
    assert run.code == 0
    assert run.out.count("would be deleted") == 2
    assert files(store) == before


def test_the_newest_is_never_deleted(cli, clock, saved, store):
    """However old it is."""
    clock.now += 1000 * DAY
    assert cli("forget", "--connection", saved, "--keep-within-days", "0.5").code == 0
    assert len(files(store)) == 1


def test_the_states_before_restores_follow_the_rules_among_themselves(cli, airbyte, saved, store):
    """A night of restores must not push the nightly snapshots out."""
    for cursor in ("1", "2"):
        airbyte.set_state(saved, state_of(orders=cursor))
        cli("restore", "--connection", saved, "--yes")
    cli("forget", "--connection", saved, "--keep-last", "1")
    assert len(list(store.glob("*/*.json"))) == 1
    assert len(list(store.glob("*/before-restore/*.json"))) == 1


def test_a_whole_workspace_forgets_without_airbyte(cli, airbyte, saved, store, monkeypatch):
    other = airbyte.add_connection("Other")
    cli("backup", "--connection", other)
    cli("backup", "--connection", other)
    monkeypatch.delenv("AIRBYTE_URL")
    assert cli("forget", "--workspace", airbyte.workspace_id, "--keep-daily", "1").code == 0
    assert len(files(store)) == 2


def test_a_connection_whose_workspace_is_unknown_is_left_out(cli, airbyte, saved, store):
    """Its snapshots cannot be read: nobody knows whose they are."""
    for path in store.rglob("*.json"):
        path.write_text("{")
    run = cli("forget", "--workspace", airbyte.workspace_id, "--keep-last", "1")
    assert len(files(store)) == 3
    assert "left out" in run.err


def damage_the_newest(store) -> None:
    newest = sorted(store.rglob("*.json"))[-1]
    newest.write_text(newest.read_text().replace('"12"', '"19"'))


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize("by", ["connection", "workspace"])
def test_forgetting_is_refused_while_the_newest_is_damaged(cli, airbyte, saved, store, by, more):
    """And so says a dry run, in the same words, and the last line too."""
    damage_the_newest(store)
    which = ["--connection", saved] if by == "connection" else ["--workspace", airbyte.workspace_id]
    run = cli("forget", *which, "--keep-last", "1", *more)
    assert (run.code, run.out, len(files(store))) == (3, "", 3)
    assert "nothing deleted of 1 connection that failed" in run.err
    assert "Nothing was deleted: older snapshots may be the last good ones." in run.err
    assert "no such snapshots" not in run.err


def test_the_name_is_shown_although_the_newest_is_damaged(cli, saved, store):
    """By the table, the complaint and the document."""
    damage_the_newest(store)
    run = cli("verify")
    assert run.code == 1
    assert [line.split() for line in run.out.splitlines()[1:]] == [[saved, "Orders", "3", "1"]]
    assert f"bad: {saved} Orders: " in run.err
    assert cli("verify", "--json").json["connections"][0]["connection_name"] == "Orders"
    assert "Orders" in cli("list").out


@pytest.mark.parametrize(
    "rules", [[], ["--keep-last", "0"], ["--keep-last", "-1"], ["--keep-last", "many"], ["--keep-within-days", "nan"]]
)
def test_a_rule_is_needed(cli, saved, store, rules):
    assert cli("forget", "--connection", saved, *rules).code == 2
    assert len(files(store)) == 3


@pytest.mark.parametrize("command", [["list"], ["verify"]])
def test_a_store_that_cannot_be_read_is_4(cli, tmp_path, command):
    (tmp_path / "file").write_text("")
    run = cli(*command, "--store", tmp_path / "file")
    assert run.code == 4
    assert len(run.err.splitlines()) == 1
