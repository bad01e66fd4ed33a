"""An odd part of a response hides neither the rest of its object nor the objects beside it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Path = tuple[str | int, ...]

# What tasks decide by: without it a response says nothing. In a list it is unknown, which no task takes for an end.
DECISIVE = {"status", "configType", "configId", "connectionStatus", "version"}
MAX_ROUNDS = 12
# In a response that is odd in more places, something else is wrong, and to cut each of them out takes long.
MAX_ODD = 10_000
MAX_TEXT = 100
_OF_OBJECTS = {"missing", "model_type", "model_attributes_type", "dict_type"}


@dataclass(frozen=True)
class LeftOut:
    """
    What was left out of a response.

    :param places: Each place in words, such as "connections 'Orders': syncCatalog.streams 'items': config.primaryKey".
    :param rows: How many objects of the list that the response is.
    """

    places: tuple[str, ...] = ()
    rows: int = 0


def read_without_odd_parts(validate: Callable[[Any], Any], response: Any) -> tuple[Any, LeftOut]:
    """
    Return the model of what is as expected, and what was left out.

    A value that is odd counts as not given; so does an object that lacks what it must have, and one in a list is left
    out of it. No half of a list of plain values is kept, since a part of a key is another key.

    :param validate: Returns the model of a response.
    :param response: JSON, which stays as it is.
    :raises ValidationError: What is odd is the response itself, or the list that it consists of, or nearly all of it.
    """
    tree, places, rows = response, list[str](), 0
    for _ in range(MAX_ROUNDS):
        try:
            return validate(tree), LeftOut(tuple(places), rows)
        except ValidationError as error:
            if error.error_count() > MAX_ODD:
                raise
            if tree is response:
                tree = copy.deepcopy(response)
            details = error.errors(include_url=False, include_context=False, include_input=False)
            found = {_place(tree, detail["loc"], detail["type"]) for detail in details}
            if () in found:
                raise
            # Backwards, so that the numbers of list items stay true.
            for place in sorted((each for each in found if not _lies_in(each, found)), reverse=True):
                places.append(_in_words(tree, place))
                rows += len(place) == 2 and isinstance(place[1], int)
                _cut(tree, place)
    return validate(tree), LeftOut(tuple(places), rows)


def _place(tree: Any, location: Path, kind: str) -> Path:
    """Return the place of what is to be left out for an error; () where that is the whole response."""
    path = _there(tree, location)
    if DECISIVE.intersection(location) and not any(isinstance(part, int) for part in location):
        return ()
    if kind == "missing":
        return _there(tree, location[:-1])
    if kind == "list_type" and len(path) == 1:
        return ()
    if kind not in _OF_OBJECTS:
        while path and isinstance(path[-1], int):
            path = path[:-1]
    return path


def _there(tree: Any, location: Path) -> Path:
    """Return as much of a path as there is: an error's may go on with names of types."""
    node = tree
    for number, part in enumerate(location):
        is_there = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if not is_there:
            return location[:number]
        node = node[part]
    return location


def _lies_in(place: Path, others: Collection[Path]) -> bool:
    return any(place[:length] in others for length in range(len(place)))


def _cut(tree: Any, place: Path) -> None:
    for part in place[:-1]:
        tree = tree[part]
    del tree[place[-1]]


def _in_words(tree: Any, place: Path) -> str:
    words, node = "", tree
    for part in place:
        node = node[part]
        if isinstance(part, int):
            name = _name(node)
            words += f" {name}: " if name else f"[{part}]"
        else:
            words += f".{part}" if words and not words.endswith(": ") else part
    return words.removesuffix(": ")


def _name(node: Any) -> str:
    """Return what an object in a list calls itself, for people."""
    if not isinstance(node, dict):
        return ""
    inner: dict[str, Any] = next((node[key] for key in ("stream", "job") if isinstance(node.get(key), dict)), {})
    known = {**inner, **node}
    named = [known[key] for key in ("name", "connectionId", "id", "jobId", "streamName") if known.get(key)]
    text = " ".join(repr(value) for value in named[:2] if isinstance(value, str | int))
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
