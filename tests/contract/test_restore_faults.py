"""The fault matrix of a restore: each of its requests goes wrong in each way, and what the state is stays known."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
from restoring import CONNECTION, ONE_STEP, TWO_STEPS, WRITES, Scene, poison_in

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConnectionUnknownError,
    AirbyteError,
    AirbyteRestoreRefusedError,
    AirbyteRestoreUnverifiedError,
)
from airflow_airbyte_ext.snapshots.restore import TRIES
from airflow_airbyte_ext.testing import Fault

OPAQUE = {"errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}
BUSY = {"message": "busy", **OPAQUE}
FAULTS = {
    "drop before": Fault.drop_before(),
    "drop after": Fault.drop_after(),
    "truncated": Fault.truncated(),
    "late": Fault.delay(0.3),
    "web page": Fault.html(),
    "400": Fault.status(400, OPAQUE),
    "401": Fault.status(401, ""),
    "403": Fault.status(403, ""),
    "404": Fault.status(404, OPAQUE),
    "409": Fault.status(409, BUSY),
    "423": Fault.status(423, BUSY),
    "429": Fault.status(429),
    "500": Fault.status(500, OPAQUE),
    "500 after": Fault.status(500, OPAQUE, effect=True),
    "503": Fault.status(503),
    "504 after": Fault.status(504, effect=True),
}
STORIES = {"one write": ONE_STEP, "two writes": TWO_STEPS}


class InterruptedClock:
    """The test's clock, during whose first pause something happens."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self.in_pause = None

    def __getattr__(self, name):
        return getattr(self._clock, name)

    def sleep(self, seconds: float) -> None:
        act, self.in_pause = self.in_pause, None
        if act:
            act()
        self._clock.sleep(seconds)


@pytest.fixture
def scene_of(start_fake, clock, tmp_path):
    """Make scenes, each with a store of its own, and a client that neither knows the release nor waits for long."""
    with ExitStack() as stack:

        def make(story, era="2.0"):
            airbyte = start_fake(era)
            pausing = InterruptedClock(clock)

            def client(timeout):
                settings = ClientSettings(base_url=airbyte.url, timeout=timeout)
                return stack.enter_context(AirbyteClient(settings, clock=pausing))

            root = tmp_path / str(len(list(tmp_path.iterdir())))
            scene = Scene(airbyte, client(30), pausing, root, *STORIES[story])
            scene.restoring = client(0.15)  # type: ignore[attr-defined]
            return scene

        yield make


def requests_of(scene_of, *about) -> list[str]:
    """The operations of a restore that goes well, in their order."""
    scene = scene_of(*about)
    scene.restore(client=scene.restoring)
    return [request.operation_id for request in scene.airbyte.journal]


def fail_at(airbyte, number: int, fault: Fault) -> None:
    """Let the request with this number go wrong, counted from 0."""
    if number:
        airbyte.fail_next("*", Fault.delay(0), times=number)
    airbyte.fail_next("*", fault)


def attempt(scene, **how) -> AirbyteError | None:
    """Restore, and return the error."""
    try:
        scene.restore(client=scene.restoring, **how)
    except AirbyteError as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("story", STORIES)
def test_after_a_fault_at_any_request_the_state_is_known(scene_of, story, fault):
    """
    The new state and no complaint; the old state and an error; or an error that names a safety snapshot.

    Only with the last may the state be another one, and then both ways lead out of it: running the restore again, and
    restoring the safety snapshot.
    """
    failed = {}
    for number, name in enumerate(requests_of(scene_of, story)):
        scene = scene_of(story)
        fail_at(scene.airbyte, number, FAULTS[fault])
        error = attempt(scene)
        try:
            check(scene, error)
            check_ways_out(scene, error)
        except AssertionError as wrong:
            failed[f"{number} {name}"] = str(wrong).splitlines()[0]
    assert not failed


def check_ways_out(scene: Scene, error: AirbyteError | None) -> None:
    if isinstance(error, AirbyteRestoreUnverifiedError):
        scene.go_back(error.safety_snapshot)
        assert scene.now == scene.before, "the safety snapshot does not lead back"
    scene.restore()
    assert scene.now == scene.target, "running the restore again does not end in its target"


def check(scene: Scene, error: AirbyteError | None) -> None:
    """Hold the outcome against what may be."""
    assert scene.airbyte.pending_faults() == []
    assert not any(map(poison_in, scene.sent)), "poison was sent"
    if error is None:
        assert scene.now == scene.target
        assert scene.kept == [scene.before]
        return
    if not isinstance(error, AirbyteRestoreUnverifiedError):
        assert scene.now == scene.before, f"an error of before the first write, but the state has changed: {error!r}"
        if isinstance(error, AirbyteRestoreRefusedError):
            assert re.search("nothing was (changed|written)", str(error), re.IGNORECASE)
            return
        assert isinstance(error, AirbyteApiError | AirbyteConnectionUnknownError), repr(error)
        assert scene.sent == [], f"state was written, and yet the error is a bare {error!r}"
        return
    assert scene.kept[-1] == scene.before
    assert error.safety_snapshot == scene.store.snapshots(scene.ref.connection_id, safety=True)[-1].path
    assert scene.store.snapshots(scene.ref.connection_id, safety=True)[-1].id in str(error)


@pytest.mark.parametrize("fault", ["drop before", "500", "401", "web page"])
@pytest.mark.parametrize("story", STORIES)
def test_when_airbyte_is_gone_from_some_request_on_the_state_is_known(scene_of, story, fault):
    """It does not come back while the restore runs, and is as it was afterwards."""
    for number in range(len(requests_of(scene_of, story))):
        scene = scene_of(story)
        if number:
            scene.airbyte.fail_next("*", Fault.delay(0), times=number)
        scene.airbyte.fail_next("*", FAULTS[fault], times=1000)
        error = attempt(scene)
        assert error is not None
        sent = scene.sent
        assert not any(map(poison_in, sent))
        assert not sent or isinstance(error, AirbyteRestoreUnverifiedError), repr(error)
        scene.airbyte.reset()
        check(scene, error)
        check_ways_out(scene, error)


@pytest.mark.parametrize("fault", ["drop before", "drop after", "truncated", "500 after", "423", "503"])
@pytest.mark.parametrize("era", ["0.40", "0.50", "1.0", "head"])
def test_a_write_goes_wrong_in_every_era(scene_of, era, fault):
    """Also where the release has no safe operation, and responses in another way."""
    names = requests_of(scene_of, "two writes", era)
    writes = [number for number, name in enumerate(names) if name in WRITES]
    assert len(writes) == 2
    for number in writes:
        scene = scene_of("two writes", era)
        fail_at(scene.airbyte, number, FAULTS[fault])
        error = attempt(scene)
        check(scene, error)
        check_ways_out(scene, error)


@pytest.mark.parametrize("kind", ["sync", "reset_connection", "refresh"])
@pytest.mark.parametrize("story", STORIES)
def test_a_job_that_starts_between_two_requests_is_told(scene_of, story, kind):
    """It may read, or write, any state in between: the restore never says that all is well."""
    for number, name in enumerate(requests_of(scene_of, story)):
        scene = scene_of(story)
        # The client comes back after its pause, in which the job starts.
        fail_at(scene.airbyte, number, Fault.status(429))
        scene.clock.in_pause = lambda scene=scene: scene.airbyte.start_job(CONNECTION, kind)
        error = attempt(scene)
        assert error is not None, f"a {kind} that started before request {number}, {name}, was not told"
        assert scene.airbyte.pending_faults() == []
        if isinstance(error, AirbyteRestoreUnverifiedError):
            check(scene, error)
        else:
            # The job itself may have moved the state, as a reset does; the restore has not.
            assert scene.sent == [] or scene.now == scene.before
            assert re.search("nothing was (changed|written)", str(error), re.IGNORECASE)


@pytest.mark.parametrize("story", STORIES)
def test_a_job_that_came_and_went_is_told(scene_of, story):
    """It has ended when the restore looks again, and may have moved the state all the same."""
    names = requests_of(scene_of, story)
    for number in [number for number, name in enumerate(names) if name in WRITES]:
        scene = scene_of(story)
        fail_at(scene.airbyte, number, Fault.status(429))
        scene.clock.in_pause = lambda scene=scene: scene.airbyte.advance(
            scene.airbyte.start_job(CONNECTION), "cancelled"
        )
        error = attempt(scene)
        assert isinstance(error, AirbyteRestoreUnverifiedError), (number, error)
        check(scene, error)
        check_ways_out(scene, error)


@pytest.mark.parametrize(
    ("fault", "times"),
    [*((FAULTS[name], 1) for name in ("400", "403", "409")), (Fault.status(413), 1), (FAULTS["500"], TRIES)],
)
def test_a_second_write_that_fails_is_taken_back(scene_of, fault, times):
    """Until somebody runs the restore again, a sync would find no state at all, and read everything."""
    scene = scene_of("two writes")
    scene.airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(0))
    scene.airbyte.fail_next("createOrUpdateStateSafe", fault, times=times)
    error = attempt(scene)
    assert isinstance(error, AirbyteRestoreRefusedError)
    assert error.retryable == (fault.code in (409, 500))
    assert scene.now == scene.before


def test_a_second_write_is_not_taken_back_while_a_job_runs(scene_of):
    """It has read the state that it found, and goes on from there."""
    scene = scene_of("two writes")
    scene.airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(0))
    scene.airbyte.fail_next("createOrUpdateStateSafe", Fault.status(429))
    scene.clock.in_pause = lambda: scene.airbyte.start_job(CONNECTION)
    error = attempt(scene)
    assert isinstance(error, AirbyteRestoreUnverifiedError)
    assert scene.now[0] == "not_set"
    assert len(scene.sent) == 3
