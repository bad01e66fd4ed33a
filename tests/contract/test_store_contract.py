"""What every store does alike: a folder, memory, S3 over its own protocol, and Airflow's ObjectStoragePath."""

from __future__ import annotations

import threading
from datetime import timedelta, timezone

import pytest
from cryptography.fernet import Fernet
from storing import CONNECTION, NOON, OTHER, snapshot, write_many
from upath import UPath

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
    AirbyteSnapshotNotFoundError,
    AirbyteSnapshotStoreError,
)
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.retention import Retention, forget
from airflow_airbyte_ext.snapshots.store import SnapshotStore

KINDS = ("folder", "file url", "memory", "s3", "airflow")


@pytest.fixture(scope="session")
def s3_server():
    """A server that speaks S3 over HTTP."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server, request, monkeypatch):
    """The address of a bucket, and how to reach it: not by what this machine knows of S3."""
    import boto3

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    credentials = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    name = f"bucket-{abs(hash(request.node.nodeid)):x}"
    boto3.client("s3", endpoint_url=s3_server, **credentials).create_bucket(Bucket=name)
    options = {"key": "a", "secret": "b", "client_kwargs": {"endpoint_url": s3_server, "region_name": "us-east-1"}}
    return f"s3://{name}", options


@pytest.fixture(params=KINDS)
def make_root(request, tmp_path):
    """Make path objects of one kind, all of the same new place."""
    if request.param == "s3":
        address, options = request.getfixturevalue("bucket")
        return lambda: UPath(f"{address}/some/prefix", **options)
    if request.param == "airflow":
        from airflow.sdk import ObjectStoragePath

        return lambda: ObjectStoragePath(f"file://{tmp_path}/store")
    if request.param == "memory":
        return lambda: UPath(f"memory://{tmp_path.name}-{abs(hash(request.node.nodeid))}/store")
    return lambda: f"file://{tmp_path}/store" if request.param == "file url" else tmp_path / "store"


@pytest.fixture
def store(make_root):
    return SnapshotStore(make_root())


@pytest.fixture
def filled(store):
    """Three snapshots, written out of order, one of them of the state of another; and one of another connection."""
    for minutes, cursor in ((30, "c"), (0, "a"), (10, "b")):
        store.write(snapshot(cursor, minutes=minutes))
    store.write(snapshot("z", minutes=99, connection_id=OTHER))
    return store


def cursors(store, connection_id=CONNECTION, **how):
    return [
        store.read(ref).state["streamState"][0]["streamState"]["cursor"]
        for ref in store.snapshots(connection_id, **how)
    ]


def test_an_empty_store_has_nothing(store):
    """Also where its place does not exist yet; looking does not make it."""
    assert (store.snapshots(CONNECTION), store.latest(CONNECTION), store.connections()) == ([], None, [])
    for which in ("latest", "2026", "2026-03-01", "", "nonsense"):
        with pytest.raises(AirbyteSnapshotNotFoundError, match="There is no store at"):
            store.find(CONNECTION, which)


def test_what_was_written_is_read_and_listed_in_order(filled):
    refs = filled.snapshots(CONNECTION)
    assert cursors(filled) == ["a", "b", "c"]
    assert [ref.taken_at for ref in refs] == [NOON + timedelta(minutes=minutes) for minutes in (0, 10, 30)]
    assert [ref.id for ref in refs] == sorted(ref.id for ref in refs)
    assert all(filled.read(ref).id == ref.id and filled.read(ref).digest.startswith(ref.short_digest) for ref in refs)
    assert filled.connections() == [CONNECTION, OTHER]
    assert cursors(filled, OTHER) == ["z"]
    assert filled.latest(CONNECTION) == refs[-1] == filled.find(CONNECTION) == filled.find(CONNECTION, "latest")


def test_write_returns_the_reference_that_a_listing_has(filled):
    ref = filled.write(snapshot("d", minutes=40))
    assert filled.snapshots(CONNECTION)[-1] == ref


def test_an_id_and_the_beginning_of_one(filled):
    first, second, third = filled.snapshots(CONNECTION)
    assert [filled.find(CONNECTION, ref.id) for ref in (first, second, third)] == [first, second, third]
    assert filled.find(CONNECTION, "20260301T1210") == second
    with pytest.raises(AirbyteSnapshotNotFoundError) as caught:
        filled.find(CONNECTION, "20260301T12")
    assert all(ref.id in str(caught.value) for ref in (first, second, third))
    for unknown in ("20260302T", "20260301T121x", "99"):
        with pytest.raises(AirbyteSnapshotNotFoundError):
            filled.find(CONNECTION, unknown)


def test_the_path_of_a_file(filled, make_root):
    """Found by another process, too, from the text alone."""
    for ref in filled.snapshots(CONNECTION):
        found = SnapshotStore(make_root()).find(CONNECTION, ref.path)
        assert found.id == ref.id
        assert SnapshotStore(make_root()).read(found).id == ref.id


@pytest.fixture
def elsewhere(make_root):
    """A snapshot that was put elsewhere, under a name of its own."""
    root = UPath(make_root()) if isinstance(make_root(), str) else make_root()
    place = root.parent / "elsewhere" / "before-the-move.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(snapshot("m").to_bytes())
    return str(place)


def test_the_path_of_a_file_outside_of_the_root(make_root, elsewhere):
    """Reached as the store is, where that is allowed."""
    store = SnapshotStore(make_root(), allow_any_path=True)
    assert store.read(store.find(CONNECTION, elsewhere)).digest == snapshot("m").digest


def test_the_path_of_a_file_outside_of_the_root_is_refused(make_root, elsewhere):
    """Also where it leads out of the root in a roundabout way; whether there is such a file is not told."""
    store = SnapshotStore(make_root())
    ref = store.write(snapshot("a"))
    for path in (
        elsewhere,
        elsewhere + "x",
        f"{store.root}/../elsewhere/before-the-move.json",
        f"{store.root}",
        "/etc/passwd",
    ):
        with pytest.raises(AirbyteConfigurationError, match=r"is not in the store.*allow_any_path"):
            store.find(CONNECTION, path)
    assert store.find(CONNECTION, ref.path).id == ref.id


def test_with_a_key_latest_and_times_mean_encrypted_snapshots_alone(make_root):
    """Anyone who can write there can put a plain file beside; an id or a path names one, where that is allowed."""
    key = Fernet.generate_key().decode()
    ours = SnapshotStore(make_root(), packing=Packing.with_keys(key))
    assert ours.latest(CONNECTION) is None
    planted = SnapshotStore(make_root()).write(snapshot("planted", minutes=60))
    for which in ("latest", "2027-01-01"):
        with pytest.raises(AirbyteSnapshotNotFoundError, match=r"no encrypted snapshot.*allow_plain=True"):
            ours.find(CONNECTION, which)
    ref = ours.write(snapshot("ours"))
    assert ours.latest(CONNECTION) == ours.find(CONNECTION) == ours.find(CONNECTION, "2027-01-01") == ref
    assert ours.latest_like(snapshot("planted")) is None
    allowing = SnapshotStore(make_root(), packing=Packing.with_keys(key, allow_plain=True))
    assert allowing.latest(CONNECTION) == allowing.find(CONNECTION, "2027-01-01") == ref
    for which in (planted.id, planted.path):
        with pytest.raises(AirbyteSnapshotKeyError, match="is not encrypted"):
            ours.read(ours.find(CONNECTION, which))
        assert allowing.read(allowing.find(CONNECTION, which)).id == planted.id


def test_with_a_key_nothing_plain_is_written(make_root):
    store = SnapshotStore(make_root(), packing=Packing.with_keys(Fernet.generate_key().decode(), allow_plain=True))
    root = UPath(make_root()) if isinstance(make_root(), str) else make_root()
    for safety in (False, True):
        store.write(snapshot("s3cr3t"), safety=safety)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(path.read_bytes().startswith(b"gAAAA") for path in files)


def test_a_planted_plain_file_pushes_no_encrypted_snapshot_out(make_root):
    """Whatever its time says."""
    store = SnapshotStore(make_root(), packing=Packing.with_keys(Fernet.generate_key().decode()))
    old, ours = store.write(snapshot("a")), store.write(snapshot("b", minutes=1))
    planted = SnapshotStore(make_root()).write(snapshot("p", minutes=60))
    for forgetting in (SnapshotStore(make_root()), store):
        forget(forgetting, CONNECTION, Retention(last=1), now=NOON)
        assert store.snapshots(CONNECTION) == [ours, planted]
    assert old != ours


@pytest.mark.parametrize("junk", [b"gAAAAjunk", b"junk"])
def test_junk_under_the_name_of_an_encrypted_snapshot_pushes_none_out(make_root, junk):
    """Where the key is there to see it."""
    store = SnapshotStore(make_root(), packing=Packing.with_keys(Fernet.generate_key().decode()))
    kept = [store.write(snapshot("a")), store.write(snapshot("b", minutes=1))]
    root = UPath(make_root()) if isinstance(make_root(), str) else make_root()
    (root / CONNECTION / "20270101T000000000000Z-0123456789ab.json.fernet").write_bytes(junk)
    with pytest.raises((AirbyteSnapshotKeyError, AirbyteSnapshotDamagedError), match="Nothing was deleted"):
        forget(store, CONNECTION, Retention(last=1), now=NOON)
    assert store.snapshots(CONNECTION)[:2] == kept


def test_the_path_of_a_file_that_is_not_there(filled, make_root):
    """Told when it is read, whatever the name looks like."""
    first = filled.snapshots(CONNECTION)[0]
    for path in (first.path.replace("T12", "T11"), first.path.replace(first.id, "x")):
        with pytest.raises(AirbyteSnapshotNotFoundError):
            filled.read(filled.find(CONNECTION, path))


@pytest.mark.parametrize(
    ("moment", "cursor"),
    [
        ("2026-03-01T12:00:00+00:00", "a"),
        ("2026-03-01T12:09:59", "a"),
        ("2026-03-01T12:10", "b"),
        ("2026-03-01 12:29:59.999999Z", "b"),
        ("2026-03-01T13:10:00+01:00", "b"),
        ("2026-03-01T06:29:00-06:00", "b"),
        ("2026-03-01T18:00:00+05:30", "c"),
        ("2026-03-02", "c"),
        ("9999-12-31", "c"),
    ],
)
def test_as_of_a_time(filled, moment, cursor):
    """The newest that had been taken by then; in UTC where no zone is named."""
    ref = filled.find(CONNECTION, moment)
    assert filled.read(ref).state["streamState"][0]["streamState"]["cursor"] == cursor


def test_as_of_a_time_before_the_first(filled):
    for moment in ("2026-03-01T11:59:59.999999", "2026-03-01", "2026-03-01T12:00:00+00:01", "0001-01-01"):
        with pytest.raises(AirbyteSnapshotNotFoundError):
            filled.find(CONNECTION, moment)


def test_a_time_of_a_datetime_is_understood(filled):
    """As a template renders one."""
    zone = timezone(timedelta(hours=2))
    assert filled.find(CONNECTION, str((NOON + timedelta(minutes=10)).astimezone(zone))).taken_at.minute == 10


def test_safety_snapshots_are_kept_aside(filled):
    """Latest and as-of never mean one; its id and its path do."""
    ref = filled.write(snapshot("safety", minutes=60), safety=True)
    assert cursors(filled) == ["a", "b", "c"]
    assert cursors(filled, safety=True) == ["safety"]
    assert filled.find(CONNECTION, "latest") == filled.snapshots(CONNECTION)[-1]
    assert filled.find(CONNECTION, "2027-01-01") == filled.snapshots(CONNECTION)[-1]
    assert filled.find(CONNECTION, ref.id) == ref == filled.snapshots(CONNECTION, safety=True)[0]
    assert filled.read(filled.find(CONNECTION, ref.path)).id == ref.id


def test_a_safety_snapshot_alone_is_not_the_latest(store):
    store.write(snapshot(), safety=True)
    assert store.latest(CONNECTION) is None
    with pytest.raises(AirbyteSnapshotNotFoundError):
        store.find(CONNECTION, "latest")


def test_the_same_snapshot_twice_is_one(filled):
    before = filled.snapshots(CONNECTION)
    filled.write(snapshot("b", minutes=10))
    assert filled.snapshots(CONNECTION) == before


def test_two_states_of_one_moment_are_two(filled):
    filled.write(snapshot("b2", minutes=10))
    assert sorted(cursors(filled)) == ["a", "b", "b2", "c"]


def test_a_snapshot_that_is_kept_in_two_packings_is_found(make_root):
    """As when snapshots are written again with a new key: an id means the same state in either file."""
    SnapshotStore(make_root()).write(snapshot("a"))
    ref = SnapshotStore(make_root(), packing=Packing(compress=True)).write(snapshot("a"))
    store = SnapshotStore(make_root())
    assert store.read(store.find(CONNECTION, ref.id)).id == ref.id


def test_deleting(filled):
    first, *rest = filled.snapshots(CONNECTION)
    filled.delete(first)
    assert filled.snapshots(CONNECTION) == rest
    filled.delete(first)
    with pytest.raises(AirbyteSnapshotNotFoundError):
        filled.read(first)


def test_foreign_and_unfinished_files_are_ignored(filled, make_root):
    """Whatever else lies in the folder, and whatever a writer that was killed has left."""
    refs = filled.snapshots(CONNECTION)
    names = [
        "README.md",
        "latest",
        f"{refs[0].id}.json.bak",
        f".{refs[0].id}.json.0123456789abcdef.unfinished",
        f"{refs[0].id}.json.tmp",
        f"{refs[0].id}",
        f"x{refs[0].id}.json",
        f"{refs[0].id}.json.fernet.gz",
        "20260301T120000000000Z-NOTHEXDIGITS.json",
    ]
    folder = (UPath(make_root()) if isinstance(make_root(), str) else make_root()) / CONNECTION
    for name in names:
        (folder / name).write_bytes(b"{}")
    (folder.parent / "not-a-connection").mkdir(parents=True, exist_ok=True)
    (folder.parent / "not-a-connection" / "x").write_bytes(b"{}")
    assert filled.snapshots(CONNECTION) == refs
    assert filled.connections() == [CONNECTION, OTHER]


def test_a_name_with_a_time_that_is_none_is_ignored(filled, make_root):
    """It looks like one of ours, but there is no thirteenth month."""
    refs = filled.snapshots(CONNECTION)
    folder = (UPath(make_root()) if isinstance(make_root(), str) else make_root()) / CONNECTION
    (folder / "20261301T120000000000Z-0123456789ab.json").write_bytes(b"{}")
    assert filled.find(CONNECTION, "2026-03-02") == refs[-1]
    assert filled.latest(CONNECTION).taken_at == refs[-1].taken_at


def test_what_another_writer_has_written_is_seen_at_once(make_root):
    """File systems remember listings; a store asks again."""
    mine, theirs = SnapshotStore(make_root()), SnapshotStore(make_root())
    assert mine.snapshots(CONNECTION) == []
    assert mine.connections() == []
    ref = theirs.write(snapshot())
    assert mine.connections() == [CONNECTION]
    assert mine.snapshots(CONNECTION) == [ref]
    again = theirs.write(snapshot("b", minutes=1))
    assert mine.latest(CONNECTION) == again
    theirs.delete(ref)
    assert mine.snapshots(CONNECTION) == [again]


def test_threads_that_write_at_once_lose_nothing(make_root):
    store = SnapshotStore(make_root())
    barrier, errors = threading.Barrier(4), []

    def work(writer: int) -> None:
        mine = SnapshotStore(make_root()) if writer % 2 else store
        barrier.wait()
        try:
            for number in range(5):
                mine.write(snapshot(f"{writer}-{number}", minutes=number))
                mine.write(snapshot("shared", minutes=number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    wanted = [f"{writer}-{number}" for writer in range(4) for number in range(5)] + ["shared"] * 5
    assert sorted(cursors(store)) == sorted(wanted)


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    import multiprocessing

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["storing"])
    children = [context.Process(target=write_many, args=(str(tmp_path), writer, 10)) for writer in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    wanted = [f"{writer}-{number}" for writer in range(4) for number in range(10)] + ["shared"] * 10
    assert sorted(cursors(SnapshotStore(tmp_path))) == sorted(wanted)


@pytest.mark.parametrize(
    "name",
    ["../../etc", "..", "", ".", "/etc", CONNECTION + "/..", "../" + CONNECTION[3:], CONNECTION[:-1] + "\n", None],
)
def test_nothing_leads_out_of_the_root(store, name):
    """A connection's id is a UUID or nothing."""
    for act in (
        lambda: store.snapshots(name),
        lambda: store.latest(name),
        lambda: store.find(name, "latest"),
        lambda: store.write(snapshot(connection_id=name)),
    ):
        with pytest.raises(AirbyteConfigurationError):
            act()


def test_an_id_in_capitals_is_the_same_connection(filled):
    upper = "abcdefab-1111-4111-8111-111111111111".upper()
    filled.write(snapshot("q", connection_id=upper.lower()))
    assert cursors(filled, upper) == ["q"]


@pytest.mark.parametrize("spoil", ["cut", "empty", "foreign"])
def test_a_damaged_file_is_told_with_its_path(filled, make_root, spoil):
    ref = filled.latest(CONNECTION)
    folder = (UPath(make_root()) if isinstance(make_root(), str) else make_root()) / CONNECTION
    path = folder / f"{ref.id}.json"
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-40], "empty": b"", "foreign": b'{"a": 1}'}[spoil])
    with pytest.raises((AirbyteSnapshotDamagedError, AirbyteSnapshotFormatError), match=ref.id):
        filled.read(ref)


def test_a_file_under_another_ones_name_is_told(filled, make_root):
    """The name has the time and the digest: what is in it must be that snapshot."""
    first, second, _ = filled.snapshots(CONNECTION)
    folder = (UPath(make_root()) if isinstance(make_root(), str) else make_root()) / CONNECTION
    (folder / f"{second.id}.json").write_bytes((folder / f"{first.id}.json").read_bytes())
    with pytest.raises(AirbyteSnapshotDamagedError):
        filled.read(second)


def test_an_s3_that_does_not_answer_is_told(s3_server):
    """Not a stack of the S3 library."""
    nobody = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    root = UPath(
        "s3://bucket/x", key="a", secret="b", client_kwargs=nobody, config_kwargs={"retries": {"max_attempts": 0}}
    )
    store = SnapshotStore(root)
    for act in (lambda: store.write(snapshot()), lambda: store.snapshots(CONNECTION), store.connections):
        with pytest.raises(AirbyteSnapshotStoreError, match=r"s3://bucket/x.*Check that"):
            act()


def test_a_bucket_that_is_not_there_is_told_when_written(bucket):
    _, options = bucket
    with pytest.raises(AirbyteSnapshotStoreError, match="s3://no-such-bucket-here"):
        SnapshotStore(UPath("s3://no-such-bucket-here/x", **options)).write(snapshot())


def test_an_address_of_an_unknown_kind_is_told():
    with pytest.raises((AirbyteSnapshotStoreError, AirbyteConfigurationError)):
        SnapshotStore("nosuchthing://bucket/x").write(snapshot())
