"""Airbyte's release numbers, and what to think where a server does not tell its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Release:
    """
    An Airbyte release.

    :param text: As the server tells it; None before 0.57.4, which do not.
    :param is_readable: Whether the server could be asked: one that could not may be of any release.
    """

    text: str | None
    is_readable: bool = True

    UNKNOWN: ClassVar[Release]
    UNREADABLE: ClassVar[Release]

    def is_before(self, other: str) -> bool:
        """Whether this release surely is older than `other`."""
        return self.text is not None and _numbers(self.text) < _numbers(other)

    def is_at_least(self, other: str) -> bool:
        """Whether this release surely is `other` or newer."""
        return self.text is not None and _numbers(self.text) >= _numbers(other)

    def __str__(self) -> str:
        return self.text or "of unknown release"


Release.UNKNOWN = Release(None)
Release.UNREADABLE = Release(None, is_readable=False)


def _numbers(text: str) -> tuple[int, ...]:
    """Read "1.8.0" or "v2.0.1-rc1"; a word such as "dev" stands for a build newer than all numbers."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else (9999,)
