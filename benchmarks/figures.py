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
class Sizes:
    """How much of everything."""

    streams: int = 10_000
    repeats: int = 11
    connections: int = 1_000
    fewer_connections: int = 100
    latency: float = 0.02
    parallel: tuple[int, ...] = (4, 8, 16)
    workspace_repeats: int = 3


QUICK = Sizes(
    streams=50,
    repeats=1,
    connections=6,
    fewer_connections=2,
    latency=0.001,
    parallel=(2,),
    workspace_repeats=1,
)


def show(figures: Iterable[Figure]) -> None:
    """Print the table."""
    table = Table("what", Column("measured", justify="right"), Column("goal", justify="right"), "verdict")
    for figure in figures:
        goal = "" if figure.goal is None else f"≤ {figure.goal:g} {figure.unit}"
        table.add_row(figure.what, _text(figure), goal, figure.verdict)
    Console(width=110).print(table)


def _text(figure: Figure) -> str:
    digits = {"s": 3, "ms": 2, "MB": 1, "x": 2}.get(figure.unit, 0)
    return f"{figure.value:,.{digits}f} {figure.unit}".rstrip()
