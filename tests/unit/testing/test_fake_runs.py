"""Which job a connection runs next, what becomes of requests while one runs, and what a run does not do."""

from __future__ import annotations

import pytest
import requests
from worlds import ORDERS, USERS, Setting

from airflow_airbyte_ext.testing import FakeAirbyte, Step, Stream

HOUR = 3600.0
STORING = ["0.40", "0.50", "1.0", "2.0", "head"]


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


def jobs(here) -> list[tuple[str, str]]:
    return [(job.kind, job.status) for job in here.world.jobs()]


# Two requests


@pytest.mark.parametrize("era", STORING)
def test_whoever_asks_for_a_sync_while_one_is_pending_gets_that_job(era):
    """409 begins with `running`; what comes of `queued` is the same job, too."""
    here = Setting(era)
    here.world.default_script = [Step("pending")]
    job = here.world.sync(here.id)
    assert here.world.sync(here.id) is job
    job.force(Step("running"))
    assert here.refusal(here.world.sync, here.id)[0] == 409


@pytest.mark.parametrize("era", STORING)
def test_a_connection_counts_as_running_for_some_time_after_its_job(era):
    """Notifications and webhooks come after the final status; meanwhile a sync is a 409, and a cancel does nothing."""
    here = Setting(era)
    here.world.busy_after_end = 30.0
    job = here.world.sync(here.id)
    job.force(Step("succeeded"))
    here.time += 29
    assert here.refusal(here.world.sync, here.id)[0] == 409
    assert here.world.cancel(job.id).status == "succeeded"
    here.time += 1
    assert here.world.sync(here.id).id == job.id + 1


# Stored resets


@pytest.mark.parametrize("era", STORING)
def test_after_a_reset_that_failed_the_next_run_is_that_reset_again(era):
    here = Setting(era)
    here.world.reset(here.id, (USERS,)).force(Step("failed"))
    again = here.world.sync(here.id)
    assert (again.kind, again.streams) == ("reset_connection", (USERS,))
    again.force(Step("succeeded"))
    assert here.world.sync(here.id).kind == "sync"


@pytest.mark.parametrize("era", STORING)
def test_a_cancel_takes_a_stored_reset_back(era):
    here = Setting(era)
    here.world.cancel(here.world.reset(here.id).id)
    assert here.world.sync(here.id).kind == "sync"


def test_the_old_scheduler_stores_no_reset():
    here = Setting("0.36")
    here.world.reset(here.id).force(Step("failed"))
    assert here.world.sync(here.id).kind == "sync"


def test_a_second_reset_takes_the_streams_of_the_first_with_it():
    """The running reset makes way, and its rows stay."""
    here = Setting("2.0")
    here.world.reset(here.id, (USERS,))
    second = here.world.reset(here.id, (ORDERS,))
    assert jobs(here) == [("reset_connection", "cancelled"), ("reset_connection", "running")]
    assert set(second.streams) == {ORDERS, USERS}


def test_what_is_stored_goes_with_the_connection():
    here = Setting("2.0")
    here.world.reset(here.id).force(Step("failed"))
    here.world.delete(here.id)
    assert not here.connection.stored_resets


# What a reset meets


@pytest.mark.parametrize("era", STORING)
def test_a_reset_between_two_attempts_wakes_the_job_and_comes_after_it(era):
    """Nothing is cancelled; the request gets no response, since no other job starts."""
    here = Setting(era)
    here.world.script(here.id, [Step("incomplete"), Step("running")], repeat=False)
    job = here.world.sync(here.id)
    assert here.hangs(here.world.reset, here.id)
    assert job.status == "running"
    job.force(Step("succeeded"))
    assert here.world.sync(here.id).kind == "reset_connection"


@pytest.mark.parametrize(("era", "waits"), [("0.40", False), ("2.0", False), ("2.1.0", True), ("head", True)])
def test_a_reset_while_a_job_is_pending_waits_since_2_1(era, waits):
    """Before, the pending job fails, and the reset starts at once."""
    here = Setting(era)
    here.world.script(here.id, [Step("pending")], repeat=False)
    here.world.sync(here.id)
    if waits:
        assert here.hangs(here.world.reset, here.id)
        assert jobs(here) == [("sync", "pending")]
    else:
        here.world.reset(here.id)
        assert jobs(here) == [("sync", "failed"), ("reset_connection", "running")]


# What a cancel meets


@pytest.mark.parametrize("era", STORING)
def test_a_pending_job_ignores_a_cancel(era):
    here = Setting(era)
    here.world.default_script = [Step("pending")]
    job = here.world.sync(here.id)
    assert here.world.cancel(job.id).status == "pending"
    assert not job.cancel_requested


@pytest.mark.parametrize(("era", "fails"), [("0.40.6", False), ("0.40.7", True), ("1.0", True), ("head", True)])
def test_a_cancel_of_an_idle_connection_is_a_failure_since_0_40_7(era, fails):
    here = Setting(era)
    job = here.world.sync(here.id)
    job.force(Step("succeeded"))
    if fails:
        assert here.refusal(here.world.cancel, job.id) == (500, "Could not find job with id: -1")
    else:
        assert here.world.cancel(job.id).status == "succeeded"


@pytest.mark.parametrize(("era", "again"), [("0.36", True), ("0.50", True), ("1.3.0", True), ("1.4.0", False)])
def test_up_to_1_3_a_scheduled_run_that_is_cancelled_starts_again_at_once(era, again):
    """The schedule counts from the last job that was not cancelled."""
    here = Setting(era)
    here.connection.schedule_data = {"basicSchedule": {"timeUnit": "hours", "units": 6}}
    here.world.sync(here.id).force(Step("succeeded"))
    here.time += 6 * HOUR
    here.world.cancel(here.world.sync(here.id).id)
    expected = [("sync", "succeeded"), ("sync", "cancelled")]
    assert jobs(here) == ([*expected, ("sync", "running")] if again else expected)


def test_a_run_cancelled_long_before_the_next_stays_cancelled():
    """A run that is cancelled long before the next is due stays cancelled."""
    here = Setting("1.0")
    here.connection.schedule_data = {"basicSchedule": {"timeUnit": "hours", "units": 6}}
    here.world.sync(here.id).force(Step("succeeded"))
    here.world.cancel(here.world.sync(here.id).id)
    assert jobs(here) == [("sync", "succeeded"), ("sync", "cancelled")]


# Runs of an inactive connection


@pytest.mark.parametrize(
    ("era", "status", "rows"),
    [("0.50", "succeeded", 2), ("0.58.0", "succeeded", 2), ("0.58.1", "cancelled", 2), ("0.62.0", "cancelled", 0)],
)
def test_a_reset_of_an_inactive_connection_moves_nothing(era, status, rows):
    """It is accepted; since 0.62.0 the state goes when its attempt begins. Only a success takes what is stored."""
    here = Setting(era)
    here.connection.state.advance([(ORDERS, 1), (USERS, 1)], "stream")
    here.world.set_status(here.id, "inactive")
    job = here.world.reset(here.id)
    assert (job.status, job.attempts[-1].records) == (status, 0)
    assert len(here.connection.state.read().get("streamState", [])) == rows
    here.world.set_status(here.id, "active")
    assert here.world.sync(here.id).kind == ("sync" if status == "succeeded" else "reset_connection")


def test_before_0_40_29_an_inactive_connection_is_read_like_any_other():
    here = Setting("0.40.28")
    here.world.set_status(here.id, "inactive")
    assert here.world.sync(here.id).status == "running"


@pytest.mark.parametrize("status", ["inactive", "locked"])
def test_a_refresh_of_a_connection_that_is_not_active_loses_its_state(status):
    here = Setting("2.1.0")
    here.connection.state.advance([(ORDERS, 1), (USERS, 1)], "stream")
    here.world.set_status(here.id, status)
    job = here.world.refresh(here.id, ())
    assert (job.kind, job.status, here.connection.state.kind) == ("refresh", "cancelled", "not_set")


def test_a_connection_that_is_switched_off_while_it_runs_runs_on():
    """The status is checked when an attempt begins."""
    here = Setting("2.0")
    job = here.world.sync(here.id)
    here.world.set_status(here.id, "inactive")
    job.force(Step("succeeded", records=3))
    assert (job.status, job.attempts[-1].records) == ("succeeded", 3)


# Stored refreshes

BODY = {"refreshMode": "Truncate"}
BUSY = {
    "0.63.0": (200, {"value": True}),
    "0.63.9": (500, None),
    "1.1.0": (500, None),
    "1.3.0": (500, None),
    "1.4.0": (200, {}),
    "head": (200, {}),
}


@pytest.mark.parametrize("era", BUSY)
def test_a_refresh_while_a_job_runs_is_stored_whatever_the_response(era):
    """And a sync that somebody requests later is that refresh."""
    status, body = BUSY[era]
    with FakeAirbyte(era) as airbyte:
        airbyte.default_script = [Step("running")]
        connection_id = airbyte.add_connection(streams=["a", ("public", "b")])
        running = airbyte.start_job(connection_id)
        streams = [{"streamName": "b", "streamNamespace": "public"}]
        response = ask(airbyte, "connections/refresh", status, connectionId=connection_id, streams=streams, **BODY)
        assert body is None or response == body
        assert airbyte.next_run(connection_id) == {"refresh": [("public", "b")]}
        airbyte.advance(running, "succeeded")
        job = ask(airbyte, "connections/sync", connectionId=connection_id)["job"]
        assert job["configType"] == "refresh"
        assert airbyte.next_run(connection_id) == {"sync": []}


@pytest.mark.parametrize(("era", "status"), [("0.63.0", 200), ("0.63.9", 500), ("2.0", 500)])
def test_a_refresh_that_gets_a_pending_sync_is_stored(era, status):
    """Since 0.63.9 the server wants the streams of a refresh from the job that it got."""
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        airbyte.start_job(connection_id)
        ask(airbyte, "connections/refresh", status, connectionId=connection_id, **BODY)
        assert airbyte.next_run(connection_id) == {"refresh": [(None, "orders")]}


def test_a_stored_reset_comes_before_a_stored_refresh():
    here = Setting("0.63.0")
    here.world.reset(here.id).force(Step("failed"))
    assert here.world.refresh(here.id, ()).kind == "reset_connection"
    here.world.cancel(1 + 1)
    assert [here.world.sync(here.id).kind] == ["refresh"]


@pytest.mark.parametrize(("era", "needs"), [("0.57.2", True), ("0.62.1", True), ("0.62.2", False)])
def test_before_0_62_2_refreshes_need_a_flag(era, needs):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        response = ask(airbyte, "connections/refresh", connectionId=connection_id, **BODY)
        assert response == {"value": not needs}
        assert len(airbyte.jobs()) == (0 if needs else 1)
        if needs:
            airbyte.refreshes_activated = True
            assert ask(airbyte, "connections/refresh", connectionId=connection_id, **BODY) == {"value": True}


def test_whether_a_destination_supports_refreshes_is_in_its_version():
    """Of web_backend since 0.63.2, of the destination itself since 0.62.1."""
    for era, alone, shown in (("0.62.0", None, None), ("0.62.1", False, None), ("0.63.2", False, False)):
        with FakeAirbyte(era) as airbyte:
            destination = airbyte.add_destination("Old", supports_refreshes=False)
            connection_id = airbyte.add_connection(destination="Old")
            version = ask(airbyte, "actor_definition_versions/get_for_destination", destinationId=destination)
            assert version.get("supportsRefreshes") is alone
            whole = ask(airbyte, "web_backend/connections/get", connectionId=connection_id)
            assert whole.get("destinationActorDefinitionVersion", {}).get("supportsRefreshes") is shown


# What jobs do to state

FULL = Stream("full", sync_mode="full_refresh")


def stream_rows(*names):
    return [{"streamDescriptor": {"name": name}, "streamState": {"cursor": "1"}} for name in names]


def with_state(era, *streams, shared=False, rows=("orders", "full")):
    here = Setting(era, streams)
    kept = stream_rows(*rows)
    state = {"stateType": "stream", "streamState": kept}
    if shared:
        state = {"stateType": "global", "globalState": {"shared_state": {"lsn": 1}, "streamStates": kept}}
    here.connection.state.replace(state)
    return here


def left(here):
    state = here.connection.state.read()
    rows = state.get("streamState") or state.get("globalState", {}).get("streamStates", [])
    return {row["streamDescriptor"]["name"] for row in rows}, "shared_state" in state.get("globalState", {})


@pytest.mark.parametrize(
    ("era", "first"),
    [("0.57.4", {"orders", "full"}), ("0.58.0", {"orders"}), ("0.62.0", {"orders"}), ("2.0", {"orders"})],
)
def test_a_sync_begins_without_the_state_of_its_full_refreshes(era, first):
    here = with_state(era, ORDERS, FULL)
    here.world.sync(here.id)
    assert left(here) == (first, False)


@pytest.mark.parametrize(("resumable", "kept"), [(True, {"orders", "full"}), (False, {"orders"})])
def test_a_later_attempt_keeps_the_state_of_what_it_resumes(resumable, kept):
    here = with_state("2.0", ORDERS, FULL)
    here.connection.catalog[1]["stream"]["isResumable"] = resumable
    here.world.script(here.id, [Step("running"), Step("incomplete"), Step("running")], repeat=False)
    job = here.world.sync(here.id)
    here.connection.state.write({"stateType": "stream", "streamState": stream_rows("orders", "full")})
    job.move_on(here.time)
    job.move_on(here.time)
    assert (job.status, left(here)) == ("running", (kept, False))


@pytest.mark.parametrize(("era", "at_once"), [("0.61.0", True), ("0.62.0", False)])
def test_a_refresh_loses_the_state_when_it_is_created_before_0_62(era, at_once):
    here = with_state(era, ORDERS, USERS, rows=("orders",))
    here.world.refreshes_activated = True
    here.world.default_script = [Step("pending")]
    job = here.world.refresh(here.id, (ORDERS,))
    assert left(here) == (set() if at_once else {"orders"}, False)
    job.force(Step("running"))
    assert left(here) == (set(), False)


@pytest.mark.parametrize(
    ("era", "rows", "expected"),
    [
        ("0.62.0", ("orders", "full"), (set(), True)),
        ("0.63.2", ("orders", "full"), (set(), False)),
        ("0.63.2", ("orders", "full", "orphan"), ({"orphan"}, True)),
        ("1.7.0", ("orders", "full", "orphan"), ({"orphan"}, True)),
        ("1.8.0", ("orders", "full", "orphan"), (set(), False)),
    ],
)
def test_what_a_clear_leaves_of_a_global_state(era, rows, expected):
    """The shared part goes when exactly what has state is cleared, and since 1.8.0 when the whole catalog is."""
    here = with_state(era, ORDERS, FULL, shared=True, rows=rows)
    here.world.reset(here.id)
    assert left(here) == expected


def test_a_reset_that_fails_does_not_bring_state_back():
    here = with_state("2.0", ORDERS, FULL)
    here.world.reset(here.id).force(Step("failed"))
    assert left(here) == (set(), False)


def test_the_pod_of_a_cancelled_job_writes_its_state_once_more():
    """Also over what was written meanwhile, and over what a reset has cleared."""
    here = with_state("2.0", ORDERS, rows=("orders",))
    here.world.late_state_after = 40.0
    here.world.default_script = [Step("running", records=9)]
    here.world.cancel(here.world.sync(here.id).id)
    here.world.write_state(here.id, {"stateType": "stream", "streamState": stream_rows("orders")}, safe=True)
    here.time += 39
    assert here.world.state_of(here.connection).read()["streamState"][0]["streamState"] == {"cursor": "1"}
    here.time += 1
    assert here.world.state_of(here.connection).read()["streamState"][0]["streamState"] == {"cursor": "10"}
    here.world.sync(here.id)
    here.world.reset(here.id)
    assert left(here) == (set(), False)
    here.time += 40
    here.world.state_of(here.connection)
    assert left(here) == ({"orders"}, False)


def test_a_job_cancelled_at_once_is_followed_by_another():
    """A job that is cancelled as soon as it is made is followed by another."""
    here = Setting("1.0")
    here.connection.schedule_data = {"basicSchedule": {"timeUnit": "hours", "units": 6}}
    here.world.script(here.id, [Step("cancelled")], repeat=False)
    here.world.sync(here.id)
    assert [(job.id, job.status) for job in here.world.jobs()] == [(1, "cancelled"), (2, "running")]
