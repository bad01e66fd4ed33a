"""No job runs on that nobody waits for, and none is cancelled that somebody wants, in a real Airflow."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process_chaos import KINDS, STARTS, HarshAirflow, OwnAirbyte, Scene, stage

from airflow_airbyte_ext.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("worker", "deferred")
# What Airflow says when it takes a trigger away.
ON_KILL = "invoking on_kill"


@pytest.fixture(scope="module")
def airbyte() -> Iterator[OwnAirbyte]:
    with OwnAirbyte(auth="client_credentials") as airbyte:
        yield airbyte


@pytest.fixture(scope="module")
def airflow(airbyte: OwnAirbyte, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HarshAirflow]:
    with HarshAirflow(tmp_path_factory.mktemp("no_orphan"), Path(__file__).parent / "dags") as airflow:
        airflow.add_airbyte(airbyte)  # type: ignore[attr-defined]
        yield airflow


# Ended by a user while the response to the submission is still out: alone, for the responses are those of any scene.


def marked_before_it_knows_its_job(kind: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind).begin()
    scene.until(lambda: len(scene.jobs()) == 1, "the job is there, and its response not yet")
    assert scene.run
    scene.run.mark("failed")
    scene.ends("failed", "cancelled")


SUBMITTING = {kind: partial(marked_before_it_knows_its_job, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def submitting(airflow: HarshAirflow, airbyte: OwnAirbyte) -> Iterator[Callable[[str], None]]:
    for operation in STARTS.values():
        airbyte.fake.fail_next(operation, Fault.delay(60))
    yield from stage(airflow, airbyte, SUBMITTING)


@pytest.mark.parametrize("scene", SUBMITTING)
def test_marking_a_task_that_does_not_know_its_job_yet_cancels_the_job(submitting, scene) -> None:
    submitting(scene)


# Ended by a user, or by the clock, while it waits: all at once.


def is_marked(kind: str, mode: str, state: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind, mode).begin_to_wait()
    assert scene.run
    scene.run.mark(state)
    scene.ends(state, "cancelled")


def is_cleared(kind: str, mode: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind, mode).begin_to_wait()
    assert scene.run
    scene.run.clear()
    scene.ends("success", "cancelled", "succeeded")


def runs_out_of_time(kind: str, mode: str, variant: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind, mode, variant).begin()
    scene.ends("failed", "cancelled")
    error = "AirflowTaskTimeout" if variant == "execution_timeout" else "AirbyteJobTimeoutError"
    assert error in scene.log()


def leaves_the_job_of_somebody_else(
    mode: str, variant: str, mark: str | None, airflow: HarshAirflow, airbyte: OwnAirbyte
) -> None:
    scene = Scene(airflow, airbyte, "sync", mode, variant)
    scene.foreign()
    scene.begin()
    if mark:
        scene.waits()
        assert scene.run
        scene.run.mark(mark)
    _is_left(scene, mark)


def leaves_its_own_job_when_told_to(
    mode: str, variant: str, mark: str | None, airflow: HarshAirflow, airbyte: OwnAirbyte
) -> None:
    scene = Scene(airflow, airbyte, "sync", mode, variant).begin()
    if mark:
        scene.waits()
        assert scene.run
        scene.run.mark(mark)
    _is_left(scene, mark)


def _is_left(scene: Scene, mark: str | None) -> None:
    """The task has ended, all of it, and its job runs."""
    scene.is_in("failed")
    if scene.mode == "worker":
        pid = scene.task()["pid"]
        scene.until(lambda: not Path(f"/proc/{pid}").exists(), "its process has ended")
    elif mark:
        scene.until(lambda: ON_KILL in scene.log(), "its trigger has ended")
    assert scene.jobs() in (["pending"], ["running"])
    scene.succeed()
    scene.ends("failed", "succeeded")


def is_cleared_and_goes_on_with_the_job_that_was_left(mode: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode, "kill_spares").begin_to_wait()
    assert scene.run
    scene.run.clear()
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


SCENES = {
    **{
        f"marked-{kind}-deferred-{state}": partial(is_marked, kind, "deferred", state)
        for kind in KINDS
        for state in ("failed", "success")
    },
    **{f"marked-{kind}-worker-success": partial(is_marked, kind, "worker", "success") for kind in KINDS},
    **{f"cleared-{kind}-{mode}": partial(is_cleared, kind, mode) for kind in KINDS for mode in MODES},
    **{
        f"late-sync-{mode}-{variant}": partial(runs_out_of_time, "sync", mode, variant)
        for mode in MODES
        for variant in ("execution_timeout", "wait_timeout")
    },
    **{
        f"late-{kind}-deferred-execution_timeout": partial(runs_out_of_time, kind, "deferred", "execution_timeout")
        for kind in ("reset", "refresh")
    },
    **{f"attached-{mode}-late": partial(leaves_the_job_of_somebody_else, mode, "wait_timeout", None) for mode in MODES},
    **{f"attached-{mode}-marked": partial(leaves_the_job_of_somebody_else, mode, "plain", "failed") for mode in MODES},
    **{f"spared-{mode}-late": partial(leaves_its_own_job_when_told_to, mode, "timeout_spares", None) for mode in MODES},
    **{
        f"spared-{mode}-marked": partial(leaves_its_own_job_when_told_to, mode, "kill_spares", "failed")
        for mode in MODES
    },
    **{f"spared-{mode}-cleared": partial(is_cleared_and_goes_on_with_the_job_that_was_left, mode) for mode in MODES},
}


@pytest.fixture(scope="module")
def played(submitting, airflow: HarshAirflow, airbyte: OwnAirbyte) -> Iterator[Callable[[str], None]]:
    yield from stage(airflow, airbyte, SCENES)


def scenes_of(*beginnings: str) -> list[str]:
    return [name for name in SCENES if name.startswith(beginnings)]


@pytest.mark.parametrize("scene", scenes_of("marked"))
def test_marking_a_task_that_waits_cancels_its_job(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", scenes_of("cleared"))
def test_clearing_a_task_that_waits_cancels_its_job_and_runs_one_more(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", scenes_of("late"))
def test_a_task_whose_time_is_over_cancels_its_job(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", scenes_of("attached", "spared"))
def test_the_job_of_somebody_else_and_one_that_is_to_be_spared_run_on(played, scene) -> None:
    played(scene)


def test_a_triggerer_that_was_frozen_cancels_nothing_when_it_wakes(played, airflow, airbyte) -> None:
    """The other one has taken its tasks over; ending one of them there cancels that one's job alone."""
    scenes = [Scene(airflow, airbyte, kind, "deferred").begin() for kind in (*KINDS, "sync")]
    for scene in scenes:
        scene.waits()
    before = {scene.watched_by() for scene in scenes}
    airflow.start_another("triggerer")
    airflow.send("triggerer", signal.SIGSTOP)
    for scene in scenes:
        scene.until(lambda scene=scene: scene.watched_by() not in {*before, None}, "the other triggerer has it")
    airflow.send("triggerer", signal.SIGCONT)
    for scene in scenes:
        scene.until(lambda scene=scene: ON_KILL in scene.log(), "the first triggerer gives it up")
    *going, ended = scenes
    assert ended.run
    ended.run.mark("failed")
    ended.ends("failed", "cancelled")
    assert [scene.jobs() for scene in going] == [["running"]] * 3
    for scene in going:
        scene.succeed()
        scene.ends("success", "succeeded")
        assert scene.task()["try_number"] == 1


def test_no_job_runs_on_after_all_this(played, airbyte) -> None:
    assert airbyte.fake.running() == []


def test_a_task_marked_before_a_triggerer_has_it_leaves_its_job(played, airflow, airbyte) -> None:
    """Airflow 3.3 tells nobody of that, and docs/operators.md says so; when this fails, Airflow does, and it can go."""
    for triggerer in airflow.triggerers():
        airflow.send(triggerer, signal.SIGSTOP)
    scene = Scene(airflow, airbyte, "sync", "deferred").begin()
    try:
        scene.is_in("deferred")
        assert scene.run
        scene.run.mark("failed")
    finally:
        for triggerer in airflow.triggerers():
            airflow.send(triggerer, signal.SIGCONT)
    after = Scene(airflow, airbyte, "sync", "deferred", script=None).begin()
    after.ends("success", "succeeded")
    assert scene.jobs() in (["pending"], ["running"])
