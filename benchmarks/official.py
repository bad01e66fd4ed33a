"""The official provider, in an environment of its own that is laid over this one: the same Airflow, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".benchmarks-venv"
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
PROVIDER = "apache-airflow-providers-airbyte"
# The newest 6.x; its SDK is fixed too, since the figures depend on it.
REQUIREMENTS = (f"{PROVIDER}==6.2.0", "airbyte-api==1.0.1")
SHOWN = (PROVIDER, "airbyte-api", "apache-airflow-core", "apache-airflow-task-sdk")


def official_python(*, may_install: bool) -> Path | None:
    """
    Return the Python that has the official provider beside all that this one has; None where there is none.

    :param may_install: Make the environment where it is missing, or older than this one.
    """
    if os.name != "posix":
        return None
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / ".installed"
    wanted = _wanted()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    if not may_install:
        return None
    print("Installing the official provider into .benchmarks-venv, once ...", flush=True)
    try:
        _install(python)
    except subprocess.CalledProcessError as error:
        print(f"The official provider could not be installed:\n{error.stderr}")
        return None
    stamp.write_text(wanted)
    return python


def versions(python: Path) -> dict[str, str]:
    """Return what is compared, with its versions."""
    program = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {SHOWN!r}}}))"
    found: dict[str, str] = json.loads(_run(str(python), "-c", program))
    return found


def _wanted() -> str:
    """Return what the environment is made of: it is made again when that has changed."""
    parts = (*REQUIREMENTS, sys.prefix, sys.version, CONSTRAINTS.read_text())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _install(python: Path) -> None:
    _run(sys.executable, "-m", "venv", "--clear", str(FOLDER))
    own = Path(_run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Its own packages come first. `addsitedir` also does what this environment's .pth files say, as a plain path
    # does not.
    below = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (own / "below.pth").write_text("".join(f"import site; site.addsitedir({folder!r})\n" for folder in below))
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(CONSTRAINTS))
    _run(str(python), *install, *REQUIREMENTS)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
