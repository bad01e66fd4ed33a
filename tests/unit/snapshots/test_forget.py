"""Deleting snapshots: what is deleted, and when nothing is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
)
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.retention import Retention, forget
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.store import SnapshotStore

NOW = datetime(2027, 1, 4, 12, tzinfo=UTC)
LAST = Retention(last=1)


@pytest.fixture
def scene(airbyte, client, clock, tmp_path):
    return Scene(airbyte, client, clock, tmp_path)


class Scene:
    """A connection, and a store that gets a snapshot of it each minute."""

    def __init__(self, airbyte, client, clock, root) -> None:
        self.client, self.clock, self.root = client, clock, root
        self.connection_id = airbyte.add_connection("Orders", streams=["a"])

    def store(self, *keys: str, allow_plain: bool = False) -> SnapshotStore:
        return SnapshotStore(self.root, packing=Packing(keys=keys, allow_plain=allow_plain))

    def back_up(self, store: SnapshotStore, times: int = 1) -> None:
        for _ in range(times):
            store.write(take_snapshot(self.client, self.connection_id, clock=self.clock))
            self.clock.sleep(60)

    def left(self) -> list[str]:
        return [ref.id for ref in self.store().snapshots(self.connection_id)]


def test_what_no_rule_keeps_is_deleted(scene):
    """All of it, unless it was requested the decisions alone."""
    scene.back_up(scene.store(), 3)
    before = scene.left()
    decisions = forget(scene.store(), scene.connection_id, LAST, now=NOW, dry_run=True)
    assert [decision.keep for decision in decisions] == [False, False, True]
    assert scene.left() == before
    assert forget(scene.store(), scene.connection_id, LAST, now=NOW) == decisions
    assert scene.left() == before[-1:]


def test_nothing_is_deleted_while_the_newest_cannot_be_decrypted(scene):
    """Anyone who has a key must be able to read what is to be the only one left."""
    scene.back_up(scene.store(Fernet.generate_key().decode()), 3)
    with pytest.raises(AirbyteSnapshotKeyError, match="Nothing was deleted"):
        forget(scene.store(Fernet.generate_key().decode()), scene.connection_id, LAST, now=NOW)
    assert len(scene.left()) == 3


def test_whoever_has_no_key_may_forget_what_is_encrypted(scene):
    """A task that only tidies up needs no key."""
    scene.back_up(scene.store(Fernet.generate_key().decode()), 3)
    forget(scene.store(), scene.connection_id, LAST, now=NOW)
    assert len(scene.left()) == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [('{"format": "airbyte-state-snapshot/99"}', AirbyteSnapshotFormatError), ("{", AirbyteSnapshotDamagedError)],
)
def test_nothing_is_deleted_while_the_newest_is_no_snapshot(scene, text, error):
    """The older ones may be the last good ones."""
    store = scene.store()
    scene.back_up(store, 3)
    newest = store.latest(scene.connection_id)
    with open(newest.path, "w") as file:
        file.write(text)
    with pytest.raises(error, match="Nothing was deleted"):
        forget(store, scene.connection_id, LAST, now=NOW)
    assert len(scene.left()) == 3


def test_a_plain_file_pushes_no_encrypted_one_out(scene):
    """Anybody who may write there can have put it there."""
    key = Fernet.generate_key().decode()
    scene.back_up(scene.store(key), 2)
    encrypted = scene.left()
    scene.back_up(scene.store(), 1)
    forget(scene.store(key, allow_plain=True), scene.connection_id, LAST, now=NOW)
    assert scene.left()[0] == encrypted[1]
    assert len(scene.left()) == 2


def test_days_count_from_the_time_that_is_given(scene):
    """For encrypted ones, too."""
    store = scene.store(Fernet.generate_key().decode())
    scene.back_up(store, 3)
    taken = store.snapshots(scene.connection_id)[0].taken_at
    week = Retention(within_days=7)
    assert all(each.keep for each in forget(store, scene.connection_id, week, now=taken + timedelta(days=7)))
    later = forget(store, scene.connection_id, week, now=taken + timedelta(days=7, seconds=30))
    assert [each.keep for each in later] == [False, True, True]


@pytest.mark.parametrize("name", ["last", "within_days", "hourly", "daily", "weekly", "monthly"])
def test_a_rule_that_is_not_given_is_zero(name):
    assert getattr(Retention(), name) == 0
    assert getattr(Retention.of({name: 999_999}), name) == 999_999
    with pytest.raises(AirbyteConfigurationError, match=name):
        Retention.of({name: 1_000_000})


@pytest.mark.parametrize(("value", "wanted"), [("7", 7), (" 7 ", 7), ("0.5", 0.5), (0.5, 0.5), (7, 7)])
def test_days_may_be_a_part_of_one_and_a_template_s_text(value, wanted):
    assert Retention.of({"within_days": value}).within_days == wanted


@pytest.mark.parametrize("rules", [None, [], "last", 7])
def test_rules_that_are_none_are_refused(rules):
    with pytest.raises(AirbyteConfigurationError, match="give rules, such as"):
        Retention.of(rules)


@pytest.mark.parametrize(
    ("name", "value"), [("last", "many"), ("within_days", "1d"), ("within_days", [1]), ("last", 1.5)]
)
def test_a_value_that_is_no_number_is_refused_by_name(name, value):
    with pytest.raises(AirbyteConfigurationError) as caught:
        Retention.of({name: value})
    assert str(caught.value) == f"keep[{name!r}] is {value!r}; give a number of 0 or more."
