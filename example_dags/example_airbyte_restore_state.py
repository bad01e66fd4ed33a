"""
Restore the state of a connection from a snapshot, by hand.

Trigger it with the connection, the snapshot ("latest", an id, a path, or a time such as "2026-11-21T03:00"), and
`dry_run` switched off when the log shows what you want. The state before is kept as a safety snapshot.

Needs an Airflow Connection `airbyte_config_default`, and a Variable `airbyte_snapshot_store`: where snapshots live.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_airbyte_ext.operators.state import AirbyteRestoreStateOperator

with DAG(
    dag_id="example_airbyte_restore_state",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={
        "connection_id": Param("11111111-1111-4111-8111-111111111111", type="string", title="Airbyte connection"),
        "snapshot": Param("latest", type="string", title="Snapshot: latest, an id, a path, or a time"),
        "dry_run": Param(True, type="boolean", title="Only show what would change"),
    },
    doc_md=__doc__,
) as dag:
    # [START restore_state]
    restore = AirbyteRestoreStateOperator(
        task_id="restore",
        connection_id="{{ params.connection_id }}",
        store="{{ var.value.airbyte_snapshot_store }}",
        snapshot="{{ params.snapshot }}",
        dry_run="{{ params.dry_run }}",
        if_running="wait",
    )
    # [END restore_state]
