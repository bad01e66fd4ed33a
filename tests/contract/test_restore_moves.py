"""What a restore checks between its steps: that nothing moved, that it may write at all, and that it can go back."""

from __future__ import annotations

import json

import pytest
from hostile import hostile_proxy, response
from restore_steps import restored
from restoring import CONNECTION, NOT_SET, OTHER_STREAM, TWO_STEPS, WRITES, Scene, row, said_by

from airflow_airbyte_ext.exceptions import AirbyteRestoreRefusedError, AirbyteRestoreUnverifiedError
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import TRIES, Restorer, check_origin
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Fault

MOVED = {**OTHER_STREAM, "streamState": [row("a", {"cursor": "10"})]}


class BusyStore(SnapshotStore):
    """A store in which keeping a snapshot takes so long that something happens meanwhile."""

    happens = staticmethod(lambda: None)

    def write(self, snapshot, *, safety=False):
        ref = super().write(snapshot, safety=safety)
        self.happens()
        return ref


@pytest.fixture
def scene(airbyte, client, clock, tmp_path):
    return Scene(airbyte, client, clock, tmp_path)


def a_job(scene: Scene) -> None:
    scene.airbyte.advance(scene.airbyte.start_job(CONNECTION), "succeeded")
    scene.airbyte.set_state(CONNECTION, OTHER_STREAM)


def restore(scene: Scene, store: SnapshotStore | None = None, **options):
    wanted = scene.store.read(scene.store.find(CONNECTION, "latest")).content
    restorer = Restorer(scene.client, store or scene.store, CONNECTION, clock=scene.clock, **options)
    return restored(restorer, lambda current: target_of(wanted, current))


@pytest.mark.parametrize(
    "happens",
    [a_job, lambda scene: scene.airbyte.set_state(CONNECTION, MOVED)],
    ids=["a job came and went", "the state moved"],
)
def test_what_happens_while_the_state_before_is_kept_stops_it(scene, tmp_path, happens):
    """What was planned is not planned for what is there now; the next try plans again."""
    store = BusyStore(tmp_path)
    store.happens = lambda: happens(scene)
    with pytest.raises(AirbyteRestoreRefusedError, match="Nothing was written") as caught:
        restore(scene, store)
    assert scene.sent == []
    assert caught.value.retryable
    assert caught.value.connection_id == CONNECTION
    assert caught.value.safety_snapshot == scene.store.snapshots(CONNECTION, safety=True)[0].path
    store.happens = lambda: None
    assert restore(scene, store).safety is not None
    assert scene.now == scene.target


def test_the_plan_is_there_before_anything_is_kept_or_written(scene):
    """So that it can be shown, and a person may say no."""
    restorer = Restorer(scene.client, scene.store, CONNECTION, clock=scene.clock)
    before = restorer.read()
    plan = restorer.plan(before, scene.snapshot.content)
    assert plan.diff.summary()
    assert (scene.kept, scene.sent) == ([], [])
    restorer.write(before, plan)
    assert scene.now == scene.target


def test_a_snapshot_of_another_connection_is_refused(scene):
    """By the origin that stands in it, whatever its file is called."""
    check_origin(scene.snapshot, CONNECTION)
    with pytest.raises(AirbyteRestoreRefusedError, match="Nothing was written") as caught:
        check_origin(scene.snapshot, "22222222-2222-4222-8222-222222222222")
    assert caught.value.connection_id == "22222222-2222-4222-8222-222222222222"


def test_a_way_back_that_fails_too_is_told(airbyte, client, clock, tmp_path):
    """The first write has emptied the state; the second is refused each time, and so is the one that takes it back."""
    scene = Scene(airbyte, client.without_retries(), clock, tmp_path, *TWO_STEPS)
    airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(0))
    airbyte.fail_next("createOrUpdateStateSafe", Fault.status(429), times=TRIES + 1)
    with pytest.raises(AirbyteRestoreUnverifiedError, match="restore it to go back") as caught:
        restore(scene)
    assert scene.now == said_by(NOT_SET)
    scene.go_back(caught.value.safety_snapshot)
    assert scene.now == scene.before


def test_a_state_that_cannot_be_understood_afterwards_is_told(airbyte, connect_to, clock, tmp_path):
    """What Airbyte has now is not known, and how to go back is."""
    with hostile_proxy(airbyte.url) as proxy:
        scene = Scene(airbyte, connect_to(proxy.url), clock, tmp_path)
        mystery = json.dumps({"connectionId": CONNECTION, "stateType": "of tomorrow"}).encode()
        written = []

        def spoil(exchange):
            written.extend([1] * exchange.operation.startswith("state/create"))
            return [response(mystery)] if written and exchange.operation == "state/get" else None

        proxy.spoil = spoil
        with pytest.raises(AirbyteRestoreUnverifiedError, match="could not be read back") as caught:
            scene.restore()
    assert caught.value.safety_snapshot == scene.store.snapshots(CONNECTION, safety=True)[0].path
    assert caught.value.connection_id == CONNECTION
    assert [request.operation_id for request in airbyte.journal if request.operation_id in WRITES]


class Rereading:
    """A proxy that changes what is read after a write; `unclear` loses the responses to writes, too."""

    def __init__(self, reread, *, unclear: bool = False) -> None:
        self.reread, self.unclear = reread, unclear
        self.writes = 0
        self.before: dict = {}

    def __call__(self, exchange):
        if exchange.operation.startswith("state/create"):
            self.writes += 1
            return [] if self.unclear else None
        if exchange.operation != "state/get":
            return None
        state = json.loads(exchange.body)
        self.before = self.before or state
        return [response(json.dumps(self.reread(self.before, state)).encode())] if self.writes else None


def ignored(before, _state):
    return before


def another(_before, state):
    return {**state, "streamState": [row("a", {"cursor": "somebody else's"})]}


def with_a_null(_before, state):
    return {**state, "streamState": [*state["streamState"], {"streamDescriptor": {"name": "z"}, "streamState": None}]}


@pytest.mark.parametrize(
    ("reread", "unclear", "error"),
    [
        (ignored, False, AirbyteRestoreRefusedError),
        (another, False, AirbyteRestoreUnverifiedError),
        (another, True, AirbyteRestoreUnverifiedError),
        (with_a_null, False, AirbyteRestoreUnverifiedError),
    ],
)
def test_a_write_that_says_it_went_well_is_not_believed(airbyte, connect_to, clock, tmp_path, reread, unclear, error):
    """What is read says what was written; it is not written again, for nobody knows who wrote between."""
    with hostile_proxy(airbyte.url) as proxy:
        scene = Scene(airbyte, connect_to(proxy.url), clock, tmp_path)
        proxy.spoil = Rereading(reread, unclear=unclear)
        with pytest.raises(error) as caught:
            scene.restore()
        assert proxy.spoil.writes == 1
    assert caught.value.connection_id == CONNECTION
    assert caught.value.retryable is (error is AirbyteRestoreUnverifiedError)


def test_what_cannot_be_read_after_the_last_write_is_told(airbyte, client, clock, tmp_path):
    """Whether a job has started meanwhile, which would change the state."""
    scene = Scene(airbyte, client.without_retries(), clock, tmp_path)
    restore(scene)
    reads = len(airbyte.calls("listJobsFor"))
    airbyte.set_state(CONNECTION, OTHER_STREAM)
    for fault in (*[Fault.delay(0)] * (reads - 1), Fault.status(503)):
        airbyte.fail_next("listJobsFor", fault)
    with pytest.raises(AirbyteRestoreUnverifiedError, match="does not say whether a job has started") as caught:
        restore(scene)
    assert caught.value.connection_id == CONNECTION
    assert scene.now == scene.target
