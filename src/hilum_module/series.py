"""The images that a module is given, already decoded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Volume:
    """An `array` (slices, rows, columns) on a right-angled grid in the patient.

    `affine`, 4x4, leads from (slice, row, column) indices to LPS mm.
    """

    array: np.ndarray
    affine: np.ndarray
    frame_of_reference_uid: str | None = None

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between the centres of slices, rows and columns."""
        between, down, along = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(between), float(down), float(along)

    @property
    def voxel_volume(self) -> float:
        """Cubic millimetres of one voxel."""
        return float(np.prod(self.spacing))

    def with_array(self, array: np.ndarray) -> Volume:
        """`array`, such as a boolean mask, on the same grid; `ValueError` if it has another."""
        if array.shape != self.array.shape:
            raise ValueError(f"the array has the shape {array.shape}, the grid {self.array.shape}")
        return Volume(array, self.affine, self.frame_of_reference_uid)


@dataclass(frozen=True, eq=False)
class Series:
    """One series of images. Nothing of it names the patient but what a scanner was told to write.

    `description` is SeriesDescription (0008,103E), `uid` Series Instance UID (0020,000E). `images`
    holds the SOP Instance UID of the image of each slice.
    """

    modality: str
    description: str
    uid: str
    voxels: Volume
    images: tuple[str, ...] = ()
    files: tuple[np.ndarray, ...] | None = None

    def folder(self) -> Path:
        """A new folder with a copy of each DICOM file as it was received, "0001.dcm" and so on.

        It lies with the temporary files. Raises `ValueError` where `Input` does not ask for it.
        """
        if self.files is None:
            raise ValueError("the files are not here: declare Input(..., files=True)")
        made = Path(tempfile.mkdtemp(prefix="series-"))
        for number, content in enumerate(self.files, start=1):
            (made / f"{number:04}.dcm").write_bytes(content.tobytes())
        return made

    def volume(self) -> Volume:
        """Voxels after the Modality LUT: float32 (slices, rows, columns)."""
        return self.voxels
