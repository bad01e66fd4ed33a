"""Figures, goals and the table that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Figure:
    """
    One line of the table.

    :param what: What was measured.
    :param value: The median.
    :param unit: "s", "ms", "MB", "x" (a ratio) or "" (a count).
    :param goal: The most that it should be; None where there is no goal.
    """

    what: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """Say whether the goal is met."""
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "MISSED"


@dataclass(frozen=True)
class Comparison:
    """
    One line of the table of two sides.

    :param what: What was measured.
    :param official: The median of the official provider; None where it was not measured.
    :param ours: The median of this one.
    :param unit: As of a `Figure`.
    :param goal: The most that ours should be; None where there is no goal.
    :param is_ratio: Whether the goal is for ours as a part of the official's.
    """

    what: str
    official: float | None
    ours: float
    unit: str
    goal: float | None = None
    is_ratio: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours as a part of the official's."""
        return self.ours / self.official if self.official else None

    @property
    def verdict(self) -> str:
        """Say whether the goal is met."""
        judged = self.ratio if self.is_ratio else self.ours
        if self.goal is None:
            return ""
        if judged is None:
            return "?"
        return "met" if judged <= self.goal else "MISSED"


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    streams: int = 10_000
    repeats: int = 11
    connections: int = 1_000
    fewer_connections: int = 100
    latency: float = 0.02
    parallel: tuple[int, ...] = (4, 8, 16)
    workspace_repeats: int = 3
    waits: int = 300
    many_waits: int = 10_000
    job_seconds: float = 5.0
    poll_interval: float = 1.0
    wait_limit: float = 120.0
    wait_repeats: int = 3
    window: float = 60.0
    window_interval: float = 5.0
    start_repeats: int = 11


QUICK = Sizes(
    streams=50,
    repeats=1,
    connections=6,
    fewer_connections=2,
    latency=0.001,
    parallel=(2,),
    workspace_repeats=1,
    waits=4,
    many_waits=20,
    job_seconds=0.2,
    poll_interval=0.1,
    wait_limit=30.0,
    wait_repeats=1,
    window=0.5,
    window_interval=0.1,
    start_repeats=1,
)


def show(figures: Iterable[Figure]) -> None:
    """Print the table."""
    table = Table("what", Column("measured", justify="right"), Column("goal", justify="right"), "verdict")
    for figure in figures:
        goal = "" if figure.goal is None else f"≤ {figure.goal:g} {figure.unit}"
        table.add_row(figure.what, _text(figure.value, figure.unit), goal, figure.verdict)
    Console(width=110).print(table)


def show_comparisons(comparisons: Iterable[Comparison]) -> None:
    """Print the table of two sides."""
    numbers = [Column(title, justify="right") for title in ("official", "ours", "ratio", "goal")]
    table = Table("what", *numbers, "verdict")
    for line in comparisons:
        unit = " x official" if line.is_ratio else f" {line.unit}"
        table.add_row(
            line.what,
            "" if line.official is None else _text(line.official, line.unit),
            _text(line.ours, line.unit),
            "" if line.ratio is None else f"{line.ratio:.3g}",
            "" if line.goal is None else f"≤ {line.goal:g}{unit}".rstrip(),
            line.verdict,
        )
    Console(width=120).print(table)


def _text(value: float, unit: str) -> str:
    digits = {"s": 3, "ms": 2, "MB": 1, "x": 2}.get(unit, 0)
    return f"{value:,.{digits}f} {unit}".rstrip()
