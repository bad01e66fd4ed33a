"""What all of Airbyte's models share."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

Item = TypeVar("Item")

# Servers write an empty list as [], null or {}, or leave it out.
Items = Annotated[list[Item], BeforeValidator(lambda value: value or [])]


class AirbyteModel(BaseModel):
    """
    An object of Airbyte's API: typed where we read it, and tolerant of what later releases add.

    Airbyte's names are camelCase on the wire; the few that are not (`shared_state`, `created_at`) give their own alias.
    Enumerations are plain words: Airbyte adds new ones, and `jobs.status` decides what an unknown one means.
    Fields that Airbyte leaves out when they are null (since 0.39.9) default to None.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
    )
