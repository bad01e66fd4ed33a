"""What is no template is checked when the DAG is parsed, in every task; what is one, when the task runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from test_conventions import TASKS, arguments_of

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator
from airflow_airbyte_ext.operators.connections import AirbyteListConnectionsOperator, AirbyteUpdateConnectionOperator
from airflow_airbyte_ext.operators.state import AirbyteBackupStateOperator
from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor, AirbyteJobSensor

ID = "11111111-1111-4111-8111-111111111111"
WRONG = {
    "airbyte_job_id": ("orders", "which is not an Airbyte job id such as 42."),
    "allow_any_path": ("yes", "give True or False."),
    "allow_plain": ("yes", "give True or False."),
    "backup_to": (" ", "The store is empty; give a path"),
    "cancel_on_kill": ("no", "give True or False."),
    "cancel_on_timeout": (None, "give True or False."),
    "completed_after": ("2026-01-31T06:00:00", "which does not say its time zone."),
    "compress": (1, "give True or False."),
    "connection_id": ("Orders", "which is not a UUID such as 11111111-1111-4111-8111-111111111111."),
    "connection_name": (" ", "which names nothing."),
    "deferrable": ("yes", "give True or False."),
    "dry_run": ("maybe", "give true or false."),
    "encryption_key": ("my-key", 'give "variable:NAME" or "connection:ID".'),
    "fail_if_none": ("yes", "give True or False."),
    "if_running": ("atach", "give one of "),
    "if_stream_missing": ("ignore", "give one of 'warn', 'fail'."),
    "keep": ({"days": 3}, "keep has 'days'; give any of last, "),
    "log_attempts": (True, "give one of 'never', 'on_failure', 'always'."),
    "mode": ("append", "give one of "),
    "on_breaking": ("stop", "give one of 'fail', 'warn', 'skip'."),
    "on_change": ("stop", "give one of 'ignore', 'warn', 'fail', 'skip'."),
    "on_failure": ("retry", "give one of 'wait', 'fail'."),
    "on_partial_success": ("ignore", "give one of 'fail', 'warn', 'skip'."),
    "on_zero_records": ("retry", "give one of 'ignore', 'warn', 'skip', 'fail'."),
    "poll_interval": (0, "give seconds above 0, such as 30, or a timedelta."),
    "schedule": ("every day", 'give "manual", a Quartz cron expression'),
    "schedule_time_zone": ("Berlin", "which is no time zone. Give one such as Europe/Berlin, or UTC."),
    "skip_unchanged": ("true", "give True or False."),
    "snapshot_of": ("latest", "which is not a UUID"),
    "status": ("paused", "give one of 'active', 'inactive'."),
    "store": ("s3://k:s3cr3t@bucket/x", "holds a password, which is now in the DAG"),
    "streams": ("orders", "give a list of stream names, or leave it out for all."),
    "tags": ([""], "which names nothing."),
    "poll_error_timeout": ("soon", "give seconds above 0"),
    "wait_for_completion": ("no", "give True or False."),
    "wait_timeout": (-5, "give seconds above 0"),
    "workspace_id": ("Default", "which is not a UUID"),
    **dict.fromkeys(("name", "source", "destination"), ("", "which names nothing.")),
}
# Any text, any stream's name or any mapping may be right.
UNCHECKED = {"airbyte_conn_id", "snapshot", "rename_streams", "changes"}
CASES = [(task, name) for task in TASKS for name in sorted(set(arguments_of(task)) - UNCHECKED)]


def arguments_with(task: type, name: str, value: object) -> dict:
    given = {"task_id": "t", **TASKS[task], name: value}
    if name in ("connection_name", "workspace_id") and "connection_id" in TASKS[task]:
        del given["connection_id"]
        given = {"connection_name": "Orders", "workspace_id": ID, **given}
    return given


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_wrong_argument_is_an_error_of_the_dag(task, name) -> None:
    """And it does not speak of templates, since there is none."""
    value, words = WRONG[name]
    with pytest.raises(AirbyteConfigurationError) as caught:
        task(**arguments_with(task, name, value))
    assert words in str(caught.value)
    assert "template" not in str(caught.value)


@pytest.mark.parametrize(("task", "name"), [case for case in CASES if case[1] in case[0].template_fields])  # type: ignore[attr-defined]
def test_a_template_is_not_looked_into(task, name) -> None:
    for value in ("{{ params.x }}", "{% if a %}b{% endif %}"):
        task(**arguments_with(task, name, value))


def test_what_another_task_returns_is_not_looked_into() -> None:
    with DAG("d", schedule=None):
        first = AirbyteListConnectionsOperator(task_id="first", workspace_id=ID)
        task = AirbyteSyncConnectionOperator(task_id="t", connection_id=first.output)
        AirbyteJobSensor(task_id="s", airbyte_job_id=task.output)
        AirbyteBackupStateOperator(
            task_id="b", connection_id=ID, store="{{ var.value.store }}", keep={"last": "{{ params.last }}"}
        )
    assert task.upstream_task_ids == {"first"}


def test_a_mapped_task_is_checked_as_far_as_it_is_known() -> None:
    """What is mapped is checked when the task runs."""
    with DAG("d", schedule=None):
        with pytest.raises(AirbyteConfigurationError, match="if_running is 'atach'; give one of"):
            AirbyteSyncConnectionOperator.partial(task_id="t", if_running="atach")
        with pytest.raises(AirbyteConfigurationError, match="keep has 'days'"):
            AirbyteBackupStateOperator.partial(task_id="b", keep={"days": 3})
        mapped = AirbyteSyncConnectionOperator.partial(task_id="m").expand(connection_id=["Orders"])
    task = mapped.unmap({"connection_id": "Orders"})
    with pytest.raises(AirflowFailException, match="connection_id is 'Orders', which is not a UUID"):
        task.execute({})


def test_times_and_durations_are_taken_in_each_of_their_forms() -> None:
    moment = datetime(2026, 1, 31, 6, tzinfo=UTC)
    for value in (None, moment, moment.isoformat(), "{{ data_interval_end }}"):
        AirbyteConnectionSensor(task_id="t", connection_id=ID, completed_after=value)
    for zone in ("UTC", "Europe/Berlin", "{{ params.zone }}"):
        AirbyteUpdateConnectionOperator(task_id="t", connection_id=ID, schedule="0 0 3 * * ?", schedule_time_zone=zone)
