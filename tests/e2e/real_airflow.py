"""A real Airflow 3 with all its processes, on loopback and SQLite, driven through its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")

STARTUP_SECONDS = 150.0
WAIT_SECONDS = 60.0
FINAL_STATES = ("success", "failed", "upstream_failed", "skipped")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], Found | None], what: str, *, seconds: float = WAIT_SECONDS) -> Found:
    """Look again and again until there is something to see; fail with `what` when there is nothing in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class RealAirflow:
    """
    Scheduler, DAG processor, triggerer and API server as processes of their own.

    :param home: AIRFLOW_HOME: an empty folder.
    :param dags_folder: The DAGs.
    """

    api = "/api/v2"
    component_names: tuple[str, ...] = ("api-server", "scheduler", "dag-processor", "triggerer")

    def __init__(self, home: Path, dags_folder: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._session = requests.Session()
        self.components: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> RealAirflow:
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=self.environment, check=True, capture_output=True)
        for component in self.component_names:
            self.start(component)
        until(self._is_ready, f"Airflow starts (see {self.home}/*.log)", seconds=STARTUP_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for component in self.components.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(component.pid, number)
            for component in self.components.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    component.wait(timeout=10)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self, component: str) -> None:
        """Start one component in a session of its own, by which its workers are found later."""
        with (self.home / f"{component}.log").open("ab") as log:
            self.components[component] = subprocess.Popen(
                [sys.executable, "-m", "airflow", component],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def processes(self) -> Iterator[int]:
        """All processes of this Airflow; workers leave their parent's group, but not its session."""
        sessions = {component.pid for component in self.components.values()}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) in sessions:
                    yield int(stat.parent.name)

    def call(self, method: str, path: str, body: Any = None, *, expect: int | None = None) -> Any:
        """Call the REST API; SQLite makes simultaneous writes fail now and then, so a 500 is tried again."""
        for _ in range(10):
            response = self._session.request(method, self.url + path, json=body, timeout=30)
            if response.status_code != 500:
                break
            time.sleep(0.5)
        assert response.status_code == expect if expect else response.ok, (
            f"{path}: {response.status_code} {response.text[:500]}"
        )
        return response.json() if response.content else None

    def look(self, path: str) -> Any:
        """What the REST API has there; None where it has nothing."""
        response = self._session.get(self.url + path, timeout=30)
        return response.json() if response.ok else None

    def add_connection(self, connection_id: str, **fields: Any) -> None:
        self.call("POST", f"{self.api}/connections", {"connection_id": connection_id, **fields})

    def trigger(self, dag_id: str, **params: Any) -> Run:
        until(lambda: self.has_dag(dag_id), f"DAG {dag_id} is parsed")
        response = self.call("POST", f"{self.api}/dags/{dag_id}/dagRuns", self.new_run(params))
        return Run(self, dag_id, response["dag_run_id"])

    def new_run(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"logical_date": None, "conf": params}

    def new_state(self, state: str) -> dict[str, Any]:
        return {"new_state": state}

    def xcom_value(self, value: Any) -> Any:
        with contextlib.suppress(TypeError, ValueError):
            return json.loads(value)
        return value

    def _is_ready(self) -> bool | None:
        for name, component in self.components.items():
            assert component.poll() is None, f"{name} ended: see {self.home}/{name}.log"
        try:
            if not self.is_healthy():
                return None
            self.log_in()
        except (requests.RequestException, KeyError, TypeError, ValueError):
            return None
        return True

    def is_healthy(self) -> bool:
        health = self._session.get(self.url + "/api/v2/monitor/health", timeout=5).json()
        parts = ("scheduler", "triggerer", "dag_processor", "metadatabase")
        return all(health[part]["status"] == "healthy" for part in parts)

    def log_in(self) -> None:
        token = self._session.get(self.url + "/auth/token", timeout=30).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def has_dag(self, dag_id: str) -> bool | None:
        """True when Airflow has parsed the DAG."""
        return self._session.get(f"{self.url}{self.api}/dags/{dag_id}", timeout=30).ok or None


class Run:
    """One run of a DAG whose only task is called "task"."""

    def __init__(self, airflow: RealAirflow, dag_id: str, run_id: str) -> None:
        self.airflow = airflow
        self.dag_id = dag_id
        self.run_id = run_id
        self.path = f"{airflow.api}/dags/{dag_id}/dagRuns/{run_id}/taskInstances/task"

    def task(self) -> dict[str, Any]:
        response: dict[str, Any] = self.airflow.call("GET", self.path)
        return response

    def wait_for(self, *states: str, try_number: int = 1, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            task = self.task()
            return task if task["state"] in states and task["try_number"] >= try_number else None

        return until(
            look, f"{self.dag_id} becomes {' or '.join(states)} (it is {self.task()['state']})", seconds=seconds
        )

    def end(self, *, seconds: float = WAIT_SECONDS) -> str:
        return str(self.wait_for(*FINAL_STATES, seconds=seconds)["state"])

    def mark(self, state: str) -> None:
        self.airflow.call("PATCH", self.path, self.airflow.new_state(state))

    def clear(self) -> None:
        body = {"dry_run": False, "dag_run_id": self.run_id, "task_ids": ["task"], "only_failed": False}
        self.airflow.call("POST", f"{self.airflow.api}/dags/{self.dag_id}/clearTaskInstances", body)

    def xcom(self, key: str = "return_value") -> Any:
        """The value of an XCom, or None where there is none yet."""
        response = self.airflow._session.get(f"{self.airflow.url}{self.path}/xcomEntries/{key}", timeout=30)
        if response.status_code == 404:
            return None
        return self.airflow.xcom_value(response.json()["value"])

    def links(self) -> dict[str, str | None]:
        links: dict[str, Any] = self.airflow.call("GET", f"{self.path}/links")
        return links.get("extra_links", links)  # Airflow 2 has no name around them

    def log(self, try_number: int = 1) -> str:
        headers = {"Accept": "application/x-ndjson"}
        url = f"{self.airflow.url}{self.path}/logs/{try_number}?full_content=true"
        return self.airflow._session.get(url, headers=headers, timeout=30).text

    def kill_worker(self, number: int = signal.SIGKILL) -> None:
        """Send the process that runs the task a signal, by itself `kill -9`."""
        pid = until(lambda: self.task()["pid"], "the task has a process")
        os.kill(int(pid), number)
