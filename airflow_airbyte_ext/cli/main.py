"""The console command `airbyte-state`."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.clock import Clock, SystemClock
from airflow_airbyte_ext.cli.exit_codes import Exit, code_of, explain
from airflow_airbyte_ext.cli.parser import PROGRAM, parse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None, *, clock: Clock | None = None) -> int:
    """
    Run one command, and return the exit code.

    :param clock: Says the time, and waits.
    """
    options = parse(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name must not break a terminal that cannot show it
    try:
        return _run(options, clock or SystemClock())
    except BrokenPipeError:
        # The reader has gone, such as `head`; Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return Exit.INTERRUPTED


def _run(options: argparse.Namespace, clock: Clock) -> int:
    # Here, so that --help and a mistyped option cost nothing.
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.cli.describe import failure_document
    from airflow_airbyte_ext.cli.output import NoteHandler, Output

    output = Output(as_json=options.json)
    context = Context(options, output, clock)
    log, handler = logging.getLogger("airflow_airbyte_ext"), NoteHandler(output)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        command = import_module(f"airflow_airbyte_ext.cli.{options.module}")
        return int(getattr(command, options.function)(context))
    except KeyboardInterrupt:
        output.note("")
        output.note(f"Interrupted. {context.undo_hint}".rstrip())
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # a person at night gets one line, never a traceback
        output.note(f"{PROGRAM} {options.command}: {explain(error)}")
        code = code_of(error)
        output.document({"command": options.command, **failure_document(error), "exit_code": code})
        return code
    finally:
        context.close()
        log.removeHandler(handler)
        log.setLevel(before)
