"""
What Airbyte keeps of a catalog that it is sent, so that two catalogs can be compared.

Airbyte converts a catalog when it takes it, and again when it gives it back (its `CatalogConverter`). `CONVERSIONS`
does the same to both sides of a comparison; where a release does not convert, neither side has what is converted.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.models.catalog import AirbyteStreamAndConfiguration

    Settings = dict[str, Any]

# How Airbyte hashes a field of which it only knows that it is to be hashed.
_HASHED = {"method": "SHA-256", "fieldNameSuffix": "_hashed"}
_SHORTEST_MASK = 6


def kept_settings(entry: AirbyteStreamAndConfiguration) -> Settings:
    """Return how a stream is moved and what the source says of it, by name, as Airbyte keeps it."""
    stream = entry.stream.model_dump(mode="json", exclude_unset=True) if entry.stream else {}
    config = entry.config.model_dump(mode="json", exclude_unset=True) if entry.config else {}
    settings = {**{name: value for name, value in stream.items() if name not in ("name", "namespace")}, **config}
    settings["selected"] = entry.is_selected
    for _, _, convert in CONVERSIONS:
        convert(settings)
    return settings


def _own_values(settings: Settings) -> None:
    for name in ("suggested", "alias_name", "minimum_generation_id", "generation_id", "sync_id"):
        settings.pop(name, None)


def _selected_fields(settings: Settings) -> None:
    """Make the selection a sorted list of names, and take the fields out of the schema that it leaves out."""
    chosen = [field.get("field_path") or [] for field in settings.pop("selected_fields", None) or []]
    if not settings.get("field_selection_enabled"):
        return
    names = {path[0] for path in chosen if path}
    settings["selected_fields"] = sorted(names)
    schema = settings.get("json_schema")
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        kept = {name: field for name, field in schema["properties"].items() if name in names}
        settings["json_schema"] = {**schema, "properties": kept}


def _hashed_fields(settings: Settings) -> None:
    """Make the fields to hash the mappers that Airbyte makes of them, unless it is given mappers."""
    fields = settings.pop("hashed_fields", None) or []
    if not settings.get("mappers"):
        paths = [field.get("field_path") or [] for field in fields]
        settings["mappers"] = [
            {"type": "hashing", "mapper_configuration": {"targetField": path[0], **_HASHED}} for path in paths if path
        ]


def _mapper_ids(settings: Settings) -> None:
    settings["mappers"] = [{**mapper, "id": None} for mapper in copy.deepcopy(settings.get("mappers") or [])]


CONVERSIONS: tuple[tuple[str, str, Callable[[Settings], None]], ...] = (
    ("0.36.0", "values that are Airbyte's own: the alias, what it suggests, generations", _own_values),
    ("0.40.28", "a selection of fields: in the schema's order, and the schema without the others", _selected_fields),
    ("0.64.0", "fields to hash: mappers, and back", _hashed_fields),
    ("1.2.0", "mappers: each has an id; since 1.3.0 its secrets come back masked", _mapper_ids),
)
"""What is converted: since which release (where that is not known, the first one seen), what, and how."""


def agrees(kept: Any, wanted: Any) -> bool | None:
    """
    Say whether a value that Airbyte keeps is the wanted one; None where only a masked secret could differ.

    Within a mapper what is not given is Airbyte's to fill in.
    """
    if isinstance(kept, dict) and isinstance(wanted, dict):
        return _all(agrees(kept.get(name), value) for name, value in wanted.items() if value is not None)
    if isinstance(kept, list) and isinstance(wanted, list):
        if len(kept) != len(wanted):
            return False
        return _all(agrees(*pair) for pair in zip(kept, wanted, strict=True))
    if kept == wanted:
        return True
    return None if _is_mask(kept) and isinstance(wanted, str) and wanted else False


def _all(responses: Any) -> bool | None:
    known = list(responses)
    return False if False in known else None if None in known else True


def _is_mask(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _SHORTEST_MASK and not value.strip("*")
