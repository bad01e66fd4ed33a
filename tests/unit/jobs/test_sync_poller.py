"""Waiting for a connection: which sync counts, which failure matters, and what an outage does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_airbyte_ext.api.arguments import moment_argument
from airflow_airbyte_ext.exceptions import (
    AirbyteAuthenticationError,
    AirbyteConfigurationError,
    AirbyteConnectionDeletedError,
    AirbyteConnectionInactiveError,
    AirbyteConnectionUnknownError,
    AirbyteJobCancelledError,
    AirbyteJobFailedError,
    AirbyteJobStatusUnavailableError,
    AirbyteJobTimeoutError,
)
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.syncs import (
    CHECK_INTERVAL,
    LOG_INTERVAL,
    MAX_JOBS,
    SyncPoller,
    ended_syncs,
)
from airflow_airbyte_ext.testing import Failure, Fault, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def connection_id(airbyte):
    return airbyte.add_connection(name="Orders")


def ended(airbyte, clock, connection_id, status="succeeded", *, kind="sync", took=60.0, failure=None) -> int:
    """Let a job run for a while and end now."""
    airbyte.script(connection_id, [Step("running", seconds=10**9)])
    job_id = airbyte.start_job(connection_id, kind)
    airbyte.jobs(connection_id)
    clock.now += took
    airbyte.advance(job_id, status, failure)
    return job_id


def watch(connection_id, clock, *, since=0.0, warnings=None, said=None, **arguments) -> SyncPoller:
    shown = warnings.append if warnings is not None else (lambda _message: None)
    tell = said.append if said is not None else (lambda _message: None)
    return SyncPoller(connection_id, since=since, clock=clock, warn=shown, info=tell, **arguments)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("took", [60, 3600])
def test_a_sync_counts_by_its_end_and_not_by_its_beginning(start_fake, connect, clock, era, took) -> None:
    airbyte = start_fake(era)
    client, connection_id = connect(airbyte), airbyte.add_connection()
    asked_for = clock.now + took
    job_id = ended(airbyte, clock, connection_id, took=took)
    assert clock.now == asked_for
    assert watch(connection_id, clock, since=asked_for).poll(client) == job_id
    assert watch(connection_id, clock, since=asked_for + 1).poll(client) is None


def test_the_newest_success_is_taken_also_behind_a_failure(airbyte, client, clock, connection_id) -> None:
    since = clock.now
    ended(airbyte, clock, connection_id)
    newer = ended(airbyte, clock, connection_id)
    assert watch(connection_id, clock, since=since).poll(client) == newer
    ended(airbyte, clock, connection_id, "failed")
    assert watch(connection_id, clock, since=since, on_failure="fail").poll(client) == newer


@pytest.mark.parametrize(("kind", "counts"), [("refresh", True), ("reset_connection", False)])
def test_a_refresh_counts_and_a_reset_does_not(airbyte, client, clock, connection_id, kind, counts) -> None:
    job_id = ended(airbyte, clock, connection_id, kind=kind)
    assert watch(connection_id, clock).poll(client) == (job_id if counts else None)


def test_a_running_sync_counts_when_it_has_ended(airbyte, client, clock, connection_id) -> None:
    airbyte.script(connection_id, [Step("running", seconds=3600), Step("incomplete", seconds=600), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    waiting = watch(connection_id, clock)
    assert waiting.poll(client) is None
    clock.now += 3600
    assert waiting.poll(client) is None
    clock.now += 600
    assert waiting.poll(client) == job_id


def test_without_a_time_the_next_sync_that_ends_is_waited_for(airbyte, client, clock, connection_id) -> None:
    ended(airbyte, clock, connection_id)
    airbyte.script(connection_id, [Step("running", seconds=100), Step("succeeded")])
    running = airbyte.start_job(connection_id)
    first = watch(connection_id, clock, since=None)
    assert first.poll(client) is None
    clock.now += 100
    known = json.loads(json.dumps(first.known))
    in_another_process = watch(connection_id, clock, since=None, known=known)
    assert in_another_process.poll(client) == running


def test_without_a_time_also_the_very_first_sync_is_the_next_one(airbyte, client, clock, connection_id) -> None:
    waiting = watch(connection_id, clock, since=None)
    assert waiting.poll(client) is None
    job_id = ended(airbyte, clock, connection_id)
    assert waiting.poll(client) == job_id


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_failure_is_told_once_and_the_wait_goes_on(airbyte, client, clock, connection_id, end) -> None:
    ended(airbyte, clock, connection_id, end)
    since = clock.now + 1
    warnings: list[str] = []
    waiting = watch(connection_id, clock, since=since, warnings=warnings)
    assert waiting.poll(client) is None
    assert warnings == []
    job_id = ended(airbyte, clock, connection_id, end)
    assert waiting.poll(client) is None
    assert waiting.poll(client) is None
    [warning] = warnings
    assert f"Job {job_id} " in warning
    assert "Waiting for a sync that succeeds." in warning
    assert waiting.poll(client) is None
    after = ended(airbyte, clock, connection_id)
    assert waiting.poll(client) == after


@pytest.mark.parametrize(("end", "error"), [("failed", AirbyteJobFailedError), ("cancelled", AirbyteJobCancelledError)])
def test_a_failure_can_be_the_end_of_the_wait(airbyte, client, clock, connection_id, end, error) -> None:
    failure = Failure(origin="source", type="config_error", message="The API key was rejected.")
    ended(airbyte, clock, connection_id, "cancelled")
    job_id = ended(airbyte, clock, connection_id, end, failure=failure if end == "failed" else None)
    with pytest.raises(error) as caught:
        watch(connection_id, clock, on_failure="fail").poll(client)
    assert caught.value.job_id == job_id
    if end == "failed":
        assert "The API key was rejected." in str(caught.value)


def test_an_unknown_connection_is_no_reason_to_wait(airbyte, client, clock) -> None:
    with pytest.raises(AirbyteConnectionUnknownError, match=f"has no connection {UNKNOWN_ID}"):
        watch(UNKNOWN_ID, clock).poll(client)


def test_a_connection_that_is_deleted_during_the_wait_ends_it(airbyte, client, clock, connection_id) -> None:
    waiting = watch(connection_id, clock)
    assert waiting.poll(client) is None
    client.delete_connection(connection_id=connection_id)
    assert waiting.poll(client) is None
    clock.now += CHECK_INTERVAL
    with pytest.raises(AirbyteConnectionDeletedError, match="was deleted in Airbyte"):
        waiting.poll(client)


def test_an_inactive_connection_is_warned_about_and_may_be_enabled_again(airbyte, client, clock) -> None:
    connection_id = airbyte.add_connection(name="Paused", status="inactive")
    warnings: list[str] = []
    waiting = watch(connection_id, clock, warnings=warnings)
    assert [waiting.poll(client) for _ in range(3)] == [None] * 3
    text = 'is inactive, so nothing will sync it; waiting until somebody enables it (on_failure="wait").'
    assert warnings == [f"Connection 'Paused' ({connection_id}) {text}"]
    for _ in range(4):
        clock.now += CHECK_INTERVAL
        assert waiting.poll(client) is None
    assert len(warnings) == 1 + 4 * CHECK_INTERVAL // LOG_INTERVAL
    with pytest.raises(AirbyteConnectionInactiveError):
        watch(connection_id, clock, on_failure="fail").poll(client)


def test_a_success_of_a_connection_that_is_inactive_by_now_is_a_success(airbyte, client, clock, connection_id) -> None:
    job_id = ended(airbyte, clock, connection_id)
    client.delete_connection(connection_id=connection_id)
    assert watch(connection_id, clock, on_failure="fail").poll(client) == job_id


def test_a_look_costs_one_small_request(airbyte, client, clock, connection_id) -> None:
    for _ in range(30):
        ended(airbyte, clock, connection_id)
    waiting = watch(connection_id, clock, since=clock.now + 1)
    waiting.poll(client)
    airbyte.reset()
    waiting.poll(client)
    [request] = airbyte.journal
    assert request.operation_id == "listJobsFor"
    assert request.body["pagination"]["pageSize"] == 10


def test_the_walk_back_has_an_end(airbyte, client, clock, connection_id) -> None:
    for _ in range(MAX_JOBS + 15):
        ended(airbyte, clock, connection_id, "cancelled", took=1)
    assert len(list(ended_syncs(client, connection_id))) == MAX_JOBS


def test_looks_that_fail_are_borne_until_the_patience_is_used_up(airbyte, client, clock, connection_id) -> None:
    warnings: list[str] = []
    waiting = watch(connection_id, clock, polling=Polling(poll_error_timeout=100), warnings=warnings)
    assert waiting.poll(client) is None
    airbyte.fail_next("listJobsFor", Fault.status(503), times=4)
    for _ in range(2):
        assert waiting.poll(client) is None
        clock.now += 60
    assert len(warnings) == 2
    assert "giving up at" in warnings[0]
    with pytest.raises(AirbyteJobStatusUnavailableError, match="could not be read for 120 s"):
        waiting.poll(client)
    assert waiting.poll(client) is None, "a retry is patient again"


def test_an_outage_at_the_first_look_is_borne_as_well(airbyte, client, clock, connection_id) -> None:
    airbyte.fail_next("listJobsFor", Fault.status(503), times=5)
    waiting = watch(connection_id, clock)
    assert waiting.poll(client) is None
    job_id = ended(airbyte, clock, connection_id)
    assert waiting.poll(client) == job_id


def test_outages_that_end_do_not_add_up(airbyte, client, clock, connection_id) -> None:
    waiting = watch(connection_id, clock, polling=Polling(poll_error_timeout=100))
    waiting.poll(client)
    for _ in range(3):
        airbyte.fail_next("listJobsFor", Fault.drop_before())
        assert waiting.poll(client) is None
        clock.now += 90
        assert waiting.poll(client) is None
        clock.now += 90


def test_the_patience_adds_up_over_processes(airbyte, client, clock, connection_id) -> None:
    first = watch(connection_id, clock, polling=Polling(poll_error_timeout=100))
    first.poll(client)
    airbyte.fail_next("listJobsFor", Fault.status(503), times=2)
    first.poll(client)
    clock.now += 150
    with pytest.raises(AirbyteJobStatusUnavailableError, match="150 s"):
        watch(connection_id, clock, polling=Polling(poll_error_timeout=100), known=first.known).poll(client)


def test_wrong_credentials_are_told_at_the_first_look_and_borne_later(start_fake, connect, clock) -> None:
    airbyte = start_fake(auth="basic")
    connection_id = airbyte.add_connection()
    with pytest.raises(AirbyteAuthenticationError):
        watch(connection_id, clock).poll(connect(airbyte, password="wrong"))
    waiting = watch(connection_id, clock)
    assert waiting.poll(connect(airbyte)) is None
    assert waiting.poll(connect(airbyte, password="wrong")) is None


def test_the_wait_ends_at_its_deadline_and_says_what_it_waited_for(airbyte, client, clock, connection_id) -> None:
    start, waiting = clock.now, watch(connection_id, clock, since=0.0, polling=Polling(60, clock.now + 1000))
    waiting.poll(client)
    assert waiting.pause() == 60
    clock.now = start + 990
    assert waiting.pause() == 10
    assert watch(connection_id, clock, polling=Polling(60)).pause() == 60
    clock.now = start + 1000
    with pytest.raises(AirbyteJobTimeoutError, match="ended well at or after 1970-01-01T00:00:00"):
        waiting.pause()


def test_the_next_look_waits_as_long_as_airbyte_asks(airbyte, client, clock, connection_id) -> None:
    waiting = watch(connection_id, clock, polling=Polling(5))
    waiting.poll(client)
    airbyte.fail_next("listJobsFor", Fault.status(429, headers={"Retry-After": "40"}))
    waiting.poll(client)
    assert waiting.pause() == 40
    waiting.poll(client)
    assert waiting.pause() == 5


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T06:00:00+00:00",
        "2026-01-31 06:00:00+00:00",
        "2026-01-31T06:00:00Z",
        " 2026-01-31T07:00:00+01:00 ",
        datetime(2026, 1, 31, 6, tzinfo=UTC),
    ],
)
def test_a_time_is_given_in_many_ways(value) -> None:
    assert moment_argument("completed_after", value) == datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("value", ["", "None", "yesterday", "1760000000", 5, True, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_an_error(value) -> None:
    with pytest.raises(AirbyteConfigurationError, match=r"completed_after is .*, which is not a time .* rendered to"):
        moment_argument("completed_after", value)


@pytest.mark.parametrize("value", ["2026-01-31", "2026-01-31T06:00:00", datetime(2026, 1, 31, 6)])
def test_a_time_without_its_zone_is_an_error_that_shows_how_to_write_it(value) -> None:
    with pytest.raises(AirbyteConfigurationError, match=r"does not say its time zone.*2026-01-31T0.:00:00\+00:00"):
        moment_argument("completed_after", value)


def test_the_log_says_what_is_waited_for_and_then_only_what_changes(airbyte, client, clock, connection_id) -> None:
    ended(airbyte, clock, connection_id)
    ended(airbyte, clock, connection_id, "failed")
    said: list[str] = []
    since = clock.now + 1
    waiting = watch(connection_id, clock, since=since, said=said)

    def look(known=None) -> list[str]:
        said.clear()
        one = watch(connection_id, clock, since=since, said=said, known=known) if known else waiting
        assert one.poll(client) is None
        return list(said)

    when, then = (datetime.fromtimestamp(at, tz=UTC).isoformat() for at in (since, clock.now - 60))
    name = f"connection 'Orders' ({connection_id})"
    line = (
        f"Waiting for a sync of {name} that ended at or after {when}; "
        f"the newest one that succeeded: job 1, ended {then}, too early."
    )
    assert look() == [line]
    assert look() == []
    assert look(json.loads(json.dumps(waiting.known))) == [], "nor in another process"
    airbyte.script(connection_id, [Step("running", seconds=10**9)])
    job_id = airbyte.start_job(connection_id)
    assert look() == [f"Job {job_id} runs."]
    assert look(json.loads(json.dumps(waiting.known))) == []
    clock.now += LOG_INTERVAL
    assert look() == [line]
    assert look() == []
    assert waiting.summary() == (
        f"No sync of {name} has ended well at or after {when}; "
        f"the newest one that succeeded: job 1, ended {then}, too early."
    )
    airbyte.advance(job_id, "succeeded")
    assert waiting.poll(client) == job_id
    end = datetime.fromtimestamp(clock.now, tz=UTC).isoformat()
    assert said == [f"Job {job_id} of {name} succeeded; it ended at {end}."]


def test_the_log_of_the_wait_for_the_next_sync(airbyte, client, clock, connection_id) -> None:
    said: list[str] = []
    waiting = watch(connection_id, clock, since=None, said=said)
    waiting.poll(client)
    name = f"connection 'Orders' ({connection_id})"
    assert said == [f"Waiting for the next sync of {name}; none has succeeded lately."]


def test_an_inactive_connection_that_is_enabled_again_is_told_of(airbyte, client, clock) -> None:
    connection_id = airbyte.add_connection(name="Paused", status="inactive")
    said: list[str] = []
    waiting = watch(connection_id, clock, said=said)
    waiting.poll(client)
    clock.now += CHECK_INTERVAL
    airbyte.fail_next("getConnection", Fault.status(500), times=1)
    waiting.poll(client)
    assert len(said) == 1, "a look that cannot see the connection says nothing about it"
    client.update_connection(connection_id=connection_id, status="active")
    clock.now += CHECK_INTERVAL
    waiting.poll(client)
    assert said[1] == f"Connection 'Paused' ({connection_id}) can be synced again."
