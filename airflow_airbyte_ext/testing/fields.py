"""The fields and words of responses that only some releases have.

Each is Airbyte's own name: "Schema.field", or "Enum.word". They are typed from Airbyte's OpenAPI documents, one for
each release. What requests may hold is in `request_fields.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One field of a response, or one word of an enum: `since` is the first release with it, `until` the first without.

    `evidence` says how that is known: [SPEC] is Airbyte's own document of each release.
    """

    name: str
    since: str = ""
    until: str = ""
    evidence: str = "[SPEC]"


FIELDS = (
    Field("ConnectionStatus.locked", "2.1.0", evidence="[SPEC 37d38e81fb]"),
    Field("JobStatus.queued", "2.1.0", evidence="[SPEC; CODE V2_1_0_002]"),
    Field("JobConfigType.refresh", "0.57.2"),
    Field("JobConfigType.clear", "0.59.1"),
    Field("NonBreakingChangesPreference.propagate_columns", "0.44.6"),
    Field("ConnectionRead.scheduleType", "0.40.1"),
    Field("ConnectionRead.breakingChange", "0.40.17"),
    Field("ConnectionRead.created_at", "0.50.46"),
    Field("ConnectionRead.statusReason", "2.1.0", evidence="[SPEC 37d38e81fb]"),
    Field("WorkspaceRead.organizationId", "0.50.18"),
    Field("WorkspaceRead.tombstone", "0.53.1"),
    Field("SourceRead.createdAt", "1.2.0"),
    Field("InstanceConfigurationResponse.defaultUserId", "0.50.24"),
    Field("InstanceConfigurationResponse.webappUrl", "0.50.9", "0.57.4"),
    Field("InstanceConfigurationResponse.trackingStrategy", "0.50.46"),
    Field("InstanceConfigurationResponse.version", "0.57.4"),
    Field("InstanceConfigurationResponse.defaultOrganizationEmail", "0.63.12"),
    Field("InstanceConfigurationResponse.licenseStatus", "0.64.4"),
    Field("AuthConfiguration.mode", "0.60.0"),
    Field("ConnectionStatusRead.lastSyncJobId", "0.50.39"),
    Field("ConnectionStatusRead.connectionSyncStatus", "1.2.0"),
    Field("JobRead.resetConfig", "0.39.24"),
    Field("JobRead.enabledStreams", "0.42.1"),
    Field("JobRead.refreshConfig", "0.62.2"),
    Field("JobReadList.totalJobCount", "0.40.6"),
    Field("JobDebugInfoRead.workflowState", "0.40.19"),
    Field("FailureReason.internalMessage", "0.39.4"),
    Field("AttemptStats.bytesCommitted", "0.42.1"),
    Field("AttemptStats.recordsRejected", "1.8.0"),
    Field("AttemptStreamStats.streamNamespace", "0.40.27"),
    Field("DestinationDefinitionRead.supportsDbt", "0.40.28", "0.63.5"),
    Field("SourceDiscoverSchemaRead.catalogId", "0.36.3"),
    Field("SourceDiscoverSchemaRead.connectionStatus", "0.40.23"),
    Field("SynchronousJobRead.connectorConfigurationUpdated", "0.40.29"),
    Field("SynchronousJobRead.failureReason", "0.42.0"),
    Field("ConnectionSyncProgressRead.configType", "0.63.1"),
    Field("WebBackendConnectionRead.catalogId", "0.36.9"),
    Field("WebBackendConnectionRead.catalogDiff", "0.39.25", evidence="[SPEC; another shape before]"),
    Field("WebBackendConnectionRead.schemaChange", "0.40.17"),
    Field("WebBackendConnectionRead.createdAt", "0.50.46"),
    Field("WebBackendConnectionRead.sourceActorDefinitionVersion", "0.63.2"),
    Field("WebBackendConnectionListItem.schemaChange", "0.40.18"),
    Field("WebBackendConnectionListItem.tags", "1.4.0"),
    Field("WebBackendConnectionListItem.onDemandEnabled", "2.1.0", evidence="[SPEC b3bd59d23b]"),
    Field("ActorDefinitionVersionRead.supportsRefreshes", "0.62.1", evidence="[SPEC f2cf9e46ab]"),
    Field("ActorDefinitionVersionRead.supportState", "0.50.16"),
    Field("ActorDefinitionVersionRead.isOverrideApplied", "0.50.24", "0.50.54"),
    Field("ActorDefinitionVersionRead.isVersionOverrideApplied", "0.50.54"),
    Field("ActorDefinitionVersionRead.supportsDbt", "0.50.25", "0.63.5"),
    Field("ActorDefinitionVersionRead.supportsFileTransfer", "1.2.0"),
    Field("ActorDefinitionVersionRead.supportsDataActivation", "1.7.0"),
)
FIELD_BY_NAME = {field.name: field for field in FIELDS}
