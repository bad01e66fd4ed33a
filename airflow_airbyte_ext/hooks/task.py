"""A task within Airflow: what it remembers from try to try, what Airflow makes of it, and which errors are retried."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

KEY = "airbyte_job"
# Airflow 2 has none: a task reads Airflow's database instead of its API.
HAS_TASK_SDK = find_spec("airflow.sdk") is not None


class TaskRecord:
    """
    A record in Airflow's task state store; before Airflow 3.3 there is none, and nothing is remembered.

    The store survives a retry, and also a user's Clear, which wants to begin again. `max_tries` grows with a Clear of a
    task that does not run, and not with a retry, so it distinguishes the two; a task that is killed by a user while it
    runs marks its record as ended.

    :param context: The task's context.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        self._generation = context["ti"].max_tries
        kept = self._store.get(KEY) if self._store is not None else None
        record = dict(kept) if isinstance(kept, dict) else {}
        is_ours = record.pop("max_tries", None) == self._generation and not record.get("ended")
        self.values: dict[str, Any] = record if is_ours else {}
        self.previous: dict[str, Any] = {} if is_ours else record

    def save(self, **values: Any) -> None:
        """Add to the record; the caller goes on only when it is kept."""
        self.values.update(values)
        if self._store is not None:
            self._store.set(KEY, {**self.values, "max_tries": self._generation})

    @contextmanager
    def before_submission(self) -> Iterator[None]:
        """Say with an error of Airbyte's that no job was started, as long as that is sure."""
        try:
            yield
        except AirbyteApiError as error:
            if self.values.get("baseline") is None and self.values.get("job_id") is None:
                error.args = (f"{error} Nothing was started.",)
            raise

    def close(self) -> None:
        """Mark the record as ended, as well as can be: Airflow may have given the task up already."""
        try:
            self.save(ended=True)
        except Exception as error:  # whatever Airflow says now, the task is over
            log.info("Airflow did not save that the task was ended (%s).", type(error).__name__)


class EarlierTries(NamedTuple):
    """
    Earlier tries of a task, where Airflow keeps no record of what they did.

    :param since: Epoch seconds, by Airflow's clock, since when they may have run.
    :param is_exact: Whether that is when the first of them began; otherwise it is when the DAG run began.
    """

    since: float
    is_exact: bool


def earlier_tries(context: Context, *, retries: int) -> EarlierTries | None:
    """
    Return the earlier tries of a task; None where this is the first one, or where Airflow keeps a record (3.3).

    :param retries: The task's. A Clear counts tries from the first one again.
    """
    ti: Any = context["ti"]
    if context.get("task_state_store") is not None:
        return None
    first = ti.max_tries - retries + 1
    if ti.try_number <= first:
        return None
    if began := None if HAS_TASK_SDK else _start_of_try(ti, first):
        return EarlierTries(began.timestamp(), is_exact=True)
    run_began = context["dag_run"].start_date
    return EarlierTries(run_began.timestamp(), is_exact=False) if run_began else None


def _start_of_try(ti: Any, number: int) -> datetime | None:
    """Return when a try of an Airflow 2 task began, from Airflow's database."""
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session

    wanted = {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    with create_session() as session:
        found: datetime | None = (
            session.query(TaskInstanceHistory.start_date).filter_by(**wanted, try_number=number).limit(1).scalar()
        )
        return found


def task_state(task_instance: Any) -> str | None:
    """
    Return the task's state as Airflow has it; None where it has none, as after a Clear.

    :param task_instance: Of a running task, or of a trigger.
    """
    ti = task_instance
    if not HAS_TASK_SDK:
        state = ti.current_state()
        return str(state) if state else None
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    mapped = ti.map_index is not None and ti.map_index >= 0
    state = states.get(ti.run_id, {}).get(f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id)
    return str(state) if state else None


@contextmanager
def no_retry_for_permanent_errors() -> Iterator[None]:
    """
    Turn an error that no retry can mend into Airflow's own "fail without retries"; let the others through.

    :raises AirflowFailException: Its cause is the Airbyte error.
    """
    try:
        yield
    except AirbyteError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error
