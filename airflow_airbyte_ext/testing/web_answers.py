"""The answers of web_backend: connections together with what the web app shows beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.catalogs import merged
from airflow_airbyte_ext.testing.job_answers import without_nulls

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.answers import Answers
    from airflow_airbyte_ext.testing.jobs import Job
    from airflow_airbyte_ext.testing.model import Actor, Connection
    from airflow_airbyte_ext.testing.world import World

Json = dict[str, Any]


class WebAnswers:
    """Turns connections into answers of web_backend."""

    def __init__(self, world: World, answers: Answers) -> None:
        self._world = world
        self._era = world.era
        self._answers = answers

    def connection(
        self, connection: Connection, discovered: list[Json] | None = None, changes: list[Json] | None = None
    ) -> Json:
        """WebBackendConnectionRead; `discovered` is what the source was just asked for, and `changes` what is new."""
        era, entries = self._era, connection.catalog
        raw = self._world.raw_catalog(connection)
        shown = raw if discovered is None else discovered
        if shown is not None:
            entries = merged(era, connection.catalog, raw or [each["stream"] for each in connection.catalog], shown)
        settings = self._answers.settings(connection)
        settings["catalogId"] = settings.pop("sourceCatalogId", None)
        if discovered is not None and era.declares("WebBackendConnectionRead.catalogId"):
            settings["catalogId"] = self._world.catalog_id(connection.source.id)
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "sourceId": connection.source.id,
            "destinationId": connection.destination.id,
            "syncCatalog": self._answers.catalog(entries),
            "status": connection.status,
            "source": self._answers.actor(connection.source),
            "destination": self._answers.actor(connection.destination),
            "operations": [self._world.operation(each) for each in connection.operation_ids],
        }
        fields |= settings | self._answers.schedule(connection) | self._syncing(connection)
        fields |= self._changes(connection, changes) | self._versions(connection)
        if era.declares("WebBackendConnectionRead.createdAt"):
            fields["createdAt"] = int(connection.created_at)
        return without_nulls(era, fields | self._answers.status_reason(connection))

    def listed(self, connection: Connection) -> Json:
        """An item of web_backend/connections/list: a whole connection where the release has no items."""
        era = self._era
        if not era.has("lists_have_items"):
            return self.connection(connection)
        fields: Json = {
            "connectionId": connection.connection_id,
            "name": connection.name,
            "scheduleType": connection.schedule_type,
            "scheduleData": connection.schedule_data,
            "status": connection.status,
            "source": _snippet(connection.source),
            "destination": _snippet(connection.destination),
        }
        fields |= self._syncing(connection, listed=True) | self._versions(connection)
        if era.declares("WebBackendConnectionListItem.schemaChange"):
            fields |= self._schema_change(connection)
        if era.declares("WebBackendConnectionListItem.tags"):
            fields["tags"] = connection.tags
        if era.declares("WebBackendConnectionListItem.onDemandEnabled"):
            fields["onDemandEnabled"] = connection.more.get("onDemandEnabled", False)
        return without_nulls(era, fields)

    def latest_sync(self, connection: Connection, kinds: tuple[str, ...] = ("sync", "refresh")) -> Job | None:
        """The last job that moved data."""
        jobs = [job for job in self._world.jobs(connection.connection_id) if job.kind in kinds]
        return jobs[-1] if jobs else None

    def latest_listed(self, connection: Connection) -> Job | None:
        """The job that a list of connections tells of."""
        kinds = ("sync",) if self._era.has("listed_jobs_are_syncs") else ("sync", "refresh")
        return self.latest_sync(connection, kinds)

    def _syncing(self, connection: Connection, listed: bool = False) -> Json:
        latest = self.latest_listed(connection) if listed else self.latest_sync(connection)
        if listed and self._era.has("listed_jobs_are_syncs"):
            is_syncing = latest is not None and latest.status == "running"
        else:
            is_syncing = latest is not None and not latest.terminal
        return {
            "latestSyncJobCreatedAt": latest and int(latest.created_at),
            "latestSyncJobStatus": latest and latest.status,
            "isSyncing": is_syncing,
        }

    def _changes(self, connection: Connection, changes: list[Json] | None) -> Json:
        era = self._era
        fields = self._schema_change(connection) if era.declares("WebBackendConnectionRead.schemaChange") else {}
        if changes is not None and era.declares("WebBackendConnectionRead.catalogDiff"):
            fields["catalogDiff"] = {"transforms": changes}
        return fields

    def _schema_change(self, connection: Connection) -> Json:
        """What is known of changes: of the last discovery, not of what the source has now."""
        if connection.breaking_change:
            return {"schemaChange": "breaking"}
        newest, _ = self._world.cached_catalogs.get(connection.source.id, (connection.catalog_id, []))
        return {"schemaChange": "no_change" if newest == connection.catalog_id else "non_breaking"}

    def _versions(self, connection: Connection) -> Json:
        if not self._era.declares("WebBackendConnectionRead.sourceActorDefinitionVersion"):
            return {}
        return {
            f"{actor.kind}ActorDefinitionVersion": self._answers.definition_version(actor)
            for actor in (connection.source, connection.destination)
        }


def _snippet(actor: Actor) -> Json:
    """SourceSnippetRead or DestinationSnippetRead."""
    return {
        f"{actor.kind}Id": actor.id,
        "name": actor.name,
        f"{actor.kind}DefinitionId": actor.definition_id,
        f"{actor.kind}Name": actor.connector,
    }
