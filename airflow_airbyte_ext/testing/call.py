"""One request as the handlers see it, the reading of its properties, and the pages of lists."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_airbyte_ext.testing.errors import Refusal, unknown_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_airbyte_ext.testing.auth import Guard
    from airflow_airbyte_ext.testing.serializers import Responses
    from airflow_airbyte_ext.testing.world import World

DEFAULT_PAGE = 20


@dataclass(frozen=True)
class Call:
    """One request as a handler sees it: `body` is the parsed JSON object, `url` where the server is reached."""

    world: World
    responses: Responses
    guard: Guard
    body: dict[str, Any]
    url: str = ""

    def with_body(self, body: Any) -> Call:
        """The same call about another object, such as a part of its body."""
        if not isinstance(body, dict):
            raise Refusal("malformed", "Cannot deserialize value from Array value (token `JsonToken.START_ARRAY`)")
        return replace(self, body=body)

    def text(self, name: str) -> str:
        """A required property; Jackson reads an empty UUID as null."""
        value = self.body.get(name)
        if value in (None, ""):
            raise Refusal("missing", subject=name)
        return str(value)

    def id(self, name: str) -> str:
        """A required property with a UUID."""
        return uuid_of(self.text(name))

    def items(self, name: str) -> list[Any]:
        """An optional array; null and absent are empty."""
        value = self.body.get(name)
        if not isinstance(value, list | None):
            raise Refusal("malformed", f'Cannot deserialize value of type `java.util.ArrayList` for "{name}"')
        return value or []

    def required_items(self, name: str) -> list[Any]:
        """A required array, which may be empty."""
        if self.body.get(name) is None:
            raise Refusal("missing", subject=name)
        return self.items(name)

    def ids(self, name: str) -> list[str]:
        """An optional array of UUIDs."""
        return [uuid_of(each) for each in self.items(name)]

    def flag(self, name: str) -> bool:
        """An optional boolean; null and absent are false."""
        return self.body.get(name) is True

    def number(self, name: str) -> int:
        """A required whole number."""
        return whole_number(self.text(name))


def uuid_of(value: Any) -> str:
    """A UUID in lower case, as Java writes it."""
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise Refusal(
            "malformed",
            f'Cannot deserialize value of type `java.util.UUID` from String "{value}": '
            "UUID has to be represented by standard 36-char representation",
        ) from None


def whole_number(value: Any) -> int:
    """A long; Jackson takes "12" for 12."""
    try:
        return int(str(value))
    except ValueError:
        raise Refusal("malformed", f'Cannot deserialize value of type `long` from "{value}"') from None


Row = TypeVar("Row")


def cursor_page(
    call: Call,
    rows: Mapping[str, Row],
    shown: list[str],
    order: Callable[[Row], Any],
    table: str,
    descending: bool = False,
) -> tuple[list[Row], int]:
    """The page after the row with the id `cursor`, and the size requested.

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
    requested = call.body.get("pagination") or {}
    if not isinstance(requested, dict):
        raise Refusal("malformed", "Cannot construct instance of `Pagination`")
    size = whole_number(requested.get("pageSize") or default)
    offset = whole_number(requested.get("rowOffset") or 0)
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
