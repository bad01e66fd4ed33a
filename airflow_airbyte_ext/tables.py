"""Tables as text, for logs."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from airflow_airbyte_ext.text import MAX_ADDRESS, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import JustifyMethod

MAX_ROWS = 50
WIDTH = 160
LENGTH_OF_ID = 36

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"\?|[\d.,]+( bytes?| [kMGTPEZY]B)?")


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table for a log: numbers to the right, ids in one piece, and many rows counted only."""
    table = Table(box=box.ASCII2)
    for number, column in enumerate(columns):
        cells = [row[number] for row in rows]
        justify: JustifyMethod = "right" if all(map(_NUMBER.fullmatch, cells)) else "left"
        ids = [cell for cell in cells if _ID.search(cell)]
        is_ids = bool(ids) and all(map(_ID.fullmatch, filter(None, cells)))
        # Among other words an id may have quotes and brackets around it: all of these fit into a line.
        width = LENGTH_OF_ID + 5 if ids and not is_ids else None
        table.add_column(column, overflow="fold", justify=justify, no_wrap=is_ids, min_width=width)
    for row in rows[:MAX_ROWS]:
        table.add_row(*(one_line(cell, MAX_ADDRESS) for cell in row))
    text = StringIO()
    Console(file=text, width=WIDTH, color_system=None, markup=False, highlight=False).print(table, crop=False)
    hidden = len(rows) - MAX_ROWS
    return [line.rstrip() for line in text.getvalue().splitlines()] + ([f"... and {hidden} more"] if hidden > 0 else [])
