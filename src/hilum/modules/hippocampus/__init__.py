"""Hippocampal volume: anterior, posterior and whole, from a T1 crop around one hippocampus."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydicom.uid import MRImageStorage

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.errors import ModuleError
from hilum.findings import Finding, Measurement, Note, Refusal, Segment
from hilum.module import Input
from hilum.modules.hippocampus.gates import Plausibility, header_refusal
from hilum.modules.hippocampus.network import ANTERIOR, POSTERIOR, Segmenter

PARTS = {  # labels, modifier, colour; the whole overlaps its parts
    "anterior": ((ANTERIOR,), codes.ANTERIOR, (255, 176, 0)),
    "posterior": ((POSTERIOR,), codes.POSTERIOR, (0, 158, 255)),
    "whole": ((ANTERIOR, POSTERIOR), None, (120, 220, 120)),
}


class HippocampalVolume:
    """Segments one hippocampus in a crop and measures its volume; refuses what it was not made for.

    `needs` are the sides and spacings of the training crops (24-58 mm, 1 mm), a little widened.
    """

    name, version, title = "hippocampal-volume", "1.0", "Hippocampal volume"
    needs = Input(
        modality="MR",
        sop_classes=(MRImageStorage,),
        slice_spacing=(0.9, 1.1),
        pixel_spacing=(0.9, 1.1),
        extent=(24, 64),
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
        """Three segments with a volume each, then notes; or one refusal."""
        if refusal := header_refusal(series.header):
            yield refusal
            return
        segmentation = self.segment(series.volume())
        judged = self.plausibility(segmentation)
        if isinstance(judged, Refusal):
            yield judged
            return
        for part, (labels, modifier, colour) in PARTS.items():
            segment = Segment(
                segmentation.mask(labels),
                codes.HIPPOCAMPUS,
                "Hippocampus" if part == "whole" else f"Hippocampus, {part}",
                modifier=modifier,
                colour=colour,
            )
            yield segment
            yield Measurement(
                codes.VOLUME,
                segment.volume_ml,
                codes.MILLILITRE,
                of=segment,
                uncertainty=segment.volume_ml * self._error[part],
            )
        yield Note("The side of the hippocampus is not known from a crop.")
        yield from judged
