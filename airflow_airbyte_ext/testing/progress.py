"""What moves now, and what moved last, stream by stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.answers import named_stream

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Job
    from airflow_airbyte_ext.testing.states import StreamKey

Json = dict[str, Any]


def sync_progress(call: Call) -> Any:
    """connections/sync_progress: nothing but the id unless a job runs, and no error for an unknown one."""
    connection_id = call.id("connectionId")
    answer: Json = {"connectionId": connection_id, "streams": []}
    job = call.world.active_job(connection_id)
    if job is None or job.status != "running" or not job.attempts:
        return answer
    attempt = job.attempts[-1]
    kind: Json = {"configType": job.kind} if call.world.era.declares("ConnectionSyncProgressRead.configType") else {}
    streams = call.answers.jobs.stream_totals(job, attempt.records, attempt.bytes)
    return {
        **answer,
        **kind,
        "jobId": job.id,
        "streams": [{**stream, **kind} for stream in streams],
        **call.answers.jobs.totals(attempt.records, attempt.bytes),
        "syncStartedAt": int(attempt.created_at),
    }


def last_job_per_stream(call: Call) -> Any:
    """connections/last_job_per_stream: streams that no job has read are left out."""
    connection = call.world.connection(call.id("connectionId"))
    wanted = {stream.key for stream in connection.streams}
    if call.world.era.declares("ConnectionLastJobPerStreamRequestBody.streams"):
        wanted &= {named_stream(each).key for each in call.required_items("streams")}
    last: dict[StreamKey, Job] = {}
    for job in call.world.jobs(connection.connection_id):
        if job.terminal and job.attempts:
            last |= {stream.key: job for stream in job.streams if stream.key in wanted}
    return [_item(call, key, job) for key, job in last.items()]


def _item(call: Call, key: StreamKey, job: Job) -> Json:
    """ConnectionLastJobPerStreamReadItem."""
    name, namespace = key
    records, size = (sum(getattr(attempt, of) for attempt in job.attempts) for of in ("records", "bytes"))
    totals = call.answers.jobs.stream_totals(job, records, size)
    mine = next(each for each in totals if (each["streamName"], each.get("streamNamespace")) == key)
    return {
        "streamName": name,
        **({} if namespace is None else {"streamNamespace": namespace}),
        "jobId": job.id,
        "configType": job.kind,
        "jobStatus": job.status,
        "recordsCommitted": mine["recordsCommitted"],
        "bytesCommitted": mine["bytesCommitted"],
        "startedAt": int(job.started_at or job.created_at),
        "endedAt": int(job.updated_at),
    }
