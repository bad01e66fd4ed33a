"""Exactly one job and the right verdict, in a real Airflow whose processes die, freeze and are away."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process_chaos import READS, STARTS, HarshAirflow, OwnAirbyte, Scene, stage
from real_airflow import until

from airflow_airbyte_ext.testing import Fault, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("worker", "deferred")
TOKEN_LIFETIME = 15
FROZEN, REFUSING = 30.0, 10.0


@pytest.fixture(scope="module")
def airbyte() -> Iterator[OwnAirbyte]:
    with OwnAirbyte(auth="client_credentials", token_lifetime=TOKEN_LIFETIME) as airbyte:
        yield airbyte


@pytest.fixture(scope="module")
def airflow(airbyte: OwnAirbyte, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HarshAirflow]:
    with HarshAirflow(tmp_path_factory.mktemp("one_job"), Path(__file__).parent / "dags") as airflow:
        airflow.add_airbyte(airbyte)  # type: ignore[attr-defined]
        yield airflow


# Killed tasks: all at once. Each start of a job waits for its response while its task is killed.


def killed_before_it_knows_its_job(kind: str, mode: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind, mode).begin()
    scene.until(lambda: len(scene.jobs()) == 1, "the job is there, and its response not yet")
    assert scene.kept() is None
    scene.kill_9()
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


KILLED_EARLY = {
    f"{kind}-{mode}": partial(killed_before_it_knows_its_job, kind, mode) for kind in STARTS for mode in MODES
}


@pytest.fixture(scope="module")
def killed_early(airflow: HarshAirflow, airbyte: OwnAirbyte) -> Iterator[Callable[[str], None]]:
    for operation in STARTS.values():
        airbyte.fake.fail_next(operation, Fault.delay(60), times=len(MODES))
    yield from stage(airflow, airbyte, KILLED_EARLY)


@pytest.mark.parametrize("scene", KILLED_EARLY)
def test_kill_9_between_submit_and_persist_leaves_one_job(killed_early, scene) -> None:
    """Kill -9 between submit and persist leaves one job that the retry finds."""
    killed_early(scene)


# Killed later, and what runs already: all at once.


def killed_as_soon_as_it_is_kept(kind: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind, script=[Step("pending", polls=5), Step("running", seconds=3600)]).begin()
    scene.until(lambda: scene.kept() is not None, "the job is kept")
    scene.kill_9()
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


def killed_while_it_waits(kind: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind).begin_to_wait()
    scene.kill_9()
    scene.waits(try_number=2)
    scene.kill_9()
    scene.waits(try_number=3)
    scene.succeed()
    scene.ends("success", "succeeded")


def terminated_as_at_a_deployment(kind: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, kind).begin_to_wait()
    os.kill(_parent(scene.process()), signal.SIGTERM)
    scene.waits(try_number=2)
    assert "Airflow still wants this task" in scene.log()
    scene.succeed()
    scene.ends("success", "succeeded")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def outlives_its_token(mode: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode).begin_to_wait()
    job_id = scene.job_id()
    scene.until(lambda: len(airbyte.fake.tokens_of_reads(job_id)) >= 3, "the third token is in use")
    scene.succeed()
    scene.ends("success", "succeeded")
    assert scene.task()["try_number"] == 1


def attaches(mode: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode)
    scene.foreign()
    scene.begin_to_wait(if_running="attach")
    scene.succeed()
    scene.ends("success", "succeeded")
    assert scene.run
    assert scene.run.xcom()["attached"] is True


def waits_first(mode: str, foreign: str, if_running: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode)
    scene.foreign(foreign)
    scene.begin_to_wait(if_running=if_running)
    assert len(scene.jobs()) == 1
    scene.succeed()
    scene.ends("success", "succeeded", "succeeded")
    assert scene.kinds() == ["reset_connection" if foreign == "reset" else "sync", "sync"]
    assert scene.run
    assert scene.run.xcom()["attached"] is False


def is_skipped(mode: str, foreign: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode)
    scene.foreign(foreign)
    scene.begin(if_running="skip")
    assert scene.is_in("skipped", "success", "failed")["state"] == "skipped"
    assert len(scene.jobs()) == 1
    scene.succeed()
    scene.ends("skipped", "succeeded")


def fails_until_the_way_is_free(mode: str, foreign: str, airflow: HarshAirflow, airbyte: OwnAirbyte) -> None:
    scene = Scene(airflow, airbyte, "sync", mode)
    scene.foreign(foreign)
    scene.begin(if_running="fail")
    scene.is_in("up_for_retry")
    assert len(scene.jobs()) == 1
    scene.succeed()
    scene.ends("success", "succeeded", "succeeded")
    assert "AirbyteJobRunningError" in scene.log()


SCENES = {
    **{f"kept-{kind}": partial(killed_as_soon_as_it_is_kept, kind) for kind in STARTS},
    **{f"waiting-{kind}": partial(killed_while_it_waits, kind) for kind in STARTS},
    **{f"terminated-{kind}": partial(terminated_as_at_a_deployment, kind) for kind in STARTS},
    **{f"token-{mode}": partial(outlives_its_token, mode) for mode in MODES},
    **{f"attach-{mode}": partial(attaches, mode) for mode in MODES},
    **{f"wait-{mode}-sync": partial(waits_first, mode, "sync", "wait") for mode in MODES},
    **{f"wait-{mode}-reset": partial(waits_first, mode, "reset", "wait") for mode in MODES},
    **{f"attach-{mode}-reset": partial(waits_first, mode, "reset", "attach") for mode in MODES},
    "skip-worker-sync": partial(is_skipped, "worker", "sync"),
    "skip-deferred-reset": partial(is_skipped, "deferred", "reset"),
    "fail-worker-sync": partial(fails_until_the_way_is_free, "worker", "sync"),
    "fail-deferred-reset": partial(fails_until_the_way_is_free, "deferred", "reset"),
}


@pytest.fixture(scope="module")
def played(killed_early, airflow: HarshAirflow, airbyte: OwnAirbyte) -> Iterator[Callable[[str], None]]:
    yield from stage(airflow, airbyte, SCENES)


@pytest.mark.parametrize("scene", [name for name in SCENES if name.startswith(("kept", "waiting"))])
def test_kill_9_of_the_task_leaves_one_job_that_the_retry_goes_on_with(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", [name for name in SCENES if name.startswith("terminated")])
def test_a_worker_that_shuts_down_leaves_its_job_to_the_retry(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", [name for name in SCENES if name.startswith("token")])
def test_a_wait_outlives_its_token(played, scene) -> None:
    played(scene)


@pytest.mark.parametrize("scene", [name for name in SCENES if name.startswith(("attach", "wait-", "skip", "fail"))])
def test_a_job_that_runs_already_is_dealt_with_as_asked(played, scene) -> None:
    played(scene)


# What is away for a while: one after the other, since all wait for the same.


def test_the_triggerer_is_killed_while_twenty_tasks_are_deferred(played, airflow, airbyte) -> None:
    """All jobs end while nobody watches; the new triggerer sees it with few requests."""
    scenes = [Scene(airflow, airbyte, "sync", "deferred").begin() for _ in range(20)]
    for scene in scenes:
        scene.waits()
    before = {scenes[0].watched_by(), None}
    airflow.kill("triggerer")
    for scene in scenes[:10]:
        scene.succeed()
    airflow.start("triggerer")
    reads = airbyte.fake.count(*READS)
    for scene in scenes[10:]:
        scene.until(lambda scene=scene: scene.watched_by() not in before, "the new triggerer has it")
        scene.succeed()
    for scene in scenes:
        scene.ends("success", "succeeded")
        assert scene.task()["try_number"] == 1
    assert airbyte.fake.count(*READS) - reads <= 200


def test_airbyte_answers_nothing_for_half_a_minute_and_then_refuses(played, airflow, airbyte) -> None:
    """Two jobs end meanwhile; the others go on afterwards."""
    script = [Step("pending"), Step("running", seconds=FROZEN / 2), Step("succeeded", records=1, bytes=1)]
    kinds = {"worker": ("sync", "refresh"), "deferred": ("sync", "reset")}
    going = [Scene(airflow, airbyte, kind, mode).begin() for mode in MODES for kind in kinds[mode]]
    for scene in going:
        scene.waits()
    ending = [Scene(airflow, airbyte, "sync", mode, script=script).begin() for mode in MODES]
    for scene in ending:
        scene.waits()
    airbyte.freeze()
    pass_time(FROZEN)
    airbyte.thaw()
    for scene in ending:
        scene.ends("success", "succeeded")
    airbyte.go_away()
    pass_time(REFUSING)
    airbyte.come_back()
    assert [scene.jobs() for scene in going] == [["running"]] * len(going)
    for scene in going:
        scene.succeed()
    for scene in going + ending:
        scene.ends("success", "succeeded")
        assert scene.task()["try_number"] == 1


def pass_time(seconds: float) -> None:
    """There is nothing to look for: an outage is its length."""
    time.sleep(seconds)


def test_the_api_server_is_away_until_the_workers_have_given_up(played, airflow, airbyte) -> None:
    """Three failed heartbeats end a task's process, not its job."""
    scenes = [Scene(airflow, airbyte, kind, variant="persistent").begin() for kind in STARTS]
    deferred = Scene(airflow, airbyte, "sync", "deferred", "persistent").begin()
    for scene in [*scenes, deferred]:
        scene.waits()
    processes = [scene.process() for scene in scenes]
    airflow.kill("api-server", signal.SIGTERM)
    until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes) or None,
        "Airflow has ended the processes",
        seconds=120,
    )
    deferred.succeed()
    assert [scene.jobs() for scene in scenes] == [["running"]] * 3
    airflow.start("api-server")
    until(airflow._is_ready, "the API server is back", seconds=120)
    for scene in scenes:
        scene.waits(try_number=2)
        scene.succeed()
    for scene in [*scenes, deferred]:
        scene.ends("success", "succeeded")


def test_no_job_runs_on_after_all_this(played, airbyte) -> None:
    assert airbyte.fake.running() == []
