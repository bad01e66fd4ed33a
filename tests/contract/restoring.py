"""One connection whose state is to be restored: what a restore asks and sends, and what may be left of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from restore_steps import restored

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.clock import SystemClock
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.snapshots.store import SnapshotStore

if TYPE_CHECKING:
    from airflow_airbyte_ext.snapshots.snapshot import Snapshot

CONNECTION = "11111111-1111-4111-8111-111111111111"
STREAMS = ["a", "b", ("public", "c")]
WRITES = ("createOrUpdateState", "createOrUpdateStateSafe")


def row(name: str, state: Any, namespace: str | None = None) -> dict[str, Any]:
    descriptor = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"streamDescriptor": descriptor, "streamState": state}


STREAM = {
    "stateType": "stream",
    "connectionId": CONNECTION,
    "streamState": [row("a", {"cursor": "1"}), row("b", {"cursor": "2"})],
}
OTHER_STREAM = {
    "stateType": "stream",
    "connectionId": CONNECTION,
    "streamState": [row("a", {"cursor": "9"}), row("c", {"cursor": "3"}, "public")],
}
GLOBAL = {
    "stateType": "global",
    "connectionId": CONNECTION,
    "globalState": {"shared_state": {"lsn": 7}, "streamStates": [row("a", {}), row("c", {"cursor": "5"}, "public")]},
}
NOT_SET = {"stateType": "not_set", "connectionId": CONNECTION}
# The state now, and the one to restore: in one write, and in two.
ONE_STEP, TWO_STEPS = (OTHER_STREAM, STREAM), (GLOBAL, STREAM)


def said_by(state: dict[str, Any]) -> Any:
    """What a state says, whatever the order of its streams; JSON nulls show."""
    part = state.get("globalState") or {}
    rows = state.get("streamState") or part.get("streamStates") or []
    streams = sorted(json.dumps(each, sort_keys=True) for each in rows)
    return state.get("stateType"), streams, part.get("shared_state", "-"), state.get("state", "-")


def poison_in(state: dict[str, Any]) -> bool:
    """Whether a write holds what Airbyte would store as a JSON null, or cannot take."""
    part = state.get("globalState") or {}
    rows = state.get("streamState") or part.get("streamStates") or []
    nulls = any("streamState" in each and each["streamState"] is None for each in rows)
    return nulls or part.get("shared_state", 0) is None or state["stateType"] == "not_set"


class Scene:
    """A connection with a state, and a store with a snapshot of the state to restore as its latest."""

    def __init__(self, airbyte, client, clock, root, before=OTHER_STREAM, target=STREAM) -> None:
        self.airbyte, self.client, self.clock = airbyte, client, clock
        self.store = SnapshotStore(root)
        airbyte.add_connection("Orders", streams=STREAMS, connection_id=CONNECTION)
        # The target is backed up as it would be: read from the server.
        airbyte.set_state(CONNECTION, target)
        self.snapshot = self.back_up()
        self.ref = self.store.write(self.snapshot)
        self.target, self.before = said_by(airbyte.state(CONNECTION)), said_by(before)
        airbyte.set_state(CONNECTION, before)
        clock.sleep(60)
        airbyte.reset()

    def back_up(self) -> Snapshot:
        return take_snapshot(self.client, CONNECTION, clock=self.clock)

    def restore(self, *, dry_run: bool = False, client=None, how: dict[str, Any] | None = None, **options: Any):
        wanted = self.store.read(self.store.find(CONNECTION, "latest")).content
        restorer = Restorer(client or self.client, self.store, CONNECTION, clock=self.clock, **options)
        return restored(restorer, lambda current: target_of(wanted, current, **(how or {})), dry_run=dry_run)

    @property
    def now(self) -> Any:
        return said_by(self.airbyte.state(CONNECTION))

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The bodies of all state that was ever sent."""
        return [request.body["connectionState"] for request in self.airbyte.journal if request.operation_id in WRITES]

    @property
    def kept(self) -> list[Any]:
        """What the safety snapshots say."""
        return [said_by(self.store.read(ref).state) for ref in self.store.snapshots(CONNECTION, safety=True)]

    def go_back(self, path: str) -> None:
        """Restore the snapshot that an error has named."""
        snapshot = self.store.read(self.store.find(CONNECTION, path))
        restorer = Restorer(self.client, self.store, CONNECTION, clock=self.clock)
        restored(restorer, lambda current: target_of(content_of(snapshot.state), current))


def restore_latest(url: str, root: str) -> None:
    """Restore the latest snapshot exactly: what a process of its own does, which a test kills."""
    clock = SystemClock()
    with AirbyteClient(ClientSettings(base_url=url, timeout=300), clock=clock) as client:
        store = SnapshotStore(root)
        wanted = store.read(store.find(CONNECTION, "latest")).content
        restorer = Restorer(client, store, CONNECTION, clock=clock)
        restored(restorer, lambda current: target_of(wanted, current))
