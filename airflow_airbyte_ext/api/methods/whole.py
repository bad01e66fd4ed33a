"""The whole of a connection, as releases before 0.40.8 want it for every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.api.bodies import released_fields
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_airbyte_ext.api.models.connections import ConnectionRead
    from airflow_airbyte_ext.api.releases import Release

# Since then what an update leaves out stays as it is; before, it is emptied.
PATCHES_SINCE = "0.40.8"

# Saying one of these anew takes the other's place.
_OTHER_FORMS = {
    "schedule": ("schedule_type", "schedule_data"),
    "schedule_type": ("schedule", "schedule_data"),
    "schedule_data": ("schedule",),
}


def whole_connection(
    connection: ConnectionRead, changes: Mapping[str, Any], request: type, release: Release
) -> dict[str, Any]:
    """
    Return the changes together with all else that the request can say of the connection.

    :param connection: As it is.
    :param changes: What is to be another.
    :param request: The `TypedDict` of the changes.
    :param release: The server's; what it does not declare is left out.
    :raises AirbyteConfigurationError: A part of the connection is odd, and would be lost.
    """
    if odd := connection.left_out.places:
        raise AirbyteConfigurationError(
            f"Connection {connection.connection_id} has what this client cannot send back: {'; '.join(odd[:5])}. This "
            "release of Airbyte replaces the whole connection with each update. Change it in Airbyte."
        )
    replaced = {other for name in changes for other in _OTHER_FORMS.get(name, ())}
    if connection.schedule_type is not None:
        replaced.add("schedule")  # the old form, which releases that have the new one refuse
    marks = released_fields(request)
    kept = {
        name: value
        for name in request.__annotations__
        if name not in replaced and not (name in marks and marks[name].lacking(release))
        if (value := getattr(connection, name, None)) is not None and name in connection.model_fields_set
    }
    return {**kept, **changes}


def release_of(connection: ConnectionRead, request: type, release: Release) -> Release:
    """Return what is known of a release once a connection has been read: it has what its own response has."""
    for name, mark in released_fields(request).items():
        if name in connection.model_fields_set:
            release = release.at_least(mark.since)
    return release
