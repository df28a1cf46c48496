"""A radiograph: one projection image, who and what it shows, and its pixels in full depth."""

import datetime
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum.dicom.header import HOSTILE, Header
from hilum.dicom.instance import Instance
from hilum.dicom.presentation import Presentation, presentation, unreadable
from hilum.dicom.rendering import first_frame, rendered
from hilum.errors import UnreadableError

GREY = ("MONOCHROME1", "MONOCHROME2")
UNITS = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}  # of an Age String, in a year
OLDEST = 130  # years


@dataclass(frozen=True)
class Film:
    """One radiograph of a study (CR, DX or whatever else claims to be one)."""

    instance: Instance

    @property
    def uid(self) -> str:
        """SOP Instance UID."""
        return self.instance.sop_instance_uid

    @property
    def header(self) -> Header:
        """Everything but the pixel data."""
        return self.instance.header

    @property
    def acquired(self) -> str:
        """Date and time of acquisition as far as stated, for sorting."""
        return " ".join(self._text(part) for part in ("AcquisitionDate", "AcquisitionTime"))

    @property
    def age(self) -> float | None:
        """Years at the time of the study: as stated or from the birth date; None if unknown.

        The lower of the two, so that no child passes for an adult.
        """
        ages = [years for years in (self._stated_age(), self._age_by_dates()) if years is not None]
        return min((years for years in ages if 0 <= years <= OLDEST), default=None)

    @property
    def problem(self) -> str | None:
        """Why this is not one grey image, or None."""
        try:
            if int(self.header.get("NumberOfFrames") or 1) > 1:
                return "it has several frames"
            if not (self.header.get("Rows") and self.header.get("Columns")):
                return "it has no pixels"
            if int(self.header.get("SamplesPerPixel") or 1) != 1:
                return "it is in colour"
            if self.header.get("PhotometricInterpretation") not in GREY:
                return "its pixels are not shades of grey"
        except HOSTILE:
            return "its description of the pixels is broken"
        return None

    def presentation(self) -> Presentation:
        """What a reader sees, and whether the header's window was ignored for it.

        The bit depth is kept and the collimation border is still there. Raises `UnreadableError`.
        """
        if self.problem:
            raise UnreadableError(f"not a radiograph: {self.problem}")
        with unreadable("the object cannot be read"):
            dataset = self.instance.dataset()
        shown = presentation(dataset)
        if "picture" not in vars(self):  # made while the values are there, not decoded for again
            with unreadable("the film cannot be drawn"):
                vars(self)["picture"] = rendered(shown.values, self.header)
        return shown

    def values(self) -> np.ndarray:
        """Presentation values: float32 (rows, columns), dense is bright, range arbitrary."""
        return self.presentation().values

    @cached_property
    def picture(self) -> np.ndarray | None:
        """What people are shown: uint8 (rows, columns), 900 pixels on the longer side.

        Windowed to the film's own range, its pixels made square; of colour images and those with
        several frames the first frame in grey. None if the pixels cannot be decoded.
        """
        try:
            if not self.problem:
                self.presentation()
                return np.asarray(vars(self)["picture"])
            with unreadable("the first frame cannot be drawn"):
                return rendered(first_frame(self.instance.dataset()), self.header)
        except UnreadableError:
            return None

    def _text(self, keyword: str) -> str:
        return self.header.text(keyword).strip()

    def _stated_age(self) -> float | None:
        """Patient's Age; a number without leading zeros is broken (PS3.5 6.2), but clear.

        An age of no years is how some devices say that they do not know it.
        """
        stated = re.fullmatch(r"(\d{1,3})([DWMY])", self._text("PatientAge"), re.ASCII)
        if not stated or (int(stated[1]) == 0 and stated[2] == "Y"):
            return None
        return int(stated[1]) / UNITS[stated[2]]

    def _age_by_dates(self) -> float | None:
        born, seen = self._date("PatientBirthDate"), self._date("StudyDate")
        if born is None or seen is None:
            return None
        return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))

    def _date(self, keyword: str) -> datetime.date | None:
        try:
            return datetime.datetime.strptime(self._text(keyword), "%Y%m%d").date()
        except ValueError:
            return None
