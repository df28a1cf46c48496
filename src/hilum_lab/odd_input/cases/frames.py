"""Enhanced multi-frame objects: the slices are frames of one file."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset

from hilum_lab.odd_input.case import CaseGroup, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker
from hilum_lab.odd_input.enhanced import Shot, again, enhanced, exam_of, shots
from hilum_lab.odd_input.phantom import SAGITTAL, planes, turned

GROUP = CaseGroup("Frames in one object")
OFFSET = 100.0
LEGACY_MR = "1.2.840.10008.5.1.4.1.1.4.4"  # Legacy Converted Enhanced MR Image Storage


def of(
    frames: list[Shot], all_per_frame: bool = False, **attributes: Any
) -> Callable[[Maker], CaseFiles]:
    return lambda maker: exam_of(maker, frames, all_per_frame, **attributes)


def interleaved(*stacks: list[Shot]) -> list[Shot]:
    return [shot for several in zip(*stacks, strict=True) for shot in several]


for modality in ("MR", "CT", "PT"):
    intercept = -1024.0 if modality == "CT" else 0.0
    GROUP.add(
        f"Enhanced {'PET' if modality == 'PT' else modality}",
        of(shots(intercept=intercept)),
        received(),
        modality=modality,
    )
GROUP.add("oblique", of(shots(planes(orientation=turned(20, 0)))), received())
GROUP.add("pixels of 0.8 x 1.2 mm", of(shots(planes(spacing=(0.8, 1.2), step=2.5))), received())
GROUP.add(
    "frames in another order",
    of([shots()[7 * place % 12] for place in range(12)]),
    received(readable=False),
)
GROUP.add("every functional group in each frame", of(shots(), all_per_frame=True), received())
GROUP.add(
    "two stacks",
    of([*shots(), *shots(planes(8, orientation=SAGITTAL), stack="2")]),
    received(12, r"(?i)stack|orientation", readable=False),
)
GROUP.add(
    "two stacks in one place",
    of([*shots(), *again(shots(), OFFSET, stack="2")]),
    received(12, r"(?i)stack 1 of 2", r"(?i)stack 2 of 2", readable=False),
)
GROUP.add(
    "two echoes",
    of(interleaved(shots(echo=20.0), again(shots(), OFFSET, echo=80.0))),
    received(12, r"echo 1 of 2: 20 ms", r"echo 2 of 2: 80 ms", readable=False),
)
GROUP.add(
    "b-values 0 and 1000",
    of(interleaved(shots(b_value=0.0), again(shots(), OFFSET, b_value=1000.0))),
    received(12, r"b[- ]?value", r"\b1000\b", readable=False),
)
GROUP.add(
    "three temporal positions",
    of([shot for n in (1, 2, 3) for shot in again(shots(), OFFSET * (n - 1), time=n)]),
    received(12, r"time 1 of 3", r"time 3 of 3", readable=False),
)
GROUP.add(
    "rescaling of each frame",
    of([replace(shot, slope=0.1 + 0.01 * n) for n, shot in enumerate(shots())]),
    received(readable=False),
)
GROUP.add("one frame missing", of(shots()[:5] + shots()[6:]), refused(r"\b1 slice missing"))
GROUP.add(
    "tilted by 2.5 degrees",
    of(shots(planes(40, tilt=2.5))),
    refused(r"gantry tilt of 2\.5"),
    modality="CT",
)
GROUP.add("one frame", of(shots(planes(1))), refused(r"single slice"))


def without(*keywords: str) -> Callable[[Maker], CaseFiles]:
    """An object whose frames lack functional groups."""

    def make(maker: Maker) -> CaseFiles:
        exam = exam_of(maker, shots())
        (dataset,) = exam.datasets
        shared: Dataset = dataset.SharedFunctionalGroupsSequence[0]
        for group in (shared, *dataset.PerFrameFunctionalGroupsSequence):
            for keyword in keywords:
                if keyword in group:
                    del group[keyword]
        return exam

    return make


GROUP.add("no positions", without("PlanePositionSequence"), refused(r"(?i)position"))
GROUP.add("no pixel measures", without("PixelMeasuresSequence"), refused(r"(?i)pixel spacing"))
GROUP.add(
    "no pixel value transformation",
    without("PixelValueTransformationSequence"),
    received(readable=True),
)


@GROUP.case("no functional groups at all", refused(r"(?i)position|functional group|frame"))
def _(maker: Maker) -> CaseFiles:
    exam = exam_of(maker, shots())
    for dataset in exam.datasets:
        del dataset.SharedFunctionalGroupsSequence
        del dataset.PerFrameFunctionalGroupsSequence
    return exam


@GROUP.case("more frames stated than described", refused(r"(?i)frame"))
def _(maker: Maker) -> CaseFiles:
    exam = exam_of(maker, shots())
    for dataset in exam.datasets:
        dataset.NumberOfFrames = 20
    return exam


@GROUP.case("slope 0 in one frame", refused(r"(?i)RescaleSlope|rescale slope"))
def _(maker: Maker) -> CaseFiles:
    frames = [replace(shot, intercept=1.0 if n == 5 else 0.0) for n, shot in enumerate(shots())]
    exam = exam_of(maker, frames)
    group = exam.datasets[0].PerFrameFunctionalGroupsSequence[5]
    group.PixelValueTransformationSequence[0].RescaleSlope = 0
    return exam


def _parts(maker: Maker) -> list[tuple[Dataset, list[Shot]]]:
    """A concatenation of two objects (PS3.3 C.7.6.16.2.2.4)."""
    parts = [shots()[:7], shots()[7:]]
    return [
        (
            enhanced(
                maker,
                frames,
                InConcatenationNumber=number,
                ConcatenationFrameOffsetNumber=7 * (number - 1),
                SOPInstanceUIDOfConcatenationSource=maker.uid("whole"),
                ConcatenationUID=maker.uid("concatenation"),
                InConcatenationTotalNumber=2,
            ),
            frames,
        )
        for number, frames in enumerate(parts, start=1)
    ]


@GROUP.case("concatenation in two files", received(readable=False))
def _(maker: Maker) -> CaseFiles:
    exam = CaseFiles(maker.modality)
    for dataset, frames in _parts(maker):
        exam.add(dataset, *(shot.plane for shot in frames))
    return exam


@GROUP.case("concatenation whose second file is missing", refused(r"(?i)1 of 2|concatenation"))
def _(maker: Maker) -> CaseFiles:
    exam = CaseFiles(maker.modality)
    (dataset, frames), _second = _parts(maker)
    exam.add(dataset, *(shot.plane for shot in frames))
    return exam


def _legacy(maker: Maker) -> Dataset:
    dataset = enhanced(maker, shots(), SOPClassUID=LEGACY_MR)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.UnassignedPerFrameConvertedAttributesSequence = [Dataset()]
    return dataset


@GROUP.case("Legacy Converted Enhanced MR", received())
def _(maker: Maker) -> CaseFiles:
    exam = CaseFiles(maker.modality)
    exam.add(_legacy(maker), *planes())
    return exam


@GROUP.case("Legacy Converted beside the classic images", received(readable=False))
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    dataset = _legacy(maker)
    for group, classic in zip(dataset.PerFrameFunctionalGroupsSequence, exam.datasets, strict=True):
        source = Dataset()
        source.ReferencedSOPClassUID = classic.SOPClassUID
        source.ReferencedSOPInstanceUID = classic.SOPInstanceUID
        group.ConversionSourceAttributesSequence = [source]
    dataset.SeriesInstanceUID = maker.uid("converted series")
    exam.add(dataset)
    return exam
