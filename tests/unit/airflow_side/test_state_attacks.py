"""What somebody can do who may trigger a DAG, or write to a store, and what a slip tells everybody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from cryptography.fernet import Fernet

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator
from airflow_airbyte_ext.operators.state import (
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)

KEY = Fernet.generate_key().decode()


@pytest.fixture
def store(tmp_path) -> str:
    return str(tmp_path / "snapshots")


def set_cursor(airbyte, connection_id, cursor) -> None:
    row = {"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": cursor}}
    airbyte.set_state(connection_id, {"stateType": "stream", "connectionId": connection_id, "streamState": [row]})


def cursor_of(airbyte, connection_id) -> str:
    return airbyte.state(connection_id)["streamState"][0]["streamState"]["cursor"]


@pytest.fixture
def reference(airbyte, connection_id, context, store):
    """A snapshot in the store, of a state that has moved on since."""
    set_cursor(airbyte, connection_id, "1")
    made = AirbyteBackupStateOperator(task_id="b", connection_id=connection_id, store=store).execute(context)
    set_cursor(airbyte, connection_id, "2")
    return made


def restore(connection_id, context, **arguments) -> dict:
    return AirbyteRestoreStateOperator(task_id="r", connection_id=connection_id, **arguments).execute(context)


def test_a_snapshot_outside_of_the_store_is_refused(
    airbyte, connection_id, context, store, reference, tmp_path
) -> None:
    """`params.snapshot` may name any file that the worker reads, and any that somebody could write."""
    planted = tmp_path / "uploads" / "x.json"
    planted.parent.mkdir()
    planted.write_bytes(Path(reference["path"]).read_bytes())
    folder = Path(reference["path"]).parent
    (folder / "link.json").symlink_to(planted)
    roundabout = f"{store}/../uploads/x.json"
    for path in (str(planted), planted.as_uri(), roundabout, str(folder / "link.json"), "/etc/passwd", "/dev/zero"):
        for snapshot in (path, {**reference, "path": path}):
            with pytest.raises(AirflowFailException, match=r"is not in the store .*allow_any_path=True"):
                restore(connection_id, context, store=store, snapshot=snapshot)
    assert cursor_of(airbyte, connection_id) == "2"
    restore(connection_id, context, store=store, snapshot=str(planted), allow_any_path=True)
    assert cursor_of(airbyte, connection_id) == "1"


def test_the_state_before_is_found_where_it_was_put(
    airbyte, connection_id, context, store, reference, tmp_path
) -> None:
    """A path below `backup_to` is as good as one below the store."""
    aside = f"file://{tmp_path}/aside"
    safety = restore(connection_id, context, store=store, backup_to=aside)["safety_snapshot"]
    assert "/aside/" in safety
    restore(connection_id, context, store=store, backup_to=aside, snapshot=safety)
    assert cursor_of(airbyte, connection_id) == "2"
    with pytest.raises(AirflowFailException, match="is not in the store"):
        restore(connection_id, context, store=store, snapshot=safety)


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_reference_is_taken_in_either_form_of_the_store(
    airbyte, connection_id, context, store, reference, address
) -> None:
    restore(connection_id, context, store=address.format(store), snapshot=reference)
    assert cursor_of(airbyte, connection_id) == "1"


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        ({}, "an object without path"),
        ({"id": "x"}, "an object without path"),
        ({"path": None}, "an object without path"),
        ({"path": ["x"]}, "an object without path"),
        ({"path": ""}, "empty"),
        ("", "empty"),
        (None, "of type NoneType"),
        (5, "of type int"),
    ],
    ids=repr,
)
def test_a_snapshot_that_is_none_is_told(connection_id, context, store, reference, snapshot, words) -> None:
    with pytest.raises(AirflowFailException, match=f"snapshot is .*{words}"):
        restore(connection_id, context, store=store, snapshot=snapshot)


def test_with_a_key_a_plain_snapshot_is_refused(airbyte, connection_id, context, store, reference, monkeypatch) -> None:
    """A plain file that was planted beside the encrypted ones is neither the latest, nor taken by its name."""
    monkeypatch.setenv("AIRFLOW_VAR_KEY", KEY)
    how = {"store": store, "encryption_key": "variable:KEY"}
    for snapshot in ("latest", "2999-01-01", reference["id"], reference):
        with pytest.raises(AirflowFailException, match="encrypted"):
            restore(connection_id, context, snapshot=snapshot, **how)
    with pytest.raises(AirflowFailException, match="no encrypted snapshot"):
        restore(connection_id, context, allow_plain=True, **how)
    assert cursor_of(airbyte, connection_id) == "2"
    safety = restore(connection_id, context, snapshot=reference, allow_plain=True, **how)["safety_snapshot"]
    assert cursor_of(airbyte, connection_id) == "1"
    assert Path(safety).read_bytes().startswith(b"gAAAA")


@pytest.mark.parametrize(
    "slip",
    [KEY, f"{KEY},{KEY}", f" {KEY}", f"variable:{KEY}", f"connection:{KEY}", f"key:{KEY}", "s3cr3t", "variable:", ""],
)
@pytest.mark.parametrize("task", ["backup", "restore", "reset"])
def test_a_key_in_the_place_of_its_name_is_not_repeated(connection_id, context, store, task, slip) -> None:
    """Whether it is told when the DAG is parsed or when the task runs: where it stands by now, and what to do."""
    how = {"task_id": "t", "connection_id": connection_id, "encryption_key": slip}
    make = {
        "backup": lambda: AirbyteBackupStateOperator(store=store, **how),
        "restore": lambda: AirbyteRestoreStateOperator(store=store, **how),
        "reset": lambda: AirbyteResetConnectionOperator(backup_to=store, **how),
    }[task]
    with pytest.raises((AirflowFailException, AirbyteConfigurationError)) as caught:
        make().execute(context)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert KEY not in shown
    assert "s3cr3t" not in shown
    assert re.search(r"Airflow shows of the task.*make a new key", shown)
    assert not Path(store).exists()


@pytest.mark.parametrize(
    "address",
    ["  ", "\n", " s3://bucket", "/tmp/x ", "simplecache::s3://bucket/x", "s3:/bucket/x", "s3://k:s3cr3t@bucket/x"],
)
def test_an_address_of_a_store_that_cannot_be_meant_is_refused(
    connection_id, context, address, tmp_path, monkeypatch
) -> None:
    """White space is a folder's name to Python; a password in the address stands in rendered templates."""
    monkeypatch.chdir(tmp_path)
    tasks = [
        lambda: AirbyteBackupStateOperator(task_id="b", connection_id=connection_id, store=address),
        lambda: AirbyteRestoreStateOperator(task_id="r", connection_id=connection_id, store=address),
        lambda: AirbyteForgetSnapshotsOperator(
            task_id="f", connection_id=connection_id, store=address, keep={"last": 1}
        ),
        lambda: AirbyteResetConnectionOperator(task_id="s", connection_id=connection_id, backup_to=address),
    ]
    for make in tasks:
        with pytest.raises((AirflowFailException, AirbyteConfigurationError), match=r"[Ss]tore|backup_to") as caught:
            make().execute(context)
        assert "s3cr3t" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_with_odd_names_forges_no_line_of_a_log(airbyte, context, store, caplog) -> None:
    """A stream's name comes from a source, and may hold anything."""
    odd = "orders\n[2026-01-01] ERROR forged\x1b[31m"
    connection_id = airbyte.add_connection(name=odd, streams=[("public", odd)])
    row = {"streamDescriptor": {"name": odd, "namespace": "public"}, "streamState": {"cursor": "1"}}
    state = {"stateType": "stream", "connectionId": connection_id, "streamState": [row]}
    airbyte.set_state(connection_id, state)
    with caplog.at_level("INFO"):
        made = AirbyteBackupStateOperator(task_id="b", connection_id=connection_id, store=store).execute(context)
        airbyte.set_state(connection_id, json.loads(json.dumps(state).replace('"1"', '"2"')))
        restore(connection_id, context, store=store, snapshot=made)
    lines = [
        record.getMessage() for record in caplog.records if record.name.startswith(("airflow.task", "airflow_airbyte"))
    ]
    assert lines
    assert not [line for line in lines if "\x1b" in line or "\n" in line]
