"""connections/events: what happened to a connection, newest first."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_airbyte_ext.testing.cursors import offset_page
from airflow_airbyte_ext.testing.errors import Refusal, unknown_id
from airflow_airbyte_ext.testing.job_answers import moved
from airflow_airbyte_ext.testing.model import NAMES, Event

if TYPE_CHECKING:
    from airflow_airbyte_ext.testing.call import Call
    from airflow_airbyte_ext.testing.jobs import Job

Json = dict[str, Any]
_PAGE = 200
_WORDS = {"sync": "SYNC", "refresh": "REFRESH", "reset_connection": "CLEAR"}
_ENDS = {"succeeded": "SUCCEEDED", "failed": "FAILED", "cancelled": "CANCELLED"}


def list_events(call: Call) -> Any:
    """connections/events/list."""
    connection = call.world.connection(call.id("connectionId"))
    start, end = _moment(call, "createdAtStart"), _moment(call, "createdAtEnd")
    kinds = call.items("eventTypes")
    found = [
        event
        for event in _events(call, connection.connection_id)
        if (not kinds or event.type in kinds)
        and (start is None or event.created_at >= start)
        and (end is None or event.created_at <= end)
    ]
    return {"events": [_read(event) for event in offset_page(call, found, _PAGE)]}


def list_events_for_job(call: Call) -> Any:
    """connections/events/list_for_job."""
    job = call.world.job(call.number("id"))
    events = _events(call, job.connection_id)
    return {"events": [_read(event) for event in events if event.summary.get("jobId") == job.id]}


def get_event(call: Call) -> Any:
    """connections/events/get."""
    connection_id, wanted = call.id("connectionId"), call.id("connectionEventId")
    call.world.connection(connection_id)
    for event in _events(call, connection_id):
        if event.id == wanted:
            return {**_read(event), "details": event.summary}
    raise unknown_id("CONNECTION_TIMELINE_EVENT", wanted)


def _read(event: Event) -> Json:
    """ConnectionEvent."""
    return {
        "id": event.id,
        "connectionId": event.connection_id,
        "eventType": event.type,
        "summary": event.summary,
        "createdAt": int(event.created_at),
    }


def _events(call: Call, connection_id: str) -> list[Event]:
    told = [event for event in call.world.events if event.connection_id == connection_id]
    told += [event for job in call.world.jobs(connection_id) for event in _job_events(job)]
    told.sort(key=lambda event: event.created_at)
    return told[::-1]


def _job_events(job: Job) -> list[Event]:
    word = _WORDS.get(job.kind)
    if word is None:
        return []
    # A run of the schedule is not told as started, nor as cancelled what was ended for something else.
    events = [_event(job, f"{word}_STARTED", {"jobId": job.id}, job.created_at)] if job.is_manual else []
    if job.status in _ENDS and not job.superseded:
        loaded = [moved(job, stream, job.attempts) for stream in job.streams]
        summary = {
            "jobId": job.id,
            "attemptsCount": len(job.attempts),
            "startTimeEpochSeconds": int(job.created_at),
            "endTimeEpochSeconds": int(job.updated_at),
            "recordsLoaded": sum(records for records, _ in loaded),
            "bytesLoaded": sum(size for _, size in loaded),
        }
        events.append(_event(job, f"{word}_{_ENDS[job.status]}", summary, job.updated_at))
    return events


def _event(job: Job, kind: str, summary: Json, when: float) -> Event:
    key = str(uuid.uuid5(NAMES, f"{job.connection_id} {job.id} {kind}"))
    return Event(key, job.connection_id, kind, summary, when)


def _moment(call: Call, name: str) -> float | None:
    text = call.body.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        raise Refusal(
            "malformed", f'Cannot deserialize value of type `java.time.OffsetDateTime` from "{text}"'
        ) from None
