from __future__ import annotations

import subprocess
import sys
from typing import Any

from airflow.providers_manager import ProvidersManager
from lines import HAS_FORM_OF_HOOK, HAS_FORM_OF_METADATA

from airflow_airbyte_ext import __version__
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS, CONNECTION_TYPE

_LINES_OF_TEXT = set(CONNECTION_FIELDS) - {"headers", "proxies"}


def test_airflow_lists_the_package_as_a_provider() -> None:
    assert ProvidersManager().providers["airflow-airbyte-ext"].version == __version__


def _hooks() -> Any:
    """What a task finds a Connection's hook with; before Airflow 3.2 that is what everybody uses."""
    if not HAS_FORM_OF_METADATA:
        return ProvidersManager().hooks
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    return ProvidersManagerTaskRuntime().hooks


def test_airflow_takes_our_hook_for_our_connection_type() -> None:
    """Airflow takes our hook for our connection type and leaves the official one alone."""
    hooks = _hooks()
    hook = hooks[CONNECTION_TYPE]
    assert hook is not None
    assert hook.package_name == "airflow-airbyte-ext"
    assert hook.connection_id_attribute_name == "airbyte_conn_id"
    assert hook.hook_class_name == "airflow_airbyte_ext.hooks.airbyte.AirbyteConfigHook"
    official = hooks.get("airbyte")
    assert official is None or official.package_name != "airflow-airbyte-ext"


def test_airflow_draws_the_form_as_we_say() -> None:
    """By metadata it has all fields; by the hook those that a line of text can hold; else there is no form."""
    manager = ProvidersManager()
    fields = {name for name in manager.connection_form_widgets if name.startswith(f"extra__{CONNECTION_TYPE}__")}
    drawn = CONNECTION_FIELDS if HAS_FORM_OF_METADATA else _LINES_OF_TEXT if HAS_FORM_OF_HOOK else []
    assert fields == {f"extra__{CONNECTION_TYPE}__{name}" for name in drawn}
    if not drawn:
        assert CONNECTION_TYPE not in manager.field_behaviours
        return
    behaviour = manager.field_behaviours[CONNECTION_TYPE]
    assert behaviour["relabeling"]["host"] == "Airbyte URL"
    assert behaviour["hidden_fields"] == ["schema"]


def test_airflow_knows_the_extra_link_and_the_trigger() -> None:
    manager = ProvidersManager()
    assert "airflow_airbyte_ext.links.airbyte.AirbyteJobLink" in manager.extra_links_class_names
    assert "airflow_airbyte_ext.triggers.airbyte" in {trigger.trigger_class_name for trigger in manager.trigger}


def test_reading_the_metadata_imports_nothing_else() -> None:
    """Airflow reads it at every start, before its own configuration is there."""
    code = (
        "import sys; before = set(sys.modules);"
        "from airflow_airbyte_ext.provider_info import get_provider_info; get_provider_info();"
        "ours = {m for m in set(sys.modules) - before if not m.startswith(('airflow_airbyte_ext', 'typing', '__'))};"
        "print(sorted(m for m in ours if m.split('.')[0] not in sys.stdlib_module_names))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
