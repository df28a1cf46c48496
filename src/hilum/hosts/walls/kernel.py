"""The kernel's calls that Python has no name for, and what is different from machine to machine."""

import ctypes
import os
import platform
from typing import NamedTuple

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_SECUREBITS, PR_SET_CHILD_SUBREAPER = 28, 36
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 47


class Machine(NamedTuple):
    """A processor: its place in the table of `calls`, and its AUDIT_ARCH."""

    column: int
    audit: int


MACHINES = {"x86_64": Machine(0, 0xC000003E), "aarch64": Machine(1, 0xC00000B7)}
_library = ctypes.CDLL(None, use_errno=True)


def machine() -> Machine | None:
    """This one; None where the table of calls does not know it."""
    return MACHINES.get(platform.machine())


def syscall(number: int, *arguments: object) -> int:
    """What a system call gives; raises `OSError`."""
    return _checked(_library.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int) -> int:
    """Call prctl; raises as `syscall` does."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_library.prctl(option, *padded))


def call(name: str, *arguments: object) -> int:
    """As `syscall`, of a function of the C library."""
    return _checked(getattr(_library, name)(*arguments))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
