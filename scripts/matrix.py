"""Build an environment for each supported line of Airflow, run its tests there, and print a table of how they ended."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".matrix"
UV = HOME / "uv" / "bin" / "uv"
# What was newest on this day works with each line that has no day of its own.
NEWEST = "2026-11-25"
TOOLS = (
    "pytest",
    "pytest-mock",
    "pytest-timeout",
    "hypothesis",
    "psutil",
    "moto[s3]",
    "flask",
    "flask-cors",
    "s3fs",
    "jsonschema",
    "apache-airflow-providers-http",
    # The fake's, by themselves: Airflow 3.0 takes no starlette without a known hole, which the extra would want.
    "starlette",
    "uvicorn",
)
# Each part, and what pytest is given for it.
PARTS = {
    "unit": ("tests/unit/airflow_side",),
    "examples": ("tests/e2e/test_example_dags.py", "tests/docs/test_migration.py"),
    "real": ("tests/e2e/test_every_line.py",),
}


class Line(NamedTuple):
    """
    One line of Airflow.

    :param airflow: Its release.
    :param python: The Python that it is tested with.
    :param exclude_newer: The day whose packages it runs with, where later ones break it.
    """

    airflow: str
    python: str
    exclude_newer: str = NEWEST

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.airflow} on {self.python}"


LINES = (
    Line("2.11.2", "3.11"),
    # Its workers cannot talk to its API server with fastapi 0.165.
    Line("3.0.6", "3.12", "2025-09-25"),
    Line("3.1.8", "3.12"),
    # No task of it runs with pydantic 2.14.
    Line("3.2.2", "3.13", "2026-06-15"),
    Line("3.3.2", "3.11"),
    Line("3.3.2", "3.12"),
    Line("3.3.2", "3.13"),
)
# Releases that close a hole, and are newer than the days above.
ALWAYS_NEWEST = ("urllib3", "apache-airflow-providers-common-compat")


def interpreter(version: str) -> str | None:
    """Return the path of a Python; None where this machine has none of that version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))]
    for path in filter(None, found):
        check = f"import sys; sys.exit('{version}' != '%s.%s' % sys.version_info[:2])"
        if subprocess.run([path, "-c", check], capture_output=True, check=False).returncode == 0:
            return path
    return None


def environment(line: Line, base: str) -> Path:
    """Return the Python of a line's environment; it is made where there is none for what is wanted now."""
    folder = HOME / f"{line.airflow}-py{line.python}"
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = f"{line} {TOOLS} {(ROOT / 'pyproject.toml').read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    if not UV.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME / "uv"], check=True)
        subprocess.run([HOME / "uv" / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    subprocess.run([UV, "venv", "--quiet", "--python", base, folder], check=True)
    newest = [option for name in ALWAYS_NEWEST for option in ("--exclude-newer-package", f"{name}={NEWEST}")]
    install = [str(UV), "pip", "install", "--quiet", "--python", str(python), *newest]
    install += ["--exclude-newer", line.exclude_newer]
    subprocess.run([*install, f"apache-airflow=={line.airflow}", "--editable", str(ROOT), *TOOLS], check=True)
    stamp.write_text(wanted)
    return python


def run(line: Line, python: Path, part: str) -> str:
    """Run one part of a line's tests, and return how it ended."""
    log, started = HOME / f"{line.airflow}-py{line.python}-{part}.log", time.monotonic()
    with tempfile.TemporaryDirectory() as home, log.open("w") as output:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-q", *PARTS[part]]
        ended = subprocess.run(
            command, cwd=ROOT, env={**inherited, "AIRFLOW_HOME": home}, stdout=output, stderr=output, check=False
        )
    lines = log.read_text(errors="replace").splitlines()
    counts = ", ".join(re.findall(r"\d+ (?:passed|failed|error|skipped)", lines[-1] if lines else ""))
    print(f"{line.name}: {part}: {counts or 'no result'} in {time.monotonic() - started:.0f} s", flush=True)
    if ended.returncode:
        print("\n".join(lines[-60:]), f"\nThe whole log: {log.relative_to(ROOT)}", flush=True)
    return f"{'' if ended.returncode == 0 else 'FAILED: '}{counts or 'no result'}"


def main(wanted: list[str]) -> int:
    """Test the lines that are named, or all of them."""
    unknown = set(wanted) - {line.airflow for line in LINES}
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}; there are {', '.join(dict.fromkeys(x.airflow for x in LINES))}.")
        return 2
    HOME.mkdir(exist_ok=True)
    rows: list[tuple[str, ...]] = []
    for line in LINES:
        if wanted and line.airflow not in wanted:
            continue
        base = interpreter(line.python)
        if base is None:
            rows.append((line.name, *("no such Python here" for _ in PARTS)))
            continue
        python = environment(line, base)
        rows.append((line.name, *(run(line, python, part) for part in PARTS)))
    print("\n| Airflow |", " | ".join(PARTS), "|\n|---|" + "---|" * len(PARTS))
    for row in rows:
        print("|", " | ".join(row), "|")
    return int(any("FAILED" in cell for row in rows for cell in row))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
