"""Control groups of Linux: the memory of several processes together is limited, and they end.

Used where the system has given a group to us, and only then: never a group of somebody else. In
version 2 that is one which systemd delegates (`Delegate=memory`, systemd.resource-control(5)); in
version 1 one that we may write to. Nothing needs them: each process has limits of its own besides.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

from hilum.process import is_alive, own_start_time

OURS = "hilum"  # the group of the service itself; in version 2 only leaves hold processes
_PROCESSES, _CONTROL = "cgroup.procs", "cgroup.subtree_control"
_PREFIX = "hilum-module"
_REMOVING_SECONDS = 5.0
_NUMBERS = count(1)


class HierarchyFiles(NamedTuple):
    """What the files of a version of control groups are called (cgroups(7))."""

    file_system: str
    limits: tuple[str, ...]  # of memory, then of memory and swap together
    events: str  # holds the number of processes that the kernel has killed


FIRST = HierarchyFiles(
    "cgroup",
    ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "memory.oom_control",
)
SECOND = HierarchyFiles("cgroup2", ("memory.max",), "memory.events")


def stand_aside() -> None:
    """Go into a group below our own, so that groups of modules may stand beside it.

    To be called by the first process of the service, before it starts another. Nothing happens
    where that is not needed, or is not ours to do.
    """
    own = _own(SECOND)
    if own is None or not _is_delegated(own):
        return
    with suppress(OSError):
        (own / OURS).mkdir(exist_ok=True)
        (own / OURS / _PROCESSES).write_text("0")
        (own / _CONTROL).write_text("+memory")


@dataclass(frozen=True)
class MemoryGroup:
    """A group of processes that share one memory limit; each of them calls `join`."""

    folder: Path
    version: HierarchyFiles

    @classmethod
    def make(cls, most_bytes: int) -> "MemoryGroup | None":
        """A new group; None where the system gives us none. What dead ones left is removed."""
        for version in (SECOND, FIRST):
            home = _home(version)
            if home is None:
                continue
            _sweep(home, version)
            name = f"{_own_prefix()}-{os.getpid()}-{own_start_time()}-{next(_NUMBERS)}"
            group = cls(home / name, version)
            with suppress(OSError):
                group._begin(most_bytes)
                return group
            group.close()
        return None

    def _begin(self, most_bytes: int) -> None:
        self.folder.mkdir()
        memory, *swap = self.version.limits
        (self.folder / memory).write_text(str(most_bytes))
        for name in swap:
            with suppress(OSError):  # the kernel may count no swap
                (self.folder / name).write_text(str(most_bytes))
        if self.version is SECOND:
            with suppress(OSError):
                (self.folder / "memory.swap.max").write_text("0")

    def join(self) -> None:
        """Have this process, and all that it starts, be in the group; raises `OSError`."""
        (self.folder / _PROCESSES).write_text("0")

    def was_exceeded(self) -> bool:
        """Whether the kernel has killed one of its processes, because they took too much."""
        try:
            told = (self.folder / self.version.events).read_text().split()
        except OSError:
            return False
        return int(dict(zip(told[::2], told[1::2], strict=False)).get("oom_kill", 0)) > 0

    def close(self) -> None:
        """End all processes of the group, and remove it."""
        deadline = time.monotonic() + _REMOVING_SECONDS
        while self.folder.is_dir() and time.monotonic() < deadline:
            for pid in self._processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):  # one of them is still ending
                self.folder.rmdir()
                return
            time.sleep(0.01)

    def _processes(self) -> list[int]:
        with suppress(OSError):
            listed = map(int, (self.folder / _PROCESSES).read_text().split())
            return [pid for pid in listed if pid]  # 0 is one that we cannot see; kill(0) is us
        return []


def _home(version: HierarchyFiles) -> Path | None:
    """The group in which we may make others; None if there is none."""
    own = _own(version)
    if own is None:
        return None
    if version is FIRST:
        return own if os.access(own, os.W_OK) else None
    if own.name != OURS or not os.access(own.parent, os.W_OK):
        return None
    with suppress(OSError):
        if "memory" in (own.parent / _CONTROL).read_text().split():
            return own.parent
    return None


def _is_delegated(group: Path) -> bool:
    """Whether we may divide a group of version 2. Root can always, so systemd has to allow it."""
    if os.geteuid():
        return os.access(group, os.W_OK)
    for name in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _own(version: HierarchyFiles) -> Path | None:
    """The folder of the group that this process is in, where it can be seen."""
    inside = _path(version)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        root, place = mount.split()[3:5]
        kind, _source, options = source.split(" ", 2)
        limits_memory = version is SECOND or "memory" in options.split(",")
        if kind != version.file_system or not limits_memory:
            continue
        if inside and Path(inside).is_relative_to(root):
            return Path(place) / Path(inside).relative_to(root)
    return None


def _path(version: HierarchyFiles) -> str:
    """The path of our group in its hierarchy, "" if there is none."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        is_second = number == "0" and not controllers
        if is_second if version is SECOND else "memory" in controllers.split(","):
            return path
    return ""


def _own_prefix() -> str:
    """How the names of groups begin whose process IDs mean the same as ours (pid_namespaces(7))."""
    return f"{_PREFIX}-{Path('/proc/self/ns/pid').stat().st_ino}"


def _sweep(home: Path, version: HierarchyFiles) -> None:
    """Remove the groups that killed workers have left, as far as we can see whether they live."""
    prefix = _own_prefix()
    for folder in home.glob(f"{prefix}-*-*-*"):
        pid, started, *_ = folder.name.removeprefix(f"{prefix}-").split("-")
        if pid.isdigit() and not is_alive(int(pid), started):
            MemoryGroup(folder, version).close()
