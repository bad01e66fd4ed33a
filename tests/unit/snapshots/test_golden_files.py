"""Files that earlier releases have written: every release reads them, and finds in them what was in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from snapshot_states import CONNECTION, digest_of, said_by

from airflow_airbyte_ext.exceptions import AirbyteSnapshotKeyError
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.store import SnapshotStore

FOLDER = Path(__file__).resolve().parents[2] / "data" / "snapshots" / "format-1"
# A key for these files alone.
KEY = "Z29sZGVuLWZpbGVzLW9mLWZvcm1hdC0xLW5vLXNlY3I="
STATES = json.loads((FOLDER / "states.json").read_text())
FILES = sorted(path for path in FOLDER.glob(f"{CONNECTION}/*.json*"))


def opened(path: Path) -> dict:
    """The document, taken out of its packing here."""
    data = path.read_bytes()
    if ".fernet" in path.suffixes:
        data = Fernet(KEY).decrypt(data)
    return json.loads(gzip.decompress(data) if ".gz" in path.suffixes else data)


@pytest.fixture(scope="module")
def store():
    return SnapshotStore(FOLDER, packing=Packing.with_keys(KEY, allow_plain=True))


def test_all_files_are_there(store):
    """Each kind of state, and each packing; the store lists them in the order of their times."""
    assert {path.name.split(".", 1)[1] for path in FILES} == {"json", "json.gz", "json.fernet", "json.gz.fernet"}
    assert {opened(path)["state"]["stateType"] for path in FILES} == {"stream", "global", "legacy", "not_set"}
    assert len(FILES) == len(STATES) == 7
    assert [ref.id for ref in store.snapshots(CONNECTION)] == [path.name.split(".")[0] for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_format_1_is_read(store, path):
    """Its id, its digest and its state are those that were written down beside it."""
    name = path.name.split(".")[0]
    written = STATES[name]
    snapshot = store.read(store.find(CONNECTION, name))
    assert snapshot.id == name
    assert snapshot.state == written["state"]
    assert snapshot.digest == written["sha256"] == digest_of(written["state"])
    assert said_by(snapshot.state) == said_by(written["state"])
    assert snapshot.taken_at.isoformat() == written["taken_at"]
    assert snapshot.origin.connection_id == CONNECTION
    assert snapshot.origin.connection_name == "Orders → Warehouse"
    assert snapshot.origin.last_job_id == 42


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_says_itself_what_it_is(path):
    """To jq and to people, without this package."""
    document = opened(path)
    assert (document["format"], document["format_version"]) == ("airbyte-state-snapshot", 1)
    assert document["written_by"].startswith("airflow-airbyte-ext ")
    assert document["state_sha256"] == digest_of(document["state"])
    assert path.name.split(".")[0].endswith("-" + document["state_sha256"][:12])
    assert set(document["origin"]) >= {"base_url", "connection_id", "airbyte_version", "workspace_id", "source_id"}


def test_the_encrypted_files_need_their_key():
    store = SnapshotStore(FOLDER)
    for path in FILES:
        if ".fernet" in path.suffixes:
            with pytest.raises(AirbyteSnapshotKeyError):
                store.read(store.find(CONNECTION, path.name.split(".")[0]))
