"""Find the connections of a workspace; servers' own searches find nothing, or page by 20."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import (
    AirbyteApiError,
    AirbyteConfigurationError,
    AirbyteNotFoundError,
    AirbytePermissionError,
    AirbyteResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.models.instance import WorkspaceRead, WorkspaceReadList
    from airflow_airbyte_ext.api.models.web_backend import (
        DestinationSnippetRead,
        SourceSnippetRead,
        WebBackendConnectionListItem,
    )

TAGS_SINCE = "1.6.0"
PAGES_SINCE = "1.8.0"
PAGE_SIZE = 100
# Servers may make the pages smaller than requested.
MAX_PAGES = 2000
MAX_NAMES = 10
# Of an installation that is not Airbyte's Cloud.
DEFAULT_ORGANIZATION = "00000000-0000-0000-0000-000000000000"


def find_connections(
    client: AirbyteClient,
    *,
    workspace_id: str,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    source: str | None = None,
    destination: str | None = None,
    status: str | None = None,
) -> list[WebBackendConnectionListItem]:
    """
    Return the connections of a workspace that are as requested, by name; never the deleted ones.

    :param name: Their name, or where no connection has that name a pattern such as "Orders*"; case matters.
    :param tags: Names of tags, all of which they must have (since 1.6.0).
    :param source: Id or name of their source.
    :param destination: Id or name of their destination.
    :param status: `active` or `inactive`; any when not given.
    :raises AirbyteConfigurationError: Tags are requested, and this Airbyte has none; or there is no such workspace.
    :raises AirbyteApiError: A request failed.
    """
    wanted = {tags} if isinstance(tags, str) else set(tags or ())
    if wanted and client.release().is_before(TAGS_SINCE):
        raise AirbyteConfigurationError(
            f"tags came with Airbyte {TAGS_SINCE}, and this Airbyte is {client.release().words}. Find by name instead."
        )
    rows = _all_connections(client, workspace_id)
    # A name that is itself a pattern, such as "Orders [EU]", means that very connection.
    is_name = any(row.name == name for row in rows)
    found = [
        row
        for row in rows
        if (name is None or (row.name == name if is_name else fnmatchcase(row.name or "", name)))
        and wanted <= {tag.name for tag in row.tags}
        and (source is None or source in _names(row.source))
        and (destination is None or destination in _names(row.destination))
        and (status is None or row.status == status)
    ]
    return sorted(found, key=lambda row: (row.name or "", row.connection_id))


def connection_by_name(client: AirbyteClient, *, workspace_id: str, name: str) -> WebBackendConnectionListItem:
    """
    Return the one connection of a workspace that has this name: the exact name, no pattern.

    :raises AirbyteConfigurationError: There is none, or there are several; says which there are.
    :raises AirbyteApiError: A request failed.
    """
    rows = _all_connections(client, workspace_id)
    found = [row for row in rows if row.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        lines = "; ".join(
            f"{row.connection_id}: {name_of(row.source)} -> {name_of(row.destination)}, {row.status}" for row in found
        )
        raise AirbyteConfigurationError(
            f"{len(found)} connections of workspace {workspace_id} are called {name!r}. Give the id of one: {lines}."
        )
    near = get_close_matches(name, sorted({row.name or "" for row in rows}), n=MAX_NAMES, cutoff=0.0)
    hint = f"The names nearest to it: {', '.join(map(repr, near))}." if near else "It has no connections at all."
    raise AirbyteConfigurationError(f"Workspace {workspace_id} has no connection that is called {name!r}. {hint}")


def name_of(end: SourceSnippetRead | DestinationSnippetRead | None) -> str:
    """Return the name of a connection's source or destination, for people."""
    return (end and end.name) or "?"


def _all_connections(client: AirbyteClient, workspace_id: str) -> list[WebBackendConnectionListItem]:
    """Return a workspace's connections without their catalogs, which may be megabytes."""
    try:
        listed = _pages(client, workspace_id)
    except (AirbyteNotFoundError, AirbytePermissionError) as error:
        if wrong := workspace_problem(client, workspace_id):
            raise wrong from error
        raise
    if not listed and (wrong := workspace_problem(client, workspace_id)):
        raise wrong
    return [row for row in listed if row.status != "deprecated"]


def workspace_problem(client: AirbyteClient, workspace_id: str) -> AirbyteConfigurationError | None:
    """Return the error that names the workspaces that there are; None where this one is there, or nobody says."""
    try:
        client.get_workspace(workspace_id=workspace_id)
        return None
    except (AirbyteNotFoundError, AirbytePermissionError):
        pass
    except AirbyteApiError:
        return None
    found = _workspaces(client)
    shown = ", ".join(f"{each.name!r} ({each.workspace_id})" for each in found[:MAX_NAMES])
    more = f", and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
    return AirbyteConfigurationError(
        f"{client.settings.base_url} has no workspace {workspace_id} that these credentials may see. "
        + (f"There are: {shown}{more}." if found else "Its id is part of the address of Airbyte's web app.")
    )


def _workspaces(client: AirbyteClient) -> list[WorkspaceRead]:
    """Return the workspaces, or a first page of them; none where the credentials may not list them."""
    instance = client.instance()
    organization = (instance and instance.default_organization_id) or DEFAULT_ORGANIZATION
    listings: tuple[Callable[[], WorkspaceReadList], ...] = (
        lambda: client.list_workspaces_in_organization(organization_id=organization, page_size=PAGE_SIZE),
        client.list_workspaces,
    )
    for read in listings:
        try:
            return read().workspaces
        except AirbyteApiError:
            continue
    return []


def _names(end: SourceSnippetRead | DestinationSnippetRead | None) -> set[str | None]:
    """Return the names by which a source or destination may be given."""
    if end is None:
        return set()
    return {getattr(end, "source_id", None) or getattr(end, "destination_id", None), end.name}


def _pages(client: AirbyteClient, workspace_id: str) -> list[WebBackendConnectionListItem]:
    """
    Return all rows of a list that Airbyte cuts into pages since 1.8.0, each row once.

    :raises AirbyteResponseError: There is always another page.
    """
    found: dict[str, WebBackendConnectionListItem] = {}
    requested: dict[str, Any] = {"page_size": PAGE_SIZE} if client.release().is_at_least(PAGES_SINCE) else {}
    for _ in range(MAX_PAGES):
        page = client.web_backend_list_connections_for_workspace(workspace_id=workspace_id, **requested)
        news = {row.connection_id: row for row in page.connections}
        size = page.page_size or requested.get("page_size")
        # A page without anything new: a server that does not know the cursor would respond with the first one for ever.
        is_last = not size or len(page.connections) + page.left_out.rows < size or news.keys() <= found.keys()
        found |= news
        if is_last:
            return list(found.values())
        requested["cursor"] = list(news)[-1]
    raise AirbyteResponseError(
        f"A list of Airbyte does not end: after {MAX_PAGES} pages with {len(found)} rows there is still another one. "
        "Check any proxy before Airbyte."
    )
