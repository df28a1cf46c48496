"""A module that misbehaves as its series asks for: by the second word of the Series Description."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator

import numpy as np

from hilum import Finding, Input, Measurement, Segment, Series, codes

HOARD: list[bytearray] = []


class Moody:
    """Measures the brighter half, unless it is told to raise, crash, eat, hoard, hang or kill."""

    name, version, title = "moody", "1.0", "Moody"
    needs = Input(modality="MR")

    def run(self, series: Series) -> Iterator[Finding]:
        _misbehave(series.description.partition(" ")[2])
        volume = series.volume()
        mask = volume.with_array(volume.array > np.median(volume.array))
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)


def _misbehave(mood: str) -> None:
    if mood == "raises":
        raise RuntimeError("moody")
    if mood == "segfaults":
        ctypes.string_at(0)
    if mood == "eats":
        hoard = []
        while True:
            hoard.append(np.ones(1 << 24))
    if mood == "hoards":
        _hoard(1 << 26)
    if mood == "hangs":
        time.sleep(3600)
    if mood == "kills":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)


def _hoard(size: int) -> None:
    """Keep all memory there is, for good, and say nothing: the next study finds none."""
    while size > 1 << 16:
        try:
            HOARD.append(bytearray(size))
        except MemoryError:
            size //= 2
