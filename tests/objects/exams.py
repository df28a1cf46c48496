"""Exams for the tests: one made here, clean or dirty, and the real ones where they exist."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from highdicom import Volume
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.findings import Change, Earlier, Finding, Findings, Measurement, Note, Segment
from hilum.module import ModuleFacts
from hilum.objects import Analysis

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("HILUM_SHARED", REPOSITORY.parent / "shared"))
STUDIES = SHARED / "data" / "studies"

MODULE = ModuleFacts("hippocampal-volume", "1.0", "Hippocampal volume", "5f" * 32)
CREATED = datetime(2026, 3, 4, 15, 6, 7)

# Names with the character set their scanner would declare (PS3.5 annexes H and I).
NAMES = {
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "cyrillic": ("ISO_IR 144", "Петров^Иван"),
    "arabic": ("ISO_IR 127", "قباني^لنزار"),
    "greek": ("ISO_IR 126", "Παπαδοπουλος^Νικος"),
    "german": ("ISO_IR 100", "Äneas^Rüdiger"),
    "unicode": ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    "chinese": ("GB18030", "Zhang^XiaoDong=张^小东"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "thai": ("ISO_IR 166", "นามสกุล^ชื่อต้น"),
    "hindi": ("ISO_IR 192", "शर्मा^प्रिया"),
}


def unchanged(_: Dataset) -> None:
    """A clean exam."""


def write_exam(
    folder: Path, change: Callable[[Dataset], None] = unchanged, shape=(14, 30, 27)
) -> Study:
    """A T1 series of one oblique block, 1.5 x 1.2 x 1 mm, each image passed through `change`."""
    for index, content in enumerate(_images(change, shape)):
        (folder / f"{index}.dcm").write_bytes(content)
    return read_study(folder)


@lru_cache(20)  # most tests want the clean one
def _images(change: Callable[[Dataset], None], shape: tuple[int, int, int]) -> list[bytes]:
    """Its files."""
    slices, rows, columns = shape
    files = []
    rng = np.random.default_rng(1)
    tilt = np.deg2rad(10)
    row_direction, column_direction = (1.0, 0.0, 0.0), (0.0, np.cos(tilt), np.sin(tilt))
    normal = np.cross(row_direction, column_direction)
    for index in range(slices):
        image = Dataset()
        image.SOPClassUID = MRImageStorage
        image.SOPInstanceUID = derived_uid("test", "instance", str(index))
        image.StudyInstanceUID = derived_uid("test", "study")
        image.SeriesInstanceUID = derived_uid("test", "series")
        image.FrameOfReferenceUID = derived_uid("test", "frame")
        image.PositionReferenceIndicator = None
        image.ImageType = ["ORIGINAL", "PRIMARY"]
        image.ScanningSequence, image.SequenceVariant = "GR", "SP"
        image.ScanOptions, image.MRAcquisitionType = None, "3D"
        image.EchoTime, image.RepetitionTime, image.EchoTrainLength = 3, 9, 1
        image.Modality, image.Manufacturer = "MR", "Test"
        image.PatientName, image.PatientID = "Roe^Jane", "4711"
        image.PatientBirthDate, image.PatientSex = "19600102", "F"
        image.StudyDate, image.StudyTime, image.StudyID = "20260304", "101112", "1"
        image.AccessionNumber, image.ReferringPhysicianName = "A1", "Doe^John"
        image.StudyDescription, image.SeriesDescription = "MR head", "T1 MPRAGE"
        image.SeriesNumber, image.InstanceNumber = 4, index + 1
        image.BodyPartExamined = "BRAIN"
        image.Rows, image.Columns = rows, columns
        image.PixelSpacing = [1.2, 1]
        image.SliceThickness = 1.5
        image.ImageOrientationPatient = [*row_direction, *(round(c, 6) for c in column_direction)]
        image.ImagePositionPatient = [round(float(c), 5) for c in normal * 1.5 * index]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.PixelData = rng.integers(100, 900, (rows, columns), dtype=np.uint16).tobytes()
        change(image)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        files.append(as_file(image))
    return files


def read_study(folder: Path) -> Study:
    return Study.of([Instance.read(path) for path in sorted(folder.rglob("*.dcm"))])


def grid(series: Series) -> Volume:
    """An empty volume on the grid of `series`."""
    return series.volume()


def segments(series: Series) -> tuple[Segment, Segment, Segment]:
    """An ellipsoid, cut into an anterior and a posterior half, and the whole of it."""
    volume = grid(series)
    axes = np.indices(volume.array.shape)
    middle = (np.array(volume.array.shape) - 1) / 2
    radii = np.array(volume.array.shape) * (0.28, 0.36, 0.25)
    distance = sum(((a - m) / r) ** 2 for a, m, r in zip(axes, middle, radii, strict=True))
    whole = distance < 1
    front = whole & (axes[1] < middle[1])
    parts: list[tuple[np.ndarray, str, Code | None, tuple[int, int, int]]] = [
        (front, "Hippocampus, anterior", codes.ANTERIOR, (255, 176, 59)),
        (whole & ~front, "Hippocampus, posterior", codes.POSTERIOR, (64, 196, 255)),
        (whole, "Hippocampus", None, (120, 220, 120)),
    ]
    made = [
        Segment(volume.with_array(m), codes.HIPPOCAMPUS, label, modifier, colour=colour)
        for m, label, modifier, colour in parts
    ]
    return made[0], made[1], made[2]


def pair(series: Series) -> tuple[Segment, ...]:
    """A left and a right one, each an anterior and a posterior part and the whole of both."""
    volume = grid(series)
    patients_left = np.indices(volume.array.shape)[2] > (volume.array.shape[2] - 1) / 2
    found = []
    for side, half in ((codes.LEFT, patients_left), (codes.RIGHT, ~patients_left)):
        for segment in segments(series):
            mask = volume.with_array(segment.mask.array & half)
            label = f"{side.meaning} {segment.label.lower()}"
            found.append(replace(segment, mask=mask, side=side, label=label))
    return tuple(found)


def with_changes(analysis: Analysis, *before: tuple[date, float]) -> Analysis:
    """`analysis` with the wholes followed: in earlier exams they were so many times as large."""
    before = before or ((date(2024, 3, 4), 1.25),)
    volumes = {m.of: m for m in analysis.findings.measurements if m.code == codes.VOLUME and m.of}
    changes = []
    for whole in (s for s in analysis.findings.segments if not s.modifier):
        volume = volumes[whole]
        earlier = [
            Earlier(
                day, volume.value * factor, 0.03 * volume.value, f"1.2.{n}", f"1.3.{n}", f"1.4.{n}"
            )
            for n, (day, factor) in enumerate(before)
        ]
        changes.append(Change(volume, CREATED.date(), tuple(earlier)))
    return replace(analysis, findings=Findings((*analysis.findings.items, *changes)))


def analysis_of(study: Study, series: Series, *more: Finding, **changes: object) -> Analysis:
    """A complete result: three segments with volumes and their uncertainty, and a note."""
    return result_of(study, series, segments(series), *more, **changes)


def result_of(
    study: Study, series: Series, found: Sequence[Segment], *more: Finding, **changes: object
) -> Analysis:
    """Of `found`, as `analysis_of`."""
    volumes = [
        Measurement(codes.VOLUME, s.volume_ml, codes.MILLILITRE, s, 0.03 * s.volume_ml)
        for s in found
    ]
    items = (*found, *volumes, Note("The side cannot be known from this crop."), *more)
    values = {
        "workitem_id": "w-1",
        "created": CREATED,
        "module": MODULE,
        "study": study,
        "inputs": {"series": (series,)},
        "findings": Findings(items),
        "reasons": ("Series Description matches the site's rule",),
    }
    return Analysis(**{**values, **changes})  # type: ignore[arg-type]
