"""Airbyte as the facts about it have it, release by release: its paths, the fields that they take, what they refuse.

Written from the facts about Airbyte alone, for the tests of the true responses; one connection, one source, one job.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from true_bytes import (
    CONNECTION,
    DESTINATION,
    EMPTY_401,
    EMPTY_403,
    JERSEY_MISSING,
    JERSEY_MISSING_WITH_NULL_ID,
    NO_CONTENT,
    OPAQUE_404,
    OPAQUE_500,
    PLAIN_MISSING,
    SOURCE,
    WORKSPACE,
    http,
    jersey,
    jsonerror,
    micro_short,
)

if TYPE_CHECKING:
    from raw_server import Request

TOKEN = "good-token"
CLIENT_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
CLIENT_SECRET = "the-client-secret"
JOB = 7
LOG = ["reading the source", "writing the destination", "the source closed the door"]
REASON = "The password of the source is wrong."

# 1: path -> first release, gone in.
PATHS: dict[str, tuple[str, str | None]] = {
    "GET health": ("0.6.1", None),
    "GET openapi": ("0.15.0", None),
    "GET instance_configuration": ("0.50.9", None),
    "GET web_backend/config": ("1.7.0", None),
    "applications/token": ("0.50.38", None),
    "connections/get": ("0.1.0", None),
    "connections/list": ("0.1.0", None),
    "connections/list_all": ("0.32.1", None),
    "connections/update": ("0.1.0", None),
    "connections/delete": ("0.3.0", None),
    "connections/sync": ("0.1.0", None),
    "connections/reset": ("0.6.1", None),
    "connections/reset/stream": ("0.42.0", None),
    "connections/clear": ("0.57.3", None),
    "connections/clear/stream": ("0.57.3", None),
    "connections/refresh": ("0.57.2", None),
    "connections/status": ("0.50.18", None),
    "connections/sync_progress": ("0.50.32", None),
    "connections/last_job_per_stream": ("0.62.0", None),
    "connections/events/list_for_job": ("2.0.0", None),
    "web_backend/connections/get": ("0.1.0", None),
    "web_backend/connections/list": ("0.1.0", None),
    "web_backend/geographies/list": ("0.40.15", "1.7.0"),
    "web_backend/state/get_type": ("0.39.28", None),
    "jobs/get": ("0.1.0", None),
    "jobs/get_light": ("0.40.7", None),
    "jobs/get_without_logs": ("0.44.6", None),
    "jobs/get_debug_info": ("0.35.10", None),
    "jobs/get_last_replication_job": ("0.40.29", None),
    "jobs/list": ("0.1.0", None),
    "jobs/list_for_workspaces": ("0.50.6", None),
    "jobs/cancel": ("0.17.3", None),
    "attempt/get_for_job": ("0.50.9", None),
    "state/get": ("0.24.1", None),
    "state/create_or_update": ("0.40.3", None),
    "state/create_or_update_safe": ("0.50.21", None),
    "workspaces/list": ("0.27.1", "1.7.0"),
    "workspaces/get": ("0.1.0", None),
    "workspaces/get_by_connection_id": ("0.40.19", None),
    "sources/get": ("0.1.0", None),
    "sources/discover_schema": ("0.3.0", None),
    "destinations/get": ("0.1.0", None),
}
# 4, 3.1.3: what requests no token.
ANONYMOUS = {"GET health", "GET instance_configuration", "GET web_backend/config", "applications/token"}

# 1.2: the fields that releases up to 0.40.27 declare, from the OpenAPI document of 0.39.0; each with its first release.
DECLARED: dict[str, dict[str, str]] = {
    path: dict.fromkeys(fields, "0.1.0")
    for path, fields in {
        "connections/get": ["connectionId"],
        "connections/list": ["workspaceId"],
        "connections/list_all": ["workspaceId"],
        "connections/delete": ["connectionId"],
        "connections/sync": ["connectionId"],
        "connections/reset": ["connectionId"],
        "connections/update": [
            *("connectionId", "name", "namespaceDefinition", "namespaceFormat", "operationIds", "prefix"),
            *("resourceRequirements", "schedule", "status", "syncCatalog"),
        ],
        "web_backend/connections/get": ["connectionId", "withRefreshedCatalog"],
        "web_backend/connections/list": ["workspaceId"],
        "web_backend/state/get_type": ["connectionId"],
        "jobs/get": ["id"],
        "jobs/get_light": ["id"],
        "jobs/get_debug_info": ["id"],
        "jobs/list": ["configId", "configTypes", "pagination"],
        "jobs/cancel": ["id"],
        "state/get": ["connectionId"],
        "state/create_or_update": ["connectionId", "connectionState"],
        "workspaces/list": [],
        "workspaces/get": ["workspaceId"],
        "workspaces/get_by_connection_id": ["connectionId"],
        "sources/get": ["sourceId"],
        "sources/discover_schema": ["sourceId", "disable_cache"],
        "destinations/get": ["destinationId"],
    }.items()
}
# 2.2: fields that came between 0.36.0 and 0.40.27.
DECLARED["jobs/list"]["includingJobId"] = "0.40.6"
DECLARED["connections/update"] |= {
    "sourceCatalogId": "0.36.9",
    "scheduleType": "0.40.0",
    "scheduleData": "0.40.0",
    "geography": "0.40.15",
    "breakingChange": "0.40.17",
    "notifySchemaChanges": "0.40.18",
    "nonBreakingChangesPreference": "0.40.18",
}
DECLARED["web_backend/connections/list"] |= {"sourceId": "0.40.27", "destinationId": "0.40.27"}

Respond = Callable[[dict[str, Any]], Any]


def number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def token_ending_at(epoch: float, *, word: str = "good") -> str:
    """A JWT, whose end the client reads; its `word` tells two of them apart."""
    parts = [{"alg": "HS256"}, {"exp": int(epoch), "sub": word}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@dataclass
class Job:
    """A job that says its `statuses` one after the other, whenever it is read; the last stays."""

    id: int = JOB
    kind: str = "sync"
    statuses: list[str] = field(default_factory=lambda: ["running"])

    def next_status(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@dataclass
class TrueAirbyte:
    """Responds as one release does, with its token check or without.

    `refused` collects the requests that carried what the release does not declare.
    """

    release: str
    token_check: bool = False
    jobs: list[Job] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    status: str = "active"
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    state: dict[str, Any] = field(default_factory=lambda: {"stateType": "not_set", "connectionId": CONNECTION})
    refused: list[str] = field(default_factory=list)
    unprepared: list[str] = field(default_factory=list)

    def since(self, release: str) -> bool:
        return number(self.release) >= number(release)

    def has(self, path: str) -> bool:
        first, gone = PATHS.get(path, ("999", None))
        return self.since(first) and (gone is None or not self.since(gone))

    # -- what it refuses ----------------------------------------------------------------------------

    def __call__(self, request: Request) -> bytes:
        path = request.path.removeprefix("/api/v1/")
        path = path if request.method == "POST" else f"{request.method} {path}"
        if self.token_check and not (path in ANONYMOUS and self.has(path)):
            if request.headers.get("authorization") not in {f"Bearer {token}" for token in self.tokens}:
                return self.unauthorized(request.path)
            if not self.has(path):
                return self.forbidden(request.path)
        if not self.has(path):
            return self.missing()
        return self._checked(path, request) or self._respond(path, request)

    def missing(self) -> bytes:
        """3.1.2: path not in this release."""
        if self.since("0.40.28"):
            return PLAIN_MISSING
        return JERSEY_MISSING if self.since("0.39.9") else JERSEY_MISSING_WITH_NULL_ID

    def unauthorized(self, path: str) -> bytes:
        """4: no or a bad token."""
        if not self.since("0.52.0"):
            return EMPTY_401
        return jsonerror("401 Unauthorized", "Unauthorized", path, bare=not self.since("0.60.0"))

    def forbidden(self, path: str) -> bytes:
        """3.1.2, 4: a good token, and a missing path or too small a role."""
        if not self.since("0.52.0"):
            return EMPTY_403
        return jsonerror("403 Forbidden", "Forbidden", path, bare=not self.since("0.60.0"))

    def error(self, status: str, message: str, class_name: str) -> bytes:
        """3.1.1: what handlers refuse."""
        if self.since("2.0.0"):
            return OPAQUE_500 if status.startswith("500") else OPAQUE_404
        if not self.since("1.3.0"):
            return jersey(status, message, class_name)
        return micro_short(status, message, class_name)

    def _checked(self, path: str, request: Request) -> bytes | None:
        """1.2, 3.1.3: undeclared fields, unknown words and absent fields."""
        body = request.json
        declared = {name for name, first in DECLARED.get(path, {}).items() if self.since(first)}
        undeclared = sorted(set(body) - declared) if not self.since("0.40.28") else []
        if undeclared:
            self.refused.append(f"{path}: undeclared {undeclared}")
            text = (
                f'Invalid json input. Unrecognized field \\"{undeclared[0]}\\" (class io.airbyte.api.model.generated.X)'
            )
            return jersey(
                "422 Unprocessable Entity", text, "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException"
            )
        words = {"sync", "reset_connection"}
        words |= {"refresh"} if self.since("0.57.2") else set()
        words |= {"clear"} if self.since("0.59.1") else set()
        if strange := set(body.get("configTypes", [])) - words:
            self.refused.append(f"{path}: unknown words {sorted(strange)}")
            if not self.since("0.40.28"):
                text = f"Invalid json input. Unexpected value '{min(strange)}'"
                return jersey(
                    "422 Unprocessable Entity", text, "com.fasterxml.jackson.databind.exc.ValueInstantiationException"
                )
            text = f"Failed to convert argument [body] for value [null] due to: Unexpected value '{min(strange)}'"
            return jsonerror("400 Bad Request", text, request.path, bare=not self.since("0.60.0"))
        required = {
            "jobs/list": ["configTypes"] if self.since("0.50.46") else ["configTypes", "configId"],
            "connections/update": ["connectionId"]
            if self.since("0.40.8")
            else ["connectionId", "syncCatalog", "status"],
        }
        if absent := [name for name in required.get(path, []) if body.get(name) in (None, [])]:
            self.refused.append(f"{path}: lacks {absent}")
            return self.error(
                "500 Internal Server Error", "Internal Server Error: null", "java.lang.NullPointerException"
            )
        return None

    # -- what it says -------------------------------------------------------------------------------

    def _respond(self, path: str, request: Request) -> bytes:
        handlers: dict[str, Respond] = {
            "GET health": lambda _: {"available": True},
            "GET instance_configuration": lambda _: self.instance(),
            "GET web_backend/config": lambda _: {"version": self.release, "edition": "community"},
            "applications/token": lambda _: {"access_token": min(self.tokens)},
            "connections/get": lambda _: self.connection(),
            "connections/list": lambda _: {"connections": [self.connection()]},
            "connections/list_all": lambda _: {"connections": [self.connection()]},
            "connections/update": self._update,
            "connections/sync": lambda _: self._start(JOB, "sync"),
            "connections/reset": lambda _: self._start(JOB, "reset_connection"),
            "connections/clear": lambda _: self._start(JOB, "reset_connection"),
            "web_backend/connections/get": lambda _: self.web_connection(),
            "web_backend/connections/list": self._rows,
            "web_backend/state/get_type": lambda _: self.state.get("stateType", "not_set"),
            "jobs/get": self._job_with_logs,
            "jobs/get_debug_info": self._job_with_logs,
            "jobs/get_light": self._job_light,
            "jobs/get_without_logs": self._job_without_logs,
            "jobs/get_last_replication_job": lambda _: {"job": self.job(self.jobs[0])} if self.jobs else {},
            "jobs/list": self._jobs,
            "jobs/list_for_workspaces": self._jobs,
            "jobs/cancel": self._cancel,
            "attempt/get_for_job": self._attempt,
            "state/get": lambda _: self.state,
            "state/create_or_update": self._write_state,
            "state/create_or_update_safe": self._write_state,
            "workspaces/get": lambda _: self.workspace(),
            "workspaces/get_by_connection_id": lambda _: self.workspace(),
            "workspaces/list": lambda _: {"workspaces": [self.workspace()]},
            "sources/get": lambda _: self.source(),
            "destinations/get": lambda _: self.destination(),
        }
        if path == "connections/delete":
            return NO_CONTENT
        if path not in handlers:
            self.unprepared.append(path)
            return http("501 Not Implemented", "the test does not know this path", "text/plain")
        read = handlers[path](request.json)
        return read if isinstance(read, bytes) else http("200 OK", json.dumps(read))

    def instance(self) -> dict[str, Any]:
        """2.2: version and airbyteUrl since 0.57.4, auth.mode since 0.60.0."""
        read: dict[str, Any] = {
            "edition": "community",
            "initialSetupComplete": True,
            "defaultUserId": "00000000-0000-0000-0000-000000000000",
            "defaultOrganizationId": "00000000-0000-0000-0000-000000000000",
            "defaultWorkspaceId": WORKSPACE,
        }
        if not self.since("0.57.4"):
            return read | {"webappUrl": "http://localhost:8000"}
        read |= {"version": self.release, "airbyteUrl": "https://airbyte.example.com", "trackingStrategy": "logging"}
        if self.since("0.60.0"):
            read["auth"] = {"mode": "simple" if self.token_check else "none"}
        return read

    def _nulls(self, read: dict[str, Any], *names: str) -> dict[str, Any]:
        """1.2: before 0.39.9 nulls are explicit, later they are left out."""
        return read if self.since("0.39.9") else dict.fromkeys(names) | read

    def connection(self) -> dict[str, Any]:
        stream = {
            "name": "orders",
            "namespace": "public",
            "jsonSchema": {"type": "object", "properties": {"id": {"type": "integer"}}},
            "supportedSyncModes": ["full_refresh", "incremental"],
            "defaultCursorField": [],
            "sourceDefinedPrimaryKey": [],
        }
        config = {
            "syncMode": "incremental",
            "cursorField": ["id"],
            "destinationSyncMode": "append",
            "primaryKey": [],
            "aliasName": "orders",
            "selected": True,
        }
        read: dict[str, Any] = {
            "connectionId": CONNECTION,
            "name": "Orders",
            "namespaceDefinition": "destination",
            "namespaceFormat": "${SOURCE_NAMESPACE}",
            "prefix": "",
            "sourceId": SOURCE,
            "destinationId": DESTINATION,
            "operationIds": [],
            "syncCatalog": {"streams": [{"stream": stream, "config": config}]},
            "status": self.status,
        }
        read |= {"scheduleType": "manual"} if self.since("0.40.0") else {}
        read |= {"geography": "auto"} if self.since("0.40.15") and not self.since("1.7.0") else {}
        read |= {"breakingChange": False} if self.since("0.40.17") else {}
        if self.since("0.40.18"):
            read |= {"notifySchemaChanges": True, "nonBreakingChangesPreference": "ignore"}
        read |= {"tags": []} if self.since("1.6.0") else {}
        return self._nulls(read, "schedule", "resourceRequirements")

    def source(self) -> dict[str, Any]:
        return {
            "sourceDefinitionId": "decd338e-5647-4c0b-adf4-da0e75f5a750",
            "sourceId": SOURCE,
            "workspaceId": WORKSPACE,
            "connectionConfiguration": {},
            "name": "Shop",
            "sourceName": "Postgres",
        }

    def destination(self) -> dict[str, Any]:
        return {
            "destinationDefinitionId": "424892c4-daac-4491-b35d-c6688ba547ba",
            "destinationId": DESTINATION,
            "workspaceId": WORKSPACE,
            "connectionConfiguration": {},
            "name": "Warehouse",
            "destinationName": "Snowflake",
        }

    def workspace(self) -> dict[str, Any]:
        read = {
            "workspaceId": WORKSPACE,
            "customerId": "9c2e5b2e-7f9e-4a60-9f6e-2f5d8a1c0b11",
            "name": "Default",
            "slug": "default",
            "initialSetupComplete": True,
        }
        return read | {"organizationId": "00000000-0000-0000-0000-000000000000"} if self.since("0.50.31") else read

    def web_connection(self) -> dict[str, Any]:
        read = self.connection() | {"source": self.source(), "destination": self.destination(), "isSyncing": False}
        read |= {"schemaChange": "no_change"} if self.since("0.40.18") else {}
        if self.since("0.63.0"):
            read["destinationActorDefinitionVersion"] = {"supportsRefreshes": True}
        return read | {"operations": []}

    def _rows(self, body: dict[str, Any]) -> dict[str, Any]:
        """2.2: whole connections until 0.40.9, short rows since; 3.8: a cursor since 1.8.0."""
        if self.since("1.8.0") and "cursor" in body:
            return {"connections": [], "page_size": 20, "num_connections": 1}
        row = self.web_connection()
        if self.since("0.40.10"):
            kept = ("connectionId", "name", "scheduleType", "status", "isSyncing", "schemaChange", "tags")
            row = {name: row[name] for name in kept if name in row}
            row["source"] = {
                k: v for k, v in self.source().items() if k not in ("connectionConfiguration", "workspaceId")
            }
            row["destination"] = {
                k: v for k, v in self.destination().items() if k not in ("connectionConfiguration", "workspaceId")
            }
        counts = {"page_size": 20, "num_connections": 1} if self.since("1.8.0") else {}
        return {"connections": [row]} | counts

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        self.status = body.get("status", self.status)
        return self.connection() | {name: body[name] for name in ("name",) if name in body}

    # -- jobs ---------------------------------------------------------------------------------------

    def job(self, job: Job, *, status: str | None = None) -> dict[str, Any]:
        read: dict[str, Any] = {
            "id": job.id,
            "configType": job.kind,
            "configId": CONNECTION,
            "createdAt": 1760000000,
            "updatedAt": 1760000060,
            "status": status or job.next_status(),
        }
        if job.kind == "reset_connection" and self.since("0.39.24"):
            read["resetConfig"] = {"streamsToReset": [{"name": "orders", "namespace": "public"}]}
        if self.since("0.42.1"):
            read["enabledStreams"] = [{"name": "orders", "namespace": "public"}]
        return read

    def attempts(self, status: str) -> list[dict[str, Any]]:
        """One attempt that runs or succeeded; two where the job failed."""
        if status in ("pending", "running"):
            return [self._attempt_read(0, "running")]
        if status == "succeeded":
            return [self._attempt_read(0, "succeeded", 42)]
        return [self._attempt_read(each, "failed", 0) for each in (range(2) if status == "failed" else range(1))]

    def _attempt_read(self, index: int, status: str, records: int | None = None) -> dict[str, Any]:
        read: dict[str, Any] = {"id": index, "status": status, "createdAt": 1760000001, "updatedAt": 1760000059}
        if records is not None:
            stats = {"recordsEmitted": records, "bytesEmitted": 1000, "recordsCommitted": records}
            read |= {"endedAt": 1760000059, "bytesSynced": 1000, "recordsSynced": records, "totalStats": stats}
            read["streamStats"] = [{"streamName": "orders", "stats": stats}]
        if status == "failed":
            failure = {
                "failureOrigin": "source",
                "failureType": "config_error",
                "externalMessage": REASON,
                "stacktrace": "java.lang.Exception\n\tat io.airbyte.Secret.method(Secret.java:1)",
                "timestamp": 1760000058000,
            }
            read["failureSummary"] = {"failures": [failure], "partialSuccess": False}
        return self._nulls(read, "endedAt", "bytesSynced", "recordsSynced", "totalStats", "failureSummary")

    def _logs(self) -> dict[str, Any]:
        """2.2: lines until 1.1, events since 1.2.0."""
        if not self.since("1.2.0"):
            return {"logs": {"logLines": [f"2025-10-09 10:00:0{i} INFO worker - {text}" for i, text in enumerate(LOG)]}}
        events = [
            {"timestamp": 1760000001000 + i, "message": text, "level": "info", "logSource": "platform"}
            for i, text in enumerate(LOG)
        ]
        return {"logType": "structured", "logs": {"events": events, "version": "1"}}

    def _find(self, body: dict[str, Any]) -> Job | None:
        return next((job for job in self.jobs if job.id == body.get("id", body.get("jobId"))), None)

    def _no_job(self, body: dict[str, Any]) -> bytes:
        """3.1.3: unknown job."""
        text = f"Internal Server Error: Could not find job with id: {body.get('id')}"
        return self.error("500 Internal Server Error", text, "java.lang.RuntimeException")

    def _job_light(self, body: dict[str, Any]) -> Any:
        job = self._find(body)
        return {"job": self.job(job)} if job else self._no_job(body)

    def _job_with_logs(self, body: dict[str, Any]) -> Any:
        return self._job_info(body, self._logs())

    def _job_without_logs(self, body: dict[str, Any]) -> Any:
        return self._job_info(body, {"logs": {"logLines": []}} if not self.since("1.6.0") else {})

    def _job_info(self, body: dict[str, Any], logs: dict[str, Any]) -> Any:
        job = self._find(body)
        if not job:
            return self._no_job(body)
        read = self.job(job)
        return {"job": read, "attempts": [{"attempt": each} | logs for each in self.attempts(read["status"])]}

    def _attempt(self, body: dict[str, Any]) -> Any:
        job = self._find(body)
        attempts = self.attempts(job.statuses[0]) if job else []
        if body["attemptNumber"] >= len(attempts):
            text = (
                f"Internal Server Error: Could not find attempt for job_id: {body['jobId']} "
                f"and attempt no: {body['attemptNumber']}"
            )
            return self.error("404 Not Found", text, "io.airbyte.commons.server.errors.IdNotFoundKnownException")
        return {"attempt": attempts[body["attemptNumber"]]} | self._logs()

    def _jobs(self, body: dict[str, Any]) -> dict[str, Any]:
        """3.8: newest first; a job that is not of this connection or kind makes `includingJobId` find nothing."""
        found = [job for job in self.jobs if job.kind in body["configTypes"]]
        if body.get("configId", CONNECTION) != CONNECTION or body.get("workspaceIds", [WORKSPACE]) != [WORKSPACE]:
            found = []
        if self.since("0.50.46") and body.get("statuses"):
            found = [job for job in found if job.statuses[0] in body["statuses"]]
        if "includingJobId" in body and body["includingJobId"] not in [job.id for job in found]:
            found = []
        pagination = body.get("pagination") or {}
        first, size = pagination.get("rowOffset") or 0, pagination.get("pageSize") or 200
        reads = [self.job(job) for job in found[first : first + size]]
        jobs = [{"job": read, "attempts": self.attempts(read["status"])} for read in reads]
        return {"jobs": jobs} | ({"totalJobCount": len(found)} if self.since("0.40.6") else {})

    def _start(self, job_id: int, kind: str) -> dict[str, Any]:
        self.jobs.insert(0, Job(job_id, kind))
        return {"job": self.job(self.jobs[0]), "attempts": []}

    def _cancel(self, body: dict[str, Any]) -> Any:
        job = self._find(body)
        if not job:
            return self._no_job(body)
        job.statuses = ["cancelled"]
        return self._job_info(body, self._logs())

    # -- state --------------------------------------------------------------------------------------

    def _write_state(self, body: dict[str, Any]) -> Any:
        """3.6: an upsert by stream; an entry without `streamState` deletes the row."""
        given = body["connectionState"]
        kind = given["stateType"]
        if self.state["stateType"] not in (kind, "not_set", "legacy"):
            text = f"Internal Server Error: Unexpected type migration from '{self.state['stateType']}' to '{kind}'."
            return self.error("500 Internal Server Error", text, "java.lang.IllegalStateException")
        rows = _rows_of(self.state)
        for entry in _entries_of(given):
            key = json.dumps(entry["streamDescriptor"], sort_keys=True)
            rows.pop(key, None)
            if "streamState" in entry:
                rows[key] = entry
        shared = given.get("globalState", {}).get("shared_state")
        self.state = {"stateType": kind, "connectionId": CONNECTION}
        if kind == "global" and (rows or shared is not None):
            self.state["globalState"] = {"streamStates": list(rows.values())}
            if shared is not None:
                self.state["globalState"]["shared_state"] = shared
        elif kind == "stream" and rows:
            self.state["streamState"] = list(rows.values())
        else:
            self.state["stateType"] = "not_set"
        self.states.append(self.state)
        return self.state


def _entries_of(state: dict[str, Any]) -> list[dict[str, Any]]:
    return state.get("streamState") or (state.get("globalState") or {}).get("streamStates") or []


def _rows_of(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {json.dumps(entry["streamDescriptor"], sort_keys=True): entry for entry in _entries_of(state)}
