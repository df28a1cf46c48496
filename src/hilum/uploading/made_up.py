"""Images of nobody, made for a module: whoever sets Hilum up sees the way of a study by them.

A bright ball in noise, or a grey film. It measures as the module asks for, as far as its
declaration says. What the module finds in it is another matter: most refuse it, and say why.
"""

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom.made_up import AXIAL, VOLUMES, made_up_film, made_up_slice
from hilum.dicom.part10 import as_file
from hilum.dicom.uids import MADE_UP, derived_uid
from hilum.module import Films, Input, Need

PATIENT_ID = "HILUM-MADE-UP"
EXTENT = 192.0  # mm, as a head has it
MOST_VOXELS = 1 << 25  # of a volume: 64 MiB
SIDES = {  # rows and columns of an image lie along these axes (PS3.3 C.7.6.2.1.1)
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
}


def can_be_made_for(needs: Mapping[str, Need]) -> bool:
    """Whether there is a made-up series for each of the inputs that a module cannot do without."""
    return bool(needs) and all(_is_possible(need) for need in needs.values() if not need.optional)


def made_up_study(needs: Mapping[str, Need]) -> Iterator[bytes]:
    """The files (Part 10) of a new study, with a series for each of the inputs."""
    study = f"{MADE_UP}{secrets.randbelow(10**20):020}"
    for number, need in enumerate(filter(_is_possible, needs.values()), 1):
        series = derived_uid(study, str(number))
        for index, image in enumerate(_film() if isinstance(need, Films) else _volume(need), 1):
            _name(image, study, series, number, index)
            yield as_file(image)


def _is_possible(need: Need) -> bool:
    if isinstance(need, Films):
        return "DX" in need.modalities
    sop_class = VOLUMES.get(need.modality)
    if sop_class is None or (need.sop_classes and sop_class not in need.sop_classes):
        return False
    count, side = _size(need)
    return count * side * side <= MOST_VOXELS


def _size(need: Input) -> tuple[int, int]:
    """How many slices, and rows and columns of each."""
    extent = _middle(need.extent, EXTENT)
    count = round(extent / _middle(need.slice_spacing))
    side = max(16, round(extent / _middle(need.pixel_spacing)))
    return min(max(need.slices[0], count), need.slices[1]), side


def _name(image: Dataset, study: str, series: str, number: int, index: int) -> None:
    """Say whose image it is, which is nobody's, and where it belongs."""
    now = datetime.now()
    image.PatientName, image.PatientID = "HILUM^MADE UP", PATIENT_ID
    image.PatientBirthDate, image.PatientSex = "", "O"
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.SOPInstanceUID = derived_uid(series, str(index))
    image.FrameOfReferenceUID = derived_uid(series, "frame")
    image.StudyDate, image.StudyTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", "", ""
    image.StudyDescription, image.SeriesDescription = "Made up by Hilum", "Made up by Hilum"
    image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "none", number, index


def _volume(need: Input) -> Iterator[Dataset]:
    """The slices of a ball that measures as `need` says, of 1 mm voxels where it says nothing."""
    spacing, pitch = _middle(need.slice_spacing), _middle(need.pixel_spacing)
    count, side = _size(need)
    axes = SIDES.get(need.orientation or "", AXIAL)
    across = (np.indices((side, side)) - side / 2) * pitch
    noise = np.random.default_rng(0)
    for index in range(count):
        depth = (index - count / 2) * spacing
        is_ball = (across**2).sum(axis=0) + depth**2 < (0.4 * side * pitch) ** 2
        pixels = (100 + 500 * is_ball + noise.integers(0, 60, (side, side))).astype(np.uint16)
        image = made_up_slice(pixels, need.modality, depth, spacing, pitch, axes)
        image.EchoTime = _middle(need.echo_time, 3.0)
        if need.b_value:
            image.DiffusionBValue = _middle(need.b_value)
        yield image


def _middle(wanted: tuple[float, float] | None, otherwise: float = 1.0) -> float:
    """`otherwise` where it is within what is wanted, else a value that is."""
    if wanted is None or wanted[0] <= otherwise <= wanted[1]:
        return otherwise
    low, high = wanted
    # a little above what is least: images state places in decimals, which lie beside it
    return round((low + high) / 2 if isfinite(high) else 1.01 * low, 4)


def _film() -> Iterator[Dataset]:
    """A frontal film of a chest with nothing in it."""
    pixels = np.random.default_rng(0).integers(1800, 2200, (1024, 1024)).astype(np.uint16)
    yield made_up_film(pixels, 0.4)
