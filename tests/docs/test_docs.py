"""What the documentation says is true: its snippets run, its commands exist, its tables are those of the code."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from functools import cache
from typing import TYPE_CHECKING

import pytest
from pages import (
    PAGES,
    ROOT,
    Block,
    anchors,
    block_with,
    blocks,
    commands,
    links,
    marked_part,
    rows,
    section,
    text_of,
)
from tables import ARGUMENTS, documented_arguments

from airflow_airbyte_ext import __version__, exceptions
from airflow_airbyte_ext.api.clock import SystemClock
from airflow_airbyte_ext.api.settings import ClientSettings, normalise_base_url
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.jobs.kinds import SyncSubmitter
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import poll_job, wait_for_job
from airflow_airbyte_ext.jobs.report import JobReport, job_page, read_report, report_of, summary_lines
from airflow_airbyte_ext.operators.airbyte import AirbyteResetConnectionOperator, AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.connections import (
    AirbyteCheckSchemaOperator,
    AirbyteListConnectionsOperator,
    AirbyteUpdateConnectionOperator,
)
from airflow_airbyte_ext.operators.state import (
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS, FORM_BEHAVIOUR
from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor, AirbyteJobSensor
from airflow_airbyte_ext.snapshots.packing import Packing
from airflow_airbyte_ext.testing import FakeAirbyte, Fault
from airflow_airbyte_ext.testing.demo import BROKEN_API_ID, DEMO_CONNECTIONS, plant_demo
from airflow_airbyte_ext.testing.eras import ERAS
from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger, AirbyteJobTrigger
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = "http://localhost:8000"
CONNECTION = re.compile(r"AIRFLOW_CONN_(\w+)='([^']*)'")
PYTHON = [block for block in blocks("python") if block.page != "docs/testing.md"]  # tests/contract runs those
QUOTED = [block for block in PYTHON if block.note.startswith(("example_", "with example_"))]
CHAINS = [block for block in PYTHON if block.note.startswith("with the http provider")]  # test_migration runs those
DAGS = [block for block in PYTHON if "with DAG(" in block.text and block not in CHAINS]
SCRIPTS = [
    block for block in PYTHON if block not in DAGS + CHAINS and not block.note.startswith(("example_", "the SHA-256"))
]
CONNECTIONS = [(str(block), *found) for block in blocks("bash") for found in CONNECTION.findall(block.text)]


@pytest.fixture
def demo() -> Iterator[FakeAirbyte]:
    """The fake Airbyte of `--seed demo`; its jobs take a few seconds, so that each status is seen on a busy machine."""
    with FakeAirbyte() as airbyte:
        plant_demo(airbyte, seconds_per_step=0.3)
        yield airbyte


# Snippets


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_in_the_documentation_runs(block: Block, demo: FakeAirbyte, tmp_path: Path) -> None:
    """With the fake Airbyte in the place of the address that the documentation uses."""
    script = tmp_path / "script.py"
    script.write_text(block.text.replace(ADDRESS, demo.url))
    connection = json.dumps({"conn_type": "airbyteconfig", "host": demo.url})
    environment = {**os.environ, "AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT": connection, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert demo.journal, "it never spoke to Airbyte"


@pytest.mark.parametrize("block", DAGS, ids=str)
def test_a_dag_in_the_documentation_is_one_for_airflow(block: Block, tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "dag.py").write_text(block.text)
    bag = DagBag(tmp_path)
    assert not bag.import_errors
    assert len(bag.dags) == 1


@pytest.mark.parametrize("block", QUOTED, ids=str)
def test_a_quoted_example_is_the_marked_part_of_its_file(block: Block) -> None:
    """A note "with ..." says that the quotation stands within more."""
    found = re.fullmatch(r"(with )?(example_\w+\.py): (\w+)", block.note)
    assert found
    part = marked_part(found[2], found[3])
    if found[1]:
        assert textwrap.indent(part, "    ") in block.text
    else:
        assert block.text == part


def test_every_marked_part_of_the_examples_is_quoted_in_the_operators_page() -> None:
    marks = {
        f"{path.name}: {name}"
        for path in (ROOT / "example_dags").glob("*.py")
        for name in re.findall(r"\[START (\w+)\]", path.read_text())
    }
    assert marks == {block.note for block in QUOTED if block.page == "docs/operators.md"}


# Commands


@cache
def help_of(*command: str) -> str:
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("block", [block for block in blocks("bash") if not block.note.startswith("the SHA")], ids=str)
def test_a_documented_command_exists_with_its_options(block: Block) -> None:
    for words in commands(block.text):
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        match words:
            case ["export", *_]:
                continue
            case ["bash", script, *_]:
                assert (ROOT / script).is_file()
                subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)
                assert not options or options <= set(re.findall(r"--[\w-]+", help_of("bash", str(ROOT / script))))
            case ["pip", "install", "."]:
                continue  # tests/e2e/test_wheel.py does it
            case ["pip", "install", package]:
                project = tomllib.loads(text_of("pyproject.toml"))["project"]
                name, _, extra = package.rstrip("]").partition("[")
                assert name in (".", project["name"])
                assert extra in ["", *project["optional-dependencies"]]
            case ["python", "-c", code]:
                made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
                assert Packing.with_keys(made.stdout).keys
            case ["airbyte-state", command, *_]:
                known = help_of(sys.executable, "-m", "airflow_airbyte_ext.cli", command)
                assert options <= set(re.findall(r"--[\w-]+", known))
            case ["python", "-m", module, *_]:
                assert options <= set(re.findall(r"--[\w-]+", help_of(sys.executable, "-m", module)))
            case ["airflow", group, command, *_]:
                known = help_of(sys.executable, "-m", "airflow", group, command)
                assert options <= set(re.findall(r"--[\w-]+", known))
            case _:
                pytest.fail(f"{shutil.which(words[0]) or words[0]}: say in this test how to check it")


def test_the_demos_variables_are_those_of_its_script() -> None:
    documented = set(re.findall(r"\bAIRBYTE_[A-Z_]+", text_of("docs/quickstart.md")))
    read = set(re.findall(r"\"(AIRBYTE_[A-Z_]+)\"", text_of("scripts/demo.py")))
    assert documented == read


def demo_rows(text: str) -> list[tuple[str, str]]:
    """DAG and task of each row of the demo's table; a DAG is named in its first row alone, without its prefix."""
    header, _, *lines = text.split("\n\n")[0].splitlines()
    found: list[tuple[str, str]] = []
    for line in lines:
        name = line[: header.index("task")].strip()
        dag_id = f"example_airbyte_{name}" if name else found[-1][0]
        found.append((dag_id, line[header.index("task") :].split()[0]))
    return found


def test_the_demos_table_has_a_row_for_each_task_of_the_examples() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "example_dags")
    assert not bag.import_errors
    table = block_with("docs/quickstart.md", "the demo's table")
    shown = {(dag_id, re.sub(r"\[\d+\]", "", task)) for dag_id, task in demo_rows(table)}
    assert shown == {(dag.dag_id, task) for dag in bag.dags.values() for task in dag.task_ids}
    assert list(dict.fromkeys(dag_id for dag_id, _ in demo_rows(table))) == sorted(bag.dags)
    assert f"All {len(bag.dags)} DAGs succeeded" in table
    assert len(bag.dags) == 14
    assert "runs the fourteen example DAGs" in text_of("README.md")


def test_the_readmes_excerpt_is_a_part_of_the_demos_table() -> None:
    """Its columns and one whole DAG."""
    table = block_with("docs/quickstart.md", "the demo's table")
    excerpt = block_with("README.md", "from the demo's table")
    ((dag_id, *_),) = {row[:1] for row in demo_rows(excerpt)}
    assert [line for line in table.splitlines() if line in excerpt.splitlines()] == excerpt.splitlines()
    assert demo_rows(excerpt) == [row for row in demo_rows(table) if row[0] == dag_id]


# The Airflow Connection


@pytest.mark.parametrize(("where", "conn_id", "value"), CONNECTIONS)
def test_a_ready_made_connection_gives_settings(monkeypatch, where: str, conn_id: str, value: str) -> None:
    """Through Airflow's own parser of the environment variable."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", value)
    settings = AirbyteConfigHook(conn_id.lower()).settings
    assert settings.base_url in ("http://localhost:8000/api", "https://airbyte.example.com/api"), where


@pytest.mark.parametrize("page", ["README.md", "docs/connection.md"])
def test_each_page_has_connections_for_three_kinds_of_authentication(monkeypatch, page: str) -> None:
    kinds = []
    for where, conn_id, value in CONNECTIONS:
        if where.startswith(page):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", value)
            kinds.append(AirbyteConfigHook(conn_id.lower()).settings.auth_kind)
    three = ["none", "client_credentials", "basic"]
    assert kinds == (three if page == "README.md" else [*three, *three, "bearer"])


def test_every_connection_field_is_documented() -> None:
    """Every field of the connection is documented with its label and default."""
    documented = {row[0]: row for row in rows(section("docs/connection.md", "Every field"))}
    extras = {f"extra `{name}`" for name in CONNECTION_FIELDS}
    assert set(documented) == {"host", "login", "password", "port", "schema"} | extras
    for name, field in CONNECTION_FIELDS.items():
        row = documented[f"extra `{name}`"]
        assert row[1] == field["label"]
        if (default := field["schema"].get("default")) is not None:
            assert row[3].strip("`") == str(default)
            assert ClientSettings.model_fields[name].default == default
    assert [name for name, row in documented.items() if row[1] == "hidden"] == FORM_BEHAVIOUR["hidden-fields"]
    for name, label in FORM_BEHAVIOUR["relabeling"].items():
        assert documented[name][1] == label


@pytest.mark.parametrize("row", rows(section("docs/connection.md", "The address")), ids=lambda row: row[0])
def test_an_address_becomes_what_the_documentation_says(row: list[str]) -> None:
    given, base = (cell.strip("`") for cell in row)
    assert normalise_base_url(given) == base


MESSAGES = [row[0].strip("`") for row in rows(section("docs/connection.md", "When the test button says no"))]


def test_the_documented_messages_are_those_of_the_test_button(monkeypatch) -> None:
    """Each in its own situation, in the order of the table."""

    def response(**connection: object) -> str:
        value = json.dumps({"conn_type": "airbyteconfig", **connection})
        monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_CONFIG_DEFAULT", value)
        works, words = AirbyteConfigHook().test_connection()
        assert not works
        return words

    with (
        FakeAirbyte(auth="basic") as basic,
        FakeAirbyte(auth="client_credentials") as applications,
        FakeAirbyte() as web,
        FakeAirbyte() as moved,
    ):
        web.fail_next("*", Fault.html(), times=9)
        moved.fail_next("*", Fault.redirect("https://login.example.com/"), times=9)
        wrong = {"login": applications.client_id, "password": "wrong-secret"}
        proxies = {"https": "http://127.0.0.1:9"}
        responses = [
            response(host=basic.url, conn_type="postgres"),
            response(host=basic.url, extra="[1]"),
            response(host=basic.url, extra={"tiemout": 3}),
            response(),
            response(host=basic.url, extra={"auth": "basic"}),
            response(host=basic.url, login="airbyte", password="wrong-password"),
            response(host=applications.url, **wrong),
            response(host="http://127.0.0.1:9"),
            response(host="https://airbyte.example.com", extra={"proxies": proxies}),
            response(host=basic.url.replace("http:", "https:")),
            response(host=web.url),
            response(host=moved.url),
        ]
    assert len(MESSAGES) == len(responses)
    for message, words in zip(MESSAGES, responses, strict=True):
        assert message in words


# Operators, sensor, trigger, hook


def arguments_of(owner: type) -> dict[str, inspect.Parameter]:
    """The arguments that a class and its bases of ours add to those of Airflow's own."""
    found: dict[str, inspect.Parameter] = {}
    for base in owner.__mro__:
        if base.__module__.startswith("airflow_airbyte_ext.") and "__init__" in vars(base):
            for name, parameter in inspect.signature(inspect.unwrap(base.__init__)).parameters.items():
                if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                    found.setdefault(name, parameter)
    return found


@pytest.mark.parametrize(
    "owner",
    [
        AirbyteSyncConnectionOperator,
        AirbyteResetConnectionOperator,
        AirbyteBackupStateOperator,
        AirbyteRestoreStateOperator,
        AirbyteForgetSnapshotsOperator,
        AirbyteListConnectionsOperator,
        AirbyteUpdateConnectionOperator,
        AirbyteCheckSchemaOperator,
        AirbyteJobSensor,
        AirbyteConnectionSensor,
        AirbyteJobTrigger,
        AirbyteConnectionTrigger,
        AirbyteSyncEventTrigger,
        AirbyteConfigHook,
    ],
)
def test_every_argument_is_in_a_table_of_the_page(owner: type) -> None:
    """In the class's own section, or in that of a base class; the tables are made from the docstrings."""
    bases = [base for base in owner.__mro__ if base in ARGUMENTS]
    assert set(arguments_of(owner)) == {name for base in bases for name in documented_arguments(base)}


def test_every_class_that_airflow_users_take_is_documented() -> None:
    from airflow_airbyte_ext.operators import airbyte, connections, state
    from airflow_airbyte_ext.sensors import airbyte as sensors

    rooms = (airbyte, connections, state, sensors)
    for name in [*(name for room in rooms for name in room.__all__), "AirbyteJobTrigger", "AirbyteConfigHook"]:
        assert section("docs/operators.md", name)


def test_the_keys_of_the_xcom_are_documented() -> None:
    documented = [row[0].strip("`") for row in rows(section("docs/operators.md", "The XCom"))]
    empty = JobReport(1, None, None, None, 0, None, None, None, None, attached=False)
    assert documented == [*empty.as_dict(), "job_id", "airbyte_job_link", "return_value"]


# The README's excerpts


def timeless(text: str) -> str:
    """Blank out what differs from run to run."""
    return re.sub(r"\d:\d\d:\d\d|\d{4}-[\d-]+T[\d:+]+", "<time>", text)


def test_the_readmes_log_and_xcom_of_a_success_are_what_a_job_gives(demo: FakeAirbyte) -> None:
    name, connection_id = next(iter(DEMO_CONNECTIONS.items()))
    log = timeless(block_with("README.md", f"log of {name}"))
    with demo_client(demo) as client:
        submission = SyncSubmitter(client, connection_id).submit()
        page = job_page(client, connection_id=connection_id, job_id=submission.job.id)
        polls = list(poll_job(client, submission.job.id, polling=Polling(0.01)))
        report = read_report(client, submission.job.id, attached=submission.attached)
    lines = [
        f"Airbyte 2.0.0 at {ADDRESS}/api for connection {connection_id}",
        "Submitted job 1 (sync).",
        f"See it at {str(page).replace(demo.url, ADDRESS)}",
        *(f"Job 1: {status}" for status in dict.fromkeys(job.status for job in polls)),
        *summary_lines(report),
    ]
    assert log.splitlines() == [timeless(line) for line in lines]
    documented = json.loads(timeless(block_with("README.md", f"xcom of {name}")))
    assert documented == json.loads(timeless(json.dumps(report.as_dict())))


def test_the_readmes_log_of_a_failure_is_what_a_job_gives(demo: FakeAirbyte) -> None:
    log = timeless(block_with("README.md", "log of Broken API → Warehouse"))
    with demo_client(demo) as client:
        job = SyncSubmitter(client, BROKEN_API_ID).submit().job
        wait_for_job(client, job.id, clock=SystemClock(), polling=Polling(0.01))
        report = read_report(client, job.id, attached=False)
    error = report.error()
    lines = ["Job 1: failed", *summary_lines(report), f"{type(error).__name__}: {error}"]
    assert log.splitlines() == [timeless(line) for line in lines]


def demo_client(demo: FakeAirbyte):
    from airflow_airbyte_ext.api import AirbyteClient

    return AirbyteClient(ClientSettings(base_url=demo.url))


# Errors


ERRORS = {name: value for name, value in vars(exceptions).items() if inspect.isclass(value)}


def test_the_error_tree_is_drawn_as_it_is_in_the_code() -> None:
    (tree,) = [block.text for block in blocks("text") if block.page == "docs/errors.md"]
    assert tree.splitlines() == [line for line in exceptions.__doc__.splitlines() if re.match(r" *[*+] ", line)]
    assert set(ERRORS) == set(re.findall(r"\w+Error\b", tree))


def test_each_error_is_documented() -> None:
    """Each error says when it comes what to do and whether Airflow tries again."""
    documented = {row[0].strip("`"): row for row in rows(text_of("docs/errors.md"))}
    above = {base for error in ERRORS.values() for base in error.__bases__}
    for name, error in ERRORS.items():
        if error in above and name not in documented:
            assert f"`{name}`" in text_of("docs/errors.md")
            continue
        _, when, what_to_do, retried = documented[name]
        assert when
        assert what_to_do
        assert retried.partition(";")[0] == ("yes" if error.retryable else "no"), name  # type: ignore[attr-defined]


# The rest


def test_the_eras_and_versions_are_those_of_the_code() -> None:
    table = {row[0]: row[1] for row in rows(section("docs/compatibility.md", "What CI runs"))}
    assert table["Airbyte, by the fake"] == f"{len(ERAS)} presets: {', '.join(ERAS)}"
    development = tomllib.loads(text_of("pyproject.toml"))["dependency-groups"]["dev"]
    assert f"apache-airflow=={table['Airflow']}" in development


def test_the_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", text_of("CHANGELOG.md"), re.MULTILINE)[0] == __version__


def test_every_name_in_the_changelog_and_every_module_in_the_design_exists() -> None:
    from importlib import import_module

    for name in re.findall(r"`(airflow_airbyte_ext\.[\w.]+)`", text_of("CHANGELOG.md")):
        try:
            import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(module), attribute), name
    for row in rows(section("docs/design.md", "Where to find what")):
        for path in re.findall(r"`([^`]+)`", row[1]):
            assert (ROOT / "airflow_airbyte_ext" / path).exists(), path


def test_the_design_lists_every_decision() -> None:
    there = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert re.findall(r"\(decisions/([^)]+)\)", text_of("docs/design.md")) == there


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_another_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, fragment = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


def test_what_an_unwaited_job_returns_is_as_documented(demo: FakeAirbyte) -> None:
    """With `wait_for_completion=False`: no attempts, no end, no streams."""
    with demo_client(demo) as client:
        job = SyncSubmitter(client, next(iter(DEMO_CONNECTIONS.values()))).submit().job
    report = report_of(job, [], attached=False).as_dict()
    assert (report["attempts"], report["ended_at"], report["streams"], report["records_synced"]) == (0, None, [], None)
