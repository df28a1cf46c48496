"""The walls around a module's process: what it may reach, and that nothing else can be reached.

They are raised in the process itself, by `Reach.confine`, while it has one thread and before
anything of the module is imported. What this machine has of them says `standing`. What stops what,
and what does not, stands in docs/explanation/walls.md.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hilum.hosts.walls import calls, files, limits
from hilum.hosts.walls.kernel import machine
from hilum.processes.control_groups import MemoryGroup

SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share")
# Read by the C library, by Python and by the inference libraries; nothing in them is private.
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/fonts",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/self/maps",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
    "/proc/sys/vm/overcommit_memory",
    "/sys/bus/pci/devices",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")
NETWORK_FILES = (
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/run/systemd/resolve",
)
LOADERS = ("lib*/ld-*.so*", "lib/*/ld-*.so*")  # of programs (ld.so(8))
PROGRAMS = ("/bin", "/sbin", "/usr/bin", "/usr/local/bin")


class Wall(Enum):
    """A wall that a machine may lack, and what it takes."""

    FILES = "no wall around files (it takes Linux 5.13 or later with Landlock)"
    CALLS = "no wall around the network and other processes (it takes a kernel with seccomp)"


@dataclass(frozen=True)
class Reach:
    """What a module's process may reach.

    `read` and `write` are folders and files, `scratch` is the folder for its temporary files.
    `becomes` is the one program that it may turn into, by its real path, `group` what limits its
    memory and that of all that it starts together.
    """

    scratch: Path
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    network: bool = False
    processes: bool = False
    gpu: bool = False
    memory_mb: int = 8192
    becomes: Path | None = None
    group: MemoryGroup | None = None

    def confine(self, abi: int = files.NEWEST_ABI) -> tuple[Wall, ...]:
        """Raise every wall that this machine has; which it lacks. There is no way back.

        `abi` is the newest Landlock that is to be used. Raises `OSError` where a wall that is there
        cannot be raised.
        """
        parent = os.getppid()
        if self.group:
            self.group.join()
        limits.limit(self.memory_mb, self.processes)
        limits.leave_namespaces(self.network)  # where the system allows it
        limits.drop_capabilities()
        limits.stay_tied(parent)
        missing = set(standing())
        version = min(abi, files.abi())
        if version:
            files.restrict(self._allowed(), version, self.network)
        else:
            missing.add(Wall.FILES)
        here = machine()
        if here is not None and Wall.CALLS not in missing:
            scoped = version >= files.SCOPES_FROM
            allowed = calls.Allowed(
                self.network, self.processes, self.gpu, self.becomes is not None
            )
            denied = calls.rules(allowed, scoped, os.getpid())
            calls.install(calls.program(denied, here), here)
        return tuple(wall for wall in Wall if wall in missing)

    def _allowed(self) -> Iterator[tuple[Path, int]]:
        """Each path that is left to the process, and the rights on it."""
        read = files.READ | (files.EXECUTE if self.processes else 0)
        named = [*SYSTEM_FOLDERS, *SYSTEM_FILES]
        named += NETWORK_FILES if self.network else ()
        named += PROGRAMS if self.processes else ()
        for path in (*map(Path, named), *self.read):
            yield path, read
        for path in self._programs():
            yield path, read | files.EXECUTE
        for path in (self.scratch, *self.write):
            yield path, files.CHANGE
        for name in DEVICES:
            yield Path(name), files.READ_FILE | files.WRITE_FILE
        if self.gpu:
            yield from self._devices()

    def _programs(self) -> Iterator[Path]:
        """What it may turn into, and what the kernel starts a program with."""
        if self.becomes:
            yield self.becomes
            for pattern in LOADERS:
                yield from (path.resolve() for path in Path("/").glob(pattern))

    def _devices(self) -> Iterator[tuple[Path, int]]:
        for pattern in ("nvidia*", "dri/*", "kfd"):
            for path in Path("/dev").glob(pattern):
                yield path, files.DEVICE | files.READ_DIR
        for name in ("/proc/driver/nvidia", "/sys/bus/pci", "/sys/devices", "/usr/local/cuda"):
            yield Path(name), files.READ
        yield Path("/proc/self/task"), files.READ | files.WRITE_FILE  # it names its threads


def standing() -> tuple[Wall, ...]:
    """The walls that this machine lacks."""
    lacks = {Wall.FILES: files.abi() == 0, Wall.CALLS: not calls.is_there(machine())}
    return tuple(wall for wall in Wall if lacks[wall])


def in_words(missing: tuple[Wall, ...]) -> str:
    """One sentence on the walls of this machine."""
    if not missing:
        return "Modules run behind walls around files, the network and other processes."
    return f"This machine has {' and '.join(wall.value for wall in missing)}."
