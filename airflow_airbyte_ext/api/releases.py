"""Airbyte's release numbers, and what to think where a server does not tell its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

# Before this release a server does not tell its own.
FIRST_TO_TELL = "0.57.4"

_NEWEST = (9999,)


@dataclass(frozen=True)
class Release:
    """
    An Airbyte release.

    :param text: As the server tells it; None before 0.57.4, which do not.
    :param not_before: What is known of a server that does not tell: it is this release or newer ...
    :param before: ... and older than this one. Both are None for a server that could not be asked.
    """

    text: str | None
    not_before: str | None = None
    before: str | None = None

    UNTOLD: ClassVar[Release]
    UNKNOWN: ClassVar[Release]
    UNREADABLE: ClassVar[Release]

    @property
    def is_readable(self) -> bool:
        """Whether the server could be asked: one that could not may be of any release."""
        return self.text is not None or self.before is not None

    def is_before(self, other: str) -> bool:
        """Whether this release surely is older than `other`."""
        if self.text is None:
            return self.before is not None and _numbers(self.before) <= _numbers(other)
        return _numbers(self.text) < _numbers(other)

    def is_at_least(self, other: str) -> bool:
        """Whether this release surely is `other` or newer."""
        if self.text is None:
            return self.not_before is not None and _numbers(self.not_before) >= _numbers(other)
        return _numbers(self.text) >= _numbers(other)

    @property
    def words(self) -> str:
        """What it is, to follow "this Airbyte is"."""
        if self.text is None:
            return f"older than {self.before}, which do not tell their release" if self.before else str(self)
        return self.text if _numbers(self.text) != _NEWEST else f"a development version ({self.text})"

    def __str__(self) -> str:
        return self.text or "of unknown release"


Release.UNTOLD = Release(None, not_before="0.50.9", before=FIRST_TO_TELL)
Release.UNKNOWN = Release(None, before=FIRST_TO_TELL)
Release.UNREADABLE = Release(None)


def _numbers(text: str) -> tuple[int, ...]:
    """Read "1.8.0" or "v2.0.1-rc1"; a word such as "dev" stands for a build newer than all numbers."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else _NEWEST
