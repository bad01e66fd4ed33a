"""`rewind`: set keys in the state of one stream, or in a legacy one, or remove it, with the same care as a restore."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_airbyte_ext.cli.apply import Change, apply_changes, check_confirmable
from airflow_airbyte_ext.cli.names import stream_named
from airflow_airbyte_ext.cli.selection import one_connection
from airflow_airbyte_ext.snapshots.rewind import rewound, rewound_legacy

if TYPE_CHECKING:
    from airflow_airbyte_ext.cli.context import Context
    from airflow_airbyte_ext.cli.exit_codes import Exit
    from airflow_airbyte_ext.snapshots.state import StateContent

log = logging.getLogger(__name__)


def run(context: Context) -> Exit:
    """Rewind one stream, or a legacy state."""
    check_confirmable(context)
    context.check_settings()
    options = context.options
    connection_id = one_connection(context)

    def target(current: StateContent) -> StateContent:
        if options.legacy:
            return rewound_legacy(current, options.set)
        known = list(current.stream_rows())
        if options.set:
            known += context.client.get_connection(connection_id=connection_id).streams()
        key = stream_named(options.stream, known, where="the current state" + (" and the catalog" * bool(options.set)))
        if options.set and key not in current.stream_rows():
            log.warning("%s has no state yet, so nobody knows whether its source has these keys", options.stream)
        return rewound(current, key, options.set)

    what = "remove its state" if options.remove else f"set {', '.join(path for path, _ in options.set)}"
    part = "the legacy state" if options.legacy else f"stream {options.stream}"
    title = f"Connection {connection_id}, {part}: {what}"
    facts = {"stream": options.stream, "legacy": options.legacy}
    return apply_changes(context, [Change(connection_id, title, target, facts)])
