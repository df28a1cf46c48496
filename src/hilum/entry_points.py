"""What packages register with Hilum by entry points, as the disk has it now.

To read the entry points of every package takes 0.02 s, and most packages are not about Hilum. So a
folder of packages is looked through anew only when one was added to it or removed from it; of those
that have to do with Hilum, the entry points are read each time.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, distributions
from pathlib import Path

GROUPS = "hilum."  # how the name of every group of ours begins


def points_of(group: str) -> tuple[EntryPoint, ...]:
    """Every entry point of a group, package by package in the order of the path."""
    return tuple(point for point in _points() if point.group == group)


def _points() -> Iterator[EntryPoint]:
    folders = [Path(one).absolute() for one in sys.path]
    for package in dict.fromkeys(name for one in folders for name in _packages(one, _changed(one))):
        with suppress(PackageNotFoundError):  # it was removed meanwhile
            yield from distribution(package).entry_points  # of several, the first on the path


def _changed(folder: Path) -> int:
    """When something was last added to a folder or removed from it (ns); 0 if it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache
def _packages(folder: Path, _changed: int) -> tuple[str, ...]:
    """The packages in a folder that register something with Hilum.

    What is left of one that was not removed to its end has no name any more.
    """
    found = distributions(path=[str(folder)])
    ours = (one.name for one in found if any(_is_ours(point) for point in one.entry_points))
    return tuple(filter(None, ours))


def _is_ours(point: EntryPoint) -> bool:
    return point.group.startswith(GROUPS)
