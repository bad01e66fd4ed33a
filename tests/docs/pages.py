"""Reading the documentation: its fenced blocks with the note before each, its tables, links and commands."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<kind>\w+)\n(?P<text>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    A fenced block.

    :param page: The page that it stands on, relative to the repository.
    :param kind: The word after the fence.
    :param note: What the HTML comment on the line before says.
    """

    page: str
    number: int
    kind: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(kind: str) -> list[Block]:
    """All fenced blocks of one kind."""
    return [
        Block(str(page.relative_to(ROOT)), number, kind, found["note"] or "", _text(found))
        for page in PAGES
        for number, found in enumerate(_BLOCK.finditer(page.read_text()), start=1)
        if found["kind"] == kind
    ]


def block_with(page: str, note: str) -> str:
    """The text of the one block of a page that has this note."""
    (text,) = [_text(found) for found in _BLOCK.finditer(text_of(page)) if found["note"] == note]
    return text


def _text(found: re.Match[str]) -> str:
    """The block's text; a block that belongs to an item of a list is indented."""
    return textwrap.dedent(found["text"]) if found["indent"] else found["text"]


def section(page: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    (text,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    return text


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without the rows of headings and rules."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set(line) <= set("|- "):
            found.pop()
        else:
            found.append(cells)
    return found


def links(page: Path) -> list[str]:
    return _LINK.findall(page.read_text())


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings have on GitHub."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(page.read_text()))
    return {word.replace(" ", "-") for word in words}


def commands(script: str) -> list[list[str]]:
    """The commands of a shell script, without comments and without the variables set before them."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            found.append(words)
    return found


def marked_part(example: str, name: str) -> str:
    """The part of an example DAG between its [START name] and [END name]."""
    source = (ROOT / "example_dags" / example).read_text()
    (part,) = re.findall(rf"# \[START {name}\]\n(.*?)^ *# \[END {name}\]", source, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(part)
