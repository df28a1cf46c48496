"""A PostgreSQL of Debian's, as a server of its own that tests share."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from hilum_lab.network.processes import available_port
from tests import leftovers

INSTALLED = Path("/usr/lib/postgresql")


class Postgres:
    """A database server below `folder`; it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = available_port()
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._names = itertools.count()
        self._run("initdb", "-D", folder / "db", "-A", "trust", "-U", "hilum", "--no-sync")
        self.start()

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"hilum{next(self._names)}"
        self._tell(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://hilum@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        # it survives its own crash, which is all that is tried
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", self._folder / "db", "-o", options, "-l", log, "-w", "start")

    def empty(self, url: str) -> None:
        """Make the database at `url` anew, with nothing in it."""
        name = url.rpartition("/")[2]
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")
        self._tell(f"CREATE DATABASE {name}")

    def crash(self) -> None:
        self._run("pg_ctl", "-D", self._folder / "db", "-m", "immediate", "-w", "stop")

    @contextmanager
    def silent(self) -> Iterator[None]:
        """All its processes stand still, while the system takes what is sent to them."""
        leader = int((self._folder / "db" / "postmaster.pid").read_text().split()[0])
        os.kill(leader, signal.SIGSTOP)  # so that it begins no other
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text()
        processes = [leader, *map(int, children.split())]
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def _tell(self, statement: str) -> None:
        address = {"host": "127.0.0.1", "port": self._port, "user": "hilum", "dbname": "postgres"}
        with psycopg.connect(**address, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def server() -> Iterator[Postgres]:
    """One that is stopped at the end; skips where PostgreSQL is not installed."""
    installed = sorted(INSTALLED.glob("*/bin/pg_ctl"))
    if not installed:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=leftovers.public_folder()))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    try:
        running = Postgres(installed[-1].parent, folder)
        try:
            yield running
        finally:
            running.crash()
    finally:
        shutil.rmtree(folder)
