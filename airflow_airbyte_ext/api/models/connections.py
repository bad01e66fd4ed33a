"""Airbyte connections: a source, a destination, and what moves between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, PartialModel
from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog
from airflow_airbyte_ext.api.models.jobs import FailureReason, JobRead

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.streams import StreamKey


class ConnectionSchedule(AirbyteModel):
    """Every N `minutes`, `hours`, `days`, `weeks` or `months`."""

    units: int
    time_unit: str


class CronSchedule(AirbyteModel):
    """A Quartz cron expression of six or seven fields, and the time zone it is read in."""

    cron_expression: str
    cron_time_zone: str


class ConnectionScheduleData(AirbyteModel):
    """When a connection syncs, by its schedule type: `basic` or `cron`; `manual` has neither (since 0.40.0)."""

    basic_schedule: ConnectionSchedule | None = None
    cron: CronSchedule | None = None


class ResourceRequirements(AirbyteModel):
    """What a job's containers request, in Kubernetes' units. The names are snake_case on the wire."""

    cpu_request: str | None = Field(None, alias="cpu_request")
    cpu_limit: str | None = Field(None, alias="cpu_limit")
    memory_request: str | None = Field(None, alias="memory_request")
    memory_limit: str | None = Field(None, alias="memory_limit")
    ephemeral_storage_request: str | None = Field(None, alias="ephemeral_storage_request")
    ephemeral_storage_limit: str | None = Field(None, alias="ephemeral_storage_limit")


class Tag(AirbyteModel):
    """A tag of a workspace, to mark its connections with (since 1.6.0)."""

    tag_id: str | None = None
    workspace_id: str | None = None
    name: str | None = None
    color: str | None = None


class ConnectionRead(PartialModel):
    """
    An Airbyte connection. `created_at` is snake_case on the wire, and epoch seconds.

    `schedule` is the form before 0.40.0, still returned beside `schedule_type` and `schedule_data`. `geography`
    from 0.40.15 to 1.6, `tags` and `dataplane_group_id` since 1.6.0.
    """

    connection_id: str
    name: str | None = None
    status: str | None = None
    status_reason: str | None = None
    source_id: str | None = None
    destination_id: str | None = None
    workspace_id: str | None = None
    namespace_definition: str | None = None
    namespace_format: str | None = None
    prefix: str | None = None
    operation_ids: Items[str] = Field(default_factory=list)
    sync_catalog: AirbyteCatalog | None = None
    schedule: ConnectionSchedule | None = None
    schedule_type: str | None = None
    schedule_data: ConnectionScheduleData | None = None
    resource_requirements: ResourceRequirements | None = None
    source_catalog_id: str | None = None
    destination_catalog_id: str | None = None
    geography: str | None = None
    dataplane_group_id: str | None = None
    breaking_change: bool | None = None
    notify_schema_changes: bool | None = None
    notify_schema_changes_by_email: bool | None = None
    non_breaking_changes_preference: str | None = None
    backfill_preference: str | None = None
    tags: Items[Tag] = Field(default_factory=list)
    on_demand_enabled: bool | None = None
    created_at: int | None = Field(None, alias="created_at")

    def streams(self) -> list[StreamKey]:
        """Return the namespace and name of each stream of the catalog."""
        catalog = self.sync_catalog or AirbyteCatalog()
        return [entry.stream.key for entry in catalog.streams if entry.stream]


class ConnectionReadList(PartialModel):
    """Connections, each with its whole catalog."""

    connections: Items[ConnectionRead]


class ConnectionStatusRead(AirbyteModel):
    """
    How a connection is doing. Times are epoch seconds.

    `connection_sync_status` and `active_job` since 1.2.0; `is_running` and `last_sync_job_status` before. The status
    is the first of these that holds: `running`, `queued` or `pending` (waits, also for its next attempt) for a job that
    is not terminal; `failed` after a breaking change or a configuration error; `paused` where the connection is not
    active; `incomplete` where its last job was cancelled; `pending` where it never ran, or was reset last; `incomplete`
    where its last job failed; `synced`. `last_sync_job_id` is the last job that succeeded or failed, a reset, too.
    """

    connection_id: str
    connection_sync_status: str | None = None
    active_job: JobRead | None = None
    is_running: bool | None = None
    last_sync_job_status: str | None = None
    last_sync_job_id: int | None = None
    last_sync_attempt_number: int | None = None
    last_sync_job_created_at: int | None = None
    last_successful_sync: int | None = None
    schedule_data: ConnectionScheduleData | None = None
    failure_reason: FailureReason | None = None


class ConnectionLastJobPerStreamReadItem(AirbyteModel):
    """The last job that moved a stream. Times are epoch milliseconds."""

    stream_name: str
    stream_namespace: str | None = None
    job_id: int | None = None
    config_type: str | None = None
    job_status: str | None = None
    records_committed: int | None = None
    bytes_committed: int | None = None
    started_at: int | None = None
    ended_at: int | None = None


class StreamSyncProgressReadItem(AirbyteModel):
    """What the running job moved of one stream so far."""

    stream_name: str
    stream_namespace: str | None = None
    config_type: str | None = None
    records_emitted: int | None = None
    records_committed: int | None = None
    records_rejected: int | None = None
    bytes_emitted: int | None = None
    bytes_committed: int | None = None


class ConnectionSyncProgressRead(AirbyteModel):
    """What the job that is not terminal moved so far, of any kind; `sync_started_at` is when it was created."""

    connection_id: str
    job_id: int | None = None
    config_type: str | None = None
    sync_started_at: int | None = None
    records_emitted: int | None = None
    records_committed: int | None = None
    records_rejected: int | None = None
    bytes_emitted: int | None = None
    bytes_committed: int | None = None
    streams: Items[StreamSyncProgressReadItem] = Field(default_factory=list)


class ConnectionEvent(AirbyteModel):
    """Something that happened to a connection, such as `SYNC_SUCCEEDED`, and who did it. Times are epoch seconds."""

    id: str
    connection_id: str | None = None
    event_type: str | None = None
    created_at: int | None = None
    summary: Any = None
    user: Any = None


class ConnectionEventWithDetails(ConnectionEvent):
    """An event with all that Airbyte keeps of it."""

    details: Any = None


class ConnectionEventList(AirbyteModel):
    """A page of a connection's events, newest first."""

    events: Items[ConnectionEvent] = Field(default_factory=list)


class RefreshRead(AirbyteModel):
    """
    What Airbyte made of a request to refresh: `job` since 1.2.0, and `value` (whether it will) before.

    Neither a job nor a true value means that no job was started now: the destination cannot refresh, or (since 1.4) a
    job runs, and the refresh is stored for the run after it.
    """

    is_strict: ClassVar[bool] = True  # a job that is left out would seem not to have been started

    job: JobRead | None = None
    value: bool | None = None


class OperatorNormalization(AirbyteModel):
    """Basic normalization (before 0.63.5)."""

    option: str | None = None


class OperatorDbt(AirbyteModel):
    """A custom dbt transformation (before 0.63.5)."""

    git_repo_url: str | None = None
    git_repo_branch: str | None = None
    docker_image: str | None = None
    dbt_arguments: str | None = None


class OperatorWebhook(AirbyteModel):
    """A call of a webhook, such as dbt Cloud's (since 0.40.32 at the latest)."""

    webhook_config_id: str | None = None
    webhook_type: str | None = None
    dbt_cloud: Any = None
    execution_url: str | None = None
    execution_body: str | None = None


class OperatorConfiguration(AirbyteModel):
    """One operation: `operator_type` says which of the others is filled."""

    operator_type: str
    normalization: OperatorNormalization | None = None
    dbt: OperatorDbt | None = None
    webhook: OperatorWebhook | None = None


class OperationWrite(AirbyteModel):
    """An operation as it is created or, with its id, updated together with a connection; an `OperationRead` will do."""

    model_config = ConfigDict(from_attributes=True)

    operation_id: str | None = None
    workspace_id: str
    name: str
    operator_configuration: OperatorConfiguration


class OperationRead(AirbyteModel):
    """An operation."""

    operation_id: str
    workspace_id: str | None = None
    name: str | None = None
    operator_configuration: OperatorConfiguration | None = None


class OperationReadList(AirbyteModel):
    """All operations of a connection."""

    operations: Items[OperationRead] = Field(default_factory=list)
