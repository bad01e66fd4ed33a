"""One request as the handlers see it, and the reading of its properties."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.errors import Refusal

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.answers import Answers
    from airflow_airbyte_ext.testing.auth import Guard
    from airflow_airbyte_ext.testing.world import World


@dataclass(frozen=True)
class Call:
    """One request as a handler sees it: `body` is the parsed JSON object, `url` where the server is reached."""

    world: World
    answers: Answers
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
