"""
Discover what a connection's source has now, and sync only where nothing is gone that the connection needs.

A cursor that was renamed in the source then fails a task that says so, instead of a sync that stumbles over it, or of a
connection that Airbyte switches off in the night.

Needs an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.connections import AirbyteCheckSchemaOperator

with DAG(
    dag_id="example_airbyte_check_schema",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START check_schema]
    check = AirbyteCheckSchemaOperator(
        task_id="check",
        connection_id="{{ params.connection_id }}",
        on_breaking="fail",
        on_change="warn",
    )
    sync = AirbyteSyncConnectionOperator(
        task_id="sync",
        connection_id="{{ params.connection_id }}",
        poll_interval=1,
    )

    check >> sync
    # [END check_schema]
