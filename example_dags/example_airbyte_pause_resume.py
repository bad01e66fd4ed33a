"""
Pause an Airbyte connection while something is done to its source or destination, and resume it afterwards.

The connection is resumed also when the work in between has failed; remove the `trigger_rule` where it should not be.

Needs an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_airbyte_ext.operators.connections import AirbyteUpdateConnectionOperator

CONNECTION = {"connection_name": "{{ params.connection_name }}", "workspace_id": "{{ params.workspace_id }}"}

with DAG(
    dag_id="example_airbyte_pause_resume",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "airbyte", "changes-data"],
    params={"connection_name": "Events → Lake", "workspace_id": "00000000-0000-4000-8000-0000000000a1"},
    doc_md=__doc__,
) as dag:
    # [START pause_resume]
    pause = AirbyteUpdateConnectionOperator(task_id="pause", status="inactive", **CONNECTION)

    @task
    def maintain() -> None:
        """Whatever the connection should not run into."""

    resume = AirbyteUpdateConnectionOperator(task_id="resume", status="active", trigger_rule="all_done", **CONNECTION)

    @task
    def done() -> None:
        """Fails with either of them: after `resume` alone, a run whose `maintain` has failed would be a success."""

    maintained = maintain()
    pause >> maintained >> resume
    [maintained, resume] >> done()
    # [END pause_resume]
