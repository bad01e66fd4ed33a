"""Rules that hold for every class that Airflow sees."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lines import IMPORTED_FIRST

import airflow_airbyte_ext
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)
from airflow_airbyte_ext.operators.connections import (
    AirbyteCheckSchemaOperator,
    AirbyteListConnectionsOperator,
    AirbyteUpdateConnectionOperator,
)
from airflow_airbyte_ext.operators.state import (
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)
from airflow_airbyte_ext.provider_info import get_provider_info
from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor, AirbyteJobSensor
from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger, AirbyteJobTrigger
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

REPOSITORY = Path(airflow_airbyte_ext.__file__).parents[1]
ID = "11111111-1111-4111-8111-111111111111"
TASKS = {
    AirbyteSyncConnectionOperator: {"connection_id": ID},
    AirbyteResetConnectionOperator: {"connection_id": ID},
    AirbyteRefreshConnectionOperator: {"connection_id": ID},
    AirbyteBackupStateOperator: {"connection_id": ID, "store": "y"},
    AirbyteRestoreStateOperator: {"connection_id": ID, "store": "y"},
    AirbyteForgetSnapshotsOperator: {"connection_id": ID, "store": "y", "keep": {"last": 1}},
    AirbyteListConnectionsOperator: {"workspace_id": ID},
    AirbyteUpdateConnectionOperator: {"connection_id": ID, "status": "inactive"},
    AirbyteCheckSchemaOperator: {"connection_id": ID},
    AirbyteJobSensor: {"airbyte_job_id": 1},
    AirbyteConnectionSensor: {"connection_id": ID},
}


def arguments_of(task: type) -> dict[str, inspect.Parameter]:
    """The arguments that a class has of its own, wherever in its family they are declared."""
    found: dict[str, inspect.Parameter] = {}
    for kind in task.__mro__:
        if kind.__module__.startswith("airflow_airbyte_ext"):
            found |= inspect.signature(kind.__dict__.get("__init__", lambda: None)).parameters
    return {name: value for name, value in found.items() if name not in ("self", "kwargs")}


@pytest.mark.parametrize("task", TASKS)
def test_every_template_field_is_an_argument_and_is_set(task) -> None:
    operator = task(task_id="t", **TASKS[task])
    for field in task.template_fields:
        assert field in arguments_of(task)
        assert hasattr(operator, field)
    assert {name for name in arguments_of(task) if name.endswith("conn_id")} <= set(task.template_fields)


@pytest.mark.parametrize(
    "thing", [*TASKS, AirbyteConfigHook, AirbyteJobTrigger, AirbyteConnectionTrigger, AirbyteSyncEventTrigger]
)
def test_every_argument_is_documented_and_marked_when_templated(thing) -> None:
    documented: dict[str, str] = {}
    for kind in thing.__mro__:
        if kind.__module__.startswith("airflow_airbyte_ext"):
            found = re.findall(r":param (\w+): (.*?)(?=\n\s*:param|\Z)", kind.__doc__ or "", re.DOTALL)
            documented = {**dict(found), **documented}
    assert set(documented) == set(arguments_of(thing))
    for name, text in documented.items():
        assert ("(templated)" in text) == (name in getattr(thing, "template_fields", ()))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_made_without_looking_at_anything(task) -> None:
    """Airflow makes tasks whenever it parses a DAG, before templates are rendered."""
    task(task_id="t", **dict.fromkeys(TASKS[task], "{{ anything }}"))  # type: ignore[call-overload]


def test_a_trigger_can_be_made_again_from_what_it_serialized() -> None:
    values = {"job_id": 1, "airbyte_conn_id": "c", "poll_interval": 1.5, "poll_error_timeout": 60.0, "deadline": 9.0}
    trigger = AirbyteJobTrigger(**values, connection_id="x", cancel_on_kill=True, seen=False)
    path, kept = json.loads(json.dumps(trigger.serialize()))
    assert AirbyteJobTrigger(**kept).serialize() == (path, kept)
    assert set(kept) == set(arguments_of(AirbyteJobTrigger))


def test_parsing_a_dag_imports_no_http_library_and_not_the_client() -> None:
    """The scheduler's DAG processor parses DAG files all day."""
    code = (
        f"import sys, {IMPORTED_FIRST}; before = set(sys.modules);"
        "import airflow_airbyte_ext.operators.airbyte, airflow_airbyte_ext.sensors.airbyte;"
        "import airflow_airbyte_ext.operators.connections, airflow_airbyte_ext.operators.state;"
        "import airflow_airbyte_ext.hooks.airbyte, airflow_airbyte_ext.triggers.airbyte;"
        "import airflow_airbyte_ext.triggers.airbyte, airflow_airbyte_ext.triggers.events;"
        "new = set(sys.modules) - before;"
        "print([m for m in new if m.split('.')[0] in ('requests', 'rich', 'tenacity', 'urllib3')"
        " or m.startswith(('airflow_airbyte_ext.api.client', 'airflow_airbyte_ext.api.transport'))])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip().splitlines()[-1] == "[]"


def test_the_metadata_names_every_module_of_users() -> None:
    info = get_provider_info()
    named = {
        module for key in ("hooks", "operators", "sensors", "triggers") for module in info[key][0]["python-modules"]
    }
    wanted = {"hooks": ["airbyte"], "operators": ["airbyte", "connections", "state"]}
    wanted |= {"sensors": ["airbyte"], "triggers": ["airbyte", "events"]}
    assert named == {f"airflow_airbyte_ext.{kind}.{module}" for kind, modules in wanted.items() for module in modules}


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[?([\d.]+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == airflow_airbyte_ext.__version__
