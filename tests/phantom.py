"""Series of the laboratory's phantom, whose voxel values tell where they lie, for single tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum_lab.odd_input import enhanced as multi_frame
from hilum_lab.odd_input import phantom
from hilum_lab.odd_input.classic import Maker, changed
from hilum_lab.odd_input.phantom import GRADIENT
from hilum_lab.odd_input.phantom import field as value_at

ORIGIN = (-20.0, -30.0, 10.0)
IN_GROUPS = {"EchoTime": "echo", "DiffusionBValue": "b_value"}  # where an enhanced object says so

__all__ = ["GRADIENT", "Plane", "classic", "enhanced", "instance_of", "read", "stack", "value_at"]


@dataclass(frozen=True)
class Plane(phantom.PhantomPlane):
    """A plane of the phantom, and what else its header says.

    `rescale` is what its values are stored with, `number` its Instance Number. `attributes` are
    more of them by keyword.
    """

    size: tuple[int, int] = (8, 6)
    rescale: tuple[float, float] = (1.0, 0.0)
    number: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def stored(self) -> np.ndarray:
        slope, intercept = self.rescale
        return np.rint((self.values() - intercept) / slope).astype(np.uint16)


def stack(count: int = 12, step: float = 1.0, tilt: float = 0.0, **values: Any) -> list[Plane]:
    """`count` planes `step` mm apart; `tilt` is in degrees, towards the columns."""
    orientation = values.pop("orientation", phantom.AXIAL)
    places = phantom.planes(count, step, orientation, ORIGIN, tilt)
    return [
        Plane(place.position, orientation, number=number, **values)
        for number, place in enumerate(places, start=1)
    ]


def classic(planes: Sequence[Plane], modality: str = "MR", **values: Any) -> list[Dataset]:
    """One object a plane; `values` overrides attributes of all of them."""
    maker = Maker("test", modality)
    made = []
    for plane in planes:
        plain = modality == "MR" and plane.rescale == (1.0, 0.0)
        slope, intercept = (None, None) if plain else plane.rescale
        image = maker.image(plane, plane.number, slope, intercept)
        made.append(changed(image, **{**plane.attributes, **values}))
    return made


def enhanced(planes: Sequence[Plane], modality: str = "MR", **values: Any) -> Dataset:
    """One object for all planes, each with its own functional groups."""
    shots = []
    for place, plane in enumerate(planes, start=1):
        given = {IN_GROUPS[keyword]: value for keyword, value in plane.attributes.items()}
        slope, intercept = plane.rescale
        shots.append(
            multi_frame.Shot(plane, place=place, slope=slope, intercept=intercept, **given)
        )
    return multi_frame.enhanced(Maker("test", modality), shots, **values)


def read(datasets: Iterable[Dataset], folder: Path) -> Series:
    """The series that `datasets` make, as received."""
    return Series.of([instance_of(ds, folder) for ds in datasets])


def instance_of(ds: Dataset, folder: Path) -> Instance:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{derived_uid(ds.SOPInstanceUID)[-16:]}.dcm"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return Instance.read(path)
