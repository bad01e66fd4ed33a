"""What Airbyte runs after a sync: normalization and dbt (before 0.63.5), or a webhook."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items


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
