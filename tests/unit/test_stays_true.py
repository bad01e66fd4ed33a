"""What the package promises about itself, whatever is added: what it imports, and what it never does."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import airflow_airbyte_ext

PACKAGE = Path(airflow_airbyte_ext.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
FILES = sorted(PACKAGE.rglob("*.py"))

# Below these, each has a hole that is known.
FLOORS = {"requests": (2, 32, 4), "urllib3": (2, 6, 3), "cryptography": (44, 0, 1), "starlette": (0, 49, 1)}
# Run what is given to them, or run it in a shell.
DANGEROUS_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "subprocess", "pty", "code", "codeop"}
# Airflow before 3.2 requests the fields of a form only where it draws that with these.
OF_AIRFLOWS_FORM = {"flask_appbuilder", "wtforms"}
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "mktemp"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, str]:
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["testing"]]
    return {normal(re.match(r"[\w.-]+", line)[0]): line for line in lines}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def test_what_is_imported_is_declared():
    """And what is only there because something else brings it is not."""
    tops = {name.split(".")[0] for path in FILES for name in imported(path)}
    foreign = tops - set(sys.stdlib_module_names) - {"airflow_airbyte_ext"}
    distributions = packages_distributions()
    # The fixtures of the fake are for those who have pytest, and Airflow's modules come from many packages.
    declared = {*requirements(), "pytest"}
    ours = foreign - {"airflow", *OF_AIRFLOWS_FORM}
    missing = {name for name in ours if not {normal(one) for one in distributions[name]} & declared}
    assert missing == set()


@pytest.mark.parametrize("name", FLOORS)
def test_no_floor_has_a_hole_that_is_known(name):
    floor = re.search(r">=([\d.]+)", requirements()[name])[1]
    assert tuple(map(int, floor.split("."))) >= FLOORS[name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_runs_what_it_reads(path):
    """No pickle, no yaml, no eval, and no shell."""
    assert not {name.split(".")[0] for name in imported(path)} & DANGEROUS_MODULES
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
            assert called not in DANGEROUS_CALLS or of == "re", (path, node.lineno)
            assert not [word for word in node.keywords if word.arg == "shell"], (path, node.lineno)
