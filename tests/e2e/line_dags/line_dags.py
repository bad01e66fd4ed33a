"""DAGs for the short run on every line of Airflow: one task each, made to be killed, marked and retried."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator

CONNECTION = {"connection_id": "{{ params.connection_id }}", "airbyte_conn_id": "airbyte_e2e"}
JOB = {**CONNECTION, "poll_interval": 0.5, "retries": 2, "retry_delay": timedelta(seconds=1)}


def one_task_dag(dag_id: str, operator: Any, **arguments: Any) -> DAG:
    params = {"connection_id": "", "store": ""}
    with DAG(dag_id, start_date=datetime(2026, 1, 1), schedule=None, catchup=False, params=params) as dag:
        operator(task_id="task", **arguments)
    return dag


waiting = one_task_dag("waiting", AirbyteSyncConnectionOperator, **JOB)
deferred = one_task_dag("deferred", AirbyteSyncConnectionOperator, deferrable=True, **JOB)
reset = one_task_dag("reset", AirbyteResetConnectionOperator, **JOB)
backup = one_task_dag("backup", AirbyteBackupStateOperator, store="{{ params.store }}", **CONNECTION)
