"""Waiting for many jobs in one triggerer, beside the official provider."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Comparison, Sizes
from benchmarks.fresh import in_new_process
from benchmarks.sides import OFFICIAL, OURS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.fleet_stub import FleetStub
    from benchmarks.sides import Side

STALL_GOAL = 0.05
TIME_GOAL, MANY_TIME_GOAL = 7.0, 12.0
MEMORY_GOAL, MANY_MEMORY_GOAL = 20.0, 150.0
REQUESTS_GOAL = 200.0
CPU_GOAL = 0.01
MEGABYTE = 1e6

Runs = dict["Side", list[dict[str, float]]]


def waits(sizes: Sizes, stub: FleetStub, official: Path | None) -> list[Comparison]:
    """Run both sides in turn, and then this one alone with more waits than the official provider can have."""
    some: dict[str, Any] = {
        "count": sizes.waits,
        "job_seconds": sizes.job_seconds,
        "poll_interval": sizes.poll_interval,
        "latency": sizes.latency,
        "limit": sizes.wait_limit,
    }
    endless = {**some, "job_seconds": None, "poll_interval": sizes.window_interval, "limit": sizes.window}
    sides = [OFFICIAL, OURS] if official else [OURS]

    def runs(repeats: int, of: Sequence[Side], **arguments: Any) -> Runs:
        found: Runs = {side: [] for side in of}
        for _ in range(repeats):
            for side in of:
                found[side].append(in_new_process(official, "waits", side, stub.url, **arguments))
        return found

    repeats = sizes.wait_repeats
    bare = median(run["peak"] for run in runs(repeats, [OURS], **{**some, "count": 0})[OURS])
    at_once = runs(repeats, sides, **some, together=True)
    one_by_one = runs(repeats, sides, **some)
    many = runs(repeats, [OURS], **{**some, "count": sizes.many_waits})
    window = runs(1, sides, **endless)
    many_window = runs(1, [OURS], **{**endless, "count": sizes.many_waits})
    return [
        *_ended(f"{sizes.waits:,} waits, started at once", at_once, bare, TIME_GOAL, MEMORY_GOAL, CPU_GOAL),
        *_ended(f"{sizes.waits:,} waits, one by one", one_by_one, bare, TIME_GOAL, MEMORY_GOAL, CPU_GOAL),
        _line("first wait of a process: worst stall, with imports", one_by_one, "first_stall", "s"),
        _line("... CPU time", one_by_one, "first_cpu", "s"),
        *_ended(f"{sizes.many_waits:,} waits, one by one", many, bare, MANY_TIME_GOAL, MANY_MEMORY_GOAL, None),
        *_lasting(sizes, sizes.waits, window, bare, None),
        *_lasting(sizes, sizes.many_waits, many_window, bare, REQUESTS_GOAL),
    ]


def _ended(
    shown: str, runs: Runs, bare: float, time_goal: float, memory_goal: float, cpu_goal: float | None
) -> list[Comparison]:
    """Return the lines of waits that all ended."""
    lines = [
        _line(f"{shown}: worst stall", runs, "stall", "s", STALL_GOAL),
        _line("... wall time", runs, "seconds", "s", time_goal),
        _memory(runs, bare, memory_goal),
        _line("... CPU time", runs, "cpu", "s", cpu_goal, is_ratio=True),
        _line("... requests", runs, "requests", ""),
        _line("... sockets opened", runs, "sockets", ""),
        _line("... latency that the server really had", runs, "latency", "ms", scale=1000),
    ]
    if any(run["left"] for side in runs.values() for run in side):
        lines.append(_line("... waits that had not ended when time was up", runs, "left", ""))
    return lines


def _lasting(sizes: Sizes, count: int, runs: Runs, bare: float, requests_goal: float | None) -> list[Comparison]:
    """Return the lines of waits on jobs that run on; the requests of the first wait count, too."""
    shown = f"{count:,} waits for {sizes.window:g} s, endless jobs"
    computed = count * sizes.window / sizes.window_interval
    requests = {side: run[0]["requests"] + run[0]["first_requests"] for side, run in runs.items()}
    return [
        _line(f"{shown}: worst stall", runs, "stall", "s", STALL_GOAL),
        Comparison("... requests (the official's are computed)", computed, requests[OURS], "", requests_goal),
        *(
            [Comparison("... requests that were sent", requests[OFFICIAL], requests[OURS], "")]
            if OFFICIAL in runs
            else []
        ),
        _line("... waits that were started", runs, "started", ""),
        _memory(runs, bare, None),
        _line("... CPU time", runs, "cpu", "s"),
        _line("... sockets opened", runs, "sockets", ""),
    ]


def _line(
    what: str, runs: Runs, name: str, unit: str, goal: float | None = None, *, is_ratio: bool = False, scale: float = 1
) -> Comparison:
    medians = {side: scale * median(run[name] for run in found) for side, found in runs.items()}
    return Comparison(what, medians.get(OFFICIAL), medians[OURS], unit, goal, is_ratio)


def _memory(runs: Runs, bare: float, goal: float | None) -> Comparison:
    over = {side: (median(run["peak"] for run in found) - bare) / MEGABYTE for side, found in runs.items()}
    return Comparison("... peak memory over a bare import of Airflow", over.get(OFFICIAL), over[OURS], "MB", goal)
