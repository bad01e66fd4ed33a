"""Worlds to begin with: the demo's connections, with ids that stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_airbyte_ext.testing.eras import era_named
from airflow_airbyte_ext.testing.jobs import Failure, Step
from airflow_airbyte_ext.testing.world import WORKSPACE_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.testing.fake import FakeAirbyte

DEMO_WORKSPACE_ID = WORKSPACE_ID
ORDERS_ID = "11111111-1111-4111-8111-111111111111"
EVENTS_ID = "22222222-2222-4222-8222-222222222222"
BROKEN_API_ID = "33333333-3333-4333-8333-333333333333"
PAUSED_ID = "44444444-4444-4444-8444-444444444444"
ORDERS_RECREATED_ID = "55555555-5555-4555-8555-555555555555"

DEMO_CONNECTIONS = {
    "Orders → Warehouse": ORDERS_ID,
    "Events → Lake": EVENTS_ID,
    "Broken API → Warehouse": BROKEN_API_ID,
    "Paused": PAUSED_ID,
    "Orders → Warehouse (recreated)": ORDERS_RECREATED_ID,
}

REJECTED_KEY = Failure(
    origin="source",
    type="config_error",
    message="The API key was rejected: renew it in the source's settings.",
    internal="401 Unauthorized for GET /v2/users",
    retryable=False,
)
LAKE_BUSY = Failure(
    origin="destination",
    type="transient_error",
    message="The lake did not respond in time.",
    internal="java.net.SocketTimeoutException: Read timed out",
    retryable=True,
    partial_success=True,
)


def plant_demo(airbyte: FakeAirbyte, seconds_per_step: float = 1.0) -> None:
    """Add the demo's connections; a sync of "Orders → Warehouse" takes six steps of N seconds."""
    orders, events, broken, paused, again = DEMO_CONNECTIONS.items()
    orders_script, operations = _orders_script(seconds_per_step), _operations(airbyte)
    _add(airbyte, orders, ["orders", "customers"], orders_script, tags=["daily", "finance"], operations=operations[:1])
    _add(airbyte, events, ["clicks", "page_views"], _events_script(seconds_per_step), tags=["daily", "web"])
    _add(airbyte, broken, ["users"], _broken_script(seconds_per_step))
    _add(airbyte, paused, ["invoices"], orders_script, "inactive", tags=["finance"])
    _add(airbyte, again, ["orders", "clients"], orders_script, operations=operations)
    if era_named(airbyte.era).has("typed_state"):
        rows = [("orders", "2041"), ("customers", "318")]
        airbyte.set_state(
            ORDERS_ID,
            {
                "stateType": "stream",
                "streamState": [
                    {
                        "streamDescriptor": {"name": name, "namespace": "public"},
                        "streamState": {"cursor": cursor},
                    }
                    for name, cursor in rows
                ],
            },
        )


def _add(
    airbyte: FakeAirbyte,
    who: tuple[str, str],
    streams: list[str],
    script: list[Step],
    status: str = "active",
    tags: Sequence[str] = (),
    operations: Sequence[str] = (),
) -> None:
    name, connection_id = who
    named = [("public", stream) for stream in streams]
    settings = {"operationIds": list(operations)}
    airbyte.add_connection(name, named, status, connection_id, tags=tags, settings=settings)
    airbyte.script(connection_id, script, repeat=True)


def _operations(airbyte: FakeAirbyte) -> list[str]:
    """What follows a sync in old releases: normalization, and a dbt project of one's own."""
    if not era_named(airbyte.era).declares("OperatorConfiguration.dbt"):
        return []
    dbt = {"gitRepoUrl": "https://git.example.com/models.git", "dockerImage": "fishtownanalytics/dbt:1.0.0"}
    return [
        airbyte.add_operation("Normalization", {"operatorType": "normalization", "normalization": {"option": "basic"}}),
        airbyte.add_operation("Models", {"operatorType": "dbt", "dbt": {**dbt, "dbtArguments": "run"}}),
    ]


def _orders_script(seconds: float) -> list[Step]:
    growing = [Step("running", seconds=seconds, records=n * 250, bytes=n * 64_000) for n in range(5)]
    return [Step("pending", seconds=seconds), *growing, Step("succeeded", records=1250, bytes=320_000)]


def _events_script(seconds: float) -> list[Step]:
    return [
        Step("pending", seconds=seconds),
        Step("running", seconds=seconds, records=400, bytes=80_000),
        Step("incomplete", seconds=seconds, failure=LAKE_BUSY),
        Step("running", seconds=seconds, records=700, bytes=140_000),
        Step("succeeded", records=900, bytes=180_000),
    ]


def _broken_script(seconds: float) -> list[Step]:
    return [
        Step("pending", seconds=seconds),
        Step("running", seconds=seconds),
        Step("failed", failure=REJECTED_KEY),
    ]
