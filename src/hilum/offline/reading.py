"""The studies in a folder, read as `hilum serve` reads what it receives, and what was passed over.

What the inbox would refuse is passed over with the same words, what it would put right is put
right, and the studies are followed by the same `Arrival`: so both come to the same decision.
"""

import mmap
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hilum.arrival import Arrival
from hilum.dicom.instance import Instance
from hilum.dicom.own import NONE, OwnResults
from hilum.dicom.salvage import Readable, readable
from hilum.dicom.structure import Buffer
from hilum.errors import UnreadableError
from hilum.inbox import OTHER_CONTENT, is_same_object
from hilum.sources.folder import FoundFile, files_below, is_index, unreadable
from hilum.wording import counted, printable

NAMED = 3  # files of one kind in a line for a terminal
A_COPY = "the same object is here already"
AN_INDEX = "a DICOMDIR, which only lists other files"
Progress = Callable[[str, int, int], None]  # the step, and how many of how many are done
OWN_RESULT = "a result of Hilum, it is not analysed"


def untold(_step: str, _done: int, _total: int) -> None:
    """Report no progress."""


class Fate(StrEnum):
    """What happened to a file that was not simply read."""

    PASSED_OVER = "passed over"
    PUT_RIGHT = "put right"
    LEFT_OUT = "left out"  # nothing is wrong with it


@dataclass(frozen=True)
class Remark:
    """What happened to one file, and why; `study_uid` is "" where the file does not state it."""

    path: str
    fate: Fate
    reason: str
    study_uid: str = ""


@dataclass(frozen=True)
class Reading:
    """The studies of a folder, each with all that was read of it, and what is to be said of files.

    A study that holds nothing but own results is among them.
    """

    studies: tuple[Arrival, ...]
    remarks: tuple[Remark, ...]


def read_folder(
    folder: Path,
    put_right: Path | None = None,
    progress: Progress = untold,
    own: OwnResults = NONE,
) -> Reading:
    """Read every file below `folder`; copies of those that are put right are in `put_right`.

    Without that folder they are passed over. `progress` is told how many of how many files were
    read. `own` tells which objects are results of ours.
    """
    found = list(files_below(folder))
    reader = _Reader(put_right, own)
    for number, file in enumerate(found, start=1):
        reader.read(file)
        progress("reading", number, len(found))
    return Reading(tuple(reader.studies.values()), tuple(reader.remarks))


def in_lines(remarks: Iterable[Remark], folder: Path) -> Iterator[str]:
    """The remarks as a few lines of text: how many files of each kind, and the names of some."""
    kinds: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for remark in remarks:
        kinds[remark.fate, remark.reason].append(remark.path)
    for (fate, reason), paths in kinds.items():
        files = counted(len(paths), "file")
        yield f"{fate}: {files}, {reason} ({_some(paths, folder)})"


def _some(paths: Sequence[str], folder: Path) -> str:
    names = [_shown(path.removeprefix(f"{folder}{os.sep}")) for path in paths[:NAMED]]
    if len(paths) > NAMED:
        names.append(f"and {len(paths) - NAMED} more")
    return ", ".join(names)


def _shown(path: str) -> str:
    """The name of a file, which may be made of any bytes, as text for a terminal."""
    return printable(path.encode(errors="replace").decode(), "?")


class _Reader:
    """Reads one file after the other, as the inbox would."""

    def __init__(self, put_right: Path | None, own: OwnResults) -> None:
        self._own = own
        self.studies: dict[str, Arrival] = {}
        self.remarks: list[Remark] = []
        self._put_right = put_right
        self._copies = 0

    def read(self, found: FoundFile) -> None:
        """Read one file into its study, or remark why not."""
        if found.problem:
            self._remark(found.path, Fate.PASSED_OVER, found.problem)
            return
        try:
            with _mapped(found.path) as content:
                if is_index(content[:4096]):
                    self._remark(found.path, Fate.LEFT_OUT, AN_INDEX)
                    return
                self._take(found.path, content, readable(content))
        except UnreadableError as error:
            self._remark(found.path, Fate.PASSED_OVER, str(error))
        except OSError as error:
            self._remark(found.path, Fate.PASSED_OVER, unreadable(error))

    def _take(self, path: Path, content: Buffer, file: Readable) -> None:
        study_uid, uid = file.uids["StudyInstanceUID"], file.uids["SOPInstanceUID"]
        arrival = self.studies.get(study_uid) or Arrival(study_uid)
        part10 = file.part10(content[:]) if file.mended else content
        if known := arrival.instances.get(uid):
            with _mapped(known.path) as before:
                is_copy = is_same_object(before, part10)
            fate = Fate.LEFT_OUT if is_copy else Fate.PASSED_OVER
            self._remark(path, fate, A_COPY if is_copy else OTHER_CONTENT, study_uid)
            return
        if file.mended and self._put_right is None:
            raise UnreadableError(f"not a DICOM file as it should be: {file.mended}")
        instance = Instance.read(self._copy(part10[:]) if file.mended else path, self._own)
        if file.mended:
            self._remark(path, Fate.PUT_RIGHT, file.mended, study_uid)
        if instance.is_own_result:
            self._remark(path, Fate.LEFT_OUT, OWN_RESULT, study_uid)
        self.studies[study_uid] = arrival
        arrival.add(instance, at=0.0)

    def _copy(self, part10: bytes) -> Path:
        assert self._put_right
        path = self._put_right / f"{self._copies}.dcm"
        path.write_bytes(part10)
        self._copies += 1
        return path

    def _remark(self, path: Path, fate: Fate, reason: str, study_uid: str = "") -> None:
        self.remarks.append(Remark(str(path), fate, reason, study_uid))


@contextmanager
def _mapped(path: Path) -> Iterator[Buffer]:
    """The content of a file, which may be larger than memory."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            yield b""  # it cannot be mapped
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
