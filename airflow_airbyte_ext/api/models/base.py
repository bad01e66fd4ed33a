"""What all of Airbyte's models share."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    TypeAdapter,
    model_validator,
)
from pydantic.alias_generators import to_camel

from airflow_airbyte_ext.api.odd import LeftOut
from airflow_airbyte_ext.text import one_line

Item = TypeVar("Item")

# Servers write an empty list as [], null or {}, or leave it out.
Items = Annotated[list[Item], BeforeValidator(lambda value: value or [])]


# A word of the server's, such as a status, which goes into messages and logs as it is.
Word = Annotated[str, AfterValidator(one_line)]

_building = threading.Lock()


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Return what reads a type, built at once and by one thread at a time."""
    with _building:
        adapter = TypeAdapter(kind)
        adapter.rebuild()
    return adapter


class AirbyteModel(BaseModel):
    """
    An object of Airbyte's API: typed where we read it, and tolerant of what later releases add.

    Airbyte's names are camelCase on the wire; the few that are not (`shared_state`, `created_at`) give their own alias.
    Enumerations are plain words: Airbyte adds new ones, and `jobs.status` decides what an unknown one means.
    Fields that Airbyte leaves out when they are null (since 0.39.9) default to None.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        # A task needs few of these models, and building them all takes longer than all else before its first request.
        defer_build=True,
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
    )


class PartialModel(AirbyteModel):
    """An object that knows which odd parts of it were left out, for those who count its rows or send it back."""

    _left_out: LeftOut = PrivateAttr(default_factory=LeftOut)

    def note(self, left_out: LeftOut) -> None:
        """Keep what was left out."""
        self._left_out = left_out

    @property
    def left_out(self) -> LeftOut:
        """What was left out; nothing of an object that is as expected."""
        return self._left_out


class RawModel(AirbyteModel):
    """An object that is also kept as Airbyte wrote it, for those who save it or compare it."""

    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_raw(cls, response: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        model = handler(response)
        if isinstance(response, dict):
            model._raw = response
        return model

    @property
    def raw(self) -> dict[str, Any]:
        """The object exactly as Airbyte wrote it, with what this model does not know."""
        return self._raw
