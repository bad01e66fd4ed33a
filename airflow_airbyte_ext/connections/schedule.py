"""When a connection syncs: from one friendly form to the fields of a release."""

from __future__ import annotations

from collections.abc import Mapping
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

    :param connection: Whose schedule; how it tells the old one says which form this Airbyte has.
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
        _check_zone(time_zone)
        return "cron", {"cron": {"cron_expression": schedule.strip(), "cron_time_zone": time_zone}}
    elif isinstance(schedule, str) and len(schedule.split()) == 5:
        raise AirbyteConfigurationError(
            f"schedule is {schedule!r}, a cron expression without seconds; Airbyte reads Quartz's, which begin with "
            'seconds and have a "?" for the day of the month or of the week, such as "0 0 3 * * ?".'
        )
    raise AirbyteConfigurationError(
        f"schedule is {schedule!r}; give {_FORMS}. If it is templated, look at what the template rendered to."
    )
