"""Back up, let anything happen, restore: Airbyte has the very state again, in every era. Over HTTP, to the fake."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from restore_steps import restored
from snapshot_states import STABLE, entries_of, has_poison, rows_of, said_by, states

from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Step

ERAS = ("0.40", "0.50", "1.0", "2.0", "head")
WRITES = ("createOrUpdateState", "createOrUpdateStateSafe")
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("another state"), states()),
        st.tuples(st.just("a write"), states()),
        st.tuples(st.sampled_from(["a sync", "a failed sync", "a reset"]), st.none()),
    ),
    max_size=3,
)


class World:
    """One Airbyte and one store for all examples of a test; each example has a connection of its own."""

    def __init__(self, airbyte, client, clock, root) -> None:
        self.airbyte, self.client, self.clock, self.store = airbyte, client, clock, SnapshotStore(root)

    def begin(self, state) -> None:
        self.airbyte.reset()
        self.id = self.airbyte.add_connection(streams=["orders", "users", ("public", "orders")])
        self.airbyte.set_state(self.id, state)

    def happen(self, what: str, state) -> None:
        if what == "another state":
            self.airbyte.set_state(self.id, state)
        elif what == "a write":
            with suppress(AirbyteApiError):
                self.client.create_or_update_state(connection_id=self.id, connection_state=state)
        else:
            self.airbyte.script(self.id, [Step("running"), Step("failed" if "failed" in what else "succeeded")])
            job = self.airbyte.start_job(self.id, "reset_connection" if what == "a reset" else "sync")
            self.airbyte.advance(job, "failed" if "failed" in what else "succeeded")

    def back_up(self):
        snapshot = take_snapshot(self.client, self.id, clock=self.clock)
        self.clock.now += 1
        return self.store.read(self.store.write(snapshot))

    def restore(self, snapshot, *, dry_run: bool = False, **how):
        self.airbyte.reset()
        restorer = Restorer(self.client, self.store, self.id, clock=self.clock)
        self.clock.now += 1
        return restored(restorer, lambda current: target_of(snapshot.content, current, **how), dry_run=dry_run)

    @property
    def sent(self):
        return [
            request.body["connectionState"]
            for request in self.airbyte.journal
            if request.operation_id in WRITES and request.status == 200
        ]

    @property
    def state(self):
        return self.airbyte.state(self.id)


@pytest.mark.parametrize("era", ERAS)
def test_backup_anything_restore(start_fake, connect, clock, tmp_path, era):
    """Equal in content, no poison sent or left, nothing deleted that stays, and the state between is kept aside."""
    airbyte = start_fake(era)
    world = World(airbyte, connect(airbyte), clock, tmp_path)

    @settings(STABLE, max_examples=60)
    @given(state=states(), events=EVENTS)
    def check(state, events):
        world.begin(state)
        saved = said_by(world.state)
        snapshot = world.back_up()
        assert said_by(snapshot.state) == saved
        for what, other in events:
            world.happen(what, other)
        between, was_poisoned = said_by(world.state), has_poison(world.state)
        world.restore(snapshot, dry_run=True)
        assert world.sent == []
        assert world.store.snapshots(world.id, safety=True) == []
        result = world.restore(snapshot)
        assert said_by(world.state) == saved
        assert not has_poison(world.state)
        assert bool(world.sent) == (between != saved or was_poisoned)
        for sent in world.sent:
            assert not has_poison(sent)
            assert sent["stateType"] != "not_set"
        bare = {
            (item["streamDescriptor"].get("namespace"), item["streamDescriptor"]["name"])
            for item in (entries_of(world.sent[-1]) if world.sent else [])
            if "streamState" not in item
        }
        assert not bare & set(rows_of(snapshot.state))
        if world.sent:
            assert said_by(world.store.read(result.safety).state) == between
        world.restore(snapshot)
        assert world.sent == []

    check()


@pytest.mark.parametrize("era", ["0.40", "2.0"])
def test_merge_over_http(start_fake, connect, clock, tmp_path, era):
    """The snapshot's streams are as they were, and all that it does not have is as it is now."""
    airbyte = start_fake(era)
    world = World(airbyte, connect(airbyte), clock, tmp_path)

    @settings(STABLE, max_examples=40)
    @given(kind=st.sampled_from(["stream", "global"]), data=st.data())
    def check(kind, data):
        of_kind = states(poison=False).filter(lambda state: said_by(state)[0] == kind)
        world.begin(data.draw(of_kind))
        snapshot = world.back_up()
        airbyte.set_state(world.id, data.draw(of_kind))
        now, saved = said_by(world.state), said_by(snapshot.state)
        world.restore(snapshot, mode="merge")
        assert said_by(world.state) == (kind, {**now[1], **saved[1]}, now[2], now[3])

    check()
