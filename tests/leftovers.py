"""Which processes the tests have started and not ended, whoever is their parent by now."""

import os
import time
from contextlib import suppress
from multiprocessing import resource_tracker
from pathlib import Path

from hilum.processes.process import descendants, fork_server_pid

MARK = "HILUM_STARTED_BY_TEST_PROCESS"  # an environment variable, which every child inherits
ENDING_SECONDS = 20.0  # what was told to end has so long for it


def mark() -> None:
    """From now on, whatever this process starts can be recognised."""
    os.environ[MARK] = str(os.getpid())


def left_over(seconds: float = ENDING_SECONDS) -> dict[int, str]:
    """The command lines of all processes that should have ended, once they had `seconds` for it.

    multiprocessing keeps a fork server and a resource tracker for as long as this process lives;
    what the fork server has forked counts.
    """
    deadline = time.monotonic() + seconds
    while (found := _running()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _running() -> dict[int, str]:
    lasting = {os.getpid(), fork_server_pid(), resource_tracker._resource_tracker._pid}
    found = {}
    for pid in (descendants(os.getpid()).keys() | _marked()) - lasting:
        with suppress(OSError):  # it has ended meanwhile
            # empty for a process that has ended and was not waited for
            if line := Path(f"/proc/{pid}/cmdline").read_bytes():
                about = Path(f"/proc/{pid}/stat").read_text().split(" ", 4)[1:4]
                words = line.replace(b"\0", b" ").decode(errors="replace").strip()
                found[pid] = f"{' '.join(about)}: {words}"  # its name, its state, its parent
    return found


def _marked() -> set[int]:
    """Those that inherited the mark of this process, as far as we may look at them."""
    wanted = f"{MARK}={os.getpid()}".encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found
