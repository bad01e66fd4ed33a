"""Arguments, checked before anything is sent: templates render to strings, and may render to nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_airbyte_ext.api.arguments import choice_argument, job_id_argument, seconds_argument, uuid_argument
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

UUID = "11111111-1111-4111-8111-11111111111a"


@pytest.mark.parametrize("given", [UUID, UUID.upper(), f"  {UUID}\n"])
def test_a_uuid_is_brought_into_its_usual_form(given):
    """Case and blanks do not matter."""
    assert uuid_argument("connection_id", given) == UUID


@pytest.mark.parametrize(
    "given", [None, "", "None", "{{ var.value.x }}", UUID[:-1], UUID.replace("-", ""), 12, f"{{{UUID}}}"]
)
def test_what_is_no_uuid_is_refused_by_name(given):
    """The error names the argument and the value, and hints at templates."""
    with pytest.raises(AirbyteConfigurationError, match=r"connection_id.*template") as caught:
        uuid_argument("connection_id", given)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize("given", [42, "42", " 42 "])
def test_a_job_id_is_a_whole_number_or_a_string_of_one(given):
    """XComs and templates give strings."""
    assert job_id_argument("airbyte_job_id", given) == 42


@pytest.mark.parametrize("given", [None, "", "None", 0, "0", -1, "-1", 4.5, "4.5", True, "٤٢", "1" * 5000, [42]])
def test_what_is_no_job_id_is_refused_by_name(given):
    """Whatever a template renders to, the error is ours and names the argument."""
    with pytest.raises(AirbyteConfigurationError, match="airbyte_job_id"):
        job_id_argument("airbyte_job_id", given)


@pytest.mark.parametrize(("given", "seconds"), [(30, 30.0), ("0.5", 0.5), (timedelta(minutes=1), 60.0), (0.1, 0.1)])
def test_a_duration_is_seconds_or_a_timedelta(given, seconds):
    """Numbers, strings of numbers and timedeltas are understood."""
    assert seconds_argument("poll_interval", given) == seconds


@pytest.mark.parametrize(
    "given", [None, "", "soon", 0, -1, "nan", "inf", float("inf"), True, timedelta(0), timedelta(-1)]
)
def test_what_is_no_duration_is_refused_by_name(given):
    """Zero, negative and endless durations are refused with what to give."""
    with pytest.raises(AirbyteConfigurationError, match=r"poll_interval.*seconds above 0"):
        seconds_argument("poll_interval", given)


@pytest.mark.parametrize("given", ["atach", "", None, 1, "ATTACH"])
def test_a_choice_is_refused_with_all_that_is_allowed(given):
    """The error names the argument, the value and the choices."""
    with pytest.raises(AirbyteConfigurationError, match=r"if_running.*'attach', 'fail'"):
        choice_argument("if_running", given, ("attach", "fail"))


def test_a_choice_is_returned_as_it_is():
    """A right word passes."""
    assert choice_argument("if_running", "fail", ("attach", "fail")) == "fail"
