"""Our models against recorded answers, and against all that Airbyte's documents allow a server to answer."""

from __future__ import annotations

import json
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from airflow_airbyte_ext.api.operations import OPERATIONS
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.exceptions import AirbyteApiError
from airflow_airbyte_ext.jobs.report import report_of
from airflow_airbyte_ext.jobs.status import verdict

sys.path.insert(0, str(Path(__file__).parent))
from openapi import RELEASES, SPEC_DIR, load

ID = "11111111-1111-4111-8111-111111111111"
WORDS = {"uuid": ID, "date-time": "2026-01-01T00:00:00Z", "email": "user@example.com", "uri": "https://example.com"}
PAIRS = [
    (release, name)
    for name, operation in OPERATIONS.items()
    for release in RELEASES
    if not Release(release).is_before(operation.since)
]
# Read from the public API's twin of the operation, which the documents at hand do not have.
ELSEWHERE = {"AccessToken.expires_in"}


class Schemas:
    """A release's schemas, and answers made from them: `pick` decides what the document leaves open."""

    def __init__(self, release: str) -> None:
        load(release)
        self.raw = json.loads((SPEC_DIR / f"config-{release}.json").read_text())

    def answer_schema(self, operation_id: str) -> dict[str, Any] | None:
        for methods in self.raw["paths"].values():
            for operation in methods.values():
                if operation["operationId"] == operation_id:
                    return operation["responses"]["200"]["content"]["application/json"]["schema"]
        return None

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.raw["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return schema

    def make(self, schema: dict[str, Any], pick: Pick, depth: int = 0) -> Any:
        schema = self.resolve(schema)
        for one_of in ("oneOf", "anyOf"):
            if one_of in schema:
                return self.make(pick.one(schema[one_of]), pick, depth)
        if "allOf" in schema:
            return {k: v for part in schema["allOf"] for k, v in self.make(part, pick, depth).items()}
        if "enum" in schema:
            return pick.word(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind == "object":
            return self._object(schema, pick, depth)
        if kind == "array":
            return [self.make(schema["items"], pick, depth + 1) for _ in range(pick.length(depth))]
        if kind is None:
            return {"any": ["thing", None]}
        return pick.scalar(kind, schema.get("format"))

    def _object(self, schema: dict[str, Any], pick: Pick, depth: int) -> dict[str, Any]:
        made = dict(pick.unknown_fields())
        required = schema.get("required", [])
        for name, inner in schema.get("properties", {}).items():
            if name in required:
                made[name] = self.make(inner, pick, depth + 1)
            elif pick.has_optional(depth):
                made[name] = pick.null_or(lambda inner=inner: self.make(inner, pick, depth + 1))
        return made


class Pick:
    """The plain choices: required properties only, or everything."""

    def __init__(self, *, optional: bool, unknown: bool = False, nulls: bool = False) -> None:
        self._optional, self._unknown, self._nulls = optional, unknown, nulls

    def one(self, options: list[Any]) -> Any:
        return options[0]

    def word(self, words: list[str]) -> str:
        return "a_word_of_tomorrow" if self._unknown else words[0]

    def scalar(self, kind: str, form: str | None) -> Any:
        return {"string": WORDS.get(form or "", "text"), "integer": 2**53, "number": 1.5, "boolean": True}[kind]

    def length(self, depth: int) -> int:
        return 2 if self._optional and depth < 8 else 0

    def has_optional(self, depth: int) -> bool:
        return self._optional and depth < 8

    def null_or(self, make: Any) -> Any:
        return None if self._nulls else make()

    def unknown_fields(self) -> dict[str, Any]:
        return {"fieldOfTomorrow": {"deep": [1, None]}, "model_config": "x", "copy": 1} if self._unknown else {}


class Drawn(Pick):
    """Choices drawn by hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw

    def one(self, options: list[Any]) -> Any:
        return self._draw(st.sampled_from(options))

    def word(self, words: list[str]) -> str:
        return self._draw(st.sampled_from([*words, "a_word_of_tomorrow", ""]))

    def scalar(self, kind: str, form: str | None) -> Any:
        text = st.just(WORDS[form]) if form in WORDS else st.sampled_from(["", "text", "ünï\u2028cödé", "null", "0"])
        number = st.sampled_from([0, 1, -1, 2**31, 2**63 - 1])
        kinds = {"string": text, "integer": number, "number": st.sampled_from([0, 1.5]), "boolean": st.booleans()}
        return self._draw(kinds[kind])

    def length(self, depth: int) -> int:
        return self._draw(st.integers(0, 2)) if depth < 6 else 0

    def has_optional(self, depth: int) -> bool:
        return depth < 6 and self._draw(st.booleans())

    def null_or(self, make: Any) -> Any:
        return None if self._draw(st.integers(0, 4)) == 0 else make()

    def unknown_fields(self) -> dict[str, Any]:
        return {"fieldOfTomorrow": [1, {}]} if self._draw(st.integers(0, 4)) == 0 else {}


PLAIN = {
    "required only": Pick(optional=False),
    "everything": Pick(optional=True),
    "nulls spelt out": Pick(optional=True, nulls=True),
    "of tomorrow": Pick(optional=True, unknown=True),
    "of tomorrow, required only": Pick(optional=False, unknown=True),
}


def schema_of(release: str, operation_id: str) -> tuple[Schemas, dict[str, Any]]:
    schemas = Schemas(release)
    schema = schemas.answer_schema(operation_id)
    assert schema is not None
    return schemas, schema


@pytest.mark.parametrize("choice", PLAIN)
@pytest.mark.parametrize(("release", "operation_id"), PAIRS)
def test_every_documented_answer_can_be_read(release, operation_id, choice):
    """Required properties only, all of them, nulls as old servers write them, and what later releases may add."""
    schemas, schema = schema_of(release, operation_id)
    OPERATIONS[operation_id].answer.model_validate(schemas.make(schema, PLAIN[choice]))


@pytest.mark.parametrize("operation_id", OPERATIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_mixture_of_what_is_documented_can_be_read(operation_id, data):
    """Any release, any choice of optional properties, nulls, words and unknown fields."""
    releases = [release for release in RELEASES if operation_id in load(release).operations]
    schemas, schema = schema_of(data.draw(st.sampled_from(releases)), operation_id)
    read = OPERATIONS[operation_id].answer.model_validate(schemas.make(schema, Drawn(data)))
    if job := getattr(read, "job", None):
        verdict(job.status)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("choice", ["required only", "nulls spelt out", "of tomorrow, required only"])
def test_a_report_can_be_made_of_any_job(release, choice):
    """No optional property is taken for granted."""
    schemas, schema = schema_of(release, "getJobInfo")
    info = OPERATIONS["getJobInfo"].answer.model_validate(schemas.make(schema, PLAIN[choice]))
    info.job.created_at = info.job.updated_at = info.job.started_at = 1_700_000_000
    report_of(info.job, [entry.attempt for entry in info.attempts], adopted=False).as_dict()


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in models_in(inner)]


def undeclared(model: type[BaseModel], found: list[tuple[Schemas, dict[str, Any]]]) -> set[str]:
    """Fields of the model that none of these schemas declares, here or below."""
    properties: dict[str, list[tuple[Schemas, dict[str, Any]]]] = {}
    for schemas, schema in found:
        whole = schemas.resolve(schema)
        parts = [schemas.resolve(part) for key in ("oneOf", "anyOf", "allOf") for part in whole.get(key, [])] or [whole]
        for part in parts:
            for name, inner in part.get("properties", {}).items():
                inner = schemas.resolve(inner)
                properties.setdefault(name, []).append((schemas, inner.get("items", inner)))
    missing = set()
    for name, field in model.model_fields.items():
        wire = field.alias or name
        if wire not in properties:
            missing.add(f"{model.__name__}.{wire}")
            continue
        for inner in models_in(field.annotation):
            missing |= undeclared(inner, properties[wire])
    return missing


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_field_that_is_read_is_documented(operation_id):
    """With unknown fields allowed, a misspelt name would never be noticed: it would just be None for ever."""
    all_schemas = [Schemas(release) for release in RELEASES]
    found = [(schemas, schema) for schemas in all_schemas if (schema := schemas.answer_schema(operation_id))]
    assert undeclared(OPERATIONS[operation_id].answer, found) <= ELSEWHERE


RECORDED = {
    "connections_get_0.36.json": ("getConnection", lambda whole: whole["json"]),
    "connections_list_0.50.json": ("listConnectionsForWorkspace", lambda whole: whole["response"]["json"]),
    "jobs_get_0.36.json": ("getJobInfo", lambda whole: whole["json"]),
    "jobs_get_stats.json": ("getJobInfo", lambda whole: whole["json"]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answers_can_be_read(recorded, stub, connect_to, name):
    """Answers of real servers, from 0.36 on."""
    operation_id, pick = RECORDED[name]
    answer = pick(recorded(name))
    read = OPERATIONS[operation_id].answer.model_validate(answer)
    if operation_id == "getJobInfo":
        assert read.job.id == answer["job"]["id"]
        assert verdict(read.job.status).is_final is (answer["job"]["status"] == "succeeded")


def test_a_recorded_conversation_can_be_read(recorded):
    """A whole cassette of 0.39.18: all answers whose operation we know."""
    paths = {operation.path: operation for operation in OPERATIONS.values()}
    read = 0
    for exchange in recorded("octavia_0.39.18.json")["interactions"]:
        path = exchange["request"]["uri"].partition("/api")[2].rstrip("/")
        if path in paths and exchange["response"]["status"]["code"] == 200:
            paths[path].answer.model_validate(exchange["response"]["json"])
            read += 1
    assert read


def test_recorded_errors_keep_their_status_and_show_no_stack(recorded, stub, connect_to):
    """All three eras of error bodies: the status decides, and Java stays in the server's log."""
    for sample in recorded("errors.json")["samples"]:
        if not isinstance(sample["status"], int) or sample["status"] < 400:
            continue
        body = sample["body"]
        raw = json.dumps(body) if isinstance(body, dict) else str(body or "")
        kind = "text/html" if raw.startswith("<") else "application/json"
        stub._queues.clear()
        stub.answer("/v1/connections/get", raw.encode(), status=sample["status"], Content_Type=kind)
        stub.answer("/v1/instance_configuration", {"version": "2.0.0"})
        with pytest.raises(AirbyteApiError) as caught:
            connect_to(stub.url, attempts=1).get_connection(connection_id=ID)
        assert caught.value.http_status == sample["status"], sample["case"]
        message = str(caught.value)
        assert not any(trace in message for trace in ("\tat ", "exceptionStack", ".java", "<html")), sample["case"]
        if isinstance(body, dict) and body.get("errorId"):
            assert body["errorId"] in message
