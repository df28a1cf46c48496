"""One received SOP instance: its header, tolerantly read, and where its file lies."""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from hilum.dicom.header import HOSTILE, Header, read_header
from hilum.dicom.uids import MANUFACTURER
from hilum.errors import UnreadableError

LONGEST = 1e6  # mm; no patient is larger, and squares of such numbers can be reckoned with


@dataclass(frozen=True)
class Instance:
    """A SOP instance on disk.

    `header` holds everything but the pixel data and elements above 64 KiB; one that is broken reads
    as if it were not there. `uids` are the identifying ones by keyword.
    """

    path: Path
    header: Header
    uids: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "Instance":
        """Read the header of `path`; raise `UnreadableError` if it identifies no instance.

        `OSError` is the machine's, and no fault of the file.
        """
        try:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                uids, header = read_header(content)
        except ValueError as error:  # mmap takes no empty file
            raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
        return cls(path, header, uids)

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
    def is_own_result(self) -> bool:
        """Whether a Hilum made this object; our results come back when a PACS routes everything."""
        try:
            equipment = list(self.header.get("ContributingEquipmentSequence", []))
            return any(item.get("Manufacturer") == MANUFACTURER for item in equipment)
        except HOSTILE:
            return False

    @property
    def announced_images(self) -> int | None:
        """Number of Series Related Instances (0020,1209), if the sender states it (PS3.4 C.3.4)."""
        number = self.header.integer("NumberOfSeriesRelatedInstances")
        return number if number and number > 0 else None

    @cached_property
    def size(self) -> tuple[int, int] | None:
        """Rows and Columns, or None."""
        rows, columns = self.header.integer("Rows"), self.header.integer("Columns")
        return (rows, columns) if rows and columns else None

    @cached_property
    def position(self) -> np.ndarray | None:
        """Image Position (Patient) in mm, LPS (PS3.3 C.7.6.2), or None."""
        return _floats(self.header, "ImagePositionPatient", 3)

    @cached_property
    def orientation(self) -> np.ndarray | None:
        """Image Orientation (Patient): row then column direction cosines, or None."""
        return _floats(self.header, "ImageOrientationPatient", 6)

    @cached_property
    def pixel_spacing(self) -> np.ndarray | None:
        """Distance between rows, then between columns, in mm, or None."""
        spacing = _floats(self.header, "PixelSpacing", 2)
        return spacing if spacing is not None and (spacing > 0).all() else None

    def dataset(self) -> Dataset:
        """The complete data set, pixel data included, read afresh from disk."""
        return pydicom.dcmread(self.path)


def _floats(header: Header, keyword: str, count: int) -> np.ndarray | None:
    """`count` finite numbers of a magnitude that lengths in a patient have, or None."""
    value = header.get(keyword)
    try:
        if len(value) != count:
            return None
        numbers = np.array([float(v) for v in value], dtype=np.float64)
    except HOSTILE:
        return None
    return numbers if (np.abs(numbers) < LONGEST).all() else None
