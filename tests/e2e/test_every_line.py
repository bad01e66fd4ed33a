"""What must hold on every line of Airflow, in a real one: `scripts/matrix` runs this with each."""

from __future__ import annotations

import json
import signal
from importlib.metadata import version
from pathlib import Path

import pytest
from real_airflow import RealAirflow, Run, until
from real_airflow_2 import RealAirflow2

from airflow_airbyte_ext.testing import FakeAirbyte, Step

LINE = tuple(int(number) for number in version("apache-airflow").split(".")[:2])
LONG = [Step("running", seconds=3600)]
# Airflow 3.0 leaves every task whose process is gone "running", a plain @task, too: seen for 150 s with 3.0.6.
SIGNALS = [signal.SIGTERM] if LINE == (3, 0) else [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture(scope="module")
def line(airbyte, tmp_path_factory):
    """A real Airflow of the installed line; its Airflow Connection has an `extra`, as most have."""
    kind = RealAirflow2 if LINE < (3, 0) else RealAirflow
    with kind(tmp_path_factory.mktemp("line"), Path(__file__).parent / "line_dags") as airflow:
        airflow.add_connection(
            "airbyte_e2e",
            conn_type="airbyteconfig",
            host=airbyte.url,
            login=airbyte.client_id,
            password=airbyte.client_secret,
            extra=json.dumps({"timeout": 20, "headers": {"X-Api-Key": "a secret of this test"}}),
        )
        yield airflow


def start(line: RealAirflow, airbyte: FakeAirbyte, dag_id: str, steps: list[Step] | None = None) -> tuple[Run, str]:
    connection_id = airbyte.add_connection(name=dag_id, streams=[("public", "orders")])
    if steps:
        airbyte.script(connection_id, steps)
    run = line.trigger(dag_id, connection_id=connection_id)
    until(lambda: run.xcom("job_id"), "the job's id is pushed")
    return run, connection_id


def statuses(airbyte: FakeAirbyte, connection_id: str) -> list[str]:
    return [job["status"] for job in airbyte.jobs(connection_id)]


@pytest.mark.parametrize("dag_id", ["waiting", "deferred"])
def test_a_sync_runs_in_the_worker_and_in_the_triggerer(line, airbyte, dag_id) -> None:
    run, connection_id = start(line, airbyte, dag_id)
    assert run.end() == "success", run.log()
    report = run.xcom()
    assert (report["status"], report["connection_id"], report["attached"]) == ("succeeded", connection_id, False)
    assert f"jobId={report['job_id']}" in str(run.links())
    assert statuses(airbyte, connection_id) == ["succeeded"]


@pytest.mark.parametrize("dag_id", ["waiting", "reset"])
def test_a_task_that_a_user_marks_cancels_its_job(line, airbyte, dag_id) -> None:
    run, connection_id = start(line, airbyte, dag_id, LONG)
    run.wait_for("running")
    run.mark("failed")
    until(lambda: statuses(airbyte, connection_id) == ["cancelled"] or None, f"the job is cancelled\n{run.log()}")
    assert run.wait_for("failed", "up_for_retry")["state"] == "failed"


@pytest.mark.parametrize("dag_id", ["waiting", "reset"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_task_whose_worker_is_lost_goes_on_with_its_own_job(line, airbyte, dag_id, number) -> None:
    """One job over both tries, the task's own: it is cancelled when a user then ends the task."""
    run, connection_id = start(line, airbyte, dag_id, LONG)
    run.wait_for("running")
    run.kill_worker(number)
    run.wait_for("running", try_number=2, seconds=150)
    until(lambda: "oing on with it" in run.log(2) or None, f"the retry finds its job\n{run.log(2)}")
    assert statuses(airbyte, connection_id) == ["running"], run.log(1)
    run.mark("failed")
    until(lambda: statuses(airbyte, connection_id) == ["cancelled"] or None, f"the job is cancelled\n{run.log(2)}")


def test_a_backup_with_its_own_outlet_keeps_one_snapshot(line, airbyte, tmp_path) -> None:
    connection_id = airbyte.add_connection(name="backup", streams=[("public", "orders")])
    run = line.trigger("backup", connection_id=connection_id, store=str(tmp_path))
    assert run.end() == "success", run.log()
    assert [path.name for path in tmp_path.rglob("*.json")] == [Path(run.xcom()["path"]).name]
