"""The field's words, and no private ones: what a stranger cannot grep is not in the package or its docs."""

from __future__ import annotations

import ast
import re

import pytest
from pages import ROOT

MAX_NAME = 70
# The word, and what the field says.
BANNED = {
    r"adopt(s|ed|ing)?": "attach",
    r"anew": "again",
    r"answer(s|ed|ing)?": "response, respond, return",
    r"ask(s|ed|ing)?": "request, read, want",
    r"bears?|borne": "tolerate, record",
    r"dear": "costly",
    r"floors?": "layer",
    r"(make|makes|making|made) way": "resolve a running job",
    r"see to it": "check, make sure",
    r"so many": "this many, N",
    r"look(s|ed|ing)? (at|for|into|up)": "poll, check, search, resolve",
    r"spare": "except",
    r"stor(y|ies)": "report, sequence",
    r"tell(s|ing)?|told": "report, log, say",
    r"whoever": "no matter who, anyone who",
}
FILES = sorted(
    path
    for folder in ("airflow_airbyte_ext", "docs", "example_dags", "README.md", "CHANGELOG.md")
    for path in ([ROOT / folder] if (ROOT / folder).is_file() else (ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md")
)


@pytest.mark.parametrize("word", BANNED)
def test_a_banned_word_is_nowhere(word):
    """Each has a word of the field that says the same."""
    pattern = re.compile(rf"(?<![A-Za-z])({word})(?![A-Za-z])", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"say {BANNED[word]!r}:\n" + "\n".join(found)


def test_names_of_tests_are_short():
    """The name is for a list of failures; what it means stands in the docstring."""
    names = [
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [name for name in names if len(name) > MAX_NAME] == []
