"""Airbyte's release numbers, and what is known of a server that does not report its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

OLDEST_RELEASE = "0.36.0"
# The first release that reports itself (docs/airbyte-behaviour.md).
SAYS_RELEASE_SINCE = "0.57.4"
# The first release on Micronaut: before it a request with a field that the server does not declare gets 422.
IGNORES_UNKNOWN_FIELDS_SINCE = "0.40.28"

_NEWEST = (9999,)


@dataclass(frozen=True)
class Release:
    """
    An Airbyte release, or all that is known of it.

    :param text: As the server reports it; None before 0.57.4, which do not.
    :param not_before: Of a server that does not report it: it is this release or newer, the oldest one here ...
    :param before: ... and older than this one; None for a server that does not say.
    """

    text: str | None
    not_before: str = OLDEST_RELEASE
    before: str | None = None

    UP_TO_0_40_27: ClassVar[Release]
    FROM_0_50_0: ClassVar[Release]
    FROM_0_40_28: ClassVar[Release]
    FROM_0_50_9: ClassVar[Release]
    UNREADABLE: ClassVar[Release]

    @property
    def is_readable(self) -> bool:
        """Whether the server says its release: one that does not may be of any release."""
        return self.text is not None or self.before is not None

    def is_before(self, other: str) -> bool:
        """Whether this release surely is older than `other`."""
        if self.text is None:
            return self.before is not None and _numbers(self.before) <= _numbers(other)
        return _numbers(self.text) < _numbers(other)

    def is_at_least(self, other: str) -> bool:
        """Whether this release surely is `other` or newer."""
        if self.text is None:
            return _numbers(self.not_before) >= _numbers(other)
        return _numbers(self.text) >= _numbers(other)

    def is_within(self, since: str, removed_in: str | None) -> bool | None:
        """Whether this release has what came with `since` and went with `removed_in`; None where that is not sure."""
        if self.is_before(since) or (removed_in is not None and self.is_at_least(removed_in)):
            return False
        return True if self.is_at_least(since) and (removed_in is None or self.is_before(removed_in)) else None

    def at_least(self, first: str) -> Release:
        """Return what is known of this release once it has shown something that came with `first`."""
        return self if self.text or self.is_at_least(first) else replace(self, not_before=first)

    @property
    def words(self) -> str:
        """What it is, to follow "this Airbyte is"."""
        if self.text is None:
            return f"{self}, and does not report its exact release" if self.before else str(self)
        return self.text if _numbers(self.text) != _NEWEST else f"a development version ({self.text})"

    def __str__(self) -> str:
        if self.text or self.before is None:
            return self.text or "of unknown release"
        return f"{self.not_before} or newer, before {self.before}"


Release.UP_TO_0_40_27 = Release(None, before="0.40.28")
Release.FROM_0_40_28 = Release(None, not_before="0.40.28", before="0.50.9")
Release.FROM_0_50_0 = Release(None, not_before="0.50.0", before="0.50.9")
Release.FROM_0_50_9 = Release(None, not_before="0.50.9", before=SAYS_RELEASE_SINCE)
Release.UNREADABLE = Release(None)


def _numbers(text: str) -> tuple[int, ...]:
    """Read "1.8.0" or "v2.0.1-rc1"; a word such as "dev" stands for a build newer than all numbers."""
    match = re.match(r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else _NEWEST
