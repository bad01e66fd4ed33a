"""Updates of a whole connection, which releases before 0.40.8 want for every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.validation import released_fields
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.api.releases import Release

# Since then what an update leaves out stays as it is; before, it is emptied.
PATCHES_SINCE = "0.40.8"

# To give one of these replaces the others.
_OTHER_FORMS = {
    "schedule": ("schedule_type", "schedule_data"),
    "schedule_type": ("schedule", "schedule_data"),
    "schedule_data": ("schedule",),
}


def full_update(
    release: Release, given: Mapping[str, Any], changes: type, read: Callable[..., ConnectionRead]
) -> tuple[Mapping[str, Any], Release]:
    """
    Return an update with all that the server wants in it, and what is known of the server's release by then.

    :param release: The server's.
    :param given: The connection's id, and what to change.
    :param changes: The `TypedDict` of the changes.
    :param read: Reads the connection.
    :raises AirbyteConfigurationError: A part of the connection is odd, and would be lost.
    """
    if release.is_at_least(PATCHES_SINCE):
        return given, release
    connection = read(connection_id=given["connection_id"])
    release = release_of(connection, changes, release)
    return {**_kept(connection, given, changes, release), **given}, release


def _kept(connection: ConnectionRead, given: Mapping[str, Any], changes: type, release: Release) -> dict[str, Any]:
    """
    Return all that an update can say of the connection, as it is; what the release does not declare is left out.

    :raises AirbyteConfigurationError: A part of the connection is odd, and would be lost.
    """
    if odd := connection.left_out.places:
        raise AirbyteConfigurationError(
            f"Connection {connection.connection_id} has what this client cannot send back: {'; '.join(odd[:5])}. This "
            "release of Airbyte replaces the whole connection with each update. Change it in Airbyte."
        )
    replaced = {other for name in given for other in _OTHER_FORMS.get(name, ())}
    if connection.schedule_type is not None:
        replaced.add("schedule")  # the old form, which releases that have the new one refuse
    marks = released_fields(changes)
    return {
        name: value
        for name in changes.__annotations__
        if name not in replaced and not (name in marks and marks[name].unavailable_reason(release))
        if (value := getattr(connection, name, None)) is not None and name in connection.model_fields_set
    }


def release_of(connection: ConnectionRead, changes: type, release: Release) -> Release:
    """Return what is known of a release once a connection has been read: it has what its own response has."""
    for name, mark in released_fields(changes).items():
        if name in connection.model_fields_set:
            release = release.at_least(mark.since)
    return release
