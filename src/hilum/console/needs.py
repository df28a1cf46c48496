"""What a module takes, in words."""

from collections.abc import Iterator
from itertools import starmap

from hilum.module import Films, Input, Need, Range

UNITS = {
    "slice_spacing": ("Distance of slices", "mm"),
    "pixel_spacing": ("Distance of pixels", "mm"),
    "extent": ("Length of each side", "mm"),
    "echo_time": ("Echo time", "ms"),
    "b_value": ("b-value", "s/mm²"),
}


def needs_in_words(need: Need) -> list[tuple[str, str]]:
    """Each condition and its limits."""
    words = list(_conditions(need))
    return [*words, ("If there is none", "the module runs without it")] if need.optional else words


def _conditions(need: Need) -> Iterator[tuple[str, str]]:
    if isinstance(need, Films):
        yield "Images", f"all radiographs of a study ({' or '.join(need.modalities)})"
    else:
        yield from _of_input(need)


def _of_input(need: Input) -> Iterator[tuple[str, str]]:
    yield "Images", f"{need.modality}, {'one volume' if need.volume else 'one series'}"
    low, high = need.slices
    is_open = need.slices == Input("").slices
    yield "Number of slices", "any" if is_open else f"{low} to {high}"
    limits: list[tuple[str, Range | None]] = [(name, getattr(need, name)) for name in UNITS]
    yield from starmap(_limit, ((name, limit) for name, limit in limits if limit is not None))
    for keyword, pattern in need.header.items():
        yield keyword, f"matches {pattern}"
    if need.orientation:
        yield "Orientation", need.orientation
    if need.contrast is not None:
        yield "Contrast agent", "given" if need.contrast else "not given"
    if need.objection:
        yield "Further conditions", "as the module says"
    if need.volume:
        is_laid = need.tilt == "resample"
        yield "Tilted gantry", "laid on a right-angled grid" if is_laid else "refused"


def _limit(name: str, limit: Range) -> tuple[str, str]:
    words, unit = UNITS[name]
    return words, f"{limit[0]:g} to {limit[1]:g} {unit}"
