"""What a job's status means."""

from __future__ import annotations

import logging

import pytest

from airflow_airbyte_ext.jobs.status import JobStatus, _warn_once


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("succeeded", JobStatus.SUCCEEDED), ("failed", JobStatus.FAILED), ("cancelled", JobStatus.CANCELLED)],
)
def test_three_words_are_final(status, meaning):
    """Success is said only when Airbyte said it."""
    assert JobStatus.of(status) is meaning
    assert JobStatus.of(status.upper()) is meaning
    assert meaning.is_terminal


@pytest.mark.parametrize("status", ["pending", "queued", "running", "incomplete"])
def test_four_words_are_still_running(status, caplog):
    """A failed attempt ("incomplete") is tried again; none of them is worth a warning."""
    assert JobStatus.of(status) == status
    assert not JobStatus.of(status).is_terminal
    assert caplog.text == ""


@pytest.mark.parametrize("status", ["hibernating", "success", "completed", "canceled", "error", "", None, "succeeded "])
def test_any_other_word_is_still_running(status):
    """Never success by default, and never failure: Airbyte adds words."""
    assert JobStatus.of(status) is JobStatus.UNKNOWN
    assert not JobStatus.of(status).is_terminal


def test_an_unknown_word_is_warned_about_once(caplog):
    """A poll every ten seconds must not fill the log."""
    caplog.set_level(logging.WARNING)
    for _ in range(20):
        JobStatus.of("levitating")
    JobStatus.of("dreaming")
    assert caplog.text.count("levitating") == 1
    assert caplog.text.count("dreaming") == 1


def test_the_fakes_words_are_all_known():
    """The table has no hole for a word that Airbyte's newest document lists."""
    words = ["pending", "queued", "running", "incomplete", "failed", "succeeded", "cancelled"]
    assert [JobStatus.of(word).is_terminal for word in words] == [False] * 4 + [True] * 3


def test_ever_new_words_are_not_all_kept():
    """A server that makes up words, long ones even, fills no memory."""
    for number in range(1000):
        JobStatus.of(f"{number} " + "x" * 100_000)
    assert _warn_once.cache_info().currsize <= 100
