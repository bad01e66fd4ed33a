"""What a try keeps for the next one, step by step, and what the next one makes of it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.models.jobs import JobRead
from airflow_airbyte_ext.hooks.task import KEY, TaskRecord
from airflow_airbyte_ext.jobs.submit import Baseline, Refused, Stored, Submission
from airflow_airbyte_ext.operators.earlier_try import (
    SubmissionRecord,
    earlier_baseline,
    job_of_earlier_try,
    submitted_job,
)
from airflow_airbyte_ext.testing import Fault, Step

OTHER = "22222222-2222-4222-8222-222222222222"
T0 = 1_760_000_000.0


class Store(dict[str, Any]):
    """Airflow's task state store."""

    set = dict.__setitem__


@pytest.fixture
def client(airbyte):
    with AirbyteClient(ClientSettings(base_url=airbyte.url)) as client:
        yield client


def record_of(**record: Any) -> TaskRecord:
    store = Store({KEY: {**record, "max_tries": 2}} if record else {})
    return TaskRecord({"ti": SimpleNamespace(max_tries=2), "task_state_store": store})


def kept(record: TaskRecord) -> dict[str, Any]:
    """What the store has, which is all that the next try gets."""
    return {name: value for name, value in record._store[KEY].items() if name != "max_tries"}


@pytest.mark.parametrize("attached", [True, False])
def test_the_job_of_an_earlier_try_is_still_whose_it_was(airbyte, client, connection_id, attached):
    """A job that was attached to is not cancelled with the task."""
    airbyte.script(connection_id, [Step("running", polls=100)])
    job_id = airbyte.start_job(connection_id)
    record = record_of(job_id=job_id, connection_id=connection_id, attached=attached)
    found = job_of_earlier_try(client, connection_id, record)
    assert (found.job.id, found.attached) == (job_id, attached)


def test_a_job_that_cannot_be_read_by_itself_is_found_in_the_list(airbyte, client, connection_id):
    """A server says 500 of a job that it does not have, and of much else."""
    airbyte.script(connection_id, [Step("running", polls=100)])
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(500))
    record = record_of(job_id=job_id, connection_id=connection_id, attached=False)
    assert job_of_earlier_try(client.without_retries(), connection_id, record).job.id == job_id


def test_a_job_of_another_connection_is_not_gone_on_with(airbyte, client, connection_id):
    """The template rendered to another connection this time."""
    job_id = airbyte.start_job(connection_id)
    record = record_of(job_id=job_id, connection_id=OTHER, attached=False)
    assert job_of_earlier_try(client, connection_id, record) is None
    assert airbyte.journal == []


def test_what_an_earlier_try_began_counts_for_its_connection_alone():
    """And only while its job is not known."""
    assert earlier_baseline(OTHER, record_of(baseline=5, job_id=None, connection_id=OTHER)) == 5
    assert earlier_baseline("x", record_of(baseline=5, job_id=None, connection_id=OTHER)) is None
    assert earlier_baseline(OTHER, record_of(baseline=5, job_id=6, connection_id=OTHER)) is None
    assert earlier_baseline(OTHER, record_of()) is None


@pytest.mark.parametrize("attached", [True, False])
def test_a_job_that_is_kept_is_not_looked_for(airbyte, client, attached):
    record = record_of(job_id=7, baseline=5, connection_id=OTHER, attached=attached)
    assert submitted_job(client, OTHER, record, kind="sync") == (7, attached)
    assert submitted_job(client, OTHER, record_of(), kind="sync") == (None, False)
    assert airbyte.journal == []


@pytest.mark.parametrize(
    ("sent", "attached"),
    [(None, False), ([None, None], False), ([-20, 20], True), ([-20, 0], False), ([20, 40], False)],
)
def test_a_job_whose_response_is_out_is_looked_for(airbyte, client, connection_id, sent, attached):
    """It is somebody else's where it was created after the list was read, and before the request was sent."""
    assert submitted_job(
        client, connection_id, record_of(baseline=0, job_id=None, connection_id=connection_id), kind="sync"
    ) == (None, False)
    job_id = airbyte.start_job(connection_id)
    created = client.get_job_info_light(id=job_id).job.created_at
    times = sent and [None if each is None else created + each for each in sent]
    record = record_of(baseline=0, job_id=None, connection_id=connection_id, **({"sent": times} if sent else {}))
    assert submitted_job(client, connection_id, record, kind="sync") == (job_id, attached)


class Submits:
    """A submission with these steps, each of which is kept."""

    def __init__(self, *steps: Any, attached: bool = False) -> None:
        self.steps, self.attached = steps, attached
        self.records: list[dict[str, Any]] = []
        self.record: SubmissionRecord | None = None
        self.task_record: TaskRecord | None = None

    def run(self, client, record: TaskRecord) -> dict[str, Any]:
        self.task_record = record
        self.record = SubmissionRecord(client, OTHER, record)
        for step in self.steps:
            self.record.keep(step)
            self.records.append(kept(record))
        self.record.keep(Submission(JobRead(id=5, config_type="sync"), attached=self.attached))
        return kept(record)


class Server:
    """A client whose server gives this time, or none; ten seconds pass between two readings."""

    def __init__(self, time: float | None) -> None:
        self.times = itertools.repeat(None) if time is None else itertools.count(time, 10.0)

    def server_time(self) -> float | None:
        return next(self.times)


@pytest.mark.parametrize("time", [None, T0])
def test_the_newest_job_is_kept_before_the_request_and_ours_after_it(time):
    """With the server's times of the list and of the request, for a kill while the response is out."""
    submits = Submits(Baseline(4))
    record = submits.run(Server(time), record_of())
    before = {"baseline": 4, "connection_id": OTHER, "job_id": None, "attached": False}
    assert submits.records == [before]
    assert submits.task_record.values["sent"] == [time, None if time is None else T0 + 10]
    assert (record["job_id"], record["attached"], record["is_stored"]) == (5, False, False)
    assert (submits.record.baseline, submits.record.is_stored) == (None, False)


def test_a_job_that_is_attached_to_is_kept_as_such():
    assert Submits(attached=True).run(Server(None), record_of())["attached"] is True


@pytest.mark.parametrize("baseline", [None, 3])
def test_after_a_refusal_the_record_is_as_it_was(baseline):
    """Or the next try would take a job of somebody else for its own."""
    record = record_of(baseline=baseline, job_id=None, connection_id=OTHER)
    submits = Submits(Baseline(4), Refused())
    submits.run(Server(None), record)
    assert [record["baseline"] for record in submits.records] == [4, baseline]
    assert submits.record.baseline == baseline


@pytest.mark.parametrize(("baseline", "is_stored"), [(3, True), (3, False), (None, True)])
def test_a_stored_request_is_told_to_the_next_try(baseline, is_stored):
    """That of a try whose job is not known yet."""
    submits = Submits(Stored())
    record = submits.run(
        Server(None), record_of(baseline=baseline, job_id=None, connection_id=OTHER, is_stored=is_stored)
    )
    assert submits.record.is_stored is (baseline is not None and is_stored)
    assert [each["is_stored"] for each in submits.records] == [True]
    assert record["is_stored"] is False
