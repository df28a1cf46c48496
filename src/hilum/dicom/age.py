"""How old a patient was at the time of a study, as far as the header says."""

import re

from pydicom.dataset import Dataset

from hilum.dicom.dates import day_of
from hilum.dicom.header import text_of

UNITS = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}  # of an Age String, in a year
OLDEST = 130  # years


def ages_of(attributes: Dataset) -> tuple[float, ...]:
    """Years as stated and by the dates of birth and study; those that are there and possible."""
    ages = (_stated(attributes), _by_dates(attributes))
    return tuple(years for years in ages if years is not None and 0 <= years <= OLDEST)


def _stated(attributes: Dataset) -> float | None:
    """Patient's Age; a number without leading zeros is broken (PS3.5 6.2), but clear.

    An age of no years is how some devices say that they do not know it.
    """
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", text_of(attributes, "PatientAge"), re.ASCII)
    if not stated or (int(stated[1]) == 0 and stated[2] == "Y"):
        return None
    return int(stated[1]) / UNITS[stated[2]]


def _by_dates(attributes: Dataset) -> float | None:
    born, seen = (day_of(text_of(attributes, k)) for k in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None:
        return None
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
