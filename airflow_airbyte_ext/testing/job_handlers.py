"""The handlers of lists of jobs, and of what moves now: filters, order, pages, and progress stream by stream."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.call import Call, whole_number
from airflow_airbyte_ext.testing.errors import Refusal
from airflow_airbyte_ext.testing.serializers import moved, named_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Attempt, Job, Stream
    from airflow_airbyte_ext.testing.state_rows import StreamKey

_Page = list[tuple["Job", "list[Attempt] | None"]]
_DEFAULT_PAGE = 200
_STATUSES = {"pending", "running", "incomplete", "failed", "succeeded", "cancelled"}
_TIMES: dict[str, Callable[[Job], float]] = {
    "createdAt": lambda job: job.created_at,
    "updatedAt": lambda job: job.updated_at,
}


def list_jobs(call: Call) -> Any:
    """jobs/list, of one connection, or where the release can, of the whole instance."""
    connection_id = call.body.get("configId")
    if connection_id is None and not call.world.era.has("lists_the_whole_instance"):
        raise Refusal("missing", subject="configId")
    candidates = _candidates(call, None if connection_id is None else str(connection_id))
    can_include = call.world.era.declares("JobListRequestBody.includingJobId")
    if can_include and call.body.get("includingJobId") is not None:
        return _response(call, [(job, None) for job in _until(call, candidates)], len(candidates))
    era = call.world.era
    kept = _filtered(call, candidates, era.has("end_filters_are_starts"))
    page = _page(call, kept, era.has("pages_count_attempts") or era.has("pages_counted_attempts_once"))
    return _response(call, page, len(kept if era.has("counts_filtered_jobs") else candidates))


def list_jobs_for_workspaces(call: Call) -> Any:
    """jobs/list_for_workspaces: ignores configId, and counts only the page."""
    workspaces = call.ids("workspaceIds") or list(call.world.workspaces)
    era = call.world.era
    found = _filtered(call, _candidates(call, None), era.has("end_filters_of_workspaces_are_starts"))
    mine = [job for job in found if call.world.connection(job.connection_id).workspace_id in workspaces]
    page = _page(call, mine, era.has("pages_counted_attempts_once"))
    return _response(call, page, len(page), light=era.has("workspace_lists_are_light"))


def _response(call: Call, page: _Page, total: int, light: bool = False) -> Any:
    for job, _ in page:
        job.read()
    response: dict[str, Any] = {"jobs": [call.responses.jobs.listed(job, attempts, light) for job, attempts in page]}
    return response | ({"totalJobCount": total} if call.world.era.declares("JobReadList.totalJobCount") else {})


def _candidates(call: Call, connection_id: str | None) -> list[Job]:
    """The jobs of the requested kinds, newest first."""
    kinds = call.required_items("configTypes")
    if not kinds:
        raise Refusal("illegal", "Must include at least one configType in request")
    _check_words(kinds, _kinds(call), "JobConfigType")
    jobs = [job for job in call.world.jobs(connection_id) if job.kind in kinds]
    for job in jobs:
        # What is over must not be filtered by the status that it had.
        job.turn()
    return sorted(jobs, key=lambda job: (job.created_at, job.id), reverse=True)


def _kinds(call: Call) -> set[str]:
    kinds = {"check_connection_source", "check_connection_destination", "discover_schema", "get_spec"}
    kinds |= {"sync", "reset_connection"}
    kinds |= {"refresh"} if call.world.era.declares("JobConfigType.refresh") else set()
    return kinds | ({"clear"} if call.world.era.declares("JobConfigType.clear") else set())


def _check_words(words: list[Any], known: set[str], name: str) -> None:
    for word in words:
        if not isinstance(word, str) or word not in known:
            raise Refusal("malformed", f'Cannot construct instance of `{name}`, problem: Unexpected value "{word}"')


def _filtered(call: Call, jobs: list[Job], ends_are_starts: bool) -> list[Job]:
    era, body = call.world.era, call.body
    if era.declares("JobListRequestBody.statuses"):
        statuses = call.items("statuses")
    else:
        statuses = [body["status"]] if era.declares("JobListRequestBody.status") and body.get("status") else []
    _check_words(statuses, _STATUSES | ({"queued"} if era.declares("JobStatus.queued") else set()), "JobStatus")
    kept = [job for job in jobs if not statuses or job.status in statuses]
    if not era.declares("JobListRequestBody.createdAtStart"):
        return kept
    kept = _in_time(call, kept, ends_are_starts)
    return kept if era.has("order_is_within_the_page") else _ordered(call, kept)


def _in_time(call: Call, jobs: list[Job], ends_are_starts: bool) -> list[Job]:
    for name, time_of in _TIMES.items():
        start, end = _moment(call, f"{name}Start"), _moment(call, f"{name}End")
        if start is not None:
            jobs = [job for job in jobs if time_of(job) >= start]
        if end is not None:
            jobs = [job for job in jobs if (time_of(job) >= end if ends_are_starts else time_of(job) <= end)]
    return jobs


def _moment(call: Call, name: str) -> float | None:
    text = call.body.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal("malformed", f'Cannot deserialize value of type `java.time.OffsetDateTime` from "{text}"')
    return moment.timestamp()


def _ordered(call: Call, jobs: list[Job]) -> list[Job]:
    field, method = call.body.get("orderByField"), call.body.get("orderByMethod")
    _check_words([field or "createdAt"], set(_TIMES), "orderByField")
    _check_words([method or "DESC"], {"ASC", "DESC"}, "orderByMethod")
    time_of = _TIMES[field or "createdAt"]
    return sorted(jobs, key=lambda job: (time_of(job), job.id), reverse=method != "ASC")


def _pagination(call: Call) -> tuple[int, int]:
    requested = call.body.get("pagination") or {}
    if not isinstance(requested, dict):
        raise Refusal("malformed", "Cannot construct instance of `Pagination`")
    size = whole_number(requested.get("pageSize") or _DEFAULT_PAGE)
    offset = whole_number(requested.get("rowOffset") or 0)
    if min(size, offset) < 0:
        raise Refusal("illegal", "SQL: LIMIT and OFFSET must not be negative")
    if call.world.era.has("offsets_count_pages"):
        # The server turns the offset into a page number by integer division.
        offset = offset // size * size
    return size, offset


def _page(call: Call, jobs: list[Job], by_attempts: bool) -> _Page:
    """The jobs of a page, each with those of its attempts that are on it."""
    size, offset = _pagination(call)
    if by_attempts:
        # A job without attempts is a row, too.
        none: list[Attempt | None] = [None]
        rows = [(job, attempt) for job in jobs for attempt in job.attempts or none][offset : offset + size]
        shown = {job.id for job, _ in rows}
        return [
            (job, [attempt for each, attempt in rows if each is job and attempt]) for job in jobs if job.id in shown
        ]
    page = jobs[offset : offset + size]
    if call.world.era.has("order_is_within_the_page"):
        page = _ordered(call, page)
    return [(job, None) for job in page]


def _until(call: Call, jobs: list[Job]) -> list[Job]:
    """The first pages up to the one with the requested job, whatever the other filters say; none without it."""
    wanted = whole_number(call.body["includingJobId"])
    size, _ = _pagination(call)
    places = [place for place, job in enumerate(jobs) if job.id == wanted]
    return jobs[: (places[0] // size + 1) * size] if places else []


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
    totals = call.responses.jobs.job_read(job, totals=True)
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
