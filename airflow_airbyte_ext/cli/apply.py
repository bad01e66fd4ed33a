"""Changing state from a shell: plan, show what differs, confirm, write, and say how to go back."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.cli.describe import diff_document, failure_document, ref_document, show_diff
from airflow_airbyte_ext.cli.exit_codes import Exit, code_of, explain, overall
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteRestoreRefusedError,
    AirbyteRestoreUnverifiedError,
)
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.text import without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.plan import RestorePlan
    from airflow_airbyte_ext.snapshots.state import StateContent
    from airflow_airbyte_ext.snapshots.store import SnapshotRef


@dataclass
class Change:
    """
    A wish for one connection's state, and what became of it.

    :param title: What it is, for people.
    :param target_of: Returns the state that is wanted, for the one that there is.
    :param facts: What it is, for programs.
    """

    connection_id: str
    title: str
    target_of: Callable[[StateContent], StateContent] = lambda current: current
    facts: dict[str, Any] = field(default_factory=dict)
    plan: RestorePlan | None = None
    safety: SnapshotRef | None = None
    error: Exception | None = None
    written: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether there is something to write."""
        return self.error is None and self.plan is not None and bool(self.plan.writes)

    @property
    def result(self) -> str:
        """What became of it, in a word."""
        if self.error:
            return "failed"
        if self.written:
            return "written"
        return "would change" if self.is_pending else "unchanged"


def check_confirmable(context: Context) -> None:
    """
    Check that somebody can confirm, before any work.

    :raises AirbyteConfigurationError: Nobody can.
    """
    options = context.options
    if not (options.dry_run or options.yes or sys.stdin.isatty()):
        raise AirbyteConfigurationError(
            "There is no terminal to confirm on. Give --yes, or --dry-run to see the plan first."
        )


def apply_changes(context: Context, changes: list[Change]) -> Exit:
    """Plan, show, confirm and write every change; one that fails does not stop the others."""
    for change in changes:
        _plan(context, change)
    pending = [change for change in changes if change.is_pending]
    refused = None
    if pending and not context.options.dry_run:
        what = "this connection" if len(pending) == 1 else f"these {len(pending)} connections"
        if is_wanted(context, f"Write the state of {what} to {context.client.settings.base_url}?"):
            for change in pending:
                _write(context, change)
        else:
            refused = AirbyteRestoreRefusedError("Not confirmed; nothing was written.")
            context.output.note(str(refused))
    failures = [change.error for change in changes if change.error]
    code = code_of(refused) if refused else overall(failures, len(changes))
    _report(context, changes, code)
    return code


def _plan(context: Context, change: Change) -> None:
    output = context.output
    output.about = f"connection {change.connection_id}: "
    if change.error is None:
        try:
            restorer = _restorer(context, change)
            before = restorer.read()
            change.plan = restorer.plan(before, change.target_of(before.content))
        except Exception as error:  # reported, and the next connection follows
            change.error = error
    if change.error:
        output.note(f"failed: connection {change.connection_id}: {explain(change.error)}")
    elif change.is_pending and change.plan:
        output.line(f"{change.title}:")
        show_diff(output, change.plan.diff, no_change="  rows without state are removed")
        output.line()
    else:
        output.line(f"{change.title}: nothing differs")


def is_wanted(context: Context, question: str) -> bool:
    """Return whether a person says yes, or has said so in advance."""
    return bool(context.options.yes) or context.output.confirm(question)


def _write(context: Context, change: Change) -> None:
    context.output.about = f"connection {change.connection_id}: "
    context.undo_hint = (
        f"It may have been writing the state of connection {change.connection_id}. Run the same command again, or "
        "restore the snapshot of the state before that is named above."
    )
    try:
        restorer = _restorer(context, change)
        before = restorer.read()
        plan = restorer.plan(before, change.target_of(before.content))
        if not context.options.yes:
            _check_shown(change, plan)
        result = restorer.write(before, plan)
    except Exception as error:  # reported, and the next connection follows
        change.error, context.undo_hint = error, ""
        context.output.note(f"failed: connection {change.connection_id}: {explain(error)}")
        if isinstance(error, AirbyteRestoreUnverifiedError) and error.safety_snapshot:
            context.output.note(f"to go back: {restore_command(context, change.connection_id, error.safety_snapshot)}")
        return
    context.undo_hint = ""
    change.plan, change.safety, change.written = result.plan, result.safety, result.safety is not None
    if result.safety:
        context.output.line(f"{change.title}: written and verified.")
        context.output.line(f"  to go back: {restore_command(context, change.connection_id, result.safety.id)}")


def _check_shown(change: Change, plan: RestorePlan) -> None:
    """Check that a restore is still the one that a person has said yes to."""
    if change.plan and change.plan.current.digest() != plan.current.digest():
        raise AirbyteRestoreRefusedError(
            "The state in Airbyte has changed since it was shown. Nothing was written. Run the command again.",
            connection_id=change.connection_id,
        )


def _restorer(context: Context, change: Change) -> Restorer:
    options = context.options
    return Restorer(
        context.client,
        context.store,
        change.connection_id,
        clock=context.clock,
        if_running=options.if_running,
        wait_timeout=options.wait_timeout,
        if_stream_missing=getattr(options, "if_stream_missing", "warn"),
    )


def restore_command(context: Context, connection_id: str, snapshot: str) -> str:
    """Return the command that restores a snapshot, in the words that this run was given."""
    given = context.options
    settings = context.client.settings
    options = {
        "--store": without_password(str(context.store.root)),
        "--url": settings.base_url,
        "--auth": given.auth,
        "--username": given.username,
        "--client-id": given.client_id,
        "--token-url": given.token_url,
        "--key-file": given.key_file,
        "--connection": connection_id,
        "--snapshot": without_password(snapshot),
    }
    return "airbyte-state restore " + " ".join(
        f"{name} {shlex.quote(str(text))}" for name, text in options.items() if text
    )


def _report(context: Context, changes: list[Change], code: Exit) -> None:
    documents = [
        {
            "connection_id": change.connection_id,
            **change.facts,
            "result": change.result,
            "diff": diff_document(change.plan.diff) if change.plan else None,
            "safety_snapshot": ref_document(change.safety) if change.safety else None,
            **failure_document(change.error),
        }
        for change in changes
    ]
    options = context.options
    context.output.document(
        {"command": options.command, "dry_run": options.dry_run, "connections": documents, "exit_code": code}
    )
    counts = {
        word: sum(change.result == word for change in changes) for word in dict.fromkeys(c.result for c in changes)
    }
    dry = " (dry run: nothing was written)" if options.dry_run else ""
    context.output.note(", ".join(f"{count} {word}" for word, count in counts.items()) + dry)
    for change in changes:
        if change.error and len(changes) > 1:
            context.output.note(f"failed: connection {change.connection_id}: {explain(change.error)}")
