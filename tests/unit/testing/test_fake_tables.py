"""What depends on a release stands in tables with its evidence, and nowhere else in the fake."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import airflow_airbyte_ext.testing as fake
from airflow_airbyte_ext.testing.behaviour import BEHAVIOUR_BY_NAME, BEHAVIOURS
from airflow_airbyte_ext.testing.fields import FIELD_BY_NAME, FIELDS, PROPERTY_BY_NAME, SCHEMAS, release_key
from airflow_airbyte_ext.testing.model import SETTINGS
from airflow_airbyte_ext.testing.routes import OPERATIONS

FOLDER = Path(fake.__file__).parent
TREES = {path.name: ast.parse(path.read_text()) for path in FOLDER.glob("*.py")}
# The tables, and what reads them.
TABLES = {"behaviour.py", "fields.py", "routes.py", "model.py", "eras.py"}
ROWS = [row for rows in BEHAVIOURS.values() for row in rows]
EVERY_ROW = [*ROWS, *FIELDS, *OPERATIONS, *SETTINGS]
EVIDENCE = re.compile(r"\[(CODE|PUBLIC|DOC|TEST|RUN|SPEC|INFER|UNPROVEN)\b[^\]]*\]")


def name_of(row) -> str:
    return getattr(row, "name", None) or row.operation_id


def requested(method: str) -> set[str]:
    """The names that the code asks the tables for."""
    calls = [
        (name, node)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    ]
    assert calls
    for name, node in calls:
        assert isinstance(node.args[0], ast.Constant), f"{name}:{node.lineno} requests a name that nobody can grep"
    return {node.args[0].value for _, node in calls}  # type: ignore[attr-defined]


def test_only_the_tables_compare_releases():
    """Elsewhere a release is asked what it does, or printed."""
    for name, tree in TREES.items():
        if name in TABLES:
            continue
        printed = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("since", "until", "before"), f"{name}:{node.lineno}"
                assert node.attr != "release" or id(node) in printed, f"{name}:{node.lineno}"
            if isinstance(node, ast.ImportFrom):
                assert not {"within", "release_key"} & {each.name for each in node.names}, name


def test_every_behaviour_is_used_and_every_name_is_a_row():
    assert requested("has") == BEHAVIOUR_BY_NAME.keys()


def test_every_field_is_used_and_every_name_is_a_row():
    """What requests declare is used by the check of undeclared fields."""
    names = requested("declares")
    assert FIELD_BY_NAME.keys() <= names
    assert names <= FIELD_BY_NAME.keys() | PROPERTY_BY_NAME.keys()
    assert not FIELD_BY_NAME.keys() & PROPERTY_BY_NAME.keys()


@pytest.mark.parametrize("row", EVERY_ROW, ids=name_of)
def test_a_row_has_evidence_and_its_releases_are_in_order(row):
    assert EVIDENCE.fullmatch(row.evidence), row.evidence
    for release in (row.since, row.until):
        assert re.fullmatch(r"(\d+\.\d+\.\d+)?", release)
    assert not (row.since and row.until) or release_key(row.since) < release_key(row.until)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_behaviour_is_told_in_sentences_and_has_a_bound(row):
    """One that holds for every release needs no row."""
    assert row.since or row.until
    assert re.fullmatch(r"[A-Z0-9`].*\.", row.does)
    assert "|" not in row.does + row.client


def test_no_name_has_two_rows():
    assert len(ROWS) == len(BEHAVIOUR_BY_NAME)
    assert len(FIELDS) == len(FIELD_BY_NAME)
    assert len({operation.operation_id for operation in OPERATIONS}) == len(OPERATIONS)


def test_a_request_names_schemas_that_are_there():
    named = {each.request for each in OPERATIONS if each.request}
    named |= {each.schema for found in SCHEMAS.values() for each in found if each.schema}
    assert named == SCHEMAS.keys()
