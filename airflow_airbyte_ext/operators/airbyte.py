"""Operators that run jobs of Airbyte connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_airbyte_ext.api.arguments import one_of, optional
from airflow_airbyte_ext.api.streams import resolve_streams, streams_argument
from airflow_airbyte_ext.operators.base import AirbyteJobOperator
from airflow_airbyte_ext.operators.store import key_argument, open_store, store_argument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.jobs.submit import JobSubmitter
    from airflow_airbyte_ext.operators.job_run import JobRun

__all__ = ["AirbyteRefreshConnectionOperator", "AirbyteResetConnectionOperator", "AirbyteSyncConnectionOperator"]

ZERO_RECORDS_CHOICES = ("ignore", "warn", "skip", "fail")
PARTIAL_SUCCESS_CHOICES = ("fail", "warn", "skip")


class AirbyteSyncConnectionOperator(AirbyteJobOperator):
    """
    Sync an Airbyte connection: exactly one job, whatever gets lost on the way.

    The task succeeds only when Airbyte says that the job succeeded, and fails with Airbyte's own reason.

    Other arguments are those of `AirbyteJobOperator` and `ConnectionTask`.

    :param if_running: What to do about a sync that runs already: "attach" waits for that one instead of its own,
        "wait" waits for its end and then runs its own, "skip" skips the task, "fail" fails it. A reset or refresh that
        runs is never attached to: it is waited for, except with "skip" and "fail". (templated)
    :param on_zero_records: What to do about a sync that succeeded and moved no record: "ignore" it, "warn" in the log,
        "skip" this task, or "fail". Where Airbyte does not say how many, nothing is done. (templated)
    :param on_partial_success: What to do about a sync that failed and that Airbyte calls a partial success
        (`partialSuccess` in the last attempt's failure summary; records that were moved are not enough): "fail",
        "warn" (the task succeeds), or "skip" this task. (templated)
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

    def submitter(self, run: JobRun) -> JobSubmitter:
        """Return what finds or starts the sync."""
        from airflow_airbyte_ext.jobs.kinds import SyncSubmitter

        return SyncSubmitter(run.client, run.connection_id, attach=self.if_running == "attach", clock=run.clock)

    @property
    def outcome_choices(self) -> dict[str, Any]:
        """What the task makes of the end of its job: the arguments of an `OutcomePolicy`."""
        chosen = {"on_zero_records": self.on_zero_records, "on_partial_success": self.on_partial_success}
        return {**super().outcome_choices, **chosen}


class AirbyteResetConnectionOperator(AirbyteJobOperator):
    """
    Reset an Airbyte connection, or single streams of it: Airbyte forgets their state and empties their data.

    Airbyte cancels a running sync silently when a reset starts, so one that runs is dealt with first.

    Other arguments are those of `AirbyteJobOperator` and `ConnectionTask`.

    :param streams: The streams to reset, as "namespace.name" or "name"; all when not given. An empty list is an error.
        (templated)
    :param backup_to: The store that takes a snapshot of the state right before the reset starts, such as
        "s3://bucket/airbyte". (templated)
    :param encryption_key: Where the key is that this snapshot is encrypted with: "variable:NAME" or "connection:ID".
        (templated)
    :param if_running: What to do about a job that runs already: "wait" for its end, "cancel" it, "skip" this task, or
        "fail". (templated)
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

    def submitter(self, run: JobRun) -> JobSubmitter:
        """Return what starts the reset."""
        from airflow_airbyte_ext.jobs.kinds import ResetSubmitter

        return ResetSubmitter(
            run.client, run.connection_id, streams=_chosen_streams(run, self.streams), clock=run.clock
        )

    def before_submission(self, run: JobRun) -> bool:
        """Take a snapshot of the state, where one is requested."""
        if self.backup_to is None:
            return False
        from airflow_airbyte_ext.snapshots.snapshot import take_snapshot

        if kept := run.record.values.get("backup"):
            # After a reset that failed midway, the newest snapshot must not be of what that reset has left.
            self.log.info("An earlier try has kept the state from before the reset, as snapshot %s", kept)
            return True
        snapshot = take_snapshot(run.client, run.connection_id, clock=run.clock)
        ref = open_store(self.backup_to, encryption_key=self.encryption_key).write(snapshot)
        self.log.info("The state before the reset is kept as snapshot %s at %s", ref.id, ref.path)
        run.record.save(backup=ref.id, connection_id=run.connection_id)
        return True


class AirbyteRefreshConnectionOperator(AirbyteJobOperator):
    """
    Refresh an Airbyte connection, or single streams of it: read them again from the start (Airbyte 0.57.2 and later).

    Unlike after a reset the destination keeps its data until the new data is there. The destination's connector must
    support refreshes.

    Other arguments are those of `AirbyteJobOperator` and `ConnectionTask`.

    :param mode: "merge" keeps the records that the destination has; "truncate" replaces them by the new ones.
        (templated)
    :param streams: The streams to refresh, as "namespace.name" or "name"; all when not given. An empty list is an
        error. (templated)
    :param if_running: What to do about a job that runs already: "wait" for its end, "cancel" it, "skip" this task, or
        "fail". (templated)
    """

    template_fields: Sequence[str] = (*AirbyteJobOperator.template_fields, "mode", "streams")
    argument_checks: ClassVar = {
        **AirbyteJobOperator.argument_checks,
        "if_running": one_of("wait", "cancel", "skip", "fail"),
        "mode": one_of("merge", "truncate"),
        "streams": optional(streams_argument),
    }
    job_kind = "refresh"

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

    def submitter(self, run: JobRun) -> JobSubmitter:
        """Return what starts the refresh."""
        from airflow_airbyte_ext.jobs.kinds import RefreshSubmitter

        return RefreshSubmitter(
            run.client,
            run.connection_id,
            mode="Truncate" if self.mode == "truncate" else "Merge",
            streams=_chosen_streams(run, self.streams),
            clock=run.clock,
        )


def _chosen_streams(run: JobRun, streams: Sequence[str | Mapping[str, Any]] | None) -> list[StreamKey] | None:
    return None if streams is None else resolve_streams(streams, run.streams())
