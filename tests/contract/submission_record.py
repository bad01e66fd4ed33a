"""
What a submission does, scene by scene: its end, its requests, what it keeps for a later try, and how long it takes.

This is kept in tests/data/submissions. Where a change of the code is to change them, write them again, and read
the difference: python tests/contract/submission_record.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from raw_server import RawServer
from submitting import settled, submit_refresh, submit_reset, submit_sync
from true_bytes import CONNECTION, http
from true_jobs import EVENTS, TrueJobs, between, both, cooling, lost

from airflow_airbyte_ext.api import AirbyteClient, ClientSettings
from airflow_airbyte_ext.exceptions import AirbyteError
from airflow_airbyte_ext.jobs.outage import Polling
from airflow_airbyte_ext.jobs.poll import wait_for_job
from airflow_airbyte_ext.jobs.running import resolve_running_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parents[1] / "data" / "submissions"
PATHS = [f"connections/{name}" for name in ("sync", "reset", "clear", "refresh")]
KINDS = {
    "0.36.0": ("sync", "reset"),
    "0.39.20": ("sync", "reset"),
    "0.63.0": ("sync", "reset", "refresh"),
    "1.1.0": ("sync", "reset", "refresh"),
    "2.0.0": ("sync", "reset", "refresh"),
}
SUBMIT: dict[str, Callable[..., Any]] = {
    "sync": submit_sync,
    "reset": submit_reset,
    "refresh": lambda *args, **more: submit_refresh(*args, mode="Merge", **more),
}


def setting(**values: Any) -> Callable[[Any], None]:
    return lambda world: [setattr(world.airbyte, name, value) for name, value in values.items()] and None  # type: ignore[return-value]


def ours_runs(world: Any) -> None:
    """A job of the same kind, which a reset must not take for its own."""
    kind = {"reset": "reset_connection"}.get(world.kind, world.kind)
    world.airbyte.start(kind, plan=[("running", 20.0), ("succeeded", 0.0)])


def others_without_end(world: Any) -> None:
    """Whenever we send a request, a job of somebody else has just begun."""

    def begin() -> None:
        if world.airbyte.active() is None:
            world.airbyte.start("reset_connection", plan=[("running", 8.0), ("succeeded", 0.0)])
        world.airbyte.on_request.update(dict.fromkeys(PATHS, begin))

    world.airbyte.on_request.update(dict.fromkeys(PATHS, begin))


def first(kind: str, *losses: str) -> Callable[[Any], None]:
    """Somebody else's job is created after the list was read, seconds before our request is sent."""

    def happen(world: Any) -> None:
        lost(*losses)(world)

        def begin() -> None:
            world.before_start = lambda: None
            world.clock.sleep(4)
            world.airbyte.start(kind, plan=[("pending", 20.0), ("running", 5.0), ("succeeded", 0.0)])
            world.clock.sleep(4)

        world.before_start = begin

    return happen


def held(world: Any) -> None:
    """Airbyte gives up our first request, and creates its job after all, seconds before we send the second one."""
    both(between("pending", 330.0), lost("", "before"))(world)

    def begin() -> None:
        world.clock.sleep(4)
        world.airbyte.start("reset_connection", "request", plan=[("running", 40.0), ("succeeded", 0.0)])
        world.clock.sleep(4)

    begins = iter([lambda: None, begin])
    world.before_start = lambda: next(begins, lambda: None)()


def a_run_before_ours(world: Any) -> None:
    """The stored refresh runs before we send our request, and then a sync."""

    def begin() -> None:
        world.airbyte.start("refresh", plan=[("succeeded", 0.0)])
        world.airbyte.start(plan=[("pending", 20.0), ("succeeded", 0.0)])

    world.before_start = begin


def busy_with_a_run_between(world: Any) -> None:
    cooling(40.0)(world)
    world.airbyte.after(35, world.airbyte.schedule_runs)


def refused_by_a_proxy(world: Any) -> None:
    page = http("403 Forbidden", "<html>no</html>", "text/html")
    for path in PATHS:
        world.server.on(path, page)


# What happens, and what the task knows of an earlier try.
SCENES: dict[str, tuple[Callable[[Any], None], dict[str, Any]]] = {
    **{name: (event, {}) for name, event in EVENTS.items()},
    "one of our kind runs": (ours_runs, {}),
    "others without end": (others_without_end, {}),
    "one was cancelled just now": (lambda world: world.airbyte.start(plan=[("cancelled", 0.0)]), {}),
    "a sync is there first": (first("sync"), {}),
    "a sync is there first, and the request is lost": (first("sync", "after"), {}),
    "a reset is there first": (first("reset_connection"), {}),
    "a reset is there first, and it is stored": (first("reset_connection"), {"earlier": 0, "is_stored": True}),
    "started between, and then what is stored": (
        both(between("running", 30.0), lambda world: world.airbyte.after(36, world.airbyte.schedule_runs)),
        {},
    ),
    "started between, very slow, and then what is stored": (
        both(between("pending", 330.0), lambda world: world.airbyte.after(335.2, world.airbyte.schedule_runs)),
        {},
    ),
    "the request is held": (held, {}),
    "what is stored runs first, and then a sync": (a_run_before_ours, {"earlier": 0, "is_stored": True}),
    "busy, and the clocks differ": (both(cooling(40.0), setting(date_ahead=20.0)), {}),
    "busy, a run, and busy again": (busy_with_a_run_between, {}),
    "a reset has ended, and the request is lost": (
        both(lambda world: world.airbyte.start("reset_connection", plan=[("succeeded", 0.0)]), lost("before")),
        {},
    ),
    "refused by a proxy": (refused_by_a_proxy, {}),
    "never arrives": (lost(*["before"] * 20), {}),
    "busy for ever": (cooling(1e6), {}),
    "paused": (setting(status="inactive"), {}),
    "a refresh is stored": (setting(refreshes=1), {}),
    "a reset is stored": (setting(resets=1), {}),
    "a reset is stored, and fails": (setting(resets=1, ends=["failed"]), {}),
    "a reset is stored, and the request is lost": (both(setting(resets=1), lost("after")), {}),
    "a reset is stored, and the connection is busy": (both(cooling(40.0), setting(resets=1)), {}),
    "no refreshes": (setting(supports_refreshes=False), {}),
    "no date": (setting(dates=False), {}),
    "a try before": (lambda world: world.airbyte.start(plan=[("running", 5.0), ("succeeded", 0.0)]), {"earlier": 0}),
    "a try before that sent nothing": (cooling(0.0), {"earlier": 1}),
    "a try before that stored it": (setting(refreshes=1), {"earlier": 0, "is_stored": True}),
    "a try before that stored it, and it is lost": (setting(refreshes=0), {"earlier": 0, "is_stored": True}),
    "a try before that stored it, and a job runs": (
        both(EVENTS["running"], setting(refreshes=1)),
        {"earlier": 0, "is_stored": True},
    ),
    "a try before that followed a reset": (
        lambda world: world.airbyte.start("reset_connection", plan=[("succeeded", 0.0)]),
        {"followed": 1},
    ),
    "a try before that followed a reset which failed": (
        lambda world: world.airbyte.start("reset_connection", plan=[("failed", 0.0)]),
        {"followed": 1},
    ),
}


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0

    def time(self) -> float:
        return self.now

    def run(self, call: Any) -> Any:
        return call()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class World:
    def __init__(self, release: str, client: AirbyteClient, server: RawServer, airbyte: TrueJobs, clock: Clock) -> None:
        self.release, self.client, self.server, self.airbyte, self.clock = release, client, server, airbyte, clock
        self.kept: list[str] = []
        self.kind = ""
        self.before_start: Callable[[], None] = lambda: None

    def submit(self, kind: str, how: str, **known: Any) -> str:
        """Submit, and say how that ended."""
        options: dict[str, Any] = {
            "before_start": self._begin,
            "on_stored": lambda: self.kept.append("stored"),
            "on_refusal": lambda: self.kept.append("refused"),
            **known,
        }
        if kind == "sync":
            options["attach"] = how == "attach"
        if how in ("attach", "wait"):
            options |= {"resolve_running_job": self._way(kind, how), "wait": self._wait}
        try:
            submission = SUBMIT[kind](self.client, CONNECTION, clock=self.clock, **options)
        except AirbyteError as error:
            named = [name for name in ("connection_id", "job_id") if getattr(error, name, None) is not None]
            again = "may be tried again" if error.retryable else "final"
            first = str(error).replace(CONNECTION, "X").replace(self.server.url, "URL")
            return f"{type(error).__name__} ({', '.join([*named, again])}): {first}"
        return f"job {submission.job.id} ({submission.job.config_type}{', attached to' * submission.attached})"

    def _begin(self, newest: int) -> None:
        self.kept.append(f"after {newest}")
        self.before_start()

    def _way(self, kind: str, how: str) -> Callable[[], Any]:
        def way() -> Any:
            except_kind = "sync" if how == "attach" else None
            return resolve_running_job(
                self.client,
                CONNECTION,
                how="wait",
                clock=self.clock,
                except_kind=except_kind,
                polling=Polling(5),
            )

        return way if kind == "sync" else lambda: settled(self.client, CONNECTION, way, clock=self.clock)

    def _wait(self, job: Any) -> Any:
        return wait_for_job(self.client, job.id, clock=self.clock, connection_id=CONNECTION, polling=Polling(5))

    @property
    def requests(self) -> str:
        """The requests, by the ends of their paths; what comes again and again stands in brackets."""
        text = "".join(f"{request.path.partition('/v1/')[2]}, " for request in self.server.journal)
        again = re.compile(r"((?:[^,()]+, ){1,8}?)\1+")
        return again.sub(lambda found: f"({found[1][:-2]}) x{len(found[0]) // len(found[1])}, ", text).rstrip(", ")


def scenes_of(release: str) -> Iterator[str]:
    """Play each scene of a release, and return what is said of it."""
    for kind in KINDS[release]:
        for how in ("attach", "wait", "fail") if kind == "sync" else ("wait", "fail"):
            for name, (happen, known) in SCENES.items():
                yield _played(release, kind, how, name, happen, known)


def _played(release: str, kind: str, how: str, name: str, happen: Callable[[Any], None], known: dict[str, Any]) -> str:
    clock = Clock()
    airbyte = TrueJobs(release, clock=clock)
    server = RawServer(airbyte)
    settings = ClientSettings(base_url=server.url, timeout=30)
    try:
        with AirbyteClient(settings, clock=clock, attempts=1) as client:
            world = World(release, client, server, airbyte, clock)
            world.kind = kind
            happen(world)
            client.release()
            server.journal.clear()
            began = clock.now
            end = world.submit(kind, how, **known)
            took = clock.now - began
    finally:
        server.close()
    kept = ", ".join(world.kept) or "nothing"
    return f"{kind}, {how}: {name}\n  {end}\n  requests: {world.requests}\n  keeps: {kept}; took {took:.0f} s\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in KINDS:
        (FOLDER / f"{each}.txt").write_text("\n".join(scenes_of(each)))
