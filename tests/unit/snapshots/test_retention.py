"""Which snapshots are kept: rules that hold for any collection, and calendars worked out by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_states import CONNECTION, STABLE

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.snapshots.retention import Retention, decide
from airflow_airbyte_ext.snapshots.store import SnapshotRef

NOW = datetime(2027, 1, 4, 12, tzinfo=UTC)
RULES = ("last", "within_days", "hourly", "daily", "weekly", "monthly")


def ref_of(moment: datetime) -> SnapshotRef:
    name = f"{moment:%Y%m%dT%H%M%S%f}Z-0123456789ab"
    return SnapshotRef(name, CONNECTION, f"/store/{name}.json")


MOMENTS = st.one_of(
    st.integers(0, 60 * 24 * 500).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    st.integers(0, 72).map(lambda hours: NOW - timedelta(hours=hours)),
    st.integers(-3, 3).map(lambda minutes: NOW - timedelta(minutes=minutes)),
)
COLLECTIONS = st.lists(MOMENTS, max_size=25, unique=True).map(lambda moments: [ref_of(moment) for moment in moments])
RETENTIONS = st.builds(
    Retention,
    **{name: st.sampled_from([0, 0, 0, 1, 2, 5, 400, *([0.5] if name == "within_days" else [])]) for name in RULES},
)


def kept(refs, retention, now=NOW) -> list[SnapshotRef]:
    return [decision.ref for decision in decide(refs, retention, now=now) if decision.keep]


@settings(STABLE, max_examples=500)
@given(refs=COLLECTIONS, retention=RETENTIONS)
def test_every_snapshot_is_decided_once_and_the_newest_is_kept(refs, retention):
    """Oldest first; what is kept has a reason, of a rule that was given, and what is not has none."""
    decisions = decide(refs, retention, now=NOW)
    assert [decision.ref for decision in decisions] == sorted(refs)
    rules = {name for name, value in asdict(retention).items() if value}
    for decision in decisions:
        assert decision.keep == bool(decision.reasons)
        assert {reason.split()[0].replace("within", "within_days") for reason in decision.reasons} <= rules | {"newest"}
    if refs:
        assert decisions[-1].keep
        assert "newest" in decisions[-1].reasons


@settings(STABLE, max_examples=400)
@given(refs=COLLECTIONS, retention=RETENTIONS)
def test_deciding_again_over_what_was_kept_drops_nothing(refs, retention):
    once = kept(refs, retention)
    assert kept(once, retention) == once


@settings(STABLE, max_examples=500)
@given(refs=COLLECTIONS, retention=RETENTIONS, name=st.sampled_from(RULES), more=st.integers(1, 10))
def test_a_wider_rule_never_drops_what_a_narrower_one_kept(refs, retention, name, more):
    wider = replace(retention, **{name: getattr(retention, name) + more})
    assert set(kept(refs, retention)) <= set(kept(refs, wider))


@settings(STABLE, max_examples=300)
@given(refs=COLLECTIONS, retention=RETENTIONS, data=st.data())
def test_the_order_in_which_they_are_given_does_not_count(refs, retention, data):
    assert decide(data.draw(st.permutations(refs)), retention, now=NOW) == decide(refs, retention, now=NOW)


@settings(STABLE, max_examples=300)
@given(refs=COLLECTIONS, count=st.integers(1, 30), days=st.sampled_from([0.5, 1, 7, 100]))
def test_last_and_within_are_what_they_say(refs, count, days):
    assert kept(refs, Retention(last=count)) == sorted(refs)[-count:]
    young = [ref for ref in sorted(refs) if NOW - ref.taken_at <= timedelta(days=days)]
    assert kept(refs, Retention(within_days=days)) == (young or sorted(refs)[-1:])


def times_of(retention, *moments: str) -> list[str]:
    refs = {ref_of(datetime.fromisoformat(moment).replace(tzinfo=UTC)): moment for moment in moments}
    return [refs[ref] for ref in kept(list(refs), retention)]


def test_hourly_over_a_new_year():
    """The newest of each hour, and an hour without one does not count."""
    moments = ["2026-12-31T21:10", "2026-12-31T22:59", "2026-12-31T23:00", "2026-12-31T23:59", "2027-01-01T00:00"]
    assert times_of(Retention(hourly=3), *moments) == [moments[1], moments[3], moments[4]]


def test_daily_over_a_new_year_and_a_gap():
    moments = ["2026-12-20T09:00", "2026-12-30T23:59", "2026-12-31T00:01", "2026-12-31T23:58", "2027-01-01T00:00"]
    assert times_of(Retention(daily=3), *moments) == [moments[1], moments[3], moments[4]]
    assert times_of(Retention(daily=4), *moments) == [moments[0], moments[1], moments[3], moments[4]]


def test_weekly_by_iso_weeks_over_a_new_year():
    """2026-12-28 (Monday) to 2027-01-03 (Sunday) is one week, 2026-W53; 2027-01-04 begins 2027-W01."""
    moments = ["2026-12-20T10:00", "2026-12-27T10:00", "2026-12-28T10:00", "2027-01-01T10:00", "2027-01-03T23:59"]
    assert times_of(Retention(weekly=2), *moments) == [moments[1], moments[4]]
    assert times_of(Retention(weekly=3), *moments, "2027-01-04T00:00") == [moments[1], moments[4], "2027-01-04T00:00"]


def test_weekly_tells_the_first_week_of_one_year_from_that_of_the_next():
    """2024-12-30 is in 2025-W01, and 2025-12-29 in 2026-W01."""
    moments = ["2024-01-01T00:00", "2024-12-30T00:00", "2025-01-05T23:59", "2025-12-29T00:00", "2026-01-04T00:00"]
    assert times_of(Retention(weekly=5), *moments) == [moments[0], moments[2], moments[4]]


def test_monthly_over_a_new_year():
    """December and January of different years are different months."""
    moments = ["2025-12-31T23:59", "2026-01-01T00:00", "2026-01-31T23:59", "2026-12-01T00:00", "2026-12-31T23:59"]
    assert times_of(Retention(monthly=2), *moments) == [moments[2], moments[4]]
    assert times_of(Retention(monthly=3), *moments) == [moments[0], moments[2], moments[4]]


def test_rules_add_up_and_all_their_reasons_are_told():
    refs = [ref_of(NOW - timedelta(days=days)) for days in range(10)]
    decisions = decide(refs, Retention(last=1, daily=2, within_days=1.5), now=NOW)
    assert [decision.reasons for decision in decisions[-3:]] == [
        (),
        ("within 1.5 days", "daily 2 of 2"),
        ("newest", "last 1 of 1", "within 1.5 days", "daily 1 of 2"),
    ]


def test_a_rule_that_was_not_given_keeps_nothing():
    """Not even a snapshot of this very moment, or one that another machine's clock has put into the future."""
    refs = [ref_of(NOW), ref_of(NOW + timedelta(minutes=1)), ref_of(NOW + timedelta(minutes=2))]
    assert kept(refs, Retention(last=1)) == refs[-1:]


def test_nothing_to_decide():
    assert decide([], Retention(last=3), now=NOW) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"lats": 3},
        {"last": -1},
        {"last": "three"},
        {"last": "-3"},
        {"last": 1.5},
        {"last": True},
        {"last": None},
        {"within_days": float("nan")},
        {"within_days": float("inf")},
        {"within_days": 1e12},
        {},
        {"last": 0},
    ],
    ids=repr,
)
def test_a_wrong_rule_is_refused_by_name(rules):
    """When the rules are read, and not when snapshots are to be deleted."""
    with pytest.raises(AirbyteConfigurationError, match="|".join(rules) or "last"):
        Retention.of(rules)


def test_plain_values_make_a_retention():
    assert Retention.of({"last": "3"}) == Retention(last=3)  # as a template renders it
    assert Retention.of({"last": 3, "within_days": 0.5}) == Retention(last=3, within_days=0.5)
