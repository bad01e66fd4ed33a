"""Our models against all that Airbyte's documents allow a server to respond."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.models import catalog, connections, jobs, web_backend
from airflow_airbyte_ext.jobs.report import report_of
from airflow_airbyte_ext.jobs.status import JobStatus

sys.path.insert(0, str(Path(__file__).parent))
from openapi import RELEASES, load
from request_samples import NOT_IN_THE_DOCUMENTS, documented
from schema_samples import PLAIN, Drawn, Found, Schemas, differences, models_in, reached, schemas_of

# What we read and no document at hand declares.
ELSEWHERE = {
    "AccessToken.expires_in": "told by the public API's twin of the operation",
    "WebBackendConnectionRead.breakingChange": "inherited; `schemaChange` tells it there",
    "WebBackendConnectionRead.workspaceId": "inherited; `source.workspaceId` tells it there",
}
# Models that no document at hand can judge.
UNJUDGED = {"SourceReadList", "DestinationReadList", "OperationReadList", "WebappConfigResponse"}

MODELLED: list[type[BaseModel]] = [
    connections.ConnectionRead,
    connections.ConnectionSchedule,
    connections.ConnectionScheduleData,
    connections.ResourceRequirements,
    connections.Tag,
    catalog.AirbyteCatalog,
    catalog.AirbyteStreamAndConfiguration,
    catalog.AirbyteStream,
    catalog.AirbyteStreamConfiguration,
    catalog.SelectedFieldInfo,
    catalog.ConfiguredStreamMapper,
    catalog.CatalogDiff,
    catalog.StreamTransform,
    catalog.FieldTransform,
    jobs.JobRead,
    jobs.JobAggregatedStats,
    jobs.StreamStats,
    jobs.ResetConfig,
    jobs.JobRefreshConfig,
    jobs.AttemptRead,
    jobs.AttemptStats,
    jobs.AttemptStreamStats,
    jobs.AttemptFailureSummary,
    jobs.FailureReason,
    jobs.StreamDescriptor,
    connections.OperationRead,
    connections.OperatorConfiguration,
    web_backend.WebBackendConnectionRead,
    web_backend.WebBackendConnectionListItem,
]
# What Airbyte tells and these models do not name, although most of them keep it.
NOT_MODELLED = {
    "AttemptStats.additionalStats": "a connector's own figures",
    "AttemptStats.estimatedBytes": "an estimate",
    "AttemptStats.estimatedRecords": "an estimate",
    "AttemptStats.recordsRejected": "the job's own figure of it is read",
    "AttemptStats.stateMessagesEmitted": "how a connector worked, not what it moved",
    "AttemptStreamStats.additionalStats": "a connector's own figures",
    "FailureReason.fromTraceMessage": "how Airbyte heard of it",
    "FailureReason.stacktrace": "never to be shown",
    "StreamStats.wasBackfilled": "how a stream was moved, not what of it",
    "StreamStats.wasResumed": "how a stream was moved, not what of it",
    "WebBackendConnectionListItem.sourceActorDefinitionVersion": "dozens of lines for each item of a list",
    "WebBackendConnectionListItem.destinationActorDefinitionVersion": "dozens of lines for each item of a list",
}


def response_of(release: str, operation_id: str) -> tuple[Schemas, dict[str, Any] | None]:
    schemas = schemas_of(release)
    return schemas, schemas.response_schema(operation_id)


def read(operation_id: str, response: Any) -> Any:
    return TypeAdapter(OPERATIONS[operation_id].response).validate_python(response)


@pytest.mark.parametrize("choice", PLAIN)
@pytest.mark.parametrize(("release", "operation_id"), documented())
def test_every_documented_answer_can_be_read(release, operation_id, choice):
    """Required properties only, all of them, nulls as old servers write them, and what later releases may add."""
    schemas, schema = response_of(release, operation_id)
    if schema is None:
        assert read(operation_id, None) is None
        return
    response = schemas.make(schema, PLAIN[choice])
    assert read(operation_id, response) is not None
    read(operation_id, emptied(response))


def emptied(response: Any) -> Any:
    """The response with `{}` for each empty list, as some servers write it."""
    if isinstance(response, dict):
        return {name: {} if item == [] else emptied(item) for name, item in response.items()}
    return [emptied(item) for item in response] if isinstance(response, list) else response


@pytest.mark.parametrize("operation_id", [name for name in OPERATIONS if name not in NOT_IN_THE_DOCUMENTS])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_mixture_of_what_is_documented_can_be_read(operation_id, data):
    """Any release, any choice of optional properties, nulls, words and unknown fields."""
    releases = [release for release in RELEASES if schemas_of(release).has(operation_id)]
    schemas, schema = response_of(data.draw(st.sampled_from(releases)), operation_id)
    response = schemas.make(schema, Drawn(data)) if schema else None
    found = read(operation_id, response)
    if job := getattr(found, "job", None):
        JobStatus.of(job.status)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("choice", ["required only", "nulls spelt out", "of tomorrow, required only"])
def test_a_report_can_be_made_of_any_job(release, choice):
    """No optional property is taken for granted."""
    schemas, schema = response_of(release, "getJobInfo")
    info = read("getJobInfo", schemas.make(schema, PLAIN[choice]))
    info.job.created_at = info.job.updated_at = info.job.started_at = 1_700_000_000
    report_of(info.job, [entry.attempt for entry in info.attempts], attached=False).as_dict()


def test_every_field_that_is_read_is_documented():
    """With unknown fields allowed, a misspelt name would never be noticed: it would just be None for ever."""
    load(RELEASES[0])
    everything: dict[tuple[type[BaseModel], str], Found] = {}
    for operation in OPERATIONS.values():
        releases = [release for release in RELEASES if schemas_of(release).has(operation.operation_id)]
        responses = [response_of(release, operation.operation_id) for release in releases]
        for model in models_in(operation.response):
            for each, schemas in reached(model, [(all_, schema) for all_, schema in responses if schema]).items():
                everything.setdefault(each, []).extend(schemas)
    judged = {key: schemas for key, schemas in everything.items() if schemas}
    assert {model.__name__ for model, _ in everything} - {model.__name__ for model, _ in judged} == UNJUDGED
    gaps = {gap for (model, _), schemas in judged.items() for gap in differences(model, schemas)}
    assert {field for gap, field in gaps if gap == "not documented"} == set(ELSEWHERE)


@pytest.mark.parametrize("model", MODELLED, ids=lambda model: model.__name__)
def test_every_documented_property_of_what_users_read_is_modelled(model):
    """Or it is named here, with the reason why not."""
    found = [
        (schemas_of(release), {"$ref": f"#/components/schemas/{model.__name__}"})
        for release in RELEASES
        if model.__name__ in schemas_of(release).raw["components"]["schemas"]
    ]
    assert found
    gaps = {field for gap, field in differences(model, found) if gap == "not ours"}
    assert gaps == {field for field in NOT_MODELLED if field.startswith(f"{model.__name__}.")}
