"""What `airbyte-state` says is in the words of the shell: its options, and no arguments of Python or of Airflow."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import airflow_airbyte_ext
from airflow_airbyte_ext.cli.words import in_shell_words
from airflow_airbyte_ext.testing import Step

PACKAGE = Path(airflow_airbyte_ext.__file__).parent
# What the command imports, and so may say.
FILES = [
    *(PACKAGE / "api").glob("*.py"),
    *(PACKAGE / "snapshots").glob("*.py"),
    *(PACKAGE / "jobs" / f"{name}.py" for name in ("cancel", "reader", "report", "running", "submit")),
    *(PACKAGE / "jobs" / f"{name}.py" for name in ("kinds", "poll")),
    PACKAGE / "connections" / "access.py",
    PACKAGE / "connections" / "find.py",
]
FOREIGN = re.compile(
    r"\b(if_running|wait_timeout|if_stream_missing|token_url|base_url|client_id|client_secret|airbyte_conn_id|mode=|"
    r"allow_plain|this task|rendered to|Airflow Connection points)\b"
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('or wait for it (if_running="wait").', "or wait for it (--if-running wait)."),
        (
            "give that address as token_url; else choose auth none",
            "give that address as --token-url; else choose --auth none",
        ),
        ("choose another kind of authentication (auth)", "choose another kind of authentication (--auth)"),
        ("Authentication 'basic' lacks username. Give", "Authentication 'basic' lacks --username. Give"),
        (
            "settings are wrong: timeout: not a number; verify: no",
            "settings are wrong: --timeout: not a number; --verify-tls: no",
        ),
        (
            "as a bundle in `verify`, or set `verify` to false",
            "as a bundle in --verify-tls, or set --verify-tls to false",
        ),
        ("is inactive. Enable it in Airbyte, or take this task out.", "is inactive. Enable it in Airbyte."),
        ('Restore the others, by name, with mode="merge".', "Restore the others, by name, with --mode merge."),
        ("Try again in 9 seconds, or increase wait_timeout.", "Try again in 9 seconds, or increase --wait-timeout."),
        ("keep['last'] is -1; keep['within_days'] is 0", "--keep-last is -1; --keep-within-days is 0"),
        ("the token endpoint and its timeout, auth and mode", "the token endpoint and its timeout, auth and mode"),
    ],
)
def test_arguments_become_options(said, shown):
    """And ordinary words stay as they are."""
    assert in_shell_words(said) == shown


def messages(path: Path) -> list[str]:
    """The sentences of a module: its texts with white space, f-strings as a whole, without docstrings and patterns."""
    tree = ast.parse(path.read_text())
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values]
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return [text for text in found if " " in text.strip()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_message_speaks_of_arguments_or_tasks(path):
    """Of all that the layers below may say, whatever is added to it."""
    foreign = [text for text in messages(path) if FOREIGN.search(in_shell_words(text))]
    assert foreign == []


def test_a_running_job_is_told_with_the_option(cli, airbyte, orders):
    cli("backup", "--connection", orders)
    airbyte.script(orders, [Step("running")])
    airbyte.start_job(orders)
    run = cli("restore", "--connection", orders, "--yes")
    assert "or wait for it (--if-running wait)" in run.err
    assert "if_running" not in run.err


def test_credentials_are_asked_for_by_option(cli, start_fake, orders, monkeypatch):
    """Those of a server without a token endpoint, too: there the token's address is an option."""
    monkeypatch.setenv("AIRBYTE_CLIENT_ID", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
    assert "lacks --client-secret-file" in cli("backup", "--connection", orders).err
    monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", "secret")
    monkeypatch.setenv("AIRBYTE_URL", start_fake("0.50").url)
    run = cli("backup", "--connection", orders)
    assert run.code == 2
    assert "--token-url" in run.err
    assert "--auth" in run.err
    run = cli("backup", "--connection", orders, "--token-url", "nonsense")
    assert (run.code, "--token-url is not an http or https URL" in run.err) == (2, True)


def test_the_token_comes_from_the_address_that_is_given(cli, start_fake, stub, orders, monkeypatch):
    """By option, and by the environment."""
    airbyte = start_fake("2.0", auth="client_credentials")
    connection = airbyte.add_connection()
    stub.response("/oauth/token", {"access_token": "wrong"})
    monkeypatch.setenv("AIRBYTE_URL", airbyte.url)
    monkeypatch.setenv("AIRBYTE_CLIENT_ID", airbyte.client_id)
    monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", airbyte.client_secret)
    assert cli("backup", "--connection", connection).code == 0
    assert cli("backup", "--connection", connection, "--token-url", f"{stub.url}/oauth/token").code == 2
    monkeypatch.setenv("AIRBYTE_TOKEN_URL", f"{stub.url}/oauth/token")
    assert cli("backup", "--connection", connection).code == 2
    assert len(stub.seen("/oauth/token")) >= 2


def test_an_unknown_connection_is_told_with_the_option(cli):
    run = cli("backup", "--connection", "99999999-9999-4999-8999-999999999999")
    assert "that --url (or --airflow-conn-env) names the right Airbyte" in run.err
