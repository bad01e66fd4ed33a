"""What a whole Airbyte holds, and the rules by which it changes. No HTTP, no JSON of requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.inventory import ORGANIZATION_ID, WORKSPACE_ID, Inventory
from airflow_airbyte_ext.testing.jobs import (
    DEFAULT_SCRIPT,
    NULL_STATE,
    RESET_SCRIPT,
    Job,
    Step,
    Stream,
    checked_script,
    failing_instead,
    share,
)
from airflow_airbyte_ext.testing.pieces import Actor, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.states import StateRows

__all__ = ["ORGANIZATION_ID", "WORKSPACE_ID", "Actor", "Connection", "World"]


class World(Inventory):
    """One Airbyte: its workspaces, their connections and all jobs that ever ran.

    `now` gives epoch seconds; everything that takes time asks it.
    """

    def __init__(self, era: Era, now: Callable[[], float] = time.time) -> None:
        super().__init__(era, now)
        self.default_script: list[Step] = list(DEFAULT_SCRIPT)
        self._jobs: dict[int, Job] = {}
        self._next_job_id = 1

    # What a test sets up

    def script(self, connection_id: str, steps: Sequence[Step], repeat: bool) -> None:
        """Queue a script for the connection's next job, or (`repeat`) set the one for every job without its own."""
        connection = self.connection(connection_id)
        if repeat:
            connection.every_script = checked_script(steps)
        else:
            connection.scripts.append(checked_script(steps))

    # Looking things up

    def job(self, job_id: int) -> Job:
        """The job with this id, as it stands now."""
        if job_id not in self._jobs:
            raise Refusal("no_such_job", f"Could not find job with id: {job_id}")
        job = self._jobs[job_id]
        job.settle()
        return job

    def jobs(self, connection_id: str | None = None) -> list[Job]:
        """All jobs, or those of one connection, oldest first, as they stand now."""
        for job in list(self._jobs.values()):
            job.settle()
        return [job for job in self._jobs.values() if connection_id in (None, job.connection_id)]

    def active_job(self, connection_id: str) -> Job | None:
        """The job of this connection that has not ended: there is never more than one."""
        return next((job for job in self.jobs(connection_id) if not job.terminal), None)

    # What Airbyte does

    def start_job(self, connection: Connection, kind: str = "sync", streams: tuple[Stream, ...] | None = None) -> Job:
        """Create the connection's next job."""
        usual = connection.every_script if kind == "sync" else None
        if kind == "reset_connection" and self.default_script == list(DEFAULT_SCRIPT):
            usual = list(RESET_SCRIPT)
        steps = connection.scripts.pop(0) if connection.scripts else usual
        job = Job(
            id=self._next_job_id,
            connection_id=connection.connection_id,
            kind=kind,
            streams=connection.streams if streams is None else streams,
            steps=list(steps or self.default_script),
            now=self.now,
            on_status=self._before_status,
        )
        self._next_job_id += 1
        self._jobs[job.id] = job
        return job

    def sync(self, connection_id: str) -> Job:
        """connections/sync."""
        if connection_id not in self.connections and self.era.has("sync_of_unknown_hangs"):
            raise Refusal("hangs")
        connection = self.connection(connection_id)
        active = self.active_job(connection_id)
        if active and self.era.has("old_scheduler"):
            return active
        if self.era.has("only_active_connections_sync") and connection.status != "active":
            raise Refusal("illegal", "Can only sync an active connection")
        if connection.status == "deprecated" and not self.era.has("old_scheduler"):
            raise Refusal(
                "conflict",
                f"The connection manager workflow for connection {connection_id} is deleted, "
                "so no further operations cannot be performed on it.",
            )
        if active is None:
            return self.start_job(connection)
        if active.status == "incomplete" and self.era.has("backoff_is_idle"):
            active.move_on(self.now())
            return active
        if active.status == "queued":
            return active
        kind = "illegal" if self.era.has("running_is_a_failure") else "conflict"
        raise Refusal(kind, f"A sync is already running for: {connection_id}")

    def refresh(self, connection_id: str, streams: tuple[Stream, ...]) -> Job | None:
        """connections/refresh, of all streams when none are named; None when no job comes of it."""
        connection = self.connection(connection_id)
        if not connection.destination.supports_refreshes or connection.status == "deprecated":
            return None
        if self.active_job(connection_id):
            return None
        return self.start_job(connection, "refresh", streams or None)

    def reset(self, connection_id: str, streams: tuple[Stream, ...] | None = None) -> Job:
        """connections/reset and clear, of all streams or of these: a running job is cancelled first."""
        connection = self.connection(connection_id)
        active = self.active_job(connection_id)
        if active and self.era.has("old_scheduler"):
            return active
        if connection.status == "deprecated" and not self.era.has("old_scheduler"):
            raise Refusal("illegal", f"Failed to reset connection {connection_id}: its workflow is deleted")
        if active:
            active.force(Step("cancelled"))
        if streams == ():
            return self.start_job(
                connection, "reset_connection" if self.era.has("no_streams_are_all_streams") else "sync"
            )
        return self.start_job(connection, "reset_connection", streams)

    def cancel(self, job_id: int) -> Job:
        """jobs/cancel: cancels whatever runs on that job's connection, and answers with the job that was named."""
        named = self.job(job_id)
        if self.era.has("old_scheduler"):
            target = None if named.terminal else named
        else:
            if self.connection(named.connection_id).status == "deprecated":
                raise Refusal("illegal", "Failed to cancel job: the connection manager workflow is deleted")
            target = self.active_job(named.connection_id)
        if target and not (
            target.status == "incomplete" and self.era.has("backoff_is_idle") and not self.era.has("old_scheduler")
        ):
            target.cancel_requested = True
            target.force(Step("cancelled"))
        return named

    def write_state(self, connection_id: str, state: dict[str, object], safe: bool) -> StateRows:
        """state/create_or_update, and its safe twin that refuses while a sync or refresh has not ended."""
        if safe:
            active = self.active_job(connection_id)
            if active and active.kind in ("sync", "refresh"):
                raise Refusal("sync_running", "State cannot be updated while a sync is running for this connection.")
        if connection_id not in self.connections:
            raise Refusal("constraint")
        rows = self.connections[connection_id].state
        rows.write(state)
        return rows

    def _before_status(self, job: Job, step: Step) -> Step:
        connection = self.connections[job.connection_id]
        if job.kind == "reset_connection":
            begins = step.status == "running" and self.era.has("reset_forgets_at_first_attempt")
            if begins or step.status == "succeeded":
                self._forget_state(connection, job)
            if step.status == "succeeded" and job.then_sync:
                self.start_job(connection)
        elif job.kind == "refresh" and step.status == "running" and len(job.attempts) == 1:
            self._forget_state(connection, job)
        if job.kind in ("sync", "refresh") and step.status == "succeeded":
            return self._advance_state(connection, job, step)
        return step

    def _forget_state(self, connection: Connection, job: Job) -> None:
        everything = {each.key for each in job.streams} >= {each.key for each in connection.streams}
        connection.state.delete(job.streams, everything)

    def _advance_state(self, connection: Connection, job: Job, step: Step) -> Step:
        if connection.state.has_null():
            return failing_instead(step, NULL_STATE)
        records = step.records if step.records is not None else job.attempts[-1].records
        streams = connection.streams
        default_kind = "stream" if self.era.has("typed_state") else "legacy"
        connection.state.advance(list(zip(streams, share(records, len(streams)), strict=True)), default_kind)
        return step
