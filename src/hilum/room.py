"""How much room the file system of a folder has, and what to do when it has too little."""

import errno
import os
import shutil
from pathlib import Path

MEBIBYTE = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)


def free_mib(folder: Path) -> int:
    """Whole MiB that may still be written to the file system of `folder`."""
    return shutil.disk_usage(folder).free // MEBIBYTE


def filled_percent(folder: Path) -> float:
    """How full the file system of `folder` is, as `df` counts: what root keeps back is not free."""
    usage = shutil.disk_usage(folder)
    return 100 * usage.used / max(1, usage.used + usage.free)


def require_room(folder: Path, low_water_mb: int) -> None:
    """Raise `OSError` (ENOSPC) if less than `low_water_mb` MiB are free where `folder` is."""
    if free_mib(folder) < low_water_mb:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
