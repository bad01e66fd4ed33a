"""Where a person looks at a job, and what the task log says of its end."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.jobs.report import JobReport, StreamReport, job_page, summary_lines
from airflow_airbyte_ext.tables import table_lines
from airflow_airbyte_ext.testing import Fault

REPORT = JobReport(
    job_id=7,
    connection_id="c",
    status="succeeded",
    job_type="sync",
    attempts=2,
    records_synced=1234567,
    bytes_synced=2048,
    started_at="2026-01-01T00:00:00+00:00",
    ended_at="2026-01-01T00:01:30+00:00",
    attached=False,
    streams=[StreamReport("orders", "public", 1234567, 2048), StreamReport("users", None, None, None)],
)


@pytest.mark.parametrize(
    ("era", "tail"),
    [
        ("0.36", "/job-history#7::"),
        ("0.40", "/job-history#7::"),
        ("0.50", "/job-history#7::"),
        ("1.0", "/job-history#7::"),
        ("2.0", "/timeline?jobId=7&openLogs=true"),
        ("head", "/timeline?jobId=7&openLogs=true"),
    ],
)
def test_the_page_is_the_one_that_the_release_has(start_fake, connect, era, tail):
    """Timeline since 1.1, job history before; workspace and web address as Airbyte tells them."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    page = job_page(connect(airbyte), connection_id=connection_id, job_id=7)
    assert page == f"{airbyte.url}/workspaces/{airbyte.workspace_id}/connections/{connection_id}{tail}"


@pytest.mark.parametrize("shown", ["javascript:alert(1)//", "data:text/html,x", "//evil.example.com", "file:///etc"])
def test_what_becomes_a_link_is_an_address_of_the_web(stub, connect_to, shown):
    """A link of Airflow's UI must not run what a server says."""
    stub.response("/v1/instance_configuration", {"version": "2.0.0", "airbyteUrl": shown})
    page = job_page(connect_to(stub.url), connection_id="c", job_id=7, workspace_id="w")
    assert page == f"{stub.url}/workspaces/w/connections/c/timeline?jobId=7&openLogs=true"


def test_an_airbyte_that_tells_nothing_has_no_page(airbyte, connect):
    """A link is never a reason for a task to fail."""
    airbyte.fail_next("*", Fault.status(500, {"errorId": "x"}), times=1)
    assert (
        job_page(connect(airbyte, attempts=1), connection_id="99999999-9999-4999-8999-999999999999", job_id=7) is None
    )


def test_a_story_has_the_streams_and_the_sum():
    """Unknown figures are question marks, and a missing namespace is no dot."""
    text = "\n".join(summary_lines(REPORT))
    for part in (
        "public.orders",
        " users",
        "1,234,567",
        "?",
        "2.0 kB",
        "Job 7 (sync): succeeded after 2 attempts",
        "0:01:30",
    ):
        assert part in text
    assert "None" not in text


def test_a_story_of_nothing_known_is_still_one_line():
    """No times, no figures, no streams."""
    bare = JobReport(7, None, "running", None, 0, None, None, None, None, False)
    assert len(summary_lines(bare)) == 1


def test_a_failure_ends_with_its_reason():
    """The last line is what somebody looks for at night."""
    failed = JobReport(7, "c", "failed", "sync", 1, 0, 0, None, None, False, failure="No. [source, config_error]")
    assert summary_lines(failed)[-1] == "Airbyte's reason: No. [source, config_error]"


def test_a_job_of_a_thousand_streams_does_not_flood_the_log():
    """Fifty, and how many more; names with brackets are not taken for markup."""
    many = [StreamReport(f"stream_{n}[bold]", None, n, n) for n in range(1000)]
    lines = summary_lines(JobReport(7, "c", "succeeded", "sync", 1, 1, 1, None, None, False, many))
    assert len(lines) < 60
    assert any("950 more" in line for line in lines)
    assert any("stream_0[bold]" in line for line in lines)


def test_a_table_keeps_ids_in_one_piece_and_text_to_the_left():
    """Ids are there to be copied; nothing of a wide table is cut off."""
    key, word = "11111111-1111-4111-8111-111111111111", "and more " * 20
    rows = [("a" * 90, key, "1", word), ("b" * 90, key, "10", f"[{key!r}, {key!r}] -> [{key!r}]")]
    lines = table_lines(("name", "id", "records", "words"), rows)
    assert "\n".join(lines).count(key) == 5
    assert len({len(line) for line in lines}) == 1
    assert all("|       1 | and more" in line for line in lines[3:4])
    assert sum(line.count("more") for line in lines) == 20
