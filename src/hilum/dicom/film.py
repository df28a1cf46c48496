"""A radiograph: one projection image, and its pixels as a reader sees them but in full depth."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from hilum.dicom.instance import Instance
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
    def header(self) -> FileDataset:
        """Everything but the pixel data."""
        return self.instance.header

    @property
    def acquired(self) -> str:
        """Date and time of acquisition as far as stated, for sorting."""
        stated = (self.header.get(part) for part in ("AcquisitionDate", "AcquisitionTime"))
        return " ".join(str(value or "") for value in stated)

    @property
    def problem(self) -> str | None:
        """Why this is not one grey image, or None."""
        if int(self.header.get("NumberOfFrames") or 1) > 1:
            return f"it has {self.header.NumberOfFrames} frames"
        if int(self.header.get("SamplesPerPixel") or 1) != 1:
            return "it is in colour"
        return None

    def values(self) -> np.ndarray:
        """Presentation values: float32 (rows, columns), dense is bright, range arbitrary.

        Modality LUT, then VOI LUT or window, then one inversion for MONOCHROME1 (PS3.4 N.2.1); the
        bit depth is kept, the collimation border is still there. Raises `UnreadableError`.
        """
        if self.problem:
            raise UnreadableError(f"not a radiograph: {self.problem}")
        return presentation_values(self.instance.dataset())


def presentation_values(dataset: Dataset) -> np.ndarray:
    """The pixels of a single grey image, as `Film.values`."""
    values = apply_modality_lut(dataset.pixel_array, dataset)
    values = apply_voi_lut(values, dataset).astype(np.float32)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        values = values.max() - values
    return values
