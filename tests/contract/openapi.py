"""Airbyte's own OpenAPI documents as judges of requests and responses.

    document = load("2.0.0")
    document.validate_answer("getJobInfo", 200, body)
    document.validate_request("syncConnection", {"connectionId": ...})

The documents are read where they lie (AIRBYTE_SPEC_DIR, or `shared/airbyte-spec` beside the checkout); without them the
tests are skipped. A property that the document does not declare is an error, too: it is a typo of ours.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

RELEASES = ("0.39.0", "0.40.32", "0.50.31", "0.63.0", "1.0.0", "1.8.0", "2.0.0", "head")
SPEC_DIR = Path(os.environ.get("AIRBYTE_SPEC_DIR") or Path(__file__).resolve().parents[3] / "shared" / "airbyte-spec")


class DocumentError(AssertionError):
    """A request or a response is not what Airbyte's document says."""


@dataclass(frozen=True)
class DocumentedOperation:
    """One operation of a document; `path` starts with "/v1/"."""

    operation_id: str
    method: str
    path: str
    request: dict[str, Any] | None
    responses: dict[str, dict[str, Any] | None]


class Document:
    """One release's OpenAPI document."""

    def __init__(self, release: str, raw: dict[str, Any]) -> None:
        self.release = release
        self._validators: dict[str, Draft202012Validator] = {}
        self._responses = raw["components"].get("responses", {})
        schemas = _mended(raw["components"]["schemas"])
        self._components = {"schemas": {name: _strict(schema) for name, schema in schemas.items()}}
        self.operations = {
            operation["operationId"]: self._operation(method, path, operation)
            for path, methods in raw["paths"].items()
            for method, operation in methods.items()
        }

    def _operation(self, method: str, path: str, raw: dict[str, Any]) -> DocumentedOperation:
        responses = {status: self._response_schema(response) for status, response in raw["responses"].items()}
        request = _json_schema(raw["requestBody"]) if "requestBody" in raw else None
        return DocumentedOperation(raw["operationId"], method.upper(), path, request, responses)

    def _response_schema(self, response: dict[str, Any]) -> dict[str, Any] | None:
        if "$ref" in response:
            response = self._responses[response["$ref"].rsplit("/", 1)[-1]]
        return _json_schema(response)

    def validate_response(self, operation_id: str, status: int, body: Any) -> None:
        """Raise `DocumentError` unless the operation may respond this."""
        responses = self.operations[operation_id].responses
        if str(status) not in responses:
            raise DocumentError(f"{operation_id} may not respond {status} in {self.release}")
        schema = responses[str(status)]
        if schema is not None:
            self._judge(f"the response {status} of {operation_id}", schema, body)

    def validate_request(self, operation_id: str, body: Any) -> None:
        """Raise `DocumentError` unless the operation may be asked this."""
        schema = self.operations[operation_id].request
        if schema is None:
            raise DocumentError(f"{operation_id} takes no body in {self.release}")
        self._judge(f"the request of {operation_id}", schema, body)

    def validate(self, schema_name: str, value: Any) -> None:
        """Raise `DocumentError` unless the value is one of this schema."""
        self._judge(schema_name, {"$ref": f"#/components/schemas/{schema_name}"}, value)

    def _judge(self, what: str, schema: dict[str, Any], value: Any) -> None:
        validator = self._validators.get(what)
        if validator is None:
            whole = {**_strict(schema), "components": self._components}
            validator = Draft202012Validator(whole, format_checker=FormatChecker())
            self._validators[what] = validator
        problems = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
        if problems:
            raise DocumentError(f"{what} is not what {self.release} documents:\n" + "\n".join(problems))


@cache
def _read(release: str) -> Document:
    return Document(release, json.loads((SPEC_DIR / f"config-{release}.json").read_text()))


def load(release: str) -> Document:
    """The document of a release; skips the test where the documents are not at hand."""
    if not SPEC_DIR.is_dir():
        pytest.skip("Airbyte's OpenAPI documents are not here: set AIRBYTE_SPEC_DIR to their folder")
    return _read(release)


def without_nulls(value: Any) -> Any:
    """The value without null properties: servers before 0.39.9 spell them out, and no document declares them."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _json_schema(holder: dict[str, Any]) -> dict[str, Any] | None:
    content = holder.get("content", {}).get("application/json")
    return content["schema"] if content else None


def _mended(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas without the places where the documents are known to be wrong about the server."""
    mended = json.loads(json.dumps(schemas))
    # Required is "json_schema", declared (and sent) is "jsonSchema": nothing could ever be valid.
    mended["AirbyteStream"]["required"] = ["name", "jsonSchema"]
    # A state blob is any JSON for the server (a JsonNode), not only an object.
    mended["StateBlob"] = {}
    # The community edition has no licence; the property was nullable in 1.0.0 and lost that mark beside a $ref.
    instance = mended.get("InstanceConfigurationResponse", {"required": []})
    instance["required"] = [name for name in instance["required"] if name != "licenseStatus"]
    return mended


def _strict(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema, with nullable spelt out and undeclared properties refused."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    nullable = schema.get("nullable") is True
    strict = {
        name: {key: _strict(each) for key, each in value.items()} if name == "properties" else _strict(value)
        for name, value in schema.items()
        if name not in ("nullable", "example", "default", "description") and not name.startswith("x-")
    }
    if "properties" in strict and "additionalProperties" not in strict:
        strict["additionalProperties"] = False
    return {"anyOf": [strict, {"type": "null"}]} if nullable else strict
