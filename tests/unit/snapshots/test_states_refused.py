"""States that are not understood: refused, and never taken for no state or for another one."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from restore_steps import restored
from snapshot_states import CONNECTION, entry, global_state, legacy_state, nested, not_set, stream_state

from airflow_airbyte_ext.exceptions import (
    AirbyteResponseError,
    AirbyteRestoreUnverifiedError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotError,
)
from airflow_airbyte_ext.snapshots.diff import diff
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import Snapshot, take_snapshot
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.snapshots.store import SnapshotStore

KNOWN = {"stream": stream_state(entry("a", {"c": 1})), "global": global_state(entry("a", {"c": 1}), shared={"l": 2})}
CONTRADICTIONS = {
    "a type of a later release": {**KNOWN["stream"], "stateType": "stream_v2"},
    "a type in capitals": {**KNOWN["stream"], "stateType": "STREAM"},
    "a type that is a number": {**KNOWN["stream"], "stateType": 5},
    "a type that is a list": {**KNOWN["stream"], "stateType": ["stream"]},
    "no state, with rows": {**KNOWN["stream"], "stateType": "not_set"},
    "no state, with a blob": {**legacy_state({"c": 1}), "stateType": "not_set"},
    "streams, in a global state's place": {**KNOWN["global"], "stateType": "stream"},
    "streams, with a blob beside": {**KNOWN["stream"], "state": {"c": 1}},
    "a global state, in the streams' place": {**KNOWN["stream"], "stateType": "global"},
    "a legacy state, with rows": {**KNOWN["stream"], "stateType": "legacy"},
    "no type, with rows": {key: value for key, value in KNOWN["stream"].items() if key != "stateType"},
    "no type, with a global state": {key: value for key, value in KNOWN["global"].items() if key != "stateType"},
    "rows that are an object": {**KNOWN["stream"], "streamState": {"a": {"c": 1}}},
    "rows that are a text": {**KNOWN["stream"], "streamState": "a"},
    "a row that is a text": {**KNOWN["stream"], "streamState": ["a"]},
    "a row without a name": {**KNOWN["stream"], "streamState": [{"streamState": {"c": 1}}]},
    "a name that is a number": {**KNOWN["stream"], "streamState": [entry(5, {"c": 1})]},
    "a namespace that is a list": {**KNOWN["stream"], "streamState": [entry("a", {"c": 1}, ["n"])]},
    "a global part that is a list": {**KNOWN["global"], "globalState": [1]},
}


@pytest.mark.parametrize("state", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_what_is_not_understood_is_refused(state):
    """Taken for no state it would be saved as "nothing", and a restore of that deletes everything."""
    with pytest.raises(AirbyteSnapshotError) as caught:
        content_of(state)
    assert "does not understand" in str(caught.value)
    assert '{"c": 1}' not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, [], {}, ""], ids=repr)
@pytest.mark.parametrize("kind", ["stream", "legacy", "global", "not_set", None, ""])
def test_empty_parts_beside_a_state_are_fine(kind, nothing):
    """Up to 0.39.8 every part is written out, empty where it is not of the type."""
    state = {"stateType": kind, "state": None, "streamState": nothing or None, "globalState": None}
    assert content_of(state).is_empty
    rest = {"streamState": nothing, "globalState": nothing, "state": None}
    assert content_of({**rest, **KNOWN["stream"]}).streams == {(None, "a"): {"c": 1}}
    assert content_of({**rest, **legacy_state({"c": 1})}).legacy == {"c": 1}
    assert content_of(not_set()).type == "not_set"


def document(state_text: str) -> bytes:
    """A file whose state is that text, and whose SHA-256 is the one of what Python reads from it."""
    snapshot = Snapshot.from_bytes(
        json.dumps(
            {
                "format": "airbyte-state-snapshot",
                "format_version": 1,
                "taken_at": "2026-03-01T02:03:04+00:00",
                "origin": {"base_url": "https://airbyte.example.com/api", "connection_id": CONNECTION},
                "state_sha256": content_of(not_set()).digest(),
                "state": not_set(),
            }
        ).encode(),
        where="the file",
    )
    state = json.loads(state_text)
    made = json.loads(snapshot.to_bytes())
    made["state_sha256"] = content_of(state).digest()
    made["state"] = "HERE"
    return json.dumps(made).replace('"HERE"', state_text).encode()


LOSES = [
    "0.12345678901234567890",
    "123456789012345678.5",
    "1.00000000000000000001",
    "0.10000000000000000000000000000000000001",
    "1000000000000000000000000000000.00000001",
    "1e-400",
    "1e-99999999999999999999",
]
KEEPS = [
    "0.1",
    "0.10000000000000001",
    "4.9E-324",
    "1.7976931348623157E308",
    "0.0",
    "-0.0",
    "0e-999",
    "0e99999999999999999999",
    "1e00000000000000000000000000000000005",
    "0.00100000000000000000000000000000000000",
    "2.50000000000000000000",
]


@pytest.mark.parametrize("number", LOSES)
def test_a_file_with_a_number_that_loses_digits_is_refused(number):
    """It would be restored as another one."""
    with pytest.raises(AirbyteSnapshotDamagedError, match="double can hold"):
        Snapshot.from_bytes(
            document(json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", number + "}")), where="it"
        )


@pytest.mark.parametrize("number", KEEPS)
def test_a_number_that_a_double_holds_is_read(number):
    """Java writes some doubles with a digit more than Python, and one digit less; both read back as the same double."""
    text = json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", number + "}")
    assert Snapshot.from_bytes(document(text), where="it").content.streams[None, "a"] == {"c": float(number)}


ANSWERS = {
    "a type of a later release": json.dumps(CONTRADICTIONS["a type of a later release"]),
    "not a number": json.dumps(stream_state(entry("a", {"c": float("nan")}))),
    "infinity": json.dumps(stream_state(entry("a", {"c": float("inf")}))),
    "beyond all bounds": json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", "1e99999999999999999999}"),
    "digits behind many zeros": json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", f"0.1{'0' * 40}1}}"),
    "too large": json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", "1e400}"),
    "too many digits": json.dumps(stream_state(entry("a", {"c": 0}))).replace("0}", "0.12345678901234567890}"),
}


@pytest.fixture
def server(stub):
    """A server with one connection; what its state is, tests say."""
    stub.response("/connections/get", {"connectionId": CONNECTION, "name": "Orders", "syncCatalog": {"streams": []}})
    stub.response("/jobs/list", {"jobs": []})
    stub.response("/health", {"available": True})
    return stub


@pytest.mark.parametrize("response", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_state_that_would_be_saved_as_another_is_not_saved(server, connect_to, tmp_path, response):
    server.response("/state/get", response.encode(), Content_Type="application/json")
    store = SnapshotStore(tmp_path / "store")
    with pytest.raises(
        (AirbyteSnapshotError, AirbyteResponseError), match=r"does not understand|double can hold|not JSON"
    ):
        store.write(take_snapshot(connect_to(server.url), CONNECTION))
    assert store.snapshots(CONNECTION) == []


@pytest.mark.parametrize("response", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_state_that_is_not_understood_after_a_write_names_the_way_back(server, connect_to, tmp_path, response):
    """Something was written, so that this is no refusal."""
    before = json.dumps(KNOWN["stream"]).encode()
    for body in (before, before, response.encode()):
        server.response("/state/get", body, Content_Type="application/json")
    server.response("/state/create_or_update_safe", stream_state(entry("a", {"c": 2})))
    store = SnapshotStore(tmp_path / "store")
    wanted = content_of(stream_state(entry("a", {"c": 2})))
    with pytest.raises(AirbyteRestoreUnverifiedError, match="could not be read back") as caught:
        restored(Restorer(connect_to(server.url), store, CONNECTION), lambda _: wanted)
    assert caught.value.safety_snapshot == store.snapshots(CONNECTION, safety=True)[0].path


def test_one_odd_number_elsewhere_stops_nothing(server, connect_to):
    """Only a state must come back to the digit."""
    body = b'{"connectionId": "%s", "name": "Orders", "odd": 0.12345678901234567890}' % CONNECTION.encode()
    server.response("/connections/list", b'{"connections": [%s]}' % body, Content_Type="application/json")
    found = connect_to(server.url).list_connections_for_workspace(workspace_id=CONNECTION)
    assert [connection.name for connection in found.connections] == ["Orders"]


@pytest.mark.parametrize("depth", [700])
def test_deep_states_are_saved_and_restored(server, connect_to, tmp_path, depth):
    """Airbyte takes JSON of 1000 levels."""
    deep, flat = stream_state(entry("a", nested(depth, 1))), stream_state(entry("a", {}))
    for state in (deep, flat, flat, deep):
        server.response("/state/get", state)
    server.response("/state/create_or_update_safe", deep)
    client, store = connect_to(server.url), SnapshotStore(tmp_path / "store")
    snapshot = store.read(store.write(take_snapshot(client, CONNECTION)))
    restored(Restorer(client, store, CONNECTION), lambda _: snapshot.content)
    (written,) = server.seen("/state/create_or_update_safe")
    assert content_of(written.json["connectionState"]).digest() == snapshot.digest


@pytest.mark.parametrize("depth", [700])
def test_deep_states_are_compared(depth):
    one, other = (content_of(stream_state(entry("a", nested(depth, leaf)))) for leaf in (1, 2))
    found = diff(one, other)
    assert not found.is_equal
    assert one.digest() != other.digest()


def test_a_file_of_ever_so_many_values_is_refused():
    """Some megabytes of empty lists, or a few kilobytes of gzip, would take gigabytes."""
    data = b"[" + b"[]," * 8_000_000 + b"[]]"
    tracemalloc.start()
    try:
        with pytest.raises(AirbyteSnapshotDamagedError, match="the file has more than the 8000000 values"):
            Snapshot.from_bytes(data, where="the file")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
