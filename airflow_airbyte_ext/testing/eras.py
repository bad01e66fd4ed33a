"""The eras of Airbyte that the fake can speak, and what each of them does differently.

An era stands for one release. Most differences are a plain question about that release (`era.since("0.40.3")`), so a
reader can hold this file, and every place that asks, against Airbyte's own history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEWEST = (10**6,)


def release_key(release: str) -> tuple[int, ...]:
    """Order releases: "0.40.32" is (0, 40, 32), and "head" comes after all of them."""
    if release == "head":
        return _NEWEST
    return tuple(int(part) for part in release.split("."))


@dataclass(frozen=True)
class Era:
    """One span of Airbyte releases with one behaviour.

    `name` is what a user types, `release` the Airbyte release that the era stands for.
    """

    name: str
    release: str

    def since(self, release: str) -> bool:
        """Whether this era has what came with that release."""
        return release_key(self.release) >= release_key(release)

    def before(self, release: str) -> bool:
        """Whether this era is older than that release."""
        return not self.since(release)

    @property
    def version(self) -> str:
        """The version that the server calls itself by."""
        return "dev" if self.release == "head" else self.release

    @property
    def errors(self) -> str:
        """Which server framework words the errors: "jersey", "micronaut", or "opaque" (an errorId and little more)."""
        if self.since("2.0.0"):
            return "opaque"
        return "micronaut" if self.since("0.40.28") else "jersey"

    @property
    def tells_stacks(self) -> bool:
        """Error bodies carry a Java stack trace."""
        return self.before("1.3.0")

    @property
    def explicit_nulls(self) -> bool:
        """Answers spell out null fields; later servers leave them out."""
        return self.before("0.39.9")

    @property
    def old_scheduler(self) -> bool:
        """A sync or reset of a busy connection answers with the job that runs already."""
        return self.before("0.39.0")

    @property
    def backoff_is_idle(self) -> bool:
        """Between two attempts nothing counts as running: a sync joins the job, a cancel is ignored."""
        return self.before("0.50.12")

    @property
    def typed_state(self) -> bool:
        """State has a type and rows for each stream; before, it was one blob."""
        return self.since("0.39.21")

    @property
    def structured_logs(self) -> bool:
        """Logs are events with a level and a source instead of lines."""
        return self.since("1.2.0")

    @property
    def end_filters_are_starts(self) -> bool:
        """The createdAtEnd and updatedAtEnd filters of job lists keep what is newer instead of older."""
        return self.since("0.50.18") and self.before("0.50.35")


ERAS = {
    era.name: era
    for era in (
        Era("0.36", "0.36.0"),
        Era("0.40", "0.40.32"),
        Era("0.50", "0.50.31"),
        Era("1.0", "1.0.0"),
        Era("2.0", "2.0.0"),
        Era("head", "head"),
    )
}


_OLDEST = "0.36.0"
_RELEASE = re.compile(r"\d+\.\d+\.\d+")


def era_named(name: str) -> Era:
    """Find an era by the name that a user types: one of `ERAS`, or a whole release such as "1.8.0"."""
    if name in ERAS:
        return ERAS[name]
    if _RELEASE.fullmatch(name) and release_key(name) >= release_key(_OLDEST):
        return Era(name, name)
    raise ValueError(
        f"unknown era {name!r}: choose one of {', '.join(ERAS)}, or a whole release from {_OLDEST} on, such as 1.8.0"
    )
