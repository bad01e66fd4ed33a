"""The two sides of the comparison: this provider and the official one, each as a DAG and a triggerer use it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet import connection_number, workspace_id
from benchmarks.fleet_stub import CONFIG_API, PUBLIC_API, PUBLIC_JOBS, SYNC

CONN_ID = "airbyte"
A_WEEK = 7 * 86400.0


@dataclass(frozen=True)
class Side:
    """
    One provider.

    :param conn_type: Of its Airflow Connection.
    :param api: Path of the API that it speaks.
    :param modules: What a DAG may import: operators, sensors and hook.
    :param operator: Name of the class in the first module that starts a sync.
    :param trigger: Class path of the trigger that waits.
    :param submission: Path of the request that starts a sync.
    """

    name: str
    conn_type: str
    api: str
    modules: tuple[str, ...]
    operator: str
    trigger: str
    submission: str

    def environment(self, url: str) -> dict[str, str]:
        """Return the Airflow Connection, without credentials: so neither side requests a token."""
        host = url if self.api == CONFIG_API else f"{url}{self.api}"
        return {f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps({"conn_type": self.conn_type, "host": host})}

    def trigger_arguments(self, job_id: int, connection_id: str, poll_interval: float) -> dict[str, Any]:
        """Return what the side's operator gives its trigger."""
        if self is OFFICIAL:
            end_time = time.time() + A_WEEK
            return {"job_id": job_id, "conn_id": CONN_ID, "end_time": end_time, "poll_interval": poll_interval}
        return {
            "job_id": job_id,
            "airbyte_conn_id": CONN_ID,
            "connection_id": connection_id,
            "poll_interval": poll_interval,
            "poll_error_timeout": 600.0,
            "cancel_on_kill": True,
            "workspace_id": workspace_id(connection_number(connection_id)),
            "updated_at": int(time.time()),
        }

    def operator_arguments(self, connection_id: str) -> dict[str, Any]:
        """Return the arguments of an operator that submits a sync and does not wait."""
        how = {"asynchronous": True} if self is OFFICIAL else {"wait_for_completion": False}
        return {"task_id": "submit", "connection_id": connection_id, "airbyte_conn_id": CONN_ID, **how}


OFFICIAL = Side(
    name="official",
    conn_type="airbyte",
    api=PUBLIC_API,
    modules=(
        "airflow.providers.airbyte.operators.airbyte",
        "airflow.providers.airbyte.sensors.airbyte",
        "airflow.providers.airbyte.hooks.airbyte",
    ),
    operator="AirbyteTriggerSyncOperator",
    trigger="airflow.providers.airbyte.triggers.airbyte.AirbyteSyncTrigger",
    submission=PUBLIC_JOBS,
)
OURS = Side(
    name="ours",
    conn_type="airbyteconfig",
    api=CONFIG_API,
    modules=(
        "airflow_airbyte_ext.operators.airbyte",
        "airflow_airbyte_ext.sensors.airbyte",
        "airflow_airbyte_ext.hooks.airbyte",
    ),
    operator="AirbyteSyncConnectionOperator",
    trigger="airflow_airbyte_ext.triggers.airbyte.AirbyteJobTrigger",
    submission=SYNC,
)
SIDES = {side.name: side for side in (OFFICIAL, OURS)}
