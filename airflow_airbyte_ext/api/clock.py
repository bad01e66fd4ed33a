"""Time, and what blocks: tests pass their own clock, and a worker one that a kill interrupts."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

# How soon a kill is noticed, in seconds.
KILL_CHECK_INTERVAL = 0.1


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


class TaskKilledError(Exception):
    """The task is being killed: leave whatever waits."""


class KillableClock(SystemClock):
    """
    The system's time, whose waiting ends when the task is killed.

    Python goes on sleeping after a signal, and Airflow kills for good five seconds later.
    """

    def __init__(self) -> None:
        self._is_killed = False

    @property
    def is_killed(self) -> bool:
        """Whether the task is being killed."""
        return self._is_killed

    def kill(self) -> None:
        """End all waiting. A signal handler may call this: there is no lock that it could interrupt somebody with."""
        self._is_killed = True

    def sleep(self, seconds: float) -> None:
        """
        Wait.

        :raises TaskKilledError: The task is being killed.
        """
        until = self.monotonic() + seconds
        while not self._is_killed:
            left = until - self.monotonic()
            if left <= 0:
                return
            super().sleep(min(left, KILL_CHECK_INTERVAL))
        raise TaskKilledError("The task was killed while it waited.")

    def run(self, call: Callable[[], Result]) -> Result:
        """
        Run a call that may take minutes, in a thread, and return what it returns.

        :raises TaskKilledError: The task is being killed; the call goes on by itself.
        """
        self.sleep(0)  # what is killed begins nothing more
        outcome: Future[Result] = Future()

        def run_in_thread() -> None:
            try:
                outcome.set_result(call())
            except BaseException as error:  # for the thread that waits
                outcome.set_exception(error)

        threading.Thread(target=run_in_thread, name="airbyte-request", daemon=True).start()
        while not wait([outcome], timeout=KILL_CHECK_INTERVAL).done:
            self.sleep(0)
        return outcome.result()
