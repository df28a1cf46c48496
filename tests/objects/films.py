"""Radiographs as DICOM for the tests: real films where they exist, else drawn ones; findings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from hilum.dicom import codes
from hilum.dicom.film import Film
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.findings import Classification, Finding, Findings, HeatMap, Measurement, Score
from hilum.module import ModuleFacts
from hilum.objects import Analysis

from . import exams

CHEST = exams.SHARED / "data" / "chest"
MODULE = ModuleFacts("chest-radiograph", "1.0", "Chest radiograph", "c4" * 32)
BASIS = (
    "A score says how similar the film is to films of one training group. "
    "It is not the probability of a disease."
)


@dataclass(frozen=True)
class Shot:
    """How one film of a study is written: CR or DX, depth, polarity, size of its longer side."""

    modality: str = "DX"
    bits: int = 12
    inverted: bool = False
    side: int | None = None
    series: int = 1
    view: str = "PA"


def drawn(side: int = 300) -> np.ndarray:
    """Two dark lungs in a grey chest with a black border, 0-1: a stand-in without real films."""
    rows, columns = np.mgrid[0:side, 0 : int(side * 0.9)] / side
    image = np.full(rows.shape, 0.7, dtype=np.float32)
    for centre in (0.27, 0.63):
        lung = ((columns - centre) / 0.15) ** 2 + ((rows - 0.48) / 0.3) ** 2
        image[lung < 1] = 0.25 + 0.1 * lung[lung < 1]
    image += 0.03 * np.sin(40 * rows)
    image[: side // 20] = image[-side // 20 :] = 0
    return image


def real(name: str) -> np.ndarray:
    """A film of the shared data, 0-1."""
    return np.asarray(Image.open(CHEST / name).convert("L"), dtype=np.float32) / 255


def write_films(
    folder: Path,
    films: Sequence[np.ndarray],
    shots: Sequence[Shot] = (),
    change: Callable[[Dataset], None] = lambda _: None,
) -> Study:
    """`films` (0-1) as a study of radiographs below `folder`, each passed through `change`."""
    for index, pixels in enumerate(films):
        shot = shots[index] if shots else Shot(series=index + 1)
        image = header(index, shot)
        stored = _stored(pixels, shot)
        image.Rows, image.Columns = stored.shape
        image.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
        change(image)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{index}.dcm", enforce_file_format=True)
    return exams.read_study(folder)


def header(index: int, shot: Shot) -> Dataset:
    """Everything of one film but its pixels."""
    image = Dataset()
    is_dx = shot.modality == "DX"
    image.SOPClassUID = (
        DigitalXRayImageStorageForPresentation if is_dx else ComputedRadiographyImageStorage
    )
    image.SOPInstanceUID = derived_uid("test", "film", str(index))
    image.StudyInstanceUID = derived_uid("test", "chest")
    image.SeriesInstanceUID = derived_uid("test", "films", str(shot.series))
    image.Modality, image.Manufacturer = shot.modality, "Test"
    image.ImageType = ["ORIGINAL", "PRIMARY", ""] if is_dx else ["ORIGINAL", "PRIMARY"]
    image.PatientName, image.PatientID = "Roe^Richard", "4712"
    image.PatientBirthDate, image.PatientSex, image.PatientAge = "19610203", "M", "065Y"
    image.StudyDate, image.StudyTime, image.StudyID = "20260304", "101112", "2"
    image.AccessionNumber, image.ReferringPhysicianName = "A2", "Doe^John"
    image.AcquisitionDate, image.AcquisitionTime = "20260304", f"1012{10 + index}"
    image.StudyDescription, image.SeriesDescription = "Chest", f"Chest {shot.view}"
    image.SeriesNumber, image.InstanceNumber = shot.series, index + 1
    image.BodyPartExamined, image.ViewPosition = "CHEST", shot.view
    image.PatientOrientation = ["L", "F"]
    image.ImagerPixelSpacing = [0.2, 0.2]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME1" if shot.inverted else "MONOCHROME2"
    image.BitsAllocated = 8 if shot.bits == 8 else 16
    image.BitsStored, image.HighBit, image.PixelRepresentation = shot.bits, shot.bits - 1, 0
    return image


def _stored(pixels: np.ndarray, shot: Shot) -> np.ndarray:
    if shot.side:
        scale = shot.side / max(pixels.shape)
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    values = pixels.clip(0, 1)
    values = 1 - values if shot.inverted else values
    kind = np.uint8 if shot.bits == 8 else np.uint16
    return (values * (2**shot.bits - 1)).round().astype(kind)


def lungs(shape: tuple[int, int]) -> np.ndarray:
    """Where the lungs lie in `drawn`, and about in a real film."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] / np.array(shape)[:, None, None]
    sides = (((columns - c) / 0.15) ** 2 + ((rows - 0.45) / 0.3) ** 2 < 1 for c in (0.3, 0.7))
    return np.logical_or(*sides)


def findings_of(
    uid: str,
    shape: tuple[int, int],
    scores: tuple[float, float, float] = (0.62, 0.27, 0.11),
    abstains: bool = False,
) -> tuple[Finding, ...]:
    """Made-up findings of one film: scores, a heat map with the lungs, the share inside them."""
    groups = (codes.COVID_19, codes.PNEUMONIA, codes.NORMAL)
    unsorted = [Score(code, code.meaning, v) for code, v in zip(groups, scores, strict=True)]
    made = tuple(sorted(unsorted, key=lambda score: -score.value))
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] / np.array(shape)[:, None, None]
    spot = np.exp(-(((columns - 0.68) / 0.12) ** 2) - ((rows - 0.62) / 0.13) ** 2)
    second = 0.6 * np.exp(-(((columns - 0.3) / 0.1) ** 2) - ((rows - 0.5) / 0.15) ** 2)
    return (
        Classification(made, None if abstains else made[0], BASIS, uid, 0.5),
        HeatMap((spot + second).astype(np.float32).clip(0, 1), "Evidence", uid, lungs(shape)),
        Measurement(codes.EVIDENCE_IN_LUNGS, 71.4, codes.PERCENT, image=uid),
    )


def analysis_of(study: Study, *findings: Finding, **changes: object) -> Analysis:
    """A complete result of all films of `study`."""
    values = {
        "workitem_id": "w-2",
        "created": exams.CREATED,
        "module": MODULE,
        "study": study,
        "inputs": {"series": study.series},
        "findings": Findings(findings),
        "reasons": ("radiographs of the chest",),
        "pictures": {
            film.uid: film.picture
            for film in map(Film, instances(study))
            if film.picture is not None
        },
    }
    return Analysis(**{**values, **changes})  # type: ignore[arg-type]


def one_film(folder: Path) -> Analysis:
    """The result of a study of one film, which is drawn below `folder`."""
    study = write_films(folder, [drawn()])
    (film,) = instances(study)
    return analysis_of(study, *findings_of(film.sop_instance_uid, shape_of(study)))


def shape_of(study: Study, index: int = 0) -> tuple[int, int]:
    """Rows and columns of one film."""
    header = instances(study)[index].header
    return int(header.Rows), int(header.Columns)


def instances(study: Study) -> list:
    """The films in the order in which they were written."""
    found = [i for series in study.series for i in series.instances]
    return sorted(found, key=lambda i: int(i.header.InstanceNumber))
