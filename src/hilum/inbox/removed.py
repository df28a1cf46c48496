"""Which images of a study a rule has removed: a list that stays when all is gone.

It is a file like the images themselves, so no database is needed to know what was here. What is on
the list and in the folder came again after it had been removed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from hilum.inbox import REMOVED, write_durably


@dataclass(frozen=True)
class Removed:
    """The list of one study. Names are those of files in its folder.

    `begun` is when a removal began that is not finished, in seconds since the epoch: it takes only
    what was there by then. Our own results that came back are listed apart: they need
    not come again.
    """

    images: frozenset[str] = frozenset()
    own_results: frozenset[str] = frozenset()
    size: int = 0  # bytes of all that was ever removed, each file once
    begun: float | None = None

    @classmethod
    def read(cls, folder: Path) -> "Removed":
        """The list of the study in `folder`; an empty one if nothing was ever removed."""
        try:
            values = json.loads(_list_of(folder).read_text())
        except FileNotFoundError:
            return cls()
        names = {key: frozenset(values[key]) for key in ("images", "own_results")}
        return cls(**names, size=values["size"], begun=values["begun"])

    def write(self, folder: Path) -> None:
        """Put the list on the disk, fsynced."""
        values = {
            "images": sorted(self.images),
            "own_results": sorted(self.own_results),
            "size": self.size,
            "begun": self.begun,
        }
        write_durably(_list_of(folder), json.dumps(values).encode())

    def including(self, file: Path, is_own_result: bool) -> "Removed":
        """The list with one more `file`, which is still there."""
        if file.name in self.images | self.own_results:
            return self
        size = self.size + file.stat().st_size
        if is_own_result:
            return replace(self, own_results=self.own_results | {file.name}, size=size)
        return replace(self, images=self.images | {file.name}, size=size)

    def absent(self, here: Iterable[Path]) -> set[str]:
        """Names of the images that were removed and are not among the files that are `here`."""
        return set(self.images.difference(file.name for file in here))


def was_removed(path: Path) -> bool:
    """Whether the image or own result that lay at `path` was removed by a rule."""
    try:
        changed = _list_of(path.parent).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return path.name in _names(path.parent, changed)


def _list_of(folder: Path) -> Path:
    return folder.parents[1] / REMOVED / f"{folder.name}.json"


@lru_cache(maxsize=8)  # archives are listed study by study
def _names(folder: Path, _changed: int) -> frozenset[str]:
    removed = Removed.read(folder)
    return removed.images | removed.own_results
