"""How much room the file system of a folder has, and what to do when it has too little."""

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

MEBIBYTE = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
LOOK_SECONDS = 0.5
LONGEST_WAIT = 60.0  # then it is tried again though no room was seen to be made

log = logging.getLogger(__name__)
Returned = TypeVar("Returned")


def free_mib(folder: Path) -> int:
    """Whole MiB that may still be written to the file system of `folder`."""
    return shutil.disk_usage(folder).free // MEBIBYTE


def is_low(folder: Path, low_water_mb: int) -> bool:
    """Whether so little is free where `folder` is that no image is taken."""
    return free_mib(folder) < max(1, low_water_mb)


def filled_percent(folder: Path) -> float:
    """How full the file system of `folder` is, as `df` counts: what root keeps back is not free."""
    usage = shutil.disk_usage(folder)
    return 100 * usage.used / max(1, usage.used + usage.free)


def require_room(folder: Path, low_water_mb: int) -> None:
    """Raise `OSError` (ENOSPC) if less than `low_water_mb` MiB are free where `folder` is."""
    if free_mib(folder) < low_water_mb:
        raise no_room()


def is_full(error: BaseException) -> bool:
    """Whether `error` says that the disk has no room, or none that we may use."""
    return isinstance(error, OSError) and error.errno in FULL


def no_room() -> OSError:
    """What the operating system raises on a full disk."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def with_room(folder: Path, work: Callable[[], Returned]) -> Returned:
    """The result of `work`, which starts again whenever the disk of `folder` was too full."""
    told = False
    while True:
        try:
            outcome = work()
        except OSError as error:
            if not is_full(error):
                raise
            if not told:
                log.error("the disk is full; the work under way waits for room")
            told = True
            _wait_for_more(folder)
        else:
            if told:
                log.warning("there is room again; the work goes on")
            return outcome


def _wait_for_more(folder: Path) -> None:
    enough = shutil.disk_usage(folder).free + MEBIBYTE
    deadline = time.monotonic() + LONGEST_WAIT
    while shutil.disk_usage(folder).free < enough and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
