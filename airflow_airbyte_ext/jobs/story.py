"""A job's end in a few lines, for somebody who reads a task log at night."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from airflow_airbyte_ext.jobs.status import Verdict, verdict

if TYPE_CHECKING:
    from airflow_airbyte_ext.jobs.report import JobReport

MOST_STREAMS = 50


def story_of(report: JobReport) -> list[str]:
    """Return the lines: a table of the streams, what the job came to, and Airbyte's reason where it failed."""
    duration = _duration(report)
    moved = f"{_count(report.records_synced)} records, {_size(report.bytes_synced)}"
    attempts = f"{report.attempts} attempt{'' if report.attempts == 1 else 's'}"
    summary = f"Job {report.job_id} ({report.job_type}): {report.status} after {attempts}{duration}; {moved}."
    lines = [*_table(report), summary]
    if verdict(report.status) is Verdict.FAILED:
        lines.append(f"Airbyte's reason: {report.failure or 'none given; look at the job in Airbyte.'}")
    return lines


def _table(report: JobReport) -> list[str]:
    if not report.streams:
        return []
    table = Table(box=box.ASCII2, pad_edge=True)
    table.add_column("stream", overflow="fold")
    table.add_column("records", justify="right")
    table.add_column("size", justify="right")
    for stream in report.streams[:MOST_STREAMS]:
        name = f"{stream.namespace}.{stream.name}" if stream.namespace else stream.name
        table.add_row(name, _count(stream.records), _size(stream.bytes))
    console = Console(file=StringIO(), width=100, color_system=None, markup=False)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    if hidden := len(report.streams) - MOST_STREAMS:
        lines += [f"... and {hidden} more streams"] if hidden > 0 else []
    return [line.rstrip() for line in lines]


def _duration(report: JobReport) -> str:
    if not report.started_at or not report.ended_at:
        return ""
    spent = datetime.fromisoformat(report.ended_at) - datetime.fromisoformat(report.started_at)
    return f", {spent}"


def _count(figure: int | None) -> str:
    return "?" if figure is None else f"{figure:,}"


def _size(figure: int | None) -> str:
    return "?" if figure is None else decimal(figure)
