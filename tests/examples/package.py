"""The example package, installed as a hospital would, into a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import samples

EXAMPLE = Path(__file__).parents[2] / "examples" / "hilum-example"


@pytest.fixture(scope="session")
def installed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the installed example package; to be read only."""
    return samples.made_once(tmp_path_factory, "example", _install) / "site"


def _install(folder: Path) -> None:
    source = folder / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index", "--no-compile"]
    target = ["--target", str(folder / "site"), str(source)]
    subprocess.run([*pip, *alone, *target], check=True, capture_output=True, text=True)


@pytest.fixture
def example_package(installed_example: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example package on the path of us and our children; gives its folder."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "tests"))
    monkeypatch.syspath_prepend(str(installed_example))
    path = os.pathsep.join(filter(None, (str(installed_example), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.setenv("PYTHONPATH", path)
    return installed_example
