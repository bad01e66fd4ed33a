"""JSON whose values are to come back unchanged: numbers that Python would round, and what is no JSON, are refused."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NoReturn

# 17 digits distinguish each double from its neighbours: no more are written of one.
MAX_DIGITS = 17


class InexactJsonError(ValueError):
    """A value would not come back as it is."""


def exact_float(text: str) -> float:
    """
    Return a number that is not whole, as a double.

    :raises InexactJsonError: A double cannot hold it: it is too large, too small, or has too many digits.
    """
    value = float(text)
    digits = re.sub(r"[eE].*|\D", "", text).strip("0")
    if abs(value) == float("inf") or (value == 0) != (not digits):
        raise InexactJsonError("a number that is beyond what a double can hold")
    if len(digits) > MAX_DIGITS and Decimal(text) != Decimal(value):
        raise InexactJsonError("a number with more digits than a double can hold")
    return value


def count_values(data: bytes) -> int:
    """Return how many values JSON has at most: each takes some hundred bytes in memory, however short it is."""
    return 1 + sum(map(data.count, (b",", b"[", b"{")))


def _refuse(name: str) -> NoReturn:
    raise InexactJsonError(f"{name}, which is not JSON")


EXACTLY: dict[str, Any] = {"parse_float": exact_float, "parse_constant": _refuse}
"""Arguments of `json.loads` that refuse what would not come back as it is."""
