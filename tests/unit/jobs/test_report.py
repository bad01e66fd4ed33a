"""What a finished job moved, why it failed, and what it logged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_airbyte_ext.api.models.jobs import AttemptRead, JobInfoRead, JobRead
from airflow_airbyte_ext.exceptions import (
    AirbyteJobCancelledError,
    AirbyteJobFailedError,
    AirbyteJobNotFoundError,
)
from airflow_airbyte_ext.jobs.logs import attempt_log_tail
from airflow_airbyte_ext.jobs.report import failure_reason, read_report, report_of
from airflow_airbyte_ext.testing import Failure, Step

ERAS = ("0.36", "0.40", "0.50", "1.0", "2.0", "head")
KEYS = {
    *("job_id", "connection_id", "status", "job_type", "attempts", "records_synced", "bytes_synced"),
    *("started_at", "ended_at", "attached", "streams"),
}
LAKE = Failure(
    "destination", "transient_error", "The lake did not respond.", "java.net.X: timeout", "at io.airbyte.X(1)"
)
KEY = Failure("source", "config_error", "The key was rejected.\nat io.airbyte.Y", stacktrace="at io.airbyte.Z(2)")


@pytest.fixture
def finished(clock):
    """Let a job of a new connection play these steps, a minute each, to the last."""

    def play(airbyte, *steps: Step) -> tuple[str, int]:
        connection_id = airbyte.add_connection(streams=("orders", ("public", "users")))
        *timed, last = steps
        airbyte.script(connection_id, [*(replace(step, seconds=60) for step in timed), last])
        job_id = airbyte.start_job(connection_id)
        clock.now += 60 * len(timed)
        return connection_id, job_id

    return play


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("era", ERAS)
def test_a_success_is_reported_in_full(start_fake, finished, connect, era, known):
    """Records, bytes, attempts and streams, in plain values that an XCom takes; the same in every era."""
    airbyte = start_fake(era)
    connection_id, job_id = finished(airbyte, Step("running"), Step("succeeded", records=100, bytes=2048))
    client = connect(airbyte)
    report = read_report(client, job_id, connection_id=connection_id if known else None, attached=True)
    shown = report.as_dict()
    assert json.loads(json.dumps(shown)) == shown
    assert set(shown) == KEYS
    assert (report.job_id, report.connection_id, report.status) == (job_id, connection_id, "succeeded")
    assert (report.job_type, report.attempts, report.attached) == ("sync", 1, True)
    assert (report.records_synced, report.bytes_synced) == (100, 2048)
    assert sorted(stream["name"] for stream in shown["streams"]) == ["orders", "users"]
    assert [stream["records"] for stream in shown["streams"]] == [50, 50]
    assert [stream["bytes"] for stream in shown["streams"]] == [1024, 1024]
    assert report.started_at < report.ended_at
    assert report.started_at.endswith("+00:00")
    assert report.error() is None
    assert report.failure is None


@pytest.mark.parametrize("era", ERAS)
def test_logs_are_read_only_where_there_is_no_other_way(start_fake, finished, connect, era):
    """getJobInfo carries all log lines of all attempts."""
    airbyte = start_fake(era)
    connection_id, job_id = finished(airbyte, Step("succeeded"))
    read_report(connect(airbyte), job_id, connection_id=connection_id, attached=False)
    assert airbyte.calls("getJobInfo") == []


@pytest.mark.parametrize("era", ERAS)
def test_all_attempts_are_summed(start_fake, finished, connect, era):
    """What a failed attempt committed is in the destination, too; 0.36 tells only what such an attempt has read."""
    airbyte = start_fake(era)
    steps = [
        Step("running", records=30, bytes=300),
        Step("incomplete", failure=LAKE),
        Step("succeeded", records=70, bytes=700),
    ]
    connection_id, job_id = finished(airbyte, *steps)
    report = read_report(connect(airbyte), job_id, connection_id=connection_id, attached=False)
    known = (None, None) if era == "0.36" else (100, 1000)
    assert (report.attempts, report.records_synced, report.bytes_synced) == (2, *known)
    if era != "0.36":
        assert sum(stream.records for stream in report.streams) == 100
    assert report.failure is None, "the job succeeded: an earlier attempt's failure is none of the job"


@pytest.mark.parametrize("era", ERAS)
def test_a_failure_says_why_in_one_line(start_fake, finished, connect, era):
    """Airbyte's sentence for users, where it comes from and of what type: no stack trace, no second line."""
    airbyte = start_fake(era)
    steps = [Step("running"), Step("incomplete", failure=LAKE), Step("running"), Step("failed", failure=KEY)]
    connection_id, job_id = finished(airbyte, *steps)
    report = read_report(connect(airbyte), job_id, connection_id=connection_id, attached=False)
    error = report.error()
    assert isinstance(error, AirbyteJobFailedError)
    assert (error.job_id, error.connection_id) == (job_id, connection_id)
    message = str(error)
    for part in (f"Job {job_id} failed after 2 attempts", "The key was rejected.", "source", "config_error"):
        assert part in message
    assert "io.airbyte" not in message
    assert "\n" not in message


@pytest.mark.parametrize("era", ERAS)
def test_a_cancelled_job_is_not_a_failed_one(start_fake, finished, connect, era):
    """Somebody wanted it to end."""
    airbyte = start_fake(era)
    connection_id, job_id = finished(airbyte, Step("running"), Step("cancelled"))
    error = read_report(connect(airbyte), job_id, connection_id=connection_id, attached=False).error()
    assert isinstance(error, AirbyteJobCancelledError)
    assert error.job_id == job_id
    assert str(job_id) in str(error)


def test_a_running_job_has_no_end_and_is_no_success(airbyte, finished, client):
    """A report may be made while it runs; whoever takes it for the end of the job is told."""
    connection_id, job_id = finished(airbyte, Step("running", records=5, bytes=50, polls=99))
    report = read_report(client, job_id, connection_id=connection_id, attached=False)
    assert (report.status, report.ended_at) == ("running", None)
    assert "is running again after it had ended" in str(report.error())


@pytest.mark.parametrize("era", ["0.36"])
def test_a_job_that_is_listed_no_more_has_vanished(start_fake, connect, era):
    """An error that names it."""
    airbyte = start_fake(era)
    connection_id = airbyte.add_connection()
    with pytest.raises(AirbyteJobNotFoundError, match="4711"):
        read_report(connect(airbyte), 4711, connection_id=connection_id, attached=False)


AGGREGATED = {
    "recordsEmitted": 9,
    "bytesEmitted": 90,
    "recordsCommitted": 7,
    "bytesCommitted": 70,
    "recordsRejected": 0,
}
ATTEMPT = {"id": 0, "status": "succeeded", "createdAt": 1, "updatedAt": 2}
TOTALS = {"recordsEmitted": 5, "bytesEmitted": 50, "recordsCommitted": 4}


@pytest.mark.parametrize(
    ("job", "attempts", "records", "size"),
    [
        ({"aggregatedStats": AGGREGATED}, [{**ATTEMPT, "totalStats": TOTALS}], 7, 70),
        ({}, [{**ATTEMPT, "totalStats": TOTALS}], 4, 50),
        ({}, [{**ATTEMPT, "totalStats": {**TOTALS, "bytesCommitted": 40}}], 4, 40),
        ({}, [{**ATTEMPT, "totalStats": TOTALS}] * 3, None, None),
        ({}, [{**ATTEMPT, "recordsSynced": 3, "bytesSynced": 30}], 3, 30),
        ({}, [{**ATTEMPT, "totalStats": None, "recordsSynced": 0, "bytesSynced": 0}], 0, 0),
        ({}, [ATTEMPT], None, None),
        ({}, [{**ATTEMPT, "totalStats": {}}], None, None),
        ({}, [], None, None),
        ({"aggregatedStats": {**AGGREGATED, "recordsCommitted": 0, "bytesCommitted": 0}}, [], 0, 0),
    ],
)
def test_figures_come_from_the_best_source_and_are_none_where_absent(job, attempts, records, size):
    """Airbyte's own sum, else the attempt's totals, else what it synced; a missing figure is not a zero."""
    read = JobRead.model_validate({"id": 1, "status": "succeeded", **job})
    report = report_of(read, [AttemptRead.model_validate(attempt) for attempt in attempts], attached=False)
    assert (report.records_synced, report.bytes_synced) == (records, size)


def test_streams_of_one_name_in_two_namespaces_are_two():
    """No namespace and an empty one differ, too."""
    names = [{}, {"streamNamespace": ""}, {"streamNamespace": "x"}]
    stats = [{"streamName": "a", **name, "stats": {"recordsCommitted": number}} for number, name in enumerate(names)]
    attempt = AttemptRead.model_validate({**ATTEMPT, "streamStats": stats})
    modes = dict.fromkeys([(None, "a"), ("", "a"), ("x", "a")], "incremental")
    report = report_of(JobRead(id=1, status="succeeded"), [attempt, attempt], attached=False, modes=modes)
    shown = [(stream.namespace, stream.records, stream.bytes) for stream in report.streams]
    assert shown == [(None, 0, None), ("", 2, None), ("x", 4, None)]


def tried(number: int, status: str = "failed", **streams: int | None) -> AttemptRead:
    """An attempt that committed so many records of each stream, of ten bytes each; None where it says nothing."""
    shown = {name: {"recordsCommitted": count, "bytesEmitted": count * 10} for name, count in streams.items() if count}
    total = sum(each["recordsCommitted"] for each in shown.values())
    return AttemptRead.model_validate(
        {
            **ATTEMPT,
            "id": number,
            "status": status,
            "streamStats": [{"streamName": name, "stats": stats} for name, stats in shown.items()],
            "totalStats": {"recordsCommitted": total, "bytesEmitted": total * 10} if shown else None,
        }
    )


@pytest.mark.parametrize(
    ("modes", "total", "orders", "users"),
    [
        ({"orders": "incremental", "users": "incremental"}, 180, 110, 70),
        ({"orders": "full_refresh", "users": "full_refresh"}, 140, 80, 60),
        ({"orders": "incremental", "users": "full_refresh"}, 170, 110, 60),
        ({"orders": "incremental"}, None, 110, None),
        (None, None, None, None),
    ],
)
def test_a_stream_that_is_read_in_full_counts_once(modes, total, orders, users):
    """Before 0.52.0 nobody sums the attempts up: each one reads such a stream from its beginning."""
    attempts = [tried(0, orders=30, users=10), tried(1), tried(2, "succeeded", orders=80, users=60)]
    known = modes and {(None, name): mode for name, mode in modes.items()}
    report = report_of(JobRead(id=1, status="succeeded"), attempts, attached=False, modes=known)
    assert report.records_synced == total
    assert {stream.name: stream.records for stream in report.streams} == {"orders": orders, "users": users}


@pytest.mark.parametrize("modes", [None, {(None, "orders"): "full_refresh"}, {(None, "orders"): "incremental"}])
def test_one_attempt_that_moved_anything_is_the_whole(modes):
    attempts = [tried(0), tried(1, "succeeded", orders=80)]
    report = report_of(JobRead(id=1, status="succeeded"), attempts, attached=False, modes=modes)
    assert (report.records_synced, report.bytes_synced) == (80, 800)


def stats_of(name: str, count: int) -> dict[str, object]:
    return {"streamName": name, "stats": {"recordsCommitted": count}}


def test_an_attempt_without_namespaces_merges_no_two_streams():
    """`get_without_logs` gives no namespaces before 0.52.0: two rows that look alike are two streams."""
    attempt = AttemptRead.model_validate({**ATTEMPT, "streamStats": [stats_of("a", 1), stats_of("a", 2)]})
    report = report_of(JobRead(id=1, status="succeeded"), [attempt], attached=False)
    assert [(stream.namespace, stream.records) for stream in report.streams] == [(None, 1), (None, 2)]


def test_the_namespace_is_that_of_the_jobs_only_stream_of_this_name():
    job = {"id": 1, "status": "succeeded", "enabledStreams": [{"name": "a", "namespace": "x"}, {"name": "b"}]}
    attempt = AttemptRead.model_validate({**ATTEMPT, "streamStats": [stats_of("a", 1), stats_of("b", 2)]})
    report = report_of(JobRead.model_validate(job), [attempt], attached=False)
    assert [(stream.namespace, stream.name) for stream in report.streams] == [("x", "a"), (None, "b")]


def test_namespaces_are_read_from_the_list_where_names_repeat(stub, connect_to):
    """Two streams of one name, as 0.50 has them: the list of jobs has the namespaces."""
    job = {"id": 1, "configId": "c", "configType": "sync", "status": "succeeded"}
    listed = [{**stats_of("a", 1), "streamNamespace": "x"}, {**stats_of("a", 2), "streamNamespace": "y"}]
    bare = {**ATTEMPT, "streamStats": [stats_of("a", 1), stats_of("a", 2)]}
    stub.response("instance_configuration", {"edition": "community"})
    stub.response("jobs/get_without_logs", {"job": job, "attempts": [{"attempt": bare}]})
    stub.response("jobs/list", {"jobs": [{"job": job, "attempts": [{**ATTEMPT, "streamStats": listed}]}]})
    report = read_report(connect_to(stub.url), 1, attached=False)
    assert [(stream.namespace, stream.records) for stream in report.streams] == [("x", 1), ("y", 2)]


def test_zeros_of_an_airbyte_that_keeps_no_statistics_say_nothing():
    """Airbyte's sum over no stream at all; a sync of nothing has a row for each of its streams."""
    nothing = {"aggregatedStats": {**AGGREGATED, "recordsCommitted": 0, "recordsEmitted": 0}}
    job = JobRead.model_validate({"id": 1, "status": "succeeded", **nothing, "streamAggregatedStats": []})
    assert report_of(job, [], attached=False).records_synced is None
    row = {"streamName": "a", "recordsCommitted": 0, "bytesCommitted": 0}
    job = JobRead.model_validate({"id": 1, "status": "succeeded", **nothing, "streamAggregatedStats": [row]})
    assert report_of(job, [], attached=False).records_synced == 0


def test_a_job_began_when_it_was_created():
    """`startedAt` never comes; a value there is not Airbyte's."""
    job = JobRead.model_validate({"id": 1, "status": "succeeded", "createdAt": 60, "startedAt": 5})
    assert report_of(job, [], attached=False).started_at == "1970-01-01T00:01:00+00:00"


SOMETHING = "Something went wrong in the connector. See the logs for more details."
TRACE = "Traceback (most recent call last):\n  File \"x.py\", line 3, in Two\nKeyError: 'id'\n"
FIRST = {"failureOrigin": "source", "failureType": "config_error", "externalMessage": "No.", "timestamp": 1}


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        ([FIRST], ["No.", "source", "config_error"]),
        ([FIRST, FIRST, FIRST], ["No.", "2 more"]),
        ([{**FIRST, "externalMessage": None, "internalMessage": "Inside."}], ["Inside."]),
        ([{"timestamp": 1}], []),
        ([{**FIRST, "externalMessage": "   \n  "}], ["source"]),
        ([{**FIRST, "externalMessage": "\n\n", "internalMessage": "Inside."}], ["Inside."]),
        ([{**FIRST, "externalMessage": "One.\r\nTwo.", "stacktrace": "at X"}], ["One."]),
        ([{**FIRST, "externalMessage": SOMETHING, "internalMessage": "Disk full.\n\tat X"}], ["Disk full."]),
        ([{**FIRST, "externalMessage": SOMETHING, "internalMessage": SOMETHING}], [SOMETHING]),
        ([{**FIRST, "externalMessage": SOMETHING, "internalMessage": TRACE}], ["KeyError: 'id'"]),
        ([{**FIRST, "externalMessage": "No.", "internalMessage": "Two"}], ["No."]),
        ([{"failureOrigin": "a_new_origin", "failureType": "a_new_type", "timestamp": 1}], ["a_new_origin"]),
    ],
)
def test_a_reason_is_one_line_whatever_airbyte_leaves_out(failures, words):
    """Every part of a failure is optional."""
    attempt = AttemptRead.model_validate({**ATTEMPT, "failureSummary": {"failures": failures}})
    reason = failure_reason([attempt])
    assert reason
    assert "\n" not in reason
    assert "Two" not in reason
    assert all(word in reason for word in words)


def test_a_long_reason_is_cut():
    failure = {**FIRST, "externalMessage": SOMETHING, "internalMessage": "x" * 5000}
    attempt = AttemptRead.model_validate({**ATTEMPT, "failureSummary": {"failures": [failure]}})
    assert len(failure_reason([attempt])) < 700


@pytest.mark.parametrize("summary", [None, {}, {"failures": []}, {"failures": None, "partialSuccess": True}])
def test_a_failed_job_without_reason_still_says_what_to_do(summary):
    """Airbyte does not always tell."""
    attempt = AttemptRead.model_validate({**ATTEMPT, "status": "failed", "failureSummary": summary})
    error = report_of(JobRead(id=7, status="failed"), [attempt], attached=False).error()
    assert "Job 7 failed after 1 attempt:" in str(error)
    assert "log" in str(error)


def test_recorded_statistics_are_summed(recorded):
    """A job as dagster's tests keep it: four streams, with statistics but no totals."""
    info = JobInfoRead.model_validate(recorded("jobs_get_stats.json")["json"])
    report = report_of(info.job, [entry.attempt for entry in info.attempts], attached=False)
    shown = {stream.name: stream.records for stream in report.streams}
    assert shown == {"dagster_teams": 3, "dagster_tags": 622, "dagster_releases": 119, "dagster_array_test": 119}
    assert report.streams[0].bytes == 1493
    assert report.connection_id is None


@pytest.mark.parametrize("era", ERAS)
def test_the_end_of_an_attempts_log_is_read_in_both_formats(start_fake, finished, connect, era):
    """Lines until 1.1, events since: the same few last lines."""
    airbyte = start_fake(era)
    _, job_id = finished(airbyte, Step("running", records=3), Step("failed", failure=LAKE))
    client = connect(airbyte)
    lines = attempt_log_tail(client, job_id, 0)
    assert lines[0].message.startswith(f"Executing worker wrapper for job {job_id}")
    assert {line.level for line in lines} == {"info"}
    assert [line.message for line in attempt_log_tail(client, job_id, 0, lines=1)] == [lines[-1].message]


def test_levels_are_told_in_both_formats(stub, connect_to):
    """Errors stand out in the task log."""
    events = [{"timestamp": 1, "message": "boom", "level": "error", "logSource": "source"}, {"message": "so"}]
    attempt = {"attempt": ATTEMPT, "logType": "structured", "logs": {"events": events, "version": "1"}}
    stub.response("/get_for_job", attempt)
    lines = ["2024-01-01 10:00:00 ERROR i.a.X(run):1 - boom", "2024-01-01 10:00:00 source > so", "WARN"]
    stub.response("/get_for_job", {"attempt": ATTEMPT, "logs": {"logLines": lines}})
    client = connect_to(stub.url)
    assert attempt_log_tail(client, 1, 0) == [("error", "boom"), ("info", "so")]
    assert [line.level for line in attempt_log_tail(client, 1, 0)][:2] == ["error", "info"]


@pytest.mark.parametrize("logs", [None, {}, {"logLines": []}, {"events": None}])
def test_an_attempt_without_log_has_no_lines(stub, connect_to, logs):
    """Logs may be left out, or gone."""
    stub.response("/get_for_job", {"attempt": ATTEMPT, "logs": logs})
    assert attempt_log_tail(connect_to(stub.url), 1, 0) == []
