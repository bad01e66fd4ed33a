"""
What users do with an Airbyte, and since which release: one table for a test of each release, and for the documentation.

Each row is done against an Airbyte of each release, by the functions that operators, sensors and the shell are made of.
"""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_steps import restored
from submitting import submit_refresh, submit_reset, submit_sync

from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.connections.find import connection_by_name, find_connections
from airflow_airbyte_ext.connections.update import apply_changes
from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteError,
    AirbyteOperationMissingError,
    AirbyteRestoreRefusedError,
)
from airflow_airbyte_ext.jobs.cancel import cancel_job
from airflow_airbyte_ext.jobs.logs import attempt_log_tail
from airflow_airbyte_ext.jobs.poll import JobWait, JobWatch, wait_for_job
from airflow_airbyte_ext.jobs.report import JobReport, job_page, read_report, workspace_of
from airflow_airbyte_ext.jobs.syncs import SyncPoller
from airflow_airbyte_ext.jobs.watcher import JobWatcher
from airflow_airbyte_ext.snapshots.restore import Restorer
from airflow_airbyte_ext.snapshots.snapshot import take_snapshot
from airflow_airbyte_ext.snapshots.state import content_of
from airflow_airbyte_ext.snapshots.store import SnapshotStore
from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_airbyte_ext.api import AirbyteClient

STREAMS = [("public", "orders"), "users"]
REASON = Failure("destination", "config_error", "The lake was drained.", internal="java.lang.Lake")
RUNNING = [Step("running", polls=1_000)]


class AtOnce(Executor):
    """Runs everything at once, in the thread that submits it."""

    def submit(self, fn, /, *args, **kwargs):
        done: Future = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@dataclass
class Scene:
    """An Airbyte with a connection, and a client of it."""

    airbyte: FakeAirbyte
    client: AirbyteClient
    connection_id: str
    clock: object
    folder: Path

    def job(self, *steps: Step) -> int:
        """Submit a sync that goes as the steps say, and return its id."""
        self.airbyte.script(self.connection_id, steps or [Step("running", polls=2), Step("succeeded", records=7)])
        return submit_sync(self.client, self.connection_id, clock=self.clock).job.id

    def wait(self, job_id: int) -> str | None:
        """Wait for a job, and return how it ended."""
        return wait_for_job(self.client, job_id, clock=self.clock, connection_id=self.connection_id).status

    def report(self, job_id: int) -> JobReport:
        return read_report(self.client, job_id, connection_id=self.connection_id, attached=False, clock=self.clock)


def sync_in_a_worker(scene: Scene) -> None:
    assert scene.wait(scene.job()) == "succeeded"


def sync_in_the_triggerer(scene: Scene) -> None:
    """Five waits, so that those releases that list the jobs of a workspace are read by that list."""
    ids = [scene.connection_id, *(scene.airbyte.add_connection(f"More {number}") for number in range(4))]
    workspace = workspace_of(scene.client, scene.connection_id)
    ended: dict[int, str | None] = {}
    watcher = JobWatcher(scene.client, clock=scene.clock, threads=AtOnce())
    for connection_id in ids:
        scene.airbyte.script(connection_id, [Step("running", seconds=30), Step("succeeded")])
        job = submit_sync(scene.client, connection_id, clock=scene.clock).job
        wait = JobWait(
            job.id,
            on_end=lambda end, job_id=job.id: ended.update({job_id: getattr(end, "status", repr(end))}),
            connection_id=connection_id,
            workspace_id=workspace,
            updated_at=job.updated_at,
        )
        watcher.add(wait)
    for _ in range(400):
        watcher.step()
        scene.clock.sleep(0.5)  # type: ignore[attr-defined]
        if len(ended) == len(ids):
            break
    assert set(ended.values()) == {"succeeded"}


def sync_by_a_sensor(scene: Scene) -> None:
    job_id = scene.job()
    watch = JobWatch(scene.client, job_id, clock=scene.clock)
    seen = [job.status for _ in range(9) if (job := watch.poll())]
    assert seen[-1] == "succeeded"
    syncs = SyncPoller(scene.connection_id, since=0.0, clock=scene.clock)
    assert syncs.poll(scene.client) == job_id


def report_of_a_job(scene: Scene) -> None:
    failed = scene.job(
        Step("running", records=5, bytes=50),
        Step("incomplete", failure=REASON),
        Step("running"),
        Step("failed", failure=REASON),
    )
    assert scene.wait(failed) == "failed"
    report = scene.report(failed)
    assert report.attempts == 2
    assert "The lake was drained." in str(report.failure)
    good = scene.job(Step("running", records=7, bytes=70), Step("succeeded"))
    scene.wait(good)
    assert (scene.report(good).attempts, scene.report(good).records_synced) == (1, 7)


def log_of_a_job(scene: Scene) -> None:
    job_id = scene.job(Step("running"), Step("failed", failure=REASON))
    scene.wait(job_id)
    assert any("java.lang.Lake" in line.message for line in attempt_log_tail(scene.client, job_id, 0))


def page_of_a_job(scene: Scene) -> None:
    page = job_page(scene.client, connection_id=scene.connection_id, job_id=scene.job())
    assert page is not None
    assert f"/workspaces/{scene.airbyte.workspace_id}/connections/{scene.connection_id}/" in page


def cancel_a_job(scene: Scene) -> None:
    job_id = scene.job(*RUNNING)
    cancelled = cancel_job(scene.client, job_id, connection_id=scene.connection_id, clock=scene.clock)
    assert cancelled is not None
    assert cancelled.status == "cancelled"


def reset_a_connection(scene: Scene) -> None:
    scene.wait(scene.job())
    job = submit_reset(scene.client, scene.connection_id, clock=scene.clock).job
    assert scene.wait(job.id) == "succeeded"
    assert job.config_type == "reset_connection"


def reset_single_streams(scene: Scene) -> None:
    job = submit_reset(scene.client, scene.connection_id, clock=scene.clock, streams=[("public", "orders")]).job
    assert scene.wait(job.id) == "succeeded"


def refresh_a_connection(scene: Scene) -> None:
    scene.airbyte.refreshes_activated = True
    job = submit_refresh(scene.client, scene.connection_id, mode="Merge", clock=scene.clock).job
    assert scene.wait(job.id) == "succeeded"
    assert job.config_type == "refresh"


def back_up_state(scene: Scene) -> None:
    scene.wait(scene.job())
    store = SnapshotStore(scene.folder)
    store.write(take_snapshot(scene.client, scene.connection_id, clock=scene.clock))
    (ref,) = store.snapshots(scene.connection_id)
    assert store.read(ref).state == json.loads(json.dumps(scene.airbyte.state(scene.connection_id)))


def restore_state(scene: Scene) -> None:
    scene.wait(scene.job())
    before = take_snapshot(scene.client, scene.connection_id, clock=scene.clock)
    scene.wait(scene.job())
    restorer = Restorer(scene.client, SnapshotStore(scene.folder), scene.connection_id, clock=scene.clock)
    restored(restorer, lambda _now: before.content)
    assert content_of(scene.airbyte.state(scene.connection_id)).digest() == before.content.digest()


def find_a_connection(scene: Scene) -> None:
    name, workspace = "Orders", workspace_of(scene.client, scene.connection_id) or ""
    assert connection_by_name(scene.client, workspace_id=workspace, name=name).connection_id == scene.connection_id
    assert [row.name for row in find_connections(scene.client, workspace_id=workspace)] == [name]


def find_by_tag(scene: Scene) -> None:
    scene.airbyte.add_connection("Tagged", tags=["nightly"])
    found = find_connections(scene.client, workspace_id=scene.airbyte.workspace_id, tags=["nightly"])
    assert [row.name for row in found] == ["Tagged"]


def change_a_connection(scene: Scene) -> None:
    before = scene.client.get_connection(connection_id=scene.connection_id)
    apply_changes(scene.client, scene.connection_id, {"name": "New"}, schedule={"units": 2, "timeUnit": "hours"})
    after = scene.client.get_connection(connection_id=scene.connection_id)
    assert (after.name, after.schedule.units) == ("New", 2)
    assert after.streams() == before.streams()


@dataclass(frozen=True)
class Capability:
    """
    Something that users do.

    :param what: As the documentation says it.
    :param do: Does it, and asserts that it is done.
    :param since: The first release that can.
    :param error: What comes before that.
    """

    what: str
    do: Callable[[Scene], None]
    since: str = "0.36.0"
    error: type[AirbyteError] = AirbyteOperationMissingError

    def is_in(self, release: str) -> bool:
        return Release("dev" if release == "head" else release).is_at_least(self.since)


CAPABILITIES = (
    Capability("sync, waiting in a worker", sync_in_a_worker),
    Capability("sync, waiting in the triggerer", sync_in_the_triggerer),
    Capability("sensors", sync_by_a_sensor),
    Capability("report: reason, attempts, records", report_of_a_job),
    Capability("the end of Airbyte's log", log_of_a_job),
    Capability("link to the job", page_of_a_job),
    Capability("cancel", cancel_a_job),
    Capability("reset", reset_a_connection),
    Capability("reset of single streams", reset_single_streams, "0.42.0"),
    Capability("refresh", refresh_a_connection, "0.57.2"),
    Capability("backup of state", back_up_state),
    Capability("restore of state", restore_state, "0.40.3", AirbyteRestoreRefusedError),
    Capability("find a connection by name", find_a_connection),
    Capability("find connections by tag", find_by_tag, "1.6.0", AirbyteConfigurationError),
    Capability("change a connection", change_a_connection),
)
RELEASES = (
    *("0.36.0", "0.40.6", "0.40.20", "0.40.28", "0.40.32", "0.50.8", "0.50.31", "0.57.4", "0.64.7", "1.2.0"),
    *("1.8.0", "2.0.0", "2.2.0", "2.4.0", "head"),
)
OPEN, TOKEN = "none", "token check"
# Pro and Enterprise check tokens since 0.50, the community edition since 0.63.9 (facts, 4).
SETUPS = [(release, OPEN) for release in RELEASES] + [
    (release, TOKEN) for release in RELEASES if Release("dev" if release == "head" else release).is_at_least("0.50.0")
]


def options_of(release: str, setup: str) -> dict[str, str]:
    """The fake's arguments for an Airbyte of this release and set-up."""
    if setup == OPEN:
        return {}
    is_community = Release("dev" if release == "head" else release).is_at_least("0.63.9")
    return {"auth": "client_credentials"} if is_community else {"auth": "bearer"}
