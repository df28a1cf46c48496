"""Series whose voxel values tell where they lie, so that order, values and affine prove each other.

The value of a voxel is a linear function of its position in the patient (LPS, mm).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid

GRADIENT = np.array([2.0, 3.0, 5.0])  # values per mm along L, P and S
CLASSIC = {
    "MR": MRImageStorage,
    "CT": CTImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
ENHANCED = {"MR": EnhancedMRImageStorage, "CT": EnhancedCTImageStorage}


def value_at(points: np.ndarray) -> np.ndarray:
    """The value at LPS positions (..., 3)."""
    return np.asarray(3000 + points @ GRADIENT)


@dataclass(frozen=True)
class Plane:
    """One slice: where its first pixel lies, its directions, and what else its header says.

    `spacing` is the distance between rows, then columns. `rescale` is what its values are stored
    with, `number` its Instance Number. `attributes` are more of them by keyword.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    spacing: tuple[float, float] = (1.0, 1.0)
    size: tuple[int, int] = (8, 6)
    rescale: tuple[float, float] = (1.0, 0.0)
    number: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def points(self) -> np.ndarray:
        """Where each pixel lies: (rows, columns, 3)."""
        rows, columns = np.mgrid[0 : self.size[0], 0 : self.size[1]]
        across, down = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return np.asarray(
            self.position
            + rows[..., None] * self.spacing[0] * down
            + columns[..., None] * self.spacing[1] * across
        )

    @property
    def stored(self) -> np.ndarray:
        slope, intercept = self.rescale
        return np.rint((value_at(self.points) - intercept) / slope).astype(np.uint16)


def stack(count: int = 12, step: float = 1.0, tilt: float = 0.0, **values: Any) -> list[Plane]:
    """`count` planes `step` mm apart; `tilt` is in degrees, towards the columns."""
    first = Plane((-20.0, -30.0, 10.0), **values)
    across, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    along = np.cross(across, down) * step + down * step * np.tan(np.radians(tilt))
    places = np.array(first.position) + np.arange(count)[:, None] * along
    return [
        Plane(tuple(place), number=number, **values)
        for number, place in enumerate(places.tolist(), start=1)
    ]


def classic(planes: Sequence[Plane], modality: str = "MR", **values: Any) -> list[Dataset]:
    """One object a plane; `values` overrides attributes of all of them."""
    made = []
    for plane in planes:
        ds = _head(CLASSIC[modality], modality, plane.number)
        ds.ImagePositionPatient = _decimals(plane.position)
        ds.ImageOrientationPatient = _decimals(plane.orientation)
        ds.PixelSpacing = _decimals(plane.spacing)
        if modality != "MR" or plane.rescale != (1.0, 0.0):
            ds.RescaleSlope, ds.RescaleIntercept = plane.rescale
        _pixels(ds, plane.stored)
        for keyword, value in {**plane.attributes, **values}.items():
            setattr(ds, keyword, value)
        made.append(ds)
    return made


def enhanced(planes: Sequence[Plane], modality: str = "MR", **values: Any) -> Dataset:
    """One object for all planes, each with its own functional groups.

    Of a plane's attributes StackID, TemporalPositionIndex, EchoTime, DiffusionBValue and
    FrameAcquisitionNumber go to where an enhanced object states them.
    """
    ds = _head(ENHANCED[modality], modality, 1)
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing = _decimals(planes[0].spacing)
    shared.PixelMeasuresSequence = [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [_groups(plane) for plane in planes]
    _pixels(ds, np.stack([plane.stored for plane in planes]))
    ds.NumberOfFrames = len(planes)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def read(datasets: Iterable[Dataset], folder: Path) -> Series:
    """The series that `datasets` make, as received."""
    return Series.of([instance_of(ds, folder) for ds in datasets])


def instance_of(ds: Dataset, folder: Path) -> Instance:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{derived_uid(ds.SOPInstanceUID)[-16:]}.dcm"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return Instance.read(path)


def _groups(plane: Plane) -> Dataset:
    item, given = Dataset(), dict(plane.attributes)
    where = {
        "StackID": "FrameContentSequence",
        "TemporalPositionIndex": "FrameContentSequence",
        "FrameAcquisitionNumber": "FrameContentSequence",
        "EchoTime": "MREchoSequence",
        "DiffusionBValue": "MRDiffusionSequence",
    }
    item.PlanePositionSequence = [Dataset()]
    item.PlanePositionSequence[0].ImagePositionPatient = _decimals(plane.position)
    item.PlaneOrientationSequence = [Dataset()]
    item.PlaneOrientationSequence[0].ImageOrientationPatient = _decimals(plane.orientation)
    transform = Dataset()
    transform.RescaleSlope, transform.RescaleIntercept = plane.rescale
    transform.RescaleType = "US"
    item.PixelValueTransformationSequence = [transform]
    for keyword, value in given.items():
        sequence = where[keyword]
        if sequence not in item:
            setattr(item, sequence, [Dataset()])
        name = "EffectiveEchoTime" if keyword == "EchoTime" else keyword
        setattr(item[sequence].value[0], name, value)
    return item


def _head(sop_class: str, modality: str, number: int) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = derived_uid("phantom", sop_class, str(number))
    ds.StudyInstanceUID = derived_uid("phantom", "study")
    ds.SeriesInstanceUID = derived_uid("phantom", "series")
    ds.FrameOfReferenceUID = derived_uid("phantom", "frame of reference")
    ds.PatientName, ds.PatientID = "Marker^Patient", "marker-id"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "120000", "1", "A1"
    ds.ReferringPhysicianName = ""
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, 1, number
    ds.SeriesDescription = "phantom"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    return ds


def _pixels(ds: Dataset, stored: np.ndarray) -> None:
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = stored.tobytes()


def _decimals(numbers: Iterable[float]) -> list[str]:
    return [f"{number:.9f}"[:16] for number in numbers]
