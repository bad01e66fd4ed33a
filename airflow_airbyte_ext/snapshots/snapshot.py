"""A snapshot: one saved state, with where and when it was taken. docs/snapshot-format.md describes the file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext import __version__
from airflow_airbyte_ext.api.arguments import uuid_argument
from airflow_airbyte_ext.api.clock import SYSTEM_CLOCK, Clock
from airflow_airbyte_ext.api.exact_json import EXACTLY, InexactJsonError, count_values
from airflow_airbyte_ext.connections.access import get_connection_or_explain
from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotFormatError,
)
from airflow_airbyte_ext.jobs.reader import newest_job
from airflow_airbyte_ext.snapshots.files import MAX_VALUES
from airflow_airbyte_ext.snapshots.state import StateContent, canonical_json, content_of

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.catalog import AirbyteCatalog

FORMAT = "airbyte-state-snapshot"
FORMAT_VERSION = 1

_ID_TIME = "%Y%m%dT%H%M%S%fZ"
_ID_DIGITS = 12


@dataclass(frozen=True)
class Origin:
    """Where a state was taken from; None where that Airbyte does not say."""

    base_url: str
    connection_id: str
    airbyte_version: str | None = None
    workspace_id: str | None = None
    connection_name: str | None = None
    source_id: str | None = None
    destination_id: str | None = None
    catalog_sha256: str | None = None
    last_job_id: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """
    One saved state, written once and never changed.

    :param taken_at: When it was read from Airbyte, in UTC.
    :param origin: Where it was read.
    :param state: The ConnectionState as Airbyte returned it.
    """

    taken_at: datetime
    origin: Origin
    state: dict[str, Any] = field(repr=False)

    @cached_property
    def content(self) -> StateContent:
        """What the state says."""
        return content_of(self.state)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the state's content."""
        return self.content.digest()

    @property
    def id(self) -> str:
        """The snapshot's name: time first, so that a listing is in order, and digest after."""
        taken_at = self.taken_at.astimezone(UTC)
        # On some systems %Y writes an early year with fewer than four digits.
        return f"{taken_at.year:04d}{taken_at.strftime(_ID_TIME.removeprefix('%Y'))}-{self.digest[:_ID_DIGITS]}"

    def to_bytes(self) -> bytes:
        """Return the file: a JSON document."""
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "written_by": f"airflow-airbyte-ext {__version__}",
            "taken_at": self.taken_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "origin": asdict(self.origin),
            "state_sha256": self.digest,
            "state": self.state,
        }
        # Not indented: that would take the encoder that is written in Python, and five times as long.
        return (json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Snapshot:
        """
        Read a file, and check that it is what was written.

        :param where: Names the file in errors.
        :raises AirbyteSnapshotFormatError: A newer release wrote it, or it is no snapshot.
        :raises AirbyteSnapshotDamagedError: It is truncated, or its state is not what its SHA-256 says.
        """
        document = _document(data, where)
        try:
            origin = {name: document["origin"].get(name) for name in Origin.__dataclass_fields__}
            uuid_argument("connection_id", origin["connection_id"])
            taken_at = datetime.fromisoformat(document["taken_at"])
            if taken_at.tzinfo is None:
                raise ValueError("taken_at has no zone")
            _check_origin(origin)
            snapshot = cls(taken_at.astimezone(UTC), Origin(**origin), document["state"])
            is_whole = snapshot.digest == document["state_sha256"]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, AirbyteError) as error:
            raise AirbyteSnapshotDamagedError(
                f"{where} lacks a part of a snapshot, or has one of the wrong kind ({error}). Use another snapshot."
            ) from None
        if not is_whole:
            raise AirbyteSnapshotDamagedError(
                f"{where} was changed after it was written: its state does not have the SHA-256 that it names. "
                "Use another snapshot."
            )
        return snapshot


def id_time(snapshot_id: str) -> datetime:
    """Return the time in a snapshot's id."""
    return datetime.strptime(snapshot_id.split("-")[0], _ID_TIME).replace(tzinfo=UTC)


def take_snapshot(
    client: AirbyteClient, connection_id: str, *, workspace_id: str | None = None, clock: Clock = SYSTEM_CLOCK
) -> Snapshot:
    """
    Read a connection's state, and where it comes from.

    Airbyte returns a state for a connection that it does not know, too; so the connection is read first.

    :param workspace_id: The connection's workspace, where it is known already.
    :raises AirbyteConnectionUnknownError: Airbyte does not have the connection.
    :raises AirbyteApiError: A request failed.
    """
    connection = get_connection_or_explain(client, connection_id)
    job = newest_job(client, connection_id)
    taken_at = datetime.fromtimestamp(clock.time(), tz=UTC)
    state = client.get_state(connection_id=connection_id)
    origin = Origin(
        base_url=client.settings.base_url,
        connection_id=connection_id,
        airbyte_version=client.release().text,
        workspace_id=workspace_id or connection.workspace_id or _workspace_id(client, connection_id),
        connection_name=connection.name,
        source_id=connection.source_id,
        destination_id=connection.destination_id,
        catalog_sha256=_catalog_digest(connection.sync_catalog),
        last_job_id=job.id if job else None,
    )
    return Snapshot(taken_at, origin, state.raw)


def _check_origin(origin: dict[str, Any]) -> None:
    """Check that the fields of an origin are what the format says; each may be null."""
    for name, value in origin.items():
        is_right = (
            isinstance(value, int) and not isinstance(value, bool) if name == "last_job_id" else isinstance(value, str)
        )
        if value is not None and not is_right:
            raise ValueError(f"origin.{name} is of the wrong type")


def _document(data: bytes, where: str) -> dict[str, Any]:
    if count_values(data) > MAX_VALUES:
        raise AirbyteSnapshotDamagedError(
            f"{where} has more than the {MAX_VALUES} values that a snapshot may have. Use another snapshot."
        )
    try:
        document = json.loads(data, **EXACTLY)
    except RecursionError:
        raise AirbyteSnapshotDamagedError(
            f"{where} is nested too deeply to be a state. Use another snapshot."
        ) from None
    except InexactJsonError as error:
        raise AirbyteSnapshotDamagedError(f"{where} holds {error}. Use another snapshot.") from None
    except ValueError:
        raise AirbyteSnapshotDamagedError(f"{where} is cut off or is not JSON. Use another snapshot.") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise AirbyteSnapshotFormatError(f'{where} is not a snapshot: it lacks "format": "{FORMAT}".')
    version = document.get("format_version")
    if type(version) is not int or version < 1:
        raise AirbyteSnapshotDamagedError(f"{where} names no format version. Use another snapshot.")
    if version > FORMAT_VERSION:
        raise AirbyteSnapshotFormatError(
            f"{where} has format {version}, and this release ({__version__}) reads up to {FORMAT_VERSION}. It was "
            f"written by {document.get('written_by')!r}: install that release or a newer one."
        )
    return document


def _workspace_id(client: AirbyteClient, connection_id: str) -> str | None:
    try:
        return client.get_workspace_by_connection_id(connection_id=connection_id).workspace_id
    except AirbyteApiError:
        return None


def _catalog_digest(catalog: AirbyteCatalog | None) -> str | None:
    return None if catalog is None else hashlib.sha256(canonical_json(catalog.raw)).hexdigest()
