"""Where in an image the evidence lies."""

from dataclasses import dataclass

import numpy as np

from hilum import checks
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.summary.pictures import HeatMapSummary


@dataclass(frozen=True, eq=False)
class HeatMap(Finding):
    """Where the evidence lies: `values` 0-1 on a grid over one image, float32 (rows, columns).

    The grid covers the whole image and may be coarser; nobody sees more than a thousand fields.
    `region`, boolean on the same grid, is where evidence should lie, such as the lungs.
    """

    values: np.ndarray
    label: str
    image: str
    region: np.ndarray | None = None

    def __post_init__(self) -> None:
        label = checks.label("the label of a heat map", self.label)
        what = f"the heat map {label!r}"
        if self.image is None:
            raise FindingError(f"{what} is about no image")
        values = checks.map_values(what, self.values)
        settle(
            self,
            label=label,
            image=checks.image(f"the image of {what}", self.image),
            region=checks.map_region(what, self.region, values),
        )

    def summary(self) -> HeatMapSummary:
        return HeatMapSummary(self.label, self.image)
