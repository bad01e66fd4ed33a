"""What messages and logs may show of texts from elsewhere."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_airbyte_ext.exceptions import AirbyteError, AirbyteStatusError
from airflow_airbyte_ext.text import (
    MASK,
    MAX_MESSAGE,
    has_password,
    one_line,
    shown_address,
    without_password,
    without_secrets,
)

STABLE = settings(derandomize=True, deadline=None, database=None, max_examples=300)


@STABLE
@given(st.text(), st.integers(1, 100))
def test_a_line_is_one_line_and_no_longer_than_allowed(text, limit):
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    assert one_line(line, limit) == line


@pytest.mark.parametrize("text", ["", "plain", "Orders → Warehouse", "Größe", "日本語", "two  spaces", "🦆"])
def test_ordinary_names_stay_as_they_are(text):
    assert one_line(text) == text
    assert without_secrets(text) == text


@pytest.mark.parametrize("char", ["\n", "\r", "\x1b", "\x00", "\u202e", "\u2028", "\x85", "\u200b", "\ud800", "\x7f"])
def test_nothing_steers_a_terminal_or_forges_a_line(char):
    assert char not in one_line(f"a{char}b")
    assert char not in str(AirbyteError(f"a{char}b"))


URLS = [
    ("https://user:s3cr3t@host/x", f"https://{MASK}@host/x"),
    ("https://s3cr3t@host/x", f"https://{MASK}@host/x"),
    ("s3://key:s3cr3t@bucket/x", f"s3://{MASK}@bucket/x"),
    ("s3://conn_id@bucket/x", "s3://conn_id@bucket/x"),
    ("ftp://user:s3c/r3t@host/x", f"ftp://{MASK}@host/x"),
    ("ftp://user:s3c@r3t@host/x", f"ftp://{MASK}@host/x"),
    ("ftp://user:s3c#r3t@host/x", f"ftp://{MASK}@host/x"),
    ("ftp://user:s3c?r3t@host/x", f"ftp://{MASK}@host/x"),
    ("ftp://:s3cr3t@host/x", f"ftp://{MASK}@host/x"),
    ("https://host/x?token=s3cr3t&a=1", f"https://host/x?{MASK}"),
    ("https://host/x#access_token=s3cr3t", f"https://host/x#{MASK}"),
    ("https://host/x?a=s3cr3t#s3cr3t", f"https://host/x?{MASK}#{MASK}"),
    ("http://host:8000/api/v1", "http://host:8000/api/v1"),
    ("http://[::1]:8000/api/v1", "http://[::1]:8000/api/v1"),
    ("file:///var/backups/airbyte", "file:///var/backups/airbyte"),
]


@pytest.mark.parametrize(("url", "shown"), URLS)
def test_a_url_is_shown_without_its_secrets(url, shown):
    """By itself, in the middle of a sentence, and at its end; and once more without a change."""
    assert shown_address(url) == shown
    for before, after in (("", ""), ("see ", ": so"), ("(", ")"), ("'", "'"), ('{"a": "', '"}'), ("see ", ".")):
        text = without_secrets(f"{before}{url}{after}")
        assert text == f"{before}{shown}{after}"
        assert without_secrets(text) == text
    assert "s3c" not in str(AirbyteError(f"The store {url} cannot be read: {url!r} ({url})."))


def test_a_question_after_a_url_stays_one():
    assert without_secrets("Is it http://host:8000?") == "Is it http://host:8000?"


@pytest.mark.parametrize(("url", "shown"), URLS)
def test_an_address_without_its_password_still_leads_there(url, shown):
    """Nothing else is taken out: a key in a bucket may have any letter."""
    assert has_password(url) == (f"{MASK}@" in shown)
    without = without_password(url)
    assert without == (url if not has_password(url) else f"{shown.partition('@')[0]}@{url.rpartition('@')[2]}")


@pytest.mark.parametrize("path", ["/var/a@b:c", "/a/b?c#d", "C:\\x@y", "relative/a:b@c"])
def test_a_path_of_this_machine_is_shown_as_it_is(path):
    assert shown_address(path) == without_password(path) == path


def test_an_error_is_one_line_of_bounded_length_also_after_a_journey():
    """What it carries beside stays."""
    error = AirbyteStatusError("a\nb " + "x" * 10 * MAX_MESSAGE, http_status=409, error_id="e")
    assert len(str(error)) == MAX_MESSAGE
    assert str(error).startswith("a b x")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
