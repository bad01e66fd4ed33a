"""Time as something to hand over: tests hand over their own, and a worker one that a kill interrupts."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What everything here that waits asks for the time."""

    def time(self) -> float:
        """Return the epoch seconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


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


SYSTEM_CLOCK = SystemClock()
