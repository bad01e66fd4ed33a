"""The operators that save, restore and forget state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Asset
from cryptography.fernet import Fernet
from lines import HAS_TASK_SDK
from rendering import rendered

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteJobRunningError, AirbyteRestoreRefusedError
from airflow_airbyte_ext.operators.state import (
    SNAPSHOTS_ALIAS,
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)
from airflow_airbyte_ext.snapshots.snapshot import Origin, Snapshot
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Step


@pytest.fixture
def store(tmp_path) -> str:
    return str(tmp_path / "snapshots")


def set_cursors(airbyte, connection_id: str, **cursors: str) -> None:
    entries = [
        {"streamDescriptor": {"name": name, "namespace": "public"}, "streamState": {"cursor": cursor}}
        for name, cursor in cursors.items()
    ]
    airbyte.set_state(connection_id, {"stateType": "not_set", "connectionId": connection_id})
    airbyte.set_state(connection_id, {"stateType": "stream", "connectionId": connection_id, "streamState": entries})


def cursors(airbyte, connection_id: str) -> dict[str, str]:
    entries = airbyte.state(connection_id).get("streamState", [])
    return {entry["streamDescriptor"]["name"]: entry["streamState"]["cursor"] for entry in entries}


def backup(connection_id, store, **arguments) -> AirbyteBackupStateOperator:
    return AirbyteBackupStateOperator(task_id="b", connection_id=connection_id, store=store, **arguments)


def restore(connection_id, store, **arguments) -> AirbyteRestoreStateOperator:
    return rendered(AirbyteRestoreStateOperator, connection_id=connection_id, store=store, **arguments)


def test_what_a_backup_returns_is_what_a_restore_takes(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    reference = backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9", users="3")
    result = restore(connection_id, store, snapshot=reference).execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "7"}
    assert result["written"] is True
    assert result["snapshot"] == reference["id"]
    assert {change["stream"]: (change["change"], change["keys"]) for change in result["changes"]} == {
        "public.orders": ("changed", ["cursor"]),
        "public.users": ("removed", []),
    }


def test_the_state_before_a_restore_can_be_gone_back_to(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9", users="3")
    result = restore(connection_id, store).execute(context)
    restore(connection_id, store, snapshot=result["safety_snapshot"]).execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "9", "users": "3"}


def test_latest_never_means_a_safety_snapshot(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    backup(connection_id, store).execute(context)
    for cursor in ("8", "9"):
        set_cursors(airbyte, connection_id, orders=cursor)
        restore(connection_id, store).execute(context)
        assert cursors(airbyte, connection_id) == {"orders": "7"}


@pytest.mark.parametrize("dry_run", [True, "True", "true"])
def test_a_dry_run_writes_nothing(airbyte, connection_id, context, store, dry_run) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9")
    result = restore(connection_id, store, dry_run=dry_run).execute(context)
    assert (result["dry_run"], result["written"], result["safety_snapshot"]) == (True, False, None)
    assert cursors(airbyte, connection_id) == {"orders": "9"}


def test_a_restore_is_refused_while_a_job_runs_and_may_be_tried_again(airbyte, connection_id, context, store) -> None:
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9")
    airbyte.script(connection_id, [Step("running", seconds=3600)])
    airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match="Nothing was changed"):
        restore(connection_id, store).execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "9"}


def test_single_streams_are_merged(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="1", users="1")
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="5", users="5")
    restore(connection_id, store, mode="merge", streams=["users"]).execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "5", "users": "1"}


def test_state_moves_to_a_connection_that_was_made_anew(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    reference = backup(connection_id, store).execute(context)
    again = airbyte.add_connection(name="Anew", streams=[("public", "sales")])
    with pytest.raises(AirflowFailException, match="is of connection"):
        restore(again, store, snapshot=reference).execute(context)
    restore(again, store, snapshot=reference, snapshot_of=connection_id, rename_streams={"orders": "sales"}).execute(
        context
    )
    assert cursors(airbyte, again) == {"sales": "7"}


def test_a_stream_that_the_catalog_lacks_is_refused_on_request(airbyte, connection_id, context, store) -> None:
    """A stream that the catalog lacks is refused where that is requested."""
    set_cursors(airbyte, connection_id, orders="7", gone="3")
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9")
    with pytest.raises(AirflowFailException, match=r"use the state of: public\.gone"):
        restore(connection_id, store, if_stream_missing="fail").execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "9"}
    restore(connection_id, store).execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "7", "gone": "3"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"snapshot": "nosuch"}, "'nosuch' names no snapshot"),
        ({"snapshot": "2020-01-01"}, "had been taken by 2020-01-01"),
        ({"mode": "replace"}, "mode is 'replace'; give one of 'exact', 'merge'"),
        ({"streams": ["orders"]}, 'mode="merge" only'),
        ({"mode": "merge", "streams": ["nosuch"]}, "no stream 'nosuch'"),
        ({"dry_run": "perhaps"}, "dry_run is 'perhaps'; give true or false"),
        ({"if_running": "cancel"}, "if_running is 'cancel'"),
        ({"encryption_key": "abc"}, "encryption_key does not say where the key is; give"),
        ({"store": ""}, "The store is ''; give a path"),
        ({"snapshot_of": "x"}, "snapshot_of is 'x', which is not a UUID"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_written(
    airbyte, connection_id, context, store, arguments, words
) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    backup(connection_id, store).execute(context)
    with pytest.raises((AirflowFailException, AirbyteConfigurationError)) as caught:
        restore(connection_id, **{"store": store, **arguments}).execute(context)
    assert words in str(caught.value)
    assert airbyte.calls("createOrUpdateStateSafe") == []


def test_an_unchanged_state_is_not_kept_twice_where_that_is_asked_for(airbyte, connection_id, context, store) -> None:
    set_cursors(airbyte, connection_id, orders="7")
    first = backup(connection_id, store, skip_unchanged=True).execute(context)
    again = backup(connection_id, store, skip_unchanged=True).execute(context)
    assert (first["unchanged"], again["unchanged"]) == (False, True)
    assert again["id"] == first["id"]
    set_cursors(airbyte, connection_id, orders="8")
    assert backup(connection_id, store, skip_unchanged=True).execute(context)["id"] != first["id"]


def test_a_backup_tells_the_alias_and_every_asset_of_its_snapshot(airbyte, connection_id, context, store) -> None:
    asset = Asset("s3://mine/state")
    task = backup(connection_id, store)
    reference = task.execute(context)
    [alias] = context["outlet_events"]
    assert alias.name == SNAPSHOTS_ALIAS
    [(shown, extra)] = context["outlet_events"][alias].added
    assert (shown.uri.rstrip("/"), extra) == (f"airbyte-state://{connection_id}", reference)
    if HAS_TASK_SDK:
        assert shown.name == f"airbyte_state_{connection_id}"
    backup(connection_id, store, outlets=[asset]).execute(context)
    assert context["outlet_events"][asset].extra["connection_id"] == connection_id


@pytest.mark.parametrize(
    ("given", "outlets"), [({}, [SNAPSHOTS_ALIAS]), ({"outlets": []}, []), ({"outlets": None}, [])], ids=str
)
def test_a_mapped_backup_emits_its_events_unless_told_not_to(connection_id, store, given, outlets) -> None:
    """Airflow itself fills in an empty list of outlets."""
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = AirbyteBackupStateOperator.partial(task_id="b", store=store, **given).expand(
            connection_id=[connection_id]
        )
    assert [outlet.name for outlet in mapped.outlets or []] == outlets
    assert [outlet.name for outlet in mapped.unmap({"connection_id": connection_id}).outlets or []] == outlets
    unmapped = backup(connection_id, store, **given)
    assert [outlet.name for outlet in unmapped.outlets or []] == outlets


def test_a_backup_tells_its_connections_name_for_the_name_of_a_mapped_task(
    airbyte, connection_id, context, store
) -> None:
    backup(connection_id, store).execute(context)
    assert context["connection_name"] == "Orders"


def test_a_backup_of_an_unknown_connection_is_no_empty_snapshot(airbyte, context, store) -> None:
    """Airbyte returns "not_set" for a connection that it does not know."""
    with pytest.raises(AirflowFailException, match="has no connection 99999999"):
        backup("99999999-9999-4999-8999-999999999999", store).execute(context)


def keep_snapshots(store: str, connection_id: str, days: int) -> None:
    now = datetime.now(UTC)
    for day in range(days):
        state = {"stateType": "not_set", "connectionId": connection_id}
        SnapshotStore(store).write(Snapshot(now - timedelta(days=day), Origin("http://a/api", connection_id), state))


def test_a_backup_forgets_what_its_rules_do_not_keep(airbyte, connection_id, context, store) -> None:
    keep_snapshots(store, connection_id, 10)
    reference = backup(connection_id, store, keep={"last": 3}).execute(context)
    ids = [ref.id for ref in SnapshotStore(store).snapshots(connection_id)]
    assert len(ids) == 3
    assert ids[-1] == reference["id"]


def test_forgetting_tells_what_it_kept_and_a_dry_run_deletes_nothing(airbyte, connection_id, context, store) -> None:
    keep_snapshots(store, connection_id, 10)
    arguments = {"task_id": "f", "connection_id": connection_id, "store": store, "keep": {"daily": 4}}
    plan = AirbyteForgetSnapshotsOperator(**arguments, dry_run=True).execute(context)
    assert (len(plan["kept"]), len(plan["forgotten"])) == (4, 6)
    assert len(SnapshotStore(store).snapshots(connection_id)) == 10
    done = AirbyteForgetSnapshotsOperator(**arguments).execute(context)
    assert done["forgotten"] == plan["forgotten"]
    assert [ref.id for ref in SnapshotStore(store).snapshots(connection_id)] == plan["kept"]


@pytest.mark.parametrize(
    ("keep", "words"),
    [({}, "keep has no rule above 0"), ({"lats": 1}, "keep has 'lats'; give any of last"), ({"last": -1}, "is -1")],
)
def test_a_wrong_rule_is_named_and_nothing_is_deleted(airbyte, connection_id, context, store, keep, words) -> None:
    keep_snapshots(store, connection_id, 3)
    with pytest.raises(AirflowFailException) as caught:
        rendered(AirbyteForgetSnapshotsOperator, connection_id=connection_id, store=store, keep=keep).execute(context)
    assert words in str(caught.value)
    assert len(SnapshotStore(store).snapshots(connection_id)) == 3


def test_snapshots_are_encrypted_with_a_key_from_airflow(airbyte, connection_id, context, store, monkeypatch) -> None:
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("AIRFLOW_VAR_SNAPSHOT_KEY", key)
    set_cursors(airbyte, connection_id, orders="7")
    reference = backup(connection_id, store, encryption_key="variable:snapshot_key", compress=True).execute(context)
    assert reference["path"].endswith(".json.gz.fernet")
    set_cursors(airbyte, connection_id, orders="9")
    with pytest.raises(AirflowFailException, match=r"is encrypted\. Give the key"):
        restore(connection_id, store).execute(context)
    monkeypatch.setenv("AIRFLOW_CONN_SNAPSHOT_KEY", f'{{"conn_type": "generic", "password": "{key}"}}')
    restore(connection_id, store, encryption_key="connection:snapshot_key").execute(context)
    assert cursors(airbyte, connection_id) == {"orders": "7"}


def test_a_state_that_moves_while_it_is_kept_is_not_written_over(
    airbyte, connection_id, context, store, monkeypatch
) -> None:
    """What a sync has written meanwhile would be in no snapshot."""
    set_cursors(airbyte, connection_id, orders="5")
    backup(connection_id, store).execute(context)
    set_cursors(airbyte, connection_id, orders="9")

    class MovesOnWrite(SnapshotStore):
        def write(self, snapshot, *, safety=False):
            set_cursors(airbyte, connection_id, orders="100")
            return super().write(snapshot, safety=safety)

    monkeypatch.setattr("airflow_airbyte_ext.operators.state.open_store", lambda *_a, **_k: MovesOnWrite(store))
    with pytest.raises(AirbyteRestoreRefusedError, match="Nothing was written: run this again") as caught:
        restore(connection_id, store).execute(context)
    assert caught.value.retryable
    assert cursors(airbyte, connection_id) == {"orders": "100"}
