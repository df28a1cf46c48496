"""The series that a module is given."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Optional

from hilum_module.asking import Images, Item
from hilum_module.codes import Code
from hilum_module.header import Header
from hilum_module.volume import Volume

Numbers = Optional["tuple[float, ...]"]


class Instance:
    """One image (file) of a series: its SOP Instance UID, SOP Class UID and Instance Number."""

    def __init__(self, about: Item, images: Images, place: int) -> None:
        """`place` is that among the images of the series."""
        self.sop_instance_uid: str = about["sop_instance_uid"]
        self.sop_class_uid: str = about["sop_class_uid"]
        self.number: int | None = about["number"]
        self._images = images
        self._place = place

    @cached_property
    def header(self) -> Header:
        """Everything but the pixel data, and elements above 64 KiB."""
        item, _ = self._images.asked("image_header", self._place)
        return Header(item["header"])


@dataclass(frozen=True, eq=False)
class Frame:
    """One plane of pixels: frame `number`, from 1, of `instance`.

    Lengths are in mm, positions and directions in the patient's coordinates (LPS, PS3.3 C.7.6.2),
    `echo_time` is in ms, `b_value` in s/mm2. What is not stated, or broken, is None.
    """

    instance: Instance
    number: int
    position: Numbers
    orientation: Numbers
    pixel_spacing: Numbers
    echo_time: float | None
    b_value: float | None
    time: float | None


@dataclass(frozen=True)
class Stack:
    """Slices in spatial order: `spacing`, and `error`, their distance from the grid, are in mm.

    `problem` says in words why they form no volume, None where they do.
    """

    order: tuple[int, ...]
    spacing: float | None
    error: float
    problem: str | None


class Series:
    """One series of images. Its pixels are decoded when they are asked for.

    `description` is SeriesDescription (0008,103E), `uid` Series Instance UID (0020,000E), `label`
    what tells it from the other volumes of its series. `images` holds the SOP Instance UID of the
    image of each slice, `shape` counts slices, rows and columns. `cautions` is what a reader must
    know of it; Hilum adds it to the result.
    """

    def __init__(self, about: Item, images: Images) -> None:
        """`about` holds what Hilum has read of the headers."""
        self.modality: str = about["modality"]
        self.description: str = about["description"]
        self.uid: str = about["uid"]
        self.label: str = about["label"]
        self.shape: tuple[int, ...] = tuple(about["shape"])
        self.cautions: tuple[str, ...] = tuple(about["cautions"])
        listed = enumerate(about["instances"])
        self.instances = tuple(Instance(one, images, place) for place, one in listed)
        self.frames = tuple(_frame(one, self.instances) for one in about["frames"])
        self.images = tuple(frame.instance.sop_instance_uid for frame in self.frames)
        self.stack = Stack(**{**about["stack"], "order": tuple(about["stack"]["order"])})
        self._images = images

    @cached_property
    def header(self) -> Header:
        """The attributes of the first image; of an enhanced object as a classic one has them."""
        item, _ = self._images.asked("header")
        return Header(item["header"])

    @property
    def suv_factor(self) -> float:
        """What PET voxels are multiplied by to become SUV by body weight, in g/mL.

        Raises `DicomError` that names what is missing for it.
        """
        item, _ = self._images.asked("suv_factor")
        return float(item["suv_factor"])

    def volume(self) -> Volume:
        """Voxels after the Modality LUT: float32 (slices, rows, columns).

        Raises `DicomError` where the images form no volume, or their pixels cannot be used.
        """
        return self._images.volume("volume")

    def real_world_volume(self, unit: Code) -> Volume:
        """As `volume`, in `unit` by the Real World Value Mapping; NaN where that does not hold."""
        return self._images.volume("real_world_volume", unit=list(unit))

    def folder(self) -> Path:
        """A new folder with a copy of each DICOM file as it was received, "0001.dcm" and so on.

        It is the module's own, and lies with its temporary files.
        """
        made = Path(tempfile.mkdtemp(prefix="series-"))
        for place in range(len(self.instances)):
            _, arrays = self._images.asked("file", place)
            (made / f"{place + 1:04}.dcm").write_bytes(arrays["array"].tobytes())
        return made


def _frame(about: Item, instances: tuple[Instance, ...]) -> Frame:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in about.items()}
    values["instance"] = instances[about["instance"]]
    return Frame(**values)
