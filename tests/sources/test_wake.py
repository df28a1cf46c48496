"""The hook for Orthanc: it may fail in any way without Orthanc noticing."""

import time
from pathlib import Path

import httpx

from hilum.sources import orthanc as module
from tests.archives import Orthanc
from tests.destinations.test_failures import silent_listener
from tests.sources.watching import upload
from tests.synthetic import write_series

WAKE = Path(module.__file__).with_name("wake.lua")


def hook(address: str) -> dict[str, object]:
    """What an administrator adds to the configuration of Orthanc."""
    return {"LuaScripts": [str(WAKE)], "HilumWake": address}


def test_a_hanging_hilum_does_not_hold_orthanc_up(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    seconds = []
    with silent_listener() as port:
        address = f"http://127.0.0.1:{port}/api/v1/sources/pacs/wake"
        with (
            Orthanc(tmp_path / "pacs", settings=hook(address)) as orthanc,
            httpx.Client(base_url=orthanc.url, timeout=60) as client,
        ):
            for path in files:
                started = time.monotonic()
                client.post("/instances", content=path.read_bytes()).raise_for_status()
                seconds.append(time.monotonic() - started)
                time.sleep(1.1)  # the hook acts once a second
    assert min(seconds) < 1.5  # were it waited for, each would take two seconds


def test_an_address_that_is_none_is_not_run_as_a_command(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 1)
    with Orthanc(tmp_path / "pacs", settings=hook("http://x/'; touch ran #")) as orthanc:
        assert upload(orthanc, files)
    log = (tmp_path / "pacs" / "orthanc.log").read_text()
    assert "HilumWake is not an address" in log
    assert not Path("ran").exists()
