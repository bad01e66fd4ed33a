"""
Sync an Airbyte connection, and wait for its job in the worker.

Start here. The task submits one job, waits until Airbyte says how it ended, and returns what was moved.

Needs an Airflow Connection `airbyte_config_default`; docs/connection.md has ready-made ones.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator

with DAG(
    dag_id="example_airbyte_sync",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START sync]
    sync = AirbyteSyncConnectionOperator(
        task_id="sync",
        connection_id="{{ params.connection_id }}",
        poll_interval=1,
    )
    # [END sync]
