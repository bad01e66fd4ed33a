"""What the Airflow at hand can do: the tests say what happens with it, and what without."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import BaseHook, Connection
from airflow.triggers import base

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

# Airflow 3: tasks speak to Airflow's API, and assets have names.
HAS_TASK_SDK = find_spec("airflow.sdk") is not None
# Airflow 3: assets have watchers.
HAS_EVENT_TRIGGERS = hasattr(base, "BaseEventTrigger")
# Airflow 3.3: event triggers share one stream of reads.
HAS_SHARED_STREAMS = find_spec("airflow.triggers.shared_stream") is not None
# Airflow 3.2: the Connection form is drawn from the provider's metadata; before that by flask-appbuilder, if at all.
HAS_FORM_OF_METADATA = HAS_TASK_SDK and find_spec("airflow.sdk.providers_manager_runtime") is not None
HAS_FORM_OF_HOOK = not HAS_FORM_OF_METADATA and find_spec("flask_appbuilder") is not None
# What a DAG file imports first; its cost is not ours.
IMPORTED_FIRST = "airflow.sdk" if HAS_TASK_SDK else "airflow.models.dagbag"

# A test of an event trigger: where there are none, it is refused, and fails of nothing else.
OF_EVENT_TRIGGERS = pytest.mark.xfail(
    not HAS_EVENT_TRIGGERS, raises=AirbyteConfigurationError, strict=True, reason="Airflow 2 has no event triggers"
)


def connection_of(text: str) -> Connection:
    """Return what a task gets of a Connection that is a URI, or JSON, in its environment."""
    with mock.patch.dict(os.environ, {"AIRFLOW_CONN_C": text}):
        return BaseHook.get_connection("c")


def warnings_in(log: str) -> list[str]:
    """Return the lines of a task's log that are warnings; before Airflow 3.1 lines look otherwise."""
    return [line for line in log.splitlines() if re.search(r"\[warning|\bWARNING\b", line)]
