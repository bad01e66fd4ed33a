"""Backing up a workspace of many connections from a server that is far away, with `airbyte-state backup`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Sizes
from benchmarks.responses import FOR_EACH, LIST_CONNECTIONS, WORKSPACE_ID
from benchmarks.stub import running_stub
from benchmarks.worker import Measured, measure

if TYPE_CHECKING:
    from benchmarks.stub import Counts, Stub

TIME_GOAL = 1.3
MEMORY_GOAL = 1.2
MEGABYTE = 1e6


@dataclass(frozen=True)
class Run:
    """One run of the command or of a plain reader, and what the server counted."""

    measured: Measured
    counts: Counts


def workspace(sizes: Sizes) -> list[Figure]:
    """Run each parallelism in turn, and smaller workspaces for the start and the memory."""
    turns = range(sizes.workspace_repeats)
    with running_stub(latency=sizes.latency) as stub:
        start = median([_backup(stub, 1).measured.seconds for _ in turns])
    with running_stub(connections=sizes.fewer_connections, latency=sizes.latency) as stub:
        fewer = {parallel: [_backup(stub, parallel) for _ in turns] for parallel in sizes.parallel}
    backups: dict[int, list[Run]] = {parallel: [] for parallel in sizes.parallel}
    plain: dict[int, list[Run]] = {parallel: [] for parallel in sizes.parallel}
    with running_stub(connections=sizes.connections, latency=sizes.latency) as stub:
        for _ in turns:
            for parallel in sizes.parallel:
                plain[parallel].append(_plain(stub, parallel, sizes.connections))
                backups[parallel].append(_backup(stub, parallel))
        listing = _listing(stub)
    return [
        Figure("backup of 1 connection: the whole command, so mostly its start", start, "s"),
        *(figure for each in sizes.parallel for figure in _times(sizes, each, backups[each], plain[each])),
        *_memory(sizes, backups, fewer),
        Figure("plain read of the workspace's list alone: peak memory over imports", listing / MEGABYTE, "MB"),
    ]


def _backup(stub: Stub, parallel: int) -> Run:
    with tempfile.TemporaryDirectory() as store:
        arguments = ["--url", stub.url, "--auth", "none", "--store", store, "--parallel", str(parallel)]
        return _counted(stub, "command", "backup", "--workspace", WORKSPACE_ID, *arguments)


def _plain(stub: Stub, parallel: int, connections: int) -> Run:
    return _counted(stub, "plain_workspace", stub.url, str(parallel), str(connections), *FOR_EACH)


def _counted(stub: Stub, task: str, *arguments: str) -> Run:
    before = stub.counts()
    return Run(measure(task, *arguments), stub.counts() - before)


def _listing(stub: Stub) -> int:
    arguments = (stub.url, WORKSPACE_ID, LIST_CONNECTIONS)
    return measure("plain", *arguments).peak - measure("idle_plain", *arguments).peak


def _times(sizes: Sizes, parallel: int, backups: list[Run], plain: list[Run]) -> list[Figure]:
    requests = median(run.counts.requests for run in backups)
    ideal = requests * sizes.latency / parallel
    seconds = median(run.measured.seconds for run in backups)
    took = median(run.counts.seconds / run.counts.requests for run in backups)
    others = [run.measured.seconds * parallel / sizes.latency / run.counts.requests for run in plain]
    title = f"{sizes.connections:,} connections, {sizes.latency * 1000:g} ms, {parallel} at a time"
    return [
        Figure(f"{title}: requests", requests, ""),
        Figure("... requests for each connection", requests / sizes.connections, "x"),
        Figure("... sockets opened", median(run.counts.sockets for run in backups), ""),
        Figure("... latency that the server really had", 1000 * took, "ms"),
        Figure("... ideal (requests x latency / parallelism)", ideal, "s"),
        Figure("... wall time of the whole command", seconds, "s"),
        Figure("... against the ideal", seconds / ideal, "x", TIME_GOAL),
        Figure("... plain requests in as many threads, nothing kept, against their ideal", median(others), "x"),
        Figure("... ideal for one connection", 1000 * ideal / sizes.connections, "ms"),
        Figure("... wall time for one connection", 1000 * seconds / sizes.connections, "ms"),
    ]


def _memory(sizes: Sizes, many: dict[int, list[Run]], fewer: dict[int, list[Run]]) -> list[Figure]:
    figures = []
    for parallel in sizes.parallel:
        large, small = (median(run.measured.peak for run in runs[parallel]) for runs in (many, fewer))
        title = f"peak memory, {parallel} at a time: {sizes.connections:,} connections"
        figures += [
            Figure(title, large / MEGABYTE, "MB"),
            Figure(f"... {sizes.fewer_connections:,} connections", small / MEGABYTE, "MB"),
            Figure("... the one against the other", large / small, "x", MEMORY_GOAL),
        ]
    return figures
