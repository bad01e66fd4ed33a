from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_airflow import RealAirflow

from airflow_airbyte_ext.testing import FakeAirbyte

if TYPE_CHECKING:
    from collections.abc import Iterator

CONN_ID = "airbyte_e2e"


@pytest.fixture(scope="session")
def airbyte() -> Iterator[FakeAirbyte]:
    """One fake Airbyte for all tests in the real Airflow; each test has a connection of its own."""
    with FakeAirbyte(auth="client_credentials") as airbyte:
        yield airbyte


@pytest.fixture(scope="session")
def airflow(airbyte: FakeAirbyte, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """One real Airflow; its Airflow Connection lies in the database, as a user's does."""
    with RealAirflow(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags") as airflow:
        airflow.add_connection(
            CONN_ID,
            conn_type="airbyteconfig",
            host=airbyte.url,
            login=airbyte.client_id,
            password=airbyte.client_secret,
        )
        yield airflow
