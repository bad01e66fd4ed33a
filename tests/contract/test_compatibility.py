"""The table of operations and the marks of their fields, held against Airbyte's documents, in both directions."""

from __future__ import annotations

import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import get_type_hints, is_typeddict

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.validation import released_fields

sys.path.insert(0, str(Path(__file__).parent))
from openapi import RELEASES, load
from request_samples import (
    MUST_BE_GIVEN,
    NOT_IN_THE_DOCUMENTS,
    declared_fields,
    fields_of,
    is_model,
    required_fields,
    unwrapped,
)
from schema_samples import Schemas, differences, reached, schemas_of

# Fields that a document declares and the client does not send, on purpose.
LEFT_OUT = {
    "listJobsFor.status": "one status alone, 0.50.8 to 0.50.45: `statuses` took its place",
    "listJobsForWorkspaces.status": "one status alone, 0.50.8 to 0.50.45: `statuses` took its place",
    "listJobsForWorkspaces.configId": "servers pass over it",
    "listJobsFor.createdAtEnd": "acts as a start before 0.50.35",
    "listJobsFor.updatedAtEnd": "acts as a start before 0.50.35",
    "listJobsForWorkspaces.createdAtEnd": "acts as a start before 0.50.35",
    "listJobsForWorkspaces.updatedAtEnd": "acts as a start before 0.50.35",
    "webBackendUpdateConnection.withRefreshedCatalog": "until 0.40.1: resets the whole connection and syncs it",
    "webBackendUpdateConnection.operationIds": "until 0.40.7: servers pass over it and read `operations`",
    "updateConnection.schedule": "refused or passed over since 0.40.8",
    "updateConnectionWithReason.connectionUpdate.schedule": "refused or passed over",
    "webBackendUpdateConnection.schedule": "refused or passed over since 0.40.8",
    "webBackendGetConnection.withRefreshedCatalog": "`web_backend_discover_connection` sends it",
    "discoverSchemaForSource.priority": "how Airbyte's own workers queue",
    "discoverSchemaForSource.notifySchemaChange": "0.50 to 1.x: the connection's own setting decides",
    "getWorkspace.includeTombstone": "deleted workspaces have nothing to move",
    "listConnectionsForWorkspace.includeTombstone": "`list_all_connections_for_workspace` shows deleted connections",
    "listAllConnectionsForWorkspace.includeTombstone": "shows deleted connections anyway",
}
# Words that a document allows and the client does not send.
WORDS_LEFT_OUT = {"locked": "a status that only Airbyte itself sets"}
# What our models of requests hold beyond the documents.
BEYOND = {
    # The model serves updates, too; who creates leaves it out.
    "webBackendCreateConnection.operations: OperationWrite.operationId",
}


def every_request() -> list[tuple[str, Schemas, dict[str, Any]]]:
    return [
        (name, schemas_of(release), schema)
        for release in RELEASES
        for name, operation in OPERATIONS.items()
        if operation.request and schemas_of(release).has(name)
        if (schema := schemas_of(release).request_schema(name))
    ]


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_each_operation_is_in_the_documents_of_its_releases(operation_id):
    """`since`, `removed_in`, path and method agree with every document at hand, but for what was trimmed away."""
    operation = OPERATIONS[operation_id]
    for release in RELEASES:
        document = load(release)
        is_expected = Release(release).is_at_least(operation.since) and not (
            operation.removed_in and Release(release).is_at_least(operation.removed_in)
        )
        if operation_id in NOT_IN_THE_DOCUMENTS:
            is_expected = False
        assert (operation_id in document.operations) is is_expected, f"{operation_id} in {release}"
        if is_expected:
            documented = document.operations[operation_id]
            assert (documented.method, documented.path) == (operation.method, operation.path)


def gaps(path: str, request: type, schemas: Schemas, schema: dict[str, Any]) -> typing.Iterator[tuple[str, str]]:
    """What one of the two declares and the other does not, here and below."""
    properties = schemas.properties(schema)
    declared = declared_fields(request, schemas.release)
    ours = dict(declared.values())
    yield from (("not ours", f"{path}.{wire}") for wire in properties.keys() - ours)
    yield from (("not documented", f"{path}.{wire}") for wire in ours.keys() - properties)
    required = {name for part in schemas.parts(schema) for name in part.get("required", [])}
    by_name = {wire: name for name, (wire, _) in declared.items()}
    must = {by_name[wire] for wire in required if wire in by_name} - required_fields(request)
    yield from (("not required", f"{path}.{name}") for name in must)
    for wire, kind in ours.items():
        if wire in properties and is_typeddict(kind):
            yield from gaps(f"{path}.{wire}", kind, schemas, properties[wire])


def all_gaps(kind: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, schemas, schema in every_request():
        for gap, path in gaps(name, OPERATIONS[name].request, schemas, schema):
            if gap == kind:
                found.setdefault(path, set()).add(schemas.release)
    return found


def test_every_field_is_documented_where_it_is_sent():
    """A mark that is off by a release, or a misspelt field, would be refused by strict servers."""
    load(RELEASES[0])
    assert all_gaps("not documented") == {}


def test_every_documented_field_can_be_given():
    """Nothing is missing by accident, and no excuse is a leftover."""
    load(RELEASES[0])
    assert set(all_gaps("not ours")) == set(LEFT_OUT)


def test_every_field_that_a_document_requires_must_be_given():
    """By the `TypedDict`, by the method, or by reading the whole connection first."""
    load(RELEASES[0])
    read_first = {
        f"{name}.{field}"
        for name in ("updateConnection", "webBackendUpdateConnection")
        for field in ("status", "sync_catalog")
    }
    left_to_the_caller = {f"{name}.{field}" for name, field in MUST_BE_GIVEN}
    assert set(all_gaps("not required")) <= read_first | left_to_the_caller


@pytest.mark.parametrize(("operation_id", "field"), [pair for pair, first in MUST_BE_GIVEN.items() if first])
def test_what_older_releases_require_is_not_required_later(operation_id, field):
    load(RELEASES[0])
    first = MUST_BE_GIVEN[operation_id, field]
    releases = all_gaps("not required")[f"{operation_id}.{field}"]
    assert all(Release(release).is_before(first) for release in releases)


def words_of(request: type, path: str) -> typing.Iterator[tuple[str, set[str]]]:
    """The words that each field of a request allows."""
    for name, hint in get_type_hints(request, include_extras=True).items():
        kind, _ = unwrapped(hint)
        wire = fields_of(request)[name][0]
        if is_typeddict(kind):
            yield from words_of(kind, f"{path}.{wire}")
        elif typing.get_origin(kind) is typing.Literal:
            yield f"{path}.{wire}", set(typing.get_args(kind))


def test_every_documented_word_can_be_given_and_every_word_is_documented():
    """An enumeration of ours that lacks one of Airbyte's words refuses a right request."""
    documented: dict[str, set[str]] = {}
    for name, schemas, schema in every_request():
        for path, _ in words_of(OPERATIONS[name].request, name):
            found = schema
            for wire in path.split(".")[1:]:
                found = schemas.properties(found).get(wire, {})
            (part,) = schemas.parts(found)
            if "enum" in part:
                documented.setdefault(path, set()).update(part["enum"])
    ours = {
        path: words
        for name, operation in OPERATIONS.items()
        if operation.request and name not in NOT_IN_THE_DOCUMENTS
        for path, words in words_of(operation.request, name)
    }
    # The one document with this operation is older than this field of it.
    del ours["webBackendSearchConnections.scheduleType"]
    assert ours == {path: words - set(WORDS_LEFT_OUT) for path, words in documented.items()}
    assert set().union(*documented.values()) >= set(WORDS_LEFT_OUT)


def models_below(request: type, path: str) -> typing.Iterator[tuple[str, Any]]:
    for wire, kind in fields_of(request).values():
        if is_typeddict(kind):
            yield from models_below(kind, f"{path}.{wire}")
        elif is_model(kind):
            yield f"{path}.{wire}", kind


def test_the_objects_within_requests_are_as_documented():
    """Catalogs, schedules, requirements, tags, operations: what a server wrote comes back under the same names."""
    found: dict[tuple[str, Any], list[tuple[Schemas, dict[str, Any]]]] = {}
    for name, schemas, schema in every_request():
        for path, model in models_below(OPERATIONS[name].request, name):
            inner = schema
            for wire in path.split(".")[1:]:
                inner = schemas.properties(inner).get(wire, {})
            if inner:
                found.setdefault((path, model), []).append((schemas, inner))
    gaps = {
        (gap, f"{path}: {field}")
        for (path, whole), schemas in found.items()
        for (model, _), inner in reached(whole, schemas).items()
        for gap, field in differences(model, inner)
    }
    assert gaps == {("not documented", path) for path in BEYOND}


def test_a_mark_is_for_a_release_in_which_the_operation_is():
    """A mark earlier than its operation, or later than its end, could never matter."""
    for name, operation in OPERATIONS.items():
        for field, mark in (released_fields(operation.request) if operation.request else {}).items():
            if operation.removed_in:
                assert Release(mark.since).is_before(operation.removed_in), f"{name}.{field}"
            if mark.removed_in:
                assert Release(operation.since).is_before(mark.removed_in), f"{name}.{field}"
