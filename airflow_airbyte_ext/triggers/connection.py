"""Waiting in the triggerer for a sync of a connection, no matter who starts it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import AirbyteError
from airflow_airbyte_ext.triggers.base import WaitTrigger
from airflow_airbyte_ext.triggers.watching import imported, watcher_of

if TYPE_CHECKING:
    from airflow_airbyte_ext.jobs.syncs import SyncPoller

# After the deadline there is one more poll, which may take so long.
FINAL_POLL_TIMEOUT = 5.0


class AirbyteConnectionTrigger(WaitTrigger):
    """
    Waits until a sync of a connection has succeeded, its deadline has passed, or it has been unreadable for too long.

    All values are JSON-safe and none is secret: the triggerer takes the credentials from the Airflow Connection.

    :param connection_id: The Airbyte connection.
    :param airbyte_conn_id: Airflow Connection of the Airbyte that has the connection.
    :param since: Epoch seconds at or after which the sync must have ended; None means the next one that ends.
    :param on_failure: "wait" for another sync after one that failed or was cancelled, or "fail".
    :param poll_interval: Seconds between two reads.
    :param poll_error_timeout: Seconds for which reads may fail.
    :param deadline: Epoch seconds at which to stop waiting; None waits for ever.
    :param known: What an earlier poll has found out, as `SyncPoller.known` gives it.
    :param not_before: Epoch seconds before which the task is not resumed; see `earliest_resume`.
    """

    def __init__(
        self,
        *,
        connection_id: str,
        airbyte_conn_id: str,
        since: float | None,
        poll_interval: float,
        poll_error_timeout: float,
        on_failure: str = "wait",
        deadline: float | None = None,
        known: dict[str, Any] | None = None,
        not_before: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.connection_id = connection_id
        self.airbyte_conn_id = airbyte_conn_id
        self.since = since
        self.poll_interval = poll_interval
        self.poll_error_timeout = poll_error_timeout
        self.on_failure = on_failure
        self.deadline = deadline
        self.known = known
        self.not_before = not_before

    async def wait(self) -> dict[str, Any]:
        """Wait, and return the event of a sync that has succeeded."""
        await imported("airflow_airbyte_ext.jobs.syncs")
        from airflow_airbyte_ext.jobs.outage import Polling
        from airflow_airbyte_ext.jobs.syncs import SyncPoller

        shown: list[tuple[Any, str]] = []
        watch = SyncPoller(
            self.connection_id,
            since=self.since,
            on_failure=self.on_failure,
            polling=Polling(self.poll_interval, self.deadline, self.poll_error_timeout),
            known=self.known,
            warn=lambda message: shown.append((self.log.warning, message)),
            info=lambda message: shown.append((self.log.info, message)),
        )
        while True:
            try:
                job_id = await self._poll(watch)
            finally:
                # What is logged here, and not in the thread that polls, stands in the task's own log.
                for log, message in shown:
                    log("%s", message)
                shown.clear()
            if job_id is not None:
                return {"job_id": job_id, "status": "succeeded"}
            await asyncio.sleep(watch.pause())

    async def _poll(self, watch: SyncPoller) -> int | None:
        """Poll once, in a thread; a moment in which Airflow cannot give the Connection is a poll that failed."""
        try:
            watcher = await watcher_of(self.airbyte_conn_id)
        except AirbyteError:
            raise
        except Exception as error:  # of Airflow, and of many kinds; none is the connection's fault
            watch.record(error)
            return None
        polling = asyncio.wrap_future(watcher.read(watch, partial(watch.poll, watcher.client.without_retries())))
        left = None if self.deadline is None else max(self.deadline - time.time(), 0.0) + FINAL_POLL_TIMEOUT
        try:
            await asyncio.wait([polling], timeout=left)
            return polling.result() if polling.done() else None
        finally:
            polling.cancel()
