"""The throttle: bounded, quiet in an outage, soon back, and safe to be told by several threads."""

from __future__ import annotations

import random

import pytest

from airflow_airbyte_ext.exceptions import (
    AirbyteAuthenticationError,
    AirbyteNotFoundError,
    AirbytePermissionError,
    AirbyteRateLimitError,
    AirbyteRequestTimeoutError,
    AirbyteResponseError,
    AirbyteServerError,
    AirbyteUnreachableError,
)
from airflow_airbyte_ext.jobs.outage import MAX_RETRY_AFTER, Polling
from airflow_airbyte_ext.jobs.poll import MIN_POLL_INTERVAL, JobWait
from airflow_airbyte_ext.jobs.throttle import MAX_BACK_OFF, READS_PER_SECOND, Throttle, is_down

UNAVAILABLE = AirbyteServerError("down", http_status=503)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AirbyteUnreachableError("x"), True),
        (AirbyteRequestTimeoutError("x"), True),
        (AirbyteRateLimitError("x", http_status=429), True),
        (AirbyteServerError("x", http_status=502), True),
        (AirbyteServerError("x", http_status=503), True),
        (AirbyteServerError("x", http_status=504), True),
        (AirbyteAuthenticationError("x", http_status=401), True),
        (AirbyteServerError("x", http_status=500), False),
        (AirbyteNotFoundError("x", http_status=404), False),
        (AirbytePermissionError("x", http_status=403), False),
        (AirbyteResponseError("x"), False),
    ],
)
def test_what_is_of_the_whole_airbyte_and_what_of_one_job(error, expected):
    """A refusal of one job must not quiet all others; wrong credentials are wrong for all."""
    assert is_down(error) is expected


def test_no_window_has_more_requests_than_the_rate_and_one_burst():
    """Whatever the steps are like, any window of t seconds holds at most 50 + 50 t requests."""
    chance, now, sent = random.Random(7), 1000.0, []
    throttle = Throttle(now)
    for _ in range(3000):
        now += chance.choice([0.0, 0.001, 0.05, 0.3, 4.0])
        wanted = min(throttle.allowed(now), chance.choice([1, 5, 1000]))
        throttle.take(wanted)
        sent += [now] * wanted
        if chance.random() < 0.3:
            sent.append(now + throttle.reserve(now))
    sent.sort()
    for first in range(0, len(sent), 7):
        for last in range(first, min(first + 400, len(sent)), 13):
            bound = READS_PER_SECOND * (1 + sent[last] - sent[first])
            assert last - first + 1 <= bound + 1e-3 + 1


def test_a_walk_through_a_list_goes_at_the_rate_too():
    """Pages are requests: two hundred of them take three seconds at least, and single reads wait meanwhile."""
    throttle, now = Throttle(0.0), 0.0
    for _ in range(200):
        now += throttle.reserve(now)
    assert now == pytest.approx((200 - READS_PER_SECOND) / READS_PER_SECOND)
    assert throttle.allowed(now) == 0
    assert throttle.allowed(now + 1) > 40


def test_failures_make_it_quiet_for_longer_and_longer_within_a_bound():
    """1, 2, 4 ... seconds, then a look each half minute; one request at a time."""
    throttle, now, pauses = Throttle(0.0), 0.0, []
    for _ in range(9):
        throttle.failed(UNAVAILABLE, now)
        pauses.append(throttle.quiet_until - now)
        assert throttle.allowed(throttle.quiet_until - 0.01) == 0
        now = throttle.quiet_until
        assert throttle.allowed(now) == 1
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert pauses[-1] == MAX_BACK_OFF


def test_many_reads_that_fail_at_once_are_one_failure():
    """Sixteen reads were on their way when Airbyte blinked: that is no reason to be quiet for half a minute."""
    throttle = Throttle(0.0)
    for _ in range(16):
        throttle.failed(UNAVAILABLE, 10.0)
    assert throttle.quiet_until == 11.0


def test_airbyte_says_how_long_to_be_quiet():
    """Retry-After is honoured, also from a second response, and bounded."""
    throttle = Throttle(0.0)
    throttle.failed(AirbyteRateLimitError("x", http_status=429, retry_after=20), 0.0)
    assert throttle.allowed(19.9) == 0
    throttle.failed(AirbyteRateLimitError("x", http_status=429, retry_after=60), 1.0)
    assert throttle.quiet_until == 61.0
    throttle.failed(AirbyteRateLimitError("x", http_status=429, retry_after=86_400), 61.0)
    assert throttle.quiet_until == 61.0 + MAX_RETRY_AFTER


def test_one_answer_ends_the_outage():
    """The next failure is a first one again."""
    throttle = Throttle(0.0)
    throttle.failed(UNAVAILABLE, 0.0)
    throttle.failed(UNAVAILABLE, 1.0)
    assert throttle.is_down(5.0)
    assert throttle.succeeded() is True
    assert throttle.succeeded() is False
    assert not throttle.is_down(5.0)
    assert throttle.allowed(5.0) == READS_PER_SECOND
    throttle.failed(UNAVAILABLE, 5.0)
    assert throttle.quiet_until == 6.0


def test_a_clock_that_goes_back_takes_nothing_away():
    """A corrected clock gives no requests for the time that did not pass, and takes none."""
    throttle = Throttle(1000.0)
    throttle.take(50)
    assert throttle.allowed(500.0) == 0
    assert throttle.allowed(500.5) == 25


@pytest.mark.parametrize("poll_interval", [0.01, 1, 5, 60, 600])
def test_looks_are_quick_at_first_then_slower_and_never_rarer_than_asked(poll_interval):
    """A job of seconds is told in a second; a job of hours is checked each `poll_interval`."""
    wait = JobWait(1, on_end=print, polling=Polling(poll_interval))
    intervals = [wait.interval(age) for age in range(0, 20_000, 10)]
    assert intervals[0] == min(MIN_POLL_INTERVAL, poll_interval)
    assert intervals == sorted(intervals)
    assert intervals[-1] == poll_interval
