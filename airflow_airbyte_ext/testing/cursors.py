"""Pages of lists: by cursor, as servers cut them since 1.8.0, and by offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_airbyte_ext.testing.call import Call, uuid_of, whole_number
from airflow_airbyte_ext.testing.errors import Refusal, unknown_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = TypeVar("Row")
DEFAULT_PAGE = 20


def cursor_page(
    call: Call,
    rows: Mapping[str, Row],
    shown: list[str],
    order: Callable[[Row], Any],
    table: str,
    descending: bool = False,
) -> tuple[list[Row], int]:
    """The page after the row with the id `cursor`, and the size asked for.

    `rows` are all rows by id, `shown` the ids that pass the filters. The cursor's row stands for its place in the
    order even when it is no longer shown, so nothing is lost or repeated while rows come and go.
    """

    def place(key: str) -> tuple[Any, str]:
        return order(rows[key]), key

    size = whole_number(call.body.get("pageSize") or DEFAULT_PAGE)
    if size < 0:
        raise Refusal("illegal", "SQL: LIMIT must not be negative")
    keys = sorted(shown, key=place, reverse=descending)
    if call.body.get("cursor"):
        cursor = uuid_of(call.body["cursor"])
        if cursor not in rows:
            raise unknown_id(table, cursor)
        last = place(cursor)
        keys = [key for key in keys if (place(key) < last if descending else place(key) > last)]
    return [rows[key] for key in keys[:size]], size


def offset_page(call: Call, rows: list[Row], default: int) -> list[Row]:
    """The rows of a request's `pagination`; the offset counts rows as they are now."""
    asked = call.body.get("pagination") or {}
    if not isinstance(asked, dict):
        raise Refusal("malformed", "Cannot construct instance of `Pagination`")
    size = whole_number(asked.get("pageSize") or default)
    offset = whole_number(asked.get("rowOffset") or 0)
    if min(size, offset) < 0:
        raise Refusal("illegal", "SQL: LIMIT and OFFSET must not be negative")
    return rows[offset : offset + size]


def chosen(call: Call, key: str, words: Mapping[str, Row]) -> tuple[Row, bool]:
    """What a sortKey such as "connectionName_desc" names, and whether it descends; the first word by default."""
    given = call.body.get(key)
    if given is None:
        return next(iter(words.values())), False
    name, _, direction = str(given).rpartition("_")
    if name not in words or direction not in ("asc", "desc"):
        raise Refusal("malformed", f'Cannot construct instance of `SortKey`, problem: Unexpected value "{given}"')
    return words[name], direction == "desc"
