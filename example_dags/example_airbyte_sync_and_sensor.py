"""
Submit a sync without waiting, do something else meanwhile, and wait for the job with a sensor.

Use this where other tasks can run while Airbyte works.

Needs an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteJobSensor

with DAG(
    dag_id="example_airbyte_sync_and_sensor",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START sync_and_sensor]
    submit = AirbyteSyncConnectionOperator(
        task_id="submit",
        connection_id="{{ params.connection_id }}",
        wait_for_completion=False,
    )

    wait = AirbyteJobSensor(
        task_id="wait",
        airbyte_job_id="{{ ti.xcom_pull(task_ids='submit', key='job_id') }}",
        poke_interval=1,
        timeout=6 * 60 * 60,
    )

    submit >> wait
    # [END sync_and_sensor]
