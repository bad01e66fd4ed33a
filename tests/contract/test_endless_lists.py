"""Lists whose server always has another page: all that reads one ends, and says why."""

from __future__ import annotations

import itertools
import json

import pytest
from hostile import hostile_proxy, response

from airflow_airbyte_ext.connections import find
from airflow_airbyte_ext.connections.find import connection_by_name, find_connections
from airflow_airbyte_ext.exceptions import AirbyteResponseError
from airflow_airbyte_ext.jobs import changes as jobs_recent
from airflow_airbyte_ext.jobs import reader as jobs_find
from airflow_airbyte_ext.jobs.changes import ChangeFeed
from airflow_airbyte_ext.jobs.reader import JobReader, first_job_after, jobs_of
from airflow_airbyte_ext.jobs.syncs import SyncPoller, ended_syncs

PAGES = 40


class Endless:
    """Rows that nobody has seen before, as many as a page may have, for ever."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pages = 0
        self.numbers = itertools.count()

    def __call__(self, exchange):
        if exchange.operation not in (
            "jobs/list",
            "jobs/list_for_workspaces",
            "web_backend/connections/list",
            "sources/list",
        ):
            return None
        self.pages += 1
        rows = [self._row(exchange.operation, next(self.numbers)) for _ in range(100)]
        name = {"jobs": "jobs", "web_": "connections", "sour": "sources"}[exchange.operation[:4]]
        return [response(json.dumps({name: rows, "page_size": 100}).encode())]

    def _row(self, operation: str, number: int) -> dict[str, object]:
        if operation.startswith("jobs"):
            job_id = {"falling": 10**9 - number, "growing": 1000 + number, "the same": 1000 + number % 100}[self.kind]
            job = {
                "id": job_id,
                "status": "failed",
                "configType": "sync",
                "createdAt": 1_760_000_000,
                "updatedAt": 1_760_000_000,
            }
            return {"job": job, "attempts": []}
        text = f"00000000-0000-4000-8000-{number % (100 if self.kind == 'the same' else 10**9):012d}"
        return {"connectionId": text, "sourceId": text, "name": f"Number {number}", "status": "active"}


@pytest.fixture
def endless(airbyte, connect_to, monkeypatch):
    """A client of such a server, and bounds that a test can reach."""
    monkeypatch.setattr(find, "MAX_PAGES", PAGES)
    monkeypatch.setattr(jobs_find, "MAX_PAGES", PAGES)
    monkeypatch.setattr(jobs_recent, "MAX_PAGES", PAGES)
    with hostile_proxy(airbyte.url) as proxy:
        connection_id = airbyte.add_connection()

        def make(kind: str):
            proxy.spoil = make.server = Endless(kind)  # type: ignore[attr-defined]
            return connect_to(proxy.url), connection_id, airbyte.workspace_id

        yield make


@pytest.mark.parametrize("kind", ["falling", "growing", "the same"])
@pytest.mark.parametrize("read", ["jobs", "the first after", "one of the list"])
def test_jobs_of_a_connection_end(endless, kind, read):
    """Ids fall and pages are counted: a list that does neither is an error that says so."""
    client, connection_id, _ = endless(kind)
    reads = {
        "jobs": lambda: list(jobs_of(client, connection_id, ["sync"])),
        "the first after": lambda: first_job_after(client, connection_id, 5, kind="sync"),
        "one of the list": lambda: JobReader(client, 5, connection_id=connection_id).listed(),
    }
    with pytest.raises(AirbyteResponseError, match="does not end"):
        reads[read]()
    assert endless.server.pages == (2 if kind == "the same" else PAGES)


@pytest.mark.parametrize("kind", ["falling", "growing", "the same"])
def test_looking_for_a_success_ends(endless, clock, kind):
    """A watch looks back so many jobs, and no more; what cannot be read is a poll that failed."""
    client, connection_id, _ = endless(kind)
    assert SyncPoller(connection_id, since=0.0, clock=clock).poll(client) is None
    try:
        assert len(list(ended_syncs(client, connection_id))) <= 200
    except AirbyteResponseError as error:
        assert "does not end" in str(error)  # noqa: PT017  either is an end


@pytest.mark.parametrize("kind", ["falling", "growing", "the same"])
def test_jobs_of_workspaces_end(endless, clock, kind):
    """A walk that was cut off says that it is not complete."""
    client, _, workspace_id = endless(kind)
    recent = ChangeFeed(client, clock=clock)
    for _ in range(3):
        for _page in recent.read([workspace_id]):
            pass
        clock.sleep(61)
    assert not recent.is_complete or kind == "the same"


@pytest.mark.parametrize("read", ["connections", "by name"])
def test_rows_of_a_workspace_end(endless, read):
    """A page full of news is not the last one, but for one too many."""
    client, _, workspace_id = endless("falling")
    reads = {
        "connections": lambda: find_connections(client, workspace_id=workspace_id),
        "by name": lambda: connection_by_name(client, workspace_id=workspace_id, name="Orders"),
    }
    with pytest.raises(AirbyteResponseError, match=f"after {PAGES} pages with {PAGES * 100} rows"):
        reads[read]()


def test_the_same_page_again_is_the_last_one(endless):
    """A server that does not know the cursor says the first page for ever, which is the whole list then."""
    client, _, workspace_id = endless("the same")
    assert len(find_connections(client, workspace_id=workspace_id)) == 100
