"""Ending a job, and only that job."""

from __future__ import annotations

from contextlib import suppress

import pytest

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.models.jobs import JobInfoLightRead, JobReadList
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteJobNotFoundError,
    AirbyteNotFoundError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.cancel import cancel_job, why_not_cancelled
from airflow_airbyte_ext.testing import Fault, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")


def start(airbyte, connection_id: str, status: str = "running", kind: str = "sync") -> int:
    # Airbyte ignores a cancel of a pending job: it has to run first.
    begin = [Step("pending"), Step("running", polls=1000)] if status == "pending" else [Step(status, polls=1000)]
    airbyte.script(connection_id, [*begin, Step("succeeded")])
    return airbyte.start_job(connection_id, kind)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("status", "kind"), [("running", "sync"), ("pending", "sync"), ("running", "reset_connection")]
)
@pytest.mark.parametrize("era", ERAS)
def test_a_running_job_is_cancelled(start_fake, connect, clock, era, status, kind, known):
    """With its connection known or not, in every era: one request, and the job as it is afterwards."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id, status, kind)
    job = cancel_job(connect(airbyte), job_id, connection_id=connection_id if known else None, clock=clock)
    assert (job.id, job.status) == (job_id, "cancelled")
    assert airbyte.jobs()[0]["status"] == "cancelled"
    assert [request.body for request in airbyte.calls("cancelJob")] == [{"id": job_id}]
    assert clock.sleeps == []


def test_each_status_that_is_not_cancelled_has_its_own_reason():
    """And one that is unknown has none."""
    reasons = {status: why_not_cancelled(status) for status in ("pending", "queued", "incomplete")}
    assert "until the job runs" in reasons["pending"]
    assert "handles it next" in reasons["queued"]
    assert "half an hour" in reasons["incomplete"]
    assert (why_not_cancelled("running"), why_not_cancelled(None)) == ("", "")


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("era", ERAS)
def test_a_finished_job_is_never_cancelled(start_fake, connect, clock, era, status):
    """The server would cancel whatever runs on the connection instead: nothing is sent."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    old = airbyte.start_job(connection_id)
    airbyte.advance(old, status)
    running = start(airbyte, connection_id)
    job = cancel_job(connect(airbyte), old, connection_id=connection_id, clock=clock)
    assert (job.id, job.status) == (old, status)
    assert airbyte.calls("cancelJob") == []
    assert airbyte.jobs()[running - 1]["status"] == "running"


@pytest.mark.parametrize("next_kind", ["sync", "reset_connection", "refresh"])
def test_another_job_that_took_its_place_meanwhile_is_left_alone(airbyte, clock, next_kind):
    """Between our two looks the job ended, and another began."""
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id)
    airbyte.fail_next("listJobsFor", Fault.status(503))

    class Meddler:
        """Acts while the client waits to look at the list again."""

        time, monotonic, run = clock.time, clock.monotonic, clock.run

        def sleep(self, seconds: float) -> None:
            clock.sleep(seconds)
            airbyte.advance(job_id, "succeeded")
            start(airbyte, connection_id, kind=next_kind)

    settings = ClientSettings(base_url=airbyte.url)
    with AirbyteClient(settings, clock=Meddler()) as client:
        job = cancel_job(client, job_id, connection_id=connection_id, clock=clock)
    assert (job.id, job.status) == (job_id, "succeeded")
    assert airbyte.calls("cancelJob") == []
    assert airbyte.jobs()[1]["status"] == "running"


def test_a_cancel_that_is_ignored_between_two_attempts_is_repeated(start_fake, connect, clock):
    """Before 0.50.12 the server returns 200 and does nothing while it waits for the next attempt."""
    airbyte = start_fake("0.40")
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("incomplete", seconds=1.5), Step("running", polls=1000)])
    job_id = airbyte.start_job(connection_id)
    job = cancel_job(connect(airbyte), job_id, connection_id=connection_id, clock=clock)
    assert job.status == "cancelled"
    assert len(airbyte.calls("cancelJob")) >= 2


def test_a_cancel_that_is_ignored_for_long_ends_all_the_same(start_fake, connect, clock):
    """A back-off can last half an hour, a kill cannot: the job is returned as it is."""
    airbyte = start_fake("0.40")
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id, "incomplete")
    job = cancel_job(connect(airbyte), job_id, connection_id=connection_id, clock=clock)
    assert job.status == "incomplete"
    assert sum(clock.sleeps) < 30


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop_after(),
        Fault.drop_before(),
        Fault.truncated(),
        Fault.html(),
        Fault.status(500, {"errorId": "x"}),
        Fault.status(504, effect=True),
        Fault.status(502),
        Fault.status(409, {"message": "x"}),
        Fault.status(408),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.code}-{fault.effect}",
)
@pytest.mark.parametrize("era", ERAS)
def test_a_lost_answer_is_verified(start_fake, connect, clock, era, fault):
    """Whether the cancellation took effect is resolved, and requested again where it did not."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id)
    airbyte.fail_next("cancelJob", fault)
    job = cancel_job(connect(airbyte), job_id, connection_id=connection_id, clock=clock)
    assert (job.id, job.status) == (job_id, "cancelled")
    assert len(airbyte.calls("cancelJob")) == (1 if fault.effect else 2)


def test_a_job_that_ends_by_itself_meanwhile_keeps_its_end(airbyte, client, clock):
    """The cancellation came too late: the job is reported as it ended."""
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running", seconds=0.5), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("cancelJob", Fault.status(500, {"errorId": "x"}))
    job = cancel_job(client, job_id, connection_id=connection_id, clock=clock)
    assert job.status == "succeeded"


def test_a_job_of_a_deleted_connection_ends_all_the_same(airbyte, client, clock):
    """Airbyte returns 500 for ever: the job is returned as it is."""
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id)
    airbyte.set_connection_status(connection_id, "deprecated")
    assert cancel_job(client, job_id, connection_id=connection_id, clock=clock).status == "running"


@pytest.mark.parametrize("era", ERAS)
def test_a_job_that_the_server_does_not_have_is_not_cancelled(start_fake, connect, clock, era):
    """None, or an error of ours; and nothing is sent."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    running = start(airbyte, connection_id)
    with suppress(AirbyteApiError):
        assert cancel_job(connect(airbyte), 4711, connection_id=connection_id, clock=clock) is None
    assert airbyte.calls("cancelJob") == []
    assert airbyte.jobs()[running - 1]["status"] == "running"


def test_an_airbyte_that_cannot_be_asked_is_an_error(airbyte, client, clock):
    """Nobody may think that a job was cancelled."""
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id)
    airbyte.fail_next("getJobInfoLight", Fault.status(503), times=5)
    with pytest.raises(AirbyteApiError):
        cancel_job(client, job_id, connection_id=connection_id, clock=clock)
    assert airbyte.jobs()[0]["status"] == "running"


def test_what_a_cancellation_asks(airbyte, client, clock):
    """Whether the job runs, whether it is the connection's, and the cancellation, whose response says the rest."""
    connection_id = airbyte.add_connection()
    job_id = start(airbyte, connection_id)
    client.release()
    airbyte.reset()
    cancel_job(client, job_id, connection_id=connection_id, clock=clock)
    assert [request.operation_id for request in airbyte.journal] == ["getJobInfoLight", "listJobsFor", "cancelJob"]
    airbyte.reset()
    cancel_job(client, job_id, connection_id=connection_id, clock=clock)
    assert [request.operation_id for request in airbyte.journal] == ["getJobInfoLight"]


def test_a_job_id_of_another_connection_is_not_cancelled(airbyte, client, clock):
    """An Airbyte that was set up again counts its jobs from 1 again."""
    job_id = start(airbyte, airbyte.add_connection("Other"))
    with pytest.raises(AirbyteJobNotFoundError):
        cancel_job(client, job_id, connection_id=airbyte.add_connection(), clock=clock)
    assert airbyte.calls("cancelJob") == []


class Vanishing:
    """A client whose job is gone after a cancellation whose response was lost; no job names its connection."""

    settings = ClientSettings(base_url="http://airbyte")

    def __init__(self) -> None:
        self.is_gone = False
        self.listed: list[str] = []

    def release(self) -> Release:
        return Release("1.0.0")

    def get_job_info_light(self, *, id: int) -> JobInfoLightRead:
        if self.is_gone:
            raise AirbyteNotFoundError("gone", http_status=500)
        return JobInfoLightRead.model_validate({"job": {"id": id, "status": "running"}})

    def list_jobs_for(self, *, config_id: str, row_offset: int, **_more) -> JobReadList:
        self.listed.append(config_id)
        jobs = [] if row_offset else [{"job": {"id": 5, "status": "running"}}]
        return JobReadList.model_validate({"jobs": jobs})

    def cancel_job(self, *, id: int) -> None:
        self.is_gone = True
        raise AirbyteUnreachableError("lost")


def test_a_job_that_is_gone_after_its_cancellation_is_none(clock):
    client = Vanishing()
    assert cancel_job(client, 5, connection_id="x", clock=clock) is None
    assert set(client.listed) == {"x"}
    assert clock.sleeps == []
