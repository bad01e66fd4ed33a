"""
Save the state of every connection of an Airbyte workspace each night, and keep a sensible number of snapshots.

One mapped task per connection, called by the connection's name: one that fails does not keep the others from being
saved, and is tried again by itself.
A state that has not changed since the newest snapshot is not kept twice.

Needs an Airflow Connection `airbyte_config_default`, and a Variable `airbyte_snapshot_store`: where snapshots live.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator

with DAG(
    dag_id="example_airbyte_backup_workspace",
    start_date=datetime(2026, 1, 1),
    schedule=None,  # "@daily" in real life
    catchup=False,
    tags=["example", "airbyte"],
    params={"workspace_id": "00000000-0000-4000-8000-0000000000a1"},
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
) as dag:
    # [START backup_workspace]
    @task
    def find(params: dict) -> list[str]:
        client = AirbyteConfigHook().client
        response = client.list_connections_for_workspace(workspace_id=params["workspace_id"])
        return [connection.connection_id for connection in response.connections]

    AirbyteBackupStateOperator.partial(
        task_id="backup",
        map_index_template="{{ connection_name | default(task.connection_id) }}",
        store="{{ var.value.airbyte_snapshot_store }}",
        skip_unchanged=True,
        keep={"last": 7, "daily": 14, "weekly": 8, "monthly": 12},
    ).expand(connection_id=find())
    # [END backup_workspace]
