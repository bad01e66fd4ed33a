"""Waiting for a job in the triggerer."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_airbyte_ext import exceptions
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteJobError, AirbyteJobUnreadableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import ThreadPoolExecutor

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.jobs import JobRead


POLL_THREADS = 32

# All waits of one Airflow Connection share a client, with its sockets and its token.
_clients: dict[str, AirbyteClient] = {}


@cache
def poll_threads() -> ThreadPoolExecutor:
    """Return the threads in which triggers read Airbyte: their own, so that a slow Airbyte holds up nobody else."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(POLL_THREADS, thread_name_prefix="airbyte-poll")


class AirbyteJobTrigger(BaseTrigger):
    """
    Waits until a job has ended, its deadline has passed, or its status has been unreadable for too long.

    Each read of Airbyte runs in a thread, so the triggerer's event loop is never blocked. All values are JSON-safe and
    none is secret: the triggerer takes the credentials from the Airflow Connection itself.

    :param job_id: The job.
    :param airbyte_conn_id: Airflow Connection of the Airbyte that runs the job.
    :param connection_id: The job's Airbyte connection, where known.
    :param poll_interval: Seconds between two reads.
    :param deadline: Epoch seconds at which to stop waiting; None waits as long as the job runs.
    :param unreadable_timeout: Seconds for which reads may fail.
    :param cancel_on_kill: Cancel the job when a user clears the deferred task or marks it as failed or succeeded.
    :param seen: Whether this Airbyte is known to have the job.
    """

    def __init__(
        self,
        *,
        job_id: int,
        airbyte_conn_id: str,
        poll_interval: float,
        unreadable_timeout: float,
        connection_id: str | None = None,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
        seen: bool = True,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.airbyte_conn_id = airbyte_conn_id
        self.connection_id = connection_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.unreadable_timeout = unreadable_timeout
        self.cancel_on_kill = cancel_on_kill
        self.seen = seen

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer builds this trigger from again."""
        names = (
            "job_id",
            "airbyte_conn_id",
            "connection_id",
            "poll_interval",
            "deadline",
            "unreadable_timeout",
            "cancel_on_kill",
            "seen",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the wait ended; `raise_for_event` reads it."""
        try:
            job = await self._wait()
            event = {"job_id": self.job_id, "status": job.status}
        except AirbyteError as error:
            event = {
                "job_id": self.job_id,
                "error": type(error).__name__,
                "message": str(error),
                "worth_retrying": error.worth_retrying,
            }
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """
        Cancel the job when a user has ended the deferred task.

        Airflow also calls this when a triggerer wakes from a stall and finds its triggers given to another one: then
        the task is still deferred, and the job is left alone.
        """
        if not self.cancel_on_kill or await self._is_still_deferred():
            return
        from airflow_airbyte_ext.api.clock import SystemClock
        from airflow_airbyte_ext.jobs.cancel import cancel_job

        client = await self._client()
        self.log.info("The task was ended while it was deferred: cancelling job %s.", self.job_id)
        job = await asyncio.to_thread(
            cancel_job, client, self.job_id, connection_id=self.connection_id, clock=SystemClock()
        )
        self.log.info("Job %s is %s.", self.job_id, job.status if job else "gone")

    async def _wait(self) -> JobRead:
        from airflow_airbyte_ext.api.clock import SystemClock
        from airflow_airbyte_ext.jobs.status import verdict
        from airflow_airbyte_ext.jobs.wait import JobWatch

        clock = SystemClock()
        watch = JobWatch(
            await self._patient_client(clock),
            self.job_id,
            connection_id=self.connection_id,
            unreadable_timeout=self.unreadable_timeout,
            clock=clock,
            seen=self.seen,
        )
        status: str | None = None
        while True:
            job = await asyncio.get_running_loop().run_in_executor(poll_threads(), watch.poll)
            if job and job.status != status:
                status = job.status
                self.log.info("Job %s: %s", self.job_id, status)
            if job and verdict(job.status).is_final:
                return job
            await asyncio.sleep(watch.pause(self.poll_interval, self.deadline))

    async def _patient_client(self, clock: Clock) -> AirbyteClient:
        """Return a client, also after a moment in which Airflow cannot give the Connection."""
        until = clock.time() + self.unreadable_timeout
        while True:
            try:
                return await self._client()
            except AirbyteError:
                raise
            except Exception as error:  # of Airflow, and of many kinds; none is the job's fault
                if clock.time() >= until:
                    raise AirbyteJobUnreadableError(
                        f"Airflow does not give the Connection {self.airbyte_conn_id!r} ({error}). Job {self.job_id} "
                        "may be fine: look at it in Airbyte.",
                        job_id=self.job_id,
                    ) from error
                self.log.warning("Airflow does not give the Connection %r; asking again.", self.airbyte_conn_id)
                await asyncio.sleep(self.poll_interval)

    async def _client(self) -> AirbyteClient:
        from airflow.providers.common.compat.connection import get_async_connection

        from airflow_airbyte_ext.api.client import AirbyteClient
        from airflow_airbyte_ext.hooks.airbyte import settings_from_connection

        settings = settings_from_connection(await get_async_connection(self.airbyte_conn_id))
        shared = _clients.get(self.airbyte_conn_id)
        if shared is None or shared.settings != settings:
            shared = _clients[self.airbyte_conn_id] = AirbyteClient(settings)
        return shared

    async def _is_still_deferred(self) -> bool:
        from asgiref.sync import sync_to_async

        from airflow_airbyte_ext.hooks.task_state import task_state

        return await sync_to_async(task_state)(self.task_instance) == "deferred"


def raise_for_event(event: dict[str, Any] | None) -> None:
    """
    Raise the error that a trigger's event tells of; return where the job has ended.

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
        error.worth_retrying = bool(event.get("worth_retrying", error.worth_retrying))
        raise error
