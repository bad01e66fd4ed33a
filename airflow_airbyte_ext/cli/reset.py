"""`reset`: have Airbyte empty streams and forget their state, after a snapshot of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.streams import sorted_keys, stream_name
from airflow_airbyte_ext.cli.apply import check_confirmable, is_wanted, restore_command
from airflow_airbyte_ext.cli.describe import counted, failure_document, keys_text, ref_document
from airflow_airbyte_ext.cli.exit_codes import Exit, explain
from airflow_airbyte_ext.cli.names import stream_named
from airflow_airbyte_ext.cli.selection import one_connection
from airflow_airbyte_ext.connections.access import check_usable, get_connection_or_explain
from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteRestoreRefusedError
from airflow_airbyte_ext.jobs.kinds import ResetSubmitter
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.reader import newest_job
from airflow_airbyte_ext.jobs.report import read_report
from airflow_airbyte_ext.jobs.running import settled_job
from airflow_airbyte_ext.jobs.submit import Prepare, Submission
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.text import without_password

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.jobs import JobRead
    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


def run(context: Context) -> Exit:
    """Reset a connection, or single streams of it, and wait for the job's end."""
    check_confirmable(context)
    context.check_settings()
    options, client = context.options, context.client
    reset = _Reset(context, one_connection(context))
    reset.check()
    connection = get_connection_or_explain(client, reset.connection_id)
    known = connection.streams()
    chosen = [stream_named(name, known, where="the connection's catalog") for name in options.stream or ()] or None
    reset.settle()
    reset.show(connection.name or "", chosen or known)
    facts: dict[str, Any] = {"command": "reset", "dry_run": options.dry_run, "connection_id": reset.connection_id}
    facts["streams"] = [{"namespace": namespace, "name": name} for namespace, name in sorted_keys(chosen or known)]
    if options.dry_run:
        context.output.document({**facts, "snapshot": None, "job": None, "exit_code": Exit.DONE})
        context.output.note("dry run: nothing was started")
        return Exit.DONE
    if not is_wanted(context, f"Empty these streams in the destination, by {client.settings.base_url}?"):
        raise AirbyteRestoreRefusedError("Not confirmed; nothing was started.")
    error = reset.apply_changes(chosen)
    code = Exit.UNVERIFIED if error else Exit.DONE
    job = {"id": reset.job.id, "status": reset.job.status} if reset.job else None
    snapshot = ref_document(reset.ref) if reset.ref else None
    document = {**facts, "snapshot": snapshot, "job": job, **failure_document(error), "exit_code": code}
    context.output.document(document)
    return code


class _Reset:
    """
    The reset of one connection.

    :param ref: The snapshot of the state before, once it is kept.
    :param job: The job, once there is one.
    """

    def __init__(self, context: Context, connection_id: str) -> None:
        self._context = context
        self.connection_id = connection_id
        self.ref: SnapshotRef | None = None
        self.job: JobRead | None = None

    def check(self) -> None:
        """Check that the connection is active; otherwise Airbyte deletes its state, and empties nothing."""
        check_usable(self._context.client, self.connection_id, for_what="a reset")

    def settle(self) -> None:
        """Make sure that no job runs, or may write state once more."""
        options, client = self._context.options, self._context.client
        settled_job(
            client,
            self.connection_id,
            if_running=options.if_running,
            wait_timeout=options.wait_timeout,
            clock=self._context.clock,
        )

    def show(self, name: str, streams: list[StreamKey]) -> None:
        """Show which streams lose their data, and what their state has."""
        output = self._context.output
        state = take_snapshot(self._context.client, self.connection_id, clock=self._context.clock)
        rows = state.content.stream_rows()
        output.line(f"Connection {self.connection_id} {name}: a reset of {counted(len(streams), 'stream')}")
        cells = [(stream_name(key), keys_text(rows[key]) if key in rows else "(none)") for key in sorted_keys(streams)]
        output.table(("STREAM", "STATE"), cells)
        output.line()

    def apply_changes(self, streams: list[StreamKey] | None) -> AirbyteError | None:
        """
        Start the job, wait for its end, and return what went wrong after its start.

        :raises AirbyteError: Nothing was started.
        """
        context, client, clock = self._context, self._context.client, self._context.clock
        steps = ResetSubmitter(client, self.connection_id, streams=streams, clock=clock).steps()
        step = next(steps)
        while not isinstance(step, Submission):
            step = steps.send(self._prepare() if isinstance(step, Prepare) else None)
        self.job, error = step.job, None
        context.output.note(f"Job {self.job.id} of Airbyte resets the connection")
        context.undo_hint = f"Job {self.job.id} goes on in Airbyte. {self._back}"
        try:
            self.job = wait_for_job(client, self.job.id, clock=clock, connection_id=self.connection_id)
            report = read_report(client, self.job.id, connection_id=self.connection_id, attached=False, clock=clock)
            error = report.error()
        except AirbyteError as failure:
            error = failure
        context.undo_hint = ""
        if error:
            context.output.note(f"failed: connection {self.connection_id}: {explain(error)}")
            if self.job.status == "failed":  # its stored request goes with a success or a cancellation alone
                context.output.note("Airbyte keeps a reset that failed: the connection's next run is that reset again.")
            context.output.note(self._back)
        else:
            context.output.line(f"Job {self.job.id} succeeded.")
            context.output.line(self._back)
        return error

    def _prepare(self) -> JobRead | None:
        """Keep the state as it is when nothing can change it any more; once, since it may be gone a second time."""
        context = self._context
        self.settle()
        self.check()
        if self.ref is None:
            snapshot = take_snapshot(context.client, self.connection_id, clock=context.clock)
            self.ref = context.store.write(snapshot)
            where = without_password(self.ref.path)
            context.output.note(f"The state before is kept as snapshot {self.ref.id} at {where}")
        # A job that has started meanwhile is seen here, and is an error then.
        return newest_job(context.client, self.connection_id)

    @property
    def _back(self) -> str:
        command = restore_command(self._context, self.connection_id, self.ref.id if self.ref else "latest")
        return f"to bring back the state, and not the data: {command}"
