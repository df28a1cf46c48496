"""One received SOP instance: its header, tolerantly read, and where its file lies."""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from hilum.dicom.uids import MANUFACTURER
from hilum.errors import UnreadableError

HOSTILE = (  # what pydicom raises on broken bytes, found by fuzzing it
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    EOFError,
    OSError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
IDENTIFYING = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True)
class Instance:
    """A SOP instance on disk. `header` holds everything but the pixel data."""

    path: Path
    header: FileDataset

    @classmethod
    def read(cls, path: Path) -> "Instance":
        """Read the header of `path`; raise `UnreadableError` if it identifies no instance."""
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            missing = [keyword for keyword in IDENTIFYING if not header.get(keyword)]
        except HOSTILE as error:
            raise UnreadableError(f"not a readable DICOM object: {type(error).__name__}") from error
        if missing:
            raise UnreadableError(f"the object has no {', '.join(missing)}")
        return cls(path, header)

    @property
    def sop_instance_uid(self) -> str:
        return str(self.header.SOPInstanceUID)

    @property
    def sop_class_uid(self) -> str:
        return str(self.header.SOPClassUID)

    @property
    def series_uid(self) -> str:
        return str(self.header.SeriesInstanceUID)

    @property
    def study_uid(self) -> str:
        return str(self.header.StudyInstanceUID)

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
        try:
            return int(self.header.get("NumberOfSeriesRelatedInstances") or 0) or None
        except (TypeError, ValueError):
            return None

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
        return _floats(self.header, "PixelSpacing", 2)

    def dataset(self) -> Dataset:
        """The complete data set, pixel data included, read afresh from disk."""
        return pydicom.dcmread(self.path)


def _floats(header: Dataset, keyword: str, count: int) -> np.ndarray | None:
    try:
        value = header.get(keyword)
        numbers = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (count,) and np.isfinite(numbers).all() else None
