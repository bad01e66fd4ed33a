"""An Airbyte connection's state: how far it has read."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, RawModel
from airflow_airbyte_ext.api.models.jobs import StreamDescriptor


class StreamState(AirbyteModel):
    """One stream's state. Absent and null differ for Airbyte: `model_fields_set` says which it was."""

    stream_descriptor: StreamDescriptor
    stream_state: Any = None


class GlobalState(AirbyteModel):
    """The state of a connection whose streams share a part; `shared_state` is snake_case on the wire."""

    shared_state: Any = Field(None, alias="shared_state")
    stream_states: Items[StreamState] = Field(default_factory=list)


class ConnectionState(RawModel):
    """A connection's whole state. `state_type` is `stream`, `global`, `legacy` or `not_set` (absent before 0.39.21)."""

    is_strict: ClassVar[bool] = True  # a part of a state is another state
    is_exact: ClassVar[bool] = True  # and so is a number that lost a digit

    connection_id: str
    state_type: str | None = None
    state: Any = None
    stream_state: list[StreamState] | None = None
    global_state: GlobalState | None = None
