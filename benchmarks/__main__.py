"""Run all benchmarks: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import QUICK, Sizes, show, show_comparisons
from benchmarks.fleet_stub import running_fleet
from benchmarks.official import ROOT, official_python, versions
from benchmarks.one_state import one_state
from benchmarks.start import imports, submit
from benchmarks.waits import waits
from benchmarks.workspace import workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.figures import Comparison, Figure

BENCHMARKS = {"one-state": one_state, "workspace": workspace}
# These stand beside the official provider.
COMPARED = {"waits": waits, "submit": submit, "imports": imports}


def main() -> None:
    """Run, print the tables, and write the figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the benchmarks run, and no more")
    parser.add_argument("--only", choices=[*BENCHMARKS, *COMPARED], action="append", help="one; may be given again")
    parser.add_argument("--no-official", action="store_true", help="leave the official provider out")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    # As pip did for the official side: else each new process of ours compiles it again.
    compileall.compile_dir(ROOT / "airflow_airbyte_ext", quiet=1)
    sizes = QUICK if options.quick else Sizes()
    wanted = options.only or [*BENCHMARKS, *COMPARED]
    figures = [figure for name, run in BENCHMARKS.items() if name in wanted for figure in run(sizes)]
    if figures:
        show(figures)
    comparisons: list[Comparison] = []
    against: dict[str, str] = {}
    if names := [name for name in COMPARED if name in wanted]:
        python = None if options.no_official else _official(may_install=not options.quick)
        against = versions(python) if python else {}
        comparisons = _compared(names, sizes, python)
        print("Official:", ", ".join(f"{name} {version}" for name, version in against.items()) or "left out")
        show_comparisons(comparisons)
    if options.json:
        document = {**_document(figures, comparisons, sizes), "official": against}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


def _official(*, may_install: bool) -> Path | None:
    python = official_python(may_install=may_install)
    if python is None:
        advice = "a run without --quick installs it" if not may_install else "see above"
        print(f"The official provider is not installed ({advice}): its side is left out.")
    return python


def _compared(names: Iterable[str], sizes: Sizes, official: Path | None) -> list[Comparison]:
    with running_fleet() as stub:
        return [line for name in names for line in COMPARED[name](sizes, stub, official)]


def _document(figures: list[Figure], comparisons: list[Comparison], sizes: Sizes) -> dict[str, object]:
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    listed = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    compared = [{**asdict(line), "ratio": line.ratio, "verdict": line.verdict} for line in comparisons]
    return {"machine": machine, "sizes": asdict(sizes), "figures": listed, "comparisons": compared}


if __name__ == "__main__":
    main()
