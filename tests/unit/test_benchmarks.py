"""The benchmarks run, so that they never rot; what they measure is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Comparison, Figure

ROOT = Path(__file__).parents[2]


def test_quick_benchmarks_run_and_write_their_figures(tmp_path: Path) -> None:
    """`python -m benchmarks --quick` prints a table with every goal, and writes the same figures as JSON."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--no-official"]
    command += ["--json", str(tmp_path / "figures.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "figures.json").read_text())
    judged = [figure for figure in document["figures"] if figure["goal"] is not None]
    assert len(judged) == 4
    assert {figure["verdict"] for figure in judged} <= {"met", "MISSED"}
    assert "against the plain read" in done.stdout
    requests = next(figure for figure in document["figures"] if figure["what"].endswith(": requests"))
    assert requests["value"] >= document["sizes"]["connections"]
    compared = document["comparisons"]
    assert {line["verdict"] for line in compared if line["goal"] is not None} <= {"met", "MISSED", "?"}
    assert not [line for line in compared if "had not ended" in line["what"]]
    # Of what the official provider does, only what is computed is there without it.
    assert all("computed" in line["what"] for line in compared if line["official"] is not None)
    assert "1 ms away: `execute` to the POST" in done.stdout


@pytest.mark.parametrize(("value", "goal", "verdict"), [(1.5, 1.5, "met"), (1.51, 1.5, "MISSED"), (9.0, None, "")])
def test_a_goal_is_the_most_that_may_be(value: float, goal: float | None, verdict: str) -> None:
    """A figure is judged against its goal, and not at all where it has none."""
    assert Figure("a", value, "x", goal).verdict == verdict


@pytest.mark.parametrize(
    ("official", "ours", "goal", "is_ratio", "verdict"),
    [
        (9.0, 1.0, 1.0, False, "met"),
        (9.0, 1.1, 1.0, False, "MISSED"),
        (None, 1.0, 1.0, False, "met"),
        (2.0, 1.0, 0.5, True, "met"),
        (2.0, 1.1, 0.5, True, "MISSED"),
        (None, 1.0, 0.5, True, "?"),
        (2.0, 1.0, None, False, ""),
    ],
)
def test_a_comparison_is_judged_by_ours_or_by_the_ratio(
    official: float | None, ours: float, goal: float | None, is_ratio: bool, verdict: str
) -> None:
    """Without the official side a goal for the ratio cannot be judged."""
    assert Comparison("a", official, ours, "s", goal, is_ratio).verdict == verdict
