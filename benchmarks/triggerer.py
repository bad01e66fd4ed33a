"""A triggerer's event loop, and no more of a triggerer: waits that run together, and a probe of the loop's lateness."""

from __future__ import annotations

import asyncio
import gc
import importlib
import resource
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmarks.fleet import connection_id
from benchmarks.fleet_stub import FleetStub
from benchmarks.worker import peak_memory

if TYPE_CHECKING:
    from benchmarks.sides import Side

TRIGGERS = "airflow.triggers.base"
PROBE_INTERVAL = 0.01
# What the two sides' events say of a job that has succeeded.
SUCCESS = ("success", "succeeded")


def run_waits(
    side: Side,
    url: str,
    *,
    count: int,
    job_seconds: float | None,
    poll_interval: float,
    latency: float,
    limit: float,
    together: bool = False,
) -> dict[str, float]:
    """
    Wait for jobs that have just started, and return what that took.

    One wait comes first, for a job that has ended already: what only a process's first wait costs is told apart.

    :param side: Whose trigger waits.
    :param count: How many waits; with none this is what an Airflow process needs that only imported.
    :param job_seconds: How long each job runs; None for ever.
    :param poll_interval: What the triggers are told.
    :param limit: Seconds after which no wait starts, and those that are left are cancelled.
    :param together: Start all waits in one turn of the loop, instead of one by one.
    """
    # What every triggerer has imported before it has a trigger.
    for module in ("greenback", "airflow.sdk.definitions.dag", "airflow.sdk.definitions.connection", TRIGGERS):
        importlib.import_module(module)
    if not count:
        return {"peak": peak_memory()}
    loop = _Loop(side, FleetStub(url), poll_interval)
    return asyncio.run(loop.measure(count, job_seconds, latency, limit=limit, together=together))


class _Loop:
    def __init__(self, side: Side, stub: FleetStub, poll_interval: float) -> None:
        self._side = side
        self._stub = stub
        self._poll_interval = poll_interval
        self._worst = 0.0
        self._events: list[Any] = []

    async def measure(
        self, count: int, job_seconds: float | None, latency: float, *, limit: float, together: bool
    ) -> dict[str, float]:
        """Run the first wait and then all the others; see `run_waits`."""
        probe = asyncio.create_task(self._probe())
        first = await self._phase(1, 0.0, latency, limit=limit, together=False)
        gc.collect()  # as in a triggerer that has been running for a while: what was imported is old by then
        await asyncio.sleep(2 * PROBE_INTERVAL)  # so that the probe does not count that
        figures = await self._phase(count, job_seconds, latency, limit=limit, together=together)
        probe.cancel()
        first_figures = {f"first_{name}": first[name] for name in ("stall", "cpu", "requests")}
        return {**figures, **first_figures, "peak": peak_memory()}

    async def _phase(
        self, count: int, job_seconds: float | None, latency: float, *, limit: float, together: bool
    ) -> dict[str, float]:
        number = self._stub.prepare(jobs=count, seconds=job_seconds, latency=latency)
        await asyncio.sleep(0)  # the probe has been late by now, and is not to tell
        self._worst = 0.0
        self._events.clear()
        cpu, started = _cpu(), time.perf_counter()
        tasks: list[asyncio.Task[None]] = []
        for job_id in range(number, number + count):
            if time.perf_counter() - started >= limit:
                break
            if not together:
                # As Airflow's `create_triggers` does, before and after it has the trigger's class.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            tasks.append(asyncio.create_task(self._consume(self._trigger(job_id)), name=f"ID {job_id}"))
        _, left = await asyncio.wait(tasks, timeout=limit - (time.perf_counter() - started))
        seconds, cpu = time.perf_counter() - started, _cpu() - cpu
        await asyncio.sleep(2 * PROBE_INTERVAL)  # so that the probe sees the end, too
        stall = self._worst
        counts = await asyncio.to_thread(self._stub.counts)
        for task in left:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._check(len(tasks) - len(left))
        return {
            "stall": stall,
            "seconds": seconds,
            "cpu": cpu,
            "started": len(tasks),
            "left": count - len(tasks) + len(left),
            "requests": counts["requests"],
            "sockets": counts["sockets"],
            "latency": counts["seconds"] / max(counts["requests"], 1),
        }

    async def _probe(self) -> None:
        """Sleep again and again, and keep the worst lateness."""
        while True:
            due = time.perf_counter() + PROBE_INTERVAL
            await asyncio.sleep(PROBE_INTERVAL)
            self._worst = max(self._worst, time.perf_counter() - due)

    def _trigger(self, job_id: int) -> Any:
        """Build a trigger as the triggerer does: from what the operator's own trigger was serialized to."""
        arguments = self._side.trigger_arguments(job_id, connection_id(job_id), self._poll_interval)
        path, values = _class(self._side.trigger)(**arguments).serialize()
        trigger = _class(path)(**values)
        trigger.trigger_id = job_id
        trigger.triggerer_job_id = 1
        return trigger

    async def _consume(self, trigger: Any) -> None:
        """Do with a trigger what Airflow's `run_trigger` does."""
        import greenback

        await greenback.ensure_portal()
        try:
            async for event in trigger.run():
                self._events.append(event.payload)
        finally:
            with suppress(Exception):
                await trigger.cleanup()

    def _check(self, ended: int) -> None:
        """A wait that breaks at once is quick, and measures nothing."""
        bad = [event for event in self._events if event.get("status") not in SUCCESS]
        if bad or len(self._events) < ended:  # more where one ended right after the limit
            raise RuntimeError(f"{len(self._events)} events of {ended} waits that ended; wrong ones: {bad[:1]}")


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
