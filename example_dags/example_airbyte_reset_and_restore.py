"""
The whole sequence: sync, back up, reset, restore, and a sync that goes on from the restored cursors.

After the restore Airbyte has the very state of the backup, so the last sync reads only what is new since then.

Needs an Airflow Connection `airbyte_config_default`, and a Variable `airbyte_snapshot_store`: where snapshots live.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator, AirbyteRestoreStateOperator

CONNECTION = {"connection_id": "{{ params.connection_id }}"}
STORE = {"store": "{{ var.value.airbyte_snapshot_store }}"}

with DAG(
    dag_id="example_airbyte_reset_and_restore",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={"connection_id": "22222222-2222-4222-8222-222222222222"},
    doc_md=__doc__,
) as dag:
    # [START reset_and_restore]
    sync = AirbyteSyncConnectionOperator(task_id="sync", poll_interval=1, **CONNECTION)
    backup = AirbyteBackupStateOperator(task_id="backup", **CONNECTION, **STORE)
    reset = AirbyteResetConnectionOperator(task_id="reset", poll_interval=1, **CONNECTION)
    restore = AirbyteRestoreStateOperator(task_id="restore", snapshot=backup.output, **CONNECTION, **STORE)
    sync_again = AirbyteSyncConnectionOperator(task_id="sync_again", poll_interval=1, **CONNECTION)

    sync >> backup >> reset >> restore >> sync_again
    # [END reset_and_restore]
