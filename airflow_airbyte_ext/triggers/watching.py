"""The watchers of a triggerer: one for each Airflow Connection, shared by all triggers that wait there."""

from __future__ import annotations

import asyncio
import importlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.settings import ClientSettings
    from airflow_airbyte_ext.jobs.watcher import JobWatcher

# How long an Airflow Connection is taken for unchanged: it is read once, and not for each wait.
FRESH_FOR = 60.0
READ_TIMEOUT = 30.0


@dataclass
class _SharedWatcher:
    watcher: JobWatcher
    requested_at: float


_watched: dict[str, _SharedWatcher] = {}
_connecting: dict[str, asyncio.Task[JobWatcher]] = {}


async def watcher_of(airbyte_conn_id: str) -> JobWatcher:
    """
    Return the watcher of the Airbyte that an Airflow Connection names; another one when the Connection has changed.

    :raises AirbyteConfigurationError: Names the field of the Connection that is wrong.
    """
    known = _watched.get(airbyte_conn_id)
    if known and time.monotonic() - known.requested_at < FRESH_FOR:
        return known.watcher
    connecting = _connecting.get(airbyte_conn_id)
    if connecting is None or connecting.get_loop() is not asyncio.get_running_loop():
        connecting = _connecting[airbyte_conn_id] = asyncio.create_task(_connect(airbyte_conn_id))
        connecting.add_done_callback(lambda done: _forget(airbyte_conn_id, done))
    return await asyncio.shield(connecting)


def _forget(airbyte_conn_id: str, connecting: asyncio.Task[JobWatcher]) -> None:
    if _connecting.get(airbyte_conn_id) is connecting:
        del _connecting[airbyte_conn_id]
    if not connecting.cancelled():
        connecting.exception()  # those who wait have it; where all of them are gone it is nobody's


async def imported(*names: str) -> None:
    """Import modules in a thread: the first time takes longer than the event loop may be held up."""
    for name in names:
        await asyncio.to_thread(importlib.import_module, name)


async def _connect(airbyte_conn_id: str) -> JobWatcher:
    await imported(
        "airflow.providers.common.compat.connection",
        "airflow_airbyte_ext.hooks.airbyte",
        "airflow_airbyte_ext.api.client",
        "airflow_airbyte_ext.jobs.watcher",
    )
    settings = await _settings_of(airbyte_conn_id)
    before = _watched.get(airbyte_conn_id)
    # Two Connections may name one Airbyte.
    same = next((known.watcher for known in _watched.values() if known.watcher.client.settings == settings), None)
    watcher = same or _start(settings, renew=partial(_settings_now, airbyte_conn_id, asyncio.get_running_loop()))
    _watched[airbyte_conn_id] = _SharedWatcher(watcher, time.monotonic())
    if before and all(known.watcher is not before.watcher for known in _watched.values()):
        before.watcher.retire()
    return watcher


async def _settings_of(airbyte_conn_id: str) -> ClientSettings:
    from airflow.providers.common.compat.connection import get_async_connection

    from airflow_airbyte_ext.hooks.airbyte import settings_from_connection

    # In a thread that Airflow may call back from: some releases refuse to mask a secret on the event loop.
    return await sync_to_async(settings_from_connection)(await get_async_connection(airbyte_conn_id))


def _settings_now(airbyte_conn_id: str, loop: asyncio.AbstractEventLoop) -> ClientSettings:
    """Read the Airflow Connection from one of a watcher's threads: Airflow gives it on its event loop alone."""
    return asyncio.run_coroutine_threadsafe(_settings_of(airbyte_conn_id), loop).result(READ_TIMEOUT)


def _start(settings: ClientSettings, *, renew: Callable[[], ClientSettings]) -> JobWatcher:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.jobs.watcher import JobWatcher

    watcher = JobWatcher(AirbyteClient(settings, renew=renew), measure=_measure)
    watcher.start()
    return watcher


def _measure(name: str, value: float) -> None:
    """Send Airflow's metrics: `waits` and `lag` as they are, `polls` and `failures` counted."""
    from airflow.providers.common.compat.sdk import Stats

    if name in ("waits", "lag"):
        Stats.gauge(f"airbyte_ext.triggerer.{name}", value)
    else:
        Stats.incr(f"airbyte_ext.triggerer.{name}", int(value))
