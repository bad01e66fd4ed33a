"""
Wait until Airbyte, by a schedule of its own, has synced a connection within the last day; then go on.

Use this where a DAG has other things to wait for as well. A DAG that shall run for each sync needs no schedule of its
own: see `example_airbyte_on_sync`.

Needs an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor

with DAG(
    dag_id="example_airbyte_wait_for_sync",
    start_date=datetime(2026, 1, 1),
    schedule=None,  # "@daily" in real life
    catchup=False,
    tags=["example", "airbyte"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START wait_for_sync]
    synced = AirbyteConnectionSensor(
        task_id="synced",
        connection_id="{{ params.connection_id }}",
        completed_after="{{ (dag_run.data_interval_end or dag_run.run_after) - macros.timedelta(hours=24) }}",
        poke_interval=30,
        timeout=6 * 60 * 60,
        deferrable=True,
    )

    @task
    def transform(report: dict) -> None:
        """Whatever is to happen with the new records."""
        print(f"Job {report['job_id']} moved {report['records_synced']} records.")

    transform(synced.output)
    # [END wait_for_sync]
