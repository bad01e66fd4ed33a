"""When a connection syncs: from one friendly form to the fields of a release."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.api.releases import Release

CRON_SINCE = "0.40.0"
_FORMS = '"manual", a Quartz cron expression such as "0 0 3 * * ?", or {"units": 6, "timeUnit": "hours"}'


def schedule_fields(
    connection: ConnectionRead, schedule: str | Mapping[str, Any], *, time_zone: str, release: Release
) -> dict[str, Any]:
    """
    Return the settings that make a connection sync by a schedule.

    :param connection: Whose schedule; the form of the old one says which form this Airbyte has.
    :param schedule: "manual", a Quartz cron expression, or {"units": 6, "timeUnit": "hours"}.
    :param time_zone: What a cron expression is read in.
    :raises AirbyteConfigurationError: It is none of these, or this release does not have it; or the time zone is none.
    """
    kind, data = _read(schedule, time_zone)
    if release.is_at_least(CRON_SINCE) or "schedule_type" in connection.model_fields_set:
        return {"schedule_type": kind, **({"schedule_data": data} if data else {})}
    if kind == "basic":
        return {"schedule": data["basic_schedule"]}
    if kind == "manual" and connection.schedule is None:
        return {}
    raise AirbyteConfigurationError(
        f"This Airbyte is older than {CRON_SINCE}, which brought cron schedules and a way to say that a connection "
        "becomes manual. Give units and a time unit, or set its schedule in Airbyte."
    )


def check_cron(name: str, expression: str) -> None:
    """
    Refuse what Quartz refuses: Airbyte says no more than that it is invalid, and old releases nothing at all.

    :param name: The argument, for the message.
    :raises AirbyteConfigurationError: Names the field, and what stands there.
    """
    words = expression.upper().split()
    if len(words) not in (6, 7):
        raise AirbyteConfigurationError(
            f"{name} is {expression!r}, which has {len(words)} fields; Quartz's expressions have 6 or 7: "
            f"{', '.join(field.name for field in _FIELDS)} (which may be left out)."
        )
    for field, word, shown in zip(_FIELDS, words, expression.split(), strict=False):
        if all(field.takes(part) for part in word.split(",")):
            continue
        hint = f"{field.least} to {field.most}"
        if field.name == "year":
            hint = f"a year; a time zone is given as {'cron_time_zone' if '.' in name else 'schedule_time_zone'}"
        raise AirbyteConfigurationError(
            f"{name} is {expression!r}: its field for the {field.name} is {shown!r}, but must be {hint}."
        )
    if [words[3], words[5]].count("?") != 1:
        raise AirbyteConfigurationError(
            f'{name} is {expression!r}; either the day of the month or the day of the week must be "?", and not both, '
            'such as in "0 0 3 * * ?".'
        )


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    special: str = "(?!)"  # nothing

    def takes(self, part: str) -> bool:
        """Whether a part of a list of values may stand here."""
        if re.fullmatch(self.special, part):
            return True
        values, _, step = part.partition("/")
        if "/" in part and not step.isdecimal():
            return False
        if values == "*" or (values == "" and step):
            return True
        ends = values.split("-")
        return len(ends) <= 2 and all(self._is_value(end) for end in ends)

    def _is_value(self, text: str) -> bool:
        return text in self.words or (text.isdecimal() and self.least <= int(text) <= self.most)


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# org.quartz.CronExpression
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, special=r"\?|L(-\d{1,2})?W?|\d{1,2}W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 1, 7, _DAYS, special=rf"\?|L|([1-7]|{'|'.join(_DAYS)})(L|#[1-5])"),
    _Field("year", 1970, 2299),
)


def schedule_argument(name: str, value: object) -> None:  # noqa: ARG001
    """
    Take a schedule in one of its forms.

    :raises AirbyteConfigurationError: It is none of them.
    """
    _read(value, "UTC")


def time_zone_argument(name: str, value: object) -> None:  # noqa: ARG001
    """
    Take a time zone that Airbyte takes.

    :raises AirbyteConfigurationError: It is none.
    """
    _check_zone(value)


def _check_zone(time_zone: object) -> None:
    known = available_timezones()
    if isinstance(time_zone, str) and time_zone.lower().startswith("etc"):
        raise AirbyteConfigurationError(
            f'schedule_time_zone is {time_zone!r}, and Airbyte refuses zones that begin with "Etc". Write "UTC", or a '
            "zone such as Europe/Berlin."
        )
    if time_zone not in known:
        cities = sorted(zone for zone in known if str(time_zone).lower() == zone.rpartition("/")[2].lower())
        raise AirbyteConfigurationError(
            f"schedule_time_zone is {time_zone!r}, which is no time zone. Give one such as "
            f"{cities[0] if cities else 'Europe/Berlin'}, or UTC."
        )


def _read(schedule: object, time_zone: str) -> tuple[str, dict[str, Any]]:
    if isinstance(schedule, Mapping):
        units, unit = schedule.get("units"), schedule.get("timeUnit", schedule.get("time_unit"))
        if len(schedule) == 2 and units is not None and unit is not None:
            return "basic", {"basic_schedule": {"units": units, "time_unit": unit}}
    elif schedule == "manual":
        return "manual", {}
    elif isinstance(schedule, str) and len(schedule.split()) in (6, 7):
        check_cron("schedule", schedule)
        _check_zone(time_zone)
        return "cron", {"cron": {"cron_expression": schedule.strip(), "cron_time_zone": time_zone}}
    elif isinstance(schedule, str) and len(schedule.split()) == 5:
        raise AirbyteConfigurationError(
            f"schedule is {schedule!r}, a cron expression without seconds; Airbyte reads Quartz's, which begin with "
            'seconds and have a "?" for the day of the month or of the week, such as "0 0 3 * * ?".'
        )
    raise AirbyteConfigurationError(
        f"schedule is {schedule!r}; give {_FORMS}. If it is templated, check what the template rendered to."
    )
