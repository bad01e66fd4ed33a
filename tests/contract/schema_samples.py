"""Requests and responses made of what Airbyte's documents allow: the least, the most, and any mixture."""

from __future__ import annotations

import json
import typing
from functools import cache
from typing import Any

from hypothesis import strategies as st
from openapi import SPEC_DIR, load
from pydantic import BaseModel

ID = "11111111-1111-4111-8111-111111111111"
# A job's connection, which the documents call a string.
CONFIG_ID = {"type": "string", "format": "uuid"}
WORDS = {"uuid": ID, "date-time": "2026-01-01T00:00:00Z", "email": "user@example.com", "uri": "https://example.com"}


class Schemas:
    """A release's schemas, and responses made from them: `pick` decides what the document leaves open."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.raw = json.loads((SPEC_DIR / f"config-{release}.json").read_text())
        self._operations = {
            operation["operationId"]: operation
            for methods in self.raw["paths"].values()
            for operation in methods.values()
        }

    def has(self, operation_id: str) -> bool:
        return operation_id in self._operations

    def request_schema(self, operation_id: str) -> dict[str, Any] | None:
        """What the operation takes; None where it takes nothing."""
        body = self._operations[operation_id].get("requestBody")
        return body["content"]["application/json"]["schema"] if body else None

    def response_schema(self, operation_id: str) -> dict[str, Any] | None:
        """What the operation responses; None where it returns nothing."""
        (response,) = (
            response for status, response in self._operations[operation_id]["responses"].items() if status < "3"
        )
        content = response.get("content", {}).get("application/json")
        return content["schema"] if content else None

    def parts(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The objects that a schema stands for: itself, those that it chooses from, or those in its list."""
        whole = self.resolve(schema)
        inner = [part for key in ("oneOf", "anyOf", "allOf") for part in whole.get(key, [])]
        inner += [whole["items"]] if "items" in whole else []
        return [each for part in inner for each in self.parts(part)] if inner else [whole]

    def properties(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All that an object, or each of a list, may hold."""
        return {name: inner for part in self.parts(schema) for name, inner in self.properties_of(part).items()}

    def properties_of(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What an object may hold, in which a job's connection is the one that all ids are of."""
        properties = schema.get("properties", {})
        return {**properties, **({"configId": CONFIG_ID} if "configId" in properties else {})}

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
        for name, inner in self.properties_of(schema).items():
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


Found = list[tuple[Schemas, dict[str, Any]]]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in models_in(inner)]


def reached(model: type[BaseModel], found: Found, where: str = "") -> dict[tuple[type[BaseModel], str], Found]:
    """The model and all models below it, by the field that holds each, with the schemas that it is read from there."""
    everything: dict[tuple[type[BaseModel], str], Found] = {(model, where): list(found)}
    inner = properties_of(found)
    for name, field in model.model_fields.items():
        wire = field.alias or name
        for below in models_in(field.annotation):
            for each, schemas in reached(below, inner.get(wire, []), f"{model.__name__}.{wire}").items():
                everything.setdefault(each, []).extend(schemas)
    return everything


def properties_of(found: Found) -> dict[str, Found]:
    properties: dict[str, Found] = {}
    for schemas, schema in found:
        for wire, inner in schemas.properties(schema).items():
            properties.setdefault(wire, []).append((schemas, inner))
    return properties


def differences(model: type[BaseModel], found: Found) -> set[tuple[str, str]]:
    """The fields that only the model has ("not documented"), or only one of these schemas ("not ours")."""
    documented = set(properties_of(found))
    ours = {field.alias or name for name, field in model.model_fields.items()}
    return {("not ours", f"{model.__name__}.{wire}") for wire in documented - ours} | {
        ("not documented", f"{model.__name__}.{wire}") for wire in ours - documented
    }


@cache
def schemas_of(release: str) -> Schemas:
    """The schemas of a release; skips the test where the documents are not at hand."""
    load(release)
    return Schemas(release)
