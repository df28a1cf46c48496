"""What a module needs, for Hilum to choose the series by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from hilum_module.series import Series

Range = tuple[float, float]


@dataclass(frozen=True)
class Input:
    """One series, as `hilum.Input`: lengths in mm, `echo_time` in ms, `b_value` in s/mm2.

    `header` holds regular expressions by DICOM keyword. `objection` is called last, for a series
    that fits in all else and is whole; it gives the reason why the series is not meant, a clause,
    and "" if it is. One that is `optional` is None for `run` where the study has no series for it.
    Without `volume` the slices need not form one.
    """

    modality: str
    sop_classes: tuple[str, ...] = ()
    volume: bool = True
    slices: tuple[int, int] = (1, 100_000)
    slice_spacing: Range | None = None
    pixel_spacing: Range | None = None
    extent: Range | None = None
    echo_time: Range | None = None
    b_value: Range | None = None
    tilt: str = "refuse"
    header: dict[str, str] = field(default_factory=dict, hash=False)
    contrast: bool | None = None
    orientation: str | None = None
    objection: Callable[[Series], str] | None = None
    optional: bool = False


@dataclass(frozen=True)
class Films:
    """All radiographs of a study, as `hilum.Films`; `run` gets a tuple of `Film`."""

    modalities: tuple[str, ...] = ("CR", "DX")
    optional: bool = False


@dataclass(frozen=True)
class FindingsOf:
    """What the module called `module` has found on the very same images, as `hilum.FindingsOf`.

    `run` gets `Findings`, or None where the input is `optional` and there are none. `on` is the
    input whose images are meant, by default the first.
    """

    module: str
    on: str = ""
    optional: bool = False


@dataclass(frozen=True)
class EarlierExams:
    """The patient's earlier exams of the same kind, as `hilum.EarlierExams`.

    `run` gets a tuple of what the input called `on`, by default the first, would get of each, the
    latest first, at most `most`. It is empty where there is none and the input is `optional`.
    """

    on: str = ""
    most: int = 1
    optional: bool = False


@dataclass(frozen=True)
class Resources:
    """What a module needs of the machine to run at all; `memory_mb` in MiB."""

    memory_mb: int = 256
    threads: int = 1
