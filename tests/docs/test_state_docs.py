"""What the documentation says of snapshots, restores and the console command is true."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import inspect
import json
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pages import ROOT, block_with, blocks, commands, rows, section, text_of
from restore_steps import restored

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.api.streams import resolve_streams
from airflow_airbyte_ext.cli import exit_codes, parser, settings
from airflow_airbyte_ext.exceptions import (
    AirbyteError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotFormatError,
)
from airflow_airbyte_ext.operators.state import (
    SNAPSHOTS_ALIAS,
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.snapshots.plan import target_of
from airflow_airbyte_ext.snapshots.restore import Restorer, check_origin
from airflow_airbyte_ext.snapshots.retention import Retention, decide
from airflow_airbyte_ext.snapshots.snapshot import FORMAT, FORMAT_VERSION, Origin, Snapshot
from airflow_airbyte_ext.snapshots.store import SAFETY_FOLDER, SnapshotRef, SnapshotStore
from airflow_airbyte_ext.tables import table_lines
from airflow_airbyte_ext.testing import FakeAirbyte, Fault
from airflow_airbyte_ext.testing.demo import EVENTS_ID, ORDERS_ID, ORDERS_RECREATED_ID, plant_demo

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT_PAGE = "docs/snapshot-format.md"
BACKUP_PAGE = "docs/backup.md"
GOLDEN = ROOT / "tests" / "data" / "snapshots"
NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)


def stream_state(**cursors: Any) -> dict[str, Any]:
    """A state of streams in the namespace "public", with these cursors."""
    entries = [
        {"streamDescriptor": {"name": name, "namespace": "public"}, "streamState": {"cursor": cursor}}
        for name, cursor in cursors.items()
    ]
    return {"stateType": "stream", "connectionId": ORDERS_ID, "streamState": entries}


def snapshot(state: dict[str, Any], taken_at: datetime = NIGHT, connection_id: str = ORDERS_ID) -> Snapshot:
    return Snapshot(taken_at, Origin("https://airbyte.example.com/api", connection_id), state)


@pytest.fixture
def demo() -> Iterator[FakeAirbyte]:
    with FakeAirbyte() as airbyte:
        plant_demo(airbyte, seconds_per_step=0.05)
        yield airbyte


# The format


DOCUMENT = json.loads(next(block.text for block in blocks("json") if block.page == FORMAT_PAGE))
STATES = [
    DOCUMENT["state"],
    stream_state(),
    stream_state(a=None, b={"x": [1, 2.0, 0.1, 1e-05, 1e16, 1e22, -0.0, True, False, None]}),
    stream_state(b=10**30, a=2**53 + 1, ä='ß€\U0001f600\x7f\u2028"\\/\n\r\t\b\f\x01'),
    {"connectionId": ORDERS_ID, "stateType": "not_set"},
    {"connectionId": ORDERS_ID},
    {"connectionId": ORDERS_ID, "state": {"cursor": 7}},
    {"connectionId": ORDERS_ID, "stateType": "", "state": {"cursor": 7}},
    {"connectionId": ORDERS_ID, "stateType": "legacy", "state": {"b": 1, "a": [{"d": 1, "c": 2}]}},
    {"connectionId": ORDERS_ID, "stateType": "legacy", "state": None},
    {
        "connectionId": ORDERS_ID,
        "stateType": "stream",
        "streamState": [
            {"streamDescriptor": {"name": "n", "namespace": ""}, "streamState": {}},
            {"streamDescriptor": {"name": "n"}, "streamState": {"cursor": 1}},
            {"streamDescriptor": {"name": "m", "namespace": None}, "streamState": False},
            {"streamDescriptor": {"name": "a", "namespace": "z"}},
            {"streamDescriptor": {"name": "a", "namespace": "Ä"}, "streamState": [1]},
        ],
    },
    {
        "connectionId": ORDERS_ID,
        "stateType": "global",
        "globalState": {
            "shared_state": {"lsn": 99, "ä": "ö"},
            "streamStates": [{"streamDescriptor": {"name": "b"}, "streamState": {}}],
        },
    },
    {"connectionId": ORDERS_ID, "stateType": "global", "globalState": {"shared_state": None, "streamStates": []}},
    {
        "connectionId": ORDERS_ID,
        "stateType": "stream",
        "streamState": [
            {"streamDescriptor": {"name": "twice"}, "streamState": state}
            for state in ({"c": 10}, {"c": 9}, {"c": 9.0}, {"c": 9}, None, {"c": {"x": 1}})
        ],
    },
]
# jq 1.6 writes fractions, integers above 2**53 and U+007F in its own way; the page says so of the numbers.
PLAIN = [state for number, state in enumerate(STATES[:-1]) if number not in (2, 3)]


def files_of(states: list[dict[str, Any]], folder: Path) -> dict[Path, str]:
    """Write a file for each state, with the SHA-256 that the code gives it."""
    found = {}
    for number, state in enumerate(states):
        path = folder / f"{number}.json"
        path.write_bytes(snapshot(state).to_bytes())
        found[path] = snapshot(state).digest
    return found


def test_the_pythons_sha256_is_that_of_the_code(tmp_path: Path) -> None:
    """Also for the golden files of format 1."""
    script = tmp_path / "sha256.py"
    script.write_text(block_with(FORMAT_PAGE, "the SHA-256, in Python"))
    golden = {path: json.loads(path.read_text())["state_sha256"] for path in GOLDEN.glob("format-1/*-*/*.json")}
    assert golden
    for path, digest in {**files_of(STATES, tmp_path), **golden}.items():
        done = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == digest, path.read_text()


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("sha256sum")), reason="jq or sha256sum is not here")
def test_jqs_sha256_is_that_of_the_code(tmp_path: Path) -> None:
    script = block_with(FORMAT_PAGE, "the SHA-256, with jq")
    for path, digest in files_of(PLAIN, tmp_path).items():
        shutil.copy(path, tmp_path / "snapshot.json")
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == digest, path.read_text()


def test_canonical_json_is_written_as_described() -> None:
    """By a writer of our own, from the words of the page alone."""
    for state in STATES:
        content = described_content(state)
        assert hashlib.sha256(written(content).encode("ascii")).hexdigest() == snapshot(state).digest


def described_content(state: dict[str, Any]) -> dict[str, Any]:
    kind = state.get("stateType") or ("legacy" if state.get("state") is not None else "not_set")
    entries, shared = state.get("streamState") if kind == "stream" else None, None
    if kind == "global":
        entries, shared = state["globalState"]["streamStates"], state["globalState"].get("shared_state")
    found = [
        [entry["streamDescriptor"].get("namespace"), entry["streamDescriptor"]["name"], entry["streamState"]]
        for entry in entries or []
        if entry.get("streamState") is not None
    ]
    found = list({written(row): row for row in found}.values())
    without = sorted((row for row in found if row[0] is None), key=lambda row: (row[1], written(row[2])))
    within = sorted((row for row in found if row[0] is not None), key=lambda row: row[:2])
    legacy = state.get("state") if kind == "legacy" else None
    is_empty = not found and shared is None and legacy is None
    return {
        "type": "not_set" if is_empty else kind,
        "streams": [*without, *within],
        "shared": shared,
        "legacy": legacy,
    }


ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}


def written(value: Any) -> str:
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case float():
            digits = repr(value)  # Python's own form is the one that the page describes
            assert re.fullmatch(r"-?\d+\.\d+|-?\d(\.\d+)?e[+-]\d\d+", digits)
            return digits
        case str():
            return '"' + "".join(map(written_character, value)) + '"'
        case list():
            return "[" + ",".join(map(written, value)) + "]"
    return "{" + ",".join(f"{written(key)}:{written(value[key])}" for key in sorted(value)) + "}"


def written_character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def test_the_documents_fields_and_types_are_those_of_a_file() -> None:
    types = {"string": str, "integer": int, "object": dict, "null": type(None)}
    assert FORMAT_VERSION == 1, "document the new format, and keep the old one"
    whole = json.loads(snapshot(DOCUMENT["state"]).to_bytes())
    tables = rows(section(FORMAT_PAGE, "The document"))
    of_document, of_origin = tables[: len(whole)], tables[len(whole) :]
    assert [row[0].strip("`") for row in of_document] == list(whole) == list(DOCUMENT)
    assert [row[0].strip("`") for row in of_origin] == [field.name for field in fields(Origin)]
    assert list(DOCUMENT["origin"]) == [field.name for field in fields(Origin)]
    for name, kind, _ in [*of_document, *of_origin]:
        allowed = tuple(types[word] for word in kind.split(" or "))
        value = {**DOCUMENT["origin"], **DOCUMENT}[name.strip("`")]
        assert isinstance(value, allowed), name
        is_optional = {field.name: field.default is None for field in fields(Origin)}.get(name.strip("`"), False)
        assert ("null" in kind) == is_optional, name
    assert f"`{FORMAT}`" in of_document[0][2]


def test_the_documents_example_is_a_snapshot_with_the_documented_name() -> None:
    read = Snapshot.from_bytes(json.dumps(DOCUMENT).encode(), where="the example")
    names = [block.text.strip() for block in blocks("text") if block.page == FORMAT_PAGE]
    assert f"{read.id}.json" in names


def test_names_and_folders_are_as_documented(tmp_path: Path) -> None:
    pattern = next(block.text.strip() for block in blocks("text") if block.page == FORMAT_PAGE and "\\d" in block.text)
    stem = "20261121T030000123456Z-3b505656c44f"
    good = [f"{stem}.json", f"{stem}.json.gz", f"{stem}.json.fernet", f"{stem}.json.gz.fernet"]
    bad = [
        f".{stem}.json.0123456789abcdef.unfinished",
        f"{stem}.json.fernet.gz",
        f"{stem}.json~",
        f"{stem.upper()}.json",
    ]
    folder = tmp_path / ORDERS_ID
    folder.mkdir()
    for name in [*good, *bad]:
        (folder / name).touch()
        assert bool(re.fullmatch(pattern, name)) == (name in good)
    assert sorted(Path(ref.path).name for ref in SnapshotStore(tmp_path).snapshots(ORDERS_ID)) == sorted(good)
    paths = next(block.text for block in blocks("text") if block.page == FORMAT_PAGE and "<root>" in block.text)
    assert f"<root>/<connection id>/{SAFETY_FOLDER}/<id>.json" in paths
    ref = SnapshotStore(tmp_path).write(snapshot(DOCUMENT["state"]), safety=True)
    assert Path(ref.path) == folder / SAFETY_FOLDER / f"{ref.id}.json"


def test_bytes_and_modes_are_as_documented(tmp_path: Path) -> None:
    key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    for compress in (False, True):
        for keys in ((), (key,)):
            packing = Packing(compress, keys)
            ref = SnapshotStore(tmp_path, packing=packing).write(snapshot(DOCUMENT["state"]))
            path = Path(ref.path)
            assert path.name == f"{ref.id}.json" + (".gz" if compress else "") + (".fernet" if keys else "")
            data = path.read_bytes()
            assert data.startswith(b"gAAAA" if keys else b"\x1f\x8b" if compress else b"{")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            if compress and not keys:
                assert data[4:8] == bytes(4)
                data = gzip.decompress(data)
            assert keys or (data.isascii() and data.endswith(b"}\n"))


def test_what_a_reader_must_refuse_and_ignore() -> None:
    def read(**changes: Any) -> Snapshot:
        return Snapshot.from_bytes(json.dumps({**DOCUMENT, **changes}).encode(), where="the file")

    with pytest.raises(AirbyteSnapshotFormatError, match=re.escape(repr(DOCUMENT["written_by"]))):
        read(format_version=FORMAT_VERSION + 1)
    with pytest.raises(AirbyteSnapshotFormatError):
        read(format="something else")
    with pytest.raises(AirbyteSnapshotDamagedError):
        read(state=stream_state(orders="2042", customers="318"))
    with pytest.raises(AirbyteSnapshotDamagedError):
        Snapshot.from_bytes(json.dumps(DOCUMENT).encode()[:-1], where="the file")
    newer = read(new=1, origin={**DOCUMENT["origin"], "new": 1})
    assert newer == read()
    assert read(origin={"base_url": "b", "connection_id": ORDERS_ID}).origin == Origin("b", ORDERS_ID)
    # Not covered by the SHA-256.
    assert read(taken_at="2020-01-01T00:00:00.000000+00:00", written_by="me").digest == read().digest


# Backup


def test_retention_keeps_what_the_table_says() -> None:
    text = section(BACKUP_PAGE, "Retention")
    (rules,) = re.findall(r"^What `(\{.*?\})` keeps", text, re.MULTILINE)
    documented = {row[0].strip("`") for row in rows(text) if row[0].startswith("`")}
    assert documented == {field.name for field in fields(Retention)}
    newest = datetime(2026, 11, 22, 3, tzinfo=UTC)
    refs = []
    for age in range(500):
        taken_at = newest - timedelta(days=age)
        refs.append(SnapshotRef(snapshot(stream_state(), taken_at).id, ORDERS_ID, "path"))
    kept = {
        decision.ref.taken_at.date(): {reason.split()[0] for reason in decision.reasons} - {"newest"}
        for decision in decide(refs, Retention.of(json.loads(rules)), now=newest)
        if decision.keep
    }
    assert f"{len(kept)} snapshots" in text
    for days, by in (row for row in rows(text) if row[0][0].isdigit()):
        for day in days_of(days):
            assert set(re.findall(r"\w+", by)) <= kept.pop(day), day
    assert not kept


def days_of(text: str) -> list[date]:
    days = [date.fromisoformat(day) for day in re.findall(r"\d{4}-\d\d-\d\d", text)]
    if " to " not in text:
        return days
    first, last = days
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def test_the_alias_is_the_operators_and_schedules_the_documented_dag(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    assert f"`{SNAPSHOTS_ALIAS}`" in section(BACKUP_PAGE, "Asset events")
    (block,) = [block for block in blocks("python") if block.page == BACKUP_PAGE and "AssetAlias" in block.text]
    (tmp_path / "dag.py").write_text(block.text)
    (dag,) = DagBag(tmp_path).dags.values()
    assert dag.timetable.asset_condition.name == SNAPSHOTS_ALIAS
    operator = AirbyteBackupStateOperator(task_id="backup", connection_id=ORDERS_ID, store="store")
    assert [outlet.name for outlet in operator.outlets] == [SNAPSHOTS_ALIAS]


class OutletEvents:
    """What Airflow gives a task for its asset events."""

    def __init__(self) -> None:
        self.extras: list[dict[str, Any]] = []

    def __getitem__(self, outlet: Any) -> OutletEvents:
        return self

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.extras.append(extra)


def keys_under(operator: type) -> list[str]:
    """The keys of the XCom that a section documents, after its arguments."""
    found = rows(section("docs/operators.md", operator.__name__).partition("\nIt returns")[2])
    return [row[0].strip("`") for row in found]


def test_the_documented_xcoms_and_events_are_those_of_the_operators(monkeypatch, demo, tmp_path: Path) -> None:
    connection = {"conn_type": "airbyteconfig", "host": demo.url}
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", json.dumps(connection))
    places = {"connection_id": ORDERS_ID, "store": str(tmp_path)}
    events = OutletEvents()
    saved = AirbyteBackupStateOperator(task_id="backup", **places).execute({"outlet_events": events})
    assert list(saved) == keys_under(AirbyteBackupStateOperator)
    assert events.extras == [saved]
    named = re.findall(
        r"`(\w+)`", re.findall(r"the event's `extra` is what the task returns: (.*?)\. ", text_of(BACKUP_PAGE))[0]
    )
    assert named == list(saved)
    demo.set_state(ORDERS_ID, stream_state(orders="1"))
    restored = AirbyteRestoreStateOperator(task_id="restore", snapshot=saved, **places).execute({})
    assert list(restored) == keys_under(AirbyteRestoreStateOperator)
    assert list(restored["changes"][0]) == ["stream", "change", "keys"]
    forgotten = AirbyteForgetSnapshotsOperator(task_id="forget", keep={"last": 1}, **places).execute({})
    assert list(forgotten) == keys_under(AirbyteForgetSnapshotsOperator)


# Restore


def restorer(client: AirbyteClient, folder: Path, connection_id: str = ORDERS_ID, **options: Any) -> Restorer:
    return Restorer(client, SnapshotStore(folder), connection_id, **options)


def test_the_dry_runs_log_is_what_a_restore_says(demo: FakeAirbyte, tmp_path: Path) -> None:
    demo.set_state(ORDERS_ID, stream_state(orders="9999"))
    wanted = snapshot(DOCUMENT["state"]).content
    with client_of(demo) as client:
        plan = restored(restorer(client, tmp_path), lambda _: wanted, dry_run=True).plan
    log = block_with(BACKUP_PAGE, "log of a dry run").splitlines()
    first, *table, last = log
    assert first == f"From the state now to the state wanted: {plan.diff.summary()}"
    assert table == plan.diff.table() == table_lines(("stream", "change", "keys"), cells_of(plan))
    source = inspect.getsource(AirbyteRestoreStateOperator)
    for words in (first.partition(":")[0], last, "Airbyte was read again: its state is the wanted one."):
        assert words in source
        assert words in text_of(BACKUP_PAGE)


def cells_of(plan: Any) -> list[tuple[str, str, str]]:
    return [(part.name, part.change, ", ".join(part.keys)) for part in plan.diff.differing]


def client_of(airbyte: FakeAirbyte) -> AirbyteClient:
    return AirbyteClient(ClientSettings(base_url=airbyte.url))


REFUSALS = [row[0].strip("`") for row in rows(section(BACKUP_PAGE, "When a restore is refused"))]


def test_the_documented_refusals_are_those_of_a_restore(demo: FakeAirbyte, tmp_path: Path) -> None:
    """Each in its own situation, in the order of the table; and in none is anything written."""
    known = snapshot(DOCUMENT["state"])
    unknown = snapshot(stream_state(gone="1")).content
    shared = {"connectionId": ORDERS_ID, "stateType": "global", "globalState": {"shared_state": 1, "streamStates": []}}
    words: list[str] = []

    def refused(call: Any) -> None:
        before = demo.state(ORDERS_ID)
        with pytest.raises(AirbyteError) as error:
            call()
        words.append(str(error.value))
        assert demo.state(ORDERS_ID) == before

    with client_of(demo) as client:
        job_id = demo.start_job(ORDERS_ID)
        refused(lambda: restored(restorer(client, tmp_path), lambda _: known.content))
        demo.advance(job_id, "cancelled")
        refused(lambda: restored(restorer(client, tmp_path, wait_timeout=1), lambda _: known.content))
        demo.advance(job_id, "succeeded")
        refused(lambda: check_origin(known, EVENTS_ID))
        refused(lambda: restored(restorer(client, tmp_path, if_stream_missing="fail"), lambda _: unknown))
        rows = [{"streamDescriptor": {"name": "twice"}, "streamState": cursor} for cursor in (1, 2)]
        twice = snapshot({"connectionId": ORDERS_ID, "stateType": "stream", "streamState": rows}).content
        refused(lambda: restored(restorer(client, tmp_path), lambda now: target_of(twice, now)))
        merged = snapshot(shared).content
        refused(lambda: restored(restorer(client, tmp_path), lambda now: target_of(merged, now, mode="merge")))
        refused(lambda: resolve_streams(["gone"], known.content.streams))
        demo.set_connection_status(ORDERS_RECREATED_ID, "deprecated")
        refused(lambda: restored(restorer(client, tmp_path, ORDERS_RECREATED_ID), lambda _: known.content))
        demo.fail_next("createOrUpdateStateSafe", Fault.status(423, body={"message": "A sync is running."}))
        other = snapshot(stream_state(orders="1")).content
        refused(lambda: restored(restorer(client, tmp_path), lambda _: other))
    assert len(REFUSALS) == len(words)
    for documented, said in zip(REFUSALS, words, strict=True):
        assert documented in said


def test_the_documented_trigger_gives_parameters_that_the_example_has() -> None:
    from airflow.dag_processing.dagbag import DagBag

    (block,) = [block for block in blocks("bash") if "airflow dags trigger" in block.text]
    ((*_, dag_id, option, conf),) = commands(block.text)
    assert option == "--conf"
    dag = DagBag(ROOT / "example_dags").dags[dag_id]
    assert set(json.loads(conf)) == set(dag.params)
    assert json.loads(conf)["dry_run"] is True


# The console command


def cli_blocks(page: str) -> list[str]:
    return [
        block.text
        for block in blocks("bash")
        if block.page == page and ("airbyte-state" in block.text or "export AIRBYTE" in block.text)
    ]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has the command, and nothing of Airflow's or Airbyte's."""
    command = tmp_path / "bin" / parser.PROGRAM
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m airflow_airbyte_ext.cli "$@"\n')
    command.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRBYTE"))}
    return clean | {"PATH": f"{command.parent}:{clean['PATH']}", "PYTHONPATH": str(ROOT)}


def run_as_on_a_terminal(script: str, environment: dict[str, str]) -> list[tuple[str, int, str]]:
    """Run each line, responding "y" to whatever it asks; return it with its exit code and all that it said."""
    done = []
    for line in script.replace("\\\n", " ").splitlines():
        for words in commands(line):
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                environment[name] = value
                continue
            person, terminal = pty.openpty()
            os.write(person, b"y\n")
            run = subprocess.run(
                ["bash", "-c", line], env=environment, stdin=terminal, capture_output=True, text=True, check=False
            )
            os.close(person)
            os.close(terminal)
            done.append((line, run.returncode, run.stdout + run.stderr))
    return done


def test_the_runbook_without_airflow_runs(shell, tmp_path: Path) -> None:
    """The runbook without Airflow runs from its first command to its last."""
    script = "\n".join(cli_blocks(BACKUP_PAGE))
    given = dict(re.findall(r"export (AIRBYTE_\w+)=(.*)", script))
    credentials = {"client_id": given["AIRBYTE_CLIENT_ID"], "client_secret": given["AIRBYTE_CLIENT_SECRET"]}
    store = SnapshotStore(tmp_path / "store")
    seed = stream_state(orders="2041", customers="318")
    for days, state in ((0, stream_state(orders="1000", customers="100")), (1, seed)):
        store.write(snapshot(state, NIGHT + timedelta(days=days)))
    safety = store.write(snapshot(seed, datetime.combine(date(2026, 11, 22), time(9, 15), UTC)), safety=True)
    assert safety.id in block_with(BACKUP_PAGE, "the id of a safety snapshot")
    with FakeAirbyte(auth="client_credentials", **credentials) as airbyte:
        plant_demo(airbyte, seconds_per_step=0.05)
        airbyte.set_state(ORDERS_ID, stream_state(orders="9999"))
        places = {given["AIRBYTE_URL"]: airbyte.url, given["AIRBYTE_STATE_STORE"]: str(store.root)}
        for written_place, real in places.items():
            script = script.replace(written_place, real)
        for line, code, said in run_as_on_a_terminal(script, shell):
            assert code == (1 if " diff " in line else 0), line + said
        moved = {row["streamDescriptor"]["name"] for row in airbyte.state(ORDERS_RECREATED_ID)["streamState"]}
        assert moved == {"orders", "clients"}
        assert [row["streamState"] for row in airbyte.state(ORDERS_ID)["streamState"]] == [{"cursor": "1500"}]


def test_the_pages_commands_run(shell, demo: FakeAirbyte, tmp_path: Path) -> None:
    script = "\n".join(cli_blocks("docs/cli.md"))
    script = script.replace("https://airbyte.example.com", demo.url).replace("/var/backups", str(tmp_path))
    for line, code, said in run_as_on_a_terminal(script, shell):
        assert code == 0, line + said
    assert len(SnapshotStore(tmp_path / "airbyte").connections()) == 5


def test_commands_variables_and_exit_codes_are_documented() -> None:
    """The commands the variables and the exit codes are those of the code."""
    page = text_of("docs/cli.md")
    (choices,) = (
        action.choices for action in parser._parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    of_commands = rows(page.partition("\n## ")[0])
    assert {row[0].strip("`") for row in of_commands} == set(choices)
    variables = {
        name for row in rows(section("docs/cli.md", "Where Airbyte and the store are")) for name in words(row[0])
    }
    assert variables == {*settings.ENVIRONMENT.values(), settings.STORE, settings.KEYS, settings.AIRFLOW_DEFAULT}
    options = {
        name for row in rows(section("docs/cli.md", "Where Airbyte and the store are")) for name in words(row[1])
    }
    assert all(options <= set(choice._option_string_actions) for choice in choices.values())
    documented = [
        (row[0], re.sub(r"[`]|\[(.*?)\]\(.*?\)", r"\1", row[1])) for row in rows(section("docs/cli.md", "In scripts"))
    ]
    assert documented == re.findall(r"^  (\d+) +(.*)$", exit_codes.EXPLAINED, re.MULTILINE)
    assert exit_codes.EXPLAINED.splitlines()[-1] in page


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
