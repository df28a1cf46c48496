"""What a module yields, judged against what it was given, while its line can still be named.

The finding itself was checked where it was made; whether it is about this input can
be known only here.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import GeneratorType

import numpy as np
from highdicom import Volume

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.engine.theirs import TheirFindings
from hilum.errors import FindingError, line_of_module
from hilum.findings import Finding, Findings, Shape, image_of, referred_to, with_parts

SAME_PLACE = 1e-3  # mm by which the mask's first and last voxels may be off, or a place outside
HALF = 0.5  # of a pixel: what lies between its centre and its edge

Inputs = Sequence[Series | tuple[Film, ...]]


def checked(run: Callable[[], Iterable[Finding]], inputs: Inputs, package: str = "") -> Findings:
    """The findings that `run`, which lies in `package`, gives, each checked as it comes.

    Raises `FindingError`, which names the finding by number, what is wrong with it, and the line of
    the module that made it or gave it.
    """
    found: list[Finding] = []
    given: object = None
    try:
        given = run()
        if not isinstance(given, Iterable):
            raise FindingError(f"run gives {type(given).__name__}; it must yield findings")
        for finding in given:
            check(finding, found, inputs)
            found.append(finding)
    except FindingError as error:
        place = _place(error, given, package)
        raise FindingError(f"finding {len(found) + 1}: {error}{place}") from error
    return Findings(tuple(found))


def check(finding: object, before: Sequence[Finding], inputs: Inputs) -> None:
    """Raise `FindingError` unless `finding`, which follows `before`, is one about `inputs`."""
    if not isinstance(finding, Finding):
        raise FindingError(f"{type(finding).__name__} is no finding")
    for name, value in vars(finding).items():
        if isinstance(value, Volume):
            _check_grid(f"the {name} of {_name(finding)}", value, inputs)
    if isinstance(finding, Shape):
        _check_places(finding, inputs)
    image = image_of(finding)
    if image is not None and image not in _images(inputs):
        kind = type(finding).__name__
        raise FindingError(f"the image of this {kind}, {image}, is not among the input's images")
    for of in referred_to(finding):
        if not any(of is earlier for earlier in with_parts(before)):
            raise FindingError(f"it is of {_name(of)}, which was not yielded before it")


def _check_grid(what: str, volume: Volume, inputs: Inputs) -> None:
    """It lies on the grid of the first input, the one that the objects refer to."""
    series = inputs[0]
    if not isinstance(series, Series):
        raise FindingError(f"{what} lies on no grid: the module is given films")
    shape = series.shape if series.frames else ()
    if volume.array.shape != shape:
        given = " x ".join(map(str, volume.array.shape))
        needed = " x ".join(map(str, shape))
        raise FindingError(f"{what} has {given} voxels, the series has {needed}")
    if series.stack.spacing is None:
        return
    corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in shape), 1]]).T
    off = np.abs((volume.affine - series.affine) @ corners).max()
    if off > SAME_PLACE:
        raise FindingError(
            f"{what} lies {off:.3g} mm off the grid of the series: make it with"
            " series.volume().with_array(mask)"
        )


def _check_places(shape: Shape, inputs: Inputs) -> None:
    """All of it lies within the image that it names, else within the first input."""
    what = f"{_name(shape)} lies"
    if shape.image is not None:
        image = _images(inputs).get(shape.image)
        rows, columns = (image and image.size) or (np.inf, np.inf)
        last = np.array([columns, rows]) - HALF
        places = np.array(shape.points)
    else:
        series = inputs[0]
        if not isinstance(series, Series):
            raise FindingError(f"{what} on no image, and the module is given films")
        if not series.frames or series.stack.spacing is None:
            raise FindingError(f"{what} in no volume: the input forms none")
        last = np.array(series.shape) - HALF
        places = series.indices_of(np.array(shape.points))
    if (places < -HALF - SAME_PLACE).any() or (places > last + SAME_PLACE).any():
        raise FindingError(f"{what} outside the images")


def _images(inputs: Inputs) -> dict[str, Instance]:
    """Every image of the inputs by its SOP Instance UID."""
    found: dict[str, Instance] = {}
    for given in inputs:
        instances = given.instances if isinstance(given, Series) else [f.instance for f in given]
        found |= {instance.sop_instance_uid: instance for instance in instances}
    return found


def _name(finding: Finding) -> str:
    kind, label = type(finding).__name__.lower(), getattr(finding, "label", None)
    return f"the {kind} {label!r}" if label else f"the {kind}"


def _place(error: FindingError, given: object, package: str) -> str:
    """The line of the author: the last one on the way to the error, else where the run stands."""
    if line := line_of_module(error, package):
        return f" ({line})"
    if isinstance(given, TheirFindings):
        return f" ({given.place})" if given.place else ""
    if not isinstance(given, GeneratorType):
        return ""
    while isinstance(given.gi_yieldfrom, GeneratorType):
        given = given.gi_yieldfrom  # the innermost one gave the finding
    assert given.gi_frame is not None  # it is not over: it has just given something
    return f" ({Path(given.gi_code.co_filename).name}, line {given.gi_frame.f_lineno})"
