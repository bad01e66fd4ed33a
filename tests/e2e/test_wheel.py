from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"airflow_airbyte_ext"}
    assert "airflow_airbyte_ext/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_works_in_an_environment_without_the_source(wheel, tmp_path) -> None:
    """Airflow comes from the environment that runs this test; the package comes from the wheel alone."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True, cwd=tmp_path)
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    # A .pth file that stands after ours makes the libraries visible, but not the editable checkout.
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "zz_libraries.pth").write_text(libraries + "\n")
    code = (
        "import airflow_airbyte_ext, importlib.metadata as m;"
        "from airflow_airbyte_ext.operators.airbyte import AirbyteSyncConnectionOperator;"
        "from airflow_airbyte_ext.api import AirbyteClient, ClientSettings;"
        "from airflow.providers_manager import ProvidersManager;"
        "assert 'airflow-airbyte-ext' in ProvidersManager().providers;"
        "print(airflow_airbyte_ext.__file__)"
    )
    environment = {"AIRFLOW_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    printed = subprocess.check_output([python, "-c", code], text=True, cwd=tmp_path, env=environment)
    assert Path(printed.splitlines()[-1]).is_relative_to(site)
