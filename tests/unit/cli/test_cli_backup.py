"""`airbyte-state backup`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_states import SECRET, files, state_of

from airflow_airbyte_ext.testing import Fault


@pytest.fixture
def workspace(airbyte, orders):
    """Three connections."""
    return [orders, airbyte.add_connection("Events"), airbyte.add_connection("Clicks")]


def test_one_connection_is_saved(cli, orders, store):
    """The table has the snapshot's id, which is the name of its file."""
    run = cli("backup", "--connection", orders)
    (name,) = files(store)
    assert run.code == 0
    assert name.removesuffix(".json") in run.out
    assert "1 saved" in run.err


def test_json_is_all_that_stdout_gets(cli, orders):
    run = cli("backup", "--connection", orders, "--json")
    (one,) = run.json["connections"]
    assert run.json["exit_code"] == run.code == 0
    assert (one["connection_id"], one["connection_name"], one["result"], one["streams"]) == (
        orders,
        "Orders",
        "saved",
        2,
    )
    assert set(one["snapshot"]) == {"id", "connection_id", "path", "taken_at", "digest", "safety"}
    assert json.loads(Path(one["snapshot"]["path"]).read_text())["state"]["stateType"] == "stream"


def test_a_workspace_is_saved_though_one_connection_fails(cli, airbyte, workspace, store):
    """The others are saved, and the end says which one failed and why."""
    airbyte.fail_next("getState", Fault.status(403), times=1)
    run = cli("backup", "--workspace", airbyte.workspace_id, "--json", "--parallel", "1")
    results = {one["connection_name"]: one["result"] for one in run.json["connections"]}
    assert sorted(results.values()) == ["failed", "saved", "saved"]
    (failed,) = [one for one in run.json["connections"] if one["result"] == "failed"]
    assert failed["error"]["type"] == "AirbytePermissionError"
    assert run.code == run.json["exit_code"] == 1
    assert len(files(store)) == 2
    assert run.err.rstrip().splitlines()[-1].startswith(f"failed: {failed['connection_id']} ")


def test_an_answer_of_an_unknown_kind_is_one_failure_of_many(cli, airbyte, workspace, store):
    """Whatever goes wrong with one connection, the others are saved."""
    airbyte.fail_next("getState", Fault.status(200, body='{"connectionId": "x", "streamState": "odd"}'))
    run = cli("backup", "--workspace", airbyte.workspace_id)
    assert run.code == 1
    assert len(files(store)) == 2


def test_unchanged_state_is_skipped_when_asked(cli, airbyte, orders, store):
    """The newest snapshot is named in place of a new one."""
    first = cli("backup", "--connection", orders, "--json").json["connections"][0]
    again = cli("backup", "--connection", orders, "--skip-unchanged", "--json").json["connections"][0]
    assert (again["result"], again["snapshot"]["id"]) == ("unchanged", first["snapshot"]["id"])
    airbyte.set_state(orders, state_of(orders="11"))
    assert (
        cli("backup", "--connection", orders, "--skip-unchanged", "--json").json["connections"][0]["result"] == "saved"
    )
    assert len(files(store)) == 2


def test_a_damaged_snapshot_does_not_count_as_unchanged(cli, orders, store):
    """Else a state would never be saved again."""
    cli("backup", "--connection", orders)
    (path,) = store.rglob("*.json")
    path.write_text(path.read_text()[:-20])
    run = cli("backup", "--connection", orders, "--skip-unchanged")
    assert (run.code, len(files(store))) == (0, 2)


def test_a_dry_run_saves_nothing(cli, orders, store):
    run = cli("backup", "--connection", orders, "--dry-run", "--json")
    assert run.code == 0
    assert run.json["connections"][0]["result"] == "would be saved"
    assert not store.exists()


def test_compressed_and_encrypted_files_are_read_again(cli, orders, store, monkeypatch, tmp_path):
    """With the same key; by another one nothing is read, and the error does not show it."""
    keys = tmp_path / "keys"
    keys.write_text("8WQLqhuvqXcGaXv8WgHGsVZ0ZmVlc5hPzUWwHbUDbX0=\n")
    assert cli("backup", "--connection", orders, "--compress", "--key-file", keys).code == 0
    assert files(store)[0].endswith(".json.gz.fernet")
    assert cli("show", "--connection", orders, "--key-file", keys).code == 0
    monkeypatch.setenv("AIRBYTE_STATE_KEYS", "Zm9yZ2V0IG1lLCBJIGFtIG5vdCB0aGUgcmlnaHQga2U=")
    run = cli("show", "--connection", orders)
    assert run.code == 2
    assert "No key that was given opens" in run.err
    assert "Zm9y" not in run.err


def test_a_store_that_cannot_be_written_is_said_in_a_line(cli, orders, tmp_path):
    """And is no failure of single connections: the code says that the store is at fault."""
    (tmp_path / "file").write_text("")
    run = cli("backup", "--connection", orders, "--store", tmp_path / "file" / "below")
    assert run.code == 4
    assert "cannot be" in run.err


def test_an_empty_workspace_is_no_success(cli, airbyte):
    """Else a mistyped id would back up nothing, night after night."""
    run = cli("backup", "--workspace", airbyte.workspace_id)
    assert run.code == 2
    assert "has no connections" in run.err


def test_no_state_value_is_ever_shown(cli, airbyte, orders):
    """Not in a table, not in JSON, not in a warning."""
    airbyte.set_state(orders, state_of(orders=SECRET))
    shown = ""
    for more in ([], ["--json"], ["--dry-run"]):
        run = cli("backup", "--connection", orders, *more)
        shown += run.out + run.err
    assert SECRET not in shown


def test_a_workspace_is_listed_without_its_catalogs(cli, airbyte):
    """Sixty connections have 13 MB of them, and a backup needs each connection's own alone."""
    for number in range(3):
        airbyte.add_connection(f"Number {number}")
    assert cli("backup", "--workspace", airbyte.workspace_id).code == 0
    assert airbyte.calls("listConnectionsForWorkspace") == []
