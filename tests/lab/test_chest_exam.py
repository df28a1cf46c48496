"""The sample chest film: valid DICOM, the anatomy where it should be, the same every time."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import label

from hilum.dicom.identity import attributes
from hilum_lab.network import chest_exam
from hilum_lab.network.phantom import phantom
from hilum_lab.network.projector import (
    EllipseStack,
    Ellipsoid,
    Projection,
    Tube,
    covered,
    length,
    rods,
)
from hilum_lab.network.radiograph import BITS, PITCH, Radiograph, attenuation, expose
from radiographs import film_at


@pytest.fixture(scope="module")
def folder(sample_film: Path) -> Path:
    return sample_film


@pytest.fixture(scope="module")
def frontal() -> Radiograph:
    return expose(1)


def test_it_is_one_study_of_two_films(folder: Path) -> None:
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for p in sorted(folder.rglob("*.dcm"))]
    assert [header.ViewPosition for header in headers] == list(chest_exam.VIEWS)
    assert {header.StudyInstanceUID for header in headers} == {chest_exam.study_uid()}
    for header in headers:
        assert header.SeriesInstanceUID == chest_exam.series_uid(header.ViewPosition)
        assert header.SOPInstanceUID == chest_exam.image_uid(header.ViewPosition)
        assert "synthetic phantom" in header.StudyDescription
        assert "synthetic phantom" in header.ImageComments


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")
@pytest.mark.parametrize("view", chest_exam.VIEWS)
def test_it_is_valid_dicom(folder: Path, view: str) -> None:
    path = folder / f"{chest_exam.VIEWS.index(view) + 1:02d}" / "001.dcm"
    checked = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
    )
    assert checked.stderr.split() == ["DXImageForPresentation"]


def test_header_is_read_as_an_adults_frontal_film(folder: Path) -> None:
    film = film_at(folder / "01" / "001.dcm")
    assert (film.problem, film.age) == (None, 51)
    assert film.presentation().ignored is None
    assert attributes([film.instance]).PatientName == "Phantom^Thorax"


def test_film_is_the_same_every_time(folder: Path, frontal: Radiograph) -> None:
    stored = pydicom.dcmread(folder / "01" / "001.dcm").pixel_array
    assert stored.shape == (1536, 1720)
    assert (stored == frontal.pixels).all()
    values = film_at(folder / "01" / "001.dcm").values().ravel()[::97]
    order = np.argsort(stored.ravel()[::97], kind="stable")
    assert (np.diff(values[order]) >= 0).all()


def test_numbers_are_other_people() -> None:
    lungs = [lungs_of(number) > 12 for number in (1, 2)]
    assert (lungs[0] != lungs[1]).mean() > 0.005
    assert chest_exam.study_uid(2) != chest_exam.study_uid(1)


def lungs_of(number: int, angle: float = 0.0) -> np.ndarray:
    """mm of lung on each ray, coarsely."""
    view = Projection(2.0, angle=angle)
    return attenuation(phantom(number), view, np.random.default_rng(0))[1]


def test_lungs_are_dark_and_two(frontal: Radiograph) -> None:
    grey = frontal.pixels / 2**BITS
    pieces, _ = label(frontal.lungs)
    sizes = np.sort(np.bincount(pieces.ravel())[1:])[::-1]
    assert sizes[1] > 0.6 * sizes[0]
    assert 0.2 < frontal.lungs.mean() < 0.4
    rows = np.flatnonzero(frontal.lungs.any(axis=1))
    height, middle = (rows[-1] - rows[0]) * PITCH, frontal.pixels.shape[1] // 2
    assert 200 < height < 300  # mm
    mediastinum = grey[rows[0] : rows[-1], middle - 40 : middle + 40]
    assert np.median(grey[frontal.lungs]) < np.median(mediastinum) - 0.25
    assert np.median(grey[frontal.lungs]) < np.median(grey[-200:, 400:-400]) - 0.25  # abdomen


def test_heart_lies_on_the_left_and_the_right_dome_is_higher(frontal: Radiograph) -> None:
    right, left = np.array_split(lungs_of(1), [107], axis=1)  # the person faces us
    assert right.sum() > left.sum()
    middle, aside = frontal.pixels.shape[1] // 2, round(60 / PITCH)
    level = round(270 / PITCH)
    right_side, left_side = (frontal.pixels[level, middle + way * aside] for way in (-1, 1))
    assert left_side > right_side + 400
    lowest = [np.flatnonzero(frontal.lungs[:, middle + way * aside])[-1] for way in (-1, 1)]
    assert lowest[0] < lowest[1] - 10


def test_turned_person_is_less_symmetrical() -> None:
    straight, turned = (
        np.abs(lung - lung[:, ::-1]).mean() / lung.mean()
        for lung in (lungs_of(1), lungs_of(1, angle=25.0))
    )
    assert turned > 1.3 * straight


def test_rays_through_simple_solids() -> None:
    ball = Ellipsoid((10, -5, 20), (30, 30, 30))
    for angle in (0.0, 37.0, 90.0):
        view = Projection(1.0, size=200, angle=angle)
        chords = length(ball.interval(view))
        assert chords.max() == pytest.approx(60, rel=0.01)
        assert chords.sum() == pytest.approx(4 / 3 * np.pi * 30**3, rel=0.01)  # mm3
    tilted = length(Ellipsoid((0, 0, 0), (40, 20, 10), tilt=30).interval(Projection(0.5, size=120)))
    assert tilted.sum() / 4 == pytest.approx(4 / 3 * np.pi * 40 * 20 * 10, rel=0.01)
    rows, columns = np.nonzero(tilted)
    assert np.corrcoef(rows, columns)[0, 1] > 0.5  # its left side is the lower one


def test_rays_through_a_stack_turned_and_not() -> None:
    stack = EllipseStack([(50, 0, 0, 20, 40), (-50, 0, 0, 20, 40)])
    volume = np.pi * 20 * 40 * 100
    for angle, deepest in ((0.0, 80), (90.0, 40)):
        chords = length(stack.interval(Projection(1.0, size=160, angle=angle)))
        assert chords.max() == pytest.approx(deepest, rel=0.01)
        assert chords.sum() == pytest.approx(volume, rel=0.02)


def test_overlapping_solids_count_once() -> None:
    view = Projection(1.0, size=100)
    one, same, apart = (
        Ellipsoid((0, y, 0), (20, 20, 20)).interval(view) for y in (0.0, 0.0, 100.0)
    )
    assert covered([one, same]).sum() == pytest.approx(length(one).sum(), rel=1e-3)
    assert covered([apart, one]).sum() == pytest.approx(2 * length(one).sum(), rel=1e-3)
    assert covered([apart], one).sum() == 0


def test_rods_are_as_thick_as_they_should_be() -> None:
    view = Projection(0.5, size=120)
    across = rods([Tube(np.array([(-40.0, 0, 0), (40, 0, 0)]), 5)], view)
    assert across[120, 120] == pytest.approx(10, rel=0.05)
    slanting = rods([Tube(np.array([(-20.0, -20, 0), (20, 20, 0)]), 5)], view)
    assert slanting[120, 120] == pytest.approx(10 * 2**0.5, rel=0.05)
    volume = np.pi * 25 * 80
    assert across.sum() * 0.25 == pytest.approx(volume, rel=0.02)
