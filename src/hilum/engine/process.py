"""Small facts about operating system processes (Linux)."""

import ctypes
import multiprocessing
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, so that none is left behind."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(1)  # it died before we asked; the kernel will not tell us any more


def start_time(pid: int) -> str:
    """The kernel's start time of `pid` in clock ticks, empty if there is no such process.

    Together with the pid it names a process for good: pids are used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def is_alive(pid: int, started: str) -> bool:
    """Whether the process that had `pid` and start time `started` still runs."""
    return bool(started) and start_time(pid) == started


def own_start_time() -> str:
    """`start_time` of this process."""
    return start_time(os.getpid())
