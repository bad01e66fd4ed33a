"""What a whole Airbyte holds, and how it takes requests. No HTTP, no JSON of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.inventory import ORGANIZATION_ID, WORKSPACE_ID
from airflow_airbyte_ext.testing.jobs import Failure, Job, Step, Stream
from airflow_airbyte_ext.testing.model import Actor, Connection
from airflow_airbyte_ext.testing.runs import Runs

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.state_rows import StateRows

__all__ = ["ORGANIZATION_ID", "WORKSPACE_ID", "Actor", "Connection", "World"]
_RESTARTED = Failure("airbyte_platform", "system_error", "Failing job in order to start from clean job state.")


class World(Runs):
    """One Airbyte: its workspaces, their connections and all jobs that ever ran.

    `refreshes_activated` says whether the flag is set without which some releases refresh nothing.
    """

    refreshes_activated = False

    def sync(self, connection_id: str) -> Job:
        """connections/sync."""
        if connection_id not in self.connections and self.era.has("sync_of_unknown_hangs"):
            raise Refusal("hangs")
        connection = self.connection(connection_id)
        if self.era.has("old_scheduler"):
            return self.active_job(connection_id) or self.next_run(connection)
        if self.era.has("only_active_connections_sync") and connection.status != "active":
            raise Refusal("illegal", "Can only sync an active connection")
        if connection.status == "deprecated":
            raise Refusal(
                "conflict",
                f"The connection manager workflow for connection {connection_id} is deleted, "
                "so no further operations cannot be performed on it.",
            )
        job = self._manual_run(connection)
        if job is None:
            kind = "illegal" if self.era.has("running_is_a_failure") else "conflict"
            raise Refusal(kind, f"A sync is already running for: {connection_id}")
        return job

    def _manual_run(self, connection: Connection) -> Job | None:
        """The job that a request to run now gets, maybe one that waits already; None while one runs."""
        active = self.active_job(connection.connection_id)
        if active is None:
            return None if self.is_winding_up(connection.connection_id) else self._started(connection)
        if active.status == "incomplete" and self.era.has("backoff_is_idle"):
            active.move_on(self.now())
            return active
        return active if active.status in ("pending", "queued") else None

    def can_refresh(self, connection: Connection) -> bool:
        """Whether this connection's streams can be refreshed."""
        if self.era.has("refreshes_need_a_flag"):
            return self.refreshes_activated
        return connection.destination.supports_refreshes

    def refresh(self, connection_id: str, streams: tuple[Stream, ...]) -> Job | None:
        """connections/refresh, of all streams when none are named; stores the wish, and None when no job takes it."""
        connection = self.connection(connection_id)
        if not self.can_refresh(connection):
            return None
        connection.stored_refreshes |= {stream.key: stream for stream in streams or connection.streams}
        job = None if connection.status == "deprecated" else self._manual_run(connection)
        if job is None and self.era.has("busy_refresh_fails"):
            raise Refusal("no_value", "No value present")
        if job and job.kind != "refresh" and self.era.has("refresh_reads_its_job"):
            raise Refusal("null_pointer", 'Cannot invoke "JobRefreshConfig.getStreamsToRefresh()" because it is null')
        return job

    def reset(self, connection_id: str, streams: tuple[Stream, ...] | None = None) -> Job:
        """connections/reset and clear, of all streams or of these; what runs is cancelled, what waits may not be."""
        connection = self.connection(connection_id)
        active = self.active_job(connection_id)
        if active and self.era.has("old_scheduler"):
            return active
        if connection.status == "deprecated" and not self.era.has("old_scheduler"):
            raise Refusal("illegal", f"Failed to reset connection {connection_id}: its workflow is deleted")
        if streams == () and self.era.has("no_streams_are_all_streams"):
            streams = None
        wanted = connection.streams if streams is None else streams
        if not self.era.has("resets_are_stored"):
            return self.start_job(connection, "reset_connection", wanted)
        connection.stored_resets |= {stream.key: stream for stream in wanted}
        if active and not self._resolve_running_job(active):
            # The response waits for another job than this one, and nobody starts one.
            raise Refusal("hangs")
        return self._started(connection)

    def _started(self, connection: Connection) -> Job:
        """The next run, as somebody has requested it: the history shows it as started."""
        job = self.next_run(connection)
        job.is_manual = True
        return job

    def run_next(
        self, connection: Connection, *, resets: tuple[Stream, ...] = (), refreshes: tuple[Stream, ...] = ()
    ) -> None:
        """Store a reset or a refresh and let it run as soon as it can, without waiting for it."""
        connection.stored_resets |= {stream.key: stream for stream in resets}
        connection.stored_refreshes |= {stream.key: stream for stream in refreshes}
        active = self.active_job(connection.connection_id)
        if active is None or self._resolve_running_job(active):
            self.next_run(connection)

    def _resolve_running_job(self, active: Job) -> bool:
        """End the job of a connection for a reset; False when the reset comes after it."""
        if active.status == "incomplete":
            active.move_on(self.now())
            return False
        if active.status == "pending":
            if self.era.has("reset_waits_for_pending"):
                return False
            active.force(Step("failed", failure=_RESTARTED))
            return True
        active.superseded = True
        active.force(Step("cancelled"))
        return True

    def cancel(self, job_id: int) -> Job:
        """jobs/cancel: cancels whatever runs on that job's connection, and returns the job that was named."""
        named = self.job(job_id)
        if self.era.has("old_scheduler"):
            if not named.terminal:
                self._stop(named)
            return named
        if self.connection(named.connection_id).status == "deprecated":
            raise Refusal("illegal", "Failed to cancel job: the connection manager workflow is deleted")
        active = self.active_job(named.connection_id)
        if active is None:
            if self.era.has("idle_cancel_fails") and not self.is_winding_up(named.connection_id):
                raise Refusal("no_such_job", "Could not find job with id: -1")
        elif self._can_be_cancelled(active):
            self._stop(active)
        return named

    def _can_be_cancelled(self, job: Job) -> bool:
        if job.status == "incomplete":
            return not self.era.has("backoff_is_idle")
        return job.status != "pending"

    def _stop(self, job: Job) -> None:
        job.cancel_requested = True
        job.force(Step("cancelled"))

    def delete(self, connection_id: str) -> None:
        """connections/delete: what runs is cancelled, and the connection stays as a deprecated one."""
        connection = self.connection(connection_id)
        active = self.active_job(connection_id)
        connection.status = "deprecated"
        connection.stored_resets.clear()
        connection.stored_refreshes.clear()
        if active and self._can_be_cancelled(active):
            self._stop(active)

    def write_state(self, connection_id: str, state: dict[str, object], safe: bool) -> StateRows:
        """state/create_or_update, and its safe twin that refuses while a sync or refresh has not ended."""
        if safe:
            active = self.active_job(connection_id)
            if active and active.kind in ("sync", "refresh"):
                raise Refusal("sync_running", "State cannot be updated while a sync is running for this connection.")
        if connection_id not in self.connections:
            raise Refusal("constraint")
        rows = self.state_of(self.connections[connection_id])
        rows.write(state)
        return rows
