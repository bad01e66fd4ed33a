"""`rewind`: set keys in one stream's state, or remove it, with the same care as a restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.cli.guarded import Change, carry_out, check_confirmable
from airflow_airbyte_ext.cli.names import stream_named
from airflow_airbyte_ext.snapshots.rewind import rewound

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.codes import Exit
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.snapshots.content import StateContent


def run(context: Context) -> Exit:
    """Rewind one stream."""
    check_confirmable(context)
    context.check_settings()
    options = context.options

    def target(current: StateContent) -> StateContent:
        return rewound(current, stream_named(options.stream, current.streams, where="the current state"), options.set)

    what = "remove its state" if options.remove else f"set {', '.join(path for path, _ in options.set)}"
    title = f"Connection {options.connection}, stream {options.stream}: {what}"
    return carry_out(context, [Change(options.connection, title, target, {"stream": options.stream})])
