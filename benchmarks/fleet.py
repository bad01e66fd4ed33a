"""The jobs of a fleet of connections, and what Airbyte says of them: bytes that are cheap to make."""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

WORKSPACES = 20
RELEASE = "1.8.0"
DEFAULT_PAGE = 200

_STREAMS = [{"name": name, "namespace": "public"} for name in ("orders", "customers", "items")]
_STATS = {"recordsEmitted": 4711, "bytesEmitted": 2097152, "recordsCommitted": 4711, "bytesCommitted": 2097152}
_STREAM_STATS = [{"streamName": stream["name"], "streamNamespace": "public", **_STATS} for stream in _STREAMS]
_ATTEMPT_STATS = [{"streamName": stream["name"], "streamNamespace": "public", "stats": _STATS} for stream in _STREAMS]


def _members(members: dict[str, Any]) -> bytes:
    """Return members of a JSON object without its braces."""
    return json.dumps(members, separators=(",", ":")).encode()[1:-1]


_JOB = b'{"id":%d,"configType":"sync","configId":"%s","createdAt":%d,"startedAt":%d,"updatedAt":%d,"status":"%s",'
_JOB_END = (
    _members({"enabledStreams": _STREAMS, "aggregatedStats": _STATS, "streamAggregatedStats": _STREAM_STATS}) + b"}"
)
_ATTEMPT = b'{"id":0,"status":"%s","createdAt":%d,"updatedAt":%d,'
_ATTEMPT_END = (
    _members({"bytesSynced": 2097152, "recordsSynced": 4711, "totalStats": _STATS, "streamStats": _ATTEMPT_STATS})
    + b"}"
)
_PUBLIC = (
    b'{"jobId":%d,"status":"%s","jobType":"sync","startTime":"%s","connectionId":"%s","lastUpdatedAt":"%s",'
    b'"duration":"PT5S","bytesSynced":2097152,"rowsSynced":4711}'
)


def connection_id(number: int) -> str:
    """Return the id of a connection of the fleet; job n is of connection n."""
    return str(uuid.UUID(int=number, version=4))


def connection_number(identity: str) -> int:
    """Return which connection an id stands for."""
    return uuid.UUID(identity).int & 0xFFFFFFFF


def workspace_id(number: int) -> str:
    """Return the id of the workspace that a connection is in."""
    return str(uuid.UUID(int=0x1000000 + number % WORKSPACES, version=4))


@dataclass(slots=True)
class Job:
    """
    A job, which runs from its start and then has succeeded.

    :param created: Epoch seconds.
    :param ends: Epoch seconds; infinite for a job that never ends.
    """

    id: int
    connection: int
    created: float
    ends: float

    def status(self, now: float) -> str:
        """Return Airbyte's word for how the job is doing."""
        return "succeeded" if self.ends <= now else "running"

    def updated(self, now: float) -> float:
        """Return when the status last changed."""
        return self.ends if self.ends <= now else self.created

    def light(self, now: float) -> bytes:
        """Return the job without its attempts."""
        configured, status = connection_id(self.connection).encode(), self.status(now).encode()
        start = _JOB % (self.id, configured, self.created, self.created, self.updated(now), status)
        return start + _JOB_END

    def attempt(self, now: float) -> bytes:
        """Return its one attempt."""
        return _ATTEMPT % (self.status(now).encode(), self.created, self.updated(now)) + _ATTEMPT_END

    def public(self, now: float) -> bytes:
        """Return the job as the public API writes it."""
        created, updated = _iso(self.created), _iso(self.updated(now))
        configured = connection_id(self.connection).encode()
        return _PUBLIC % (self.id, self.status(now).encode(), created, configured, updated)


class Fleet:
    """All jobs that the server knows; ids only grow, also when older jobs are forgotten."""

    def __init__(self) -> None:
        self._next = 1
        self._jobs: dict[int, Job] = {}
        self._of_connection: dict[int, list[int]] = {}

    def prepare(self, count: int, now: float, seconds: float) -> int:
        """Forget all jobs, and start new ones at once, each of its own connection; return the first one's id."""
        self._jobs.clear()
        self._of_connection.clear()
        first = self._next
        for number in range(first, first + count):
            self.start(number, now, seconds)
        return first

    def start(self, connection: int, now: float, seconds: float = math.inf) -> Job:
        """Start a job."""
        job = Job(self._next, connection, now, now + seconds)
        self._next += 1
        self._jobs[job.id] = job
        self._of_connection.setdefault(connection, []).append(job.id)
        return job

    def job(self, number: int) -> Job | None:
        """Return a job."""
        return self._jobs.get(number)

    def newest_of(self, connection: int) -> Job | None:
        """Return a connection's newest job."""
        known = self._of_connection.get(connection)
        return self._jobs[known[-1]] if known else None

    def listed(self, request: dict[str, Any], now: float, *, whole_workspaces: bool) -> bytes:
        """Return a page of jobs, as the request wants it: its filters, order and pagination."""
        found = list(_filtered(self._candidates(request, whole_workspaces), request, now))
        if request.get("orderByField") == "updatedAt":
            found.sort(key=lambda job: (job.updated(now), job.id), reverse=True)
        if request.get("orderByMethod") == "ASC":
            found.reverse()
        pagination = request.get("pagination") or {}
        start = pagination.get("rowOffset") or 0
        page = found[start : start + (pagination.get("pageSize") or DEFAULT_PAGE)]
        jobs = b",".join(b'{"job":%s,"attempts":[%s]}' % (job.light(now), job.attempt(now)) for job in page)
        # Of whole workspaces, Airbyte only counts the page.
        return b'{"jobs":[%s],"totalJobCount":%d}' % (jobs, len(page) if whole_workspaces else len(found))

    def _candidates(self, request: dict[str, Any], whole_workspaces: bool) -> Iterable[Job]:
        if "sync" not in request["configTypes"]:
            return ()
        if whole_workspaces:
            wanted = set(request.get("workspaceIds") or ())
            numbers = {number for number in range(WORKSPACES) if workspace_id(number) in wanted}
            return (job for job in reversed(self._jobs.values()) if job.connection % WORKSPACES in numbers)
        if configured := request.get("configId"):
            known = self._of_connection.get(connection_number(configured), ())
            return (self._jobs[number] for number in reversed(known))
        return reversed(self._jobs.values())


def _filtered(jobs: Iterable[Job], request: dict[str, Any], now: float) -> Iterable[Job]:
    statuses = request.get("statuses")
    including = request.get("includingJobId")
    created_from, created_to = _time(request, "createdAtStart", -math.inf), _time(request, "createdAtEnd", math.inf)
    updated_from, updated_to = _time(request, "updatedAtStart", -math.inf), _time(request, "updatedAtEnd", math.inf)
    for job in jobs:
        if including is not None:
            # It overrides all filters, and gives all pages down to this job.
            if job.id >= including:
                yield job
        elif (
            created_from <= job.created <= created_to
            and updated_from <= job.updated(now) <= updated_to
            and (not statuses or job.status(now) in statuses)
        ):
            yield job


def _time(request: dict[str, Any], name: str, otherwise: float) -> float:
    text = request.get(name)
    return datetime.fromisoformat(text).timestamp() if text else otherwise


def _iso(moment: float) -> bytes:
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
