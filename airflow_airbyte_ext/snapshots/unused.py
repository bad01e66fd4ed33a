"""Streams whose state no sync would use: a pure function of a catalog and of what is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.snapshots.state import StateContent, canonical_json

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog, AirbyteStreamAndConfiguration
    from airflow_airbyte_ext.api.streams import StreamKey
    from airflow_airbyte_ext.snapshots.plan import RestorePlan


def unused_streams(plan: RestorePlan, catalog: AirbyteCatalog | None) -> dict[StreamKey, str]:
    """
    Return the streams that get a state which no sync of the connection would use, and why not.

    Airbyte keeps state of any stream, and starts each sync of a full-refresh stream without it (since 0.62.0 it deletes
    it then). A stream whose state stays as it is, is not among them.
    """
    # A catalog leaves out the namespace where a state may say "", or the other way round.
    configured = {
        (entry.stream.namespace or None, entry.stream.name): entry
        for entry in (catalog.streams if catalog else [])
        if entry.stream
    }
    before = plan.current if plan.current.type == plan.target.type else StateContent()
    written = [
        key
        for key, value in plan.target.streams.items()
        if key not in before.streams or canonical_json(before.streams[key]) != canonical_json(value)
    ]
    reasons = {key: _reason(configured.get((key[0] or None, key[1]))) for key in written}
    return {key: reason for key, reason in reasons.items() if reason}


def _reason(entry: AirbyteStreamAndConfiguration | None) -> str | None:
    if entry is None:
        return "not in its catalog, or not selected"
    if not entry.is_selected:
        return "not selected"
    is_full = entry.config is not None and entry.config.sync_mode == "full_refresh"
    return "full refresh" if is_full else None
