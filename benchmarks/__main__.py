"""Run all benchmarks: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import QUICK, Sizes, show
from benchmarks.one_state import one_state
from benchmarks.workspace import workspace

if TYPE_CHECKING:
    from benchmarks.figures import Figure

BENCHMARKS = {"one-state": one_state, "workspace": workspace}


def main() -> None:
    """Run, print the table, and write the figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the benchmarks run, and no more")
    parser.add_argument("--only", choices=BENCHMARKS, help="one of the two")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    figures: list[Figure] = []
    for name, benchmark in BENCHMARKS.items():
        if options.only in (None, name):
            figures += benchmark(sizes)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(_document(figures, sizes), indent=1) + "\n")


def _document(figures: list[Figure], sizes: Sizes) -> dict[str, object]:
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    listed = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    return {"machine": machine, "sizes": asdict(sizes), "figures": listed}


if __name__ == "__main__":
    main()
