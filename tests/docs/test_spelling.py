"""The field's words, and no private ones: what a stranger cannot grep is not in the package or its docs."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

# The word, and what the field says.
BANNED = {
    r"adopt(s|ed|ing)?": "attach",
    r"anew": "again",
    r"bears?|borne": "tolerate, record",
    r"dear": "costly",
    r"floors?": "layer",
    r"(make|makes|making|made) way": "resolve a running job",
    r"so many": "this many, N",
    r"spare": "except",
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
