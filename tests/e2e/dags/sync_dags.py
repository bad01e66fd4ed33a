"""DAGs for the tests in a real Airflow: one task each, made to be killed, cleared and retried."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteJobSensor

PARAMS = {"connection_id": "", "job_id": ""}


def one_task_dag(dag_id: str, operator: type = AirbyteSyncConnectionOperator, **arguments: Any) -> DAG:
    with DAG(dag_id, start_date=datetime(2026, 1, 1), schedule=None, catchup=False, params=PARAMS) as dag:
        operator(task_id="task", **arguments)
    return dag


SYNC = {"connection_id": "{{ params.connection_id }}", "airbyte_conn_id": "airbyte_e2e", "poll_interval": 0.5}
SENSOR = {"airbyte_job_id": "{{ params.job_id }}", "airbyte_conn_id": "airbyte_e2e", "poke_interval": 0.5}
RETRY = {"retries": 2, "retry_delay": timedelta(seconds=1)}

waiting = one_task_dag("waiting", **SYNC, **RETRY)
deferred = one_task_dag("deferred", deferrable=True, **SYNC, **RETRY)
# Each with an Airflow Connection of its own, whose token is changed.
rotated = one_task_dag("rotated", **{**SYNC, "airbyte_conn_id": "airbyte_rotated"})
rotated_deferred = one_task_dag(
    "rotated_deferred", deferrable=True, **{**SYNC, "airbyte_conn_id": "airbyte_rotated_deferred"}
)
impatient = one_task_dag("impatient", execution_timeout=timedelta(seconds=5), **SYNC)
impatient_deferred = one_task_dag("impatient_deferred", wait_timeout=3, deferrable=True, **SYNC)
sensor_poke = one_task_dag("sensor_poke", AirbyteJobSensor, **SENSOR)
# Airflow's scheduler learns from a heartbeat that a task was rescheduled; one that comes back sooner it takes for lost:
# "finished with state success, but the task instance's state attribute is running".
SLOWLY = {**SENSOR, "poke_interval": 12}
sensor_reschedule = one_task_dag("sensor_reschedule", AirbyteJobSensor, mode="reschedule", **SLOWLY)
sensor_deferred = one_task_dag("sensor_deferred", AirbyteJobSensor, deferrable=True, **SENSOR)
