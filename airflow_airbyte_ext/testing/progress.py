"""What moves now, and what moved last, stream by stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.answers import named_stream
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.job_answers import moved

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Job, Stream
    from airflow_airbyte_ext.testing.states import StreamKey

Json = dict[str, Any]


def sync_progress(call: Call) -> Any:
    """connections/sync_progress: nothing but the id unless a job has not ended, and no error for an unknown one."""
    era, connection_id = call.world.era, call.id("connectionId")
    if era.has("progress_is_not_made"):
        raise Refusal("unknown_path")
    job = call.world.active_job(connection_id)
    if job is None or (job.kind == "reset_connection" and era.has("progress_shows_syncs_only")):
        return {"connectionId": connection_id, "streams": []}
    knows_kind = era.declares("ConnectionSyncProgressRead.configType")
    totals = call.answers.jobs.job_read(job, totals=True)
    by_stream = {(each["streamName"], each.get("streamNamespace")): each for each in totals["streamAggregatedStats"]}
    streams = [
        by_stream.get(stream.key, _named(stream)) | ({"configType": kind} if knows_kind else {})
        for kind, stream in _shown(call, job)
    ]
    return {
        "connectionId": connection_id,
        **({"configType": job.kind} if knows_kind else {}),
        "jobId": job.id,
        "streams": streams,
        **totals["aggregatedStats"],
        "syncStartedAt": int(job.created_at),
    }


def _shown(call: Call, job: Job) -> list[tuple[str, Stream]]:
    """The streams of a job, each with the kind of run that it has; a refresh syncs the others."""
    mine = [(job.kind, stream) for stream in job.streams]
    if job.kind != "refresh":
        return mine
    keys = {stream.key for stream in job.streams}
    others = call.world.connections[job.connection_id].streams
    return mine + [("sync", stream) for stream in others if stream.key not in keys]


def _named(stream: Stream) -> Json:
    namespace = {} if stream.namespace is None else {"streamNamespace": stream.namespace}
    return {"streamName": stream.name, **namespace}


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
    return [_item(key, job) for key, job in last.items()]


def _item(key: StreamKey, job: Job) -> Json:
    """ConnectionLastJobPerStreamReadItem, without the startedAt that its document calls required."""
    name, namespace = key
    records, size = moved(job, next(stream for stream in job.streams if stream.key == key), job.attempts)
    return {
        "streamName": name,
        **({} if namespace is None else {"streamNamespace": namespace}),
        "jobId": job.id,
        "configType": job.kind,
        "jobStatus": job.status,
        "recordsCommitted": records,
        "bytesCommitted": size,
        "endedAt": int(job.updated_at),
    }
