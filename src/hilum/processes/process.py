"""Small facts about operating system processes (Linux)."""

import ctypes
import fcntl
import gc
import multiprocessing
import os
import resource
import select
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.context import ForkServerContext
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME = 1, 4, 15
FORK_SERVER = "hilum fork server"
_LONGEST_FOLDER = 75  # bytes: below it stands a socket, whose path may have 107
_LOADED_IN = os.getpid()  # in a process that was forked: that of the fork server


# Bytes of a core. Where cores go to a program, as on Ubuntu, a limit of 0 does not count, and that
# of 1 forbids them (Linux, fs/coredump.c); no file is as small.
NO_CORE = 1


def keep_private() -> None:
    """Make this process write for its owner alone and leave no core: it handles patient data.

    Mask and limit go on to its children, also where they become another program. That it may not
    be dumped does not, so each of them asks anew.
    """
    os.umask(0o077)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    size = NO_CORE if most < 0 else min(NO_CORE, most)
    resource.setrlimit(resource.RLIMIT_CORE, (size, size))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, so that none is left behind.

    And to show what it is ("hilum gateway", at most 15 characters) where `ps` and `top` list it, to
    keep it private (`keep_private`), and to look for garbage only among what it makes itself, not
    among what was imported before: this is what every child does first.
    """
    keep_private()
    gc.freeze()  # what was imported before lasts
    gc.enable()
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(_PR_SET_NAME, multiprocessing.current_process().name.encode())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # a fork server blocks it
    starter = multiprocessing.parent_process()
    if starter is None:
        return
    parent = starter.pid
    if forkserver.get_inherited_fds() is not None:  # a fork server is our parent
        if os.getpid() == _LOADED_IN:
            raise RuntimeError("the fork server could not import hilum")
        parent = _LOADED_IN
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked; the kernel will not tell us any more


@contextmanager
def lasting() -> Iterator[None]:
    """What is imported or made inside lasts: garbage is not looked for in it, then or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def fork_server(preload: str, shared: bool = False) -> ForkServerContext:
    """The server that makes lasting processes: it has imported `preload`, and forks.

    Each begins at once and shares the memory of what was imported. The server begins here, unless
    one runs (which then keeps to what it has imported), and imports while the caller goes on.

    `shared`: if this process was forked, its own fork server forks for it, too, and no other
    begins. What it forks then dies with that server, not with this process: see `tie_to`.
    """
    _choose_short_folder()
    context = multiprocessing.get_context("forkserver")
    if shared and forkserver.get_inherited_fds() is not None:
        # multiprocessing has the address, and would begin a server anew all the same; a test fails
        # should that change.
        vars(forkserver._forkserver)["ensure_running"] = _runs_already
        return context
    context.set_forkserver_preload(["hilum.processes.fork_server", preload])
    with children_deaf_to_ctrl_c():
        forkserver.ensure_running()
    return context


def _runs_already() -> None:
    """Stands in for what begins a fork server: ours runs, or we would not."""


def tie_to(pipe: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel kill this process once nobody can write to `pipe` any more.

    So it dies with whoever holds the other end, though that is not its parent. Nothing is written.
    `number` is that of the signal that it gets.
    """
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, number)
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_ASYNC)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if poll.poll(0):
        os._exit(1)  # it died before we asked


def fork_server_pid() -> int | None:
    """The fork server that this process has started, if it runs."""
    for child in _children(os.getpid()):
        with suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{child}/comm").read_text().strip() == FORK_SERVER[:15]:
                return child
    return None


def renew_fork_server() -> None:
    """Have the next process come from a new fork server, where the present one is out of reach.

    It is ended, and with it all that it forked. Where the folder of its socket was removed, as by
    those who tidy up /tmp, it is made again.
    """
    Path(util.get_temp_dir()).mkdir(mode=0o700, exist_ok=True)
    if pid := fork_server_pid():
        os.kill(pid, signal.SIGKILL)


def wake_fork_server() -> bool:
    """Wait until somebody stops the fork server, and have it go on; False if there is none."""
    pid = fork_server_pid()
    if pid is None:
        return False
    with suppress(ChildProcessError):  # it has ended meanwhile
        seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if seen and seen.si_code == os.CLD_STOPPED:
            os.kill(pid, signal.SIGCONT)
            return True
    return False


def _choose_short_folder() -> None:
    """Have multiprocessing put its sockets below /tmp where TMPDIR is too long for their paths.

    Python 3.14 does so itself.
    """
    if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_FOLDER:
        return
    usual = tempfile.tempdir
    tempfile.tempdir = "/tmp"  # only to make a folder of a random name in it
    try:
        util.get_temp_dir()  # made once, used from then on, removed at the end
    finally:
        tempfile.tempdir = usual


@contextmanager
def children_deaf_to_ctrl_c() -> Iterator[None]:
    """What is started inside ignores Ctrl-C, which reaches the whole group: the parent decides.

    They inherit what this thread blocks. A Ctrl-C that comes meanwhile, even to another thread of
    ours, is heard at the end: in the middle of starting a child it would leave half of one.
    """
    resource_tracker.ensure_running()  # else the first child would start it, and it unblocks
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()  # only that is interrupted
    if is_main:
        signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_main:
            signal.signal(signal.SIGINT, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for this signal (proc(5), SigCgt); False if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def descendants(pid: int) -> dict[int, str]:
    """Every process below `pid`, with the name that `ps` shows for it."""
    found = {}
    for child in _children(pid):
        try:
            found[child] = Path(f"/proc/{child}/comm").read_text().strip()
        except OSError:
            continue  # it has ended meanwhile
        found |= descendants(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it has ended meanwhile
        for thread in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):  # one of its threads has
                found += map(int, thread.read_text().split())
    return found


def data_bytes() -> int:
    """Bytes that this process holds of what RLIMIT_DATA limits (proc(5), VmData)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmData:")[1].split()[0]) * 1024


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


def kill_group(pid: int, started: str) -> None:
    """Kill what is left of the group of the process that had `pid` and start time `started`.

    A pid is not used again as long as its group has a process, so that no other group is meant.
    """
    if start_time(pid) in ("", started):
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(pid, signal.SIGKILL)


def own_start_time() -> str:
    """`start_time` of this process."""
    return start_time(os.getpid())
