"""An Airflow Connection of something else in the place of Airbyte's: a slip that must send nothing."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteJobSensor

UUID = "11111111-1111-4111-8111-111111111111"
SECRET = "hunter2-hunter2"


@pytest.fixture(params=["postgres", "mysql", "generic"])
def pg(stub, request, monkeypatch):
    """A Connection of something else, whose host notes every request."""
    host, port = stub.server_address
    monkeypatch.setenv("AIRFLOW_CONN_PG", f"{request.param}://u:{SECRET}@{host}:{port}/db")
    return "pg"


@pytest.mark.parametrize(
    "make",
    [
        lambda conn: AirbyteSyncConnectionOperator(task_id="t", connection_id=UUID, airbyte_conn_id=conn),
        lambda conn: AirbyteSyncConnectionOperator(
            task_id="t", connection_id=UUID, airbyte_conn_id=conn, deferrable=True
        ),
        lambda conn: AirbyteBackupStateOperator(task_id="t", connection_id=UUID, store="/tmp/x", airbyte_conn_id=conn),
        lambda conn: AirbyteJobSensor(task_id="t", airbyte_job_id=1, airbyte_conn_id=conn),
    ],
    ids=["sync", "deferrable", "backup", "sensor"],
)
def test_nothing_is_sent_to_a_connection_of_something_else(stub, pg, context, make):
    with pytest.raises((AirflowFailException, AirbyteConfigurationError), match="nothing was sent to it") as caught:
        make(pg).execute(context)
    assert SECRET not in str(caught.value)
    assert stub.requests == []


def test_the_test_button_sends_nothing_either(stub, pg):
    ok, words = AirbyteConfigHook(pg).test_connection()
    assert not ok
    assert "nothing was sent to it" in words
    assert stub.requests == []


@pytest.mark.parametrize(
    "slip",
    [
        f"airbyteconfig://u:{SECRET}@airbyte.example.com",
        f'{{"conn_type": "airbyteconfig", "password": "{SECRET}"}}',
        f"u:{SECRET}@airbyte.example.com",
    ],
)
def test_a_connection_in_the_place_of_its_id_is_not_repeated(context, slip):
    """Airflow's own message would repeat it, as an id that it does not have."""
    with pytest.raises(AirflowFailException, match=r"rendered templates: change its password") as caught:
        AirbyteBackupStateOperator(task_id="t", connection_id=UUID, store="/tmp/x", airbyte_conn_id=slip).execute(
            context
        )
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
