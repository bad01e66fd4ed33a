"""The quickstart's part about one's own Airflow, command by command, in an Airflow that has no database yet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_airbyte_ext.testing.demo import ORDERS_ID, plant_demo

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"


def blocks(language: str) -> list[str]:
    """The page's blocks in this language, below the heading of that part."""
    part = PAGE.read_text().partition("## In your own Airflow\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


@pytest.mark.airbyte(auth="client_credentials", client_id="3fa85f64-5717-4562-b3fc-2c963f66afa6")
def test_the_quickstarts_commands_work_in_their_order(fake_airbyte, tmp_path: Path) -> None:
    """Nothing but the address is another one; the package is installed already."""
    plant_demo(fake_airbyte, 0.1)
    fake_airbyte.rotate_credentials(client_secret="the-client-secret")
    (dag,) = blocks("python")
    assert ORDERS_ID in dag
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "nightly_orders.py").write_text(dag)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "NO_PROXY": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = ""
    for script in blocks("bash"):
        commands = script.replace("https://airbyte.example.com", fake_airbyte.url)
        commands = re.sub(r"^pip install .*\n", "", commands, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-euc", commands], env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        said += done.stdout
    assert "Connection success!" in said
    assert [job["status"] for job in fake_airbyte.jobs(ORDERS_ID)] == ["succeeded"]
