"""Airbyte connections: a source, a destination, and what moves between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, JsonValue

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.streams import StreamKey


class ConnectionRead(AirbyteModel):
    """An Airbyte connection. `created_at` is snake_case on the wire, and epoch seconds."""

    connection_id: str = Field(alias="connectionId")
    name: str | None = None
    status: str | None = None
    status_reason: str | None = Field(None, alias="statusReason")
    source_id: str | None = Field(None, alias="sourceId")
    destination_id: str | None = Field(None, alias="destinationId")
    workspace_id: str | None = Field(None, alias="workspaceId")
    schedule_type: str | None = Field(None, alias="scheduleType")
    schedule_data: dict[str, JsonValue] | None = Field(None, alias="scheduleData")
    sync_catalog: dict[str, Any] | None = Field(None, alias="syncCatalog")
    created_at: int | None = None

    def streams(self) -> list[StreamKey]:
        """Return the namespace and name of each stream of the catalog."""
        entries = (self.sync_catalog or {}).get("streams") or []
        streams = [entry.get("stream") or {} for entry in entries if isinstance(entry, dict)]
        return [(stream.get("namespace"), stream["name"]) for stream in streams]


class ConnectionReadList(AirbyteModel):
    """All connections of a workspace."""

    connections: Items[ConnectionRead] = Field(default_factory=list)
