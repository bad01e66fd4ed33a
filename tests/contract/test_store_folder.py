"""A store in a folder of this machine: whose files they are, and what is left when a disk is full or a writer dies."""

from __future__ import annotations

import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor

import pytest
from storing import CONNECTION, snapshot, write_for_ever, write_one

from airflow_airbyte_ext.exceptions import AirbyteSnapshotStoreError
from airflow_airbyte_ext.snapshots.store import SnapshotStore

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["storing"])
NOBODY = 65534


def modes(root) -> dict[str, str]:
    return {
        str(path.relative_to(root.parent)): oct(stat.S_IMODE(path.stat().st_mode)) for path in [root, *root.rglob("*")]
    }


@pytest.mark.parametrize("safety", [False, True])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_and_folders_are_private(tmp_path, umask, safety):
    """A state may hold secrets: nobody else may read it, nor see which connections there are."""
    root = tmp_path / "made" / "store"
    old = os.umask(umask)
    try:
        SnapshotStore(root).write(snapshot(), safety=safety)
    finally:
        os.umask(old)
    assert {mode for name, mode in modes(root).items() if name.endswith(".json")} == {"0o600"}
    assert {mode for name, mode in modes(root).items() if not name.endswith(".json")} == {"0o700"}


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    """Its owner may have shared it with a group on purpose."""
    tmp_path.chmod(0o750)
    SnapshotStore(tmp_path).write(snapshot())
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_finished_write_leaves_nothing_else(tmp_path):
    store = SnapshotStore(tmp_path)
    ref = store.write(snapshot())
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{ref.id}.json"]


def test_a_writer_that_is_killed_leaves_no_half_snapshot(tmp_path):
    """At any moment of a write: what is listed is whole."""
    store = SnapshotStore(tmp_path)
    folder, left, turn = tmp_path / CONNECTION, 0, 0
    while left < 5:
        turn += 1
        assert turn < 60, "a writer that was killed never left an unfinished file: is there one?"
        child = PROCESSES.Process(target=write_for_ever, args=(str(tmp_path), 300_000))
        child.start()
        # Kill it as soon as there is a file that is not finished, or every third time one that is.
        known = set(folder.iterdir()) if folder.exists() else set()
        while child.is_alive():
            new = set(folder.iterdir() if folder.exists() else ()) - known
            if any(path.suffix == (".json" if turn % 3 == 0 else ".unfinished") for path in new):
                break
        child.kill()
        child.join()
        refs = store.snapshots(CONNECTION)
        assert [store.read(ref).id for ref in refs] == [ref.id for ref in refs]
        left = len([path for path in folder.iterdir() if path.suffix == ".unfinished"])
        assert left + len(refs) == len(list(folder.iterdir()))
    assert store.snapshots(CONNECTION)


def in_a_child(*args) -> str:
    with ProcessPoolExecutor(1, mp_context=PROCESSES) as pool:
        return pool.submit(write_one, *args).result(60)


def test_a_disk_that_is_full_is_told_and_leaves_no_half_file(tmp_path):
    """A limit of the file size stands for it: the write fails in the middle, as on a full disk."""
    SnapshotStore(tmp_path).write(snapshot("a"))
    words = in_a_child(str(tmp_path), 500_000, 100_000)
    assert str(tmp_path) in words
    assert "has room" in words
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    assert len(SnapshotStore(tmp_path).snapshots(CONNECTION)) == 1


def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    """By a user who is not root, for whom there are no modes."""
    uid = NOBODY if os.getuid() == 0 else None
    (tmp_path / CONNECTION).mkdir()
    (tmp_path / CONNECTION).chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and "pytest" in str(folder):
            folder.chmod(0o755)
    words = in_a_child(str(tmp_path), 0, None, uid)
    assert "PermissionError" in words
    assert str(tmp_path) in words
    assert "may use it" in words
    assert list((tmp_path / CONNECTION).iterdir()) == []


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / CONNECTION).write_text("not a folder")
    with pytest.raises(AirbyteSnapshotStoreError, match="Check that the place exists"):
        SnapshotStore(tmp_path).write(snapshot())
    with pytest.raises(AirbyteSnapshotStoreError):
        SnapshotStore(tmp_path).snapshots(CONNECTION)
    assert (tmp_path / CONNECTION).read_text() == "not a folder"


def test_a_file_in_place_of_the_root_is_told(tmp_path):
    (tmp_path / "store").write_text("not a folder")
    store = SnapshotStore(tmp_path / "store")
    for act in (lambda: store.write(snapshot()), store.connections):
        with pytest.raises(AirbyteSnapshotStoreError, match="store"):
            act()


def test_a_relative_path_is_understood(tmp_path, monkeypatch):
    """Also in the reference that is given back."""
    monkeypatch.chdir(tmp_path)
    ref = SnapshotStore("snapshots").write(snapshot())
    assert SnapshotStore("snapshots").read(SnapshotStore("snapshots").find(CONNECTION, ref.path)).id == ref.id
