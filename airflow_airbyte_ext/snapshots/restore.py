"""
Restoring state: plan, checks, safety snapshot, write, read back, verify.

Airbyte has no transaction over two writes and no version to compare, so every step leaves something known: before the
first write the old state is in the store, and the whole restore can be run again at any time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.api.streams import stream_name
from airflow_airbyte_ext.connections.access import get_connection_or_explain
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteBusyError,
    AirbyteConflictError,
    AirbyteOperationMissingError,
    AirbyteRestoreError,
    AirbyteRestoreRefusedError,
    AirbyteRestoreUnverifiedError,
    AirbyteSnapshotError,
)
from airflow_airbyte_ext.jobs.reader import newest_job
from airflow_airbyte_ext.jobs.running import settled_job
from airflow_airbyte_ext.snapshots.diff import diff
from airflow_airbyte_ext.snapshots.plan import RestorePlan, Write, plan_writes
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import GLOBAL, StateContent, content_of
from airflow_airbyte_ext.snapshots.unused import unused_streams

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.snapshots.snapshot import Snapshot
    from airflow_airbyte_ext.snapshots.store import SnapshotRef, SnapshotStore

log = logging.getLogger(__name__)

TRIES = 3
MAX_NAMES = 10


@dataclass(frozen=True)
class RestoreResult:
    """
    What a restore did.

    :param safety: The snapshot of the state before; None where nothing was to be written.
    """

    plan: RestorePlan
    safety: SnapshotRef | None
    dry_run: bool


@dataclass(frozen=True)
class StateBefore:
    """
    A connection as it is before its state is restored.

    :param connection: The connection.
    :param newest: The id of its newest job; 0 for none.
    :param snapshot: Its state.
    """

    connection: ConnectionRead
    newest: int
    snapshot: Snapshot

    @property
    def content(self) -> StateContent:
        """What its state says."""
        return self.snapshot.content


class Restorer:
    """
    Makes one connection's state what it is to be, and nothing else.

    A job that was cancelled or failed shortly before is waited for in any case; see `jobs.running`.

    :param client: Speaks to Airbyte.
    :param store: Where the state before is kept.
    :param connection_id: The connection.
    :param clock: Waits.
    :param if_running: What to do while a job of the connection runs: "fail", or "wait" for its end.
    :param wait_timeout: Seconds to wait for it at most; None waits as long as it runs.
    :param if_stream_missing: What to do about streams that get a state which no sync would use, since they are not in
        the connection's catalog, not selected, or read with full refresh: "warn" or "fail".
    """

    def __init__(
        self,
        client: AirbyteClient,
        store: SnapshotStore,
        connection_id: str,
        *,
        clock: Clock = SYSTEM_CLOCK,
        if_running: str = "fail",
        wait_timeout: float | None = None,
        if_stream_missing: str = "warn",
    ) -> None:
        self._client = client
        self._store = store
        self._connection_id = connection_id
        self._clock = clock
        self._if_running = if_running
        self._wait_timeout = wait_timeout
        self._if_stream_missing = if_stream_missing

    def read(self) -> StateBefore:
        """
        Read the connection and its state, once no job can change it.

        :raises AirbyteJobRunningError: A job runs.
        :raises AirbyteJobTimeoutError: A job still runs, or may still write state, when `wait_timeout` has passed.
        :raises AirbyteApiError: A request failed.
        """
        connection = get_connection_or_explain(self._client, self._connection_id)
        newest = settled_job(
            self._client,
            self._connection_id,
            if_running=self._if_running,
            wait_timeout=self._wait_timeout,
            clock=self._clock,
        )
        return StateBefore(connection, newest, take_snapshot(self._client, self._connection_id, clock=self._clock))

    def plan(self, before: StateBefore, target: StateContent) -> RestorePlan:
        """
        Return how the state becomes what is wanted, once it is checked.

        :raises AirbyteRestoreRefusedError: A check failed.
        """
        plan = plan_writes(self._connection_id, before.content, target)
        self._check_catalog(before.connection, plan)
        return plan

    def write(self, before: StateBefore, plan: RestorePlan, *, dry_run: bool = False) -> RestoreResult:
        """
        Keep the state as it is, write what was planned, read it back and compare.

        :param dry_run: Write nothing.
        :raises AirbyteRestoreRefusedError: The state has moved since, or Airbyte refused; nothing was changed.
        :raises AirbyteRestoreUnverifiedError: The state is not what was wanted; says what it is, and how to go back.
        :raises AirbyteApiError: A request failed, before anything was written.
        """
        if dry_run or not plan.writes:
            return RestoreResult(plan, None, dry_run)
        ref = self._store.write(before.snapshot, safety=True)
        log.info("The state before is kept as snapshot %s at %s", ref.id, ref.path)
        self._check_unmoved(before, ref)
        self._write_all(plan, _Undo(ref, before.content, before.newest))
        return RestoreResult(plan, ref, dry_run)

    def _check_unmoved(self, before: StateBefore, ref: SnapshotRef) -> None:
        """Check once more: keeping the state took time, in which a job may have moved it on."""
        job = newest_job(self._client, self._connection_id)
        now = read_content(self._client, self._connection_id)
        if (job.id if job else 0) == before.newest and now.digest() == before.content.digest():
            return
        refused = AirbyteRestoreRefusedError(
            "A job started, or the state moved, while the state from before was being kept. Nothing was written: run "
            "this again.",
            connection_id=self._connection_id,
            safety_snapshot=ref.path,
        )
        refused.retryable = True
        raise refused

    def _check_catalog(self, connection: ConnectionRead, plan: RestorePlan) -> None:
        if connection.status == "deprecated":
            raise AirbyteRestoreRefusedError(
                f"Connection {connection.name!r} was deleted in Airbyte. Nothing was written. Restore to the "
                "connection that took its place.",
                connection_id=self._connection_id,
            )
        unused = unused_streams(plan, connection.sync_catalog)
        if not unused:
            return
        names = ", ".join(f"{stream_name(key)} ({reason})" for key, reason in list(unused.items())[:MAX_NAMES])
        more = f" and {len(unused) - MAX_NAMES} more" if len(unused) > MAX_NAMES else ""
        words = f"No sync of this connection would use the state of: {names}{more}."
        if self._if_stream_missing == "fail":
            raise AirbyteRestoreRefusedError(
                f"{words} Nothing was written. Select the streams in Airbyte, with an incremental sync mode, or leave "
                "them out.",
                connection_id=self._connection_id,
            )
        kept = "It is written all the same."
        if plan.target.type == GLOBAL:
            # Airbyte clears the shared part only where every stream with a row is cleared.
            kept += " Syncs do use the shared part, and these rows can prevent Airbyte from clearing it."
        log.warning("%s %s", words, kept)

    def _write_all(self, plan: RestorePlan, undo: _Undo) -> None:
        now = plan.current
        for write in plan.writes:
            self._write(write, now, undo)
            now = write.result
        try:
            job = newest_job(self._client, self._connection_id)
        except AirbyteApiError as error:
            raise AirbyteRestoreUnverifiedError(
                "Airbyte has the wanted state, but does not say whether a job has started meanwhile, which would "
                f"change it. {undo.words} {error}",
                connection_id=self._connection_id,
                safety_snapshot=undo.ref.path,
            ) from error
        if job is not None and job.id != undo.newest:
            raise self._failed(f"Job {job.id} ({job.config_type}) started while the state was written", undo)

    def _write(self, write: Write, before: StateContent, undo: _Undo) -> None:
        """Write once, and read back; after an unclear response only reading says whether to write again."""
        problem: AirbyteApiError | None = None
        for _ in range(TRIES):
            try:
                self._send(write.state)
            except AirbyteApiError as error:
                if isinstance(error, AirbyteBusyError | AirbyteConflictError) and not error.outcome_unknown:
                    self._go_back(before, undo)
                    raise self._failed(f"Airbyte refused the write ({error})", undo, may_pass=True) from error
                log.warning("It is unclear whether the state was written; reading it. %s", error)
                problem = error
            found = self._read_back(undo)
            if found.digest() == write.result.digest() and not found.has_nulls:
                return
            if problem is None or found.digest() != before.digest():
                raise self._failed("The state is not what was written", undo)
            if not problem.retryable:
                break
        may_pass = problem is not None and problem.retryable
        self._go_back(before, undo)
        raise self._failed(f"The state could not be written ({problem})", undo, may_pass=may_pass) from problem

    def _go_back(self, now: StateContent, undo: _Undo) -> None:
        """
        Write the state from before again, where an earlier write has changed it and a later one failed.

        That one cannot land afterwards: it has another type, which Airbyte does not write over a state. A job that has
        started meanwhile goes on from what it has found, and would be disturbed.
        """
        if now.digest() == undo.content.digest():
            return
        try:
            job = newest_job(self._client, self._connection_id)
            if (job.id if job else 0) != undo.newest:
                return
            for write in plan_writes(self._connection_id, now, undo.content).writes:
                self._send(write.state)
        except AirbyteApiError as error:
            log.warning("It is unclear whether the state from before was written again; reading it. %s", error)
            return
        log.info("The state from before was written again")

    def _send(self, state: dict[str, Any]) -> None:
        try:
            self._client.create_or_update_state_safe(connection_id=self._connection_id, connection_state=state)
        except AirbyteOperationMissingError:
            # Before 0.50.21; the checks that it makes were made here.
            self._client.create_or_update_state(connection_id=self._connection_id, connection_state=state)

    def _read_back(self, undo: _Undo) -> StateContent:
        try:
            return read_content(self._client, self._connection_id)
        except (AirbyteApiError, AirbyteSnapshotError) as error:
            raise AirbyteRestoreUnverifiedError(
                "The state was written and could not be read back, so what Airbyte has now is unknown. "
                f"{undo.words} {error}",
                connection_id=self._connection_id,
                safety_snapshot=undo.ref.path,
            ) from error

    def _failed(self, what: str, undo: _Undo, *, may_pass: bool = False) -> AirbyteRestoreError:
        """Say what happened, what is on the server now, and how to go back."""
        found = diff(undo.content, self._read_back(undo))
        facts = {"connection_id": self._connection_id, "safety_snapshot": undo.ref.path}
        if found.is_equal:
            refused = AirbyteRestoreRefusedError(
                f"{what}. Airbyte has the state from before: in the end nothing was changed.", **facts
            )
            refused.retryable = may_pass
            return refused
        changes = ", ".join(f"{part.name} {part.change}" for part in found.differing[:10]) or "another type"
        return AirbyteRestoreUnverifiedError(
            f"{what}. Against the state from before, Airbyte now has: {changes} ({found.summary()}). {undo.words}",
            **facts,
        )


@dataclass(frozen=True)
class _Undo:
    """The state from before, where it is kept, and the newest job (0 for none) of that time."""

    ref: SnapshotRef
    content: StateContent
    newest: int

    @property
    def words(self) -> str:
        return f"The state from before is snapshot {self.ref.id}: restore it to go back, or run this restore again."


def check_origin(snapshot: Snapshot, connection_id: str) -> None:
    """
    Check that a snapshot is of this connection.

    :raises AirbyteRestoreRefusedError: It is of another one.
    """
    origin = snapshot.origin
    if origin.connection_id != connection_id:
        raise AirbyteRestoreRefusedError(
            f"Snapshot {snapshot.id} is of connection {origin.connection_id} ({origin.connection_name!r} at "
            f"{origin.base_url}), not of {connection_id}. Nothing was written. To move state from one connection to "
            "another, name the one that the snapshot is of.",
            connection_id=connection_id,
        )


def read_content(client: AirbyteClient, connection_id: str) -> StateContent:
    """Return what a connection's state says now."""
    return content_of(client.get_state(connection_id=connection_id).raw)
