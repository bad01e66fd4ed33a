"""What a harsh day needs: a fake Airbyte that can be frozen or away, an Airflow that notices soon, and many scenes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from typing import TYPE_CHECKING, Any

from real_airflow import FINAL_STATES, RealAirflow, Run, free_port, until

from airflow_airbyte_ext.testing import FakeAirbyte, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = [Step("pending"), Step("running", seconds=3600)]
KINDS = {"sync": "sync", "reset": "reset_connection", "refresh": "refresh"}
STARTS = {"sync": "syncConnection", "reset": "clearConnection", "refresh": "refreshConnectionStream"}
PATIENCE = 120.0
# Scenes at once, and how often each looks: more is too much for SQLite.
AT_ONCE = 8
POLL_INTERVAL = 0.8
# What asks Airbyte how a job is.
READS = ("getJobInfoLight", "listJobsForWorkspaces")


class _Served(FakeAirbyte):
    """What a proxy in another process can ask: methods alone, and responses that can be sent."""

    def begin(self) -> str:
        self.start()
        self._address = ("127.0.0.1", int(self.url.rpartition(":")[2]))
        return self.url

    def come_back(self) -> None:
        self.start()

    def count(self, *operations: str) -> int:
        return sum(request.operation_id in operations for request in self.journal)

    def running(self) -> list[dict[str, Any]]:
        """The jobs that have not ended."""
        return [job for job in self.jobs() if job["status"] not in ("succeeded", "failed", "cancelled")]

    def tokens_of_reads(self, job_id: int) -> set[str]:
        """The tokens with which the job was read, by itself or in a list."""
        return {
            request.headers.get("authorization", "")
            for request in self.journal
            if request.status == 200
            and (
                request.operation_id == READS[1] or (request.operation_id == READS[0] and request.body["id"] == job_id)
            )
        }


class _Manager(BaseManager):
    pass


_ASKED = (
    "add_connection",
    "advance",
    "begin",
    "come_back",
    "count",
    "fail_next",
    "jobs",
    "running",
    "script",
    "start_job",
    "stop",
)
_Manager.register("FakeAirbyte", _Served, exposed=(*_ASKED, "tokens_of_reads"))


class OwnAirbyte:
    """
    A fake Airbyte as a process of its own, which keeps its state while it is frozen or away.

    :param options: Of `FakeAirbyte`.
    """

    def __init__(self, **options: Any) -> None:
        self._manager = _Manager(ctx=get_context("spawn"))
        self._options = options

    def __enter__(self) -> OwnAirbyte:
        self._manager.start()
        self.fake = self._manager.FakeAirbyte(**self._options)  # type: ignore[attr-defined]
        self.url = str(self.fake.begin())
        self._pid = int(self._manager._process.pid)  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self._manager.shutdown()

    def freeze(self) -> None:
        """Take requests and response none."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def go_away(self) -> None:
        """Refuse every connection."""
        self.fake.stop()

    def come_back(self) -> None:
        self.fake.come_back()


class HarshAirflow(RealAirflow):
    """A real Airflow that notices within seconds what it otherwise notices within minutes."""

    def __init__(self, home: Path, dags_folder: Path) -> None:
        super().__init__(home, dags_folder)
        self.environment |= {
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "40",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        }
        self._calling = threading.Lock()

    def call(self, method: str, path: str, body: Any = None, *, expect: int | None = None) -> Any:
        """Call the REST API; one call at a time, for SQLite."""
        with self._calling:
            return super().call(method, path, body, expect=expect)

    def look(self, path: str) -> Any:
        """What the REST API has there; one call at a time, for SQLite."""
        with self._calling:
            return super().look(path)

    def add_airbyte(self, airbyte: OwnAirbyte) -> None:
        self.add_connection(
            "airbyte_e2e",
            conn_type="airbyteconfig",
            host=airbyte.url,
            login="00000000-0000-4000-8000-00000000c11d",
            password="fake-client-secret",
            extra='{"timeout": 5}',
        )

    def start_another(self, component: str) -> str:
        """Start a component that runs already once more, and return the name of the new one."""
        first, name = self.components[component], f"{component}-2"
        self.environment["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] = str(free_port())
        self.start(component)
        self.components |= {name: self.components[component], component: first}
        return name

    def triggerers(self) -> list[str]:
        return [name for name in self.components if name.startswith("triggerer")]

    def send(self, component: str, number: int) -> None:
        """Signal a component and all that it has started."""
        session = self.components[component].pid
        for pid in self.processes_of(session):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, component: str, number: int = signal.SIGKILL) -> None:
        self.send(component, number)
        self.components[component].wait(timeout=30)

    @staticmethod
    def processes_of(session: int) -> list[int]:
        found = []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError):
                if os.getsid(pid) == session:
                    found.append(pid)
        return found


class Scene:
    """
    One run of a DAG on an Airbyte connection of its own.

    :param kind: "sync", "reset" or "refresh".
    :param mode: "worker" or "deferred".
    :param variant: The DAG's further name, as in dags/one_job_dags.py.
    :param script: What the first job plays.
    """

    def __init__(
        self,
        airflow: HarshAirflow,
        airbyte: OwnAirbyte,
        kind: str = "sync",
        mode: str = "worker",
        variant: str = "plain",
        *,
        script: list[Step] | None = LONG,
    ) -> None:
        self.airflow = airflow
        self.airbyte = airbyte.fake
        self.kind = kind
        self.mode = mode
        self.dag_id = f"one_job_{kind}_{mode}_{variant}"
        self.connection_id = str(self.airbyte.add_connection(name=self.dag_id, streams=[("public", "orders")]))
        if script:
            self.airbyte.script(self.connection_id, script)
        self.run: Run | None = None

    def begin(self, **params: Any) -> Scene:
        """Run the DAG."""
        self.run = self.airflow.trigger(self.dag_id, connection_id=self.connection_id, **params)
        return self

    def begin_to_wait(self, **params: Any) -> Scene:
        """Run the DAG, and wait until its task waits for its job."""
        self.begin(**params)
        return self.waits()

    def waits(self, try_number: int = 1) -> Scene:
        """Wait until the task waits for its newest job."""
        self.is_in("running" if self.mode == "worker" else "deferred", try_number=try_number)
        self.until(self._looks_at_its_job, "the newest try looks at the job")
        return self

    def _looks_at_its_job(self) -> bool:
        assert self.run
        time.sleep(POLL_INTERVAL)
        if not self.jobs():
            return False
        log, job_id = self.run.log(self.task()["try_number"]), self.job_id()
        return f"Job {job_id}: running" in log or (f"Job {job_id} (" in log and "waiting for its end" in log)

    def task(self) -> dict[str, Any]:
        assert self.run
        return self.run.task()

    def is_in(self, *states: str, try_number: int = 1, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the task is in one of these states."""

        def look() -> dict[str, Any] | None:
            time.sleep(POLL_INTERVAL)
            task = self.task()
            return task if task["state"] in states and task["try_number"] >= try_number else None

        try:
            return until(look, f"{self.dag_id} becomes {states}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; it is {self.task()['state']}, its jobs are {self.jobs()}\n{self.log()}"
            ) from None

    def until(self, holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
        try:
            until(lambda: holds() or None, f"{self.dag_id}: {what}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; it is {self.task()['state']}, its jobs are {self.jobs()}\n{self.log()}"
            ) from None

    def jobs(self) -> list[str]:
        """The statuses of all jobs, the oldest first."""
        return [job["status"] for job in self.airbyte.jobs(self.connection_id)]

    def job_id(self) -> int:
        return int(self.airbyte.jobs(self.connection_id)[-1]["id"])

    def kinds(self) -> list[str]:
        return [job["kind"] for job in self.airbyte.jobs(self.connection_id)]

    def succeed(self) -> None:
        """Let the newest job succeed."""
        self.airbyte.advance(self.job_id(), "succeeded")

    def foreign(self, kind: str = "sync") -> int:
        """Start a job as somebody else would."""
        return int(self.airbyte.start_job(self.connection_id, KINDS[kind]))

    def kill_9(self) -> None:
        """kill -9 the process that runs the task."""
        os.kill(self.process(), signal.SIGKILL)

    def process(self) -> int:
        """The process that runs the task."""
        return int(until(lambda: self.task()["pid"], "the task has a process"))

    def watched_by(self) -> int | None:
        """The triggerer that waits for the job."""
        job = self.task()["triggerer_job"]
        return int(job["id"]) if job else None

    def kept(self) -> int | None:
        """The job that the task remembers."""
        assert self.run
        response = self.airflow.look(f"{self.run.path}/state-store/airbyte_job")
        return response["value"].get("job_id") if response else None

    def log(self) -> str:
        """The logs of all tries."""
        assert self.run
        with contextlib.suppress(Exception):
            return "\n".join(self.run.log(number) for number in range(1, self.task()["try_number"] + 1))
        return ""

    def ends(self, state: str, *jobs: str) -> None:
        """Check the verdict, and that these are all the jobs, the oldest first."""
        assert self.is_in(*FINAL_STATES)["state"] == state, f"{self.dag_id}\n{self.log()}"
        self.until(lambda: self.jobs() == list(jobs), f"its jobs become {jobs}", seconds=20)
        if state == "success" and "succeeded" in jobs:
            assert self.run
            assert self.run.xcom("job_id") == self.job_id()


def stage(
    airflow: HarshAirflow, airbyte: OwnAirbyte, scenes: dict[str, Callable[[HarshAirflow, OwnAirbyte], None]]
) -> Iterator[Callable[[str], None]]:
    """Play scenes at once, and tell of each how it went."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        played: dict[str, Future[None]] = {
            name: threads.submit(scene, airflow, airbyte) for name, scene in scenes.items()
        }
        yield lambda name: played[name].result()
