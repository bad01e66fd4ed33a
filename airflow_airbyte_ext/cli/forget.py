"""`forget`: delete the snapshots that no rule keeps, and say of each why it stays or goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.cli.describe import counted, failure_document, ref_document
from airflow_airbyte_ext.cli.exit_codes import Exit, explain, overall
from airflow_airbyte_ext.cli.parallel import run_all
from airflow_airbyte_ext.cli.selection import in_store
from airflow_airbyte_ext.snapshots.retention import Decision, Retention, forget

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context

_RULES = {
    "last": "keep_last",
    "within_days": "keep_within_days",
    "hourly": "keep_hourly",
    "daily": "keep_daily",
    "weekly": "keep_weekly",
    "monthly": "keep_monthly",
}


def run(context: Context) -> Exit:
    """Forget old snapshots of each chosen connection."""
    options = context.options
    retention = Retention.of({rule: getattr(options, option) for rule, option in _RULES.items()})
    ids = _chosen(context)
    with context.output.progress("Forgetting", len(ids)) as one_done:
        outcomes = run_all(
            ids,
            lambda one: forget(context.store, one, retention, now=context.now(), dry_run=options.dry_run),
            parallel=options.parallel,
            one_done=one_done,
        )
    found = dict(zip(ids, outcomes, strict=True))
    failures = {one: outcome for one, outcome in found.items() if isinstance(outcome, Exception)}
    code = overall(list(failures.values()), len(ids))
    documents = [_document(context, one, outcome) for one, outcome in found.items()]
    context.output.document(
        {"command": "forget", "dry_run": options.dry_run, "connections": documents, "exit_code": code}
    )
    _show(context, found)
    for one, error in failures.items():
        context.output.note(f"failed: {one}: {explain(error)}")
    return code


def _chosen(context: Context) -> list[str]:
    origins = in_store(context)
    if not context.options.workspace:
        return list(origins)
    for one in (one for one, origin in origins.items() if origin is None):
        context.output.note(f"warning: {one} is left out: none of its snapshots can be read, nor whose it is")
    return [one for one, origin in origins.items() if origin is not None]


def _document(context: Context, connection_id: str, outcome: list[Decision] | Exception) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"connection_id": connection_id, "snapshots": [], **failure_document(outcome)}
    return {
        "connection_id": connection_id,
        "snapshots": [
            {**ref_document(one.ref), "result": _word(context, one), "reasons": list(one.reasons)} for one in outcome
        ],
    }


def _word(context: Context, decision: Decision) -> str:
    if decision.keep:
        return "kept"
    return "would be deleted" if context.options.dry_run else "deleted"


def _why(decision: Decision) -> str:
    reasons = ", ".join(decision.reasons) or "no rule keeps it"
    return f"state before a restore: {reasons}" if decision.ref.safety else reasons


def _show(context: Context, found: dict[str, list[Decision] | Exception]) -> None:
    words: list[str] = []
    for one, outcome in found.items():
        if isinstance(outcome, Exception) or not outcome:
            continue
        context.output.line(f"Connection {one}")
        rows = [(decision.ref.id, _word(context, decision), _why(decision)) for decision in outcome]
        context.output.table(("SNAPSHOT", "RESULT", "WHY"), rows)
        words += [word for _, word, _ in rows]
    counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    if failed := sum(isinstance(outcome, Exception) for outcome in found.values()):
        counts.append(f"nothing deleted of {counted(failed, 'connection')} that failed")
    context.output.note(f"{', '.join(counts) or 'There are no such snapshots'} in {context.store.name}")
