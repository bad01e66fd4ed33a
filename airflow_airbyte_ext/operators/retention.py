"""Deleting snapshots that no rule keeps; users import the operator from `operators.state`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_airbyte_ext.api.arguments import flag_argument, uuid_argument
from airflow_airbyte_ext.hooks.arguments import CheckedArguments
from airflow_airbyte_ext.hooks.retries import no_retry_for_permanent_errors
from airflow_airbyte_ext.operators.store import store_argument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_airbyte_ext.snapshots.retention import Retention
    from airflow_airbyte_ext.snapshots.store import SnapshotStore


def keep_argument(name: str, value: Any) -> Retention:  # noqa: ARG001
    """
    Return which snapshots to keep.

    :raises AirbyteConfigurationError: Names the rule that is wrong.
    """
    from airflow_airbyte_ext.snapshots.retention import Retention

    return Retention.of(value)


class AirbyteForgetSnapshotsOperator(CheckedArguments, BaseOperator):
    """
    Delete the snapshots of an Airbyte connection that a retention does not keep; the newest always stays.

    Returns the ids that were kept and forgotten.

    :param connection_id: The Airbyte connection: a UUID. It need not exist any more. (templated)
    :param store: Where snapshots live: a path, or a URL such as "s3://conn_id@bucket/airbyte". (templated)
    :param keep: Which snapshots to keep, such as {"last": 7, "daily": 14}; see docs/backup.md. (templated)
    :param dry_run: Decide, and delete nothing. (templated)
    """

    template_fields: Sequence[str] = ("connection_id", "store", "keep", "dry_run")
    argument_checks: ClassVar = {
        "connection_id": uuid_argument,
        "store": store_argument,
        "keep": keep_argument,
        "dry_run": flag_argument,
    }
    ui_color = "#e4f1ff"

    def __init__(
        self, *, connection_id: str, store: str, keep: Mapping[str, Any], dry_run: bool | str = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self.store = store
        self.keep = keep
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.check_parsed()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Decide, delete, and say why."""
        from airflow_airbyte_ext.operators.store import open_store

        with no_retry_for_permanent_errors():
            connection_id = uuid_argument("connection_id", self.connection_id)
            retention = keep_argument("keep", self.keep)
            is_dry = flag_argument("dry_run", self.dry_run)
            return forget_and_log(self.log, open_store(self.store), connection_id, retention, dry_run=is_dry)


def forget_and_log(
    log: Any, store: SnapshotStore, connection_id: str, retention: Any, *, dry_run: bool = False
) -> dict[str, Any]:
    """Delete what a retention does not keep, and tell each decision with its reasons."""
    from airflow_airbyte_ext.snapshots.retention import forget

    decisions = forget(store, connection_id, retention, now=datetime.now(UTC), dry_run=dry_run)
    for decision in decisions:
        if decision.keep:
            log.info("Keeping %s: %s", decision.ref.id, ", ".join(decision.reasons))
        else:
            log.info("%s %s", "Would forget" if dry_run else "Forgot", decision.ref.id)
    return {
        "kept": [decision.ref.id for decision in decisions if decision.keep],
        "forgotten": [decision.ref.id for decision in decisions if not decision.keep],
        "dry_run": dry_run,
    }
