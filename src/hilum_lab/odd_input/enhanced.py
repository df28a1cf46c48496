"""Enhanced multi-frame objects of the phantom (PS3.3 C.7.6.16): many planes in one file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from hilum_lab.odd_input.classic import ENHANCED, CaseFiles, Maker, changed, put_pixels
from hilum_lab.odd_input.phantom import PhantomPlane, planes


@dataclass(frozen=True)
class Shot:
    """One frame: its plane, and what tells it from others in the same place."""

    plane: PhantomPlane
    stack: str = "1"
    place: int = 1  # In-Stack Position Number
    echo: float | None = None  # ms
    b_value: float | None = None  # s/mm2
    time: int | None = None  # Temporal Position Index
    slope: float = 1.0
    intercept: float = 0.0


def shots(scanned: Sequence[PhantomPlane] = (), **values: Any) -> list[Shot]:
    """A frame for each plane, numbered in this order."""
    places = enumerate(scanned or planes(), start=1)
    return [Shot(plane, place=place, **values) for place, plane in places]


def again(frames: Sequence[Shot], offset: float, **values: Any) -> list[Shot]:
    """The same planes scanned once more, with `offset` on the phantom's values."""
    return [replace(s, plane=replace(s.plane, offset=offset), **values) for s in frames]


def enhanced(
    maker: Maker, frames: Sequence[Shot], all_per_frame: bool = False, **attributes: Any
) -> Dataset:
    """One object with `frames` in this order.

    What is the same for all of them is in the shared functional groups unless `all_per_frame`.
    """
    dataset = maker.header(ENHANCED[maker.modality], 1)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    groups = [_groups(shot, maker.modality) for shot in frames]
    shared = Dataset()
    if not all_per_frame:
        for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
            if all(group[keyword] == groups[0][keyword] for group in groups):
                setattr(shared, keyword, groups[0][keyword].value)
        values = "PixelValueTransformationSequence"
        if all(group[values] == groups[0][values] for group in groups):
            setattr(shared, values, groups[0][values].value)
    for group in groups:
        for element in shared:
            del group[element.tag]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(frames)
    stored = [(shot.plane.values() - shot.intercept) / shot.slope for shot in frames]
    put_pixels(dataset, np.stack(stored))
    return changed(dataset, **attributes)


def exam_of(
    maker: Maker, frames: Sequence[Shot], all_per_frame: bool = False, **attributes: Any
) -> CaseFiles:
    """An exam that is this one object."""
    exam = CaseFiles(maker.modality)
    dataset = enhanced(maker, frames, all_per_frame, **attributes)
    exam.add(dataset, *(shot.plane for shot in frames))
    return exam


def _groups(shot: Shot, modality: str) -> Dataset:
    """The functional groups of one frame."""
    group = Dataset()
    plane = shot.plane
    measures = {"PixelSpacing": list(plane.spacing), "SliceThickness": 1.0}
    group.PixelMeasuresSequence = [_item(**measures)]
    group.PlanePositionSequence = [_item(ImagePositionPatient=list(plane.position))]
    group.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(plane.orientation))]
    kind = "HU" if modality == "CT" else "US"
    rescale = {"RescaleSlope": shot.slope, "RescaleIntercept": shot.intercept, "RescaleType": kind}
    group.PixelValueTransformationSequence = [_item(**rescale)]
    content = _item(StackID=shot.stack, InStackPositionNumber=shot.place)
    content.DimensionIndexValues = [int(shot.stack), shot.place]
    if shot.time is not None:
        content.TemporalPositionIndex = shot.time
    group.FrameContentSequence = [content]
    if shot.echo is not None:
        group.MREchoSequence = [_item(EffectiveEchoTime=shot.echo)]
    if shot.b_value is not None:
        kind = "DIRECTIONAL" if shot.b_value else "NONE"
        diffusion = _item(DiffusionBValue=shot.b_value, DiffusionDirectionality=kind)
        if shot.b_value:
            direction = _item(DiffusionGradientOrientation=[0.0, 0.0, 1.0])
            diffusion.DiffusionGradientDirectionSequence = [direction]
        group.MRDiffusionSequence = [diffusion]
    return group


def _item(**attributes: Any) -> Dataset:
    return changed(Dataset(), **attributes)
