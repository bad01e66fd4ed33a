"""What differs between two states, stream by stream; never showing a value unless requested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_airbyte_ext.api.streams import StreamKey, sorted_keys, stream_name
from airflow_airbyte_ext.snapshots.state import StateContent, canonical_json
from airflow_airbyte_ext.tables import table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEYS = 5

Change = Literal["added", "removed", "changed", "equal"]


@dataclass(frozen=True)
class PartDiff:
    """
    What differs in one stream, or in the shared or legacy part of a state.

    :param name: The stream's name for people; "(shared)" or "(legacy)" for those parts.
    :param key: The stream's namespace and name; None for those parts.
    :param change: What became of it from the first state to the second.
    :param keys: Paths of the keys that differ, such as "cursor" or "state.end_date"; none where all of it does. What is
        odd about its rows, such as "(null)", is shown instead.
    :param before: Its state in the first; only where values were requested.
    :param after: Its state in the second; only where values were requested.
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
        rows = [(part.name, part.change, ", ".join(part.keys[:MAX_KEYS])) for part in self.differing]
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
    old, new = before.stream_rows(), after.stream_rows()
    parts = [
        _part(stream_name(key), key, old.get(key, ()), new.get(key, ()), values=values)
        for key in sorted_keys({**old, **new})
    ]
    others = (before.other_rows(), after.other_rows())
    parts += [
        _part(name, None, *(rows.get(name, ()) for rows in others), values=values)
        for name in ("(shared)", "(legacy)")
        if any(name in rows for rows in others)
    ]
    return StateDiff(before.type, after.type, tuple(parts))


def odd_rows(rows: tuple[Any, ...]) -> str | None:
    """Return what is odd about one stream's rows, for people: they are null, or there are several; None as a rule."""
    if rows == (None,):
        return "(null)"
    return f"({len(rows)} rows)" if len(rows) > 1 else None


def _part(name: str, key: StreamKey | None, old: tuple[Any, ...], new: tuple[Any, ...], *, values: bool) -> PartDiff:
    shown = {"before": shown_rows(old), "after": shown_rows(new)} if values else {}
    odd = tuple(sorted({*filter(None, map(odd_rows, (old, new)))}))
    if _weight(old) != _weight(new):
        return PartDiff(name, key, "added" if _weight(old) < _weight(new) else "removed", odd, **shown)
    if [canonical_json(row) for row in old] == [canonical_json(row) for row in new]:
        return PartDiff(name, key, "equal", odd, **shown)
    return PartDiff(name, key, "changed", odd or tuple(_paths(old[0], new[0], ())), **shown)


def _weight(rows: tuple[Any, ...]) -> int:
    """0 for no row, 1 for one that is null, which holds no state either, 2 for a state."""
    return bool(rows) + any(row is not None for row in rows)


def shown_rows(rows: tuple[Any, ...]) -> Any:
    """Return a part's rows as they are shown: the one that there is as a rule, several as a list."""
    return list(rows) if len(rows) > 1 else next(iter(rows), None)


def _paths(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old or key not in new or canonical_json(old[key]) != canonical_json(new[key]):
                yield from _paths(old.get(key), new.get(key), (*path, key))
    elif path:
        yield ".".join(part or '""' for part in path)
