"""What a task does where Airflow keeps no record of its tries, and where a kill is an error of Airflow's own."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_airbyte_ext.hooks import task as hooks_task
from airflow_airbyte_ext.hooks.task import EarlierTries, earlier_tries, task_state
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)
from airflow_airbyte_ext.testing import Fault, Step

LONG = [Step("running", seconds=3600)]
OPERATORS = {
    "sync": AirbyteSyncConnectionOperator,
    "reset_connection": AirbyteResetConnectionOperator,
    "refresh": AirbyteRefreshConnectionOperator,
}


class TerminatedError(BaseException):
    """What Airflow 2's handler of SIGTERM raises, after it has called `on_kill`."""


def task_of(kind, connection_id, **arguments):
    values = {"task_id": "t", "connection_id": connection_id, "poll_interval": 0.01, "deferrable": False, "retries": 2}
    return OPERATORS[kind](**{**values, **arguments})


@pytest.fixture
def says(mocker):
    """Set what Airflow says of the task when it is killed."""
    state = mocker.patch("airflow_airbyte_ext.operators.interrupt.task_state", return_value="failed")
    return lambda value: setattr(state, "return_value", value)


@pytest.fixture
def context(context):
    """A context without a store: of a first try, in a DAG run that began a minute ago."""
    del context["task_state_store"]
    began = datetime.now(UTC) - timedelta(seconds=60)
    return {**context, "dag_run": SimpleNamespace(start_date=began)}


@pytest.fixture
def retry(context, monkeypatch):
    """A context of a second try, in an Airflow whose database no task reads."""
    monkeypatch.setattr(hooks_task, "HAS_TASK_SDK", True)
    context["ti"].try_number = 2
    return context


def terminate(task, context, *, after: float) -> None:
    """Run the task, and let Airflow 2 terminate it."""

    def handler(*_arguments) -> None:
        task.on_kill()
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, handler)
    timer = threading.Timer(after, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM))
    timer.start()
    try:
        with pytest.raises(TerminatedError):
            task.execute(context)
    finally:
        timer.join()
        signal.signal(signal.SIGTERM, before)


def statuses(airbyte, connection_id) -> list[str]:
    return [job["status"] for job in airbyte.jobs(connection_id)]


@pytest.mark.parametrize(
    ("state", "status"), [("failed", "cancelled"), ("restarting", "cancelled"), ("running", "running")]
)
def test_a_terminated_task_ends_its_job_where_somebody_wanted_that(
    airbyte, connection_id, context, says, state, status
) -> None:
    """And Airflow's own error goes on as it is: after another one Airflow 2 would retry what a user has failed."""
    says(state)
    airbyte.script(connection_id, LONG)
    terminate(task_of("sync", connection_id), context, after=1.0)
    assert statuses(airbyte, connection_id) == [status]


def test_a_task_that_is_terminated_while_it_submits_ends_its_job(airbyte, connection_id, context, says) -> None:
    """The response that names the job has not come yet."""
    airbyte.script(connection_id, LONG)
    airbyte.fail_next("syncConnection", Fault.delay(2))
    terminate(task_of("sync", connection_id), context, after=1.0)
    assert statuses(airbyte, connection_id) == ["cancelled"]


def test_a_resumed_task_that_is_terminated_goes_on_with_that_error(airbyte, connection_id, context, says) -> None:
    job_id = airbyte.start_job(connection_id)
    airbyte.advance(job_id, "succeeded")
    airbyte.fail_next("getJobInfoWithoutLogs", Fault.status(503), times=1000)
    task = task_of("sync", connection_id)
    event = {"job_id": job_id, "status": "succeeded"}
    resumed = SimpleNamespace(execute=lambda context: task.execute_complete(context, event), on_kill=task.on_kill)
    terminate(resumed, context, after=1.0)
    assert statuses(airbyte, connection_id) == ["succeeded"]


@pytest.mark.parametrize("kind", OPERATORS)
def test_a_retry_goes_on_with_the_job_of_the_first_try(airbyte, connection_id, retry, says, caplog, kind) -> None:
    """The worker was lost: the job is not submitted twice, is the task's own, and is cancelled with it."""
    caplog.set_level("INFO")
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id, kind=kind)
    terminate(task_of(kind, connection_id), retry, after=1.0)
    assert statuses(airbyte, connection_id) == ["cancelled"]
    assert "was created after this DAG run began: going on with it as with our own" in caplog.text


def test_a_first_try_takes_no_job_for_its_own(airbyte, connection_id, context, says) -> None:
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    terminate(task_of("sync", connection_id), context, after=1.0)
    assert statuses(airbyte, connection_id) == ["running"]


def test_a_job_from_before_the_dag_run_is_somebody_elses(airbyte, connection_id, retry, says) -> None:
    retry["dag_run"].start_date = datetime.now(UTC) + timedelta(seconds=60)
    airbyte.script(connection_id, LONG)
    airbyte.start_job(connection_id)
    terminate(task_of("sync", connection_id), retry, after=1.0)
    assert statuses(airbyte, connection_id) == ["running"]


def test_a_job_of_another_kind_is_somebody_elses(airbyte, connection_id, retry) -> None:
    airbyte.start_job(connection_id, kind="reset_connection")
    task_of("sync", connection_id).execute(retry)
    assert [job["kind"] for job in airbyte.jobs(connection_id)] == ["reset_connection", "sync"]


@pytest.mark.parametrize(
    ("kind", "status", "is_exact", "runs_again"),
    [
        ("reset_connection", "succeeded", False, False),
        ("reset_connection", "succeeded", True, False),
        ("reset_connection", "failed", True, True),
        ("sync", "succeeded", True, False),
        ("sync", "succeeded", False, True),
        ("sync", "failed", True, True),
        ("sync", "cancelled", True, True),
    ],
)
def test_a_job_that_has_ended_is_taken_where_it_is_surely_ours(
    airbyte, connection_id, retry, mocker, long_waits, kind, status, is_exact, runs_again
) -> None:
    """A reset even where it may be another task's, since one after another changes nothing."""
    tries = EarlierTries(datetime.now(UTC).timestamp() - 60, is_exact=is_exact)
    mocker.patch("airflow_airbyte_ext.operators.job_run.earlier_tries", return_value=tries)
    airbyte.advance(airbyte.start_job(connection_id, kind=kind), status)
    report = task_of(kind, connection_id).execute(retry)
    assert (report["status"], report["attached"]) == ("succeeded", False)
    assert len(airbyte.jobs(connection_id)) == 1 + runs_again


@pytest.mark.parametrize(
    ("try_number", "max_tries", "store", "is_retry"),
    [
        (1, 2, None, False),
        (2, 2, None, True),
        (3, 2, None, True),
        (3, 4, None, False),
        (4, 4, None, True),
        (2, 2, {}, False),
    ],
)
def test_a_retry_is_one_since_the_last_clear(retry, try_number, max_tries, store, is_retry) -> None:
    """A Clear raises `max_tries`; where Airflow has a store its record says more."""
    context = {**retry, "ti": SimpleNamespace(try_number=try_number, max_tries=max_tries), "task_state_store": store}
    found = earlier_tries(context, retries=2)
    assert found == (EarlierTries(retry["dag_run"].start_date.timestamp(), is_exact=False) if is_retry else None)


def test_airflow_2_has_the_start_of_the_first_try_in_its_database(retry, mocker) -> None:
    """Of the first one since a Clear."""
    mocker.patch.object(hooks_task, "HAS_TASK_SDK", False)
    began = datetime.now(UTC)
    read = mocker.patch.object(hooks_task, "_start_of_try", return_value=began)
    retry["ti"].try_number, retry["ti"].max_tries = 4, 4
    assert earlier_tries(retry, retries=2) == EarlierTries(began.timestamp(), is_exact=True)
    read.assert_called_once_with(retry["ti"], 3)


@pytest.mark.parametrize("state", ["running", "failed", None])
def test_airflow_2_has_the_state_of_a_task_in_its_database(monkeypatch, state) -> None:
    monkeypatch.setattr(hooks_task, "HAS_TASK_SDK", False)
    assert task_state(SimpleNamespace(current_state=lambda: state)) == state
