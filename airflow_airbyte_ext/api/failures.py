"""Why something failed in Airbyte, in one line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.text import one_line, without_secrets

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.jobs import FailureReason

MAX_REASON = 500
# What Airbyte and its connectors tell users of a failure that they do not know; the internal message knows it.
GENERIC = "Something went wrong"


def reason_of(failure: FailureReason | None) -> str | None:
    """
    Return Airbyte's message for users, with the internal one where that says nothing; None where there is neither.

    No stack trace: its first line is what Airbyte's own web app shows.
    """
    if failure is None:
        return None
    told, inner = _first_line(failure.external_message), _first_line(failure.internal_message)
    if told.startswith(GENERIC) and inner and inner != told:
        return f"{told.rstrip('.')}: {inner}"
    return told or inner or None


def _first_line(text: str | None) -> str:
    """Return the line that says what happened; a traceback of Python ends with it."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()] or [""]
    line = lines[-1 if lines[0].startswith("Traceback ") else 0]
    return one_line(without_secrets(line), MAX_REASON)
