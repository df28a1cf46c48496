"""The hook for Orthanc: it may fail in any way without Orthanc noticing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.sources import orthanc as module
from tests.archives import Orthanc
from tests.patience import until
from tests.sources.watching import upload
from tests.synthetic import write_series

WAKE = Path(module.__file__).with_name("wake.lua")


def hook(address: str) -> dict[str, object]:
    """What an administrator adds to the configuration of Orthanc."""
    return {"LuaScripts": [str(WAKE)], "HilumWake": address}


HANGS = """#!/bin/sh
cd FOLDER
touch began
until [ -e go ]; do sleep 0.1; done
touch ended
"""


@pytest.fixture
def hanging_curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a `curl` that does not end before the test does."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "curl"
    program.write_text(HANGS.replace("FOLDER", str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    yield folder
    (folder / "go").touch()
    until(lambda: (folder / "ended").exists(), "its end")


def test_a_hanging_hilum_does_not_hold_orthanc_up(tmp_path: Path, hanging_curl: Path) -> None:
    settings = hook("http://127.0.0.1:1/api/v1/sources/pacs/wake")
    with Orthanc(tmp_path / "pacs", settings=settings) as orthanc:
        assert upload(orthanc, write_series(tmp_path / "scan", 1))
        until(lambda: (hanging_curl / "began").exists(), "what the hook starts")
        assert upload(orthanc, write_series(tmp_path / "next", 1))


def test_an_address_that_is_none_is_not_run_as_a_command(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 1)
    with Orthanc(tmp_path / "pacs", settings=hook("http://x/'; touch ran #")) as orthanc:
        assert upload(orthanc, files)
    log = (tmp_path / "pacs" / "orthanc.log").read_text()
    assert "HilumWake is not an address" in log
    assert not Path("ran").exists()
