"""Restoring over rows that Airbyte's database should not have: two of one stream, and null ones (facts, 3.6)."""

from __future__ import annotations

from typing import Any

import pytest
from raw_server import RawServer
from restore_steps import restored
from restoring import said_by
from true_airbyte import TrueAirbyte
from true_bytes import CONNECTION

from airflow_airbyte_ext.exceptions import AirbyteRestoreRefusedError
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.snapshots.store import SnapshotStore


def row(name: str, state: Any) -> dict[str, Any]:
    return {"streamDescriptor": {"name": name}, "streamState": state}


def stream_state(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"stateType": "stream", "connectionId": CONNECTION, "streamState": list(rows)}


class ManyRows(TrueAirbyte):
    """No key holds rows without a namespace back: an update reaches all of them, and a deletion takes all."""

    reads = 0

    @property
    def state(self) -> dict[str, Any]:
        """Whose rows come in another order whenever they are read, since none is defined."""
        self.reads += 1
        rows = self._kept.get("streamState", [])
        return {**self._kept, "streamState": rows[:: -1 if self.reads % 2 else 1]}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._kept = state

    def _write_state(self, body: dict[str, Any]) -> Any:
        rows = list(self.state.get("streamState", []))
        for entry in body["connectionState"]["streamState"]:
            same = [each for each in rows if each["streamDescriptor"] == entry["streamDescriptor"]]
            if "streamState" not in entry:
                rows = [each for each in rows if each not in same]
            elif same:
                rows = [entry if each in same else each for each in rows]
            else:
                rows.append(entry)
        self.state = stream_state(*rows) if rows else {"stateType": "not_set", "connectionId": CONNECTION}
        self.states.append(self.state)
        return self.state


@pytest.fixture
def scene(connect_to, clock, tmp_path):
    airbyte = ManyRows("2.0.0")
    server = RawServer(airbyte)
    client, store = connect_to(server.url), SnapshotStore(tmp_path)
    yield airbyte, client, store, Restorer(client, store, CONNECTION, clock=clock)
    server.close()


TWICE = (row("a", {"c": 1}), row("b", {"c": 5}), row("a", {"c": 2}))
WANTED = stream_state(row("a", {"c": 2}))


@pytest.mark.parametrize("rows", [TWICE, (row("a", None), row("a", {"c": 2})), (row("a", {"c": 2}), row("b", None))])
def test_the_wanted_state_is_alone_afterwards(scene, rows):
    """However the rows are ordered when they are read; the state before is kept with all of them."""
    airbyte, _, store, restorer = scene
    airbyte.state = stream_state(*rows)
    result = restored(restorer, lambda current: target_of(content_of(WANTED), current))
    assert {str(each) for each in airbyte.state["streamState"]} == {str(row("a", {"c": 2}))}
    assert said_by(store.read(result.safety).state) == said_by(stream_state(*rows))
    assert restored(restorer, lambda current: target_of(content_of(WANTED), current)).safety is None


def test_an_order_of_rows_is_no_change(scene, clock):
    """Or each backup of such a state would be another, and no restore of another stream would be verified."""
    airbyte, client, store, restorer = scene
    airbyte.state = stream_state(*TWICE)
    first, second = (take_snapshot(client, CONNECTION, clock=clock) for _ in range(2))
    assert first.state != second.state
    assert first.digest == second.digest
    restored(restorer, lambda current: target_of(content_of(stream_state(row("b", {"c": 0}))), current, mode="merge"))
    assert sorted(map(str, airbyte.state["streamState"])) == sorted(
        map(str, (row("a", {"c": 1}), row("a", {"c": 2}), row("b", {"c": 0})))
    )
    store.write(first)
    with pytest.raises(AirbyteRestoreRefusedError, match="several rows, which differ, of a"):
        restored(restorer, lambda current: target_of(first.content, current))
