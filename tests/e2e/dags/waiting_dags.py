"""DAGs that wait for syncs which Airbyte's own schedule starts: by a sensor, and by an asset's watcher."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

START = datetime(2026, 1, 1)
PARAMS = {"connection_id": "", "completed_after": ""}
SENSOR = {
    "connection_id": "{{ params.connection_id }}",
    "completed_after": "{{ params.completed_after }}",
    "airbyte_conn_id": "airbyte_e2e",
    # On a busy machine Airflow's own scheduler at times takes a task that comes back for lost, and retries it.
    "retries": 2,
    "retry_delay": timedelta(seconds=1),
}


def sensor_dag(dag_id: str, **arguments: Any) -> DAG:
    with DAG(dag_id, start_date=START, schedule=None, catchup=False, params=PARAMS) as dag:
        AirbyteConnectionSensor(task_id="task", **(SENSOR | arguments))
    return dag


connection_poke = sensor_dag("connection_poke", poke_interval=0.5)
# A task that comes back within a few seconds is at times taken for lost by Airflow's own scheduler.
connection_reschedule = sensor_dag("connection_reschedule", poke_interval=12, mode="reschedule")
connection_deferred = sensor_dag("connection_deferred", poke_interval=0.5, deferrable=True)
connection_next = sensor_dag("connection_next", poke_interval=0.5, deferrable=True, completed_after=None)
connection_strict = sensor_dag("connection_strict", poke_interval=0.5, deferrable=True, on_failure="fail")
connection_soft = sensor_dag("connection_soft", poke_interval=0.5, deferrable=True, timeout=8, soft_fail=True)
with DAG("connection_default_time", start_date=START, schedule=None, catchup=False, params=PARAMS) as default_time:
    AirbyteConnectionSensor(
        task_id="task", connection_id="{{ params.connection_id }}", airbyte_conn_id="airbyte_e2e", poke_interval=0.5
    )


def watched(number: int) -> Asset:
    trigger = AirbyteSyncEventTrigger(
        connection_id=f"eeeeeeee-0000-4000-8000-00000000000{number}", airbyte_conn_id="airbyte_e2e", poll_interval=1
    )
    return Asset(f"airbyte_sync_{number}", watchers=[AssetWatcher(name="syncs", trigger=trigger)])


def consumer(number: int) -> DAG:
    with DAG(f"on_sync_{number}", start_date=START, schedule=[watched(number)], catchup=False) as dag:

        @task(task_id="task")
        def announce(triggering_asset_events: Any) -> list[dict[str, Any]]:
            return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]

        announce()  # type: ignore[call-arg]
    return dag


on_sync_1 = consumer(1)
on_sync_2 = consumer(2)
