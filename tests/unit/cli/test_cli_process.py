"""`airbyte-state` as a process: terminals, signals, pipes, imports, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys

import pytest
from cli_states import SECRET, cursors, state_of, writes

from airflow_airbyte_ext.cli.exit_codes import Exit, code_of
from airflow_airbyte_ext.testing import Fault

COMMANDS = ("list", "backup", "show", "diff", "restore", "rewind", "verify", "forget")


@pytest.fixture
def moved_on(cli, airbyte, orders):
    cli("backup", "--connection", orders)
    airbyte.set_state(orders, state_of(orders="99"))
    return orders


@pytest.mark.parametrize(("response", "code"), [("y\n", 0), ("n\n", 3), ("\n", 3), ("\x04", 3)])
def test_a_person_is_asked_on_a_terminal(process, airbyte, moved_on, response, code):
    """Only a yes writes; the question is no part of stdout."""
    ours, theirs = pty.openpty()
    run = process("restore", "--connection", moved_on, "--json", stdin=theirs)
    os.close(theirs)
    os.write(ours, response.encode())
    out, err = run.communicate(timeout=60)
    os.close(ours)
    assert run.returncode == code == json.loads(out)["exit_code"]
    assert "[y/N]" in err
    assert (cursors(airbyte, moved_on) == {"orders": "10", "users": "20"}) == (code == 0)


def test_a_state_that_changed_while_a_person_thought_is_not_overwritten(process, airbyte, moved_on):
    """They said yes to something else."""
    ours, theirs = pty.openpty()
    run = process("restore", "--connection", moved_on, stdin=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 1000)
    airbyte.set_state(moved_on, state_of(orders="100"))
    os.write(ours, b"y\n")
    assert run.wait(timeout=60) == 3
    os.close(ours)
    assert writes(airbyte) == []


def test_a_progress_bar_is_for_terminals(process, airbyte, orders):
    """On stderr: stdout has the document, and nothing else."""
    airbyte.add_connection("Second")
    ours, theirs = pty.openpty()
    run = process("backup", "--workspace", airbyte.workspace_id, "--json", stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"2 saved" not in shown:
        shown += os.read(ours, 1000)
    out, _ = run.communicate(timeout=60)
    os.close(ours)
    assert b"Backing up" in shown
    assert json.loads(out)["exit_code"] == 0


def test_ctrl_c_ends_a_backup_though_airbyte_is_silent(process, tmp_path):
    """One line, and 130; a server that takes the request and never responses does not hold it up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        run = process("backup", "--connection", "11111111-1111-4111-8111-111111111111", "--url", url)
        peer, _ = server.accept()
        peer.recv(10)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
        peer.close()
    assert (run.returncode, out) == (130, "")
    assert err.split() == ["Interrupted."]


def test_ctrl_c_while_writing_says_how_to_go_on(process, airbyte, moved_on, store):
    """The state before was kept, and its name was configured."""
    airbyte.fail_next("createOrUpdateStateSafe", Fault.delay(3))
    run = process("restore", "--connection", moved_on, "--yes")
    line = run.stderr.readline()
    while "The state before is kept" not in line:
        line = run.stderr.readline()
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "Run the same command again" in err
    (kept,) = store.rglob("before-restore/*.json")
    assert kept.name.removesuffix(".json") in line
    airbyte.reset()


def test_a_reader_that_goes_away_is_no_error(process, cli, orders):
    """As with `| head`."""
    for _ in range(3):
        cli("backup", "--connection", orders)
    reader, writer = os.pipe()
    os.close(reader)
    run = process("list", "--connection", orders, "--json", stdout=writer)
    os.close(writer)
    _, err = run.communicate(timeout=60)
    assert err == ""


def test_no_word_of_airflow_is_imported(process):
    """Airflow is down, or not even installed where this runs."""
    script = (
        "import sys, pkgutil, importlib, airflow_airbyte_ext.cli as cli\n"
        "[importlib.import_module('airflow_airbyte_ext.cli.' + m.name) for m in pkgutil.iter_modules(cli.__path__)"
        " if m.name != '__main__']\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'airflow'])"
    )
    response = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert response.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_needs_no_settings(cli, command, monkeypatch):
    monkeypatch.delenv("AIRBYTE_URL")
    run = cli(command, "--help")
    assert run.code == 0
    assert "--store" in run.out


def test_the_exit_codes_are_in_the_help(cli):
    out = cli("--help").out
    assert all(f"  {code:<5}" in out for code in Exit)
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["backup"],
        ["backup", "--connection", "x"],
        ["restore", "--yes"],
        ["backup", "--connection", "x", "--workspace", "x"],
    ],
)
def test_wrong_usage_is_2(cli, arguments):
    run = cli(*arguments)
    assert run.code == 2
    assert len(run.err.splitlines()) == 1


def test_an_airbyte_that_is_not_there_is_4(cli, orders):
    run = cli("backup", "--connection", orders, "--url", "http://127.0.0.1:9")
    assert run.code == 4
    assert "cannot connect" in run.err.splitlines()[-1]


def test_an_error_that_nobody_thought_of_shows_no_value():
    """Its text may hold a state."""
    assert code_of(KeyError(SECRET)) == Exit.FAILED


def test_an_unexpected_error_is_one_line_without_its_text(cli, airbyte, orders):
    """A state of a shape that no Airbyte gives."""
    body = {"connectionId": orders, "stateType": "stream", "streamState": [{"streamDescriptor": {}, "x": SECRET}]}
    airbyte.fail_next("getState", Fault.status(200, body=body))
    run = cli("show", "--connection", orders, "--snapshot", "current")
    assert run.code in (1, 4)
    assert SECRET not in run.out + run.err
    assert len(run.err.splitlines()) == 1
