"""Operators that run jobs of Airbyte connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_airbyte_ext.api.arguments import one_of, optional
from airflow_airbyte_ext.api.streams import streams_argument
from airflow_airbyte_ext.operators.job import AirbyteJobOperator
from airflow_airbyte_ext.operators.store import key_argument, store_argument
from airflow_airbyte_ext.operators.telling import PARTIAL_SUCCESS_CHOICES, ZERO_RECORDS_CHOICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.hooks.memory import TaskMemory
    from airflow_airbyte_ext.jobs.submitter import Submission
    from airflow_airbyte_ext.operators.telling import Telling

__all__ = ["AirbyteRefreshConnectionOperator", "AirbyteResetConnectionOperator", "AirbyteSyncConnectionOperator"]


class AirbyteSyncConnectionOperator(AirbyteJobOperator):
    """
    Sync an Airbyte connection: exactly one job, whatever gets lost on the way.

    The task succeeds only when Airbyte says that the job succeeded, and fails with Airbyte's own reason.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its name instead, with `workspace_id`; looked up when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a sync that runs already: "attach" to it, "wait" for its end and then run our
        own, "skip" this task, or "fail". A reset or refresh that runs is waited for, unless "skip" or "fail" is asked
        for. (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    :param log_attempts: Put Airbyte's log of the job's attempts into the task log: "never", "on_failure" (the last
        lines) or "always" (while the job runs; when deferred, at its end). (templated)
    :param on_zero_records: What to make of a sync that succeeded and moved no record: "ignore", "warn", "skip" this
        task, or "fail". (templated)
    :param on_partial_success: What to make of a sync that failed after it had moved some records, which Airbyte calls a
        partial success: "fail", "warn" (the task succeeds), or "skip" this task. (templated)
    """

    template_fields: Sequence[str] = (*AirbyteJobOperator.template_fields, "on_zero_records", "on_partial_success")
    argument_checks: ClassVar = {
        **AirbyteJobOperator.argument_checks,
        "if_running": one_of("attach", "wait", "skip", "fail"),
        "on_zero_records": one_of(*ZERO_RECORDS_CHOICES),
        "on_partial_success": one_of(*PARTIAL_SUCCESS_CHOICES),
    }
    job_kind = "sync"

    def __init__(
        self,
        *,
        if_running: str = "attach",
        on_zero_records: str = "ignore",
        on_partial_success: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(if_running=if_running, **kwargs)
        self.on_zero_records = on_zero_records
        self.on_partial_success = on_partial_success
        self.check_parsed()

    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:  # noqa: ARG002
        """Find or start the sync."""
        from airflow_airbyte_ext.jobs.find import SYNC
        from airflow_airbyte_ext.jobs.submit import submit_sync

        attach = self.if_running == "attach"
        return submit_sync(
            client,
            self._id,
            clock=clock,
            attach=attach,
            make_way=lambda: self.make_way(client, clock, spare=SYNC if attach else None),
            **how,
        )

    @property
    def _telling(self) -> Telling:
        return replace(
            super()._telling, on_zero_records=self.on_zero_records, on_partial_success=self.on_partial_success
        )


class AirbyteResetConnectionOperator(AirbyteJobOperator):
    """
    Reset an Airbyte connection, or single streams of it: Airbyte forgets their state and empties their data.

    Airbyte cancels a running sync silently when a reset starts, so one that runs is dealt with first.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its name instead, with `workspace_id`; looked up when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named. (templated)
    :param streams: Streams to reset, as "namespace.name" or "name"; all when not given, and never none. (templated)
    :param backup_to: Store that takes a snapshot of the state first, such as "s3://bucket/airbyte". (templated)
    :param encryption_key: Where the key lies that the snapshot is encrypted with: "variable:NAME" or "connection:ID".
        (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a job that runs already: "wait" for its end, "cancel" it, "skip" this task,
        or "fail". (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    :param log_attempts: Put Airbyte's log of the job's attempts into the task log: "never", "on_failure" (the last
        lines) or "always" (while the job runs; when deferred, at its end). (templated)
    """

    template_fields: Sequence[str] = (*AirbyteJobOperator.template_fields, "streams", "backup_to", "encryption_key")
    argument_checks: ClassVar = {
        **AirbyteJobOperator.argument_checks,
        "if_running": one_of("wait", "cancel", "skip", "fail"),
        "streams": optional(streams_argument),
        "backup_to": optional(store_argument),
        "encryption_key": optional(key_argument),
    }
    job_kind = "reset_connection"
    deletes_state = True

    def __init__(
        self,
        *,
        streams: Sequence[str | Mapping[str, Any]] | None = None,
        backup_to: str | None = None,
        encryption_key: str | None = None,
        if_running: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(if_running=if_running, **kwargs)
        self.streams = streams
        self.backup_to = backup_to
        self.encryption_key = encryption_key
        self.check_parsed()

    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:
        """Start the reset, after a snapshot of the state where one is asked for."""
        from airflow_airbyte_ext.jobs.find import newest_job
        from airflow_airbyte_ext.jobs.submit import submit_reset

        def make_way_and_back_up() -> JobRead | None:
            newest = self.make_way(client, clock)
            if self.backup_to is None:
                return newest
            self._back_up(client, clock, memory, store=self.backup_to)
            # A job that has started while the state was being kept is seen here, and is an error then.
            return newest_job(client, self._id)

        return submit_reset(
            client,
            self._id,
            clock=clock,
            streams=_chosen_streams(client, self._id, self.streams),
            make_way=make_way_and_back_up,
            **how,
        )

    def _chosen_streams(self, client: AirbyteClient) -> list[StreamKey] | None:
        from airflow_airbyte_ext.api.known import known_connection
        from airflow_airbyte_ext.api.streams import resolve_streams

        if self.streams is None:
            return None
        return resolve_streams(self.streams, known_connection(client, self._id).streams())

    def _back_up(self, client: AirbyteClient, clock: Clock, memory: TaskMemory, *, store: str) -> None:
        from airflow_airbyte_ext.operators.store import open_store
        from airflow_airbyte_ext.snapshots.snapshot import take_snapshot

        if kept := memory.record.get("backup"):
            # After a reset that failed midway, the newest snapshot must not be of what that reset has left.
            self.log.info("An earlier try has kept the state from before the reset, as snapshot %s", kept)
            return
        ref = open_store(store, encryption_key=self.encryption_key).write(take_snapshot(client, self._id, clock=clock))
        self.log.info("The state before the reset is kept as snapshot %s at %s", ref.id, ref.path)
        memory.remember(backup=ref.id, connection_id=self._id)


class AirbyteRefreshConnectionOperator(AirbyteJobOperator):
    """
    Refresh an Airbyte connection, or single streams of it: read them anew from the start (Airbyte 0.57.2 and later).

    Unlike after a reset the destination keeps its data until the new data is there. The destination's connector must
    support refreshes.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param connection_name: Its name instead, with `workspace_id`; looked up when the task runs. (templated)
    :param workspace_id: The workspace of the connection that is named. (templated)
    :param mode: "merge" keeps the records that the destination has; "truncate" replaces them by the new ones.
        (templated)
    :param streams: Streams to refresh, as "namespace.name" or "name"; all when not given, and never none. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a job that runs already: "wait" for its end, "cancel" it, "skip" this task,
        or "fail". (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    :param log_attempts: Put Airbyte's log of the job's attempts into the task log: "never", "on_failure" (the last
        lines) or "always" (while the job runs; when deferred, at its end). (templated)
    """

    template_fields: Sequence[str] = (*AirbyteJobOperator.template_fields, "mode", "streams")
    argument_checks: ClassVar = {
        **AirbyteJobOperator.argument_checks,
        "if_running": one_of("wait", "cancel", "skip", "fail"),
        "mode": one_of("merge", "truncate"),
        "streams": optional(streams_argument),
    }
    job_kind = "refresh"
    deletes_state = True

    def __init__(
        self,
        *,
        mode: str = "merge",
        streams: Sequence[str | Mapping[str, Any]] | None = None,
        if_running: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(if_running=if_running, **kwargs)
        self.mode = mode
        self.streams = streams
        self.check_parsed()

    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:  # noqa: ARG002
        """Start the refresh."""
        from airflow_airbyte_ext.jobs.submit import submit_refresh

        return submit_refresh(
            client,
            self._id,
            mode="Truncate" if self.mode == "truncate" else "Merge",
            clock=clock,
            streams=_chosen_streams(client, self._id, self.streams),
            make_way=lambda: self.make_way(client, clock),
            **how,
        )


def _chosen_streams(
    client: AirbyteClient, connection_id: str, streams: Sequence[str | Mapping[str, Any]] | None
) -> list[StreamKey] | None:
    from airflow_airbyte_ext.api.known import known_connection
    from airflow_airbyte_ext.api.streams import resolve_streams

    return None if streams is None else resolve_streams(streams, known_connection(client, connection_id).streams())
