"""
Read one stream again from the start, without emptying it first: Airbyte calls that a refresh.

The destination keeps what it has until the new records are there. Needs Airbyte 0.57.2 or later, a destination whose
connector supports refreshes, and an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteRefreshConnectionOperator

with DAG(
    dag_id="example_airbyte_refresh",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={"connection_id": "11111111-1111-4111-8111-111111111111"},
    doc_md=__doc__,
) as dag:
    # [START refresh]
    refresh = AirbyteRefreshConnectionOperator(
        task_id="refresh",
        connection_id="{{ params.connection_id }}",
        streams=["public.orders"],
        mode="truncate",
        poll_interval=1,
    )
    # [END refresh]
