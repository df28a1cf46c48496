"""The folders of a site's models, and how a new one takes the name of one that is there.

A name is never without a folder: whoever looks, also after a crash, finds the old or the new one.
"""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

ASIDE = ".before-"  # begins the name of a folder whose own name another one is about to take
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE: renameat2(2)


def folders_in(models: Path) -> Iterator[Path]:
    """The folders that may hold a model, by name.

    What begins with a dot is still being made, or is about to be removed, but for one that was set
    aside and that no other has taken the name of.
    """
    for folder in sorted(models.iterdir()):
        if not folder.name.startswith(".") or (
            folder.name.startswith(ASIDE) and not _named_as(folder).exists()
        ):
            yield folder


def take_name(new: Path, place: Path) -> None:
    """Give the folder `new` the name `place`; one that had it is removed."""
    settle(place)
    if not place.exists():
        new.rename(place)
    elif _exchanged(new, place):
        shutil.rmtree(new, ignore_errors=True)
    else:
        place.rename(_aside(place))
        new.rename(place)
        settle(place)


def settle(place: Path) -> None:
    """End what a crash has interrupted: a folder that was set aside is back, or removed."""
    aside = _aside(place)
    if place.exists():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside.exists():
        aside.rename(place)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the C library or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return bool(renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _aside(place: Path) -> Path:
    return place.with_name(f"{ASIDE}{place.name}")


def _named_as(aside: Path) -> Path:
    return aside.with_name(aside.name.removeprefix(ASIDE))
