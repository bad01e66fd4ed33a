"""Reading a connection's jobs where nobody knows the release, and where the server has been set up again."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api.models.jobs import JobReadList
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import (
    AirbyteBadRequestError,
    AirbyteJobNotFoundError,
    AirbyteNotFoundError,
    AirbyteResponseError,
)
from airflow_airbyte_ext.jobs.reader import REFRESH, SYNC, JobReader, jobs_of, newest_job, running_job
from airflow_airbyte_ext.testing import Fault


def test_a_server_of_an_unknown_release_may_not_know_refreshes(start_fake, connect):
    """It refuses a list with a kind of job that it does not know; then the list goes without."""
    airbyte = start_fake("0.50")
    connection_id = airbyte.add_connection()
    job_id = airbyte.start_job(connection_id)
    airbyte.fail_next("getInstanceConfiguration", Fault.status(403))
    assert newest_job(connect(airbyte), connection_id).id == job_id
    assert [len(call.body["configTypes"]) for call in airbyte.calls("listJobsFor")] == [3, 2]


def test_a_refresh_is_found_where_the_release_is_unknown(start_fake, connect):
    """Most servers know it."""
    airbyte = start_fake("2.0")
    connection_id = airbyte.add_connection()
    job_id = airbyte.start_job(connection_id, "refresh")
    airbyte.fail_next("getInstanceConfiguration", Fault.status(403))
    assert newest_job(connect(airbyte), connection_id).id == job_id


def test_a_list_that_a_known_release_refuses_is_an_error(start_fake, connect):
    """It is not requested in another way."""
    airbyte = start_fake("0.50")
    with pytest.raises(AirbyteBadRequestError):
        list(jobs_of(connect(airbyte), airbyte.add_connection(), [SYNC, REFRESH]))
    assert len(airbyte.calls("listJobsFor")) == 1


def test_only_a_job_that_has_not_ended_occupies_its_connection(airbyte, client):
    """The newest one, whatever came before."""
    connection_id = airbyte.add_connection()
    assert running_job(client, connection_id) is None
    first = airbyte.start_job(connection_id)
    assert running_job(client, connection_id).id == first
    airbyte.advance(first, "failed")
    assert running_job(client, connection_id) is None


def test_a_retry_helps_where_a_job_id_belongs_to_another_connection(airbyte, client):
    """It starts a new job."""
    job_id = airbyte.start_job(airbyte.add_connection("Other"))
    reader = JobReader(client, job_id, connection_id=airbyte.add_connection())
    with pytest.raises(AirbyteJobNotFoundError, match="A retry starts a new job") as caught:
        reader.read()
    assert caught.value.retryable
    assert (caught.value.job_id, caught.value.connection_id) == (job_id, reader.connection_id)


@pytest.mark.parametrize("era", ["0.36", "1.0"])
@pytest.mark.parametrize("read", ["read", "read_with_attempts"])
def test_a_job_that_the_server_does_not_have_is_none(start_fake, connect, era, read):
    """Airbyte says so with a 500 in all releases before 2.0; any other 404 is not its own."""
    airbyte = start_fake(era)
    reader = JobReader(connect(airbyte), 99)
    assert getattr(reader, read)() is None


@pytest.mark.parametrize("read", ["read", "read_with_attempts"])
def test_a_404_of_a_proxy_does_not_say_that_a_job_is_gone(stub, connect_to, read):
    """The wait would end, and the job run on."""
    gone = {"message": "Could not find configuration for JOB: 99."}
    stub.response("/v1/instance_configuration", {"version": "2.0.0"})
    for path in ("get", "get_light", "get_without_logs"):
        stub.response(f"/v1/jobs/{path}", gone, status=404)
    with pytest.raises(AirbyteNotFoundError):
        getattr(JobReader(connect_to(stub.url, attempts=1), 99), read)()


def test_a_404_of_a_proxy_says_nothing_on_a_server_without_light_reads(stub, connect_to):
    """The only operation left reads the job with its logs."""
    stub.response("/v1/instance_configuration", {"version": "0.36.0-alpha"})
    stub.response("/v1/jobs/get_light", {"message": "Object not found."}, status=404)
    stub.response("/v1/jobs/get", {"message": "Could not find configuration for JOB: 99."}, status=404)
    with pytest.raises(AirbyteNotFoundError):
        JobReader(connect_to(stub.url, attempts=1), 99).read()


@pytest.mark.parametrize("is_known", [True, False])
def test_attempts_are_listed_where_they_cannot_be_read_without_logs(start_fake, connect, is_known):
    """Where the connection is not known the logs come with them."""
    airbyte = start_fake("0.36")
    connection_id = airbyte.add_connection()
    job_id = airbyte.start_job(connection_id)
    reader = JobReader(connect(airbyte), job_id, connection_id=connection_id if is_known else None)
    airbyte.journal.clear()
    job, _attempts = reader.read_with_attempts()
    assert job.id == job_id
    paths = [request.path.rpartition("/api/v1/")[2] for request in airbyte.journal]
    assert ("jobs/get" in paths, "jobs/list" in paths) == (not is_known, is_known)


def test_a_server_without_the_light_read_is_asked_for_it_once(start_fake, connect):
    """A poll is one request."""
    airbyte = start_fake("0.36")
    connection_id = airbyte.add_connection()
    reader = JobReader(connect(airbyte), airbyte.start_job(connection_id), connection_id=connection_id)
    for _ in range(3):
        assert reader.read()
    assert len([request for request in airbyte.journal if request.path.endswith("/jobs/get_light")]) == 1


class Pages:
    """A client whose list of jobs has these pages."""

    def __init__(self, *pages: list[dict]) -> None:
        self.pages = pages

    def release(self) -> Release:
        return Release("2.0.0")

    def list_jobs_for(self, *, page_size, row_offset, **_more) -> JobReadList:
        number = row_offset // page_size
        return JobReadList.model_validate({"jobs": self.pages[number] if number < len(self.pages) else []})


def test_a_page_of_rows_that_are_none_does_not_end_a_list():
    """What they were is not known; the jobs behind them are there."""
    job = {"job": {"id": 5, "status": "running"}}
    pages = Pages([{}, {}], [{}, {}], [job, {}])
    assert [entry.job.id for entry in jobs_of(pages, "x", ["sync"], page_size=2)] == [5]


def test_the_error_of_a_list_that_repeats_itself_counts_pages_from_one():
    page = [{"job": {"id": 5}}, {"job": {"id": 4}}]
    with pytest.raises(AirbyteResponseError, match="page 2 of 2 jobs brings nothing new"):
        list(jobs_of(Pages(page, page, page), "x", ["sync"], page_size=2))
