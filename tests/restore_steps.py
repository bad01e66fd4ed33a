"""A restore, from reading the state to writing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.snapshots.restore import Restorer, RestoreResult
    from airflow_airbyte_ext.snapshots.state import StateContent


def restored(
    restorer: Restorer, target_of: Callable[[StateContent], StateContent], *, dry_run: bool = False
) -> RestoreResult:
    """Make the state what a function of the state now returns."""
    before = restorer.read()
    return restorer.write(before, restorer.plan(before, target_of(before.content)), dry_run=dry_run)
