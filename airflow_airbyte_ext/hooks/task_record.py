"""What a task remembers from one try to the next, where Airflow can keep it (3.3 and later)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import AirbyteApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

KEY = "airbyte_job"


class TaskRecord:
    """
    A record in Airflow's task state store; before Airflow 3.3 there is none, and nothing is remembered.

    The store survives a retry, and also a user's Clear, which wants to begin again. `max_tries` grows with a Clear of a
    task that does not run, and not with a retry, so it tells the two apart; a task that is killed by a user while it
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
            if self.values.get("after") is None and self.values.get("job_id") is None:
                error.args = (f"{error} Nothing was started.",)
            raise

    def close(self) -> None:
        """Mark the record as ended, as well as can be: Airflow may have given the task up already."""
        try:
            self.save(ended=True)
        except Exception as error:  # whatever Airflow says now, the task is over
            log.info("Airflow does not keep that the task was ended (%s).", type(error).__name__)
