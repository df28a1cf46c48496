"""The records and the engine on PostgreSQL, and a database server that is gone for a while."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.records import views
from hilum_lab.network.processes import available_port
from plugin import install_plugin

from .site import running

SLOW = """
    import time
    from hilum import Input, Note

    class Module:
        name, version = "slow", "1"
        needs = Input(modality="MR")

        def run(self, series):
            time.sleep(3)
            yield Note("done")
"""


class Postgres:
    """A database server of its own below `folder`; it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = available_port()
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._run("initdb", "-D", folder / "db", "-A", "trust", "-U", "hilum", "--no-sync")
        self.start()
        self._run("createdb", "-h", folder, "-p", self._port, "-U", "hilum", "hilum")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://hilum@127.0.0.1:{self._port}/hilum"

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._folder / "db", "-o", options, "-l", log, "-w", "start")

    def crash(self) -> None:
        self._run("pg_ctl", "-D", self._folder / "db", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not installed:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # the user postgres may not enter pytest's folders
    folder = Path(tempfile.gettempdir()) / f"hilum-postgres-{os.getpid()}"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Postgres(installed[-1].parent, folder)
    try:
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder)


def test_a_database_that_is_gone_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, SLOW, "slow")
    first, second = (write(mr_slices(n, n, 3), tmp_path / n) for n in ("first", "second"))
    uids = [Instance.read(files[0]).study_uid for files in (first, second)]
    out = {"name": "out", "kind": "folder", "folder": tmp_path / "out"}
    rule = {"module": "slow", "send_to": ["out"]}
    with running(tmp_path, database=postgres.url, destination=[out], rule=[rule]) as hilum:
        hilum.send(first)
        kinds = ["receiving", "complete", "scheduled", "running"]

        def begun() -> bool:
            events = [event.kind for event in views.trace(hilum.records, uids[0])]
            return set(kinds) <= set(events)

        hilum.until(begun, "the module")
        postgres.crash()
        hilum.send(second)  # is accepted all the same
        gone = time.monotonic()
        while time.monotonic() - gone < 8:
            hilum.supervisor.check()
            time.sleep(0.1)
        postgres.start()
        states = [hilum.settled(uid).workitems[0].state for uid in uids]
    assert states == ["completed", "completed"]
