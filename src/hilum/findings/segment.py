"""A region in the images."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from highdicom import Volume
from pydicom.sr.coding import Code

from hilum import checks
from hilum.dicom import codes
from hilum.findings.finding import Finding, settle, words
from hilum.summary import SegmentSummary


@dataclass(frozen=True, eq=False)
class Segment(Finding):
    """A region: boolean `mask` (slices, rows, columns) on the grid of the series it was found in.

    `code` is the segmented property type (PS3.16 CID 7192 ff.), `modifier` narrows it (anterior),
    `side` is given only when known. `colour` is sRGB, 0-255.
    """

    mask: Volume
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: tuple[int, int, int] = (255, 200, 0)

    def __post_init__(self) -> None:
        label = checks.label("the label of a segment", self.label)
        what = f"of the segment {label!r}"
        settle(
            self,
            label=label,
            mask=checks.mask(f"the mask {what}", self.mask),
            code=checks.code(f"the code {what}", self.code),
            modifier=checks.code_if_any(f"the modifier {what}", self.modifier),
            side=checks.side(f"the side {what}", self.side, label),
            category=checks.code(f"the category {what}", self.category),
            colour=checks.colour(f"the colour {what}", self.colour),
        )
        checks.label(f"the label {what}, with its side,", self.name)

    @property
    def name(self) -> str:
        """What a reader calls it: the label, with the side where the label does not say it."""
        side = self.side.meaning.lower() if self.side else ""
        return self.label if side in words(self.label) or not side else f"{self.label}, {side}"

    @cached_property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.mask.array.sum() * self.mask.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000

    def summary(self) -> SegmentSummary:
        return SegmentSummary(self.name, int(self.mask.array.sum()), self.volume_ml)

    def texts(self) -> Iterable[str]:
        yield self.name

    def codes(self) -> Iterable[Code]:
        given = (self.code, self.modifier, self.side, self.category)
        return (code for code in given if code is not None)
