"""A DICOM object that the module wrote itself."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom.conformance import read_object
from hilum.errors import DicomError, FindingError
from hilum.findings.finding import Finding
from hilum.summary.pictures import OwnObjectSummary


@dataclass(frozen=True, eq=False)
class OwnObject(Finding):
    """A DICOM object as the module wrote it: `content` is its file (PS3.10), uint8, of one axis.

    What is sent has the patient and study of the analysed images and UIDs of ours, see
    `hilum.objects.gate`. Its references must be to images of the study, or to other such objects.
    """

    content: np.ndarray

    def __post_init__(self) -> None:
        content = self.content
        if not isinstance(content, np.ndarray) or content.dtype != np.uint8 or content.ndim != 1:
            raise FindingError("the content of an own DICOM object is no array of bytes")
        try:
            self.dataset  # noqa: B018 - read once, here
        except DicomError as error:
            raise FindingError(f"an own DICOM object cannot be sent: {error}") from error

    @cached_property
    def dataset(self) -> Dataset:
        """What the file holds, as the module wrote it; not to be changed."""
        return read_object(self.content.tobytes())

    def summary(self) -> OwnObjectSummary:
        return OwnObjectSummary(str(self.dataset.SOPClassUID.name), self.content.size)
