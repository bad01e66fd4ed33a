"""Operators that save and restore the state of Airbyte connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import Asset, AssetAlias, BaseOperator

from airflow_airbyte_ext.api.arguments import (
    flag_argument,
    one_of,
    optional,
    seconds_argument,
    switch_argument,
    uuid_argument,
)
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK
from airflow_airbyte_ext.api.streams import renamed_streams, resolve_streams, streams_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.target import ConnectionTask
from airflow_airbyte_ext.hooks.task import HAS_TASK_SDK, no_retry_for_permanent_errors
from airflow_airbyte_ext.operators.store import key_argument, open_store, store_argument

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.snapshots.plan import RestorePlan
    from airflow_airbyte_ext.snapshots.restore import RestoreResult
    from airflow_airbyte_ext.snapshots.retention import Retention
    from airflow_airbyte_ext.snapshots.snapshot import Snapshot
    from airflow_airbyte_ext.snapshots.store import SnapshotRef, SnapshotStore

__all__ = ["AirbyteBackupStateOperator", "AirbyteForgetSnapshotsOperator", "AirbyteRestoreStateOperator"]

# A DAG that is scheduled on this alias runs whenever a backup has kept a new snapshot.
SNAPSHOTS_ALIAS = "airbyte_state_snapshots"


def keep_argument(name: str, value: Any) -> Retention:  # noqa: ARG001
    """
    Return which snapshots to keep.

    :raises AirbyteConfigurationError: Names the rule that is wrong.
    """
    from airflow_airbyte_ext.snapshots.retention import Retention

    return Retention.of(value)


class AirbyteBackupStateOperator(ConnectionTask):
    """
    Save the state of an Airbyte connection as a snapshot.

    Returns the snapshot's reference, which `AirbyteRestoreStateOperator` takes: `id`, `connection_id`, `path`,
    `digest`, `taken_at`, and `unchanged`. A new snapshot emits an asset event that carries it.

    Other arguments are those of `ConnectionTask`.

    :param store: Where snapshots live: a path, or a URL such as "s3://conn_id@bucket/airbyte". (templated)
    :param skip_unchanged: Keep nothing when the state equals the newest snapshot, and return that one.
    :param keep: Which snapshots of the connection to keep afterwards, such as {"last": 7, "daily": 14, "monthly": 12};
        all when not given. (templated)
    :param encryption_key: Where the key is that snapshots are encrypted with: "variable:NAME" or "connection:ID".
        (templated)
    :param compress: Compress new snapshots with gzip.
    """

    template_fields: Sequence[str] = (*ConnectionTask.template_fields, "store", "keep", "encryption_key")
    argument_checks: ClassVar = {
        **ConnectionTask.argument_checks,
        "store": store_argument,
        "skip_unchanged": switch_argument,
        "keep": optional(keep_argument),
        "encryption_key": optional(key_argument),
        "compress": switch_argument,
    }
    ui_color = "#e4f1ff"

    def __init__(
        self,
        *,
        store: str,
        skip_unchanged: bool = False,
        keep: Mapping[str, Any] | None = None,
        encryption_key: str | None = None,
        compress: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"outlets": [AssetAlias(SNAPSHOTS_ALIAS)], **kwargs})
        self.store = store
        self.skip_unchanged = skip_unchanged
        self.keep = keep
        self.encryption_key = encryption_key
        self.compress = compress
        self.check_parsed()

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Begin a mapped task; Airflow would give it no outlets, and so no asset events, where none are given."""
        return super().partial(**{"outlets": [AssetAlias(SNAPSHOTS_ALIAS)], **kwargs})

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the state, keep it, and forget what is too old."""
        from airflow_airbyte_ext.snapshots.snapshot import take_snapshot

        with no_retry_for_permanent_errors():
            given = self.check_rendered()
            store = open_store(self.store, encryption_key=self.encryption_key, compress=self.compress)
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = self.find_connection(client)
            snapshot = take_snapshot(client, connection_id, clock=SYSTEM_CLOCK)
            # For map_index_template.
            context["connection_name"] = snapshot.origin.connection_name or connection_id  # type: ignore[typeddict-unknown-key]
            reference = self._save(store, snapshot, context)
            if given["keep"]:
                forget_and_log(self.log, store, connection_id, given["keep"])
            return reference

    def _save(self, store: SnapshotStore, snapshot: Snapshot, context: Context) -> dict[str, Any]:
        if self.skip_unchanged and (latest := store.latest_like(snapshot)):
            self.log.info("The state equals snapshot %s: nothing new to keep.", latest.id)
            return _reference(latest, snapshot.digest, unchanged=True)
        ref = store.write(snapshot)
        content = snapshot.content
        self.log.info("Kept a %s state with %s streams as snapshot %s", content.type, len(content.streams), ref.id)
        self.log.info("Its path is %s", ref.path)
        reference = _reference(ref, snapshot.digest, unchanged=False)
        self._emit(reference, context)
        return reference

    def _emit(self, reference: dict[str, Any], context: Context) -> None:
        events = context["outlet_events"]
        for outlet in self.outlets:
            if isinstance(outlet, AssetAlias):
                connection_id = reference["connection_id"]
                events[outlet].add(_asset_of(connection_id), extra=reference)
            else:
                events[outlet].extra.update(reference)


def _asset_of(connection_id: str) -> Asset:
    """Return the asset that is the state of a connection; in Airflow 2 an asset has no name."""
    uri = f"airbyte-state://{connection_id}"
    return Asset(name=f"airbyte_state_{connection_id}", uri=uri) if HAS_TASK_SDK else Asset(uri=uri)


class AirbyteRestoreStateOperator(ConnectionTask):
    """
    Make the state of an Airbyte connection the one of a snapshot: exactly, or nothing is written and the log says why.

    The state before is always kept as a safety snapshot first. Returns what changed and where the safety snapshot is.

    Other arguments are those of `ConnectionTask`.

    :param store: Where snapshots live: a path, or a URL such as "s3://conn_id@bucket/airbyte". (templated)
    :param snapshot: "latest", an id or its beginning, a path, a time in ISO 8601 (the newest snapshot by then), or
        what a backup returned. (templated)
    :param mode: "exact": streams that the snapshot does not have lose their state. "merge": only the snapshot's
        streams are written, and the shared part of a global state stays. (templated)
    :param streams: With "merge": the streams to restore, as "namespace.name" or "name"; all when not given.
        (templated)
    :param snapshot_of: The connection that the snapshot is of, where that is another one: to move state to a
        connection that was created again. (templated)
    :param rename_streams: Streams that have another name in this connection, old to new; the new ones must be in its
        catalog. (templated)
    :param dry_run: Show what would change, and write nothing. (templated)
    :param backup_to: Where the safety snapshot goes; `store` when not given. (templated)
    :param if_running: What to do while a job of the connection runs: "fail", or "wait" for its end. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait for it at most; None waits as long as it runs. (templated)
    :param if_stream_missing: What to do about a stream that would get a state which no sync uses, since it is not in
        the connection's catalog, not selected, or read with full refresh: "warn" or "fail". (templated)
    :param encryption_key: Where the keys are: "variable:NAME" or "connection:ID". Then a snapshot that is not
        encrypted is refused. (templated)
    :param allow_plain: With `encryption_key`, take a snapshot from before the encryption nevertheless, where
        `snapshot` names it by its id or path.
    :param allow_any_path: Let `snapshot` be the path of any file that the worker can read, and not only of one in
        `store` or `backup_to`. Anyone who may trigger the DAG may then have any such file restored.
    """

    template_fields: Sequence[str] = (
        *ConnectionTask.template_fields,
        "store",
        "snapshot",
        "mode",
        "streams",
        "snapshot_of",
        "rename_streams",
        "dry_run",
        "backup_to",
        "if_running",
        "wait_timeout",
        "if_stream_missing",
        "encryption_key",
    )
    argument_checks: ClassVar = {
        **ConnectionTask.argument_checks,
        "store": store_argument,
        "mode": one_of("exact", "merge"),
        "streams": optional(streams_argument),
        "snapshot_of": optional(uuid_argument),
        "dry_run": flag_argument,
        "backup_to": optional(store_argument),
        "if_running": one_of("fail", "wait"),
        "wait_timeout": optional(seconds_argument),
        "if_stream_missing": one_of("warn", "fail"),
        "encryption_key": optional(key_argument),
        "allow_plain": switch_argument,
        "allow_any_path": switch_argument,
    }
    ui_color = "#e4f1ff"

    def __init__(
        self,
        *,
        store: str,
        snapshot: str | Mapping[str, Any] = "latest",
        mode: str = "exact",
        streams: Sequence[str | Mapping[str, Any]] | None = None,
        snapshot_of: str | None = None,
        rename_streams: Mapping[str, str] | None = None,
        dry_run: bool | str = False,
        backup_to: str | None = None,
        if_running: str = "fail",
        wait_timeout: float | timedelta | None = None,
        if_stream_missing: str = "warn",
        encryption_key: str | None = None,
        allow_plain: bool = False,
        allow_any_path: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.snapshot = snapshot
        self.mode = mode
        self.streams = streams
        self.snapshot_of = snapshot_of
        self.rename_streams = rename_streams
        # Airflow's own operators have a method of this name.
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.backup_to = backup_to
        self.if_running = if_running
        self.wait_timeout = wait_timeout
        self.if_stream_missing = if_stream_missing
        self.encryption_key = encryption_key
        self.allow_plain = allow_plain
        self.allow_any_path = allow_any_path
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Find the snapshot, check, keep the state before, write, read back, and compare."""
        from airflow_airbyte_ext.snapshots.plan import target_of
        from airflow_airbyte_ext.snapshots.restore import Restorer, check_origin

        with no_retry_for_permanent_errors():
            given = self.check_rendered()
            client = AirbyteConfigHook(self.airbyte_conn_id).client
            connection_id = self.find_connection(client)
            owner = given["snapshot_of"] or connection_id
            store = self._open(self.store)
            backup_store = self._open(self.backup_to) if self.backup_to else store
            snapshot = _find_in(store, backup_store, owner, self._wanted())
            check_origin(snapshot, owner)
            choice = self._choice(snapshot, client, connection_id)
            self.log.info("Restoring snapshot %s to connection %s", snapshot.id, connection_id)
            restorer = Restorer(
                client,
                backup_store,
                connection_id,
                clock=SYSTEM_CLOCK,
                if_running=self.if_running,
                wait_timeout=given["wait_timeout"],
                if_stream_missing=self.if_stream_missing,
            )
            before = restorer.read()
            plan = restorer.plan(before, target_of(snapshot.content, before.content, **choice))
            self._log_plan(plan)
            result = restorer.write(before, plan, dry_run=given["dry_run"])
        self._log_result(result)
        changes = result.plan.diff.differing
        return {
            "connection_id": connection_id,
            "snapshot": snapshot.id,
            "safety_snapshot": result.safety.path if result.safety else None,
            "dry_run": result.dry_run,
            "written": result.safety is not None,
            "changes": [{"stream": part.name, "change": part.change, "keys": list(part.keys)} for part in changes],
        }

    def _open(self, address: str) -> SnapshotStore:
        return open_store(
            address,
            encryption_key=self.encryption_key,
            allow_plain=self.allow_plain,
            allow_any_path=self.allow_any_path,
        )

    def _wanted(self) -> str:
        """Return the text that says which snapshot is meant; a backup's reference names its path."""
        wanted = self.snapshot.get("path") if isinstance(self.snapshot, Mapping) else self.snapshot
        if isinstance(wanted, str) and wanted.strip():
            return wanted
        given = "an object without path" if isinstance(self.snapshot, Mapping) else f"of type {type(wanted).__name__}"
        raise AirbyteConfigurationError(
            f'snapshot is {given if wanted != "" else "empty"}; give "latest", an id, a path, a time, or what a backup '
            "returned. If it is templated, check what the template rendered to."
        )

    def _choice(self, snapshot: Snapshot, client: AirbyteClient, connection_id: str) -> dict[str, Any]:
        """Return what of the snapshot is wanted: the arguments of `target_of`."""
        known = list(snapshot.content.stream_rows())
        renamed = {}
        if self.rename_streams:
            there = client.get_connection(connection_id=connection_id).streams()
            renamed = renamed_streams(self.rename_streams, known, there)
        streams = None if self.streams is None else resolve_streams(self.streams, known)
        return {"mode": self.mode, "streams": streams, "renamed": renamed}

    def _log_plan(self, plan: RestorePlan) -> None:
        self.log.info("From the state now to the state wanted: %s", plan.diff.summary())
        for line in plan.diff.table():
            self.log.info("%s", line)

    def _log_result(self, result: RestoreResult) -> None:
        if result.dry_run:
            self.log.info("This was a dry run: nothing was written.")
        elif result.safety is None:
            self.log.info("The state was the wanted one already: nothing was written.")
        else:
            self.log.info("Airbyte was read again: its state is the wanted one.")


def _find_in(store: SnapshotStore, backup_store: SnapshotStore, connection_id: str, which: str) -> Snapshot:
    """Return a snapshot of the store; a path may also be one of the store where the state before a restore goes."""
    is_there = "/" in which and backup_store is not store and not store.holds(which) and backup_store.holds(which)
    place = backup_store if is_there else store
    return place.read(place.find(connection_id, which))


def _reference(ref: SnapshotRef, digest: str, *, unchanged: bool) -> dict[str, Any]:
    return {
        "id": ref.id,
        "connection_id": ref.connection_id,
        "path": ref.path,
        "digest": digest,
        "taken_at": ref.taken_at.isoformat(),
        "unchanged": unchanged,
    }


class AirbyteForgetSnapshotsOperator(CheckedArguments, BaseOperator):
    """
    Delete the snapshots of an Airbyte connection that a retention does not keep; the newest always stays.

    Returns the ids that were kept and forgotten.

    :param connection_id: The Airbyte connection: a UUID. It need not exist any more. (templated)
    :param store: Where snapshots live: a path, or a URL such as "s3://conn_id@bucket/airbyte". (templated)
    :param keep: Which snapshots to keep, such as {"last": 7, "daily": 14}. (templated)
    :param dry_run: Decide, and delete nothing. (templated)
    """

    template_fields: Sequence[str] = ("connection_id", "store", "keep", "dry_run")
    argument_checks: ClassVar = {
        "connection_id": uuid_argument,
        "store": store_argument,
        "keep": keep_argument,
        "dry_run": flag_argument,
    }
    ui_color = "#e4f1ff"

    def __init__(
        self, *, connection_id: str, store: str, keep: Mapping[str, Any], dry_run: bool | str = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self.store = store
        self.keep = keep
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Decide, delete, and say why."""
        with no_retry_for_permanent_errors():
            given = self.check_rendered()
            store = open_store(self.store)
            return forget_and_log(self.log, store, given["connection_id"], given["keep"], dry_run=given["dry_run"])


def forget_and_log(
    log: Any, store: SnapshotStore, connection_id: str, retention: Any, *, dry_run: bool = False
) -> dict[str, Any]:
    """Delete what a retention does not keep, and log each decision with its reasons."""
    from airflow_airbyte_ext.snapshots.retention import forget

    decisions = forget(store, connection_id, retention, now=datetime.now(UTC), dry_run=dry_run)
    for decision in decisions:
        if decision.keep:
            log.info("Keeping %s: %s", decision.ref.id, ", ".join(decision.reasons))
        else:
            log.info("%s %s", "Would forget" if dry_run else "Forgot", decision.ref.id)
    return {
        "kept": [decision.ref.id for decision in decisions if decision.keep],
        "forgotten": [decision.ref.id for decision in decisions if not decision.keep],
        "dry_run": dry_run,
    }
