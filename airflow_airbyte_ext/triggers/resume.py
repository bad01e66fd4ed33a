"""When a deferred task may be resumed without Airflow mistaking it for lost."""

from __future__ import annotations

import asyncio
import time

from airflow.providers.common.compat.sdk import conf

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


async def until(moment: float | None) -> None:
    """
    Wait.

    :param moment: Epoch seconds, as `earliest_resume` gave them; None does not wait.
    """
    if moment is not None:
        await asyncio.sleep(min(max(moment - time.time(), 0.0), MAX_DELAY))
