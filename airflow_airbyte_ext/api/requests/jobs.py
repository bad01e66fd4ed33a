"""Requests about jobs and state."""

from __future__ import annotations

from typing import Annotated, Required

from pydantic import Field
from typing_extensions import TypedDict

from airflow_airbyte_ext.api.bodies import Released
from airflow_airbyte_ext.api.requests.base import (
    AsGiven,
    Id,
    OrderField,
    OrderMethod,
    Pagination,
    Time,
    Uuid,
    request_model,
)


class JobFilters(TypedDict, total=False):
    """Which jobs, and in what order."""

    statuses: Annotated[list[str], Released("0.50.46")]
    created_at_start: Annotated[Time, Released("0.50.18")]
    created_at_end: Annotated[Time, Released("0.50.35")]
    updated_at_start: Annotated[Time, Released("0.50.18")]
    updated_at_end: Annotated[Time, Released("0.50.35")]
    order_by_field: Annotated[OrderField, Released("0.50.18")]
    order_by_method: Annotated[OrderMethod, Released("0.50.18")]


@request_model
class JobListRequestBody(JobFilters, total=False):
    """A page of jobs, of one connection or (since 0.50.46) of all."""

    config_types: Required[Annotated[list[str], Field(min_length=1)]]
    config_id: str
    including_job_id: Annotated[Id, Released("0.40.6")]
    pagination: Pagination


@request_model
class JobListForWorkspacesRequestBody(JobFilters, total=False):
    """A page of the jobs of workspaces."""

    config_types: Required[Annotated[list[str], Field(min_length=1)]]
    workspace_ids: Required[list[Uuid]]
    pagination: Pagination


@request_model
class GetAttemptStatsRequestBody(TypedDict):
    """One attempt of a job, counted from 0."""

    job_id: Id
    attempt_number: Id


@request_model
class ConnectionStateCreateOrUpdate(TypedDict):
    """A connection's state, as Airbyte writes it."""

    connection_id: Uuid
    connection_state: AsGiven
