"""DAGs for the tests in a real Airflow: state is saved, restored and reset, and a DAG runs on what was saved."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, AssetAlias, task

from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator
from airflow_airbyte_ext.operators.state import (
    SNAPSHOTS_ALIAS,
    AirbyteBackupStateOperator,
    AirbyteRestoreStateOperator,
)

PARAMS = {"connection_id": "", "store": ""}
COMMON = {"task_id": "task", "connection_id": "{{ params.connection_id }}", "airbyte_conn_id": "airbyte_e2e"}
STORE = "{{ params.store }}"
START = datetime(2026, 1, 1)

with DAG("backup", start_date=START, schedule=None, catchup=False, params=PARAMS) as backup:
    AirbyteBackupStateOperator(store=STORE, **COMMON)

with DAG("mapped_backup", start_date=START, schedule=None, catchup=False, params=PARAMS) as mapped_backup:

    @task
    def connections(params=None):
        return [params["connection_id"]]

    AirbyteBackupStateOperator.partial(
        task_id="task",
        map_index_template="{{ connection_name | default(task.connection_id) }}",
        store=STORE,
        airbyte_conn_id="airbyte_e2e",
    ).expand(connection_id=connections())

with DAG("restore", start_date=START, schedule=None, catchup=False, params=PARAMS) as restore:
    AirbyteRestoreStateOperator(store=STORE, **COMMON)

with DAG("reset", start_date=START, schedule=None, catchup=False, params=PARAMS) as reset:
    AirbyteResetConnectionOperator(backup_to=STORE, deferrable=True, poll_interval=0.5, **COMMON)

with DAG("on_snapshot", start_date=START, schedule=[AssetAlias(SNAPSHOTS_ALIAS)], catchup=False) as on_snapshot:

    @task(task_id="task")
    def announce(triggering_asset_events=None):
        return [event.extra for events in triggering_asset_events.values() for event in events]

    announce()
