"""Numbers, and how they have changed since earlier exams."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydicom.sr.coding import Code

from hilum import checks
from hilum.dicom import codes
from hilum.errors import FindingError
from hilum.findings.finding import Finding, settle
from hilum.findings.structure import Structure
from hilum.printing import Quantity
from hilum.summary.numbers import ChangeSummary, MeasurementSummary

DAYS_PER_YEAR = 365.25
LEAST_YEARS = 0.25  # three months; a change per year says nothing below
TELLING = 2  # standard deviations from which on a number differs from none


@dataclass(frozen=True)
class Measurement(Finding):
    """A number with its unit (UCUM), of one structure, one image or of the whole input.

    `uncertainty` is one standard deviation in the same unit, None where it was not estimated. One
    that is `followed` is compared with those of earlier exams of the same patient.
    """

    code: Code
    value: float
    unit: Code
    of: Structure | None = None
    uncertainty: float | None = None
    image: str | None = None
    followed: bool = False

    def __post_init__(self) -> None:
        code = checks.code("the code of a measurement", self.code)
        what = f"of the measurement {code.meaning!r}"
        if self.of is not None and not isinstance(self.of, Structure):
            raise FindingError(f"the `of` {what} is no Segment, and no structure of a LabelMap")
        settle(
            self,
            value=checks.number(f"the value {what}", self.value),
            unit=checks.code(f"the unit {what}", self.unit),
            uncertainty=checks.number_if_any(f"the uncertainty {what}", self.uncertainty, 0),
            image=checks.image(f"the image {what}", self.image),
            followed=checks.yes_or_no(f"followed {what}", self.followed),
        )

    @property
    def label(self) -> str:
        """What a report calls it: the segment where it is its volume, else what was measured."""
        if self.of is None:
            return self.code.meaning
        volume = self.code == codes.VOLUME
        return self.of.name if volume else f"{self.of.name}: {self.code.meaning}"

    @property
    def quantity(self) -> Quantity:
        """The number with its unit, to be printed."""
        return Quantity(self.value, self.uncertainty, self.unit.value)

    def summary(self) -> MeasurementSummary:
        return MeasurementSummary(
            what=self.code.meaning,
            value=self.value,
            unit=self.unit.value,
            of=self.of.name if self.of else None,
            uncertainty=self.uncertainty,
            followed=self.followed,
            image=self.image,
        )

    def codes(self) -> Iterable[Code]:
        return self.code, self.unit


@dataclass(frozen=True)
class Earlier:
    """A measurement in an earlier exam of the same patient, in the unit of the present one.

    `day` is the date of that study; the UIDs are those of the report that it was read from.
    """

    day: date
    value: float
    uncertainty: float
    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Change(Finding):
    """A followed measurement beside the same one in earlier exams, the oldest first.

    All come from the same network, so that they can be compared at all. The numbers are against the
    latest of them. Their errors are taken as independent: those of one person are alike in part, so
    the uncertainty, one standard deviation, is rather too large than too small.
    """

    of: Measurement
    day: date
    earlier: tuple[Earlier, ...]

    @property
    def latest(self) -> Earlier:
        return self.earlier[-1]

    @property
    def years(self) -> float:
        """Years since the latest earlier exam."""
        return (self.day - self.latest.day).days / DAYS_PER_YEAR

    @property
    def difference(self) -> float:
        """The change in the unit of the measurement; positive where it has grown."""
        return self.of.value - self.latest.value

    @property
    def difference_uncertainty(self) -> float:
        return float(np.hypot(self.of.uncertainty or 0.0, self.latest.uncertainty))

    @property
    def quantity(self) -> Quantity:
        """The difference with its unit, to be printed."""
        return Quantity(self.difference, self.difference_uncertainty, self.of.unit.value)

    @property
    def is_telling(self) -> bool:
        """Whether it is larger than the measurements' own uncertainty can well explain."""
        return abs(self.difference) >= TELLING * self.difference_uncertainty

    @property
    def percent_per_year(self) -> float | None:
        """The change per year in per cent of the earlier value; None for exams close together."""
        if self.years < LEAST_YEARS or not self.latest.value:
            return None
        return 100 * self.difference / self.latest.value / self.years

    @property
    def percent_per_year_uncertainty(self) -> float | None:
        if self.percent_per_year is None or not self.of.value:
            return None
        shares = (
            (self.of.uncertainty or 0.0) / self.of.value,
            self.latest.uncertainty / self.latest.value,
        )
        ratio = self.of.value / self.latest.value
        return float(100 * abs(ratio) * np.hypot(*shares) / self.years)

    def summary(self) -> ChangeSummary:
        return ChangeSummary(
            of=self.of.label,
            since=self.latest.day.isoformat(),
            value=self.difference,
            unit=self.of.unit.value,
            uncertainty=self.difference_uncertainty,
            percent_per_year=self.percent_per_year,
            percent_per_year_uncertainty=self.percent_per_year_uncertainty,
        )
