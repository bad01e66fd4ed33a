"""The tables in the documentation are those of the code and of Airbyte's documents."""

from __future__ import annotations

import pytest
from pages import text_of
from tables import NEEDS_DOCUMENTS, OF_METHOD, SECTIONS, methods, operations, renewed

PARTS = [(page, name) for page, names in SECTIONS.items() for name in names]


def load_documents() -> None:
    from openapi import RELEASES, load

    load(RELEASES[0])


@pytest.mark.parametrize(("page", "name"), PARTS)
def test_a_table_is_what_its_generator_prints(page: str, name: str) -> None:
    """`python -m tests.docs.tables --write` renews them."""
    if (page, name) in NEEDS_DOCUMENTS:
        load_documents()
    begin, end = f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"
    assert text_of(page).partition(begin)[2].partition(end)[0] == SECTIONS[page][name]()


@pytest.mark.parametrize("page", SECTIONS)
def test_a_renewed_page_stays_as_it_is(page: str) -> None:
    load_documents()
    assert renewed(page) == text_of(page)


def test_every_operation_has_a_row() -> None:
    load_documents()
    for method in OF_METHOD.keys() - {"application_token_request"}:
        assert f"| `{method}` |" in operations()
        assert f"| `{method}` |" in methods()
