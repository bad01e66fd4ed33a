"""JSON in and out without changing a number.

State is the user's: 1e400, -0 or 1.10 must come back as they were sent, and Python's floats would not keep them.
"""

from __future__ import annotations

import json
from typing import Any

# Python refuses to read longer integers from text.
_MAX_INT_DIGITS = 4000


class NumberLiteral(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> NumberLiteral:
        """Read the number and keep its text."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)


def _integer(text: str) -> int | NumberLiteral:
    return NumberLiteral(text) if text == "-0" or len(text) > _MAX_INT_DIGITS else int(text)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def loads(text: str | bytes) -> Any:
    """Read JSON, keeping each number as it was written."""
    return json.loads(text, parse_float=NumberLiteral, parse_int=_integer, parse_constant=_refuse)


def dumps(value: Any) -> str:
    """Write JSON, with numbers as they were read."""
    if isinstance(value, NumberLiteral):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(key)}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def encode(value: Any) -> bytes:
    """Write JSON as UTF-8; half a surrogate pair becomes "?", as Java writes it."""
    return dumps(value).encode("utf-8", errors="replace")
