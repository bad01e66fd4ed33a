"""What users import, name by name: a name that comes or goes is meant."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

NAMES = {
    "api": ["AirbyteClient", "ClientSettings"],
    "compat": ["AirbyteHook", "AirbyteJobSensor", "AirbyteTriggerSyncOperator"],
    "hooks.airbyte": ["AirbyteConfigHook"],
    "links.airbyte": ["AirbyteJobLink"],
    "operators.airbyte": [
        "AirbyteRefreshConnectionOperator",
        "AirbyteResetConnectionOperator",
        "AirbyteSyncConnectionOperator",
    ],
    "operators.connections": [
        "AirbyteCheckSchemaOperator",
        "AirbyteListConnectionsOperator",
        "AirbyteUpdateConnectionOperator",
    ],
    "operators.state": [
        "AirbyteBackupStateOperator",
        "AirbyteForgetSnapshotsOperator",
        "AirbyteRestoreStateOperator",
    ],
    "sensors.airbyte": ["AirbyteConnectionSensor", "AirbyteJobSensor"],
    "testing": ["Failure", "FakeAirbyte", "Fault", "PendingFault", "Request", "Step", "Stream"],
    "triggers.airbyte": ["AirbyteConnectionTrigger", "AirbyteJobTrigger"],
    "triggers.events": ["AirbyteSyncEventTrigger"],
}
BASES = {"AirbyteJobOperator", "AirbyteSensor"}


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_of_a_module(module):
    """Those of its `__all__`, or its own public classes for Airflow."""
    imported = import_module(f"airflow_airbyte_ext.{module}")
    own = [
        name
        for name, value in vars(imported).items()
        if inspect.isclass(value) and name.startswith("Airbyte") and value.__module__ == imported.__name__
    ]
    found = set(getattr(imported, "__all__", own)) - BASES
    assert sorted(found) == NAMES[module]
