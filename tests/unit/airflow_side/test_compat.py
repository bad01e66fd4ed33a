"""The official provider's names and arguments: what its documentation shows runs with another import line."""

from __future__ import annotations

import inspect
import json
from datetime import datetime

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowFailException, TaskDeferred

from airflow_airbyte_ext.compat import AirbyteHook, AirbyteJobSensor, AirbyteTriggerSyncOperator
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteJobFailedError
from airflow_airbyte_ext.testing import Step
from airflow_airbyte_ext.testing.demo import ORDERS_ID

LONG = [Step("running", seconds=3600)]
# Of releases 3.0 to 6.2 of the official provider.
OPERATOR = {
    "connection_id",
    "airbyte_conn_id",
    "asynchronous",
    "deferrable",
    "api_version",
    "api_type",
    "wait_seconds",
    "timeout",
}
SENSOR = {"airbyte_job_id", "airbyte_conn_id", "deferrable", "api_version", "api_type"}
HOOK = {
    "submit_sync_connection",
    "submit_reset_connection",
    "get_job_details",
    "get_job_status",
    "wait_for_job",
    "cancel_job",
    "test_connection",
}
STATUSES = {"RUNNING", "SUCCEEDED", "CANCELLED", "PENDING", "FAILED", "ERROR", "INCOMPLETE"}


@pytest.fixture
def connection_of_type(airbyte, monkeypatch):
    """Make the Airflow Connection `airbyte_default` one of the official type, with this host."""

    def make(host: str | None = None, **fields) -> None:
        values = {"conn_type": "airbyte", "host": host or airbyte.url, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", json.dumps(values))

    make()
    return make


def sync(connection_id, **arguments) -> AirbyteTriggerSyncOperator:
    values = {"task_id": "sync", "connection_id": connection_id, "wait_seconds": 0.01, "deferrable": False}
    return AirbyteTriggerSyncOperator(**{**values, **arguments})


def statuses(airbyte) -> list[str]:
    return [job["status"] for job in airbyte.jobs()]


def test_the_official_arguments_and_methods_are_there():
    assert set(inspect.signature(AirbyteTriggerSyncOperator).parameters) == {*OPERATOR, "kwargs"}
    assert set(inspect.signature(AirbyteJobSensor).parameters) == {*SENSOR, "kwargs"}
    assert set(inspect.signature(AirbyteHook).parameters) == {
        "airbyte_conn_id",
        "api_version",
        "timeout",
        "api_type",
    }
    assert set(dir(AirbyteHook)) >= HOOK | STATUSES
    for kind in (AirbyteTriggerSyncOperator, AirbyteJobSensor, AirbyteHook):
        assert inspect.signature(kind).parameters["airbyte_conn_id"].default == "airbyte_default"
    assert {"connection_id", "airbyte_conn_id"} <= set(AirbyteTriggerSyncOperator.template_fields)
    assert {"airbyte_job_id", "airbyte_conn_id"} <= set(AirbyteJobSensor.template_fields)


def test_a_sync_returns_the_id_of_its_job(airbyte, connection_id, connection_of_type, context) -> None:
    assert sync(connection_id).execute(context) == 1
    assert statuses(airbyte) == ["succeeded"]


def test_an_asynchronous_sync_is_waited_for_by_the_sensor(airbyte, connection_id, connection_of_type, context) -> None:
    """As the official example does, with the id that the operator returned."""
    job_id = sync(connection_id, asynchronous=True).execute(context)
    airbyte.advance(job_id, "succeeded")
    sensor = AirbyteJobSensor(task_id="wait", airbyte_job_id=job_id, deferrable=False)
    assert sensor.poke(context).is_done


def test_a_deferred_sync_returns_the_id_of_its_job(airbyte, connection_id, connection_of_type, context) -> None:
    airbyte.script(connection_id, LONG)
    task = sync(connection_id, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    airbyte.advance(1, "succeeded")
    event = {"job_id": 1, "status": "succeeded"}
    assert task.execute_complete(context, event, **deferred.value.kwargs) == 1


def test_a_sync_that_is_deferred_behind_a_reset_returns_its_job(
    airbyte, connection_id, connection_of_type, context
) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id, kind="reset_connection")
    task = sync(connection_id, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    airbyte.advance(1, "succeeded")
    task = sync(connection_id)
    event = {"job_id": 1, "status": "succeeded"}
    assert task.execute_after_another(context, event, **deferred.value.kwargs) == 2


def test_a_time_out_cancels_the_job(airbyte, connection_id, connection_of_type, context) -> None:
    airbyte.script(connection_id, LONG)
    with pytest.raises(Exception, match="Timed out waiting for job 1"):
        sync(connection_id, timeout=0.2).execute(context)
    assert statuses(airbyte) == ["cancelled"]


def test_a_job_that_fails_fails_the_task(airbyte, connection_id, connection_of_type, context) -> None:
    airbyte.script(connection_id, [Step("failed")])
    with pytest.raises(AirbyteJobFailedError):
        sync(connection_id).execute(context)
    sensor = AirbyteJobSensor(task_id="wait", airbyte_job_id=1, deferrable=False)
    with pytest.raises(AirflowFailException):
        sensor.poke(context)


@pytest.mark.parametrize(
    "make",
    [
        lambda value: sync(ORDERS_ID, api_version=value),
        lambda value: AirbyteJobSensor(task_id="wait", airbyte_job_id=1, api_version=value),
        lambda value: AirbyteHook("x", value),
    ],
)
def test_another_api_version_is_refused(make) -> None:
    assert make("v1").api_version == "v1"
    with pytest.raises(AirbyteConfigurationError, match="api_version is 'v2'; give one of 'v1'"):
        make("v2")


@pytest.mark.parametrize(
    "make",
    [
        lambda value: sync(ORDERS_ID, api_type=value),
        lambda value: AirbyteJobSensor(task_id="wait", airbyte_job_id=1, api_type=value),
        lambda value: AirbyteHook("x", api_type=value),
    ],
)
def test_the_config_api_is_the_only_api_type(make) -> None:
    """An argument of 3.8 and 3.9, whose default was "config"."""
    assert make("config").api_type == "config"
    with pytest.raises(AirbyteConfigurationError, match="api_type is 'cloud'; give one of 'config'"):
        make("cloud")


def test_a_deferred_sensor_has_the_official_defaults() -> None:
    sensor = AirbyteJobSensor(task_id="wait", airbyte_job_id=1, deferrable=True)
    assert (sensor.poke_interval, sensor.timeout) == (5, 7 * 24 * 3600)
    given = AirbyteJobSensor(task_id="wait2", airbyte_job_id=1, deferrable=True, poke_interval=9, timeout=10)
    assert (given.poke_interval, given.timeout) == (9, 10)


@pytest.mark.parametrize("suffix", ["", "/api", "/api/v1", "/api/public/v1", "/api/public/v1/"])
def test_a_connection_of_the_official_type_works_in_each_form(
    airbyte, connection_id, connection_of_type, context, suffix
) -> None:
    """Its host is the Config API's of releases 3, or the public API's of later ones."""
    connection_of_type(airbyte.url + suffix)
    assert sync(connection_id).execute(context) == 1


def test_host_and_port_apart_work_as_before_release_4(airbyte, connection_id, connection_of_type, context) -> None:
    scheme, _, rest = airbyte.url.partition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    connection_of_type(f"{scheme}://{host}", port=int(port))
    assert sync(connection_id).execute(context) == 1


def test_the_hook_starts_reads_waits_and_cancels(airbyte, connection_id, connection_of_type) -> None:
    hook = AirbyteHook(airbyte_conn_id="airbyte_default", timeout=10)
    assert hook.settings.timeout == 10
    job = hook.submit_sync_connection(connection_id)
    hook.wait_for_job(job.job_id, wait_seconds=0.01)
    assert hook.get_job_details(job.job_id) == (1, "succeeded", "sync", connection_id)
    airbyte.script(connection_id, LONG)
    job = hook.submit_reset_connection(connection_id)
    assert (hook.get_job_status(job.job_id), job.job_type) == ("running", "reset_connection")
    with pytest.raises(AirflowException, match="runs on connection"):
        hook.submit_sync_connection(connection_id)
    assert hook.cancel_job(job.job_id).status == "cancelled"
    with pytest.raises(AirflowException, match="was cancelled"):
        hook.wait_for_job(job.job_id, wait_seconds=0.01)
    with pytest.raises(AirflowException):
        hook.get_job_details(4711)
    assert hook.test_connection()[0]


def test_the_hook_cancels_a_job_that_takes_too_long(airbyte, connection_id, connection_of_type) -> None:
    airbyte.script(connection_id, LONG)
    hook = AirbyteHook()
    job = hook.submit_sync_connection(connection_id)
    with pytest.raises(AirflowException, match="Timed out"):
        hook.wait_for_job(job.job_id, wait_seconds=0.01, timeout=0.1)
    assert statuses(airbyte) == ["cancelled"]


def test_a_mapped_sync_takes_the_official_arguments() -> None:
    with DAG("mapped", start_date=datetime(2026, 1, 1), schedule=None) as dag:
        AirbyteTriggerSyncOperator.partial(task_id="sync", asynchronous=True, timeout=60).expand(connection_id=["x"])
    assert dag.task_ids == ["sync"]
