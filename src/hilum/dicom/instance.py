"""One received SOP instance: its header, tolerantly read, and where its file lies."""

import mmap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hilum.dicom.frames import Frame, frames_of, group_item
from hilum.dicom.functional_groups import (
    MOST_FRAMES,
    PER_FRAME,
    FrameGroups,
    of_classic,
    of_multi_frame,
)
from hilum.dicom.header import Header, read_header, text_of
from hilum.dicom.identity import PATIENT_AND_STUDY, Patient
from hilum.dicom.own import NONE, OwnResults
from hilum.dicom.structure import Buffer
from hilum.dicom.uids import derived_uid
from hilum.errors import UnreadableError
from hilum.wording import counted

FRAGMENT_HEAD = 8  # bytes (PS3.5 A.4)
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@dataclass(frozen=True, eq=False)
class Instance:
    """A SOP instance on disk.

    `header` holds everything but the pixel data and elements above 64 KiB; one that is broken reads
    as if it were not there. `uids` are the identifying ones by keyword. `places` says where in the
    file the functional groups lie, by tag. `is_own_result` says that it is a result of ours
    that came back: results do where a PACS routes everything. `length` is that of the file in
    bytes.
    """

    path: Path
    header: Header
    uids: Mapping[str, str]
    transfer_syntax: str
    places: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    is_own_result: bool = False
    length: int = 0

    @classmethod
    def read(cls, path: Path, own: OwnResults = NONE) -> "Instance":
        """Read the header of `path`; raise `UnreadableError` if it identifies no instance.

        `own` tells which objects are results of ours; without it none is. `OSError` is the
        machine's, and no fault of the file.
        """
        with _content(path) as content:
            uids, header, syntax, places = read_header(content)
            length = len(content)
        return cls(path, header, uids, syntax, places, own.hold(uids, header), length)

    @property
    def sop_instance_uid(self) -> str:
        return self.uids["SOPInstanceUID"]

    @property
    def sop_class_uid(self) -> str:
        return self.uids["SOPClassUID"]

    @property
    def series_uid(self) -> str:
        return self.uids["SeriesInstanceUID"]

    @property
    def study_uid(self) -> str:
        return self.uids["StudyInstanceUID"]

    @property
    def announced_images(self) -> int | None:
        """Number of Series Related Instances (0020,1209), if the sender states it (PS3.4 C.3.4)."""
        number = self.header.integer("NumberOfSeriesRelatedInstances")
        return number if number and number > 0 else None

    @cached_property
    def concatenation(self) -> tuple[str, int]:
        """UID and number of objects of the concatenation that it is a part of (PS3.3 C.7.6.16.1).

        ("", 0) if it is whole, or does not say how many there are.
        """
        uid = self.header.text("ConcatenationUID")
        total = self.header.integer("InConcatenationTotalNumber")
        return (uid, total) if uid and total and 0 < total <= MOST_FRAMES else ("", 0)

    @cached_property
    def patient(self) -> Patient:
        """Who the image says its patient is, made comparable."""
        return Patient.of(self.header)

    @cached_property
    def label(self) -> str:
        """A number that stands for all of its patient and study attributes, and tells none."""
        stated = (text_of(self.header, keyword) for keyword in PATIENT_AND_STUDY)
        return derived_uid("label", *self.patient.issuer, *stated)

    @cached_property
    def size(self) -> tuple[int, int] | None:
        """Rows and Columns, or None."""
        rows, columns = self.header.integer("Rows"), self.header.integer("Columns")
        return (rows, columns) if rows and columns else None

    @cached_property
    def number(self) -> int | None:
        """Instance Number, or None."""
        return self.header.integer("InstanceNumber")

    @property
    def name(self) -> str:
        """What people call it: "image 7"."""
        return "an image without a number" if self.number is None else f"image {self.number}"

    @cached_property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, or ""."""
        return self.header.text("FrameOfReferenceUID").strip()

    @cached_property
    def samples_per_pixel(self) -> int:
        """1 for shades of grey, 3 for colours."""
        return self.header.integer("SamplesPerPixel") or 1

    @property
    def has_functional_groups(self) -> bool:
        """Whether each frame says of itself where it lies (PS3.3 C.7.6.16)."""
        return PER_FRAME in self.places

    @cached_property
    def frame_count(self) -> int:
        """Number of Frames; 1 where it is not stated, 0 where there are no pixels.

        No more than the file has room for: a small one must not ask for much memory.
        """
        if self.size is None:
            return 0
        return max(1, min(self._stated_frames, MOST_FRAMES, self._room_for_frames))

    @property
    def _stated_frames(self) -> int:
        return self.header.integer("NumberOfFrames") or 1

    @property
    def _room_for_frames(self) -> int:
        """How many frames the file may hold; a compressed one takes the head of a fragment."""
        rows, columns = self.size or (1, 1)
        bits = 8 * FRAGMENT_HEAD
        if self.transfer_syntax in NATIVE:
            bits = max(1, rows * columns * (self.header.integer("BitsAllocated") or 1))
        return 8 * self.length // bits

    @cached_property
    def problem(self) -> str | None:
        """Why its frames cannot be told apart, or None; an object without pixels has none."""
        if self.size is None:
            return None
        if self.frame_count < min(self._stated_frames, MOST_FRAMES):
            return (
                f"the file has no room for {counted(self._stated_frames, 'frame')} (NumberOfFrames)"
            )
        if self._read_groups.problem:
            return self._read_groups.problem
        if not self.has_functional_groups or len(self.frames) == self.frame_count:
            return None
        said, described = self.frame_count, len(self.frames)
        stated = counted(said, "frame")
        return f"it says that it has {stated} and describes {described} (NumberOfFrames)"

    @property
    def is_multi_frame(self) -> bool:
        return self.has_functional_groups or self.frame_count > 1

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Every plane of pixels in the order of the file.

        None for an object without pixels, or whose functional groups make no sense (`problem`).
        """
        groups, problem = self._read_groups
        if self.size is None or problem:
            return ()
        return frames_of(self, groups, of_classic(self.header))

    def group_items(self, number: int) -> list[Dataset]:
        """The functional group items that hold for frame `number`: shared, then its own."""
        groups, _ = self._read_groups
        if groups is None:
            return []
        places = [groups.shared] if groups.shared else []
        places.append(groups.places[number - 1])
        with _content(self.path) as content:
            return [group_item(content[a:b], self.transfer_syntax) for a, b in places]

    @cached_property
    def _read_groups(self) -> "_Groups":
        """The functional groups, None if there are none, and why they cannot be read."""
        if not self.has_functional_groups:
            return _Groups(None)
        try:
            with _content(self.path) as content:
                return _Groups(of_multi_frame(content, self.transfer_syntax, self.places))
        except UnreadableError as error:
            return _Groups(None, str(error))

    def dataset(self) -> Dataset:
        """The complete data set, pixel data included, read afresh from disk."""
        with self.path.open("rb") as file:
            return pydicom.dcmread(file)


def readable(files: Iterable[Path]) -> Iterator[Instance]:
    """The instances of those files that can be read; `OSError` if the disk does not give one."""
    for file in files:
        with suppress(UnreadableError):
            yield Instance.read(file)


class _Groups(NamedTuple):
    groups: FrameGroups | None
    problem: str | None = None


@contextmanager
def _content(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, not read before they are looked at."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            yield content
    except ValueError as error:  # mmap takes no empty file
        raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
