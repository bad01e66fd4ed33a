"""A job's end in a few lines, for somebody who reads a task log at night."""

from __future__ import annotations

import re
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from airflow_airbyte_ext.api.streams import stream_name
from airflow_airbyte_ext.jobs.status import JobStatus
from airflow_airbyte_ext.text import MAX_ADDRESS, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import JustifyMethod

    from airflow_airbyte_ext.jobs.report import JobReport

MAX_ROWS = 50
WIDTH = 160
LENGTH_OF_ID = 36

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"\?|[\d.,]+( bytes?| [kMGTPEZY]B)?")


def story_of(report: JobReport) -> list[str]:
    """Return the lines: a table of the streams, what the job came to, and Airbyte's reason where it failed."""
    duration = _duration(report)
    moved = f"{_count(report.records_synced)} records, {_size(report.bytes_synced)}"
    attempts = f"{report.attempts} attempt{'' if report.attempts == 1 else 's'}"
    summary = f"Job {report.job_id} ({report.job_type}): {report.status} after {attempts}{duration}; {moved}."
    lines = [*_streams(report), summary]
    if JobStatus.of(report.status) is JobStatus.FAILED:
        lines.append(f"Airbyte's reason: {report.failure or 'none given; check the job in Airbyte.'}")
    return lines


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table for a log: numbers to the right, ids in one piece, and many rows counted only."""
    table = Table(box=box.ASCII2)
    for number, column in enumerate(columns):
        cells = [row[number] for row in rows]
        justify: JustifyMethod = "right" if all(map(_NUMBER.fullmatch, cells)) else "left"
        ids = [cell for cell in cells if _ID.search(cell)]
        is_ids = bool(ids) and all(map(_ID.fullmatch, filter(None, cells)))
        # Among other words an id stands in quotes and brackets: all of these fit into a line.
        width = LENGTH_OF_ID + 5 if ids and not is_ids else None
        table.add_column(column, overflow="fold", justify=justify, no_wrap=is_ids, min_width=width)
    for row in rows[:MAX_ROWS]:
        table.add_row(*(one_line(cell, MAX_ADDRESS) for cell in row))
    text = StringIO()
    Console(file=text, width=WIDTH, color_system=None, markup=False, highlight=False).print(table, crop=False)
    hidden = len(rows) - MAX_ROWS
    return [line.rstrip() for line in text.getvalue().splitlines()] + ([f"... and {hidden} more"] if hidden > 0 else [])


def _streams(report: JobReport) -> list[str]:
    rows = [
        (stream_name((stream.namespace or None, stream.name)), _count(stream.records), _size(stream.bytes))
        for stream in report.streams
    ]
    return table_lines(("stream", "records", "size"), rows) if rows else []


def _duration(report: JobReport) -> str:
    if not report.started_at or not report.ended_at:
        return ""
    spent = datetime.fromisoformat(report.ended_at) - datetime.fromisoformat(report.started_at)
    return f", {spent}"


def _count(figure: int | None) -> str:
    return "?" if figure is None else f"{figure:,}"


def _size(figure: int | None) -> str:
    return "?" if figure is None else decimal(figure)
