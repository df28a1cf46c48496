"""Ends what a test run has started when the run itself is gone, whoever killed it.

    python guard.py RUN MASTER MARK KEPT UNWANTED

RUN is the process id of the run, and MASTER that of the one that has begun it to share the tests
out: it ends with that, too. MARK is the environment variable that everything it starts inherits.
What is mounted below the folder KEPT is unmounted, and the folder UNWANTED is removed.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAUSE_SECONDS = 0.05
ORDERLY_SECONDS = 1.0  # in which what is told to end may do so


def marked(mark: str) -> Iterator[int]:
    """The processes that inherited `mark`, "NAME=VALUE", as far as we may look at them."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def end_all(mark: str) -> None:
    """Tell what is marked to end, and kill what does not, and what it has started meanwhile."""
    told: set[int] = set()
    deadline = time.monotonic() + ORDERLY_SECONDS
    while found := set(marked(mark)):
        is_late = time.monotonic() > deadline
        for pid in found if is_late else found - told:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        told |= found
        time.sleep(PAUSE_SECONDS)


def unmount_below(folder: str) -> None:
    """Unmount what is mounted below `folder`, the latest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for place in reversed([line.split(" ")[1] for line in lines]):
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)


if __name__ == "__main__":
    run, master, mark, kept, unwanted = sys.argv[1:]
    with suppress(ProcessLookupError):  # it has gone already
        of_run, of_master = map(os.pidfd_open, map(int, (run, master)))
        select.select([of_run, of_master], [], [])
        signal.pidfd_send_signal(of_run, signal.SIGKILL)
    end_all(mark)
    unmount_below(kept)
    shutil.rmtree(unwanted, ignore_errors=True)
