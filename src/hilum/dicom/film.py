"""A radiograph: one projection image, who and what it shows, and its pixels in full depth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hilum.dicom.age import ages_of
from hilum.dicom.header import HOSTILE, Header
from hilum.dicom.instance import Instance
from hilum.dicom.pixels import GREY, StoredFrames
from hilum.dicom.presentation import Presentation, presentation
from hilum.dicom.rendering import rendered
from hilum.errors import UnreadableError


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
        return min(ages_of(self.header), default=None)

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
        with StoredFrames(self.instance.path) as stored:
            shown = presentation(stored)
            if "picture" not in vars(self):  # made while the values are there, not decoded again
                with stored.named("the film cannot be drawn"):
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
            with StoredFrames(self.instance.path) as stored:
                grey = stored.grey()
                with stored.named("the first frame cannot be drawn"):
                    return rendered(grey, self.header)
        except UnreadableError:
            return None

    def _text(self, keyword: str) -> str:
        return self.header.text(keyword).strip()
