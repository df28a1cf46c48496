"""A frame: one plane of pixels, wherever it lies. Classic and enhanced objects give the same.

A classic image is one frame. An enhanced or other multi-frame object (PS3.3 C.7.6.16) holds many,
each with its own position, its own pixel transform, and what tells it from the other volumes of its
series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from hilum.dicom.functional_groups import FrameGroups, GroupValue, Values
from hilum.dicom.header import HOSTILE, Header
from hilum.dicom.quantities import RealWorldMap, real_world_maps
from hilum.dicom.values import Rescale
from hilum.errors import UnreadableError

if TYPE_CHECKING:
    from hilum.dicom.instance import Instance

Vector = tuple[float, ...]
SHORTEST = 1e-3  # mm; no pixel that a patient is shown with is smaller
LONGEST = 1e6  # mm; no patient is larger, and squares of such numbers can be reckoned with

# What classic images call an attribute that functional groups name otherwise.
CLASSIC_NAMES = {"EffectiveEchoTime": "EchoTime", "FrameType": "ImageType"}


@dataclass(frozen=True, eq=False)
class Frame:
    """One plane of pixels: frame `number`, from 1, of `instance`.

    Lengths are in mm, positions and directions in the patient's coordinates (LPS, PS3.3 C.7.6.2).
    What is not stated, or broken, is None; only a broken rescale is told from one not stated.
    """

    instance: Instance
    number: int
    values: Values

    @cached_property
    def position(self) -> Vector | None:
        """Image Position (Patient): the centre of the first pixel."""
        return self._lengths("ImagePositionPatient", 3)

    @cached_property
    def orientation(self) -> Vector | None:
        """Image Orientation (Patient): the directions of a row, then of a column."""
        return self._lengths("ImageOrientationPatient", 6)

    @cached_property
    def pixel_spacing(self) -> Vector | None:
        """Distance between rows, then between columns."""
        spacing = self._lengths("PixelSpacing", 2)
        return spacing if spacing and min(spacing) >= SHORTEST else None

    @property
    def thickness(self) -> float | None:
        """Slice Thickness where it is a positive number."""
        thickness = self._number("SliceThickness")
        return thickness if thickness and 0 < thickness < LONGEST else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and Columns."""
        return self.instance.size

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, or ""."""
        return self.instance.frame_of_reference

    @cached_property
    def stack_id(self) -> str:
        """Which stack of an enhanced object it belongs to, or ""."""
        return self._text("StackID")

    @cached_property
    def echo_time(self) -> float | None:
        """Echo time in ms."""
        effective = self._number("EffectiveEchoTime")
        stated = self._number("EchoTime") if effective is None else effective
        return None if stated is None else round(stated, 2)

    @cached_property
    def b_value(self) -> float | None:
        """Diffusion weighting in s/mm2."""
        return self._number("DiffusionBValue")

    @cached_property
    def direction(self) -> Vector | None:
        """Direction of the diffusion gradient."""
        stated = self._lengths("DiffusionGradientOrientation", 3)
        return stated and tuple(round(number, 2) for number in stated)

    @cached_property
    def time(self) -> float | None:
        """The place among repeated measurements: an index, or ms after a trigger."""
        keywords = (
            "TemporalPositionIndex",
            "TemporalPositionIdentifier",
            "NominalCardiacTriggerDelayTime",
            "TriggerTime",
        )
        stated = (self._number(keyword) for keyword in keywords)
        return next((number for number in stated if number is not None), None)

    @cached_property
    def acquisition(self) -> float | None:
        """The number of the acquisition that it was made in."""
        own = self._number("FrameAcquisitionNumber")
        return self._number("AcquisitionNumber") if own is None else own

    @cached_property
    def kind(self) -> str:
        """Image Type, or the Frame Type of an enhanced object, its values apart by backslashes."""
        return (self._text("FrameType") or self._text("ImageType")).upper()

    @property
    def is_localizer(self) -> bool:
        return "LOCALIZER" in self.kind.split("\\")

    @property
    def is_colour(self) -> bool:
        return self.instance.samples_per_pixel != 1

    @cached_property
    def rescale(self) -> Rescale:
        """How stored values become what the scanner meant."""
        return Rescale.of(self.values)

    @cached_property
    def real_world_maps(self) -> tuple[RealWorldMap, ...]:
        """How its stored values become quantities in coded units, as far as it says."""
        if self.instance.is_multi_frame:
            return real_world_maps(self.instance.group_items(self.number))
        return real_world_maps([self.instance.header])

    def real_world_map(self, unit: Code) -> RealWorldMap:
        """The map to `unit`; `UnreadableError` if there is none."""
        for found in self.real_world_maps:
            if (found.unit.value, found.unit.scheme_designator) == (
                unit.value,
                unit.scheme_designator,
            ):
                return found
        raise UnreadableError(f"{self.name} has no Real World Value Mapping to {unit.value}")

    @property
    def name(self) -> str:
        """What people call it: "image 7", "image 1, frame 12"."""
        image = self.instance.name
        return f"{image}, frame {self.number}" if self.instance.is_multi_frame else image

    @cached_property
    def header(self) -> Header:
        """The header as a classic image would have it: attributes of the frame at the top level.

        Functional groups, those for all frames first, are laid over the attributes of the object.
        """
        if not self.instance.is_multi_frame:
            return self.instance.header
        own = self.instance.header
        header = Header()
        header.update(own)
        implicit, little = own.original_encoding
        header.set_original_encoding(implicit, little, own.original_character_set)
        header.is_assumed = own.is_assumed
        for item in self.instance.group_items(self.number):
            _lay_over(header, item)
        return header

    def _lengths(self, keyword: str, count: int) -> Vector | None:
        value = self.values.get(keyword)
        if value is None or isinstance(value, str) or len(value) != count:
            return None
        return value if all(abs(number) < LONGEST for number in value) else None

    def _number(self, keyword: str) -> float | None:
        value = self.values.get(keyword)
        if value is None or isinstance(value, str) or not math.isfinite(value[0]):
            return None
        return value[0]

    def _text(self, keyword: str) -> str:
        value = self.values.get(keyword)
        return value if isinstance(value, str) else ""


def group_item(content: bytes, syntax: str) -> Dataset:
    """A functional group item as pydicom reads it; raises `UnreadableError`."""
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    try:
        return read_dataset(BytesIO(content), implicit, little)
    except HOSTILE as error:
        raise UnreadableError(f"a functional group is broken: {type(error).__name__}") from error


def frames_of(instance: Instance, groups: FrameGroups | None, classic: Values) -> tuple[Frame, ...]:
    """Every frame of `instance`: by its functional groups, else as many as it says it has."""
    if groups is None:
        count = instance.frame_count
        if count > 1:  # one position for all of them is the position of none
            classic = {k: v for k, v in classic.items() if k != "ImagePositionPatient"}
        return tuple(Frame(instance, number, classic) for number in range(1, count + 1))
    common: dict[str, GroupValue] = dict(classic)
    return tuple(
        Frame(instance, number, {**common, **own})
        for number, own in enumerate(groups.values, start=1)
    )


def _lay_over(header: Header, item: Dataset, depth: int = 0) -> None:
    """Put the attributes of a functional group item, and of its sequences, at the top level."""
    try:
        for element in item:
            if element.VR != "SQ":
                if element.tag.is_private:
                    continue
                header[element.tag] = element
                if classic := CLASSIC_NAMES.get(element.keyword):
                    setattr(header, classic, element.value)
            elif element.value and depth < 3:
                if element.keyword == "ContrastBolusAgentSequence":
                    header.ContrastBolusAgent = str(element.value[0].get("CodeMeaning", ""))
                _lay_over(header, element.value[0], depth + 1)
    except HOSTILE:
        return
