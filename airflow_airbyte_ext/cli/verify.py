"""`verify`: read every snapshot and check it, and whether Airbyte still has the latest state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.cli.describe import counted, failure_document, ref_document
from airflow_airbyte_ext.cli.exit_codes import Exit, explain
from airflow_airbyte_ext.cli.parallel import run_all
from airflow_airbyte_ext.cli.selection import in_store
from airflow_airbyte_ext.exceptions import AirbyteSnapshotDamagedError, AirbyteSnapshotNotFoundError
from airflow_airbyte_ext.snapshots.diff import StateDiff, diff
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.text import one_line, without_password

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.snapshot import Snapshot
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


@dataclass(frozen=True)
class Checked:
    """
    What was found about one connection.

    :param against: What differs from the latest snapshot to Airbyte's state; None where it was not requested.
    """

    snapshots: list[tuple[SnapshotRef, Exception | None]]
    against: StateDiff | None = None
    error: Exception | None = None

    @property
    def bad(self) -> list[tuple[SnapshotRef, Exception]]:
        """The snapshots that cannot be used."""
        return [(ref, error) for ref, error in self.snapshots if error]

    @property
    def is_well(self) -> bool:
        """Whether all is as it should be."""
        return not self.bad and self.error is None and (self.against is None or self.against.is_equal)


def run(context: Context) -> Exit:
    """Check each chosen connection's snapshots."""
    context.check_settings(airbyte=context.options.against_airbyte)
    origins, options = in_store(context), context.options
    if not origins:
        raise AirbyteSnapshotNotFoundError(f"{context.store.name} has no such snapshots: there is nothing to verify.")
    ids = list(origins)
    with context.output.progress("Verifying", len(ids)) as one_done:
        outcomes = run_all(ids, lambda one: _check(context, one), parallel=options.parallel, one_done=one_done)
    found = {
        one: Checked([], error=outcome) if isinstance(outcome, Exception) else outcome
        for one, outcome in zip(ids, outcomes, strict=True)
    }
    code = Exit.DONE if all(one.is_well for one in found.values()) else Exit.FAILED
    names = {one: origin.connection_name if origin else None for one, origin in origins.items()}
    shown = {one: one_line(name) if name else None for one, name in names.items()}
    documents = [_document(one, names[one], checked) for one, checked in found.items()]
    context.output.document({"command": "verify", "connections": documents, "exit_code": code})
    columns = ("CONNECTION", "NAME", "SNAPSHOTS", "BAD", *(("IN AIRBYTE",) if options.against_airbyte else ()))
    context.output.table(columns, [_row(context, one, shown[one] or "", checked) for one, checked in found.items()])
    _complain(context, found, shown)
    return code


def _check(context: Context, connection_id: str) -> Checked:
    store = context.store
    refs = [*store.snapshots(connection_id), *store.snapshots(connection_id, safety=True)]
    if not refs:
        raise AirbyteSnapshotNotFoundError(f"{store.name} has no snapshot of connection {connection_id}.")
    checked: list[tuple[SnapshotRef, Exception | None]] = []
    latest: Snapshot | None = None
    for ref in refs:
        try:
            snapshot = store.read(ref)
            _check_place(ref, snapshot)
        except Exception as error:  # the other snapshots may be well
            checked.append((ref, error))
            latest = latest if ref.safety else None
        else:
            checked.append((ref, None))
            latest = latest if ref.safety else snapshot
    return _against(context, connection_id, checked, latest)


def _check_place(ref: SnapshotRef, snapshot: Snapshot) -> None:
    if (ref.id, ref.connection_id) != (snapshot.id, snapshot.origin.connection_id):
        raise AirbyteSnapshotDamagedError(
            f"{without_password(ref.path)} was renamed or moved: it is snapshot {snapshot.id} of "
            f"{snapshot.origin.connection_id}."
        )


def _against(
    context: Context, connection_id: str, checked: list[tuple[SnapshotRef, Exception | None]], latest: Snapshot | None
) -> Checked:
    if not context.options.against_airbyte:
        return Checked(checked)
    if latest is None:
        error = AirbyteSnapshotNotFoundError("There is no latest snapshot that can be read and compared with Airbyte.")
        return Checked(checked, error=error)
    try:
        now = take_snapshot(context.client, connection_id, clock=context.clock)
    except Exception as error:  # what was found about the snapshots is still reported
        return Checked(checked, error=error)
    return Checked(checked, diff(latest.content, now.content))


def _document(connection_id: str, name: str | None, checked: Checked) -> dict[str, Any]:
    against = checked.against
    return {
        "connection_id": connection_id,
        "connection_name": name,
        "ok": checked.is_well,
        "snapshots": [
            {**ref_document(ref), "ok": error is None, **failure_document(error)} for ref, error in checked.snapshots
        ],
        "equals_airbyte": against.is_equal if against else None,
        **failure_document(checked.error),
    }


def _row(context: Context, connection_id: str, name: str, checked: Checked) -> tuple[str, ...]:
    row = (connection_id, name, str(len(checked.snapshots)), str(len(checked.bad)))
    if not context.options.against_airbyte:
        return row
    if checked.against is None:
        return *row, "unknown"
    return *row, "equal" if checked.against.is_equal else f"differs: {checked.against.summary()}"


def _complain(context: Context, found: dict[str, Checked], names: dict[str, str | None]) -> None:
    bad = sum(not checked.is_well for checked in found.values())
    total = sum(len(checked.snapshots) for checked in found.values())
    result = f"something is wrong with {counted(bad, 'connection')}" if bad else "all is well"
    read = f"{counted(total, 'snapshot')} of {counted(len(found), 'connection')} read"
    context.output.note(f"{read}: {result}")
    for one, checked in found.items():
        called = " ".join(filter(None, (one, names[one])))
        for ref, error in checked.bad:
            context.output.note(f"bad: {called}: {ref.id}: {explain(error)}")
        if checked.error:
            context.output.note(f"failed: {called}: {explain(checked.error)}")
