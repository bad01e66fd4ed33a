"""Reading a connection's jobs where nobody knows the release, and where the server has been set up again."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.exceptions import AirbyteBadRequestError, AirbyteJobVanishedError
from airflow_airbyte_ext.jobs.find import REFRESH, SYNC, JobReader, jobs_of, newest_job, running_job
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
    """It is not asked for in another way."""
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
    with pytest.raises(AirbyteJobVanishedError, match="A retry starts a new job") as caught:
        reader.read()
    assert caught.value.worth_retrying
