"""DAGs for the tests of one job and no orphan: a sync, a reset and a refresh, in the worker and in the triggerer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)

KINDS: dict[str, type] = {
    "sync": AirbyteSyncConnectionOperator,
    "reset": AirbyteResetConnectionOperator,
    "refresh": AirbyteRefreshConnectionOperator,
}
RETRY = {"retries": 4, "retry_delay": timedelta(seconds=1)}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": RETRY,
    # An API server that is away uses tries up: each begins, and cannot say so.
    "persistent": {"retries": 15, "retry_delay": timedelta(seconds=5)},
    "execution_timeout": {"execution_timeout": timedelta(seconds=8)},
    "wait_timeout": {"wait_timeout": 4},
    "timeout_spares": {"wait_timeout": 4, "cancel_on_timeout": False},
    "kill_spares": {**RETRY, "cancel_on_kill": False},
}


def one_task_dag(kind: str, mode: str, variant: str) -> DAG:
    default = "attach" if kind == "sync" else "wait"
    with DAG(
        f"one_job_{kind}_{mode}_{variant}",
        start_date=datetime(2026, 1, 1),
        schedule=None,
        catchup=False,
        params={"connection_id": "", "if_running": default},
        max_active_runs=50,
        max_active_tasks=50,
    ) as dag:
        KINDS[kind](
            task_id="task",
            connection_id="{{ params.connection_id }}",
            airbyte_conn_id="airbyte_e2e",
            poll_interval=0.5,
            if_running="{{ params.if_running }}",
            deferrable=mode == "deferred",
            **VARIANTS[variant],
        )
    return dag


for kind in KINDS:
    for mode in ("worker", "deferred"):
        for variant in VARIANTS:
            dag = one_task_dag(kind, mode, variant)
            globals()[dag.dag_id] = dag
