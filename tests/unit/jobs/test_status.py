"""The one table that says what a job's status means."""

from __future__ import annotations

import logging

import pytest

from airflow_airbyte_ext.jobs.status import Verdict, _warn_once, verdict


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("succeeded", Verdict.SUCCEEDED), ("failed", Verdict.FAILED), ("cancelled", Verdict.CANCELLED)],
)
def test_three_words_are_final(status, meaning):
    """Success is said only when Airbyte said it."""
    assert verdict(status) is meaning
    assert verdict(status.upper()) is meaning
    assert meaning.is_final


@pytest.mark.parametrize("status", ["pending", "queued", "running", "incomplete"])
def test_four_words_are_still_running(status, caplog):
    """A failed attempt ("incomplete") is tried again; none of them is worth a warning."""
    assert verdict(status) is Verdict.STILL_RUNNING
    assert not verdict(status).is_final
    assert caplog.text == ""


@pytest.mark.parametrize("status", ["hibernating", "success", "completed", "canceled", "error", "", None, "succeeded "])
def test_any_other_word_is_still_running(status):
    """Never success by default, and never failure: Airbyte adds words."""
    assert verdict(status) is Verdict.STILL_RUNNING


def test_an_unknown_word_is_warned_about_once(caplog):
    """A poll every ten seconds must not fill the log."""
    caplog.set_level(logging.WARNING)
    for _ in range(20):
        verdict("levitating")
    verdict("dreaming")
    assert caplog.text.count("levitating") == 1
    assert caplog.text.count("dreaming") == 1


def test_the_fakes_words_are_all_known():
    """The table has no hole for a word that Airbyte's newest document lists."""
    words = ["pending", "queued", "running", "incomplete", "failed", "succeeded", "cancelled"]
    assert [verdict(word).is_final for word in words] == [False] * 4 + [True] * 3


def test_ever_new_words_are_not_all_kept():
    """A server that makes up words, long ones even, fills no memory."""
    for number in range(1000):
        verdict(f"{number} " + "x" * 100_000)
    assert _warn_once.cache_info().currsize <= 100
