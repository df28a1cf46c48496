"""The stored pixels of one frame."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array

from hilum.dicom.header import HOSTILE
from hilum.errors import UnreadableError


class StoredFrames:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "StoredFrames":
        self._file = self.path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def frame(self, number: int) -> np.ndarray:
        try:
            self._file.seek(0)
            dataset = pydicom.dcmread(self._file)
            return np.asarray(pixel_array(dataset, index=number - 1))
        except (*HOSTILE, RuntimeError) as error:
            raise UnreadableError(
                f"the pixels cannot be decoded: {type(error).__name__}"
            ) from error
