"""A kill of the task: it ends all waiting, and Airflow says whether it is meant."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import SystemClock
from airflow_airbyte_ext.hooks.task_state import task_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.clock import Result

log = logging.getLogger(__name__)

# How soon a kill is noticed, in seconds.
KILL_CHECK = 0.1

# Airflow itself wants this try to go on, or another one after a worker that it had lost sight of.
WANTED_STATES = ("running", "up_for_retry", "scheduled", "queued")


class TaskKilledError(Exception):
    """The task is being killed: leave whatever waits."""


class KillableClock(SystemClock):
    """
    The system's time, whose waiting ends when the task is killed.

    Python goes on sleeping after a signal, and Airflow kills for good five seconds after it asked.
    """

    def __init__(self) -> None:
        self._is_killed = False

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
            super().sleep(min(left, KILL_CHECK))
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
        while not wait([outcome], timeout=KILL_CHECK).done:
            self.sleep(0)
        return outcome.result()


def user_requested_stop(context: Context) -> bool:
    """
    Whether somebody wanted the task to end, and so its job with it.

    A worker that shuts down, one that Airflow had lost sight of, and an API server that is away look just the same
    from inside. But then Airflow still wants the task, or cannot be asked; and a retry will look for the job.
    """
    try:
        return task_state(context["ti"]) not in WANTED_STATES
    except ImportError:
        return True  # Airflow 2 does not say; there a kill nearly always is a user's
    except Exception as error:  # best effort: whatever fails here, the job is better left running
        log.info("Airflow does not say whether it still wants this task (%s).", type(error).__name__)
        return False
