"""Operators that run jobs of Airbyte connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.operators.job import AirbyteJobOperator

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.jobs.submit import Submission

__all__ = ["AirbyteSyncConnectionOperator"]


class AirbyteSyncConnectionOperator(AirbyteJobOperator):
    """
    Sync an Airbyte connection: exactly one job, whatever gets lost on the way.

    The task succeeds only when Airbyte says that the job succeeded, and fails with Airbyte's own reason.

    :param connection_id: The Airbyte connection: a UUID. (templated)
    :param airbyte_conn_id: Airflow Connection that points at Airbyte. (templated)
    :param wait_for_completion: Wait for the job's end; otherwise the task ends when the job is submitted.
    :param deferrable: Wait in the triggerer instead of in a worker.
    :param poll_interval: Seconds, or a timedelta, between two looks at the job. (templated)
    :param wait_timeout: Seconds, or a timedelta, to wait at most; None waits as long as the job runs. (templated)
    :param unreadable_timeout: Seconds, or a timedelta, for which the job's status may be unreadable. (templated)
    :param if_running: What to do about a sync that runs already: "attach" to it, or "fail". (templated)
    :param cancel_on_kill: Cancel the job when the task is killed, cleared or marked while it runs.
    :param cancel_on_timeout: Cancel the job when `wait_timeout` or Airflow's `execution_timeout` has passed.
    """

    def submit(self, client: AirbyteClient, *, clock: Clock, **how: Any) -> Submission:
        """Find or start the sync."""
        from airflow_airbyte_ext.jobs.submit import submit_sync

        return submit_sync(client, self.connection_id, clock=clock, **how)
