"""
Sync an Airbyte connection, and wait for its job in the triggerer.

Use this for long syncs: no worker slot is held while Airbyte works. What the task returns is the same.

Needs an Airflow Connection `airbyte_config_default`, and a running triggerer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator

with DAG(
    dag_id="example_airbyte_sync_deferrable",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte"],
    params={"connection_id": "22222222-2222-4222-8222-222222222222"},
    doc_md=__doc__,
) as dag:
    # [START sync_deferrable]
    sync = AirbyteSyncConnectionOperator(
        task_id="sync",
        connection_id="{{ params.connection_id }}",
        deferrable=True,
        poll_interval=1,
        wait_timeout=timedelta(hours=6),
    )
    # [END sync_deferrable]
