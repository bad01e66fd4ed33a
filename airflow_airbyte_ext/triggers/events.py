"""Scheduling by asset: an event for each sync that ends, no matter who started it. Needs Airflow 3."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers import base
from airflow.triggers.base import TriggerEvent

from airflow_airbyte_ext.api.arguments import choice_argument, seconds_argument, uuid_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import DEFAULT_CONN_ID
from airflow_airbyte_ext.text import fit_message
from airflow_airbyte_ext.triggers.base import serialized
from airflow_airbyte_ext.triggers.watching import imported, watcher_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Hashable, Iterator, Sequence

    from airflow_airbyte_ext.jobs.report import JobReport
    from airflow_airbyte_ext.jobs.syncs import Cursor, SyncFeed
    from airflow_airbyte_ext.jobs.watcher import JobWatcher

    Found = dict[str, list[JobReport]]

log = logging.getLogger(__name__)

ENDS = ("succeeded", "failed", "cancelled")
# What Airflow has been given is in its database after that time; only then is it noted as reported.
UNTIL_KEPT = 3.0
TRY_STORE_AGAIN_AFTER = 10.0

# Airflow 2 knows no event triggers; there this one says so when it is made.
_EventTrigger: Any = getattr(base, "BaseEventTrigger", base.BaseTrigger)


class _Subscription:
    """One trigger's connection, and how far its ends have been reported."""

    def __init__(self, connection_id: str, cursor: Cursor | None) -> None:
        self.connection_id = connection_id
        self.cursor = cursor
        self.was_read = False


class _Group:
    """What one stream reads for."""

    def __init__(self) -> None:
        self.subscriptions: set[_Subscription] = set()
        # How many have ever come: whether somebody is new is checked each second.
        self.came = 0
        self.users = 0

    def add(self, subscription: _Subscription) -> None:
        self.subscriptions.add(subscription)
        self.came += 1


# The group of each shared stream, whose trigger objects do not know each other; as long as anybody uses it.
_groups: dict[Hashable, _Group] = {}


@contextmanager
def _group_of(key: Hashable) -> Iterator[_Group]:
    group = _groups.setdefault(key, _Group())
    group.users += 1
    try:
        yield group
    finally:
        group.users -= 1
        if not group.users and _groups.get(key) is group:
            del _groups[key]


class AirbyteSyncEventTrigger(_EventTrigger):  # type: ignore[misc]
    """
    Fires whenever a sync of a connection ends, for the watcher of an Airflow asset; a refresh counts as a sync.

    All triggers of one Airflow Connection with the same `poll_interval` share one stream of reads (Airflow 3.3).
    The payload is `connection_id`, `job_id`, `status`, `records` and `ended_at`.

    :param connection_id: The Airbyte connection: a UUID.
    :param airbyte_conn_id: Airflow Connection of the Airbyte that has the connection.
    :param poll_interval: Seconds between two polls.
    :param statuses: The ends that fire: some of "succeeded", "failed" and "cancelled".
    """

    def __init__(
        self,
        *,
        connection_id: str,
        airbyte_conn_id: str = DEFAULT_CONN_ID,
        poll_interval: float = 60.0,
        statuses: Sequence[str] = ("succeeded",),
    ) -> None:
        if _EventTrigger is base.BaseTrigger:
            raise AirbyteConfigurationError(
                "AirbyteSyncEventTrigger needs Airflow 3, whose assets can be watched. Take AirbyteConnectionSensor."
            )
        super().__init__()
        self.connection_id = uuid_argument("connection_id", connection_id)
        self.airbyte_conn_id = airbyte_conn_id
        self.poll_interval = seconds_argument("poll_interval", poll_interval)
        words = [statuses] if isinstance(statuses, str) else list(statuses)
        if not words:
            raise AirbyteConfigurationError(f"statuses is empty; give some of {', '.join(map(repr, ENDS))}.")
        self.statuses = sorted({choice_argument("statuses", word, ENDS) for word in words})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer builds this trigger from again."""
        return serialized(self)

    def shared_stream_key(self) -> Hashable:
        """Say with which other triggers this one shares its reads."""
        return _key(self.airbyte_conn_id, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Found]:
        """Read for all triggers that share the stream, as long as there are any."""
        key = _key(kwargs["airbyte_conn_id"], kwargs["poll_interval"])
        with _group_of(key) as group:
            async for found in _stream(kwargs["airbyte_conn_id"], kwargs["poll_interval"], group):
                yield found

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Found]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each end of this connection's syncs."""
        with _group_of(self.shared_stream_key()) as group:
            async for event in self._events(shared_stream, group):
                yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the same where Airflow shares no streams (before 3.3)."""
        alone = _Group()
        async for event in self._events(_stream(self.airbyte_conn_id, self.poll_interval, alone), alone):
            yield event

    async def _events(self, stream: AsyncIterator[Found], group: _Group) -> AsyncIterator[TriggerEvent]:
        await imported("airflow_airbyte_ext.jobs.syncs")
        from airflow_airbyte_ext.jobs.syncs import Cursor, ends_after

        subscription = _Subscription(self.connection_id, await self._kept_cursor())
        group.add(subscription)
        try:
            async for found in stream:
                if (ended := found.get(self.connection_id)) is None:
                    continue
                subscription.was_read = True
                if subscription.cursor is None:
                    subscription.cursor = Cursor().after(ended[0]) if ended else Cursor()
                    await self._keep(subscription.cursor)
                    continue
                news = ends_after(ended, subscription.cursor)
                for report in news:
                    subscription.cursor = subscription.cursor.after(report)
                    if report.status in self.statuses:
                        yield TriggerEvent(_payload(report))  # type: ignore[no-untyped-call]
                if news:
                    await asyncio.sleep(UNTIL_KEPT)
                    await self._keep(subscription.cursor)
        finally:
            group.subscriptions.discard(subscription)

    async def _kept_cursor(self) -> Cursor | None:
        """Return how far an earlier triggerer has come; nothing where Airflow keeps nothing."""
        from airflow_airbyte_ext.jobs.syncs import Cursor

        store = getattr(self, "asset_state_store", None)
        while store is not None:
            try:
                kept = await store.aget(self._store_key())
                return Cursor(int(kept["job_id"]), float(kept["ended_at"])) if kept else None
            except ValueError as error:  # this trigger watches for several assets
                words = "Where a restart goes on is not kept: give each asset a watcher of its own. %s"
                self.log.warning(words, fit_message(error))
                return None
            except Exception as error:  # of Airflow, and of many kinds: to begin again would lose what has ended since
                self.log.warning("Airflow does not say which syncs made an event already; trying again. %s", _of(error))
                await asyncio.sleep(TRY_STORE_AGAIN_AFTER)
        return None

    async def _keep(self, cursor: Cursor) -> None:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return
        try:
            await store.aset(self._store_key(), {"job_id": cursor.job_id, "ended_at": cursor.ended_at})
        except Exception as error:  # the next end is kept again; until then a restart would report this one twice
            self.log.warning("Airflow does not keep which syncs made an event. %s", _of(error))

    def _store_key(self) -> str:
        what = "\n".join((self.airbyte_conn_id, self.connection_id, *self.statuses))
        return f"airbyte_sync_{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _of(error: Exception) -> str:
    return fit_message(f"{type(error).__name__}: {error}")


def _key(airbyte_conn_id: str, poll_interval: float) -> tuple[str, str, str]:
    return ("airbyte_ext_syncs", airbyte_conn_id, str(float(poll_interval)))


def _payload(report: JobReport) -> dict[str, Any]:
    return {
        "connection_id": report.connection_id,
        "job_id": report.job_id,
        "status": report.status,
        "records": report.records_synced,
        "ended_at": report.ended_at,
    }


async def _stream(airbyte_conn_id: str, poll_interval: float, group: _Group) -> AsyncIterator[Found]:
    """Yield what has ended, poll by poll, for ever; what cannot be read now is read later."""
    feed: SyncFeed | None = None
    while True:
        found: Found | None = None
        came = group.came
        try:
            watcher = await watcher_of(airbyte_conn_id)
            feed = await _feed_of(watcher, feed)
            found = await asyncio.wrap_future(watcher.read(feed, partial(_poll, feed, tuple(group.subscriptions))))
        except Exception as error:  # whatever it is: an error here would end every trigger that shares the stream
            log.warning("Airbyte %r cannot be read; trying again. %s", airbyte_conn_id, fit_message(error))
        if found:
            yield found
        await _until_due(poll_interval, group, came)


async def _feed_of(watcher: JobWatcher, known: SyncFeed | None) -> SyncFeed:
    """Return the reader of the Airbyte that the Airflow Connection names now."""
    await imported("airflow_airbyte_ext.jobs.syncs")
    from airflow_airbyte_ext.jobs.syncs import SyncFeed

    return known if known and known.client is watcher.client else SyncFeed(watcher.client, throttle=watcher.throttle)


def _poll(feed: SyncFeed, group: Collection[_Subscription]) -> Found:
    return feed.poll(_wanted(group), {each.connection_id for each in group if not each.was_read})


def _wanted(group: Collection[_Subscription]) -> dict[str, Cursor | None]:
    """Return from where on ends are wanted of each connection: the oldest cursor of those who watch it."""
    wanted: dict[str, Cursor | None] = {}
    for each in group:
        cursors = [cursor for cursor in (wanted.get(each.connection_id), each.cursor) if cursor is not None]
        wanted[each.connection_id] = min(cursors, default=None)
    return wanted


async def _until_due(poll_interval: float, group: _Group, came: int) -> None:
    """Wait for the next poll; shorter where somebody has come whose connection was not read yet."""
    end = asyncio.get_running_loop().time() + poll_interval
    while (left := end - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, 1.0))
        if group.came != came:
            return
