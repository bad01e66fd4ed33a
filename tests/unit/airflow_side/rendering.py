"""A task as it is when its templates have been rendered: parsing the DAG has not seen their values."""

from __future__ import annotations

from typing import Any

from airflow_airbyte_ext.hooks.target import TARGET_FIELDS


def rendered(task: type, **values: Any) -> Any:
    """Make a task whose templated arguments, where they are given, were templates."""
    absent = {name for name in TARGET_FIELDS if values.get(name) is None}
    templated = [name for name in values if name in task.template_fields and name not in absent]  # type: ignore[attr-defined]
    made = task(**{"task_id": "t", **values, **dict.fromkeys(templated, "{{ anything }}")})
    for name in templated:
        setattr(made, name, values[name])
    return made
