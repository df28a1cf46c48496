"""What a module in an environment of its own has started ends with it, and shares its memory."""

from contextlib import closing
from pathlib import Path

import pytest

from hilum.config.site import Worker
from hilum.errors import ModuleCrashed
from hilum.hosts import Place, in_child, open_host
from hilum.hosts.discovery import installed_module
from hilum.installing import Wanted, add
from hilum.processes.control_groups import MemoryGroup
from hilum.testing import job_of, write_series
from locks import is_free

from .test_environments import project, wheels  # noqa: F401 - a fixture

pytestmark = pytest.mark.whole
FORKING = """\
import fcntl
import os
import time
from pathlib import Path

from hilum_module import Input, Note

FOLDER = Path("{folder}")


class Module:
    name, version, needs, processes = "forking", "1", Input(modality="MR"), True

    def run(self, series):
        lock = (FOLDER / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_SH)
        for _ in range(3):
            if os.fork() == 0:
                held = b"x" * (300 << 20) if series.description == "eats" else b""
                time.sleep(3600)
        (FOLDER / "begun").touch()
        time.sleep(3600)
        yield Note("never")
"""
PROJECT = """
[project]
name = "forking"
version = "1"
dependencies = ["hilum-module", "numpy<2"]

[project.entry-points."hilum.modules"]
forking = "old_numbers:Module"
"""


@pytest.mark.parametrize(
    ("mood", "words"),
    [("hangs", "ran for more than 6 s"), ("eats", "needed more than 512 MiB of memory together")],
)
def test_nothing_is_left_of_what_was_started(
    tmp_path: Path,
    wheels: Path,  # noqa: F811
    mood: str,
    words: str,
) -> None:
    group = MemoryGroup.make(1 << 30)
    if group is None and mood == "eats":
        pytest.skip("this system lets us make no control group")
    if group:
        group.close()
    folder, models = tmp_path / "open", tmp_path / "models"
    folder.mkdir()
    models.mkdir()
    source = project(tmp_path / "source", PROJECT, FORKING.format(folder=folder))
    add(Wanted(str(source), wheels=wheels), models)
    files = write_series(tmp_path / "exam", count=3, SeriesDescription=mood)
    place = Place(Worker(memory_mb=512, timeout_seconds=6), models)
    with closing(open_host(in_child("forking", folders=[folder]), place)) as host:
        with pytest.raises(ModuleCrashed, match=words):
            host.run(job_of(installed_module("forking", place), files, tmp_path / "out"))
        assert (folder / "begun").exists()
        assert is_free(folder / "lock")
