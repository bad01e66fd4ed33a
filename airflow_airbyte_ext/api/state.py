"""Airbyte's State API: how far a connection has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.fields import JsonObject, Uuid
from airflow_airbyte_ext.api.operation import operation

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models import state


class StateMethods:
    """State."""

    @operation("/v1/state/get", since="0.24.1")
    def get_state(self, *, connection_id: Uuid) -> state.ConnectionState:
        """Return a connection's state; `not_set` for one without state, and for an unknown connection."""

    @operation("/v1/state/create_or_update", since="0.40.3", role="instance admin", is_write=True, holds_secrets=True)
    def create_or_update_state(self, *, connection_id: Uuid, connection_state: JsonObject) -> state.ConnectionState:
        """Write state by upsert: an omitted stream stays (since 0.40.3). Takes Airbyte's own JSON."""

    @operation(
        "/v1/state/create_or_update_safe",
        since="0.50.21",
        alternative="Use create_or_update_state.",
        role="editor",
        is_write=True,
        holds_secrets=True,
    )
    def create_or_update_state_safe(
        self, *, connection_id: Uuid, connection_state: JsonObject
    ) -> state.ConnectionState:
        """Write state by upsert, refused with 423 while a sync runs (since 0.50.21)."""
