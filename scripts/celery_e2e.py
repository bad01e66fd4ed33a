"""
Kills workers under CeleryExecutor and sees that each task has one job, and its verdict.

`bash scripts/celery-e2e` makes the environment and then runs this.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
E2E = ROOT / "tests" / "e2e"
sys.path.insert(0, str(E2E))

from process_chaos import HarshAirflow, OwnAirbyte, Scene  # noqa: E402
from real_airflow import free_port, until  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WORKER = "celery worker"
DATABASE = "airflow"
USER = "airflow"


class CeleryAirflow(HarshAirflow):
    """A real Airflow with CeleryExecutor on PostgreSQL, and one worker."""

    def __init__(self, home: Path, *, postgres: int, redis: int) -> None:
        super().__init__(home, E2E / "dags")
        address = f"{USER}@127.0.0.1:{postgres}/{DATABASE}"
        self.environment |= {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
            "PYTHONPATH": str(ROOT),
        }

    def __enter__(self) -> CeleryAirflow:
        super().__enter__()
        self.start(WORKER)
        return self

    def start(self, component: str) -> None:
        """Start one component; a worker's log server is of no use here."""
        words = component.split()
        options = ["--skip-serve-logs"] if component == WORKER else []
        with (self.home / f"{words[-1]}.log").open("ab") as log:
            self.components[component] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *words, *options],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def killed_while_it_waits(_airflow: CeleryAirflow, scene: Scene) -> None:
    """kill -9 of the task's process."""
    scene.begin_to_wait()
    scene.kill_9()
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


def worker_terminated(airflow: CeleryAirflow, scene: Scene) -> None:
    """SIGTERM of the whole worker, and another worker."""
    scene.begin_to_wait()
    airflow.send(WORKER, signal.SIGTERM)
    airflow.components[WORKER].wait(timeout=60)
    if scene.jobs() != ["running"]:
        raise AssertionError(f"the job did not run on: {scene.jobs()}")
    airflow.start(WORKER)
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


def worker_killed(airflow: CeleryAirflow, scene: Scene) -> None:
    """kill -9 of the whole worker, and another worker."""
    scene.begin_to_wait()
    airflow.kill(WORKER)
    airflow.start(WORKER)
    scene.waits(try_number=2)
    scene.succeed()
    scene.ends("success", "succeeded")


def marked_failed(_airflow: CeleryAirflow, scene: Scene) -> None:
    """Marked as failed while it is deferred."""
    scene.begin_to_wait()
    assert scene.run
    scene.run.mark("failed")
    scene.ends("failed", "cancelled")


SCENES: Sequence[tuple[Callable[[CeleryAirflow, Scene], None], str]] = (
    (killed_while_it_waits, "worker"),
    (worker_terminated, "worker"),
    (worker_killed, "worker"),
    (marked_failed, "deferred"),
)


def unprivileged() -> str | None:
    """Return who PostgreSQL and Redis are to be: not root, which PostgreSQL refuses; None for who this is."""
    return "nobody" if os.getuid() == 0 else None


@contextlib.contextmanager
def services(folder: Path) -> Iterator[tuple[int, int]]:
    """Start PostgreSQL and Redis of our own, and tell their ports."""
    user = unprivileged()
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    data, (postgres, redis) = folder / "postgres", (free_port(), free_port())
    log = folder / "services.log"

    def start(*command: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=folder,
                stdout=out,
                stderr=out,
                user=user,
                extra_groups=[] if user else None,
                group=pwd.getpwnam(user).pw_gid if user else None,
                start_new_session=True,
            )

    if start("initdb", "-D", str(data), "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync").wait():
        raise SystemExit(log.read_text())
    running = [
        start(
            "postgres", "-D", str(data), "-p", str(postgres), "-k", str(folder), "-h", "127.0.0.1", "-c", "fsync=off"
        ),
        start("redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
    ]
    try:
        until(lambda: _is_there(postgres), "PostgreSQL responses")
        subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(postgres), "-U", USER, DATABASE], check=True)
        yield postgres, redis
    finally:
        for service in running:
            service.send_signal(signal.SIGINT)
        for service in running:
            try:
                service.wait(timeout=10)
            except subprocess.TimeoutExpired:
                service.kill()


def _is_there(port: int) -> bool | None:
    requested = subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
    return requested.returncode == 0 or None


def main() -> int:
    """Play the scenes; the exit status says whether all went right."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="celery-e2e-"))
    table = Table("scenario", "jobs seen", "task", "verdict")
    right = True
    try:
        home = folder / "airflow"
        home.mkdir()
        with (
            services(folder) as (postgres, redis),
            OwnAirbyte(auth="client_credentials") as airbyte,
            CeleryAirflow(home, postgres=postgres, redis=redis) as airflow,
        ):
            airflow.add_airbyte(airbyte)
            for play, mode in SCENES:
                scene = Scene(airflow, airbyte, "sync", mode)
                problem = ""
                try:
                    play(airflow, scene)
                except Exception as error:
                    problem, right = str(error) or repr(error), False
                state = scene.task()["state"] if scene.run else None
                table.add_row(str(play.__doc__), ", ".join(scene.jobs()), str(state), problem or "right")
    finally:
        if os.environ.get("KEEP"):
            print(f"The logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    Console(width=120).print(table)
    print(f"{'All right' if right else 'Something is wrong'}, in {time.monotonic() - began:.0f} s.")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
