"""Classic objects of the phantom: one file for each plane."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from hilum.dicom.uids import derived_uid
from hilum_lab.odd_input.phantom import PhantomPlane, planes

USUAL_RESCALING = {"CT": (1, -1024), "PT": (1, 0)}  # slope and intercept
CLASSIC = {
    "MR": MRImageStorage,
    "CT": CTImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
ENHANCED = {
    "MR": EnhancedMRImageStorage,
    "CT": EnhancedCTImageStorage,
    "PT": EnhancedPETImageStorage,
}


@dataclass
class CaseFiles:
    """The files of one case, by name, and the planes that were scanned.

    What is bytes goes to the disk as it is; a data set is saved as a DICOM file.
    """

    modality: str
    files: dict[str, Dataset | bytes] = field(default_factory=dict)
    planes: list[PhantomPlane] = field(default_factory=list)

    def add(self, dataset: Dataset | bytes, *scanned: PhantomPlane, name: str = "") -> None:
        """One more file, called by its number unless `name` is given."""
        self.files[name or f"{len(self.files) + 1:04d}.dcm"] = dataset
        self.planes += scanned

    @property
    def datasets(self) -> list[Dataset]:
        return [file for file in self.files.values() if isinstance(file, Dataset)]


class Maker:
    """Makes the objects of one case; the same case always gets the same UIDs."""

    def __init__(self, case: str, modality: str) -> None:
        self.modality = modality
        self._case = case
        self._made = 0

    def uid(self, *what: object) -> str:
        return derived_uid("odd input", self._case, *map(str, what))

    def exam(self, scanned: Iterable[PhantomPlane] = (), **attributes: Any) -> CaseFiles:
        """An exam of one series, an image for each plane (twelve axial ones without any)."""
        exam = CaseFiles(self.modality)
        for number, plane in enumerate(scanned or planes(), start=1):
            exam.add(self.image(plane, number, **attributes), plane)
        return exam

    def image(
        self,
        plane: PhantomPlane,
        number: int = 1,
        slope: Any = None,
        intercept: Any = None,
        **more: Any,
    ) -> Dataset:
        """One image; `more` are its attributes by keyword, None leaves one out.

        `slope` and `intercept` are written unless they are None, and the stored values are such
        that they give the phantom's.
        """
        dataset = self.header(CLASSIC[self.modality], number)
        dataset.ImagePositionPatient = [f"{x:.6f}"[:16] for x in plane.position]
        dataset.ImageOrientationPatient = [f"{x:.12f}"[:16] for x in plane.orientation]
        dataset.PixelSpacing = list(plane.spacing)
        dataset.SliceThickness = 1.0
        if (slope, intercept) == (None, None):
            slope, intercept = USUAL_RESCALING.get(self.modality, (None, None))
        put_pixels(dataset, _stored(plane.values(), slope, intercept))
        for keyword, value in {"RescaleSlope": slope, "RescaleIntercept": intercept}.items():
            if value is not None:
                setattr(dataset, keyword, value)
        return changed(dataset, **more)

    def header(self, sop_class: str, number: int) -> Dataset:
        """Everything but geometry and pixels."""
        self._made += 1
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = sop_class
        dataset.SOPInstanceUID = self.uid("object", self._made)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.uid("study"), self.uid("series")
        dataset.FrameOfReferenceUID = self.uid("frame of reference")
        dataset.PatientName, dataset.PatientID = "Phantom^Linear", "LAB-1"
        dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
        dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
        dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "A1", "1", ""
        dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = self.modality, 1, number
        dataset.SeriesDescription, dataset.Manufacturer = "phantom", "Hilum lab"
        dataset.ImageType = ["ORIGINAL", "PRIMARY"]
        if self.modality == "PT":
            dataset.Units = "BQML"
        return dataset


def put_pixels(dataset: Dataset, values: np.ndarray, bits: int = 16, signed: bool = False) -> None:
    """Store `values` (..., rows, columns), rounded to whole numbers."""
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = 8 if bits == 8 else 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(signed)
    kind = f"<{'i' if signed else 'u'}{dataset.BitsAllocated // 8}"
    dataset.PixelData = np.rint(values).astype(kind).tobytes()


def changed(dataset: Dataset, **attributes: Any) -> Dataset:
    """The data set with attributes set by keyword; None leaves one out."""
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            del dataset[keyword]
    return dataset


def _stored(values: np.ndarray, slope: Any, intercept: Any) -> np.ndarray:
    """The stored values that give `values`, as far as slope and intercept are usable."""
    factor = slope if isinstance(slope, int | float) and slope == slope and slope else 1
    summand = intercept if isinstance(intercept, int | float) else 0
    return np.asarray((values - summand) / factor)
