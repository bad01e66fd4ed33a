"""Waiting in the triggerer: for a job, and for a sync of a connection, no matter who starts it."""

from __future__ import annotations

import asyncio
import contextvars
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobStatusUnavailableError
from airflow_airbyte_ext.hooks.task import task_state
from airflow_airbyte_ext.text import fit_message
from airflow_airbyte_ext.triggers.base import WaitTrigger
from airflow_airbyte_ext.triggers.watching import imported, watcher_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.jobs.poll import JobWait
    from airflow_airbyte_ext.jobs.syncs import SyncPoller
    from airflow_airbyte_ext.jobs.watcher import JobWatcher

# How often a wait makes sure that the Airflow Connection is still the one that it began with.
CONNECTION_CHECK_INTERVAL = 300.0


class AirbyteJobTrigger(WaitTrigger):
    """
    Waits until a job has ended, its deadline has passed, or its status has been unreadable for too long.

    All triggers of one Airflow Connection share one watcher, which reads Airbyte in threads of its own, so the
    triggerer's event loop is never blocked. All values are JSON-safe and none is secret: the triggerer takes the
    credentials from the Airflow Connection itself.

    :param job_id: The job.
    :param airbyte_conn_id: Airflow Connection of the Airbyte that runs the job.
    :param connection_id: The job's Airbyte connection, where known.
    :param poll_interval: Seconds between two reads.
    :param deadline: Epoch seconds at which to stop waiting; None waits as long as the job runs.
    :param poll_error_timeout: Seconds for which reads may fail.
    :param cancel_on_kill: Cancel the job when a user clears the deferred task or marks it as failed or succeeded.
    :param seen: Whether this Airbyte is known to have the job.
    :param workspace_id: The job's workspace, where known: jobs of known workspaces are read together.
    :param updated_at: When the job had last changed when it was seen, in the server's epoch seconds.
    :param not_before: Epoch seconds before which the task is not resumed; see `earliest_resume`.
    """

    def __init__(
        self,
        *,
        job_id: int,
        airbyte_conn_id: str,
        poll_interval: float,
        poll_error_timeout: float,
        connection_id: str | None = None,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
        seen: bool = True,
        workspace_id: str | None = None,
        updated_at: int | None = None,
        not_before: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.airbyte_conn_id = airbyte_conn_id
        self.connection_id = connection_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.poll_error_timeout = poll_error_timeout
        self.cancel_on_kill = cancel_on_kill
        self.seen = seen
        self.workspace_id = workspace_id
        self.updated_at = updated_at
        self.not_before = not_before

    async def on_kill(self) -> None:
        """
        Cancel the job when a user has ended the deferred task.

        Airflow also calls this when a triggerer wakes from a stall and finds its triggers given to another one: then
        the task is still deferred, and the job is left alone.
        """
        if not self.cancel_on_kill or await self._is_still_deferred():
            return
        from airflow_airbyte_ext.jobs.cancel import PATIENT_PAUSES, cancel_job, log_cancellation

        watcher = await watcher_of(self.airbyte_conn_id)
        self.log.info("The task was ended while it was deferred: cancelling job %s.", self.job_id)
        job = await asyncio.to_thread(
            cancel_job,
            watcher.client,
            self.job_id,
            connection_id=self.connection_id,
            clock=SYSTEM_CLOCK,
            pauses=PATIENT_PAUSES,
        )
        log_cancellation(self.log, self.job_id, job)

    async def wait(self) -> dict[str, Any]:
        """Wait, and return the event of a job that has ended."""
        ended: asyncio.Future[JobRead] = asyncio.get_running_loop().create_future()
        watcher = await self._patient_watcher()  # first: it imports in a thread what the wait needs
        wait = self._job_wait(ended)
        watcher.add(wait)
        try:
            while not (await asyncio.wait([ended], timeout=CONNECTION_CHECK_INTERVAL))[0]:
                now_watching = await self._watcher_now(watcher)
                if now_watching is not watcher and watcher.remove(wait):
                    watcher = now_watching
                    watcher.add(wait)
            return {"job_id": self.job_id, "status": ended.result().status}
        finally:
            watcher.remove(wait)
            ended.cancel()

    def _job_wait(self, ended: asyncio.Future[JobRead]) -> JobWait:
        """Return the wait, whose news come from other threads and go to this trigger's own log."""
        from airflow_airbyte_ext.jobs.outage import Polling
        from airflow_airbyte_ext.jobs.poll import JobWait

        here = _LoopBridge(ended, self.log)
        return JobWait(
            self.job_id,
            on_end=here.end,
            on_change=here.change,
            warn=here.warn,
            connection_id=self.connection_id,
            workspace_id=self.workspace_id,
            updated_at=self.updated_at,
            seen=self.seen,
            polling=Polling(self.poll_interval, self.deadline, self.poll_error_timeout),
        )

    async def _patient_watcher(self) -> JobWatcher:
        """Return the watcher, also after a moment in which Airflow cannot give the Connection."""
        until = time.time() + self.poll_error_timeout
        while True:
            try:
                return await watcher_of(self.airbyte_conn_id)
            except AirbyteError:
                raise
            except Exception as error:  # of Airflow, and of many kinds; none is the job's fault
                if time.time() >= until:
                    raise AirbyteJobStatusUnavailableError(
                        f"Airflow does not give the Connection {self.airbyte_conn_id!r} ({error}). Job {self.job_id} "
                        "may be fine: check it in Airbyte.",
                        job_id=self.job_id,
                    ) from error
                self.log.warning("Airflow does not give the Connection %r; trying again.", self.airbyte_conn_id)
                await asyncio.sleep(self.poll_interval)

    async def _watcher_now(self, watcher: JobWatcher) -> JobWatcher:
        """Return the watcher that the Connection names now; the same one while Airflow does not give it."""
        try:
            return await watcher_of(self.airbyte_conn_id)
        except Exception as error:
            words = "The Connection %r cannot be read now; going on. %s"
            self.log.warning(words, self.airbyte_conn_id, fit_message(error))
            return watcher

    async def _is_still_deferred(self) -> bool:
        from asgiref.sync import sync_to_async

        return await sync_to_async(task_state)(self.task_instance) == "deferred"


class _LoopBridge:
    """
    Brings news from a watcher's threads to the event loop of a trigger, and into the context of its log.

    :param ended: Resolved when the wait is over.
    :param log: The trigger's.
    """

    __slots__ = ("_context", "_ended", "_log")

    def __init__(self, ended: asyncio.Future[JobRead], log: Any) -> None:
        self._ended = ended
        self._log = log
        self._context = contextvars.copy_context()

    def end(self, outcome: JobRead | AirbyteError) -> None:
        """Take the end of the wait."""
        self._call(self._resolve, outcome)

    def change(self, job: JobRead) -> None:
        """Report a status."""
        self._call(self._log.info, "Job %s: %s", job.id, job.status)

    def warn(self, message: str) -> None:
        """Report that the job cannot be read."""
        self._call(self._log.warning, "%s", message)

    def _call(self, call: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._ended.get_loop().call_soon_threadsafe(call, *arguments, context=self._context)

    def _resolve(self, outcome: JobRead | AirbyteError) -> None:
        if self._ended.done():
            return
        if isinstance(outcome, AirbyteError):
            self._ended.set_exception(outcome)
        else:
            self._ended.set_result(outcome)


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
        poller = SyncPoller(
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
                job_id = await self._poll(poller)
            finally:
                # What is logged here, and not in the thread that polls, goes into the task's own log.
                for log, message in shown:
                    log("%s", message)
                shown.clear()
            if job_id is not None:
                return {"job_id": job_id, "status": "succeeded"}
            await asyncio.sleep(poller.pause())

    async def _poll(self, poller: SyncPoller) -> int | None:
        """Poll once, in a thread; a moment in which Airflow cannot give the Connection is a poll that failed."""
        try:
            watcher = await watcher_of(self.airbyte_conn_id)
        except AirbyteError:
            raise
        except Exception as error:  # of Airflow, and of many kinds; none is the connection's fault
            poller.record(error)
            return None
        polling = asyncio.wrap_future(watcher.read(poller, partial(poller.poll, watcher.client.without_retries())))
        from airflow_airbyte_ext.jobs.poll import FINAL_POLL_TIMEOUT

        left = None if self.deadline is None else max(self.deadline - time.time(), 0.0) + FINAL_POLL_TIMEOUT
        try:
            await asyncio.wait([polling], timeout=left)
            return polling.result() if polling.done() else None
        finally:
            polling.cancel()
