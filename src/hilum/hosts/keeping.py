"""The keeper of a module that may start processes: whatever it starts ends with it.

    worker -- pipe --> keeper -> [first process of a namespace ->] module -> what it starts -> ...

A process may leave its group and its parent, and ignore every signal but SIGKILL. It cannot leave
a namespace of processes, which the kernel ends with its first process. Where the system allows no
namespace, a process that has lost its parent comes to the keeper, which ends it
(PR_SET_CHILD_SUBREAPER).

Nothing of the module is ever loaded into a keeper. It knows its worker by a pipe and not as a
parent, because it has to outlive it by a moment.
"""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from hilum.hosts.walls import limits
from hilum.hosts.walls.kernel import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl
from hilum.processes.process import descendants, tie_to

NAME = "hilum keeper"  # what `ps` shows
MOST_SWEEPS = 200  # after which the keeper ends its whole group, and itself with it
SWEEP_SECONDS = 0.05
SAY_WHERE = signal.SIGUSR1  # has a module print the lines that its threads are at
_FIRST = 1  # the number of the first process of a namespace
_BY_SIGNAL = 128  # what a first process adds to the number of the signal that ended the module
_AWAITED = {signal.SIGCHLD, signal.SIGIO}


def go_on_below_a_keeper(worker: int) -> None:
    """Go on in a new process. The present one becomes its keeper, and ends when and as it ends.

    `worker` is a pipe: once nobody can write to it any more, the keeper ends all that is below it.
    """
    prctl(PR_SET_PDEATHSIG, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    tie_to(worker, signal.SIGIO)
    if limits.begin_process_namespace():
        _go_on_below(worker)
    _go_on_below(worker)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)


def _go_on_below(worker: int) -> None:
    keeper = os.pidfd_open(os.getpid())
    if pid := os.fork():
        _keep(pid, worker)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if _has_ended(keeper):  # before we asked
        os._exit(1)
    os.close(keeper)


def _keep(pid: int, worker: int) -> NoReturn:
    """Wait until process `pid` or the worker has ended; then end all below, and ourselves."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME)
    limits.close_all_but({worker})
    signal.signal(SAY_WHERE, signal.SIG_IGN)  # only what runs the module says so
    status = None
    while status is None and not _has_ended(worker):
        signal.sigwait(_AWAITED)
        status = _reaped().get(pid)
    _end_all_below()
    _end_like(status)


def _has_ended(descriptor: int) -> bool:
    """Whether the process of a pidfd, or whoever can write to a pipe, has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _reaped() -> dict[int, int]:
    """The children that have ended since, with how they did."""
    found = {}
    with suppress(ChildProcessError):  # there is none
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            found[pid] = status
    return found


def _end_all_below() -> None:
    if os.getpid() == _FIRST:
        return  # the kernel ends a namespace with its first process
    for _ in range(MOST_SWEEPS):
        below = descendants(os.getpid())
        if not below:
            return
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, SWEEP_SECONDS)
        _reaped()
    os.killpg(0, signal.SIGKILL)  # they start more than can be counted


def _end_like(status: int | None) -> NoReturn:
    """End as the process with this `status` has ended, so that the worker can say how."""
    code = 1 if status is None else os.waitstatus_to_exitcode(status)
    if code > _BY_SIGNAL:
        code = _BY_SIGNAL - code
    if code < 0:
        with suppress(OSError):  # no such signal: the module chose its exit code
            os.kill(os.getpid(), -code)  # which the first process of a namespace does not hear
    os._exit(code if code >= 0 else _BY_SIGNAL - code)
