"""The triggers of one triggerer: one watcher for all, and none of them lost, held up or left behind."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteJobNotFoundError,
    AirbyteJobStatusUnavailableError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.testing import FakeAirbyte, Fault, Step
from airflow_airbyte_ext.triggers import airbyte as trigger_module
from airflow_airbyte_ext.triggers import base, watching
from airflow_airbyte_ext.triggers.airbyte import AirbyteJobTrigger
from airflow_airbyte_ext.triggers.base import earliest_resume, raise_for_event, sleep_until

CONN_ID = "airbyte_config_default"
LOOKUP = "airflow.providers.common.compat.connection.get_async_connection"


@pytest.fixture(autouse=True)
def own_watchers(monkeypatch):
    """Each test begins as a new triggerer does."""
    monkeypatch.setattr(watching, "_watched", {})
    monkeypatch.setattr(watching, "_connecting", {})
    yield
    for known in watching._watched.values():
        known.watcher.retire()


@pytest.fixture
def lookups(monkeypatch):
    """Count how often Airflow is requested a Connection, and let it refuse or be slow."""
    from airflow.providers.common.compat import connection

    requested: list[str] = []
    refusals: list[Exception] = []
    real = connection.get_async_connection

    async def counted(conn_id: str):
        requested.append(conn_id)
        await asyncio.sleep(0.01)
        if refusals:
            raise refusals.pop(0)
        return await real(conn_id)

    monkeypatch.setattr(LOOKUP, counted)
    return requested, refusals


def trigger_for(airbyte: FakeAirbyte, job_id: int, **values) -> AirbyteJobTrigger:
    [job] = [job for job in airbyte.jobs() if job["id"] == job_id]
    known = {"workspace_id": airbyte.workspace_id, "updated_at": int(job["updated_at"])}
    usual = {"airbyte_conn_id": CONN_ID, "poll_interval": 0.2, "poll_error_timeout": 20.0, **known}
    made = AirbyteJobTrigger(**{**usual, "job_id": job_id, "connection_id": job["connection_id"], **values})
    path, arguments = made.serialize()
    assert path.endswith("AirbyteJobTrigger")
    return AirbyteJobTrigger(**json.loads(json.dumps(arguments)))


async def event_of(trigger: AirbyteJobTrigger) -> dict:
    [event] = [event.payload async for event in trigger.run()]
    return event


def start_jobs(airbyte: FakeAirbyte, count: int, *steps: Step) -> list[int]:
    airbyte.default_script = list(steps) or [Step("running", seconds=1.0), Step("succeeded")]
    return [airbyte.start_job(airbyte.add_connection(name=f"c{number}")) for number in range(count)]


def watched() -> set:
    return {wait for known in watching._watched.values() for wait in known.watcher._waits}


async def until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.01)


def test_three_hundred_triggers_need_few_requests(airbyte, lookups) -> None:
    """All end rightly, whatever the end; Airflow's database is asked once, and the loop is never held up."""
    jobs = start_jobs(airbyte, 300)
    for job_id in jobs[::3]:
        airbyte.advance(job_id, "failed")
    triggers = [trigger_for(airbyte, job_id) for job_id in jobs]
    airbyte.reset()

    async def run() -> list[dict]:
        return await asyncio.gather(*[event_of(trigger) for trigger in triggers])

    events = asyncio.run(run())
    assert [event["job_id"] for event in events] == jobs
    assert [event["status"] for event in events] == ["failed", "succeeded", "succeeded"] * 100
    assert lookups[0] == [CONN_ID]
    assert len(airbyte.journal) < 60
    assert len(airbyte.calls("getJobInfoLight")) <= 10  # of those that came first, while there was nobody else
    assert watched() == set()


@pytest.mark.parametrize("trouble", [False, True])
def test_no_event_comes_before_airflow_has_taken_the_task_for_deferred(airbyte, trouble) -> None:
    """Else it fails a task that runs again already: "reported that the task instance finished"."""
    [job_id] = start_jobs(airbyte, 1, Step("succeeded"))
    not_before = time.time() + 0.6
    deadline = time.time() - 1 if trouble else None
    event = asyncio.run(event_of(trigger_for(airbyte, job_id, not_before=not_before, deadline=deadline)))
    assert event["status" if not trouble else "job_id"]
    assert not_before <= time.time() < not_before + 1


def test_how_soon_a_task_may_be_resumed_follows_airflows_heartbeat(monkeypatch) -> None:
    assert 9 < earliest_resume() - time.time() <= 10
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "30")
    assert 34 < earliest_resume() - time.time() <= 35


def test_clocks_that_differ_delay_no_event_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(base, "MAX_DELAY", 0.1)
    began = time.monotonic()
    asyncio.run(sleep_until(time.time() + 3600))
    assert 0.1 <= time.monotonic() - began < 1


def test_two_connections_that_name_one_airbyte_share_a_watcher(airbyte, monkeypatch) -> None:
    """The bound on requests is Airbyte's, not the Connection's."""
    monkeypatch.setenv("AIRFLOW_CONN_TWIN", json.dumps({"conn_type": "airbyteconfig", "host": airbyte.url}))

    async def run() -> list:
        return [await watching.watcher_of(CONN_ID), await watching.watcher_of("twin")]

    first, second = asyncio.run(run())
    assert first is second


def test_a_changed_connection_moves_the_waits_to_its_airbyte(airbyte, monkeypatch) -> None:
    """The old address never responds again; the new one tells the end, and the old watcher's thread ends."""
    monkeypatch.setattr(trigger_module, "CONNECTION_CHECK_INTERVAL", 0.1)
    monkeypatch.setattr(watching, "FRESH_FOR", 0.05)
    with FakeAirbyte() as moved:
        jobs = start_jobs(airbyte, 6, Step("running"))
        airbyte.fail_next("*", Fault.drop_before(), times=10**6)
        for number in range(6):
            twin = moved.add_connection(name=f"c{number}")
            moved.script(twin, [Step("running", seconds=1.0), Step("succeeded")])
            assert moved.start_job(twin) == jobs[number]

        async def run() -> list[dict]:
            waiting = [
                asyncio.create_task(event_of(trigger_for(airbyte, job_id, connection_id=None))) for job_id in jobs
            ]
            await until(lambda: len(watched()) == 6)
            old = watching._watched[CONN_ID].watcher
            monkeypatch.setenv(
                "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps({"conn_type": "airbyteconfig", "host": moved.url})
            )
            events = await asyncio.gather(*waiting)
            await until(lambda: old._loop is None)
            assert old._waits == set()
            return events

        events = asyncio.run(run())
    assert {event.get("status") for event in events} == {"succeeded"}
    airbyte.reset()


def test_a_changed_credential_makes_another_watcher(airbyte, monkeypatch) -> None:
    """The settings are compared, not the time at which they were requested."""
    monkeypatch.setattr(watching, "FRESH_FOR", 0.0)

    async def run() -> list:
        found = [await watching.watcher_of(CONN_ID), await watching.watcher_of(CONN_ID)]
        connection = {"conn_type": "airbyteconfig", "host": airbyte.url, "login": "me", "password": "new"}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
        return [*found, await watching.watcher_of(CONN_ID)]

    first, second, third = asyncio.run(run())
    assert first is second
    assert third is not first


def test_a_rotated_token_is_read_again_by_the_same_watcher(monkeypatch, lookups) -> None:
    """Not first when the Connection is read for its own sake, minutes later."""
    with FakeAirbyte(auth="bearer") as airbyte:

        def give(token: str) -> None:
            connection = {"conn_type": "airbyteconfig", "host": airbyte.url, "extra": {"token": token}}
            monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))

        give(airbyte.token)
        jobs = start_jobs(airbyte, 6, Step("running"))

        async def run() -> list[dict]:
            waiting = [asyncio.create_task(event_of(trigger_for(airbyte, job_id))) for job_id in jobs]
            await until(lambda: len(airbyte.journal) > 10)
            watcher = watching._watched[CONN_ID].watcher
            airbyte.rotate_credentials(token="new-token")
            give("new-token")
            await until(lambda: any(call.status == 401 for call in airbyte.journal))
            for job_id in jobs:
                airbyte.advance(job_id, "succeeded")
            events = await asyncio.gather(*waiting)
            monkeypatch.setattr(watching, "FRESH_FOR", 0.0)
            assert await watching.watcher_of(CONN_ID) is watcher
            return events

        assert [event.get("status") for event in asyncio.run(run())] == ["succeeded"] * 6
    assert lookups[0] == [CONN_ID] * 3  # to begin with, after the refusal, and by this test


def test_a_wait_that_comes_to_a_retired_watcher_is_served(airbyte) -> None:
    """It had the watcher in its hands just before the Connection changed."""
    [job_id] = start_jobs(airbyte, 1)

    async def run() -> dict:
        old = await watching.watcher_of(CONN_ID)
        old.retire()
        await until(lambda: old._loop is None)
        return await event_of(trigger_for(airbyte, job_id))

    assert asyncio.run(run())["status"] == "succeeded"


@pytest.mark.parametrize("count", [1, 8])
def test_a_cancelled_trigger_leaves_no_wait_behind(airbyte, count) -> None:
    """Also one that is cancelled while its job is being read, and while Airflow is requested the Connection."""
    jobs = start_jobs(airbyte, count, Step("running", seconds=3600))
    airbyte.fail_next("*", Fault.delay(0.3), times=3)

    async def run() -> None:
        early = asyncio.create_task(event_of(trigger_for(airbyte, jobs[0])))
        await asyncio.sleep(0)
        early.cancel()
        waiting = [asyncio.create_task(event_of(trigger_for(airbyte, job_id))) for job_id in jobs]
        await until(lambda: len(watched()) == count)
        await until(lambda: airbyte.journal)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(early, *waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert watched() == set()

    asyncio.run(run())
    time.sleep(0.3)
    airbyte.reset()


def test_one_cancelled_trigger_takes_the_connection_from_nobody(airbyte, lookups) -> None:
    """The first to ask is cancelled while Airflow is slow; the others still get the one response."""
    jobs = start_jobs(airbyte, 5, Step("succeeded"))

    async def run() -> list:
        waiting = [asyncio.create_task(event_of(trigger_for(airbyte, job_id))) for job_id in jobs]
        await until(lambda: lookups[0])
        waiting[0].cancel()
        return await asyncio.gather(*waiting[1:])

    assert {event["status"] for event in asyncio.run(run())} == {"succeeded"}
    assert lookups[0] == [CONN_ID]


def test_airflow_may_refuse_the_connection_for_a_moment(airbyte, lookups) -> None:
    """Its database restarts as the triggerer begins: the wait begins a little later."""
    lookups[1].extend([RuntimeError("no database"), ConnectionError("nor now")])
    [job_id] = start_jobs(airbyte, 1, Step("succeeded"))
    assert asyncio.run(event_of(trigger_for(airbyte, job_id, poll_interval=0.05)))["status"] == "succeeded"
    assert len(lookups[0]) == 3


def test_airflow_that_never_gives_the_connection_is_told_by_name(airbyte, lookups) -> None:
    """After `poll_error_timeout`, and not as a fault of the job."""
    lookups[1].extend(RuntimeError("no database") for _ in range(1000))
    [job_id] = start_jobs(airbyte, 1, Step("succeeded"))
    event = asyncio.run(event_of(trigger_for(airbyte, job_id, poll_interval=0.05, poll_error_timeout=0.3)))
    with pytest.raises(AirbyteJobStatusUnavailableError, match=f"no database.*Job {job_id} may be fine") as caught:
        raise_for_event(event)
    assert caught.value.job_id == job_id


@pytest.mark.parametrize(
    "refusal",
    [
        RuntimeError("no database"),
        RuntimeError("no database\nERROR forged\x1b[31m http://airflow:s3cr3t@db/x"),
        AirbyteConfigurationError("host is empty"),
    ],
)
def test_a_connection_that_cannot_be_had_later_ends_no_wait_that_goes_well(
    airbyte, lookups, monkeypatch, capsys, refusal
) -> None:
    """Somebody edits it wrongly, or the database is away for longer than `poll_error_timeout`: Airbyte responds."""
    monkeypatch.setattr(trigger_module, "CONNECTION_CHECK_INTERVAL", 0.1)
    monkeypatch.setattr(watching, "FRESH_FOR", 0.05)
    [job_id] = start_jobs(airbyte, 1, Step("running", seconds=1.5), Step("succeeded"))
    started = time.monotonic()

    async def run() -> dict:
        waiting = asyncio.create_task(event_of(trigger_for(airbyte, job_id, poll_error_timeout=0.3)))
        await until(lambda: watched())
        lookups[1].extend(refusal for _ in range(1000))
        return await waiting

    assert asyncio.run(run()) == {"job_id": job_id, "status": "succeeded"}
    shown = capsys.readouterr().out
    assert "cannot be read now" in shown
    assert "s3cr3t" not in shown
    assert "\nERROR forged" not in shown
    assert time.monotonic() - started < 4


def test_an_end_is_told_without_another_look_at_the_connection(airbyte, lookups, monkeypatch) -> None:
    """When the job has ended nothing else matters."""
    monkeypatch.setattr(watching, "FRESH_FOR", 0.0)
    [job_id] = start_jobs(airbyte, 1, Step("running", seconds=0.3), Step("succeeded"))
    assert asyncio.run(event_of(trigger_for(airbyte, job_id)))["status"] == "succeeded"
    assert lookups[0] == [CONN_ID]


def test_a_wrong_connection_is_told_at_once(airbyte, monkeypatch) -> None:
    """Waiting does not mend a Connection that never was right."""
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps({"conn_type": "airbyteconfig"}))
    [job_id] = start_jobs(airbyte, 1)
    with pytest.raises(AirbyteConfigurationError) as caught:
        raise_for_event(asyncio.run(event_of(trigger_for(airbyte, job_id))))
    assert caught.value.retryable is False


@pytest.mark.parametrize("count", [1, 6])
def test_events_of_waits_that_end_without_the_job_are_read_by_name(airbyte, count) -> None:
    """A deadline, and a job that this Airbyte never had."""
    jobs = start_jobs(airbyte, count, Step("running", seconds=3600))

    async def run() -> list[dict]:
        late = [event_of(trigger_for(airbyte, job_id, deadline=time.time() + 0.3)) for job_id in jobs]
        unknown = trigger_for(airbyte, jobs[0], seen=False, workspace_id=None, connection_id=None)
        unknown.job_id = 4711
        return await asyncio.gather(*late, event_of(unknown))

    *late, unknown = asyncio.run(run())
    for event in late:
        with pytest.raises(AirbyteJobTimeoutError, match="still running") as caught:
            raise_for_event(json.loads(json.dumps(event)))
        assert caught.value.job_id in jobs
    with pytest.raises(AirbyteJobNotFoundError) as vanished:
        raise_for_event(unknown)
    assert vanished.value.retryable is False


def test_a_loop_that_is_closed_while_a_read_is_on_its_way_harms_nobody(airbyte, caplog) -> None:
    """The triggerer goes down; the read comes back to a loop that is no more, and another loop is served well."""
    first, second = start_jobs(airbyte, 2, Step("succeeded"))
    airbyte.fail_next("getJobInfoLight", Fault.delay(0.4))
    loop = asyncio.new_event_loop()
    task = loop.create_task(event_of(trigger_for(airbyte, first, workspace_id=None)))

    async def begin() -> None:
        await until(lambda: airbyte.calls("getJobInfoLight"))

    loop.run_until_complete(begin())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    event = asyncio.run(event_of(trigger_for(airbyte, second)))
    assert event["status"] == "succeeded"
    end = time.monotonic() + 5
    while watched() and time.monotonic() < end:
        time.sleep(0.02)
    assert watched() == set()
    assert "went wrong" not in caplog.text


def test_what_happens_is_told_in_the_triggers_own_log(airbyte, caplog, capsys) -> None:
    """Changes of the status, and that the job cannot be read."""
    caplog.set_level("INFO")
    [job_id] = start_jobs(airbyte, 1, Step("running", seconds=0.5), Step("succeeded"))
    airbyte.fail_next("getJobInfoLight", Fault.status(503))
    assert asyncio.run(event_of(trigger_for(airbyte, job_id)))["status"] == "succeeded"
    shown = caplog.text + capsys.readouterr().out
    assert f"The status of job {job_id} could not be read since" in shown
    assert f"Job {job_id}: succeeded" in shown


def test_metrics_tell_what_goes_on(airbyte, monkeypatch) -> None:
    """Waits and lag as they are, polls and failures counted."""
    from airflow.providers.common.compat.sdk import Stats

    shown: dict[str, list[float]] = {}
    for kind in ("gauge", "incr"):
        monkeypatch.setattr(
            Stats, kind, lambda name, value=1, kind=kind: shown.setdefault(f"{kind} {name}", []).append(value)
        )
    [job_id] = start_jobs(airbyte, 1, Step("running", seconds=0.5), Step("succeeded"))
    airbyte.fail_next("getJobInfoLight", Fault.status(503))
    asyncio.run(event_of(trigger_for(airbyte, job_id)))
    names = {"gauge": ("waits", "lag"), "incr": ("polls", "failures")}
    assert set(shown) == {f"{kind} airbyte_ext.triggerer.{name}" for kind, of in names.items() for name in of}
    assert max(shown["gauge airbyte_ext.triggerer.waits"]) == 1
    assert shown["incr airbyte_ext.triggerer.failures"] == [1]
