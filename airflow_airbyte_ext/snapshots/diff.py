"""What differs between two states, stream by stream; never showing a value unless asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_airbyte_ext.api.streams import StreamKey, sorted_keys, stream_name
from airflow_airbyte_ext.jobs.story import table_lines
from airflow_airbyte_ext.snapshots.content import StateContent, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_KEYS = 5

Change = Literal["added", "removed", "changed", "equal"]


@dataclass(frozen=True)
class PartDiff:
    """
    What differs in one stream, or in the shared or legacy part of a state.

    :param name: The stream's name for people; "(shared)" or "(legacy)" for those parts.
    :param key: The stream's namespace and name; None for those parts.
    :param change: What became of it from the first state to the second.
    :param keys: Paths of the keys that differ, such as "cursor" or "state.end_date"; none where all of it does.
    :param before: Its state in the first; only where values were asked for.
    :param after: Its state in the second; only where values were asked for.
    """

    name: str
    key: StreamKey | None
    change: Change
    keys: tuple[str, ...] = ()
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class StateDiff:
    """What differs from one state to another."""

    type_before: str
    type_after: str
    parts: tuple[PartDiff, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the two states say the same."""
        return self.type_before == self.type_after and all(part.change == "equal" for part in self.parts)

    @property
    def differing(self) -> tuple[PartDiff, ...]:
        """The parts that differ."""
        return tuple(part for part in self.parts if part.change != "equal")

    def table(self) -> list[str]:
        """Return the parts that differ as a table for a log: what became of each, and which keys, never the values."""
        rows = [(part.name, part.change, ", ".join(part.keys[:MOST_KEYS])) for part in self.differing]
        return table_lines(("stream", "change", "keys"), rows) if rows else []

    def summary(self) -> str:
        """Return one line that counts the changes."""
        counts = {change: sum(part.change == change for part in self.parts) for change in Change.__args__}  # type: ignore[attr-defined]
        kind = "" if self.type_before == self.type_after else f"type {self.type_before} -> {self.type_after}; "
        return kind + ", ".join(f"{count} {change}" for change, count in counts.items())


def diff(before: StateContent, after: StateContent, *, values: bool = False) -> StateDiff:
    """
    Compare two states.

    :param values: Include each part's state, which may hold secrets.
    """
    keys: list[tuple[str, StreamKey | None, Any, Any]] = [
        (stream_name(key), key, before.streams.get(key), after.streams.get(key))
        for key in sorted_keys({**before.streams, **after.streams})
    ]
    keys += [("(shared)", None, before.shared, after.shared), ("(legacy)", None, before.legacy, after.legacy)]
    parts = [_part(*part, values=values) for part in keys if part[2] is not None or part[3] is not None]
    return StateDiff(before.type, after.type, tuple(parts))


def _part(name: str, key: StreamKey | None, old: Any, new: Any, *, values: bool) -> PartDiff:
    shown = {"before": old, "after": new} if values else {}
    if old is None:
        return PartDiff(name, key, "added", **shown)
    if new is None:
        return PartDiff(name, key, "removed", **shown)
    if canonical_json(old) == canonical_json(new):
        return PartDiff(name, key, "equal", **shown)
    return PartDiff(name, key, "changed", tuple(_paths(old, new, ())), **shown)


def _paths(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old or key not in new or canonical_json(old[key]) != canonical_json(new[key]):
                yield from _paths(old.get(key), new.get(key), (*path, key))
    elif path:
        yield ".".join(part or '""' for part in path)
