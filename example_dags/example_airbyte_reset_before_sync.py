"""
Reset a connection before a sync, so that everything is read again; and keep the state from before.

The reset waits for a sync that runs, takes a snapshot, empties the streams, and the sync then starts from nothing.
This empties data in the destination: name single `streams` where not all need it.

Needs an Airflow Connection `airbyte_config_default`, and a Variable `airbyte_snapshot_store`: where snapshots live.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator

with DAG(
    dag_id="example_airbyte_reset_before_sync",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START reset_before_sync]
    reset = AirbyteResetConnectionOperator(
        task_id="reset",
        connection_id="{{ params.connection_id }}",
        streams=["public.orders"],
        backup_to="{{ var.value.airbyte_snapshot_store }}",
        poll_interval=1,
    )
    sync = AirbyteSyncConnectionOperator(
        task_id="sync",
        connection_id="{{ params.connection_id }}",
        poll_interval=1,
    )

    reset >> sync
    # [END reset_before_sync]
