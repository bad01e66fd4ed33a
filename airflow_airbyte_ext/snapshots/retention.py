"""Which snapshots to keep, and why: `decide` is a pure function, and `forget` deletes what it does not keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteSnapshotDamagedError,
    AirbyteSnapshotError,
    AirbyteSnapshotFormatError,
    AirbyteSnapshotKeyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_airbyte_ext.snapshots.store import SnapshotRef, SnapshotStore

LARGEST = 1_000_000

_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda time: (time.year, time.month, time.day, time.hour),
    "daily": lambda time: (time.year, time.month, time.day),
    "weekly": lambda time: time.isocalendar()[:2],
    "monthly": lambda time: (time.year, time.month),
}


@dataclass(frozen=True)
class Retention:
    """
    What to keep of one connection's snapshots. A snapshot is kept when any rule says so; the newest always is.

    :param last: The newest N.
    :param within_days: All of the last N days.
    :param hourly: The newest of each of the last N hours that have one; daily, weekly and monthly likewise (UTC).
    """

    last: int = 0
    within_days: float = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> Retention:
        """
        Make a retention of plain values, as a DAG writes them.

        :raises AirbyteConfigurationError: Names the rule that is wrong, and what is allowed.
        """
        allowed = [field.name for field in fields(cls)]
        if not isinstance(rules, Mapping):
            raise AirbyteConfigurationError(f"keep is {rules!r}; give rules, such as {{'last': 7, 'daily': 14}}.")
        # A template renders a number to text.
        rules = {name: _number(value) if isinstance(value, str) else value for name, value in rules.items()}
        for name, value in rules.items():
            if name not in allowed:
                raise AirbyteConfigurationError(f"keep has {name!r}; give any of {', '.join(allowed)}.")
            whole = isinstance(value, int) or (name == "within_days" and isinstance(value, float))
            if isinstance(value, bool) or not whole or not 0 <= value < LARGEST:
                raise AirbyteConfigurationError(f"keep[{name!r}] is {value!r}; give a number of 0 or more.")
        if not any(rules.values()):
            raise AirbyteConfigurationError(f"keep has no rule above 0; give any of {', '.join(allowed)}.")
        return cls(**rules)


def _number(text: str) -> int | float | str:
    try:
        return int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class Decision:
    """
    What is to become of one snapshot.

    :param reasons: Why it is kept; none where it is not.
    """

    ref: SnapshotRef
    reasons: tuple[str, ...]

    @property
    def keep(self) -> bool:
        """Whether the snapshot is kept."""
        return bool(self.reasons)


def forget(
    store: SnapshotStore, connection_id: str, retention: Retention, *, now: datetime, dry_run: bool = False
) -> list[Decision]:
    """
    Delete what a retention does not keep of one connection; ordinary and safety snapshots each by themselves.

    :param dry_run: Check and decide, and delete nothing.
    :return: Every decision, oldest first.
    :raises AirbyteSnapshotDamagedError: The newest snapshot is damaged, so nothing was deleted.
    :raises AirbyteSnapshotStoreError: The store cannot be read or written.
    """
    decisions = [
        decision
        for safety in (False, True)
        for decision in _decide_apart(store.snapshots(connection_id, safety=safety), retention, now=now)
    ]
    forgotten = [decision.ref for decision in decisions if not decision.keep]
    if forgotten:
        _check_newest(store, connection_id)
    for ref in forgotten if not dry_run else ():
        store.delete(ref)
    return decisions


def _decide_apart(refs: Sequence[SnapshotRef], retention: Retention, *, now: datetime) -> list[Decision]:
    """Decide so that a plain file, which anybody may have put there, never pushes an encrypted one out."""
    encrypted = {one.ref: one for one in decide([ref for ref in refs if ref.is_encrypted], retention, now=now)}
    return [encrypted.get(one.ref, one) for one in decide(refs, retention, now=now)]


def _check_newest(store: SnapshotStore, connection_id: str) -> None:
    """Check that the newest snapshot can be restored, before others are deleted because there is a newer one."""
    newest = store.latest(connection_id)
    try:
        if newest:
            store.read(newest)
    except AirbyteSnapshotKeyError as error:
        if store.has_keys:  # to forget takes no key; with one, what cannot be read is not trusted
            raise _nothing_deleted(error) from None
    except (AirbyteSnapshotDamagedError, AirbyteSnapshotFormatError) as error:
        raise _nothing_deleted(error) from None


def _nothing_deleted(error: AirbyteSnapshotError) -> AirbyteSnapshotError:
    return type(error)(f"{error} Nothing was deleted: older snapshots may be the last good ones.")


def decide(refs: Sequence[SnapshotRef], retention: Retention, *, now: datetime) -> list[Decision]:
    """
    Return what is to become of each snapshot of one connection, oldest first.

    :param now: The time to count from.
    """
    newest_first = sorted(refs, reverse=True)
    reasons: dict[SnapshotRef, list[str]] = {ref: [] for ref in newest_first}
    for ref in newest_first[:1]:
        reasons[ref].append("newest")
    for number, ref in enumerate(newest_first[: retention.last], start=1):
        reasons[ref].append(f"last {number} of {retention.last}")
    for ref in newest_first:
        if retention.within_days and now - ref.taken_at <= timedelta(days=retention.within_days):
            reasons[ref].append(f"within {retention.within_days:g} days")
    for name, period in _PERIODS.items():
        _keep_periods(newest_first, reasons, name, period, getattr(retention, name))
    return [Decision(ref, tuple(reasons[ref])) for ref in reversed(newest_first)]


def _keep_periods(
    newest_first: Sequence[SnapshotRef],
    reasons: Mapping[SnapshotRef, list[str]],
    name: str,
    period: Callable[[datetime], tuple[int, ...]],
    count: int,
) -> None:
    seen: set[tuple[int, ...]] = set()
    for ref in newest_first:
        key = period(ref.taken_at)
        if key not in seen and len(seen) < count:
            seen.add(key)
            reasons[ref].append(f"{name} {len(seen)} of {count}")
