"""What Airbyte does with the jobs of one connection, release by release, on the test's clock.

Written from sections 3.2 to 3.6 of the facts about Airbyte alone. A request that Airbyte would hold moves the clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Any

from raw_server import CLOSE
from true_airbyte import Job, TrueAirbyte
from true_bytes import CONNECTION, NGINX_502, OPAQUE_500, http, jersey, micro_short

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_server import Request

TERMINAL = ("succeeded", "failed", "cancelled")
STREAM = {"name": "orders", "namespace": "public"}
STARTS = {
    "connections/sync": "sync",
    "connections/reset": "reset_connection",
    "connections/reset/stream": "reset_connection",
    "connections/clear": "reset_connection",
    "connections/clear/stream": "reset_connection",
    "connections/refresh": "refresh",
}


@dataclass
class TimedJob(Job):
    """A job that goes through its `plan`, a list of a status and the seconds that it lasts; the last one stays."""

    by: str = "somebody"
    plan: list[tuple[str, float]] = field(default_factory=list)
    created_at: float = 0.0
    changed_at: float = 0.0
    moved: int = 0
    is_scheduled: bool = False

    @property
    def status(self) -> str:
        return self.plan[0][0]

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    def next_status(self) -> str:
        return self.status


@dataclass
class TrueJobs(TrueAirbyte):
    """
    One connection whose jobs take time.

    :param clock: Moves only when somebody waits, the server too.
    :param cooling: Seconds for which the connection stays busy after a job's end (3.2).
    :param pending, running: Seconds that each new job spends so.
    :param ends: How the jobs end, one after the other; the last stays.
    :param dates: Whether responses carry a Date; `date_ahead` is how far the clock of the proxy that writes it is off.
    """

    clock: Any = None
    cooling: float = 0.0
    pending: float = 0.0
    running: float = 5.0
    ends: list[str] = field(default_factory=lambda: ["succeeded"])
    supports_refreshes: bool = True
    schedule: str = "manual"
    refreshes: int = 0
    resets: int = 0
    dates: bool = True
    date_ahead: float = 0.0
    lose: dict[str, list[str]] = field(default_factory=dict)
    later: list[tuple[float, Callable[[], Any]]] = field(default_factory=list)
    on_request: dict[str, Callable[[], Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = count(1)
        self.state = {
            "stateType": "stream",
            "connectionId": CONNECTION,
            "streamState": [{"streamDescriptor": STREAM, "streamState": {"cursor": 7}}],
        }

    # -- what a test asks ---------------------------------------------------------------------------

    @property
    def oldest_first(self) -> list[TimedJob]:
        self.settle()
        return list(reversed(self.jobs))

    def shown(self) -> list[tuple[str, str, str]]:
        """Each job's kind, end and who started it, oldest first."""
        return [(job.kind, job.status, job.by) for job in self.oldest_first]

    def ours(self) -> list[TimedJob]:
        return [job for job in self.oldest_first if job.by == "request"]

    def start(self, kind: str = "sync", by: str = "somebody", *, plan: list[tuple[str, float]] | None = None) -> Job:
        """Start a job: the kind that the rows request, else a sync (3.4, what the next run is)."""
        job = TimedJob(next(self._ids), kind, by=by, created_at=self.clock.time())
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        job.plan = plan or [*self._before(), ("running", self.running), (end, 0.0)]
        job.changed_at = job.created_at
        job.is_scheduled = by == "schedule"
        self.jobs.insert(0, job)
        if kind == "refresh":
            self.refreshes = 0
        self._enter(job)
        return job

    def schedule_runs(self) -> Job | None:
        """The schedule's run, where none is active."""
        return None if self.active() else self.run("schedule")

    def run(self, by: str) -> Job:
        kind = "reset_connection" if self.resets else "refresh" if self.refreshes else "sync"
        return self.start(kind, by)

    def after(self, seconds: float, act: Callable[[], Any]) -> None:
        self.later.append((self.clock.time() + seconds, act))

    # -- time ---------------------------------------------------------------------------------------

    def _before(self) -> list[tuple[str, float]]:
        return [("pending", self.pending)] if self.pending else []

    def settle(self) -> None:
        """Let happen what time has brought, in its order."""
        now = self.clock.time()
        while True:
            moments = [(at, act) for at, act in self.later if at <= now]
            moments += [
                (job.changed_at + job.plan[0][1], lambda job=job: self._next(job))  # type: ignore[attr-defined]
                for job in self.jobs
                if not job.is_over and job.changed_at + job.plan[0][1] <= now  # type: ignore[attr-defined]
            ]
            if not moments:
                return
            at, act = min(moments, key=lambda each: each[0])
            self.later = [each for each in self.later if each[1] is not act]
            real, self.clock.now = self.clock.now, at
            act()
            self.clock.now = real

    def _next(self, job: TimedJob) -> None:
        job.plan.pop(0)
        job.changed_at = self.clock.time()
        self._enter(job)

    def _enter(self, job: TimedJob) -> None:
        if job.status == "running":
            self._begin(job)
        if not job.is_over:
            return
        if job.status == "succeeded":
            self.resets = 0 if job.kind == "reset_connection" else self.resets

    def _begin(self, job: TimedJob) -> None:
        """3.6: state goes at the first attempt (>=0.62.0); 3.3: an inactive connection's run moves nothing."""
        if job.kind != "sync" and self.since("0.62.0"):
            self.state = {"stateType": "not_set", "connectionId": CONNECTION}
        job.moved = 42 if self.status == "active" and job.kind != "reset_connection" else 0
        if self.status == "inactive":
            self._end(job, "cancelled" if self.since("0.58.1") else "succeeded")

    def _end(self, job: TimedJob, status: str) -> None:
        job.plan = [(status, 0.0)]
        job.changed_at = self.clock.time()
        if status == "succeeded" and job.kind == "reset_connection":
            self.resets = 0

    def active(self) -> TimedJob | None:
        return next((job for job in self.jobs if not job.is_over), None)  # type: ignore[attr-defined, return-value]

    def is_busy(self) -> bool:
        """3.2: running, between attempts since 0.50.12, and for a while after the end."""
        if job := self.active():
            return job.status == "running" or (job.status == "incomplete" and self.since("0.50.12"))
        ended = max((job.changed_at for job in self.jobs), default=-1e9)  # type: ignore[attr-defined]
        return self.clock.time() < ended + self.cooling

    # -- requests -----------------------------------------------------------------------------------

    def __call__(self, request: Request) -> bytes:
        path = request.path.removeprefix("/api/v1/")
        if act := self.on_request.pop(path, None):
            act()
        self.settle()
        losses = self.lose.get(path, [])
        loss = losses.pop(0) if losses else ""
        if loss.startswith("before"):
            return self._lost(loss)
        response = super().__call__(request)
        self.settle()
        if loss:
            return self._lost(loss)
        if not self.dates or response == CLOSE:
            return response
        date = formatdate(self.clock.time() + self.date_ahead, usegmt=True)
        return response.replace(b"\r\n", f"\r\nDate: {date}\r\n".encode(), 1)

    def _lost(self, loss: str) -> bytes:
        return {"502": NGINX_502, "500": OPAQUE_500}.get(loss[-3:], CLOSE)

    def _respond(self, path: str, request: Request) -> bytes:
        handlers: dict[str, Callable[[dict[str, Any]], Any]] = {
            **dict.fromkeys([path for path, kind in STARTS.items() if kind == "reset_connection"], self._reset),
            "connections/sync": self._sync,
            "connections/refresh": self._refresh,
            "jobs/cancel": self._cancel,
        }
        if path not in handlers:
            return super()._respond(path, request)
        read = handlers[path](request.json)
        return read if isinstance(read, bytes) else http("200 OK", json.dumps(read))

    def connection(self) -> dict[str, Any]:
        read = super().connection()
        if self.since("0.40.0"):
            read["scheduleType"] = self.schedule
        if self.schedule == "basic":
            every = {"units": 1, "timeUnit": "hours"}
            read |= {"scheduleData": {"basicSchedule": every}} if self.since("0.40.0") else {"schedule": every}
        return read

    def web_connection(self) -> dict[str, Any]:
        read = super().web_connection()
        if "destinationActorDefinitionVersion" in read:
            read["destinationActorDefinitionVersion"] = {"supportsRefreshes": self.supports_refreshes}
        return read

    def job(self, job: Job) -> dict[str, Any]:
        read = super().job(job)
        assert isinstance(job, TimedJob)
        read |= {"createdAt": int(job.created_at), "updatedAt": int(job.changed_at)}
        if "aggregatedStats" in read:
            read["aggregatedStats"] = {"recordsEmitted": job.moved, "recordsCommitted": job.moved, "bytesEmitted": 1}
        return read

    def attempts(self, status: str) -> list[dict[str, Any]]:
        moved = next((job.moved for job in self.jobs if job.status == status), 0)  # type: ignore[attr-defined]
        if status == "succeeded":
            return [self._attempt_read(0, "succeeded", moved)]
        return [self._attempt_read(0, "failed", 0)] if status in ("failed", "incomplete") else []

    def refusal(self, text: str, class_name: str, *, status: str = "500 Internal Server Error") -> bytes:
        if status.startswith("409") and self.since("2.0.0"):
            return http(status, json.dumps({"message": text, "errorId": "0d9f4a36-6a8b-4f0e-9f2e-1b2c3d4e5f60"}))
        if status.startswith("409"):
            return (jersey if not self.since("1.3.0") else micro_short)(status, text, class_name)
        return self.error(status, f"Internal Server Error: {text}", class_name)

    def _already(self) -> bytes:
        """3.2: 500 in 0.39.0 - 0.39.37, 409 since."""
        status = "409 Conflict" if self.since("0.39.38") else "500 Internal Server Error"
        return self.refusal(
            f"A sync is already running for: {CONNECTION}", "ValueConflictKnownException", status=status
        )

    def _manual_run(self) -> Job | None:
        """3.2: none where the connection is busy; the job that is pending or (before 0.50.12) between attempts."""
        if self.is_busy():
            return None
        if job := self.active():
            if job.status == "incomplete":
                job.plan[0] = ("running", self.running)
                job.changed_at = self.clock.time()
            return job
        return self.run("request")

    def _read(self, job: Job) -> dict[str, Any]:
        self.log.append(f"{job.kind} {job.id}")
        return {"job": self.job(job), "attempts": []}

    def _sync(self, _: dict[str, Any]) -> Any:
        job = self.active()
        if not self.since("0.39.0"):  # the old scheduler
            return self._read(job or self.run("request"))
        if self.status == "inactive" and self.since("0.43.2"):
            return self.refusal("Can only sync an active connection", "java.lang.IllegalStateException")
        started = self._manual_run()
        return self._already() if started is None else self._read(started)

    def _reset(self, _: dict[str, Any]) -> Any:
        """3.4, what a reset meets."""
        job = self.active()
        if not self.since("0.39.0"):
            if job:
                return self._read(job)
            self.resets = 1
            return self._read(self.run("request"))
        if not job and self.is_busy():
            return self._already()
        self.resets = 1
        if job is None:
            return self._read(self.run("request"))
        if job.status == "running":
            self._end(job, "cancelled")
            return self._read(self.run("request"))
        known = job.id  # it waits for a job with another id, until the server closes the connection
        for _second in range(300):
            self.clock.sleep(1)
            self.settle()
            if self.jobs[0].id != known:
                return self._read(self.jobs[0])
        return CLOSE

    def _refresh(self, _: dict[str, Any]) -> Any:
        """3.4, the table of refreshes: stored first, then started."""
        by_value = not self.since("1.2.0")
        supports = self.supports_refreshes and self.since("0.63.0")
        if not supports:
            return {"value": False} if by_value else {}
        self.refreshes += 1
        started = self._manual_run()
        if started is None and self.since("0.63.9") and not self.since("1.4.0"):
            return self.refusal("No value present", "java.util.NoSuchElementException")
        if by_value:
            return {"value": True}
        return {} if started is None else {"job": self.job(started)}

    def _cancel(self, body: dict[str, Any]) -> Any:
        """3.5, by the status of the connection's job."""
        requested, job = self._find(body), self.active()
        if not requested:
            return self._no_job(body)
        ignored = job is None or job.status == "pending" or (job.status == "incomplete" and not self.since("0.50.12"))
        if job and not ignored:
            self._end(job, "cancelled")
            self.resets = 0 if job.kind == "reset_connection" else self.resets
            if self.schedule == "basic" and job.is_scheduled and not self.since("1.4.0"):
                self.later.append((self.clock.time(), lambda: self.run("schedule")))
        return {"job": self.job(requested), "attempts": []}


# What happens to whoever submits a job: functions of an object that has an `airbyte` and a `clock`.


def job_of_somebody(status, seconds):
    def happen(world):
        world.airbyte.start(plan=[(status, seconds), ("running", 5.0), ("succeeded", 0.0)])

    return happen


def between(status, seconds, by="schedule"):
    """A run that starts after the list was read, and before our request arrives."""

    def happen(world):
        def begin():
            world.airbyte.on_request.clear()
            world.airbyte.start(by=by, plan=[(status, seconds), ("running", 5.0), ("succeeded", 0.0)])

        for path in ("sync", "reset", "clear", "refresh"):
            world.airbyte.on_request[f"connections/{path}"] = begin

    return happen


def lost(*losses):
    def happen(world):
        for path in ("sync", "reset", "clear", "refresh"):
            world.airbyte.lose[f"connections/{path}"] = list(losses)

    return happen


def cooling(seconds):
    def happen(world):
        world.airbyte.cooling = seconds
        world.airbyte.start(plan=[("running", 1.0), ("succeeded", 0.0)])
        world.clock.sleep(1.5)

    return happen


def both(*happenings):
    def happen(world):
        for each_of_them in happenings:
            each_of_them(world)

    return happen


EVENTS = {
    "nothing": lambda _world: None,
    "pending": job_of_somebody("pending", 20.0),
    "running": job_of_somebody("running", 20.0),
    "incomplete": job_of_somebody("incomplete", 20.0),
    "cooling": cooling(40.0),
    "lost before": lost("before"),
    "lost after": lost("after"),
    "lost twice": lost("before 502", "after 502"),
    "lost thrice after": lost("after", "after", "after"),
    "500 after it took effect": lost("after 500"),
    "lost while the connection is busy": both(cooling(40.0), lost("after")),
    "started between, running": between("running", 30.0),
    "started between, pending": between("pending", 5.0),
    "started between, incomplete": between("incomplete", 10.0),
}
