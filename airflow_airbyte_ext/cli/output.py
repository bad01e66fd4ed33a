"""What a run says: results on stdout, as tables or as JSON; everything else on stderr."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from airflow_airbyte_ext.cli.words import in_shell_words
from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# Lines are not folded: neither for grep, nor where an id is to be copied from a narrow terminal.
_WIDTH = 100_000


class Output:
    """
    Speaks to a person, or to a program.

    :param as_json: Whether stdout gets one JSON document, and nothing else.
    """

    about = ""
    """What the layers below are working on, printed before what they log."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(sys.stdout, width=_WIDTH)
        self._err = _console(sys.stderr)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show rows to a person."""
        if self.as_json:
            return
        table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for row in rows:
            table.add_row(*(printable(cell) for cell in row))
        with self._out.capture() as captured:
            self._out.print(table)
        # rich fills up every line, which a pipe only has to cut off again
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def line(self, text: str = "") -> None:
        """Show a line of the result to a person."""
        if not self.as_json:
            self._out.print(printable(text), soft_wrap=True)

    def document(self, result: dict[str, Any]) -> None:
        """Give the whole result to a program."""
        if self.as_json:
            print(json.dumps(result, indent=2), flush=True)

    def note(self, text: str) -> None:
        """Say something on the way."""
        self._err.print(printable(text), soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Let a person confirm on the terminal."""
        self._err.print(printable(f"{question} [y/N] "), end="", soft_wrap=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar on a terminal, which the function that is given moves on by one."""
        if total < 2 or not self._err.is_terminal:
            yield lambda: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)


class NoteHandler(logging.Handler):
    """Prints what the layers below log; once where they log it twice, as a plan and then the restore do."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.INFO)
        self._output = output
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Say it on stderr."""
        text = self._output.about + in_shell_words(" ".join(record.getMessage().split()))
        if text not in self._said:
            self._said.add(text)
            self._output.note(f"warning: {text}" if record.levelno >= logging.WARNING else text)


def printable(value: object) -> str:
    """Return text that cannot steer a terminal, nor forge a line of its own: names come from other people."""
    return one_line(value, _WIDTH)


def _console(file: IO[str], *, width: int | None = None) -> Console:
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)
