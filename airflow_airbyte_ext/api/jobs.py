"""Airbyte's Jobs and Attempt APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Unpack

from pydantic import Field
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.fields import (
    Id,
    OrderField,
    OrderMethod,
    PageSize,
    Released,
    RowOffset,
    Time,
    Uuid,
)
from airflow_airbyte_ext.api.operation import BLOCKING_TIMEOUT, LOGS_TIMEOUT, operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_airbyte_ext.api.models import jobs


class JobFilters(TypedDict, total=False):
    """Which jobs, and in what order."""

    statuses: Annotated[list[str], Released("0.50.46")]
    created_at_start: Annotated[Time, Released("0.50.18")]
    created_at_end: Annotated[Time, Released("0.50.35")]
    updated_at_start: Annotated[Time, Released("0.50.18")]
    updated_at_end: Annotated[Time, Released("0.50.35")]
    order_by_field: Annotated[OrderField, Released("0.50.18")]
    order_by_method: Annotated[OrderMethod, Released("0.50.18")]


class JobMethods:
    """Jobs and their attempts."""

    @operation("/v1/jobs/get", since="0.1.0", response_timeout=LOGS_TIMEOUT)
    def get_job_info(self, *, id: Id) -> jobs.JobInfoRead:
        """Return a job with its attempts and all their log lines: up to a million, so never poll with it."""

    @operation("/v1/jobs/get_light", since="0.40.7", alternative="Use list_jobs_for.")
    def get_job_info_light(self, *, id: Id) -> jobs.JobInfoLightRead:
        """Return a job alone (since 0.40.7): the operation to poll with. An unknown id gives 500."""

    @operation("/v1/jobs/get_without_logs", since="0.44.6", alternative="Use list_jobs_for with including_job_id.")
    def get_job_info_without_logs(self, *, id: Id) -> jobs.JobInfoRead:
        """
        Return a job with its attempts and no logs (since 0.44.6).

        Airbyte's sums over the attempts come since 0.52.0; the streams of an attempt have no namespaces, and a running
        attempt has no figures.
        """

    @operation("/v1/jobs/get_last_replication_job", since="0.40.29", alternative="Use list_jobs_for.")
    def get_last_replication_job(self, *, connection_id: Uuid) -> jobs.JobOptionalRead:
        """
        Return a connection's newest sync, reset or refresh that was not cancelled (since 0.40.29).

        So it is not always the newest job: after a cancellation it is the one before. The job has no sums, and an
        unknown connection has none. `jobs.reader.newest_job` returns the newest one, however it ended.
        """

    @operation("/v1/jobs/list", since="0.1.0")
    def list_jobs_for(
        self,
        *,
        config_types: Annotated[Sequence[str], Field(min_length=1)],
        config_id: str | None = None,
        including_job_id: Annotated[Id, Released("0.40.6")] | None = None,
        page_size: PageSize | None = None,
        row_offset: RowOffset = 0,
        **filters: Unpack[JobFilters],
    ) -> jobs.JobReadList:
        """
        Return a page of jobs, newest first. Prefer `jobs.reader.jobs_of`, which walks the pages of every release.

        At 0.57.3 to 0.57.4, and from 0.64.2 to 1.2, a page counts attempts and not jobs: it may hold fewer jobs than
        requested though more follow, its last job may lack attempts, and comes again on the next page.

        :param config_types: Kinds of job; a kind that the release does not know is refused.
        :param config_id: The connection; may be left out since 0.50.46, for tokens that see the whole instance.
        :param including_job_id: Return the pages up to this job, whatever the other filters say (since 0.40.6).
        :param page_size: Jobs in a page, in the releases above job x attempt rows; Airbyte's default is 200.
        :param row_offset: How many jobs to pass over: a multiple of `page_size` (since 0.64.2).
        :param filters: `statuses` (since 0.50.46); `created_at_start`, `updated_at_start` and their `..._end`, ISO 8601
            times with offset; `order_by_field` with `order_by_method` (since 0.50.18). Up to 0.57.2 a page is cut by
            the time of creation, and only then ordered as requested. Up to 0.50.34 an `..._end` may act as a start.
        """

    @operation("/v1/jobs/list_for_workspaces", since="0.50.6", alternative="Use list_jobs_for with config_id.")
    def list_jobs_for_workspaces(
        self,
        *,
        config_types: Annotated[Sequence[str], Field(min_length=1)],
        workspace_ids: Sequence[Uuid],
        page_size: PageSize | None = None,
        row_offset: RowOffset = 0,
        **filters: Unpack[JobFilters],
    ) -> jobs.JobReadList:
        """
        Return a page of the jobs of whole workspaces, newest first (since 0.50.6); see `list_jobs_for`.

        Its pages count attempts at 0.57.3 to 0.57.4 alone. `total_job_count` is only the length of the page.
        """

    @operation("/v1/jobs/cancel", since="0.17.3", role="runner", is_write=True, response_timeout=BLOCKING_TIMEOUT)
    def cancel_job(self, *, id: Id) -> jobs.JobInfoRead:
        """
        Cancel whatever job runs on this job's connection, which need not be this one.

        Prefer `jobs.cancel`, which reads the job first and verifies the cancellation afterwards.
        """

    @operation(
        "/v1/attempt/get_for_job", since="0.50.9", alternative="Use get_job_info.", response_timeout=LOGS_TIMEOUT
    )
    def get_attempt_for_job(self, *, job_id: Id, attempt_number: Id) -> jobs.AttemptInfoRead:
        """Return one attempt with its log alone (since 0.50.9); attempts are counted from 0."""
