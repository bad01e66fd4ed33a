"""A real Airflow 2 with all its processes, driven through its REST API as `real_airflow` drives Airflow 3."""

from __future__ import annotations

import ast
import contextlib
from typing import TYPE_CHECKING, Any

from real_airflow import RealAirflow, free_port

if TYPE_CHECKING:
    from pathlib import Path


class RealAirflow2(RealAirflow):
    """Scheduler, triggerer and webserver; anybody is an admin, as in the other."""

    api = "/api/v1"
    component_names = ("webserver", "scheduler", "triggerer")

    def __init__(self, home: Path, dags_folder: Path) -> None:
        super().__init__(home, dags_folder)
        (home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\nWTF_CSRF_ENABLED = False\n')
        self.environment |= {
            # It refuses SQLite with an executor that runs tasks side by side; a few of them do no harm.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__SECRET_KEY": "x",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }

    def new_run(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"conf": params}

    def new_state(self, state: str) -> dict[str, Any]:
        return {"new_state": state, "dry_run": False}

    def xcom_value(self, value: Any) -> Any:
        """Its API gives the text that Python makes of a value."""
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(value)
        return value

    def is_healthy(self) -> bool:
        health = self._session.get(self.url + "/health", timeout=5).json()
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "metadatabase"))

    def log_in(self) -> None:
        """Nobody needs to."""
