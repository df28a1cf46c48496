"""How a module asks Hilum for pixels and headers while it runs.

What it never asks for is never decoded. `hilum.hosts.given` is the other side.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Callable

import numpy as np

from hilum_module.errors import DicomError
from hilum_module.volume import Volume

Item = Mapping[str, Any]  # JSON, as it lies in a letter
Arrays = Mapping[str, np.ndarray]
Ask = Callable[[dict[str, Any]], "tuple[list[dict[str, Any]], dict[str, np.ndarray]]"]


class Images:
    """The images of one input, as Hilum has them."""

    def __init__(self, name: str, ask: Ask) -> None:
        """`name` is that of the input; `ask` hands an inquiry over, and gives items and arrays."""
        self._name = name
        self._ask = ask
        self._process = os.getpid()
        self._one_at_a_time = threading.Lock()

    def asked(self, member: str, number: int = 0, **more: Any) -> tuple[Item, Arrays]:
        """The `member` of the input, or of the image or film that has this `number` in it.

        Raises `DicomError` where the images do not have it.
        """
        if os.getpid() != self._process:
            raise RuntimeError("images are read in the process that `run` was called in")
        with self._one_at_a_time:
            items, arrays = self._ask(
                {"input": self._name, "member": member, "number": number, **more}
            )
        [item] = items
        if "problem" in item:
            raise DicomError(item["problem"])
        return item, arrays

    def volume(self, member: str, **more: Any) -> Volume:
        """A volume that is asked for."""
        item, arrays = self.asked(member, **more)
        return Volume(arrays["array"], arrays["affine"], item["frame_of_reference_uid"])
