"""The numbers of a result as the measurement report writes them: coded, in units of registries."""

from dataclasses import dataclass

from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.findings import Change, Measurement


@dataclass(frozen=True)
class CodedNumber:
    """`code` is what it is; `uncertainty` is one standard deviation in the same unit (UCUM)."""

    code: Code
    value: float
    unit: Code
    uncertainty: float | None = None


def numbers_of(measurement: Measurement, change: Change | None = None) -> list[CodedNumber]:
    """A measurement with its change since the latest earlier exam; volumes in mm3."""
    unit = measurement.unit
    numbers = [CodedNumber(measurement.code, measurement.value, unit, measurement.uncertainty)]
    if change:
        difference = (change.difference, unit, change.difference_uncertainty)
        numbers.append(CodedNumber(codes.CHANGE, *difference))
        if (rate := change.percent_per_year) is not None:
            error = change.percent_per_year_uncertainty
            numbers.append(CodedNumber(codes.CHANGE_PER_YEAR, rate, codes.PERCENT_PER_YEAR, error))
    return [_in_cubic_millimetres(number) for number in numbers]


def _in_cubic_millimetres(number: CodedNumber) -> CodedNumber:
    if number.unit != codes.MILLILITRE:
        return number
    uncertainty = None if number.uncertainty is None else number.uncertainty * 1000
    return CodedNumber(number.code, number.value * 1000, codes.CUBIC_MILLIMETRE, uncertainty)
