"""Arguments checked before anything is sent: templates render to strings, and may render to nothing."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import timedelta

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

_HINT = "If it is templated, look at what the template rendered to."


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
        raise AirbyteConfigurationError(f"{name} {error}. {_HINT}") from None


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
    raise AirbyteConfigurationError(f"{name} is {value!r}, which is not an Airbyte job id such as 42. {_HINT}")


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
    raise AirbyteConfigurationError(f"{name} is {value!r}; give seconds above 0, such as 30, or a timedelta. {_HINT}")


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
    raise AirbyteConfigurationError(f"{name} is {value!r}; give true or false. {_HINT}")


def choice_argument(name: str, value: object, choices: tuple[str, ...]) -> str:
    """
    Return a word that is one of `choices`.

    :raises AirbyteConfigurationError: Names the argument, the value and what is allowed.
    """
    if isinstance(value, str) and value in choices:
        return value
    raise AirbyteConfigurationError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}.")
