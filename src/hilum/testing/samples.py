"""Small made-up exams, for tests of modules, result objects and hosts."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.findings import Finding, Findings, Measurement, Note, Refusal, Segment
from hilum.module import ModuleFacts
from hilum.objects import Analysis

MODULE = ModuleFacts("sample", "1.0", "Sample module", "5f" * 32)
CREATED = datetime(2026, 3, 4, 15, 6, 7).astimezone()


def write_series(
    folder: Path, count: int = 8, shape: tuple[int, int] = (24, 20), **attributes: Any
) -> list[Path]:
    """An axial MR series of 1 mm voxels, one bright half, as DICOM files below `folder`.

    `shape` is (rows, columns); `attributes` are DICOM attributes that every image is to have. Other
    values of an attribute that the identity follows from, such as SeriesDescription, make another
    series of the same study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = derived_uid("sample", "series", str(attributes.get("SeriesDescription", "")))
    files = []
    for index in range(count):
        image = _image(index, shape)
        image.StudyInstanceUID = derived_uid("sample", "study")
        image.SeriesInstanceUID = series
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.SOPInstanceUID = derived_uid("sample", image.SeriesInstanceUID, str(index))
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        files.append(folder / f"{index:04}.dcm")
        image.save_as(files[-1], enforce_file_format=True)
    return files


def _image(index: int, shape: tuple[int, int]) -> Dataset:
    image = Dataset()
    image.SOPClassUID = MRImageStorage
    image.FrameOfReferenceUID = derived_uid("sample", "frame")
    image.PositionReferenceIndicator = None
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.ScanningSequence, image.SequenceVariant = "GR", "SP"
    image.ScanOptions, image.MRAcquisitionType = None, "3D"
    image.EchoTime, image.RepetitionTime, image.EchoTrainLength = 3, 9, 1
    image.Modality, image.SeriesNumber, image.InstanceNumber = "MR", 1, index + 1
    image.SeriesDescription, image.Manufacturer = "T1", "Sample"
    image.PatientName, image.PatientID = "Sample^Patient", "sample"
    image.PatientBirthDate, image.PatientSex = "19700101", "O"
    image.StudyDate, image.StudyTime, image.StudyID = "20260304", "101112", "1"
    image.AccessionNumber, image.ReferringPhysicianName = "A1", ""
    image.Rows, image.Columns = shape
    image.PixelSpacing, image.SliceThickness = [1, 1], 1
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [0, 0, index]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    pixels = np.random.default_rng(index).integers(100, 300, shape, dtype=np.uint16)
    pixels[:, shape[1] // 2 :] += 600
    image.PixelData = pixels.tobytes()
    return image


def analysis_of(files: Sequence[Path], *findings: Finding) -> Analysis:
    """An analysis of the first series of `files` that found `findings`.

    Without any it found one segment, its volume, and a remark.
    """
    study = Study.of([Instance.read(path) for path in files])
    series = study.series[0]
    volume = series.volume()
    mask = np.zeros(volume.array.shape, bool)
    mask[2:5, 4:12, 5:15] = True
    segment = Segment(volume.with_array(mask), codes.HIPPOCAMPUS, "Block")
    measured = Measurement(codes.VOLUME, segment.volume_ml, codes.MILLILITRE, segment, 0.1)
    found = findings or (segment, measured, Note("This is a sample."))
    return Analysis(
        workitem_id=derived_uid("sample", "workitem"),
        created=CREATED,
        module=MODULE,
        study=study,
        inputs={"series": (series,)},
        findings=Findings(found),
        reasons=("it is the only series",),
    )


def refusal_of(files: Sequence[Path]) -> Analysis:
    """An analysis of `files` that could not be made; the reason stands in its place."""
    return analysis_of(files, Refusal("sample", "this is a sample"))
