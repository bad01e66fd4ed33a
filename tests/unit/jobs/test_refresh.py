"""A refresh: one job, in every release that has refreshes, and a reason where Airbyte starts none without a word."""

from __future__ import annotations

import pytest
from submitting import submit_refresh

from airflow_airbyte_ext.exceptions import (
    AirbyteConnectionDeletedError,
    AirbyteJobRunningError,
    AirbyteJobTimeoutError,
    AirbyteOperationMissingError,
    AirbyteRefreshUnsupportedError,
)
from airflow_airbyte_ext.testing import Fault, Step

# 1.0 responses only whether it will refresh; since 1.2 the response names the job.
ERAS = ("1.0", "1.8.0", "2.0", "head")


@pytest.mark.parametrize("mode", ["Merge", "Truncate"])
@pytest.mark.parametrize("era", ERAS)
def test_a_refresh_is_started(start_fake, connect, clock, era, mode):
    """One request, one job of type refresh; also where the response does not name it."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    submission = submit_refresh(connect(airbyte), connection_id, mode=mode, clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    assert submission.job.config_type == "refresh"
    assert not submission.attached
    assert airbyte.calls("refreshConnectionStream")[0].body == {"connectionId": connection_id, "refreshMode": mode}


def test_single_streams_are_refreshed(start_fake, connect, clock):
    """Namespace and name of each are sent, and nothing else."""
    airbyte = start_fake("2.0")
    connection_id = airbyte.add_connection(streams=[("public", "orders"), (None, "users")])
    submit_refresh(
        connect(airbyte), connection_id, mode="Merge", clock=clock, streams=[("public", "orders"), (None, "users")]
    )
    assert airbyte.calls("refreshConnectionStream")[0].body["streams"] == [
        {"streamName": "orders", "streamNamespace": "public"},
        {"streamName": "users"},
    ]


@pytest.mark.parametrize("fault", [Fault.drop_before(), Fault.drop_after(), Fault.status(504, effect=True)])
@pytest.mark.parametrize("era", ERAS)
def test_a_lost_answer_leaves_one_refresh(start_fake, connect, clock, era, fault):
    """Looked for, found, ours; or started again where the request never arrived."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.fail_next("refreshConnectionStream", fault)
    submission = submit_refresh(connect(airbyte), connection_id, mode="Merge", clock=clock)
    assert [job["id"] for job in airbyte.jobs(connection_id)] == [submission.job.id]
    assert not submission.attached


@pytest.mark.parametrize("era", ERAS)
def test_a_destination_that_cannot_refresh_is_told(start_fake, connect, clock, era):
    """Airbyte returns 200 and starts nothing; waiting for a job that never comes would be the worst response."""
    airbyte = start_fake(era)
    old = airbyte.add_destination("Old", supports_refreshes=False)
    connection_id = airbyte.add_connection(destination=old)
    with pytest.raises(AirbyteRefreshUnsupportedError, match="does not support refreshes") as caught:
        submit_refresh(connect(airbyte), connection_id, mode="Merge", clock=clock)
    assert not caught.value.retryable
    assert airbyte.jobs(connection_id) == []


@pytest.mark.parametrize("era", ERAS)
def test_a_refresh_is_not_started_beside_a_running_job(start_fake, connect, clock, era):
    """It is never taken for ours, either."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running", polls=1000)])
    job_id = airbyte.start_job(connection_id)
    with pytest.raises(AirbyteJobRunningError, match=f"Job {job_id} "):
        submit_refresh(connect(airbyte), connection_id, mode="Merge", clock=clock)
    assert len(airbyte.jobs(connection_id)) == 1


def test_a_sync_that_starts_in_between_is_the_reason_that_is_told(start_fake, connect, clock):
    """Airbyte's response without a job may mean that, too."""
    airbyte = start_fake("2.0")
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running", polls=1000)])
    with pytest.raises(AirbyteJobRunningError, match="runs on connection"):
        submit_refresh(
            connect(airbyte),
            connection_id,
            mode="Merge",
            clock=clock,
            before_start=lambda _newest: airbyte.start_job(connection_id),
        )


def test_a_deleted_connection_is_told(start_fake, connect, clock):
    """In words, whatever the server responds."""
    airbyte = start_fake("2.0")
    connection_id = airbyte.add_connection(status="deprecated")
    with pytest.raises(AirbyteConnectionDeletedError, match="was deleted"):
        submit_refresh(connect(airbyte), connection_id, mode="Merge", clock=clock)


def test_a_release_without_refreshes_is_told_which_one_has_them(start_fake, connect, clock):
    """And what does nearly the same."""
    airbyte = start_fake("0.50")
    with pytest.raises(AirbyteOperationMissingError, match=r"0\.57\.2.*reset_connection"):
        submit_refresh(connect(airbyte), airbyte.add_connection(), mode="Merge", clock=clock)


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_wait_that_takes_too_long_says_what_is_stored(start_fake, connect, clock, is_stored):
    """Somebody else's job came first, and did not end in time."""
    airbyte = start_fake("2.0")

    def way():
        raise AirbyteJobTimeoutError("Job 1 still runs.")

    with pytest.raises(AirbyteJobTimeoutError, match="Job 1 still runs") as caught:
        submit_refresh(
            connect(airbyte),
            airbyte.add_connection(),
            mode="Merge",
            clock=clock,
            resolve_running_job=way,
            earlier=0,
            is_stored=is_stored,
        )
    assert ("has stored the refresh" in str(caught.value)) is is_stored


def test_a_followed_reset_whose_id_is_anothers_now_is_no_reason_to_fail(start_fake, connect, clock):
    """An Airbyte that was set up again does not have it any more."""
    airbyte = start_fake("2.0")
    other = airbyte.start_job(airbyte.add_connection("Other"), "reset_connection")
    airbyte.advance(other, "failed")
    connection_id = airbyte.add_connection()
    submission = submit_refresh(connect(airbyte), connection_id, mode="Merge", clock=clock, followed=other)
    assert submission.job.config_type == "refresh"
