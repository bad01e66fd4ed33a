"""Every snippet of docs/testing.md runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(number, tmp_path):
    """As a script, or as a test module when it holds tests."""
    script = tmp_path / "test_snippet.py"
    script.write_text(SNIPPETS[number])
    command = [sys.executable, str(script)]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if "def test_" in SNIPPETS[number]:
        plugins = ["-p", "no:cacheprovider", "-p", "airflow_airbyte_ext.testing.pytest_plugin"]
        command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", *plugins, str(script)]
    outcome = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
