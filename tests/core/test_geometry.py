"""Where a volume lies: within the tolerance of where its slices were measured, or not at all."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.config.site import Rule
from hilum.dicom.geometry import Flaw
from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.errors import NoVolumeError
from hilum.module import Input
from hilum.study.routing import select
from phantom import GRADIENT, Plane, classic, enhanced, instance_of, read, stack, value_at
from tests.drawn import examples


def placed(planes: list[Plane], step: float, offsets: dict[int, float]) -> list[Plane]:
    """`planes` with some of them moved along the normal, by `offsets` in mm."""
    across, down = np.array(planes[0].orientation[:3]), np.array(planes[0].orientation[3:])
    normal = np.cross(across, down)
    return [
        replace(plane, position=tuple(np.array(plane.position) + offsets.get(n, 0.0) * normal))
        for n, plane in enumerate(planes)
    ]


def check(series: Series, rounding: float = 0.5) -> None:
    """Every voxel of the volume has the value of the place where the affine puts it.

    A slice may be off by the stated tolerance, and a stored value by `rounding`.
    """
    volume = series.volume()
    points = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), -1)
    there = points @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    allowed = rounding + series.stack.error * np.linalg.norm(GRADIENT) + 1e-2
    assert series.stack.error <= series.stack.tolerance
    assert np.abs(volume.array - value_at(there)).max() <= allowed


CASES = {
    "a tilt of 1 degree": (stack(160, tilt=1.0), Flaw.TILTED, "gantry tilt of 1.0°"),
    "a tilt of 2.5 degrees": (stack(160, tilt=2.5), Flaw.TILTED, "gantry tilt of 2.5°"),
    "two missing": (stack(20)[:5] + stack(20)[7:], Flaw.MISSING, "2 slices missing"),
    "3 and 6 mm": (
        placed(stack(20, 3.0), 3.0, {n: 3.0 * (n - 9) for n in range(10, 20)}),
        Flaw.UNEVEN,
        "3 and 6 mm",
    ),
    "one off": (placed(stack(20), 1.0, {7: 0.4}), Flaw.UNEVEN, "uneven"),
    "at one place": (stack(12) + stack(12), Flaw.REPEATED, "12 of 24 slices"),
    "almost at one place": (
        stack(12) + placed(stack(12), 1.0, dict.fromkeys(range(12), 0.005)),
        Flaw.REPEATED,
        "12 of 24 slices",
    ),
    "one only": (stack(1), Flaw.SINGLE, "a single slice"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_reason_is_the_true_one(name: str, tmp_path: Path) -> None:
    planes, flaw, words = CASES[name]
    series = read(_distinct(classic(planes)), tmp_path)
    assert series.stack.flaw is flaw
    assert words in str(series.stack.problem)
    with pytest.raises(NoVolumeError, match="forms no volume"):
        series.volume()


def test_the_spacing_is_the_whole_length_by_the_number_of_steps(tmp_path: Path) -> None:
    rounded = [
        replace(p, position=(*p.position[:2], round(p.position[2], 2))) for p in stack(321, 0.625)
    ]
    series = read(classic(rounded), tmp_path)
    assert series.stack.spacing == pytest.approx(0.625, abs=1e-5)
    check(series)


def test_jitter_is_no_tilt(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    moved = dict(enumerate(rng.uniform(-0.02, 0.02, 60)))
    series = read(classic(placed(stack(60), 1.0, moved)), tmp_path)
    check(series)


@dataclass(frozen=True)
class Scan:
    """How the planes of a drawn series were made."""

    planes: tuple[Plane, ...]
    step: float
    tilt: float
    missing: tuple[int, ...]
    moved: dict[int, float]
    echoes: int


@st.composite
def scans(draw: st.DrawFn) -> Scan:
    angles = draw(st.tuples(*[st.floats(-180, 180)] * 3))
    turn = _rotation(angles)
    step = draw(st.floats(0.4, 7))
    spacing = draw(st.tuples(st.floats(0.4, 3), st.floats(0.4, 3)))
    count = draw(st.integers(4, 14))
    tilt = draw(st.sampled_from([0.0, 0.0, 0.05, 1.0, 10.0, 25.0]))
    missing = tuple(sorted(draw(st.sets(st.integers(1, count - 2), max_size=2))))
    moved = draw(st.dictionaries(st.integers(0, count - 1), st.floats(-0.6, 0.6), max_size=2))
    echoes = draw(st.integers(1, 3))
    orientation = tuple(np.concatenate([turn[:, 0], turn[:, 1]]).tolist())
    planes = stack(count, step, tilt, orientation=orientation, spacing=spacing)
    planes = placed(planes, step, {n: share * step for n, share in moved.items()})
    kept = [plane for n, plane in enumerate(planes) if n not in missing]
    times = [{"EchoTime": 10.0 * e} for e in range(1, echoes + 1)] if echoes > 1 else [{}]
    every = [replace(plane, attributes=given) for given in times for plane in kept]
    return Scan(tuple(draw(st.permutations(every))), step, tilt, missing, moved, echoes)


@examples(50, 600)
@given(scan=scans(), is_enhanced=st.booleans())
def test_every_voxel_lies_within_the_tolerance_or_the_refusal_is_true(
    scan: Scan, is_enhanced: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = [enhanced(scan.planes)] if is_enhanced else _distinct(classic(scan.planes))
        candidates = read(made, Path(folder)).candidates
        assert len(candidates) == scan.echoes
        for series in candidates:
            if series.stack.problem is None:
                check(series)
            else:
                _check_refusal(series, scan)


def _check_refusal(series: Series, scan: Scan) -> None:
    flaw = series.stack.flaw
    if flaw is Flaw.MISSING:
        # one that was moved far may look like the edge of a gap; never without a gap at all
        assert scan.missing or scan.moved
        if not scan.moved:
            assert series.stack.missing == len(scan.missing)
    elif flaw is Flaw.TILTED:
        assert scan.tilt > 0
        if not scan.moved:
            assert f"{scan.tilt:.1f}" in str(series.stack.problem)
    else:
        assert scan.moved
    if not (scan.moved or scan.tilt):
        assert flaw is Flaw.MISSING
        assert scan.missing


def _distinct(datasets: list) -> list:  # type: ignore[type-arg]
    """The same, each under a UID of its own."""
    for number, ds in enumerate(datasets):
        ds.SOPInstanceUID = f"{ds.SOPInstanceUID[:40]}.{number}"
    return datasets


def _rotation(angles: tuple[float, ...]) -> np.ndarray:
    made = np.eye(3)
    for axis, angle in enumerate(np.radians(angles)):
        i, j = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        made = made @ turn
    return made


@pytest.mark.parametrize("tilt", [2.5, -15.0])
def test_tilted_slices_are_laid_on_a_right_angled_grid_where_asked(
    tilt: float, tmp_path: Path
) -> None:
    planes = stack(14, 2.0, tilt=tilt, size=(30, 26), spacing=(0.8, 1.1))
    series = read(classic(planes, "CT"), tmp_path).straightened
    assert series.stack.problem is None
    assert series.cautions == (f"resampled from slices with a gantry tilt of {abs(tilt):.1f}°",)
    volume = series.volume()
    assert volume.shape == series.shape
    assert volume.shape[1] > 30
    points = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), -1)
    there = value_at(points @ volume.affine[:3, :3].T + volume.affine[:3, 3])
    reached = volume.array > volume.array.min()
    assert reached.mean() > 0.7
    assert np.abs(volume.array - there)[reached].max() < 1.1  # of rounding, twice
    # and a mask goes back to where its voxels were measured
    half = float(np.median(there))
    back = series.on_planes(there > half)
    for mask, plane in zip(back, planes, strict=True):
        off = np.abs(value_at(plane.positions()) - half)[
            mask != (value_at(plane.positions()) > half)
        ]
        assert (off <= np.linalg.norm(GRADIENT)).all()


def test_a_rule_or_a_module_asks_for_it(tmp_path: Path) -> None:
    study = Study.of([instance_of(ds, tmp_path) for ds in classic(stack(30, tilt=2.5), "CT")])
    for need, rule, fits in (
        (Input("CT"), Rule(module="m"), False),
        (Input("CT"), Rule(module="m", tilt="resample"), True),
        (Input("CT", tilt="resample"), Rule(module="m"), True),
    ):
        selection = select(study, {"series": need}, rule)
        assert selection.complete is fits
        assert ("gantry tilt of 2.5°" in selection.reasons[0]) is True
    (series,) = selection.chosen["series"]
    assert np.array_equal(need.read(Part.of(series)).volume().array, series.volume().array)
