"""What one run works with: its options, its store, its Airbyte, and its output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_airbyte_ext.api.client import AirbyteClient
from airflow_airbyte_ext.cli.settings import client_settings, snapshot_store

if TYPE_CHECKING:
    import argparse

    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.cli.output import Output
    from airflow_airbyte_ext.snapshots.store import SnapshotStore


@dataclass
class Context:
    """
    One run of the command.

    :param undo_hint: What somebody has to know who stops the run now.
    """

    options: argparse.Namespace
    output: Output
    clock: Clock
    undo_hint: str = ""

    @cached_property
    def store(self) -> SnapshotStore:
        """The store that the options name."""
        return snapshot_store(self.options, os.environ)

    @cached_property
    def client(self) -> AirbyteClient:
        """The Airbyte that the options name; a command that needs the store alone never needs it."""
        return AirbyteClient(client_settings(self.options, os.environ), clock=self.clock)

    def check_settings(self, *, airbyte: bool = True) -> None:
        """Make what the options name, before any work and before any thread: wrong ones are reported once."""
        _ = (self.store, self.client) if airbyte else self.store

    def close(self) -> None:
        """Close the sockets."""
        if "client" in self.__dict__:
            self.client.close()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(self.clock.time(), tz=UTC)
