"""Jobs, their attempts, and state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from airflow_airbyte_ext.api import operations as op
from airflow_airbyte_ext.api.methods.base import Sender
from airflow_airbyte_ext.api.requests.base import given, page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from airflow_airbyte_ext.api.models.jobs import (
        AttemptInfoRead,
        JobInfoLightRead,
        JobInfoRead,
        JobOptionalRead,
        JobReadList,
    )
    from airflow_airbyte_ext.api.models.state import ConnectionState
    from airflow_airbyte_ext.api.requests.jobs import JobFilters


class JobMethods(Sender):
    """Airbyte's Jobs and Attempt APIs."""

    def get_job_info(self, *, id: int) -> JobInfoRead:
        """Return a job with its attempts and all their log lines: up to a million, so never poll with it."""
        return self._send(op.GET_JOB_INFO, id=id)

    def get_job_info_light(self, *, id: int) -> JobInfoLightRead:
        """Return a job alone (since 0.40.7): the operation to poll with. An unknown id gives 500."""
        return self._send(op.GET_JOB_INFO_LIGHT, id=id)

    def get_job_info_without_logs(self, *, id: int) -> JobInfoRead:
        """
        Return a job with its attempts and no logs (since 0.44.6).

        Airbyte's sums over the attempts come since 0.52.0; the streams of an attempt have no namespaces, and a running
        attempt has no figures.
        """
        return self._send(op.GET_JOB_INFO_WITHOUT_LOGS, id=id)

    def get_last_replication_job(self, *, connection_id: str) -> JobOptionalRead:
        """
        Return a connection's newest sync, reset or refresh that was not cancelled (since 0.40.29).

        So it is not always the newest job: after a cancellation it is the one before. The job has no sums, and an
        unknown connection has none. `jobs.find.newest_job` returns the newest one, however it ended.
        """
        return self._send(op.GET_LAST_REPLICATION_JOB, connection_id=connection_id)

    def list_jobs_for(
        self,
        *,
        config_types: Sequence[str],
        config_id: str | None = None,
        including_job_id: int | None = None,
        page_size: int | None = None,
        row_offset: int = 0,
        **filters: Unpack[JobFilters],
    ) -> JobReadList:
        """
        Return a page of jobs, newest first. Prefer `jobs.find.jobs_of`, which walks the pages of every release.

        At 0.57.3 to 0.57.4, and from 0.64.2 to 1.2, a page counts attempts and not jobs: it may hold fewer jobs than
        asked for though more follow, its last job may lack attempts, and comes again on the next page.

        :param config_types: Kinds of job; a kind that the release does not know is refused.
        :param config_id: The connection; may be left out since 0.50.46, for tokens that see the whole instance.
        :param including_job_id: Return the pages up to this job, whatever the other filters say (since 0.40.6).
        :param page_size: Jobs in a page, in the releases above job x attempt rows; Airbyte's default is 200.
        :param row_offset: Jobs to pass over: a multiple of `page_size` (since 0.64.2).
        :param filters: `statuses` (since 0.50.46); `created_at_start`, `updated_at_start` and their `..._end`, ISO 8601
            times with offset; `order_by_field` with `order_by_method` (since 0.50.18). Up to 0.57.2 a page is cut by
            the time of creation, and only then ordered as asked. Up to 0.50.34 an `..._end` may act as a start.
        """
        return self._send(
            op.LIST_JOBS_FOR,
            config_types=config_types,
            **given(config_id=config_id, including_job_id=including_job_id, pagination=page(page_size, row_offset)),
            **filters,
        )

    def list_jobs_for_workspaces(
        self,
        *,
        config_types: Sequence[str],
        workspace_ids: Sequence[str],
        page_size: int | None = None,
        row_offset: int = 0,
        **filters: Unpack[JobFilters],
    ) -> JobReadList:
        """
        Return a page of the jobs of whole workspaces, newest first (since 0.50.6); see `list_jobs_for`.

        Its pages count attempts at 0.57.3 to 0.57.4 alone. `total_job_count` is only the length of the page.
        """
        return self._send(
            op.LIST_JOBS_FOR_WORKSPACES,
            config_types=config_types,
            workspace_ids=workspace_ids,
            **given(pagination=page(page_size, row_offset)),
            **filters,
        )

    def cancel_job(self, *, id: int) -> JobInfoRead:
        """
        Cancel whatever job runs on this job's connection, which need not be this one.

        Prefer `jobs.cancel`, which looks first and verifies afterwards.
        """
        return self._send(op.CANCEL_JOB, id=id)

    def get_attempt_for_job(self, *, job_id: int, attempt_number: int) -> AttemptInfoRead:
        """Return one attempt with its log alone (since 0.50.9); attempts are counted from 0."""
        return self._send(op.GET_ATTEMPT_FOR_JOB, job_id=job_id, attempt_number=attempt_number)


class StateMethods(Sender):
    """Airbyte's State API."""

    def get_state(self, *, connection_id: str) -> ConnectionState:
        """Return a connection's state; `not_set` for one without state, and for an unknown connection."""
        return self._send(op.GET_STATE, connection_id=connection_id)

    def create_or_update_state(self, *, connection_id: str, connection_state: dict[str, JsonValue]) -> ConnectionState:
        """Write state by upsert: an omitted stream stays (since 0.40.3). Takes Airbyte's own JSON."""
        return self._send(op.CREATE_OR_UPDATE_STATE, connection_id=connection_id, connection_state=connection_state)

    def create_or_update_state_safe(
        self, *, connection_id: str, connection_state: dict[str, JsonValue]
    ) -> ConnectionState:
        """Write state by upsert, refused with 423 while a sync runs (since 0.50.21)."""
        return self._send(
            op.CREATE_OR_UPDATE_STATE_SAFE, connection_id=connection_id, connection_state=connection_state
        )
