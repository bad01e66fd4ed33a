"""The jobs of an Airbyte: which one a connection runs next, and what a job does while it runs."""

from __future__ import annotations

import time
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.inventory import Inventory
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_airbyte_ext.testing.eras import Era
    from airflow_airbyte_ext.testing.model import Connection
    from airflow_airbyte_ext.testing.state_rows import StateRows


class Runs(Inventory):
    """All jobs that ever ran, by the rules of Airbyte's workflow of a connection.

    `now` gives epoch seconds; everything that takes time reads it. For `busy_after_end` seconds after the end of a job
    its connection still counts as running. The pod of a cancelled job writes its state once more `late_state_after`
    seconds after the end, if that is given.
    """

    def __init__(self, era: Era, now: Callable[[], float] = time.time) -> None:
        super().__init__(era, now)
        self.default_script: list[Step] = list(DEFAULT_SCRIPT)
        self.busy_after_end = 0.0
        self.late_state_after: float | None = None
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

    def is_winding_up(self, connection_id: str) -> bool:
        """Whether the newest job has ended, but not what Airbyte does after it (notifications, webhooks)."""
        jobs = self.jobs(connection_id)
        return bool(jobs) and jobs[-1].terminal and self.now() < jobs[-1].updated_at + self.busy_after_end

    def state_of(self, connection: Connection) -> StateRows:
        """The rows of a connection's state, as they stand now."""
        due = [rows for when, rows in connection.late_states if when <= self.now()]
        connection.late_states = [late for late in connection.late_states if late[0] > self.now()]
        for rows in due:
            # The state may have got another type meanwhile: then the pod fails.
            with suppress(Refusal):
                connection.state.write(rows.read())
        return connection.state

    # Starting

    def next_run(self, connection: Connection) -> Job:
        """Start what the connection runs next: the stored resets, or else the stored refreshes, or else a sync."""
        if connection.stored_resets:
            return self.start_job(connection, "reset_connection", tuple(connection.stored_resets.values()))
        if connection.stored_refreshes:
            streams = tuple(connection.stored_refreshes.values())
            connection.stored_refreshes.clear()
            if self.era.has("refreshes_forget_when_created"):
                self._delete_rows(connection, streams, erase=_covers(streams, connection))
            return self.start_job(connection, "refresh", streams)
        return self.start_job(connection)

    def start_job(self, connection: Connection, kind: str = "sync", streams: tuple[Stream, ...] | None = None) -> Job:
        """Create a job of this kind, of all streams when none are named."""
        usual = connection.every_script if kind == "sync" else None
        if kind == "reset_connection" and self.default_script == list(DEFAULT_SCRIPT):
            usual = list(RESET_SCRIPT)
        steps = connection.scripts.pop(0) if connection.scripts else usual
        # A job may end, and be followed by another, as soon as it is made.
        job_id, self._next_job_id = self._next_job_id, self._next_job_id + 1
        job = Job(
            id=job_id,
            connection_id=connection.connection_id,
            kind=kind,
            streams=connection.streams if streams is None else streams,
            steps=list(steps or self.default_script),
            now=self.now,
            on_status=self._before_status,
        )
        self._jobs[job.id] = job
        if self._next_job_id > job.id + 1:
            self._jobs = dict(sorted(self._jobs.items()))
        return job

    # Running

    def _before_status(self, job: Job, step: Step) -> Step:
        connection = self.connections[job.connection_id]
        self.state_of(connection)
        if step.status == "cancelled" and job.attempt and job.kind != "reset_connection":
            self._leave_late_state(connection, job)
        if job.begins:
            self._forget_at_start(connection, job)
        if job.begins and connection.status in ("inactive", "locked") and self.era.has("inactive_runs_move_nothing"):
            job.superseded = True
            is_cancelled = self.era.has("inactive_runs_are_cancelled")
            step = Step("cancelled") if is_cancelled else Step("succeeded", records=0, bytes=0)
        elif step.status == "succeeded":
            step = self._take_effect(connection, job, step)
        if step.status in ("succeeded", "cancelled"):
            self._after_end(connection, job, step.status)
        return step

    def _forget_at_start(self, connection: Connection, job: Job) -> None:
        """Delete what an attempt begins without."""
        full = [stream for stream in connection.streams if stream.sync_mode == "full_refresh"]
        mine = [] if job.kind == "sync" else list(job.streams)
        if self.era.has("attempts_forget_state"):
            if len(job.attempts) == 1:
                self._delete_rows(connection, mine if job.kind == "reset_connection" else [*full, *mine])
            else:
                self._delete_rows(connection, [stream for stream in full if not connection.resumes(stream)])
        elif self.era.has("attempts_forget_full_refreshes") and job.kind != "reset_connection":
            self._delete_rows(connection, full)

    def _take_effect(self, connection: Connection, job: Job, step: Step) -> Step:
        """What a success does to the state; it may turn out to be a failure."""
        if job.kind == "reset_connection":
            if not self.era.has("attempts_forget_state"):
                self._delete_rows(connection, job.streams, erase=_covers(job.streams, connection))
            return step
        return self._advance_state(connection, job, step)

    def _after_end(self, connection: Connection, job: Job, status: str) -> None:
        """What follows a job that has succeeded or was cancelled; a failed one leaves everything as it is."""
        if job.kind == "reset_connection" and (status == "succeeded" or not job.superseded):
            for stream in job.streams:
                connection.stored_resets.pop(stream.key, None)
        starts_again = status == "cancelled" and not job.superseded and self._is_due(connection, job)
        if starts_again or (status == "succeeded" and job.then_sync):
            self.next_run(connection)

    def _is_due(self, connection: Connection, cancelled: Job) -> bool:
        """Whether the schedule starts a run as soon as this one is cancelled, since it does not count it."""
        if connection.interval is None or connection.status != "active":
            return False
        if not self.era.has("cancelled_runs_start_again"):
            return False
        counted = [
            job.created_at
            for job in self._jobs.values()
            if job.connection_id == connection.connection_id and job.status != "cancelled" and job is not cancelled
        ]
        return not counted or counted[-1] + connection.interval <= self.now()

    def _delete_rows(self, connection: Connection, streams: Sequence[Stream], erase: bool = False) -> None:
        """Delete the rows of these streams, or (`erase`) all rows, the shared state of a global one too."""
        keys, state = {stream.key for stream in streams}, connection.state
        if keys and keys == state.keys and self.era.has("all_rows_erase_the_state"):
            erase = True
        if keys and keys == {each.key for each in connection.streams} and self.era.has("all_streams_erase_the_state"):
            erase = True
        state.delete(keys, erase)

    def _leave_late_state(self, connection: Connection, job: Job) -> None:
        if self.late_state_after is not None:
            rows = deepcopy(connection.state)
            self._advance(rows, connection, job.attempts[-1].records)
            connection.late_states.append((self.now() + self.late_state_after, rows))

    def _advance_state(self, connection: Connection, job: Job, step: Step) -> Step:
        if connection.state.has_null():
            return failing_instead(step, NULL_STATE)
        records = step.records if step.records is not None else job.attempts[-1].records
        self._advance(connection.state, connection, records)
        return step

    def _advance(self, rows: StateRows, connection: Connection, records: int) -> None:
        streams = connection.streams
        default_kind = "stream" if self.era.has("typed_state") else "legacy"
        rows.advance(list(zip(streams, share(records, len(streams)), strict=True)), default_kind)


def _covers(streams: Sequence[Stream], connection: Connection) -> bool:
    """Whether nothing of a connection is left out."""
    return {each.key for each in streams} >= {each.key for each in connection.streams}
