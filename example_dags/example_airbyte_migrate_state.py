"""
Move the state of a connection to one that was recreated, so that the new one does not read everything again.

Airbyte gives a connection that is recreated another id, and no state: after a change by infrastructure as code, say.
The old one's state is saved, and restored to the new one; here a stream has another name there.

Needs an Airflow Connection `airbyte_config_default`, and a Variable `airbyte_snapshot_store`: where snapshots live.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator, AirbyteRestoreStateOperator

with DAG(
    dag_id="example_airbyte_migrate_state",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={
        "old_connection_id": "11111111-1111-4111-8111-111111111111",
        "new_connection_id": "55555555-5555-4555-8555-555555555555",
    },
    doc_md=__doc__,
) as dag:
    # [START migrate_state]
    save = AirbyteBackupStateOperator(
        task_id="save",
        connection_id="{{ params.old_connection_id }}",
        store="{{ var.value.airbyte_snapshot_store }}",
    )
    move = AirbyteRestoreStateOperator(
        task_id="move",
        connection_id="{{ params.new_connection_id }}",
        store="{{ var.value.airbyte_snapshot_store }}",
        snapshot=save.output,
        snapshot_of="{{ params.old_connection_id }}",
        rename_streams={"public.customers": "public.clients"},
        if_stream_missing="fail",
    )
    # [END migrate_state]
