"""Files that somebody else has put into the store: named, and the other snapshots are still listed and checked."""

from __future__ import annotations

import json
import os
import socket
import stat

import pytest
from cli_states import state_of
from cryptography.fernet import Fernet

MAX_BYTES = 256 * 1024 * 1024
NAME = "20991231T000000000000Z-0123456789ab.json"


def plant_pipe(path):
    os.mkfifo(path)


def plant_socket(path):
    os.chdir(path.parent)  # the path of a socket is short
    server = socket.socket(socket.AF_UNIX)
    server.bind(path.name)
    server.close()


def plant_device(path):
    path.symlink_to("/dev/zero")


def plant_folder(path):
    path.mkdir()


def plant_circle(path):
    path.symlink_to(path.name)


def plant_nowhere(path):
    path.symlink_to(path.parent / "nothing")


def plant_sparse(path):
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 1000)


def plant_bomb(path):
    import gzip

    path.write_bytes(gzip.compress(bytes(MAX_BYTES + 1), 1))


def plant_kernel(path):
    path.symlink_to("/proc/self/environ")


def plant_brackets(path):
    path.write_bytes(b"[" * 1_000_000)


PLANTED = [
    plant_pipe,
    plant_socket,
    plant_device,
    plant_folder,
    plant_circle,
    plant_nowhere,
    plant_sparse,
    plant_bomb,
    plant_kernel,
    plant_brackets,
]


@pytest.fixture
def spoilt(cli, orders, store, tmp_path, monkeypatch, request):
    """A store with one good snapshot, and an odd file as the newest."""
    monkeypatch.chdir(tmp_path)
    assert cli("backup", "--connection", orders).code == 0
    request.param(store / orders / NAME)
    monkeypatch.chdir(tmp_path)
    return orders


@pytest.mark.timeout(60)
@pytest.mark.parametrize("spoilt", PLANTED, indirect=True, ids=lambda plant: plant.__name__.removeprefix("plant_"))
def test_an_odd_file_is_named_and_stops_nothing_else(cli, spoilt, airbyte, store):
    other = airbyte.add_connection("Other", [("public", "orders")])
    assert cli("backup", "--connection", other).code == 0
    listed = cli("list", "--json")
    assert {one["connection_id"]: len(one["snapshots"]) for one in listed.json["connections"]} == {spoilt: 2, other: 1}
    verified = cli("verify")
    assert verified.code == 1
    assert NAME in verified.err
    assert "3 snapshots of 2 connections read: something is wrong with 1 connection" in verified.err
    before = len(list((store / spoilt).iterdir()))
    assert cli("backup", "--connection", spoilt, "--skip-unchanged").code == 0
    assert len(list((store / spoilt).iterdir())) == before + 1
    refused = cli("restore", "--connection", spoilt, "--yes")
    assert refused.code in (2, 3)
    assert NAME in refused.err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", "/", "/proc/self/mem", "/proc/kmsg"])
def test_a_path_that_is_no_file_is_refused(cli, orders, path):
    for command in (
        ["show", "--snapshot", path],
        ["diff", "--snapshot", path],
        ["restore", "--yes", "--snapshot", path],
    ):
        run = cli(*command, "--connection", orders)
        assert run.code in (2, 3, 4)
        assert path in run.err


def test_a_file_under_the_name_of_a_connection_hides_no_other(cli, orders, store):
    assert cli("backup", "--connection", orders).code == 0
    (store / "99999999-9999-4999-8999-999999999999").write_text("not a folder")
    assert [one["connection_id"] for one in cli("list", "--json").json["connections"]] == [orders]
    assert cli("verify").code == 0


def test_a_link_in_the_store_is_not_followed(cli, orders, store, tmp_path):
    """The next snapshot, with all that is in it, would go where the link leads."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    store.mkdir()
    (store / orders).symlink_to(elsewhere)
    run = cli("backup", "--connection", orders)
    assert run.code == 4
    assert "is a link" in run.err
    assert list(elsewhere.iterdir()) == []


def plant_link(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")


def plant_inner_link(folder, tmp_path):
    folder.mkdir()
    plant_link(folder / "before-restore", tmp_path)


def plant_inner_pipe(folder, _tmp_path):
    folder.mkdir()
    os.mkfifo(folder / "before-restore")


def plant_inner_file(folder, _tmp_path):
    folder.mkdir()
    (folder / "before-restore").write_text("not a folder")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plant", [plant_link, plant_inner_link, plant_inner_pipe, plant_inner_file])
def test_an_odd_folder_of_one_connection_stops_no_other(cli, airbyte, orders, store, tmp_path, plant):
    """It is named, and the exit code is not 0."""
    other = airbyte.add_connection("Other", [("public", "orders")])
    assert cli("backup", "--connection", orders).code == 0
    plant(store / other, tmp_path)
    for command in (["list"], ["verify"], ["backup", "--connection", orders, "--connection", other]):
        run = cli(*command, "--json")
        found = {one["connection_id"]: one for one in run.json["connections"]}
        assert "error" not in found[orders], command
        if command[0] != "backup" or plant is plant_link:
            assert run.code == 1, command
            assert found[other]["error"]["type"] == "AirbyteSnapshotStoreError", command
            assert other in run.err


def test_a_store_that_others_can_write_or_that_is_a_link_is_told(cli, orders, store, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    real.chmod(0o777)
    store.symlink_to(real)
    run = cli("backup", "--connection", orders)
    assert run.code == 0
    assert "is a link" in run.err
    assert "Everybody on this machine can write to" in run.err
    assert "warning" not in cli("list").err


def test_a_key_file_that_everybody_can_read_is_told(cli, orders, tmp_path):
    key = tmp_path / "key"
    key.write_text(Fernet.generate_key().decode())
    for mode, shown in ((0o600, False), (0o640, False), (0o644, True)):
        key.chmod(mode)
        run = cli("backup", "--connection", orders, "--key-file", key)
        assert run.code == 0
        assert ("can read" in run.err and str(key) in run.err) is shown
    assert stat.S_IMODE(key.stat().st_mode) == 0o644


def test_a_plain_file_that_was_planted_is_not_restored(cli, orders, airbyte, store, monkeypatch):
    """With a key: neither as the latest nor by its name, unless that is allowed."""
    assert cli("backup", "--connection", orders).code == 0
    (plain,) = (path.name.split(".")[0] for path in (store / orders).glob("*.json"))
    monkeypatch.setenv("AIRBYTE_STATE_KEYS", Fernet.generate_key().decode())
    run = cli("restore", "--connection", orders, "--yes")
    assert run.code == 2
    assert "no encrypted snapshot" in run.err
    airbyte.set_state(orders, state_of(orders="11", users="20"))
    run = cli("restore", "--connection", orders, "--yes", "--snapshot", plain)
    assert run.code == 2
    assert "is not encrypted" in run.err
    assert cli("verify").code == 1
    assert cli("verify", "--allow-plain").code == 0
    run = cli("restore", "--connection", orders, "--yes", "--snapshot", plain, "--allow-plain")
    assert run.code == 0
    assert airbyte.state(orders)["streamState"][0]["streamState"] == {"cursor": "10"}


def test_a_name_in_a_planted_snapshot_forges_no_line(cli, orders, store):
    """And is cut where it stands in a table."""
    assert cli("backup", "--connection", orders).code == 0
    (path,) = (store / orders).glob("*.json")
    odd = "Orders\nConnection forged\x1b[31m" + "x" * 100_000
    document = json.loads(path.read_text())
    document["origin"]["connection_name"] = odd
    document["origin"]["workspace_id"] = document["origin"]["airbyte_version"] = "a\nforged"
    path.write_text(json.dumps(document))
    for command in (["list"], ["list", "--connection", orders], ["show", "--connection", orders], ["verify"]):
        run = cli(*command)
        assert run.code == 0
        lines = (run.out + run.err).splitlines()
        assert not [line for line in lines if line.startswith(("Connection forged", "forged"))]
        assert "\x1b" not in run.out + run.err
        assert len(run.out) < 5_000


SECRET = Fernet.generate_key().decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--key-file", SECRET],
        ["--password-file", SECRET, "--username", "u"],
        ["--token-file", SECRET],
        ["--client-secret-file", SECRET, "--client-id", "c"],
        ["--airflow-conn-env", f"airbyteconfig://u:{SECRET}@host"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_secret_in_the_place_of_its_file_is_not_repeated(cli, orders, arguments):
    run = cli("backup", "--connection", orders, *arguments)
    assert run.code == 2
    assert SECRET not in run.out + run.err
    assert arguments[0] in run.err


def test_a_secret_file_without_end_is_refused(cli, orders):
    run = cli("backup", "--connection", orders, "--token-file", "/dev/zero")
    assert run.code == 2
    assert "too large for a secret" in run.err


@pytest.mark.parametrize(
    "address",
    [
        *("  ", "\t", " /tmp/x", "/tmp/x\n", "simplecache::s3://b/x", "filecache::/tmp/x"),
        *("s3:b/x", "s3:/b/x", "S3:b", "gs:b", "abfs:/c/x", "file:x", "file:/tmp/x", "memory:"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(cli, orders, address, tmp_path, monkeypatch):
    """
    White space and `s3:` are names of folders to Python, and a chain keeps copies where nobody looks.
    """
    monkeypatch.chdir(tmp_path)
    run = cli("backup", "--connection", orders, "--store", address)
    assert run.code == 2
    assert "store" in run.err.lower()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "address",
    [
        "ftp://me:s3cr3t@127.0.0.1:9/x",
        "ftp://me:s3cr3t/s3cr3t@127.0.0.1:9/x",
        "nosuch://me:s3cr3t@host/x?token=s3cr3t#s3cr3t",
        "memory://me:s3cr3t@host/x",
    ],
)
def test_a_password_in_the_address_of_a_store_is_not_shown(cli, orders, address):
    for command in (
        ["list"],
        ["list", "--json"],
        ["verify"],
        ["backup", "--connection", orders],
        ["backup", "--connection", orders, "--json"],
        ["show", "--connection", orders],
        ["forget", "--connection", orders, "--keep-last", "1"],
    ):
        run = cli(*command, "--store", address)
        assert "s3cr3t" not in run.out + run.err, command


@pytest.mark.parametrize(
    "arguments",
    [
        ["--passwd", SECRET],
        [f"--secret={SECRET}"],
        ["-p", SECRET],
        [f"-p{SECRET}"],
        [f"--token={SECRET}"],
        [f"--p={SECRET} {SECRET}"],
        ["--auth", f"me:{SECRET}"],
        [f"--json={SECRET}"],
    ],
)
def test_a_secret_behind_an_option_that_is_none_is_not_repeated(cli, orders, arguments):
    run = cli("backup", "--connection", orders, *arguments)
    assert run.code == 2
    assert arguments[0][:2] in run.err
    assert SECRET[:5] not in run.err


@pytest.fixture
def deep(stub, monkeypatch, store):
    """An Airbyte with a connection whose state is 700 levels deep."""
    connection_id = "99999999-9999-4999-8999-999999999999"
    value = "leaf"
    for _ in range(700):
        value = {"k": value}  # type: ignore[assignment]
    row = {"streamDescriptor": {"name": "orders"}, "streamState": value}
    state = {"stateType": "stream", "connectionId": connection_id, "streamState": [row]}
    stub.response("/connections/get", {"connectionId": connection_id, "name": "Orders", "syncCatalog": {"streams": []}})
    stub.response("/jobs/list", {"jobs": []})
    stub.response("/health", {"available": True})
    stub.response("/state/get", state)
    monkeypatch.setenv("AIRBYTE_URL", stub.url)
    return connection_id


def test_a_state_of_700_levels_goes_through_every_command(cli, deep):
    """Or is a clear error, and never "a bug"."""
    for command in (
        ["backup"],
        ["backup", "--skip-unchanged"],
        ["list"],
        ["show", "--values"],
        ["diff", "--values"],
        ["verify"],
        ["restore", "--dry-run"],
        ["forget", "--keep-last", "1"],
        ["rewind", "--stream", "orders", "--set", 'k="other"', "--dry-run"],
        ["rewind", "--stream", "orders", "--set", f'{".".join(["k"] * 700)}="other"', "--dry-run"],
        ["rewind", "--stream", "orders", "--remove", "--dry-run"],
    ):
        for form in ([], ["--json"]):
            run = cli(*command, *form, "--connection", deep)
            assert "Unexpected" not in run.err, (command, run.err[:300])
            assert run.code == (2 if "--set" in command else 0), (command, run.err[:300])
