"""A cancelled or failed job may write state after its end: facts, 3.6."""

from __future__ import annotations

import logging

import pytest

from airflow_airbyte_ext.exceptions import AirbyteJobTimeoutError
from airflow_airbyte_ext.jobs.running import wait_for_late_state

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")


def end(airbyte, connection_id: str, status: str, kind: str = "sync") -> int:
    job_id = airbyte.start_job(connection_id, kind)
    airbyte.advance(job_id, status)
    return job_id


class Undated:
    """A client of a server that does not say what time it is."""

    def __init__(self, client) -> None:
        self._client = client

    def __getattr__(self, name: str):
        return getattr(self._client, name)

    def server_time(self) -> None:
        return None


@pytest.mark.parametrize("status", ["cancelled", "failed"])
@pytest.mark.parametrize("era", ERAS)
def test_waits_for_the_rest(start_fake, connect, clock, caplog, era, status):
    """From the job's end, by the server's clock, until 90 seconds after it; and says so."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    job_id = end(airbyte, connection_id, status)
    clock.now += 30
    with caplog.at_level(logging.INFO):
        assert wait_for_late_state(connect(airbyte), connection_id, clock=clock)
    assert clock.sleeps == [60]
    assert f"Job {job_id} (sync) was {status}" in caplog.text
    assert not wait_for_late_state(connect(airbyte), connection_id, clock=clock)


@pytest.mark.parametrize("kinds", [["reset_connection"], ["reset_connection", "sync"]])
def test_a_short_job_may_stand_before_it(airbyte, client, clock, kinds):
    """What the cancelled sync still writes would undo the reset that followed it."""
    connection_id = airbyte.add_connection()
    end(airbyte, connection_id, "cancelled")
    for kind in kinds:
        clock.now += 10
        end(airbyte, connection_id, "succeeded", kind)
    assert wait_for_late_state(client, connection_id, clock=clock)
    assert clock.sleeps == [90 - 10 * len(kinds)]


def test_nothing_to_wait_for(airbyte, client, clock):
    """No job, a good one, and one that was cancelled long ago."""
    connection_id = airbyte.add_connection()
    assert not wait_for_late_state(client, connection_id, clock=clock)
    end(airbyte, connection_id, "cancelled")
    clock.now += 90
    end(airbyte, connection_id, "succeeded")
    assert not wait_for_late_state(client, connection_id, clock=clock)
    assert clock.sleeps == []


def test_only_the_servers_clock_counts(airbyte, client, clock):
    """Ours may be wrong by hours: what it says is used for nothing but the deadline."""
    connection_id = airbyte.add_connection()
    end(airbyte, connection_id, "cancelled")

    sleeps: list[float] = []

    class Wrong:
        def time(self) -> float:
            return clock.now - 7200

        def sleep(self, seconds: float) -> None:
            sleeps.append(seconds)

    wait_for_late_state(client, connection_id, clock=Wrong())
    assert sleeps == [90]


def test_without_a_date_the_newest_job_has_just_ended(airbyte, client, clock):
    """So it waits once where that job was cancelled, and not for what ended long before it."""
    connection_id = airbyte.add_connection()
    end(airbyte, connection_id, "cancelled")
    clock.now += 3600
    assert wait_for_late_state(Undated(client), connection_id, clock=clock)
    assert clock.sleeps == [90]
    end(airbyte, connection_id, "succeeded")
    assert not wait_for_late_state(Undated(client), connection_id, clock=clock)


def test_a_deadline_is_kept(airbyte, client, clock):
    """Rather an error than a task that waits longer than it may."""
    connection_id = airbyte.add_connection()
    job_id = end(airbyte, connection_id, "cancelled")
    with pytest.raises(AirbyteJobTimeoutError, match=r"(?i)nothing was changed.*90 seconds") as caught:
        wait_for_late_state(client, connection_id, clock=clock, deadline=clock.now + 89)
    assert caught.value.job_id == job_id
    assert clock.sleeps == []
    assert wait_for_late_state(client, connection_id, clock=clock, deadline=clock.now + 90)
