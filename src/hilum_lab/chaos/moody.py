"""A module that misbehaves as its series asks for, by what its Series Description ends with."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from hilum import Finding, Input, Measurement, Note, Segment, Series, codes

HOARD: list[bytearray] = []


class Moody:
    """Measures the brighter half, unless it is told to do something else.

    It raises, segfaults, eats, hoards, hangs, kills (its worker), reads (the volume), is absurd
    (finds what no finding is), or counts (only says how often it ran in this process): by the words
    behind the first of the Series Description.

    Where a subclass names a `folder`, each run adds a line with its moods to the file `diary`
    there, if the site gives it that folder, and raises no more once there is a file `mended`.
    """

    name, version, title = "moody", "1.0", "Moody"
    needs = Input(modality="MR")
    folder: Path | None = None

    def __init__(self) -> None:
        self.runs = 0

    def run(self, series: Series) -> Iterator[Finding]:
        self.runs += 1
        moods = series.description.split()[1:]
        if self.folder:
            with suppress(PermissionError), (self.folder / "diary").open("a") as diary:
                diary.write(f"{' '.join(moods)}\n")
            if (self.folder / "mended").exists():
                moods = [mood for mood in moods if mood != "raises"]
        for mood in moods:
            _misbehave(mood)
        if "reads" in moods:
            series.volume()
        if "absurd" in moods:
            yield Note(5)  # type: ignore[arg-type]
        if "counts" in moods:
            yield Note(f"run {self.runs} in {os.getpid()}, {len(series.instances)} images")
            return
        volume = series.volume()
        mask = volume.with_array(volume.array > np.median(volume.array))
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)


def _misbehave(mood: str) -> None:
    if mood == "raises":
        raise ValueError("Marker^Patient is broken")  # a careless author names the patient
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
    """Keep all memory but two MiB, without an error: the next study does not find enough.

    What is left over is for the answer of this run, which would otherwise be lost now and then.
    """
    spare = bytearray(1 << 21)
    while size > 1 << 12:
        try:
            HOARD.append(bytearray(size))
        except MemoryError:
            size //= 2
    del spare
