"""Operators that run jobs of Airbyte connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.operators.job import AirbyteJobOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.hooks.memory import TaskMemory
    from airflow_airbyte_ext.jobs.submit import Submission

__all__ = ["AirbyteResetConnectionOperator", "AirbyteSyncConnectionOperator"]


class AirbyteSyncConnectionOperator(AirbyteJobOperator):
    """
    Sync an Airbyte connection: exactly one job, whatever gets lost on the way.

    The task succeeds only when Airbyte says that the job succeeded, and fails with Airbyte's own reason.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a sync that runs already: "attach" to it, "wait" for its end and then run our
        own, or "fail". A reset or refresh that runs is waited for, unless "fail" is asked for. (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    """

    if_running_choices = ("attach", "wait", "fail")
    job_kind = "sync"

    def __init__(self, *, if_running: str = "attach", **kwargs: Any) -> None:
        super().__init__(if_running=if_running, **kwargs)

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


class AirbyteResetConnectionOperator(AirbyteJobOperator):
    """
    Reset an Airbyte connection, or single streams of it: Airbyte forgets their state and empties their data.

    Airbyte cancels a running sync silently when a reset starts, so one that runs is dealt with first.

    :param connection_id: The Airbyte connection: a UUID. (templated)
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
    :param if_running: What to do about a job that runs already: "wait" for its end, "cancel" it, or "fail". (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    """

    template_fields: Sequence[str] = (*AirbyteJobOperator.template_fields, "streams", "backup_to", "encryption_key")
    if_running_choices = ("wait", "cancel", "fail")
    job_kind = "reset_connection"

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

    def submit(self, client: AirbyteClient, *, clock: Clock, memory: TaskMemory, **how: Any) -> Submission:
        """Start the reset, after a snapshot of the state where one is asked for."""
        from airflow_airbyte_ext.jobs.submit import submit_reset

        def make_way_and_back_up() -> None:
            self.make_way(client, clock)
            self._back_up(client, clock, memory)

        # A job that starts while the state is being kept is seen afterwards, and is an error then.
        return submit_reset(
            client,
            self._id,
            clock=clock,
            streams=self._chosen_streams(client),
            make_way=make_way_and_back_up,
            **how,
        )

    def _chosen_streams(self, client: AirbyteClient) -> list[StreamKey] | None:
        from airflow_airbyte_ext.api.streams import resolve_streams
        from airflow_airbyte_ext.jobs.submit import known_connection

        if self.streams is None:
            return None
        return resolve_streams(self.streams, known_connection(client, self._id).streams())

    def _back_up(self, client: AirbyteClient, clock: Clock, memory: TaskMemory) -> None:
        from airflow_airbyte_ext.operators.store import open_store
        from airflow_airbyte_ext.snapshots.snapshot import take_snapshot

        if self.backup_to is None:
            return
        if kept := memory.record.get("backup"):
            # After a reset that failed midway, the newest snapshot must not be of what that reset has left.
            self.log.info("An earlier try has kept the state from before the reset, as snapshot %s", kept)
            return
        store = open_store(self.backup_to, encryption_key=self.encryption_key)
        ref = store.write(take_snapshot(client, self._id, clock=clock))
        self.log.info("The state before the reset is kept as snapshot %s at %s", ref.id, ref.path)
        memory.remember(backup=ref.id, connection_id=self._id)
