"""The watcher of an asset, driven by Airflow's own manager of shared streams."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from lines import HAS_EVENT_TRIGGERS, HAS_SHARED_STREAMS, IMPORTED_FIRST, OF_EVENT_TRIGGERS

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.jobs import throttle
from airflow_airbyte_ext.testing import Fault
from airflow_airbyte_ext.triggers import events as module
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

POLL = 0.05
# What an error of Airflow's may say.
AWAY = "the API server is away\n[2026-01-01] ERROR forged\x1b[31m http://airflow:s3cr3t@db/x"


class AssetStateStore(dict):
    """Airflow 3.3's store, which outlives a triggerer."""

    async def aget(self, key, default=None):
        return self.get(key, default)

    async def aset(self, key, value) -> None:
        self[key] = json.loads(json.dumps(value))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "UNTIL_KEPT", 0.0)
    monkeypatch.setattr(module, "TRY_STORE_AGAIN_AFTER", 0.01)
    monkeypatch.setattr(throttle, "MAX_BACK_OFF", 0.1)
    module._groups.clear()


def trigger(connection_id, store=None, **arguments) -> AirbyteSyncEventTrigger:
    made = AirbyteSyncEventTrigger(connection_id=connection_id, poll_interval=POLL, **arguments)
    path, kept = json.loads(json.dumps(made.serialize()))
    assert path.endswith("triggers.events.AirbyteSyncEventTrigger")
    again = AirbyteSyncEventTrigger(**kept)
    assert again.serialize() == (path, kept)
    again.asset_state_store = store
    return again


def ended(airbyte, connection_id, status="succeeded") -> int:
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, status)
    return job_id


class Triggerer:
    """What Airflow's triggerer does with event triggers."""

    def __init__(self, *triggers, share: bool = True) -> None:
        self.triggers, self.share = triggers, share and HAS_SHARED_STREAMS
        self.fired: list[tuple[int, dict]] = []

    async def __aenter__(self):
        if self.share:
            from airflow.triggers.shared_stream import SharedStreamManager

            self.manager = SharedStreamManager()
        self.tasks = [asyncio.create_task(self._run(number, one)) for number, one in enumerate(self.triggers)]
        return self

    async def __aexit__(self, *_) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self.share:
            await self.manager.stop_all()

    async def _run(self, number, one) -> None:
        if self.share:
            key = one.shared_stream_key()
            stream = one.filter_shared_stream(self.manager.subscribe(trigger_id=number, trigger=one, key=key))
        else:
            key, stream = None, one.run()
        try:
            async for event in stream:
                self.fired.append((number, json.loads(json.dumps(event.payload))))
        finally:
            if key:
                await self.manager.unsubscribe(number, key)

    async def polls(self, airbyte, number: int = 3) -> None:
        """Wait until Airbyte has been read so many times again."""
        seen = len(airbyte.journal)
        while len(airbyte.journal) < seen + number:
            assert not [task for task in self.tasks if task.done()]
            await asyncio.sleep(0.01)
        await asyncio.sleep(POLL)

    @property
    def jobs(self) -> list[tuple[int, int]]:
        return [(number, payload["job_id"]) for number, payload in self.fired]


@pytest.mark.parametrize("share", [True, False])
@OF_EVENT_TRIGGERS
def test_each_end_fires_once_and_only_ends_from_the_start_on(airbyte, connection_id, share) -> None:
    ended(airbyte, connection_id)

    async def story() -> None:
        async with Triggerer(trigger(connection_id), share=share) as triggerer:
            await triggerer.polls(airbyte)
            first = ended(airbyte, connection_id)
            ended(airbyte, connection_id, "failed")
            second = ended(airbyte, connection_id)
            await triggerer.polls(airbyte, 5)
            assert triggerer.jobs == [(0, first), (0, second)]
            payload = triggerer.fired[0][1]
            assert set(payload) == {"connection_id", "job_id", "status", "records", "ended_at"}
            assert (payload["connection_id"], payload["status"]) == (connection_id, "succeeded")
            assert payload["ended_at"].endswith("+00:00")

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_triggers_of_one_airbyte_share_one_stream_and_each_gets_its_own(airbyte) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(8)]

    async def story() -> None:
        async with Triggerer(*map(trigger, ids), trigger(ids[0], statuses=["failed", "succeeded"])) as triggerer:
            await triggerer.polls(airbyte, 20)
            if HAS_SHARED_STREAMS:
                assert len(triggerer.manager._groups) == 1
            airbyte.reset()
            await triggerer.polls(airbyte)
            together = "listJobsForWorkspaces" if HAS_SHARED_STREAMS else "listJobsFor"
            assert {request.operation_id for request in airbyte.journal} == {together}
            good, other = ended(airbyte, ids[0]), ended(airbyte, ids[5])
            bad = ended(airbyte, ids[0], "failed")
            await triggerer.polls(airbyte, 6 if HAS_SHARED_STREAMS else 60)
            assert sorted(triggerer.jobs) == [(0, good), (5, other), (8, good), (8, bad)]

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_one_that_comes_later_joins_the_stream(airbyte) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(2)]

    async def story() -> None:
        async with Triggerer(trigger(ids[0])) as triggerer:
            await triggerer.polls(airbyte)
            triggerer.tasks.append(asyncio.create_task(triggerer._run(1, trigger(ids[1]))))
            await triggerer.polls(airbyte, 6)
            job_id = ended(airbyte, ids[1])
            await triggerer.polls(airbyte, 6)
            assert triggerer.jobs == [(1, job_id)]

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_a_restarted_triggerer_reports_each_end_once(airbyte, connection_id) -> None:
    """A restarted triggerer tells what has ended meanwhile and nothing twice."""
    store = AssetStateStore()

    async def story() -> None:
        async with Triggerer(trigger(connection_id, store)) as triggerer:
            await triggerer.polls(airbyte)
            shown = ended(airbyte, connection_id)
            await triggerer.polls(airbyte)
            assert triggerer.jobs == [(0, shown)]
        missed = [ended(airbyte, connection_id), ended(airbyte, connection_id)]
        async with Triggerer(trigger(connection_id, store)) as triggerer:
            await triggerer.polls(airbyte)
            assert triggerer.jobs == [(0, job_id) for job_id in missed]

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_what_airflow_may_not_have_kept_yet_is_told_again(airbyte, connection_id, monkeypatch) -> None:
    """A triggerer that dies right after an event: twice is better than never."""
    monkeypatch.setattr(module, "UNTIL_KEPT", 3600.0)
    store = AssetStateStore()

    async def story() -> None:
        for _ in range(2):
            async with Triggerer(trigger(connection_id, store)) as triggerer:
                if not airbyte.jobs(connection_id):
                    await triggerer.polls(airbyte)
                    ended(airbyte, connection_id)
                while not triggerer.fired:
                    await asyncio.sleep(0.01)
                assert triggerer.jobs == [(0, 1)]

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_without_a_store_a_restart_begins_from_now(airbyte, connection_id) -> None:
    async def story() -> None:
        ended(airbyte, connection_id)
        async with Triggerer(trigger(connection_id, None)) as triggerer:
            await triggerer.polls(airbyte)
            assert triggerer.jobs == []

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_triggers_with_other_ends_or_connections_keep_their_own_place(connection_id) -> None:
    other = "99999999-9999-4999-8999-999999999999"
    made = [trigger(connection_id), trigger(connection_id, statuses=["failed"]), trigger(other)]
    assert len({one._store_key() for one in made}) == 3


def is_told_safely(shown: str) -> bool:
    """What Airflow said is in the log: on one line, and without its password."""
    return "API server is away" in shown and "s3cr3t" not in shown and "\n[2026-01-01] ERROR forged" not in shown


@OF_EVENT_TRIGGERS
def test_a_store_that_fails_now_and_then_is_no_end(airbyte, connection_id, caplog, capsys) -> None:
    """It is asked again, and its error forges no line of the log."""

    class Moody(AssetStateStore):
        failures = 3

        async def aget(self, key, default=None):
            self.failures -= 1
            if self.failures >= 0:
                raise RuntimeError(AWAY)
            return await super().aget(key, default)

        async def aset(self, key, value) -> None:
            raise RuntimeError(AWAY)

    async def story() -> None:
        async with Triggerer(trigger(connection_id, Moody())) as triggerer:
            await triggerer.polls(airbyte)
            jobs = [ended(airbyte, connection_id)]
            await triggerer.polls(airbyte)
            jobs.append(ended(airbyte, connection_id))
            await triggerer.polls(airbyte)
            assert triggerer.jobs == [(0, job_id) for job_id in jobs]

    asyncio.run(story())
    assert is_told_safely(caplog.text + capsys.readouterr().out)


@OF_EVENT_TRIGGERS
def test_one_watcher_for_several_assets_begins_anew_after_a_restart(airbyte, connection_id) -> None:
    class OfTwoAssets(AssetStateStore):
        async def aget(self, key, default=None):
            raise ValueError("Task has 2 concrete inlets and outlets")

        aset = aget

    async def story() -> None:
        async with Triggerer(trigger(connection_id, OfTwoAssets())) as triggerer:
            await triggerer.polls(airbyte)
            job_id = ended(airbyte, connection_id)
            await triggerer.polls(airbyte)
            assert triggerer.jobs == [(0, job_id)]

    asyncio.run(story())


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.drop_before(), Fault.html(), Fault.status(401)], ids=str)
@OF_EVENT_TRIGGERS
def test_an_outage_ends_no_stream_and_loses_nothing(airbyte, connection_id, fault) -> None:
    async def story() -> None:
        async with Triggerer(trigger(connection_id)) as triggerer:
            await triggerer.polls(airbyte)
            airbyte.fail_next("*", fault, times=3)
            job_id = ended(airbyte, connection_id)
            await triggerer.polls(airbyte, 8)
            assert triggerer.jobs == [(0, job_id)]
            assert airbyte.pending_faults() == []

    asyncio.run(story())


@OF_EVENT_TRIGGERS
def test_a_moment_without_the_airflow_connection_ends_no_stream(
    airbyte, connection_id, monkeypatch, caplog, capsys
) -> None:
    """It is asked again, and its error forges no line of the log."""
    real, requested = module.watcher_of, []

    async def moody(conn_id):
        requested.append(conn_id)
        if len(requested) % 2:
            raise RuntimeError(AWAY)
        return await real(conn_id)

    monkeypatch.setattr(module, "watcher_of", moody)

    async def story() -> None:
        async with Triggerer(trigger(connection_id)) as triggerer:
            await triggerer.polls(airbyte)
            job_id = ended(airbyte, connection_id)
            await triggerer.polls(airbyte)
            assert triggerer.jobs == [(0, job_id)]

    asyncio.run(story())
    assert is_told_safely(caplog.text + capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"connection_id": ""}, "connection_id is ''"),
        ({"poll_interval": 0}, "poll_interval is 0"),
        ({"statuses": ["done"]}, "statuses is 'done'; give one of 'succeeded', 'failed', 'cancelled'"),
        ({"statuses": []}, "statuses is empty"),
    ],
)
def test_a_wrong_argument_is_an_error_when_the_dag_is_parsed(connection_id, arguments, message) -> None:
    with pytest.raises(AirbyteConfigurationError, match=message if HAS_EVENT_TRIGGERS else "needs Airflow 3"):
        AirbyteSyncEventTrigger(**{"connection_id": connection_id, **arguments})


def test_airflow_2_can_import_it_and_is_told_what_is_missing() -> None:
    code = (
        "import airflow.triggers.base as base; vars(base).pop('BaseEventTrigger', None)\n"
        "from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger\n"
        "try: AirbyteSyncEventTrigger(connection_id='x')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True).strip().splitlines()[-1]
    assert said.startswith("AirbyteConfigurationError AirbyteSyncEventTrigger needs Airflow 3")


def test_a_dag_file_with_an_assets_watcher_imports_no_client() -> None:
    code = (
        f"import sys, {IMPORTED_FIRST}, airflow_airbyte_ext.triggers.events\n"
        "ours = ('airflow_airbyte_ext.api.client', 'airflow_airbyte_ext.api.transport', 'airflow_airbyte_ext.jobs.')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip().splitlines()[-1] == "[]"


@OF_EVENT_TRIGGERS
def test_a_group_is_forgotten_when_nobody_watches_any_more(airbyte) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(2)]

    async def story() -> None:
        async with Triggerer(*map(trigger, ids)) as triggerer:
            await triggerer.polls(airbyte)
            assert len(module._groups) == (1 if HAS_SHARED_STREAMS else 0)
        await asyncio.sleep(0.1)
        assert module._groups == {}

    asyncio.run(story())


def test_a_check_for_new_subscriptions_does_not_walk_them(connection_id) -> None:
    """To see whether somebody has come costs nothing however many there are."""

    class Unwalked(set):
        def __iter__(self):
            raise AssertionError("walked")

    group = module._Group()
    group.subscriptions = Unwalked()
    for _ in range(3):
        group.add(module._Subscription(connection_id, None))
    asyncio.run(module._until_due(0.02, group, group.came))
    group.add(module._Subscription(connection_id, None))
    started = time.monotonic()
    asyncio.run(module._until_due(5.0, group, group.came - 1))
    assert time.monotonic() - started < 3
