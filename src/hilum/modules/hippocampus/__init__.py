"""Hippocampal volume: anterior, posterior and whole, from a T1 image of a head or a crop of it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.errors import ModuleError
from hilum.findings import Finding, Measurement, Note, Refusal, Segment
from hilum.modules.hippocampus.gates import Plausibility
from hilum.modules.hippocampus.heads import Head, segmented
from hilum.modules.hippocampus.inputs import (
    MR_IMAGES,
    CropOrHead,
    is_head,
    note_by_header,
    refusal_by_header,
)
from hilum.modules.hippocampus.network import ANTERIOR, POSTERIOR, Segmenter

PARTS = {  # labels, modifier; the whole overlaps its parts
    "anterior": ((ANTERIOR,), codes.ANTERIOR),
    "posterior": ((POSTERIOR,), codes.POSTERIOR),
    "whole": ((ANTERIOR, POSTERIOR), None),
}
COLOURS = {  # by part; the two hands of a head differ a little
    None: ((255, 176, 0), (0, 158, 255), (120, 220, 120)),
    codes.LEFT: ((255, 176, 0), (0, 158, 255), (120, 220, 120)),
    codes.RIGHT: ((255, 120, 60), (80, 110, 255), (60, 200, 170)),
}
INSIDE = 0.9  # share of a hippocampus's surroundings that the image of a head must hold
SIDE_UNKNOWN = (
    "The side of the hippocampus is not known from a crop, whatever R and L of its header say;"
    " earlier crops are taken to show the same one."
)


class Masks(Protocol):
    """Something segmented: a crop, or one hippocampus of a head."""

    def mask(self, labels: Sequence[int]) -> Volume: ...


class HippocampalVolume:
    """Segments the hippocampus and measures its volume; refuses what it was not made for.

    Of a crop around one hippocampus the side is unknown; of a whole head both are found, and the
    side is that of the head's geometry.
    """

    name, version, title = "hippocampal-volume", "1.1", "Hippocampal volume"
    needs = CropOrHead(
        modality="MR",
        sop_classes=MR_IMAGES,
    )
    weights = Path(__file__).with_name("weights.onnx")
    card = Path(__file__).with_name("card.md")

    def __init__(self, threads: int | None = None) -> None:
        self.segment = Segmenter(self.weights, threads or int(os.environ.get("OMP_NUM_THREADS", 2)))
        if self.segment.calibration is None:
            raise ModuleError(f"{self.weights.name} is not calibrated: run evaluate.py")
        self._error = self.segment.calibration.relative_error
        self.plausibility = Plausibility(self.segment.calibration.bounds)

    def run(self, series: Series) -> Iterator[Finding]:
        """Three segments with a volume each, for a head of either side; then notes. Or a refusal.

        A head gives the volume of both and their asymmetry, too.
        """
        if refusal := refusal_by_header(series.header):
            yield refusal
            return
        measure = self.of_head if is_head(series) else self.of_crop
        yield from measure(series.volume())
        if thick := note_by_header(series):
            yield thick

    def of_crop(self, volume: Volume) -> Iterator[Finding]:
        """As `run`, by the pixels alone, for a crop around one hippocampus."""
        segmentation = self.segment(volume)
        judged = self.plausibility(segmentation)
        if isinstance(judged, Refusal):
            yield judged
            return
        yield from self._measured(segmentation, None)
        yield Note(SIDE_UNKNOWN)
        yield from judged

    def of_head(self, volume: Volume) -> Iterator[Finding]:
        """As `run`, by the pixels alone, for a whole head."""
        head = Head(volume)
        places = head.find(self.plausibility.template)
        if places is None:
            yield Refusal("not-found", "no pair of hippocampi was found in the image.")
            return
        sides: list[list[Finding]] = []
        notes: list[Note] = []
        for place, side in zip(places, (codes.LEFT, codes.RIGHT), strict=True):
            name = f"{side.meaning.lower()} hippocampus"
            found = segmented(head, place, self.segment)
            if head.inside(found.place) < INSIDE:
                yield Refusal("cut-off", f"the image does not hold the whole {name}.")
                return
            judged = self.plausibility(found.segmentation)
            if isinstance(judged, Refusal):
                yield replace(judged, text=f"{name}: {judged.text}")
                return
            notes += [replace(note, text=f"{name}: {note.text}") for note in judged]
            sides.append(list(self._measured(found, side)))
        yield from chain(*sides)
        left, right = (items[-1] for items in sides)
        assert isinstance(left, Measurement)
        assert isinstance(right, Measurement)
        yield from self._compared(left.value, right.value)
        yield from notes

    def _measured(self, found: Masks, side: Code | None) -> Iterator[Finding]:
        """Each part of one hippocampus with its volume, the whole last."""
        name = f"{side.meaning} hippocampus" if side else "Hippocampus"
        for (part, (labels, modifier)), colour in zip(PARTS.items(), COLOURS[side], strict=True):
            segment = Segment(
                found.mask(labels),
                codes.HIPPOCAMPUS,
                name if part == "whole" else f"{name}, {part}",
                modifier=modifier,
                side=side,
                colour=colour,
            )
            yield segment
            yield Measurement(
                codes.VOLUME,
                segment.volume_ml,
                codes.MILLILITRE,
                of=segment,
                uncertainty=segment.volume_ml * self._error[part],
                followed=part == "whole",
            )

    def _compared(self, left: float, right: float) -> Iterator[Measurement]:
        """Both together, and their asymmetry."""
        both = left + right
        yield Measurement(
            codes.VOLUME_OF_BOTH,
            both,
            codes.MILLILITRE,
            uncertainty=both * self._error["both"],
            followed=True,
        )
        yield Measurement(
            codes.ASYMMETRY,
            200 * (left - right) / both,
            codes.PERCENT,
            uncertainty=100 * self._error["asymmetry"],
        )
