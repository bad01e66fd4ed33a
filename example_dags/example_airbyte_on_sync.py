"""
Run whenever a sync of a connection has ended well, no matter who started it: Airbyte's schedule, a person, another DAG.

Airbyte keeps its schedule, and Airflow follows: each sync that ends makes an event of the asset, and each event a run.
A run that is started by hand has no event, and says so.

Needs Airflow 3 with a triggerer, and an Airflow Connection `airbyte_config_default`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

# [START on_sync]
orders = Asset(
    "airbyte_orders",
    watchers=[
        AssetWatcher(
            name="syncs",
            trigger=AirbyteSyncEventTrigger(connection_id="11111111-1111-4111-8111-111111111111", poll_interval=30),
        )
    ],
)
# [END on_sync]

with DAG(
    dag_id="example_airbyte_on_sync",
    start_date=datetime(2026, 1, 1),
    schedule=[orders],
    catchup=False,
    tags=["example", "airbyte"],
    doc_md=__doc__,
) as dag:
    # [START on_sync_task]
    @task
    def transform(triggering_asset_events: Any) -> None:
        """Whatever is to happen with the new records."""
        payloads = [event.extra["payload"] for event in triggering_asset_events.get(orders, [])]
        for payload in payloads:
            print(f"Job {payload['job_id']} of {payload['connection_id']} moved {payload['records']} records.")
        if not payloads:
            print("Started by hand: no sync has ended.")

    transform()
    # [END on_sync_task]
