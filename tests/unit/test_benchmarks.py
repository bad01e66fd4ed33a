"""The benchmarks run, so that they never rot; what they measure is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure

ROOT = Path(__file__).parents[2]


def test_quick_benchmarks_run_and_write_their_figures(tmp_path: Path) -> None:
    """`python -m benchmarks --quick` prints a table with every goal, and writes the same figures as JSON."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "figures.json").read_text())
    judged = [figure for figure in document["figures"] if figure["goal"] is not None]
    assert len(judged) == 4
    assert {figure["verdict"] for figure in judged} <= {"met", "MISSED"}
    assert "against the plain read" in done.stdout
    requests = next(figure for figure in document["figures"] if figure["what"].endswith(": requests"))
    assert requests["value"] >= document["sizes"]["connections"]


@pytest.mark.parametrize(("value", "goal", "verdict"), [(1.5, 1.5, "met"), (1.51, 1.5, "MISSED"), (9.0, None, "")])
def test_a_goal_is_the_most_that_may_be(value: float, goal: float | None, verdict: str) -> None:
    """A figure is judged against its goal, and not at all where it has none."""
    assert Figure("a", value, "x", goal).verdict == verdict
