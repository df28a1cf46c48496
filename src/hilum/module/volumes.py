"""A volume as a module needs it, judged from headers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hilum.dicom.parts import Part, read_series
from hilum.dicom.series import Series
from hilum.module import conditions
from hilum.wording import counted

Range = tuple[float, float]
ROUNDING = 1e-3  # mm: lengths are told apart no finer, as headers write positions in few digits


@dataclass(frozen=True)
class Input:
    """One volume of a series, and what a network was made for, judged from headers.

    A rule can narrow it, never widen it. Lengths are in mm, `echo_time` is in ms, `b_value` in
    s/mm2. `extent` bounds every side of the volume. `tilt` says whether slices of a tilted gantry
    are laid on a right-angled grid for the module; without it they are refused, unless a rule asks.

    `header` says what else the headers must hold: DICOM keyword = regular expression, such as
    `{"BodyPartExamined": "HEAD|BRAIN"}` or `{"ConvolutionKernel": "B[67]"}`. `contrast` says
    whether a contrast agent must have been given. `orientation` is "axial", "coronal" or
    "sagittal". `objection` is called last, for a series that fits in all else and is whole; it
    gives the reason why the series is not meant, a clause, and "" if it is. An input that is
    `optional` is None where the study has no series for it.

    Raises `ValueError` for a keyword, a pattern or an orientation that is none.
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
    tilt: Literal["refuse", "resample"] = "refuse"
    header: Mapping[str, str] = field(default_factory=dict, hash=False)
    contrast: bool | None = None
    orientation: str | None = None
    objection: Callable[[Series], str] | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        conditions.require_patterns(self.header)
        if self.orientation is not None:
            conditions.Orientation(self.orientation)

    def read(self, parts: Sequence[Part]) -> Series:
        """The chosen images as `Module.run` receives them."""
        (series,) = read_series(parts)
        return series.straightened if self.volume else series

    def candidates(self, series: Series, resample: bool = False) -> Sequence[Series]:
        """The volumes of `series`, each of which is judged by itself.

        `resample`: the rule asks for tilted slices to be laid on a right-angled grid.
        """
        if not self.volume:
            return (series,)
        wanted = resample or self.tilt == "resample"
        return [s.straightened if wanted else s for s in series.candidates]

    def is_for(self, series: Series) -> bool:
        """Whether `series` is of the right modality, whatever else is to be said against it."""
        return series.modality == self.modality

    def objections(self, series: Series) -> Iterator[str]:
        """Each reason why `series` is not what the module needs; none means it fits."""
        if of_another_kind := self._objection_to_kind(series):
            yield of_another_kind
            return
        found = [*self._objections_to_header(series)]
        low, high = self.slices
        if not low <= len(series.frames) <= high:
            found.append(f"{counted(len(series.frames), 'image')}, module needs {low} to {high}")
        if self.volume:
            found += self._objections_to_volume(series)
        yield from found
        if self.objection and not found and (reason := self.objection(series)):
            yield reason

    def lasting_objections(self, series: Series) -> Iterator[str]:
        """Those of `objections` that stay, however many slices of `series` may still come."""
        if of_another_kind := self._objection_to_kind(series):
            yield of_another_kind
        else:
            yield from self._objections_to_header(series)

    def reservations(self, series: Series) -> Iterator[str]:
        """Each reason why the module will refuse `series` though it fits; none by default.

        A series without any is taken first. One with them is taken if there is no other, so that
        the module's refusal tells the clinician why there is no result.
        """
        yield from ()

    def _objection_to_kind(self, series: Series) -> str:
        if not self.is_for(series):
            return f"modality is {series.modality or 'not given'}, module needs {self.modality}"
        sop_class = series.instances[0].sop_class_uid
        if self.sop_classes and sop_class not in self.sop_classes:
            return f"SOP class {_name(sop_class)} is not one the module reads"
        return ""

    def _objections_to_header(self, series: Series) -> Iterator[str]:
        for keyword, allowed in (("echo_time", self.echo_time), ("b_value", self.b_value)):
            if allowed:
                yield from _not_within(series, keyword, allowed)
        yield from conditions.mismatches(series, self.header, "module")
        if self.contrast is not None:
            yield from conditions.wrong_contrast(series, self.contrast)
        if self.orientation is not None:
            wanted = conditions.Orientation(self.orientation)
            yield from conditions.wrong_orientation(series, wanted)

    def _objections_to_volume(self, series: Series) -> Iterator[str]:
        if series.frames and all(frame.is_localizer for frame in series.frames):
            yield "it is a localizer (ImageType)"
        if series.stack.problem:
            yield f"forms no volume: {series.stack.problem}"
        if series.problem:
            yield series.problem
        if series.stack.spacing is not None:
            yield from self._objections_to_grid(series, series.stack.spacing)

    def _objections_to_grid(self, series: Series, slice_spacing: float) -> Iterator[str]:
        first = series.frames[0]
        assert first.pixel_spacing is not None
        if self.slice_spacing:
            yield from _outside(slice_spacing, self.slice_spacing, "slice spacing")
        if self.pixel_spacing:
            for spacing in sorted(set(first.pixel_spacing)):
                yield from _outside(spacing, self.pixel_spacing, "pixel spacing")
        if self.extent:
            rows, columns = first.size or (0, 0)
            sides = (
                rows * first.pixel_spacing[0],
                columns * first.pixel_spacing[1],
                len(series.frames) * slice_spacing,
            )
            if not all(_is_within(side, self.extent) for side in sides):
                size = " x ".join(f"{side:.0f}" for side in sides)
                low, high = self.extent
                yield f"covers {size} mm, module needs {low:.0f} to {high:.0f} mm on every side"


def _is_within(length: float, allowed: Range) -> bool:
    return allowed[0] - ROUNDING <= length <= allowed[1] + ROUNDING


def _outside(value: float, allowed: Range, what: str) -> Iterator[str]:
    if not _is_within(value, allowed):
        yield f"{what} {value:.2g} mm, module needs {allowed[0]:g} to {allowed[1]:g} mm"


def _not_within(series: Series, attribute: str, allowed: Range) -> Iterator[str]:
    """Whether a frame states another echo time, or b-value, than the module needs."""
    name, unit = {"echo_time": ("echo time", "ms"), "b_value": ("b-value", "s/mm2")}[attribute]
    stated = {getattr(frame, attribute) for frame in series.frames}
    if wrong := [v for v in stated if v is None or not allowed[0] <= v <= allowed[1]]:
        shown = "not stated" if wrong[0] is None else f"{wrong[0]:g} {unit}"
        yield f"{name} is {shown}, module needs {allowed[0]:g} to {allowed[1]:g} {unit}"


def _name(uid: str) -> str:
    from pydicom.uid import UID

    return UID(uid).name
