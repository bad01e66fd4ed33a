"""The order of Airbyte's releases. Only the tables compare them: a row holds from one release until another."""

from __future__ import annotations

HEAD = "head"
_NEWEST = (10**6,)


def release_key(release: str) -> tuple[int, ...]:
    """Order releases: "0.40.32" is (0, 40, 32), and "head" comes after all of them."""
    return _NEWEST if release == HEAD else tuple(int(part) for part in release.split("."))


def within(release: str, since: str, until: str) -> bool:
    """Whether a release is neither older than `since` nor as new as `until`; an empty bound excludes nothing."""
    key = release_key(release)
    return not (since and key < release_key(since)) and not (until and key >= release_key(until))
