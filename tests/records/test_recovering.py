"""`hilum recover` touches nothing while a process still works on the records."""

import os
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from hilum.config.site import Site
from hilum.errors import ConfigurationError, OtherVersionError
from hilum.process import own_start_time
from hilum.records import Records
from hilum.records.models.standings import Executor
from hilum.recovering import recover

from .databases import run

DEAD_SECONDS = 0.5


def site_at(database: str, folder: Path) -> Site:
    return Site(data=folder, database="" if database.startswith("sqlite") else database)


def progress(_step: str, _done: int, _of: int) -> None:
    """Tell nobody."""


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_recover_is_refused_while_a_process_of_any_role_runs(
    database: str, tmp_path: Path, role: str
) -> None:
    site = site_at(database, tmp_path)
    engine = tmp_path / "engine.db"
    engine.touch()
    start = own_start_time()
    host = socket.gethostname()
    with closing(Records(database)) as records:
        records.executors.beat(Executor("1", role, host, os.getpid(), start, time.time()))
    with pytest.raises(ConfigurationError, match=rf"still works .*\({role} on {host}\): stop it"):
        recover(site, progress, DEAD_SECONDS)
    assert engine.exists()
    with closing(Records(database)) as records:
        records.executors.remove("1")
        records.executors.beat(Executor("2", role, "elsewhere", 1, "1", time.time()))
    assert recover(site, progress, DEAD_SECONDS).put_back == 0  # it gave no sign of life for long


def test_tables_of_another_program_are_not_touched(database: str, tmp_path: Path) -> None:
    site = site_at(database, tmp_path)
    run(database, "CREATE TABLE executor (what TEXT)")
    (tmp_path / "engine.db").touch()
    with pytest.raises(OtherVersionError, match=r"another program.*a database of its own"):
        recover(site, progress, DEAD_SECONDS)
    assert (tmp_path / "engine.db").exists()
    fresh = Site(data=tmp_path / "fresh")  # the cure that is printed
    fresh.data.mkdir()
    assert recover(fresh, progress, DEAD_SECONDS).put_back == 0


def test_recover_works_in_an_empty_database(database: str, tmp_path: Path) -> None:
    site = site_at(database, tmp_path)
    (tmp_path / "hilum.db").touch()
    assert recover(site, progress, DEAD_SECONDS).put_back == 0
