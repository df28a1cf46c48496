"""Crops that must be refused, made of true ones and of whole series, judged by the gates alone."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from highdicom import Volume
from scipy import ndimage

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.findings import Refusal
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.gates import Plausibility
from hilum.modules.hippocampus.network import Segmentation
from slices import thickened

TYPICAL = (35, 50, 35)  # voxels of a crop
MUST_PASS = " (must pass)"
PASSED, NOTED, REFUSED = OUTCOMES = ("passed", "low confidence", "refused")
INTERPOLATED = {0: "repeated", 1: "linear", 3: "cubic"}  # by order of the spline


def outcome(judge: Plausibility, segmentation: Segmentation) -> str:
    """One of `OUTCOMES`."""
    verdict = judge(segmentation)
    if isinstance(verdict, Refusal):
        return REFUSED
    return NOTED if verdict else PASSED


def judge_odd(
    segment: Callable[[Volume], Segmentation],
    judge: Plausibility,
    crops: Sequence[Volume],
    studies: Path | None,
) -> dict[str, Counter[str]]:
    """Outcomes by kind of oddity; the studies' own crops must pass."""
    rng = np.random.default_rng(0)
    odd = [each for crop in crops for each in odd_crops(crop, rng)]
    odd += blank_crops(rng)
    for series in read_series(studies) if studies else []:
        if not list(HippocampalVolume.needs.objections(series)):
            odd.append(("crop of a study" + MUST_PASS, series.volume()))
        elif series.modality == "MR" and not series.stack.problem:
            odd += squeezed(series)
    outcomes: dict[str, Counter[str]] = {}
    for kind, volume in odd:
        outcomes.setdefault(kind, Counter())[outcome(judge, segment(volume))] += 1
    return outcomes


def odd_crops(crop: Volume, rng: np.random.Generator) -> Iterator[tuple[str, Volume]]:
    """Kind of oddity and volume: `crop` turned, mirrored, cut, inverted or spoilt."""
    upright = crop.to_patient_orientation("RAH")
    voxels = upright.array
    axes = "xyz"
    for flips in ("x", "y", "z", "xy", "xz", "yz", "xyz"):
        kind = "mirrored left to right" if flips == "x" else "wrong orientation"
        yield kind, upright.with_array(np.flip(voxels, [axes.index(f) for f in flips]))
    for order in ((0, 2, 1), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1)):
        yield "wrong orientation", _volume(voxels.transpose(order))
    yield "inverted contrast", upright.with_array(voxels.max() - voxels)
    yield "noise", upright.with_array(rng.permutation(voxels.ravel()).reshape(voxels.shape))
    yield "blurred away (sigma 4 mm)", upright.with_array(ndimage.gaussian_filter(voxels, 4))
    for thickness in (2, 3, 4, 5, 6):
        for order, how in INTERPOLATED.items():
            for axis in range(3):
                kind = f"{thickness} mm slices resampled to 1 mm, {how}"
                yield kind, upright.with_array(thickened(voxels, thickness, axis, order))
    for axis, length in enumerate(voxels.shape):
        for half in np.split(voxels, [length // 2], axis=axis):
            yield "half a crop", _volume(half)


def blank_crops(rng: np.random.Generator) -> Iterator[tuple[str, Volume]]:
    """Volumes with nothing in them."""
    yield "one value everywhere", _volume(np.zeros(TYPICAL))
    yield "one value everywhere", _volume(np.full(TYPICAL, 100))
    yield "noise", _volume(rng.normal(0, 1, TYPICAL))


def squeezed(series: Series) -> Iterator[tuple[str, Volume]]:
    """A whole head pressed into the size of a crop, and pieces of it cut to that size."""
    head = series.volume().to_patient_orientation("RAH")
    small = ndimage.zoom(head.array, np.array(TYPICAL) / head.array.shape, order=1)
    yield "head squeezed to the size of a crop", _volume(small)
    fine = ndimage.zoom(head.array, head.spacing, order=1)
    middle = np.array(fine.shape) // 2
    for shift in ((0, 0, 0), (-25, 0, -5), (25, 0, -5)):
        start = middle + shift - np.array(TYPICAL) // 2
        piece = fine[tuple(slice(s, s + n) for s, n in zip(start, TYPICAL, strict=True))]
        yield "piece of a head in thick slices", _volume(piece)


def read_series(folder: Path) -> list[Series]:
    """Every series of the studies below `folder`, one study each in its own folder."""
    return [
        series
        for study in sorted(p for p in folder.iterdir() if p.is_dir())
        for series in Study.of(map(Instance.read, sorted(study.rglob("*.dcm")))).series
    ]


def _volume(voxels: np.ndarray) -> Volume:
    """(x, y, z) to the right, anterior, head, at 1 mm."""
    return Volume(
        np.ascontiguousarray(voxels, np.float32),
        affine=np.diag([-1.0, -1.0, 1.0, 1.0]),
        coordinate_system="PATIENT",
    )
