"""What Airflow itself thinks that a task is doing, asked from within the task or its trigger."""

from __future__ import annotations

from typing import Any


def task_state(task_instance: Any) -> str | None:
    """
    Return the task's state as the API server has it; None where it has none, as after a Clear.

    :param task_instance: Of a running task, or of a trigger.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    ti = task_instance
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    mapped = ti.map_index is not None and ti.map_index >= 0
    state = states.get(ti.run_id, {}).get(f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id)
    return str(state) if state else None
