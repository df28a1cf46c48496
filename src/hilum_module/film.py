"""The radiographs that a module is given."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hilum_module.asking import Images, Item
from hilum_module.header import Header


class Film:
    """One radiograph of a study. Its pixels are decoded when they are asked for.

    `uid` is its SOP Instance UID, for the `image` of a finding. `problem` says why it is not one
    grey image, None if it is. `age` is that of the patient at the time of the study, in years, None
    if it is unknown. `acquired` is date and time of acquisition as far as stated.
    """

    def __init__(self, about: Item, images: Images, number: int) -> None:
        """`about` holds what Hilum has read of its header, `number` its place among all."""
        self.uid: str = about["uid"]
        self.acquired: str = about["acquired"]
        self.age: float | None = about["age"]
        self.problem: str | None = about["problem"]
        self._images = images
        self._number = number

    @cached_property
    def header(self) -> Header:
        """Everything but the pixel data."""
        item, _ = self._images.asked("header", self._number)
        return Header(item["header"])

    def values(self) -> np.ndarray:
        """Presentation values: float32 (rows, columns), dense is bright, range arbitrary.

        Raises `DicomError` where the pixels cannot be used.
        """
        _, arrays = self._images.asked("values", self._number)
        return arrays["array"]

    @cached_property
    def picture(self) -> np.ndarray | None:
        """What people are shown: uint8 (rows, columns); None if the pixels cannot be decoded."""
        _, arrays = self._images.asked("picture", self._number)
        return arrays.get("array")
