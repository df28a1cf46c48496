"""The sample exam: an MR brain study as DICOM, made from the Colin27 head (Debian `mricron-data`).

T2 and FLAIR contrast is simulated from the T1 intensities; every image says so. The person named in
the headers does not exist.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, MRImageStorage

from hilum.dicom.uids import derived_uid
from hilum_lab.network import head
from hilum_lab.network.head import SHAPE
from hilum_lab.network.samples import blank, describe_visit

SERIES = ("Localizer", "T1 MPRAGE sag", "T2 TSE ax", "FLAIR ax", "HippoCrop")

# Box of the left hippocampus in scanner voxels, framed as the Medical Segmentation Decathlon frames
# its crops: normalised correlation with their mean is 0.78 here.
CROP = (slice(85, 120), slice(91, 142), slice(80, 115))

COMMENT = "Sample exam made from the Colin27 template; fictitious patient; not for diagnosis"


@dataclass(frozen=True)
class Slice:
    """One image: pixels (rows, columns) and where it lies (PS3.3 C.7.6.2)."""

    pixels: np.ndarray
    position: tuple[float, float, float]
    orientation: tuple[int, int, int, int, int, int]
    location: float


@dataclass(frozen=True)
class Acquisition:
    """What one series shows and how its header describes it."""

    number: int
    description: str
    time: str
    thickness: float
    spacing: float
    slices: Sequence[Slice]
    attributes: dict[str, object] = field(default_factory=dict)
    derivation: str = ""
    window: tuple[int, int] = (380, 720)  # centre, width


def make_exam(folder: Path, *, number: int = 1, series: Sequence[str] = SERIES) -> Path:
    """Write the sample exam below `folder` and return `folder`.

    Parameters
    ----------
    folder
        Is made if need be; gets one subfolder per series with one file per image.
    number
        Which fictitious patient: other numbers give the same pixels under other names and UIDs.
    series
        Which of `SERIES` to write.

    Raises
    ------
    MissingPartError
        The Colin27 head is not on this machine.
    """
    for acquisition in _acquisitions(series):
        place = folder / f"{acquisition.number:02d}"
        place.mkdir(parents=True, exist_ok=True)
        dataset = _series_dataset(number, acquisition)
        for index, image in enumerate(acquisition.slices, start=1):
            _describe_image(dataset, number, acquisition, index, image)
            dataset.save_as(place / f"{index:03d}.dcm", enforce_file_format=True)
    return folder


def study_uid(number: int = 1) -> str:
    """Study Instance UID of sample exam `number`."""
    return derived_uid("hilum", "sample-exam", str(number))


def series_uid(description: str, number: int = 1) -> str:
    """Series Instance UID of the series called `description` in sample exam `number`."""
    return derived_uid("hilum", "sample-exam", str(number), description)


def _acquisitions(wanted: Sequence[str]) -> Iterator[Acquisition]:
    makers = dict(zip(SERIES, (_localizer, _t1, _t2, _flair, _crop), strict=True))
    t1 = head.t1()
    for name in wanted:
        yield makers[name](t1)


def _point(i: float, j: float, k: float) -> tuple[float, float, float]:
    """LPS mm of a scanner voxel; the origin is the isocentre."""
    x, y, z = (float(v - (n - 1) / 2) for v, n in zip((i, j, k), SHAPE, strict=True))
    return x, y, z


def _sagittal(volume: np.ndarray, first: int, last: int) -> Slice:
    position = _point((first + last - 1) / 2, 0, SHAPE[2] - 1)
    pixels = volume[first:last].mean(axis=0)[:, ::-1].T
    return Slice(pixels, position, (0, 1, 0, 0, 0, -1), position[0])


def _coronal(volume: np.ndarray, first: int, last: int) -> Slice:
    position = _point(0, (first + last - 1) / 2, SHAPE[2] - 1)
    pixels = volume[:, first:last].mean(axis=1)[:, ::-1].T
    return Slice(pixels, position, (1, 0, 0, 0, 0, -1), position[1])


def _axial(volume: np.ndarray, first: int, last: int) -> Slice:
    position = _point(0, 0, (first + last - 1) / 2)
    pixels = volume[:, :, first:last].mean(axis=2).T
    return Slice(pixels, position, (1, 0, 0, 0, 1, 0), position[2])


def _localizer(t1: np.ndarray) -> Acquisition:
    slices = [
        plane(t1, size // 2 + shift - 3, size // 2 + shift + 4)
        for plane, size in zip((_sagittal, _coronal, _axial), SHAPE, strict=True)
        for shift in (-20, 0, 20)
    ]
    attributes = dict(_GRADIENT_ECHO, MRAcquisitionType="2D", RepetitionTime="8.6", EchoTime="4")
    return Acquisition(1, "Localizer", "101502", 7, 20, slices, attributes)


def _t1(t1: np.ndarray) -> Acquisition:
    slices = [_sagittal(t1, i, i + 1) for i in range(SHAPE[0])]
    return Acquisition(2, "T1 MPRAGE sag", "101811", 1, 1, slices, _T1)


def _crop(t1: np.ndarray) -> Acquisition:
    x, y, z = CROP
    slices = [
        Slice(t1[x, y, k].T, _point(x.start, y.start, k), (1, 0, 0, 0, 1, 0), _point(0, 0, k)[2])
        for k in range(z.start, z.stop)
    ]
    text = "Box around the left hippocampus"
    return Acquisition(5, "HippoCrop", "103406", 1, 1, slices, _T1, text, (360, 560))


def _t2(t1: np.ndarray) -> Acquisition:
    volume = head.simulated(t1, brain=((0, 950), (150, 900), (420, 430), (620, 290), (1020, 230)))
    attributes = dict(_SPIN_ECHO, RepetitionTime="4500", EchoTime="98", EchoTrainLength="15")
    text = "T2 contrast simulated from T1 intensities"
    return Acquisition(3, "T2 TSE ax", "102421", 5, 6, _thick(volume), attributes, text, (450, 900))


def _flair(t1: np.ndarray) -> Acquisition:
    volume = head.simulated(t1, brain=((0, 60), (150, 90), (420, 520), (620, 410), (1020, 380)))
    attributes = dict(
        _SPIN_ECHO,
        ScanningSequence=["SE", "IR"],
        RepetitionTime="9000",
        EchoTime="110",
        InversionTime="2500",
        EchoTrainLength="19",
    )
    text = "FLAIR contrast simulated from T1 intensities"
    return Acquisition(4, "FLAIR ax", "102907", 5, 6, _thick(volume), attributes, text)


def _thick(volume: np.ndarray) -> list[Slice]:
    return [_axial(volume, k, k + 5) for k in range(32, SHAPE[2] - 13, 6)]


_GRADIENT_ECHO: dict[str, object] = {
    "ScanningSequence": "GR",
    "SequenceVariant": "SP",
    "EchoTrainLength": "1",
    "FlipAngle": "30",
}
_SPIN_ECHO: dict[str, object] = {
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "MRAcquisitionType": "2D",
    "FlipAngle": "150",
}
# The sequence Colin27 was really scanned with (27 times; the template is their mean).
_T1: dict[str, object] = dict(
    _GRADIENT_ECHO, MRAcquisitionType="3D", RepetitionTime="18", EchoTime="10"
)


def _series_dataset(number: int, acquisition: Acquisition) -> FileDataset:
    """What all images of one series have in common."""
    dataset = blank(MRImageStorage)
    _describe_study(dataset, number)
    _describe_series(dataset, number, acquisition)
    return dataset


def _describe_study(dataset: Dataset, number: int) -> None:
    describe_visit(dataset, number)
    dataset.PatientName = f"Sample^Colin {number}" if number > 1 else "Sample^Colin"
    dataset.PatientID = f"HILUM-SAMPLE-{number}"
    dataset.PatientBirthDate = "19681104"
    dataset.PatientSex = "M"
    dataset.PatientAge = "055Y"
    dataset.StudyInstanceUID = study_uid(number)
    dataset.AccessionNumber = f"SAMPLE{number:04d}"
    dataset.StudyTime = "101450"
    dataset.StudyDescription = "MR brain, memory clinic"
    dataset.FrameOfReferenceUID = derived_uid("hilum", "sample-exam", str(number), "frame")
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "Simulated scanner"
    dataset.ManufacturerModelName = "Colin27"
    dataset.MagneticFieldStrength = "1.5"
    dataset.ImagingFrequency = "63.87"
    dataset.ImagedNucleus = "1H"


def _describe_series(dataset: Dataset, number: int, acquisition: Acquisition) -> None:
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = series_uid(acquisition.description, number)
    dataset.SeriesNumber = acquisition.number
    dataset.SeriesDescription = acquisition.description
    dataset.ProtocolName = acquisition.description
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = dataset.StudyDate
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = acquisition.time
    dataset.BodyPartExamined = "BRAIN"
    dataset.PatientPosition = "HFS"
    dataset.ScanOptions = ""
    dataset.ImageType = ["DERIVED", "PRIMARY", "OTHER"]
    dataset.AcquisitionNumber = acquisition.number
    for keyword, value in acquisition.attributes.items():
        setattr(dataset, keyword, value)
    dataset.DerivationDescription = ". ".join(
        text for text in ("Resampled from the Colin27 template", acquisition.derivation) if text
    )
    dataset.ImageComments = COMMENT
    dataset.SliceThickness = acquisition.thickness
    dataset.SpacingBetweenSlices = acquisition.spacing
    dataset.PixelSpacing = [1, 1]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 12
    dataset.HighBit = 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = acquisition.window


def _describe_image(
    dataset: FileDataset, number: int, acquisition: Acquisition, index: int, image: Slice
) -> None:
    uid = derived_uid("hilum", "sample-exam", str(number), acquisition.description, str(index))
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.SOPInstanceUID = uid
    dataset.InstanceNumber = index
    dataset.ImagePositionPatient = list(image.position)
    dataset.ImageOrientationPatient = list(image.orientation)
    dataset.SliceLocation = image.location
    dataset.Rows, dataset.Columns = image.pixels.shape
    dataset.PixelData = np.ascontiguousarray(image.pixels.round(), dtype="<u2").tobytes()
