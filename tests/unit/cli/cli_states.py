"""What the tests of `airbyte-state` share besides fixtures."""

from __future__ import annotations

from typing import Any

SECRET = "s3cr3t-cursor-value"


def state_of(**cursors: Any) -> dict[str, Any]:
    return {
        "stateType": "stream",
        "streamState": [
            {"streamDescriptor": {"name": name, "namespace": "public"}, "streamState": {"cursor": cursor}}
            for name, cursor in cursors.items()
        ],
    }


def cursors(airbyte, connection_id: str) -> dict[str, Any]:
    entries = airbyte.state(connection_id).get("streamState", [])
    return {entry["streamDescriptor"]["name"]: entry["streamState"]["cursor"] for entry in entries}


def files(store) -> list[str]:
    return sorted(path.name for path in store.rglob("*") if path.is_file())


def writes(airbyte) -> list[Any]:
    return [*airbyte.calls("createOrUpdateState"), *airbyte.calls("createOrUpdateStateSafe")]
