"""The releases that the fake can stand for, and the one place that knows what a release does.

`Era.has` and `Era.declares` read the tables (`behaviour.py`, `fields.py`, `fields.py`); nothing else in
the fake compares releases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_airbyte_ext.testing.behaviour import BEHAVIOUR_BY_NAME
from airflow_airbyte_ext.testing.fields import FIELD_BY_NAME, HEAD, PROPERTY_BY_NAME, release_key, within


@dataclass(frozen=True)
class Era:
    """One release of Airbyte: `name` is what a user types, `about` says why a preset exists."""

    name: str
    release: str
    about: str = ""

    def has(self, behaviour: str) -> bool:
        """Whether this release does what the row of this name says."""
        if behaviour not in BEHAVIOUR_BY_NAME:
            raise KeyError(f"no row {behaviour!r} in the table of behaviours")
        row = BEHAVIOUR_BY_NAME[behaviour]
        return within(self.release, row.since, row.until)

    def declares(self, field: str) -> bool:
        """Whether this release has a field of a response or request, such as "ConnectionRead.tags"."""
        row = FIELD_BY_NAME.get(field) or PROPERTY_BY_NAME.get(field)
        if row is None:
            raise KeyError(f"no row {field!r} in the tables of fields")
        return within(self.release, row.since, row.until)

    @property
    def version(self) -> str:
        """The version that the server calls itself by."""
        return "dev" if self.release == HEAD else self.release


_OLDEST = "0.36.0"
_PRESETS = (
    Era("0.36", _OLDEST, "the oldest: the old scheduler, one blob of state, explicit nulls, no authentication"),
    Era("0.40.6", "0.40.6", "the last release without `jobs/get_light`; updates replace everything"),
    Era("0.40.20", "0.40.20", "undeclared fields are refused; a sync of an unknown connection hangs"),
    Era("0.40.28", "0.40.28", "the first release with the new error bodies; deleting returns 200"),
    Era("0.40", "0.40.32", "no `jobs/get_without_logs`, no streams to reset"),
    Era("0.50.8", "0.50.8", "no `instance_configuration`, no logs of one attempt"),
    Era("0.50", "0.50.31", "`instance_configuration` has no version; `End` filters act as starts"),
    Era("0.57.4", "0.57.4", "the first whose `instance_configuration` has a version; refreshes begin"),
    Era("0.64.7", "0.64.7", "the last before 1.0: tokens in the community edition, 405 without a body"),
    Era("1.0", "1.0.0", "offsets of job lists are rounded down to whole pages; error bodies name the root cause"),
    Era("1.2", "1.2.0", "structured logs; the last error bodies with a stack"),
    Era("1.8", "1.8.0", "lists have pages of 20; `workspaces/list` is gone"),
    Era("2.0", "2.0.0", "an unknown id and a failure carry only an `errorId`"),
    Era("2.2", "2.2.0", "status `queued`, locked connections, no HTTP Basic, the strict flag"),
    Era("2.4", "2.4.0", "one workspace for each request; no Keycloak"),
    Era("head", HEAD, 'a build of the newest source: newer than every number, and its version is "dev"'),
)
ERAS = {era.name: era for era in _PRESETS}

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
