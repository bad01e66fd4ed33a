"""
Sync all connections of a workspace that have a tag, whichever these are today: one mapped task for each.

Anyone who tags a connection in Airbyte has it synced from the next run on, and nobody touches this file. The grid shows
the mapped tasks by the names of their connections.

Needs an Airflow Connection `airbyte_config_default`, and an Airbyte of 1.6.0 or later; older ones have no tags.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.connections import AirbyteListConnectionsOperator

with DAG(
    dag_id="example_airbyte_sync_by_tag",
    start_date=datetime(2026, 1, 1),
    schedule=None,  # "@daily" in real life
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={"workspace_id": "00000000-0000-4000-8000-0000000000a1", "tag": "daily"},
    doc_md=__doc__,
) as dag:
    # [START sync_by_tag]
    find = AirbyteListConnectionsOperator(
        task_id="find",
        workspace_id="{{ params.workspace_id }}",
        tags=["{{ params.tag }}"],
    )
    AirbyteSyncConnectionOperator.partial(
        task_id="sync",
        poll_interval=1,
        map_index_template="{{ ti.xcom_pull(task_ids='find')[ti.map_index].name }}",
    ).expand(connection_id=find.output.map(lambda connection: connection["connection_id"]))
    # [END sync_by_tag]
