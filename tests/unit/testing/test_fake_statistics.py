"""What each read of jobs tells of what was moved, and what else is told of a connection's jobs."""

from __future__ import annotations

import pytest
import requests

from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Step, Stream

BOTH = ["sync", "reset_connection"]
STREAMS = [("public", "orders"), ("shop", "orders")]
FAILED = Failure("source", "system_error", "no")


def ask(airbyte, path, expected=200, /, **body):
    response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10)
    assert response.status_code == expected, response.text[:300]
    return response.json() if response.content else None


def history(airbyte, streams, *steps):
    connection_id = airbyte.add_connection(streams=streams)
    airbyte.script(connection_id, list(steps))
    job_id = airbyte.start_job(connection_id)
    for _ in steps:
        ask(airbyte, "jobs/get", id=job_id)
    return connection_id, job_id


def listed(airbyte, connection_id):
    return ask(airbyte, "jobs/list", configTypes=BOTH, configId=connection_id)["jobs"][0]


# Attempts


@pytest.mark.parametrize("era", ["0.40.20", "0.40", "0.50", "1.0", "2.0", "head"])
def test_a_running_attempt_has_statistics_in_lists_since_0_40_27(era):
    """An attempt's output comes with its end; the tables are written while it runs."""
    with FakeAirbyte(era) as airbyte:
        connection_id, job_id = history(airbyte, STREAMS, Step("running", records=5, bytes=50))
        (attempt,) = listed(airbyte, connection_id)["attempts"]
        has_tables = era != "0.40.20"
        assert ("totalStats" in attempt, "streamStats" in attempt) == (has_tables, has_tables)
        assert "recordsSynced" not in attempt
        attempt = ask(airbyte, "jobs/get", id=job_id)["attempts"][0]["attempt"]
        assert not {"totalStats", "streamStats", "recordsSynced", "bytesSynced"} & attempt.keys()
        attempt = ask(airbyte, "jobs/get_debug_info", id=job_id)["attempts"][0]["attempt"]
        assert ("totalStats" in attempt) == has_tables


def test_streams_of_an_output_have_no_namespaces():
    """Two streams of one name look alike there; in lists they are told apart."""
    with FakeAirbyte() as airbyte:
        connection_id, job_id = history(airbyte, STREAMS, Step("running"), Step("succeeded", records=7, bytes=70))
        for path in ("jobs/get", "jobs/get_without_logs"):
            attempt = ask(airbyte, path, id=job_id)["attempts"][0]["attempt"]
            assert [each.get("streamNamespace") for each in attempt["streamStats"]] == [None, None]
            assert attempt["totalStats"]["recordsEmitted"] == 7
            assert "bytesCommitted" not in attempt["totalStats"]
        (attempt,) = listed(airbyte, connection_id)["attempts"]
        assert [each["streamNamespace"] for each in attempt["streamStats"]] == ["public", "shop"]
        assert "bytesCommitted" not in attempt["totalStats"]


@pytest.mark.parametrize(("era", "there"), [("0.62.4", True), ("0.63.1", False), ("2.0", False)])
def test_lists_of_workspaces_are_light_since_0_63_1(era, there):
    with FakeAirbyte(era) as airbyte:
        connection_id, _ = history(airbyte, STREAMS, Step("running"), Step("succeeded", records=7))
        body = {"configTypes": BOTH, "workspaceIds": [airbyte.workspace_id]}
        (attempt,) = ask(airbyte, "jobs/list_for_workspaces", **body)["jobs"][0]["attempts"]
        assert ("recordsSynced" in attempt) == there
        assert "recordsSynced" in listed(airbyte, connection_id)["attempts"][0]


# Totals


@pytest.mark.parametrize(
    ("era", "in_lists", "without_logs"),
    [("0.50.54", False, False), ("0.50.55", True, False), ("0.51.0", True, False), ("0.52.0", True, True)],
)
def test_which_reads_have_totals(era, in_lists, without_logs):
    with FakeAirbyte(era) as airbyte:
        connection_id, job_id = history(airbyte, STREAMS, Step("running"), Step("succeeded", records=7))
        assert ("aggregatedStats" in listed(airbyte, connection_id)["job"]) == in_lists
        assert ("aggregatedStats" in ask(airbyte, "jobs/get_without_logs", id=job_id)["job"]) == without_logs
        for path in ("jobs/get", "jobs/get_light"):
            assert "aggregatedStats" not in ask(airbyte, path, id=job_id)["job"]


@pytest.mark.parametrize(("resumes", "full"), [(False, 6), (True, 10)])
def test_the_totals_of_a_full_refresh_are_of_the_last_attempt(resumes, full):
    """Those of an incremental stream are the sum."""
    with FakeAirbyte() as airbyte:
        streams = [Stream("grown"), Stream("whole", sync_mode="full_refresh")]
        connection_id, job_id = history(
            airbyte,
            streams,
            Step("running", records=8, bytes=80),
            Step("incomplete", failure=FAILED),
            Step("running", resumes=resumes),
            Step("succeeded", records=12, bytes=120),
        )
        for job in (listed(airbyte, connection_id)["job"], ask(airbyte, "jobs/get_without_logs", id=job_id)["job"]):
            totals = {each["streamName"]: each["recordsCommitted"] for each in job["streamAggregatedStats"]}
            assert totals == {"grown": 10, "whole": full}
            assert job["aggregatedStats"]["recordsEmitted"] == 10 + full


def test_no_read_says_when_a_job_started():
    with FakeAirbyte() as airbyte:
        connection_id, job_id = history(airbyte, STREAMS, Step("running"), Step("succeeded"))
        jobs = [ask(airbyte, path, id=job_id)["job"] for path in ("jobs/get", "jobs/get_light")]
        jobs.append(listed(airbyte, connection_id)["job"])
        jobs += ask(airbyte, "connections/last_job_per_stream", connectionId=connection_id)
        assert not any("startedAt" in job for job in jobs)


# What moves now


@pytest.mark.parametrize(("era", "status"), [("0.57.4", 404), ("0.60.1", 404), ("0.61.0", 200)])
def test_progress_is_made_since_0_61(era, status):
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection()
        url = f"{airbyte.base_url}/v1/connections/sync_progress"
        response = requests.post(url, json={"connectionId": connection_id}, timeout=10)
        assert response.status_code == status
        assert status == 200 or response.text == "Object not found."


@pytest.mark.parametrize(("era", "shown"), [("0.63.1", False), ("0.63.2", True)])
def test_progress_of_a_job_that_has_not_ended(era, shown):
    """Of any kind since 0.63.2; it began when the job was created, and runs while an attempt is to be repeated."""
    with FakeAirbyte(era) as airbyte:
        steps = [Step("running", records=4), Step("incomplete", failure=FAILED)]
        connection_id, job_id = history(airbyte, STREAMS, *steps)
        body = {"connectionId": connection_id}
        told = ask(airbyte, "connections/sync_progress", **body)
        assert (told["jobId"], told["recordsEmitted"]) == (job_id, 4)
        assert told["syncStartedAt"] == int(airbyte.jobs()[0]["created_at"])
        airbyte.advance(job_id, "failed")
        assert "jobId" not in ask(airbyte, "connections/sync_progress", **body)
        airbyte.start_job(connection_id, "reset_connection")
        assert ("jobId" in ask(airbyte, "connections/sync_progress", **body)) == shown


def test_progress_of_a_refresh_shows_what_it_only_syncs():
    with FakeAirbyte() as airbyte:
        airbyte.default_script = [Step("running")]
        connection_id = airbyte.add_connection(streams=["a", "b"])
        streams = [{"streamName": "b"}]
        ask(airbyte, "connections/refresh", connectionId=connection_id, refreshMode="Merge", streams=streams)
        told = ask(airbyte, "connections/sync_progress", connectionId=connection_id)["streams"]
        assert {(each["streamName"], each["configType"]) for each in told} == {("b", "refresh"), ("a", "sync")}


# What is told of a connection


def status_of(airbyte, connection_id):
    return ask(airbyte, "connections/status", connectionIds=[connection_id])[0]


CONFIG = Failure("source", "config_error", "no")


@pytest.mark.parametrize(
    ("kind", "status", "failure", "word"),
    [
        ("sync", "running", None, "running"),
        ("sync", "pending", None, "pending"),
        ("sync", "incomplete", FAILED, "pending"),
        ("sync", "failed", CONFIG, "failed"),
        ("sync", "failed", FAILED, "incomplete"),
        ("sync", "cancelled", None, "incomplete"),
        ("sync", "succeeded", None, "synced"),
        ("reset_connection", "succeeded", None, "pending"),
        ("refresh", "succeeded", None, "synced"),
    ],
)
def test_the_word_of_a_connection(kind, status, failure, word):
    """A failed job is `incomplete`, unless a configuration is wrong."""
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection()
        airbyte.advance(airbyte.start_job(connection_id, kind), status, failure)
        assert status_of(airbyte, connection_id)["connectionSyncStatus"] == word


def test_the_words_of_connections_without_a_job():
    with FakeAirbyte("2.2") as airbyte:
        assert status_of(airbyte, airbyte.add_connection())["connectionSyncStatus"] == "pending"
        assert status_of(airbyte, airbyte.add_connection(status="inactive"))["connectionSyncStatus"] == "paused"
        broken = airbyte.add_connection(settings={"breakingChange": True})
        assert status_of(airbyte, broken)["connectionSyncStatus"] == "failed"
        airbyte.script(broken, [Step("queued")])
        airbyte.start_job(broken)
        assert status_of(airbyte, broken)["connectionSyncStatus"] == "queued"


@pytest.mark.parametrize(("era", "names_job", "last"), [("0.50", False, "cancelled"), ("1.0", True, "failed")])
def test_the_last_job_of_a_connection_before_1_2(era, names_job, last):
    """Of any kind, and since 0.50.39 not a cancelled one; `nextSync` is never told."""
    with FakeAirbyte(era) as airbyte:
        connection_id = airbyte.add_connection(schedule=(6, "hours"))
        airbyte.advance(airbyte.start_job(connection_id), "succeeded")
        airbyte.advance(airbyte.start_job(connection_id, "reset_connection"), "failed", FAILED)
        airbyte.script(connection_id, [Step("cancelled")])
        airbyte.start_job(connection_id)
        told = status_of(airbyte, connection_id)
        assert (told["lastSyncJobStatus"], told["isRunning"]) == (last, False)
        assert "nextSync" not in told
        assert told["isLastCompletedJobReset"] == names_job
        if names_job:
            assert (told["lastSyncJobId"], told["failureReason"]["failureType"]) == (2, "system_error")


@pytest.mark.parametrize(
    ("kind", "status", "whole", "old", "new"),
    [
        ("sync", "running", True, True, True),
        ("sync", "incomplete", True, True, False),
        ("refresh", "running", True, True, False),
        ("reset_connection", "running", False, False, False),
        ("sync", "succeeded", False, False, False),
    ],
)
def test_what_counts_as_syncing(kind, status, whole, old, new):
    """`web_backend/connections/get`, and its list before and since 1.8.0."""
    for era, in_list in (("1.7.0", old), ("1.8.0", new)):
        with FakeAirbyte(era) as airbyte:
            connection_id = airbyte.add_connection()
            airbyte.advance(airbyte.start_job(connection_id, kind), status)
            told = ask(airbyte, "web_backend/connections/get", connectionId=connection_id)
            (item,) = ask(airbyte, "web_backend/connections/list", workspaceId=airbyte.workspace_id)["connections"]
            assert (told["isSyncing"], item["isSyncing"]) == (whole, in_list)


def test_the_last_replication_job_is_the_newest_that_was_not_cancelled():
    """A reset counts; it comes without totals."""
    with FakeAirbyte() as airbyte:
        connection_id = airbyte.add_connection()
        assert ask(airbyte, "jobs/get_last_replication_job", connectionId=connection_id) == {}
        airbyte.advance(airbyte.start_job(connection_id, "reset_connection"), "succeeded")
        airbyte.advance(airbyte.start_job(connection_id), "cancelled")
        job = ask(airbyte, "jobs/get_last_replication_job", connectionId=connection_id)["job"]
        assert job["id"] == 1
        assert "aggregatedStats" not in job


# Pages


def three_jobs(airbyte, attempts):
    """A connection whose jobs had so many attempts each."""
    connection_id = airbyte.add_connection()
    for count in attempts:
        retries = [Step("incomplete", failure=FAILED), Step("running")] * (count - 1)
        airbyte.script(connection_id, [Step("running"), *retries, Step("succeeded")])
        job_id = airbyte.start_job(connection_id)
        for _ in range(2 * count):
            ask(airbyte, "jobs/get", id=job_id)
    return connection_id


def pages(airbyte, connection_id, size, count, path="jobs/list", **more):
    body = {"configTypes": BOTH, "configId": connection_id, "workspaceIds": [airbyte.workspace_id], **more}
    if path == "jobs/list":
        body.pop("workspaceIds")
    found = [
        ask(airbyte, path, **body, pagination={"pageSize": size, "rowOffset": size * page})["jobs"]
        for page in range(count)
    ]
    return [[(each["job"]["id"], [a["id"] for a in each["attempts"]]) for each in page] for page in found]


@pytest.mark.parametrize(
    ("era", "counts", "in_workspaces"),
    [
        ("0.57.2", False, False),
        ("0.57.3", True, True),
        ("0.57.4", True, True),
        ("0.58.0", False, False),
        ("0.64.1", False, False),
        ("0.64.2", True, False),
        ("1.2", True, False),
        ("1.3.0", False, False),
    ],
)
def test_a_page_counts_rows_of_job_and_attempt(era, counts, in_workspaces):
    """Its last job may lack attempts and comes again; a short page is not the last one."""
    torn = [[(3, [0]), (2, [0])], [(2, [1, 2])], [(1, [0])], []]
    whole = [[(3, [0]), (2, [0, 1, 2])], [(1, [0])], [], []]
    with FakeAirbyte(era) as airbyte:
        connection_id = three_jobs(airbyte, [1, 3, 1])
        assert pages(airbyte, connection_id, 2, 4) == (torn if counts else whole)
        told = pages(airbyte, connection_id, 2, 4, "jobs/list_for_workspaces")
        assert told == (torn if in_workspaces else whole)


@pytest.mark.parametrize(("era", "ids"), [("0.57.2", [[2, 3], [1]]), ("0.58.0", [[1, 2], [3]]), ("2.0", [[1, 2], [3]])])
def test_before_0_57_3_an_order_holds_within_a_page_only(era, ids):
    """Which jobs are on the page goes by the time of their making."""
    with FakeAirbyte(era) as airbyte:
        connection_id = three_jobs(airbyte, [1, 1, 1])
        told = pages(airbyte, connection_id, 2, 2, orderByField="createdAt", orderByMethod="ASC")
        assert [[job_id for job_id, _ in page] for page in told] == ids


@pytest.mark.parametrize(
    ("era", "alone", "workspaces"), [("0.50", 1, 1), ("0.50.33", 0, 1), ("0.50.34", 0, 1), ("0.50.35", 0, 0)]
)
def test_the_end_filters_were_mended_in_two_steps(era, alone, workspaces):
    """`jobs/list` first; until then they kept what is newer."""
    with FakeAirbyte(era) as airbyte:
        connection_id = three_jobs(airbyte, [1])
        body = {"configTypes": BOTH, "createdAtEnd": "2001-01-01T00:00:00Z"}
        assert len(ask(airbyte, "jobs/list", **body, configId=connection_id)["jobs"]) == alone
        told = ask(airbyte, "jobs/list_for_workspaces", **body, workspaceIds=[airbyte.workspace_id])
        assert len(told["jobs"]) == workspaces
