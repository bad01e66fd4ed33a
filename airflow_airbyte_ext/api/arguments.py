"""Arguments checked before anything is sent: templates render to strings, and may render to nothing."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

Check: TypeAlias = "Callable[[str, Any], Any]"
"""Takes an argument's name and value, and raises `AirbyteConfigurationError` where the value is wrong."""

TEMPLATE_HINT = "If it is templated, check what the template rendered to."


def uuid_text(value: object) -> str:
    """
    Return a UUID in its usual form.

    :raises ValueError: Says what it is instead, to follow the argument's name.
    """
    text = str(value if value is not None else "").strip()
    try:
        if len(text) == 36:
            return str(uuid.UUID(text))
    except ValueError:
        pass
    raise ValueError(f"is {value!r}, which is not a UUID such as 11111111-1111-4111-8111-111111111111")


def uuid_argument(name: str, value: object) -> str:
    """
    Return a UUID in its usual form.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    try:
        return uuid_text(value)
    except ValueError as error:
        raise AirbyteConfigurationError(f"{name} {error}. {TEMPLATE_HINT}") from None


def job_id_argument(name: str, value: object) -> int:
    """
    Return a job id: a whole number above 0, also when written as a string; or that of what a job operator returns.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    if isinstance(value, Mapping) and "job_id" in value:
        value = value["job_id"]
    text = str(value).strip()
    if "'job_id'" in text:
        raise AirbyteConfigurationError(
            f"{name} is all that the task returned, as text. Give its job_id alone, such as submit.output['job_id'] or "
            "{{ ti.xcom_pull('submit')['job_id'] }}."
        )
    if not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 20 and int(text) > 0:
        return int(text)
    raise AirbyteConfigurationError(f"{name} is {value!r}, which is not an Airbyte job id such as 42. {TEMPLATE_HINT}")


def seconds_argument(name: str, value: object) -> float:
    """
    Return a duration in seconds, given as a number, a string of one, or a `timedelta`.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(str(value))
    except ValueError:
        seconds = math.nan
    if not isinstance(value, bool) and 0 < seconds < math.inf:
        return seconds
    raise AirbyteConfigurationError(
        f"{name} is {value!r}; give seconds above 0, such as 30, or a timedelta. {TEMPLATE_HINT}"
    )


def flag_argument(name: str, value: object) -> bool:
    """
    Return True or False, given as such or as a word, as templates and forms give them.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise AirbyteConfigurationError(f"{name} is {value!r}; give true or false. {TEMPLATE_HINT}")


def choice_argument(name: str, value: object, choices: tuple[str, ...]) -> str:
    """
    Return a word that is one of `choices`.

    :raises AirbyteConfigurationError: Names the argument, the value and what is allowed.
    """
    if isinstance(value, str) and value in choices:
        return value
    raise AirbyteConfigurationError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}.")


def moment_argument(name: str, value: object) -> float:
    """
    Return a time as epoch seconds, given as an ISO 8601 text or a datetime, with its time zone.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise AirbyteConfigurationError(
            f"{name} is {value!r}, which is not a time such as 2026-01-31T06:00:00+00:00. {TEMPLATE_HINT}"
        ) from None
    if moment.utcoffset() is None:
        raise AirbyteConfigurationError(
            f"{name} is {str(value)!r}, which does not say its time zone. If it is UTC, write it as "
            f"{moment.isoformat()}+00:00."
        )
    return moment.timestamp()


def switch_argument(name: str, value: object) -> bool:
    """
    Return True or False, for what can be no template.

    :raises AirbyteConfigurationError: Names the argument and the value.
    """
    if isinstance(value, bool):
        return value
    raise AirbyteConfigurationError(f"{name} is {value!r}; give True or False.")


def optional(check: Check) -> Check:
    """Return a check that also takes None."""
    return lambda name, value: None if value is None else check(name, value)


def one_of(*choices: str) -> Check:
    """Return a check that takes one of these words."""
    return lambda name, value: choice_argument(name, value, choices)
