"""The ends of many connections' syncs: each told once, none lost, with few requests."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.jobs.syncs import MAX_READ_ONE_BY_ONE, SWEEP_INTERVAL, Cursor, SyncFeed, ends_after
from airflow_airbyte_ext.testing import Fault, Step

MANY = MAX_READ_ONE_BY_ONE + 7


def ended(airbyte, clock, connection_id, status="succeeded") -> int:
    airbyte.script(connection_id, [Step("running", seconds=10**9)])
    job_id = airbyte.start_job(connection_id)
    clock.now += 60
    airbyte.advance(job_id, status)
    return job_id


class Reader:
    """Somebody who reads poll by poll, and notes what is told."""

    def __init__(self, client, clock, connection_ids) -> None:
        self.endings = SyncFeed(client, clock=clock)
        self.cursors = dict.fromkeys(connection_ids)
        self.shown: list[int] = []

    def poll(self) -> list[int]:
        shown = []
        for connection_id, reports in self.endings.poll(self.cursors).items():
            cursor = self.cursors[connection_id]
            if cursor is None:
                self.cursors[connection_id] = Cursor().after(reports[0]) if reports else Cursor()
                continue
            for report in ends_after(reports, cursor):
                self.cursors[connection_id] = cursor = cursor.after(report)
                shown.append(report.job_id)
        self.shown += shown
        return shown


@pytest.mark.parametrize("era", ["0.36", "0.40", "0.50", "1.0", "2.0", "head"])
@pytest.mark.parametrize("count", [1, MANY])
def test_each_end_is_told_once_in_order(start_fake, connect, clock, era, count) -> None:
    airbyte = start_fake(era)
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(count)]
    ended(airbyte, clock, ids[0])
    reader = Reader(connect(airbyte), clock, ids)
    assert reader.poll() == []
    assert reader.poll() == []
    first, second = ended(airbyte, clock, ids[-1]), ended(airbyte, clock, ids[-1], "failed")
    assert reader.poll() == [first, second]
    third = ended(airbyte, clock, ids[0])
    assert reader.poll() == [third]
    assert reader.poll() == []


def test_a_sync_that_runs_at_the_first_look_is_told_when_it_ends(airbyte, client, clock) -> None:
    connection_id = airbyte.add_connection()
    airbyte.script(connection_id, [Step("running", seconds=100), Step("succeeded")])
    job_id = airbyte.start_job(connection_id)
    reader = Reader(client, clock, [connection_id])
    assert reader.poll() == []
    clock.now += 100
    assert reader.poll() == [job_id]


def test_many_connections_cost_one_request_while_nothing_ends(airbyte, client, clock) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(MANY)]
    for connection_id in ids:
        ended(airbyte, clock, connection_id)
    reader = Reader(client, clock, ids)
    reader.poll()
    reader.poll()
    airbyte.reset()
    reader.poll()
    assert [request.operation_id for request in airbyte.journal] == ["listJobsForWorkspaces"]
    job_id = ended(airbyte, clock, ids[4])
    airbyte.reset()
    assert reader.poll() == [job_id]
    assert [request.operation_id for request in airbyte.journal] == ["listJobsForWorkspaces", "listJobsFor"]


def test_what_the_list_of_all_jobs_hides_is_found_all_the_same(airbyte, client, clock) -> None:
    """Workspaces that the credentials do not see, and lists that are late."""
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(MANY)]
    reader = Reader(client, clock, ids)
    reader.poll()
    reader.poll()
    job_id = ended(airbyte, clock, ids[0])
    reader.endings._newest[ids[0]] = job_id
    assert reader.poll() == []
    clock.now += SWEEP_INTERVAL
    assert reader.poll() == [job_id]


def test_a_list_that_is_refused_is_no_hindrance(airbyte, client, clock) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(MANY)]
    airbyte.fail_next("listJobsForWorkspaces", Fault.status(403))
    reader = Reader(client, clock, ids)
    reader.poll()
    job_id = ended(airbyte, clock, ids[0])
    assert reader.poll() == [job_id]


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize(
    "fault", [Fault.drop_before(), Fault.status(500), Fault.status(503), Fault.status(401), Fault.html()], ids=str
)
def test_nothing_is_lost_in_an_outage(airbyte, client, clock, count, fault) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(count)]
    reader = Reader(client, clock, ids)
    reader.poll()
    job_ids = [ended(airbyte, clock, ids[0]), ended(airbyte, clock, ids[0])]
    airbyte.fail_next("*", fault, times=2)
    for _ in range(4):
        reader.poll()
        clock.now += 60
    assert reader.shown == job_ids


def test_while_airbyte_is_down_it_is_asked_once_a_poll(airbyte, client, clock) -> None:
    reader = Reader(client, clock, [airbyte.add_connection(name=f"c{number}") for number in range(MAX_READ_ONE_BY_ONE)])
    reader.poll()
    airbyte.reset()
    airbyte.fail_next("*", Fault.status(503), times=5)
    for _ in range(5):
        reader.poll()
    assert len(airbyte.journal) == 5


def test_a_connection_that_cannot_be_read_does_not_stop_the_others(airbyte, client, clock) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(2)]
    reader = Reader(client, clock, ids)
    reader.poll()
    job_id = ended(airbyte, clock, ids[1])
    airbyte.fail_next("listJobsFor", Fault.status(404))
    assert reader.poll() == [job_id]


def test_a_connection_that_nobody_can_sync_is_warned_about(airbyte, client, clock, caplog) -> None:
    reader = Reader(client, clock, ["99999999-9999-4999-8999-999999999999"])
    reader.poll()
    reader.poll()
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "has no connection 99999999" in warning


def test_an_airbyte_that_counts_from_one_again_loses_nothing(airbyte, client, clock) -> None:
    """An Airbyte that was set up again counts from one and nothing is lost."""
    connection_id = airbyte.add_connection()
    reader = Reader(client, clock, [connection_id])
    reader.cursors[connection_id] = Cursor(job_id=500, ended_at=clock.now)
    assert reader.poll() == []
    first = ended(airbyte, clock, connection_id)
    assert reader.poll() == [first]
    second = ended(airbyte, clock, connection_id)
    assert reader.poll() == [second]


def test_an_airbyte_that_was_restored_does_not_tell_of_old_syncs_again(airbyte, client, clock) -> None:
    connection_id = airbyte.add_connection()
    ended(airbyte, clock, connection_id)
    reader = Reader(client, clock, [connection_id])
    reader.cursors[connection_id] = Cursor(job_id=500, ended_at=clock.now + 1)
    assert reader.poll() == []
    after = ended(airbyte, clock, connection_id)
    assert reader.poll() == [after]


def test_a_newcomer_is_read_at_once_however_many_there_are(airbyte, client, clock) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(MANY)]
    reader = Reader(client, clock, ids)
    reader.poll()
    assert reader.endings.poll(reader.cursors) == {}
    assert set(reader.endings.poll(reader.cursors, unread=ids[:1])) == set(ids[:1])


def test_what_nobody_watches_any_more_is_forgotten(airbyte, client, clock) -> None:
    ids = [airbyte.add_connection(name=f"c{number}") for number in range(MANY)]
    for connection_id in ids:
        ended(airbyte, clock, connection_id)
    reader = Reader(client, clock, ids)
    reader.poll()
    airbyte.fail_next("listJobsFor", Fault.status(500))
    reader.endings.poll(reader.cursors, unread=ids[:1])
    endings = reader.endings
    kept = (endings._workspaces, endings._newest, endings._read_at, endings._warned_at)
    assert all(ids[0] in known for known in kept)
    endings.poll(dict.fromkeys(ids[-1:]))
    assert set().union(*kept, endings._is_due) <= {ids[-1], ""}
