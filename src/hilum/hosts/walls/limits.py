"""What a module's process gives up beside calls and files: memory, capabilities, what it inherits.

Also whatever a namespace of its own can take from it.
"""

import ctypes
import gc
import os
import resource
import signal
from collections.abc import Collection, Mapping
from pathlib import Path

from hilum.hosts.walls.kernel import (
    PR_CAP_AMBIENT,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    PR_SET_SECUREBITS,
    call,
    prctl,
)
from hilum.processes.process import NO_CORE

MOST_OPEN = 65_536  # files; the kernel's own limit is often a million, which some loop over
MOST_PROCESSES = 256  # that a module may have, beside what its user runs already
_CAPABILITIES_VERSION = 0x20080522
_NO_ROOT_LOCKED = 0x3  # SECBIT_NOROOT and its lock: to be root is no capability
_CLEAR_AMBIENT = 4
_NEW_NETWORK, _NEW_PROCESSES = 0x40000000, 0x20000000
_NEW_USER, _NEW_IPC = 0x10000000, 0x08000000
_BYTES = bytes.__basicsize__ - 1  # where the text of a bytes object begins


def limit(memory_mb: int, processes: bool) -> None:
    """Limit what this process may take. Memory counts as heap: to reserve addresses is free."""
    size = memory_mb << 20
    _lower(resource.RLIMIT_DATA, size)
    _lower(resource.RLIMIT_FSIZE, size)
    _lower(resource.RLIMIT_CORE, NO_CORE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(most, MOST_OPEN) if most >= 0 else MOST_OPEN
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if processes:  # which the kernel does not count for root
        _lower(resource.RLIMIT_NPROC, _tasks_of(os.getuid()) + MOST_PROCESSES)


def _lower(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    if most >= 0:
        value = min(value, most)
    resource.setrlimit(kind, (value, value))


def _tasks_of(uid: int) -> int:
    """How many threads the processes of a user have."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == uid:
                count += len(list((folder / "task").iterdir()))
        except OSError:
            continue  # it has ended meanwhile
    return count


def close_all_but(kept: Collection[int]) -> None:
    """Put nothing in the place of each open descriptor, except those that are `kept`.

    The numbers stay taken, so that whoever still believes in one closes nobody else's.
    """
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208 - quick
        if number not in kept and number != nothing:
            try:
                os.dup2(nothing, number, inheritable=False)
            except OSError:
                continue  # that of the listing itself
    os.close(nothing)


def forget_environment(wanted: Mapping[str, str]) -> None:
    """Have `wanted` as the environment; the texts of the one before are overwritten in memory."""
    before = dict(getattr(os.environ, "_data"))  # noqa: B009 - the very objects, as bytes
    pointers = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    texts = []
    number = 0
    while pointers and pointers[number]:
        texts.append(int(pointers[number]))
        number += 1
    lengths = [len(ctypes.string_at(text)) for text in texts]
    os.environ.clear()
    for text, length in zip(texts, lengths, strict=True):
        ctypes.memset(text, 0, length)
    for value in before.values():
        if len(value) > 1:  # shorter ones are shared by everybody
            ctypes.memset(id(value) + _BYTES, 0, len(value))
    del before
    gc.collect(0)
    os.environ.update(wanted)


def leave_namespaces(network: bool) -> bool:
    """Go into namespaces of our own; whether the system lets us.

    Without `network` also into a network that has nothing in it.
    """
    return _leave(_NEW_IPC | (0 if network else _NEW_NETWORK))


def begin_process_namespace() -> bool:
    """Have the next process that we start be the first of a namespace; whether the system lets us.

    The kernel ends all processes of a namespace with its first one (pid_namespaces(7)).
    """
    return _leave(_NEW_PROCESSES)


def _leave(wanted: int) -> bool:
    user, group = os.getuid(), os.getgid()
    try:
        if user == 0:
            call("unshare", wanted)
            return True
        prctl(PR_SET_DUMPABLE, 1)  # or the files below /proc would be root's
        call("unshare", wanted | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError:
        return False
    finally:
        prctl(PR_SET_DUMPABLE, 0)
    return True


def stay_tied(parent: int) -> None:
    """Die with `parent` also now: other credentials have untied us (prctl(2))."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop_capabilities() -> None:
    """Be an ordinary process, also as root, and stay one; raises `OSError`."""
    try:
        prctl(PR_SET_SECUREBITS, _NO_ROOT_LOCKED)
        number = 0
        while True:
            prctl(PR_CAPBSET_DROP, number)  # fails behind the last, or where we have none to drop
            number += 1
    except OSError:
        pass
    prctl(PR_CAP_AMBIENT, _CLEAR_AMBIENT)
    header, nothing = _Header(_CAPABILITIES_VERSION, 0), (_Data * 2)()
    call("capset", ctypes.byref(header), ctypes.byref(nothing))
