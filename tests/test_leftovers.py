"""The guards that find and end what tests have left behind do so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hilum_lab import disk
from tests import leftovers
from tests.patience import until
from tests.postgres import Postgres

# A run of tests that is killed by the signal that it is given.
RUN = """
import os, subprocess, sys, time
from pathlib import Path
from hilum_lab import disk
from tests import leftovers

signal, folder = int(sys.argv[1]), Path(sys.argv[2])
with leftovers.guarded(folder):
    (leftovers.public_folder() / "file").touch()
    if not disk.why_not():
        disk.mounted(folder / "disk", 1).__enter__()
    for deed in ("exec sleep 987", "trap '' TERM; while :; do sleep 987; done"):
        # it has another parent, session and output than the run
        words = ["setsid", "--fork", "sh", "-c", f"echo $$ >> {folder}/pids; {deed}"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    (pids := folder / "pids").touch()
    while len(pids.read_text().splitlines()) < 2:
        time.sleep(0.01)
    os.kill(os.getpid(), signal)
"""


def test_a_process_that_lost_its_parent_is_found() -> None:
    forsaken = ["sh", "-c", "sleep 987 > /dev/null & echo $!"]
    said = subprocess.run(forsaken, stdout=subprocess.PIPE, text=True, check=True).stdout
    try:
        found = until(lambda: _sleeping(int(said)), "the process")
        assert found.startswith("(s")  # "(sleep) S 1: sleep 987"
    finally:
        os.kill(int(said), signal.SIGKILL)
    until(lambda: int(said) not in leftovers.left_over(0.0), "its end")


def _sleeping(pid: int) -> str:
    """What is said of the process once it has become another program."""
    found = leftovers.left_over(0.0)[pid]
    return found if found.endswith(": sleep 987") else ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_run_that_is_killed(how: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    words = [sys.executable, "-c", RUN, str(int(how)), str(tmp_path)]
    run = subprocess.run(words, env=environment, check=False)
    assert run.returncode == -how
    pids = (tmp_path / "pids").read_text().split()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the end of both")
    until(lambda: not list(tmp_path.glob("hilum-tests-*")), "the end of the public folder")
    assert disk.why_not() or (tmp_path / "disk").exists()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_a_database_server_is_among_what_is_ended(postgres: Postgres) -> None:
    assert any("postgres" in line and "-D" in line for line in leftovers.left_over(0.0).values())
