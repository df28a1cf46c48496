"""A number at every voxel, such as a diffusion coefficient or a thickness."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from highdicom import Volume
from pydicom.sr.coding import Code

from hilum import checks
from hilum.findings.finding import Finding, settle
from hilum.summary.pictures import ParametricMapSummary


@dataclass(frozen=True, eq=False)
class ParametricMap(Finding):
    """A number at every voxel: `values` float32 (slices, rows, columns) on the grid of the series.

    `quantity` is what they are, in `unit` (UCUM). All must be finite: outside of what was computed
    stands 0, or what `label` says.
    """

    values: Volume
    quantity: Code
    unit: Code
    label: str

    def __post_init__(self) -> None:
        label = checks.label("the label of a parametric map", self.label)
        what = f"of the parametric map {label!r}"
        settle(
            self,
            label=label,
            values=checks.number_volume(f"the values {what}", self.values),
            quantity=checks.code(f"the quantity {what}", self.quantity),
            unit=checks.code(f"the unit {what}", self.unit),
        )

    @cached_property
    def range(self) -> tuple[float, float]:
        """The least value and the greatest."""
        array = self.values.array
        return float(array.min()), float(array.max())

    def summary(self) -> ParametricMapSummary:
        low, high = self.range
        return ParametricMapSummary(self.label, low, high, self.unit.value)

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        return self.quantity, self.unit
