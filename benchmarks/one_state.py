"""Backing up one large state, against a plain read of the same state."""

from __future__ import annotations

import tempfile
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Sizes
from benchmarks.responses import GET_STATE, connection_id, prepared
from benchmarks.stub import running_stub
from benchmarks.worker import Measured, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

TIME_GOAL = 1.5
MEMORY_GOAL = 3.0
MEGABYTE = 1e6


def one_state(sizes: Sizes) -> list[Figure]:
    """Run both readers in turn, after one run of each that does not count."""
    identity = connection_id(1)
    with running_stub(streams=sizes.streams) as stub, tempfile.TemporaryDirectory() as store:
        tasks = {
            "snapshot": (stub.url, identity, store),
            "plain": (stub.url, identity, GET_STATE),
            "plain_backup": (stub.url, identity, GET_STATE, f"{store}/plain.json"),
            "idle_snapshot": (stub.url, identity, store),
            "idle_plain": (stub.url, identity, GET_STATE),
        }
        runs: dict[str, list[Measured]] = {task: [] for task in tasks}
        for number in range(sizes.repeats + 1):
            for task, arguments in tasks.items():
                measured = measure(task, *arguments)
                if number:
                    runs[task].append(measured)
        in_memory = measure("size", stub.url, identity, GET_STATE).value
    return _figures(sizes, runs, in_memory)


def _figures(sizes: Sizes, runs: dict[str, list[Measured]], in_memory: int) -> list[Figure]:
    as_json = len(prepared(connections=0, streams=sizes.streams, catalog_streams=0)[GET_STATE])
    ours, plain = _grown(runs["snapshot"], runs["idle_snapshot"]), _grown(runs["plain"], runs["idle_plain"])
    plain_backup = median(run.seconds for run in runs["plain_backup"])
    # Neighbours ran at nearly the same time, so that their ratio is steadier than the ratio of two medians.
    slower = [ours.seconds / plain.seconds for ours, plain in zip(runs["snapshot"], runs["plain"], strict=True)]
    return [
        Figure(f"a state of {sizes.streams:,} streams: as JSON", as_json / MEGABYTE, "MB"),
        Figure("... in memory, as Python objects", in_memory / MEGABYTE, "MB"),
        Figure("plain read: time", median(run.seconds for run in runs["plain"]), "s"),
        Figure("snapshot and write: time", median(run.seconds for run in runs["snapshot"]), "s"),
        Figure("... against the plain read", median(slower), "x", TIME_GOAL),
        Figure("a plain script that also writes the state to a file: time", plain_backup, "s"),
        Figure("plain read: peak memory over imports", plain / MEGABYTE, "MB"),
        Figure("snapshot and write: peak memory over imports", ours / MEGABYTE, "MB"),
        Figure("... against the state's size in memory", ours / in_memory, "x", MEMORY_GOAL),
        Figure("... against the plain read", ours / max(plain, 1.0), "x"),
    ]


def _grown(runs: Sequence[Measured], idle: Sequence[Measured]) -> float:
    return median(run.peak for run in runs) - median(run.peak for run in idle)
