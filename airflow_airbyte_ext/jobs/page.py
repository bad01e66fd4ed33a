"""Where a person looks at a job: its page in Airbyte's web app."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteOperationMissingError

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.client import AirbyteClient

TIMELINE_SINCE = "1.1.0"
_PAGE = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~%/-]*)?")


def job_page(client: AirbyteClient, *, connection_id: str, job_id: int, workspace_id: str | None = None) -> str | None:
    """
    Return the address of the job's page, which shows it while it runs; None where Airbyte does not tell enough.

    :param workspace_id: The connection's workspace; asked for when not given.

    Since 1.1 the page is the connection's timeline; the form before is understood by every web app since 0.44.
    """
    try:
        workspace = workspace_id or workspace_of(client, connection_id)
        base = f"{_web_app(client)}/workspaces/{quote(str(workspace), safe='')}/connections/{connection_id}"
        release = client.release()
    except AirbyteApiError:
        return None
    if release.is_at_least(TIMELINE_SINCE):
        return f"{base}/timeline?jobId={job_id}&openLogs=true"
    return f"{base}/job-history#{job_id}::"


def workspace_of(client: AirbyteClient, connection_id: str) -> str | None:
    """
    Return the id of a connection's workspace.

    :raises AirbyteApiError: Airbyte could not be asked.
    """
    try:
        return client.get_workspace_by_connection_id(connection_id=connection_id).workspace_id
    except AirbyteOperationMissingError:
        source_id = client.get_connection(connection_id=connection_id).source_id
        return client.get_source(source_id=source_id or "").workspace_id


def _web_app(client: AirbyteClient) -> str:
    """Return the web app's address: as the instance says it, else the API's without /api."""
    instance = client.instance()
    told = instance and (instance.airbyte_url or instance.webapp_url)
    own = client.settings.base_url.removesuffix("/api")
    # It becomes a link in Airflow, so that nothing but the address of a page may stand there.
    return (told if told and _PAGE.fullmatch(told) else own).rstrip("/")
