"""Small made-up exams, for tests of modules, result objects and hosts."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.made_up import made_up_slice
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
        files.append(folder / f"{index:04}.dcm")
        image.save_as(files[-1], enforce_file_format=True)
    return files


def _image(index: int, shape: tuple[int, int]) -> Dataset:
    pixels = np.random.default_rng(index).integers(100, 300, shape, dtype=np.uint16)
    pixels[:, shape[1] // 2 :] += 600
    image = made_up_slice(pixels, "MR", depth=index)
    image.FrameOfReferenceUID = derived_uid("sample", "frame")
    image.ScanOptions, image.EchoTrainLength = None, 1
    image.SeriesNumber, image.InstanceNumber = 1, index + 1
    image.SeriesDescription, image.Manufacturer = "T1", "Sample"
    image.PatientName, image.PatientID = "Sample^Patient", "sample"
    image.PatientBirthDate, image.PatientSex = "19700101", "O"
    image.StudyDate, image.StudyTime, image.StudyID = "20260304", "101112", "1"
    image.AccessionNumber, image.ReferringPhysicianName = "A1", ""
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
