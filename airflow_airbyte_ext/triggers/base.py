"""What the waits in the triggerer share: one event, and when their task may be resumed."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_airbyte_ext import exceptions
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A worker may take a heartbeat's interval to notice that its task has deferred, and the scheduler some seconds to learn
# it. A task that is resumed and runs again by then is failed: "reported that the task instance finished".
HEARTBEAT_INTERVAL = 5
SCHEDULER_DELAY = 5.0
# Where the clocks of worker and triggerer differ.
MAX_DELAY = 60.0


def earliest_resume() -> float:
    """Return the epoch seconds from which on a task that is deferred now may be resumed."""
    heartbeat = conf.getint("workers", "min_heartbeat_interval", fallback=HEARTBEAT_INTERVAL)
    return time.time() + float(heartbeat) + SCHEDULER_DELAY


def serialized(trigger: BaseTrigger) -> tuple[str, dict[str, Any]]:
    """Return a trigger's class and arguments; its attributes have the arguments' names."""
    kind = type(trigger)
    arguments = {name: getattr(trigger, name) for name in signature(kind).parameters}
    return f"{kind.__module__}.{kind.__qualname__}", arguments


class WaitTrigger(BaseTrigger):
    """
    Waits, and yields one event: how the wait ended. `raise_for_event` reads it.

    The arguments of a trigger are its attributes. All are JSON-safe and none is secret: the triggerer takes the
    credentials from the Airflow Connection itself.
    """

    not_before: float | None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer builds this trigger from again."""
        return serialized(self)

    @abstractmethod
    async def wait(self) -> dict[str, Any]:
        """Wait, and return `job_id` and `status`; a wait that fails raises an `AirbyteError`."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the wait ended."""
        try:
            event = await self.wait()
        except AirbyteError as error:
            event = {
                "job_id": getattr(self, "job_id", None) or getattr(error, "job_id", None),
                "error": type(error).__name__,
                "message": str(error),
                "retryable": error.retryable,
            }
        await sleep_until(self.not_before)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]


def raise_for_event(event: dict[str, Any] | None) -> None:
    """
    Raise the error that a trigger's event names; return where the job has ended.

    :raises AirbyteError: The leaf that the trigger met.
    """
    if not isinstance(event, dict) or not ("error" in event or "status" in event):
        raise AirbyteJobError(
            f"The trigger sent an event that cannot be read ({event!r}). Clear the task to try again."
        )
    if "error" in event:
        error = getattr(exceptions, str(event["error"]), AirbyteJobError)(str(event.get("message")))
        if isinstance(error, AirbyteJobError):
            error.job_id = event.get("job_id")
        error.retryable = bool(event.get("retryable", error.retryable))
        raise error


async def sleep_until(moment: float | None) -> None:
    """
    Wait.

    :param moment: Epoch seconds, as `earliest_resume` gave them; None does not wait.
    """
    if moment is not None:
        await asyncio.sleep(min(max(moment - time.time(), 0.0), MAX_DELAY))
