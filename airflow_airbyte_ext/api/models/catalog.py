"""What a connection moves: its catalog, and how one differs from what the source now has."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from airflow_airbyte_ext.api.models.base import AirbyteModel, Items, RawModel
from airflow_airbyte_ext.api.models.jobs import StreamDescriptor
from airflow_airbyte_ext.api.streams import StreamKey


class AirbyteStream(AirbyteModel):
    """A stream as the source offers it."""

    name: str
    namespace: str | None = None
    json_schema: Any = None
    supported_sync_modes: Items[str] = Field(default_factory=list)
    source_defined_cursor: bool | None = None
    default_cursor_field: Items[str] = Field(default_factory=list)
    source_defined_primary_key: Items[list[str]] = Field(default_factory=list)
    is_resumable: bool | None = None
    is_file_based: bool | None = None

    @property
    def key(self) -> StreamKey:
        """Namespace and name."""
        return self.namespace, self.name


class SelectedFieldInfo(AirbyteModel):
    """A field of a stream, by its path."""

    field_path: Items[str] = Field(default_factory=list)


class ConfiguredStreamMapper(AirbyteModel):
    """A change that is made to records on their way: hashing, renaming, filtering, encryption."""

    id: str | None = None
    type: str | None = None
    mapper_configuration: Any = None


class AirbyteStreamConfiguration(AirbyteModel):
    """How a stream is moved. `selected` is absent before 0.36, and means True then."""

    sync_mode: str | None = None
    destination_sync_mode: str | None = None
    cursor_field: Items[str] = Field(default_factory=list)
    primary_key: Items[list[str]] = Field(default_factory=list)
    namespace: str | None = None
    alias_name: str | None = None
    selected: bool | None = None
    suggested: bool | None = None
    destination_object_name: str | None = None
    include_files: bool | None = None
    field_selection_enabled: bool | None = None
    selected_fields: Items[SelectedFieldInfo] = Field(default_factory=list)
    hashed_fields: Items[SelectedFieldInfo] = Field(default_factory=list)
    mappers: Items[ConfiguredStreamMapper] = Field(default_factory=list)
    minimum_generation_id: int | None = None
    generation_id: int | None = None
    sync_id: int | None = None


class AirbyteStreamAndConfiguration(AirbyteModel):
    """A stream, and how it is moved."""

    stream: AirbyteStream | None = None
    config: AirbyteStreamConfiguration | None = None

    @property
    def is_selected(self) -> bool:
        """Whether syncs move this stream."""
        return self.config is None or self.config.selected is not False


class AirbyteCatalog(RawModel):
    """All streams of a source, or of a connection."""

    streams: Items[AirbyteStreamAndConfiguration] = Field(default_factory=list)


class FieldSchema(AirbyteModel):
    """A field that was added or removed, by its JSON Schema."""

    schema_: Any = Field(None, alias="schema")


class FieldSchemaUpdate(AirbyteModel):
    """A field whose type is another one now; both are JSON Schemas, which stand bare here."""

    old_schema: Any = None
    new_schema: Any = None


class FieldTransform(AirbyteModel):
    """One field that was added, removed or changed; `breaking` is Airbyte's own judgement."""

    transform_type: str | None = None
    field_name: Items[str] = Field(default_factory=list)
    breaking: bool | None = None
    add_field: FieldSchema | None = None
    remove_field: FieldSchema | None = None
    update_field_schema: FieldSchemaUpdate | None = None


class PrimaryKeyUpdate(AirbyteModel):
    """A primary key that is another one now."""

    old_primary_key: Items[list[str]] = Field(default_factory=list)
    new_primary_key: Items[list[str]] = Field(default_factory=list)


class StreamAttributeTransform(AirbyteModel):
    """A change of a stream as a whole (since 0.63)."""

    transform_type: str | None = None
    breaking: bool | None = None
    update_primary_key: PrimaryKeyUpdate | None = None


class StreamUpdate(AirbyteModel):
    """The changes within one stream."""

    field_transforms: Items[FieldTransform] = Field(default_factory=list)
    stream_attribute_transforms: Items[StreamAttributeTransform] = Field(default_factory=list)


def _wrapped(update: Any) -> Any:
    # A bare list of fields until attributes came beside them.
    return {"fieldTransforms": update} if isinstance(update, list) else update


class StreamTransform(AirbyteModel):
    """One stream that was added (`add_stream`), removed (`remove_stream`) or changed (`update_stream`)."""

    transform_type: str | None = None
    stream_descriptor: StreamDescriptor
    update_stream: Annotated[StreamUpdate | None, BeforeValidator(_wrapped)] = None


class CatalogDiff(AirbyteModel):
    """What Airbyte says of the difference between a connection's catalog and its source's."""

    transforms: Items[StreamTransform] = Field(default_factory=list)
