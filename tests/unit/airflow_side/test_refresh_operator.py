"""The refresh operator, and connections that are given by name."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from rendering import rendered

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator, AirbyteRestoreStateOperator
from airflow_airbyte_ext.testing import Step


def refresh(connection_id, **arguments) -> AirbyteRefreshConnectionOperator:
    values = {"connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, **arguments}
    return rendered(AirbyteRefreshConnectionOperator, **values)


@pytest.mark.parametrize(("mode", "sent"), [("merge", "Merge"), ("truncate", "Truncate")])
def test_a_refresh_waits_for_its_job_and_reports_like_a_sync(airbyte, connection_id, context, mode, sent) -> None:
    report = refresh(connection_id, mode=mode).execute(context)
    assert (report["job_type"], report["status"], report["attached"]) == ("refresh", "succeeded", False)
    [request] = airbyte.calls("refreshConnectionStream")
    assert request.body == {"connectionId": connection_id, "refreshMode": sent}


def test_a_refresh_of_single_streams_sends_these_and_no_others(airbyte, context) -> None:
    connection_id = airbyte.add_connection(name="Two", streams=[("public", "orders"), ("public", "users")])
    refresh(connection_id, streams=["users"]).execute(context)
    [request] = airbyte.calls("refreshConnectionStream")
    assert request.body["streams"] == [{"streamName": "users", "streamNamespace": "public"}]


def test_a_refresh_waits_for_a_job_that_runs(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=2), Step("succeeded")])
    before = airbyte.start_job(connection_id)
    report = refresh(connection_id).execute(context)
    assert report["job_id"] > before
    assert [job["status"] for job in airbyte.jobs(connection_id)] == ["succeeded", "succeeded"]


def test_a_destination_that_cannot_refresh_fails_for_good(airbyte, context) -> None:
    old = airbyte.add_destination("Old", supports_refreshes=False)
    connection_id = airbyte.add_connection(name="Old", destination=old)
    with pytest.raises(AirflowFailException, match="does not support refreshes"):
        refresh(connection_id).execute(context)


def test_a_mode_that_airbyte_does_not_have_is_named(airbyte, connection_id, context) -> None:
    with pytest.raises(AirflowFailException, match="mode is 'Replace'; give one of 'merge', 'truncate'"):
        refresh(connection_id, mode="Replace").execute(context)
    assert airbyte.journal == []


@pytest.mark.parametrize(
    "operator", [AirbyteSyncConnectionOperator, AirbyteResetConnectionOperator, AirbyteRefreshConnectionOperator]
)
def test_a_job_runs_on_the_connection_of_that_name(airbyte, context, operator) -> None:
    airbyte.add_connection(name="Others")
    connection_id = airbyte.add_connection(name="Orders of the day")
    task = operator(
        task_id="t",
        connection_name="Orders of the day",
        workspace_id=airbyte.workspace_id,
        poll_interval=0.01,
        deferrable=False,
    )
    report = task.execute(context)
    assert report["connection_id"] == connection_id
    assert len(airbyte.jobs(connection_id)) == len(airbyte.jobs()) == 1


def test_a_deferred_task_keeps_the_id_that_the_name_had_when_it_began(airbyte, context) -> None:
    """A connection may be renamed while its job runs."""
    connection_id = airbyte.add_connection(name="Orders")
    task = AirbyteSyncConnectionOperator(
        task_id="t", connection_name="Orders", workspace_id=airbyte.workspace_id, deferrable=True
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    assert deferred.value.trigger.connection_id == connection_id
    [job] = airbyte.jobs(connection_id)
    airbyte.advance(job["id"], "succeeded")
    again = AirbyteSyncConnectionOperator(
        task_id="t", connection_name="Gone", workspace_id=airbyte.workspace_id, deferrable=True
    )
    event = {"job_id": job["id"], "status": "succeeded"}
    assert again.execute_complete(context, event, **deferred.value.kwargs)["connection_id"] == connection_id


def test_state_is_saved_and_restored_by_name(airbyte, context, tmp_path) -> None:
    connection_id = airbyte.add_connection(name="Orders")
    named = {"task_id": "t", "connection_name": "Orders", "workspace_id": airbyte.workspace_id, "store": str(tmp_path)}
    assert AirbyteBackupStateOperator(**named, outlets=[]).execute(context)["connection_id"] == connection_id
    assert AirbyteRestoreStateOperator(**named).execute(context)["connection_id"] == connection_id


@pytest.mark.parametrize(
    "arguments",
    [{}, {"connection_name": "a"}, {"workspace_id": "w"}, {"connection_id": "c", "connection_name": "a"}],
    ids=str,
)
def test_a_connection_is_named_in_one_way_or_the_dag_does_not_parse(arguments) -> None:
    with pytest.raises(AirbyteConfigurationError, match="Give connection_id, or connection_name and workspace_id"):
        AirbyteSyncConnectionOperator(task_id="t", **arguments)


def test_a_name_that_is_nobodys_starts_nothing_and_fails_for_good(airbyte, context) -> None:
    airbyte.add_connection(name="Orders")
    task = AirbyteSyncConnectionOperator(task_id="t", connection_name="Order", workspace_id=airbyte.workspace_id)
    with pytest.raises(AirflowFailException, match="Orders"):
        task.execute(context)
    assert airbyte.jobs() == []
