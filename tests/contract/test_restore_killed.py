"""A restore whose process is killed between any two of its requests: the way back and the way on stay open."""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import ExitStack

import pytest
from restoring import CONNECTION, ONE_STEP, TWO_STEPS, Scene, poison_in, restore_latest

from airflow_airbyte_ext.exceptions import AirbyteRestoreError
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Fault

STORIES = {"one write": ONE_STEP, "two writes": TWO_STEPS}
# Children of a process that has imported everything begin at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["airflow_airbyte_ext.snapshots.restore", "airflow_airbyte_ext.testing"])


@pytest.fixture
def scene_of(start_fake, connect, clock, tmp_path):
    def make(story):
        airbyte = start_fake()
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        return Scene(airbyte, connect(airbyte), clock, root, *STORIES[story]), root

    return make


def kill_after(airbyte, root, number: int) -> None:
    """Let a child restore, and kill it when Airbyte has done its request with this number, before it is told so."""
    if number:
        airbyte.fail_next("*", Fault.delay(0), times=number)
    airbyte.fail_next("*", Fault.delay(120))
    child = PROCESSES.Process(target=restore_latest, args=(airbyte.url, str(root)))
    child.start()
    try:
        give_up = time.monotonic() + 60
        while len(airbyte.journal) <= number:
            assert child.is_alive(), "the child has ended early"
            assert time.monotonic() < give_up
            child.join(0.002)
    finally:
        child.kill()
        child.join()
    assert child.exitcode == -9
    assert len(airbyte.journal) == number + 1
    assert airbyte.pending_faults() == []


def test_a_child_that_is_left_alone_restores(scene_of):
    """What is killed below would otherwise have ended well."""
    scene, root = scene_of("two writes")
    child = PROCESSES.Process(target=restore_latest, args=(scene.airbyte.url, str(root)))
    child.start()
    child.join(60)
    assert (child.exitcode, scene.now) == (0, scene.target)


@pytest.mark.parametrize("story", STORIES)
def test_a_restore_that_is_killed_can_be_undone_and_run_again(scene_of, story):
    """After each request in turn: the old state, or a safety snapshot of it; and "latest" still means the target."""
    rehearsal, _ = scene_of(story)
    rehearsal.restore()
    names = [request.operation_id for request in rehearsal.airbyte.journal]
    changed = 0
    for number in range(len(names) + 1):
        # The client of a child requests the release first, so there is one request more.
        scene, root = scene_of(story)
        kill_after(scene.airbyte, root, number)
        assert not any(map(poison_in, scene.sent))
        seen = SnapshotStore(root)
        assert seen.latest(CONNECTION) == scene.ref
        if scene.now != scene.before:
            changed += 1
            (safety,) = seen.snapshots(CONNECTION, safety=True)
            assert scene.kept == [scene.before]
            if number % 2:
                scene.go_back(safety.path)
                assert scene.now == scene.before
        assert scene.restore().plan.target == scene.snapshot.content
        assert scene.now == scene.target
    assert changed >= (3 if story == "one write" else 5)


def test_killed_in_the_middle_twice_the_first_state_is_still_kept(scene_of):
    """The second safety snapshot is of the state between: the first must not be lost to it."""
    scene, root = scene_of("two writes")
    rehearsal, _ = scene_of("two writes")
    rehearsal.restore()
    first_write = [r.operation_id for r in rehearsal.airbyte.journal].index("createOrUpdateStateSafe") + 1
    kill_after(scene.airbyte, root, first_write)
    assert scene.now not in (scene.before, scene.target)
    scene.restore()
    assert scene.now == scene.target
    assert scene.before in scene.kept
    assert scene.store.latest(CONNECTION) == scene.ref


def test_two_restores_at_once_end_in_the_target(scene_of):
    """Somebody runs the restore again while it still runs."""
    scene, root = scene_of("two writes")
    errors = []

    def restore() -> None:
        try:
            restore_latest(scene.airbyte.url, str(root))
        except Exception as error:
            errors.append(error)

    with ExitStack() as stack:
        for _ in range(2):
            thread = threading.Thread(target=restore)
            thread.start()
            stack.callback(thread.join)
    assert all(isinstance(error, AirbyteRestoreError) for error in errors), errors
    scene.restore()
    assert scene.now == scene.target
    assert scene.before in scene.kept
