"""States to test with, and what a state says, found out here without the package's own notion of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CONNECTION = "11111111-1111-4111-8111-111111111111"
ABSENT = object()
STABLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


def entry(name: str, state: Any = ABSENT, namespace: Any = ABSENT) -> dict[str, Any]:
    """A stream's entry as Airbyte writes it; what is not given is left out."""
    descriptor = {"name": name} | ({} if namespace is ABSENT else {"namespace": namespace})
    return {"streamDescriptor": descriptor} | ({} if state is ABSENT else {"streamState": state})


def stream_state(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"stateType": "stream", "connectionId": CONNECTION, "streamState": list(entries)}


def global_state(*entries: dict[str, Any], shared: Any = ABSENT) -> dict[str, Any]:
    part: dict[str, Any] = {} if shared is ABSENT else {"shared_state": shared}
    part["streamStates"] = list(entries)
    return {"stateType": "global", "connectionId": CONNECTION, "globalState": part}


def legacy_state(blob: Any) -> dict[str, Any]:
    return {"stateType": "legacy", "connectionId": CONNECTION, "state": blob}


def not_set() -> dict[str, Any]:
    return {"stateType": "not_set", "connectionId": CONNECTION}


def exactly(value: Any) -> Any:
    """A value that is equal to another's only where a JSON reader sees the same: true is not 1, and 1 is not 1.0."""
    if isinstance(value, dict):
        return ("object", frozenset((key, exactly(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(exactly, value)))
    if isinstance(value, float):
        return ("real", float(value))
    return (type(value).__name__, value)


def entries_of(state: dict[str, Any]) -> list[dict[str, Any]]:
    if state.get("stateType") == "global":
        return list(state["globalState"]["streamStates"])
    return list(state.get("streamState") or [])


def rows_of(state: dict[str, Any]) -> dict[tuple[str | None, str], Any]:
    """The streams that have a state, and it; a row with null has none."""
    rows = {}
    for item in entries_of(state):
        descriptor = item["streamDescriptor"]
        if item.get("streamState") is not None:
            rows[descriptor.get("namespace"), descriptor["name"]] = exactly(item["streamState"])
    return rows


def said_by(state: dict[str, Any]) -> tuple[str, Any, Any, Any]:
    """All that a state says: its type, streams, shared part and blob, whatever the order and form."""
    rows = rows_of(state)
    shared = exactly((state.get("globalState") or {}).get("shared_state")) if "globalState" in state else exactly(None)
    blob = exactly(state.get("state"))
    nothing = exactly(None)
    kind = state["stateType"] if rows or shared != nothing or blob != nothing else "not_set"
    return kind, rows, shared, blob


def has_poison(state: dict[str, Any]) -> bool:
    """Whether a JSON null is stored where a state should be."""
    nulls = any("streamState" in item and item["streamState"] is None for item in entries_of(state))
    shared = "shared_state" in (state.get("globalState") or {}) and state["globalState"]["shared_state"] is None
    return nulls or shared or ("state" in state and state["state"] is None)


def digest_of(state: dict[str, Any]) -> str:
    """The SHA-256 as the format describes it, worked out from the raw state."""
    kind = said_by(state)[0]
    streams = [
        [item["streamDescriptor"].get("namespace"), item["streamDescriptor"]["name"], item["streamState"]]
        for item in entries_of(state)
        if item.get("streamState") is not None
    ]
    streams.sort(key=lambda row: ((0, "") if row[0] is None else (1, row[0]), row[1], json.dumps(row[2])))
    shared = (state.get("globalState") or {}).get("shared_state")
    document = {"type": kind, "streams": streams, "shared": shared, "legacy": state.get("state")}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def nested(depth: int, inner: Any) -> Any:
    value = inner
    for level in range(depth):
        value = {"k": value} if level % 2 else [value]
    return value


# Airbyte responds in UTF-8, which has no lone surrogates; they are in the tests of files alone.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
ODD_TEXTS = st.one_of(TEXTS, st.sampled_from(["\ud800", "a\udfffb", "\u0000", "é", "e\u0301", "🦆", "(shared)", "__x"]))
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**53 + 1, 10**40, -(10**300)]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)


def values(texts: st.SearchStrategy[str] = TEXTS) -> st.SearchStrategy[Any]:
    """JSON that is not null."""
    leaves = st.one_of(st.booleans(), NUMBERS, texts)
    trees = st.recursive(
        st.one_of(st.none(), leaves),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
        max_leaves=5,
    )
    cursors = st.dictionaries(st.sampled_from(["cursor", "lsn", "state"]), trees, min_size=1, max_size=2)
    deep = st.builds(nested, st.integers(50, 60), st.integers())
    return st.one_of(cursors, cursors, st.just({}), leaves, trees.filter(lambda tree: tree is not None), deep)


NAMES = st.one_of(
    st.sampled_from(["orders", "users", "a.b", "a/b", "(shared)", "(legacy)", "", "Orders", "null"]), TEXTS
)
NAMESPACES = st.one_of(
    st.sampled_from([None, "", "public", "a", "a.b", "../x", "(shared)"]), st.sampled_from([None, "public"]), TEXTS
)
KEYS = st.tuples(NAMESPACES, NAMES)


@st.composite
def entry_lists(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS, *, poison: bool = True) -> list[dict[str, Any]]:
    states = st.one_of(values(texts), values(texts), st.none()) if poison else values(texts)
    rows = draw(st.dictionaries(KEYS, states, max_size=5))
    # A null namespace is written either way.
    made = [
        entry(name, state, ABSENT if namespace is None and draw(st.booleans()) else namespace)
        for (namespace, name), state in rows.items()
    ]
    return draw(st.permutations(made))


@st.composite
def states(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS, *, poison: bool = True) -> dict[str, Any]:
    """Any ConnectionState; with `poison` also rows that hold a JSON null."""
    kind = draw(st.sampled_from(["stream", "stream", "global", "global", "legacy", "not_set"]))
    if kind == "not_set":
        return not_set()
    if kind == "legacy":
        return legacy_state(draw(values(texts)))
    rows = draw(entry_lists(texts, poison=poison))
    if kind == "stream":
        return stream_state(*rows)
    shared = st.one_of(st.just(ABSENT), values(texts), *([st.none()] if poison else []))
    return global_state(*rows, shared=draw(shared))
