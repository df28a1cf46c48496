"""What voxels measure: Real World Value Mapping, and the standardized uptake value of PET.

Both are for modules that need a physical unit; `Series.volume` gives what the Modality LUT says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom.header import HOSTILE, text_of
from hilum.errors import UnreadableError

GRAMS = 1000.0  # in a kilogram
LONGEST_UPTAKE = timedelta(hours=24)  # between injection and scan
PHILIPS = (0x7053, 0x1000)  # SUV Scale Factor, where "Philips PET Private Group" has reserved it


@dataclass(frozen=True)
class RealWorldMap:
    """How stored values become a quantity in a coded unit (PS3.3 C.7.6.16.2.11).

    It holds for stored values from `first` to `last`, and is linear unless there is a `table`.
    """

    label: str
    unit: Code
    first: float
    last: float
    slope: float = 1.0
    intercept: float = 0.0
    table: tuple[float, ...] = ()

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Stored values as float32 in the unit; not a number where the map does not hold."""
        holds = (stored >= self.first) & (stored <= self.last)
        if self.table:
            place = np.clip(stored - self.first, 0, len(self.table) - 1).astype(np.int64)
            mapped = np.asarray(self.table)[place]
        else:
            mapped = stored * self.slope + self.intercept
        return np.where(holds, mapped, np.nan).astype(np.float32)


def real_world_maps(items: Iterable[Dataset]) -> tuple[RealWorldMap, ...]:
    """The maps of a frame; `items` are its header, or the functional group items that hold for it.

    One that is broken is left out.
    """
    found = []
    for item in items:
        for mapping in item.get("RealWorldValueMappingSequence") or ():
            try:
                found.append(_map(mapping))
            except HOSTILE:
                continue
    return tuple(found)


def _end(item: Dataset, end: str) -> float:
    """One end of the range of stored values; not a number if it is not stated."""
    keywords = (f"DoubleFloatRealWorldValue{end}", f"RealWorldValue{end}")
    return next((float(item[k].value) for k in keywords if k in item), math.nan)


def _map(item: Dataset) -> RealWorldMap:
    unit = item.MeasurementUnitsCodeSequence[0]
    code = Code(
        str(unit.CodeValue), str(unit.CodingSchemeDesignator), str(unit.get("CodeMeaning", ""))
    )
    first, last = _end(item, "FirstValueMapped"), _end(item, "LastValueMapped")
    if math.isnan(first) or math.isnan(last):
        raise ValueError("it does not say for which stored values it holds")
    label = str(item.get("LUTLabel", ""))
    if "RealWorldValueLUTData" in item:
        table = tuple(float(v) for v in np.atleast_1d(item.RealWorldValueLUTData))
        if len(table) != int(last - first) + 1:
            raise ValueError("the table is not as long as the range that it maps")
        return RealWorldMap(label, code, first, last, table=table)
    slope, intercept = float(item.RealWorldValueSlope), float(item.RealWorldValueIntercept)
    if not math.isfinite(slope) or not math.isfinite(intercept) or slope == 0:
        raise ValueError("the slope or intercept is not a usable number")
    return RealWorldMap(label, code, first, last, slope, intercept)


def suv_factor(header: Dataset) -> float:
    """What rescaled PET values are multiplied by to become SUV by body weight, in g/mL.

    By the recipe of QIBA: BQML values times weight in grams by the dose, decayed from the injection
    to the start of the scan. `header` is that of the earliest image of the series.

    Raises `UnreadableError` naming the attribute that is missing or says something else.
    """
    units = text_of(header, "Units")
    if units == "GML" and text_of(header, "SUVType") in ("", "BW"):
        return 1.0
    if units == "CNTS":
        return _philips(header)
    if units != "BQML":
        raise UnreadableError(f"no SUV: Units is {units[:16] or 'missing'}")
    corrected = set(text_of(header, "CorrectedImage").strip("[]").replace("'", "").split(", "))
    for needed in ("ATTN", "DECAY"):
        if needed not in corrected:
            raise UnreadableError(f"no SUV: CorrectedImage does not name {needed}")
    weight = _positive(header, "PatientWeight") * GRAMS
    injection = _radiopharmaceutical(header)
    dose = _positive(injection, "RadionuclideTotalDose")
    correction = text_of(header, "DecayCorrection")
    if correction == "ADMIN":  # to the time of the injection
        return weight / dose
    if correction != "START":
        raise UnreadableError(f"no SUV: DecayCorrection is {correction[:16] or 'missing'}")
    half_life = _positive(injection, "RadionuclideHalfLife")
    return weight / (dose * 2 ** (-_uptake_seconds(header, injection) / half_life))


def _uptake_seconds(header: Dataset, injection: Dataset) -> float:
    """Seconds from the injection to the scan, which may lie on both sides of midnight."""
    scan = _time_of(header, "SeriesDate", "SeriesTime")
    acquired = _time_of(header, "AcquisitionDate", "AcquisitionTime")
    if scan is None or (acquired and scan > acquired):  # made anew after the scan
        scan = acquired
    if scan is None:
        raise UnreadableError("no SUV: SeriesTime and AcquisitionTime are missing")
    stated = text_of(injection, "RadiopharmaceuticalStartDateTime")
    injected = _moment(stated[:8], stated[8:]) if stated else None
    if injected is None:
        time = text_of(injection, "RadiopharmaceuticalStartTime")
        injected = _moment(f"{scan:%Y%m%d}", time)
        if injected is None:
            raise UnreadableError("no SUV: RadiopharmaceuticalStartTime is missing")
        if injected > scan:
            injected -= timedelta(days=1)
    uptake = scan - injected
    if not timedelta(0) <= uptake <= LONGEST_UPTAKE:
        raise UnreadableError("no SUV: the injection is not within the day before the scan")
    return uptake.total_seconds()


def _radiopharmaceutical(header: Dataset) -> Dataset:
    try:
        item: Dataset = header.RadiopharmaceuticalInformationSequence[0]
    except HOSTILE:
        text = "no SUV: RadiopharmaceuticalInformationSequence is missing"
        raise UnreadableError(text) from None
    return item


def _philips(header: Dataset) -> float:
    if PHILIPS in header and "Philips PET" in str(header.get((0x7053, 0x0010), "")):
        try:
            factor = float(header[PHILIPS].value)
        except HOSTILE:
            factor = 0.0
        if math.isfinite(factor) and factor > 0:
            return factor
    raise UnreadableError("no SUV: Units is CNTS and there is no SUV Scale Factor of Philips")


def _positive(item: Dataset, keyword: str) -> float:
    try:
        value = float(item.get(keyword) or 0)
    except HOSTILE:
        value = 0.0
    if not (math.isfinite(value) and value > 0):
        raise UnreadableError(f"no SUV: {keyword} is missing or not a positive number")
    return value


def _time_of(header: Dataset, date: str, time: str) -> datetime | None:
    return _moment(text_of(header, date) or text_of(header, "StudyDate"), text_of(header, time))


def _moment(date: str, time: str) -> datetime | None:
    """A DA and a TM value; fractions of a second and zones do not matter here."""
    try:
        return datetime.strptime(f"{date}{time[:6]:0<6}", "%Y%m%d%H%M%S") if time else None
    except ValueError:
        return None
