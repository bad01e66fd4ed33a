"""What a provider costs before anything waits: its imports, and the way from `execute` to a submitted sync."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Comparison, Sizes
from benchmarks.fresh import in_new_process
from benchmarks.sides import OFFICIAL, OURS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.fleet_stub import FleetStub

IMPORT_GOAL = 0.03
SUBMIT_GOAL = 1.0

Medians = dict[str, tuple[float | None, float]]


def imports(sizes: Sizes, stub: FleetStub, official: Path | None) -> list[Comparison]:
    """Import operators, sensors and hook of each side, in turn."""
    found = _medians("imports", sizes, stub, official)
    return [
        Comparison("import of operators, sensors and hook", *found["seconds"], "s", IMPORT_GOAL),
        Comparison("... modules that came", *found["modules"], ""),
        Comparison("... `requests` among them (1: yes)", *found["requests"], "", 0.0),
    ]


def submit(sizes: Sizes, stub: FleetStub, official: Path | None) -> list[Comparison]:
    """Submit a sync with each side in turn, on a near server and on one that is far away."""
    lines = []
    for latency in (0.0, sizes.latency):
        found = _medians("submit", sizes, stub, official, latency=latency)
        shown = f"submit, {1000 * latency:g} ms away"
        lines += [
            _goal(f"{shown}: `execute` to the POST", found["seconds"]),
            Comparison("... with the import of the operators", *_scaled(found["with_imports"]), "ms"),
            Comparison("... `execute` again in the same process", *_scaled(found["again"]), "ms"),
            Comparison("... requests before the POST", *found["requests_before"], ""),
        ]
    return lines


def _goal(what: str, seconds: tuple[float | None, float]) -> Comparison:
    return Comparison(what, *_scaled(seconds), "ms", SUBMIT_GOAL, is_ratio=True)


def _scaled(seconds: tuple[float | None, float]) -> tuple[float | None, float]:
    """Return milliseconds."""
    official, ours = seconds
    return None if official is None else 1000 * official, 1000 * ours


def _medians(task: str, sizes: Sizes, stub: FleetStub, official: Path | None, **arguments: Any) -> Medians:
    """Run a task of both sides in turn, after one run of each that does not count."""
    sides = [OFFICIAL, OURS] if official else [OURS]
    runs: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
    for number in range(sizes.start_repeats + 1):
        for side in sides:
            run = in_new_process(official, task, side, stub.url, **arguments)
            if number:
                runs[side.name].append(run)
    return {
        name: (
            median(run[name] for run in runs[OFFICIAL.name]) if official else None,
            median(run[name] for run in runs[OURS.name]),
        )
        for name in runs[OURS.name][0]
    }
