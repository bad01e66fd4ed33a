"""A response as it came: status, headers, and a body of bounded size that is read defensively."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest


@dataclass(frozen=True)
class HttpResponse:
    """
    A response, and the request that it is of.

    :param body: Decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: PreparedRequest

    @property
    def address(self) -> str:
        """Where the request went, without the query."""
        return (self.request.url or "").split("?")[0]

    @property
    def content_type(self) -> str:
        """The media type as the server names it, in lower case."""
        return self.headers.get("Content-Type", "").lower()

    @property
    def is_html(self) -> bool:
        """Whether the response is a web page, whatever its header says."""
        return "html" in self.content_type or self.body[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))

    @cached_property
    def text(self) -> str:
        """The body as text; whatever character set the header names, Airbyte writes UTF-8."""
        return self.body.decode(errors="replace")

    @cached_property
    def json_or_none(self) -> Any:
        """The body's JSON, or None where it has none."""
        try:
            return self.json()
        except (ValueError, RecursionError):
            return None

    def json(self, **how: Any) -> Any:
        """
        Return the body's JSON.

        :param how: Arguments of `json.loads`, for what is to be read in another way.
        :raises ValueError: It is none: also with NaN or Infinity, or with half a character (a lone surrogate), which
            nobody could write down again.
        :raises RecursionError: It is nested too deeply.
        """
        text = self.body.decode(json.detect_encoding(self.body))
        value = json.loads(text, **how) if how else _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
        return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
