"""Time, and what blocks: tests pass their own clock, and a worker one that a kill interrupts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Clock(Protocol):
    """What everything here that waits or blocks goes through."""

    def time(self) -> float:
        """Return the epoch seconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def run(self, call: Callable[[], Result]) -> Result:
        """Run a call that may block for minutes, and return what it returns."""


class SystemClock:
    """The machine's own time."""

    def time(self) -> float:
        """Return the epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def run(self, call: Callable[[], Result]) -> Result:
        """Run a call that may block for minutes, and return what it returns."""
        return call()


SYSTEM_CLOCK = SystemClock()
