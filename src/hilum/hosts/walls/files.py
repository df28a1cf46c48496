"""The wall of files: Landlock, by which a process gives up what it was not left, for good.

Our own, because the bindings on PyPI are a few months old; it takes three system calls.
"""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hilum.hosts.walls.kernel import PR_SET_NO_NEW_PRIVS, prctl, syscall

NEWEST_ABI = 7  # of which we know what it can
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # on every machine
_VERSION = 1  # flag of _CREATE: only tell the ABI
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
# Every right that an ABI knows: it is denied wherever it was not given.
_HANDLED = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
READ = READ_FILE | READ_DIR
CHANGE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEVICE
_TCP, _TCP_FROM = 0x3, 4  # to bind and to connect
_SCOPES, SCOPES_FROM = 0x3, 6  # abstract Unix sockets and signals to those outside


class _Rules(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """What the kernel's Landlock can, as far as we know it; 0 where there is none."""
    try:
        return min(NEWEST_ABI, syscall(_CREATE, None, 0, _VERSION))
    except OSError:
        return 0


def restrict(allowed: Iterable[tuple[Path, int]], version: int, network: bool) -> None:
    """Leave this thread, and those it starts, what is beneath the `allowed` paths, for good.

    `allowed` gives the rights on each; what does not exist is passed over. `version` is that of the
    ABI. Raises `OSError`.
    """
    handled = _HANDLED[max(known for known in _HANDLED if known <= version)]
    rules = _Rules(handled, 0, 0)
    size = 8
    if version >= _TCP_FROM:
        rules.network, size = 0 if network else _TCP, 16
    if version >= SCOPES_FROM:
        rules.scopes, size = _SCOPES, 24
    descriptor = syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    try:
        for path, rights in allowed:
            with suppress(FileNotFoundError, NotADirectoryError):
                _allow(descriptor, path, rights & handled)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        syscall(_RESTRICT, descriptor, 0)
    finally:
        os.close(descriptor)


def _allow(descriptor: int, path: Path, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        beneath = _Beneath(rights, parent)
        syscall(_ADD_RULE, descriptor, _PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(parent)
