"""The reset operator: what it does about a job that runs, about streams, and about the state before."""

from __future__ import annotations

import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from rendering import rendered

from airflow_airbyte_ext.exceptions import AirbyteJobFailedError, AirbyteJobRunningError
from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import FakeAirbyte, Fault, Step

LONG = [Step("running", seconds=3600)]
STATE = {
    "stateType": "stream",
    "streamState": [{"streamDescriptor": {"name": "orders", "namespace": "public"}, "streamState": {"cursor": "7"}}],
}


def reset(connection_id, **arguments) -> AirbyteResetConnectionOperator:
    values = {"connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, **arguments}
    return rendered(AirbyteResetConnectionOperator, **values)


def kinds(airbyte: FakeAirbyte, connection_id: str) -> list[tuple[str, str]]:
    return [(job["kind"], job["status"]) for job in airbyte.jobs(connection_id)]


def test_a_reset_waits_for_its_job_and_reports_like_a_sync(airbyte, connection_id, context) -> None:
    airbyte.set_state(connection_id, {**STATE, "connectionId": connection_id})
    report = reset(connection_id).execute(context)
    assert (report["job_type"], report["status"]) == ("reset_connection", "succeeded")
    assert report["job_id"] == context["ti"].xcoms["job_id"]
    assert airbyte.state(connection_id)["stateType"] == "not_set"


@pytest.mark.parametrize("streams", [["public.orders"], ["orders"], [{"name": "orders", "namespace": "public"}]])
def test_a_reset_of_single_streams_sends_these_and_no_others(airbyte, context, streams) -> None:
    connection_id = airbyte.add_connection(name="Two", streams=[("public", "orders"), ("public", "users")])
    reset(connection_id, streams=streams).execute(context)
    [request] = airbyte.calls("clearConnectionStream")
    assert request.body["streams"] == [{"streamName": "orders", "streamNamespace": "public"}]


@pytest.mark.parametrize(
    ("streams", "words"), [([], "streams is []"), (["nosuch"], "no stream 'nosuch'. There are: public.orders")]
)
def test_an_empty_list_or_an_unknown_stream_resets_nothing(airbyte, connection_id, context, streams, words) -> None:
    """An empty list means every stream to some releases."""
    with pytest.raises(AirflowFailException) as caught:
        reset(connection_id, streams=streams).execute(context)
    assert words in str(caught.value)
    assert airbyte.jobs(connection_id) == []


@pytest.mark.parametrize(("era", "operation"), [("0.50", "resetConnection"), ("1.0", "clearConnection")])
def test_the_operation_is_the_one_that_the_release_has(monkeypatch, context, era, operation) -> None:
    with FakeAirbyte(era=era) as airbyte:
        monkeypatch.setenv(
            "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", f'{{"conn_type": "airbyteconfig", "host": "{airbyte.url}"}}'
        )
        connection_id = airbyte.add_connection(name="Orders", streams=["orders"])
        assert reset(connection_id).execute(context)["status"] == "succeeded"
        assert len(airbyte.calls(operation)) == 1


def test_a_running_sync_is_waited_for_and_not_cancelled(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=3), Step("succeeded")])
    airbyte.start_job(connection_id)
    reset(connection_id).execute(context)
    assert kinds(airbyte, connection_id) == [("sync", "succeeded"), ("reset_connection", "succeeded")]


def test_a_running_sync_is_an_error_where_that_is_asked_for(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match="Nothing was changed"):
        reset(connection_id, if_running="fail").execute(context)
    assert kinds(airbyte, connection_id) == [("sync", "running")]


def test_a_running_sync_is_cancelled_where_that_is_asked_for(airbyte, connection_id, context, long_waits) -> None:
    """Its pod may write state for a minute; the reset comes after that."""
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    reset(connection_id, if_running="cancel").execute(context)
    assert kinds(airbyte, connection_id) == [("sync", "cancelled"), ("reset_connection", "succeeded")]
    assert max(long_waits) > 80


def test_the_state_before_is_kept_first(airbyte, connection_id, context, tmp_path) -> None:
    airbyte.set_state(connection_id, {**STATE, "connectionId": connection_id})
    reset(connection_id, backup_to=str(tmp_path)).execute(context)
    store = SnapshotStore(tmp_path)
    [ref] = store.snapshots(connection_id)
    assert store.read(ref).content.streams == {("public", "orders"): {"cursor": "7"}}


def test_without_a_place_for_the_snapshot_nothing_is_reset(airbyte, connection_id, context, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be written"):
        reset(connection_id, backup_to=str(tmp_path / "file")).execute(context)
    assert airbyte.jobs(connection_id) == []


def test_a_lost_answer_makes_no_second_reset(airbyte, connection_id, context) -> None:
    airbyte.fail_next("clearConnection", Fault.drop_after())
    report = reset(connection_id).execute(context)
    assert report["attached"] is False
    assert kinds(airbyte, connection_id) == [("reset_connection", "succeeded")]


def test_a_retry_resumes_the_reset_without_a_second_snapshot(airbyte, connection_id, context, tmp_path) -> None:
    """A retry goes on with the reset of the first try and takes no second snapshot."""
    reset(connection_id, backup_to=str(tmp_path), wait_for_completion=False).execute(context)
    reset(connection_id, backup_to=str(tmp_path)).execute(context)
    assert len(airbyte.jobs(connection_id)) == 1
    assert len(SnapshotStore(tmp_path).snapshots(connection_id)) == 1


def test_a_reset_defers_like_a_sync(airbyte, connection_id, context) -> None:
    with pytest.raises(TaskDeferred) as deferral:
        reset(connection_id, deferrable=True).execute(context)
    assert deferral.value.trigger.cancel_on_kill is True


def test_a_sync_waits_for_a_running_reset_and_never_takes_it_for_its_own(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, [Step("running", polls=3), Step("succeeded")])
    airbyte.start_job(connection_id, kind="reset_connection")
    task = AirbyteSyncConnectionOperator(task_id="t", connection_id=connection_id, poll_interval=0.01, deferrable=False)
    report = task.execute(context)
    assert (report["job_type"], report["attached"]) == ("sync", False)
    assert kinds(airbyte, connection_id) == [("reset_connection", "succeeded"), ("sync", "succeeded")]


def test_a_sync_waits_and_runs_its_own_job(airbyte, connection_id, context) -> None:
    """A sync runs its own job after a running one where that is requested."""
    airbyte.script(connection_id, [Step("running", polls=3), Step("succeeded")])
    foreign = airbyte.start_job(connection_id)
    task = AirbyteSyncConnectionOperator(
        task_id="t", connection_id=connection_id, poll_interval=0.01, deferrable=False, if_running="wait"
    )
    report = task.execute(context)
    assert (report["job_id"], report["attached"]) == (foreign + 1, False)


def test_a_kill_while_another_job_is_waited_for_starts_nothing(airbyte, connection_id, context) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    task = reset(connection_id, poll_interval=3600)
    killer = threading.Timer(0.3, task.on_kill)
    killer.start()
    with pytest.raises(Exception, match="killed"):
        task.execute(context)
    killer.join()
    assert kinds(airbyte, connection_id) == [("sync", "running")]


class StartsOnWrite(SnapshotStore):
    """A store in which a sync starts while it writes."""

    airbyte: FakeAirbyte

    def write(self, snapshot, *, safety=False):
        self.airbyte.start_job(snapshot.origin.connection_id)
        return super().write(snapshot, safety=safety)


def test_a_sync_that_starts_while_the_state_is_kept_is_not_cancelled(
    airbyte, connection_id, context, tmp_path, monkeypatch
) -> None:
    """Writing to a store takes seconds; what starts meanwhile would be cancelled silently."""
    airbyte.script(connection_id, LONG)
    store = StartsOnWrite(tmp_path)
    store.airbyte = airbyte
    monkeypatch.setattr("airflow_airbyte_ext.operators.airbyte.open_store", lambda *_args, **_kwargs: store)
    with pytest.raises(AirbyteJobRunningError):
        reset(connection_id, backup_to=str(tmp_path)).execute(context)
    assert kinds(airbyte, connection_id) == [("sync", "running")]


def test_a_retry_of_a_reset_that_failed_midway_keeps_no_second_snapshot(
    airbyte, connection_id, context, tmp_path, long_waits
) -> None:
    """Else "latest" would be what the failed reset has left."""
    airbyte.set_state(connection_id, {**STATE, "connectionId": connection_id})
    airbyte.script(connection_id, [Step("running"), Step("failed")])
    with pytest.raises(AirbyteJobFailedError):
        reset(connection_id, backup_to=str(tmp_path)).execute(context)
    reset(connection_id, backup_to=str(tmp_path)).execute(context)
    store = SnapshotStore(tmp_path)
    [ref] = store.snapshots(connection_id)
    assert store.read(ref).content.streams == {("public", "orders"): {"cursor": "7"}}
