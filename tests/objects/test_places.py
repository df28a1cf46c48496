"""What stands in a caption is so: the number of an image, a position in mm, a side."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import phantom
from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.findings import Segment
from hilum.objects.report.places import LEGEND, slices_of
from hilum.objects.report.planes import Scene, Views
from hilum.objects.sheet.blocks import Cuts, Plane, Sheet
from hilum.objects.sheet.typeset import drawn

AXIAL, CORONAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)
OBLIQUE = (1, 0, 0, 0, float(np.cos(0.3)), float(np.sin(0.3)))
NUMBERINGS = {
    "ascending": lambda n: 6 + n,
    "descending": lambda n: 60 - n,
    "odd": lambda n: (n * 5) % 13 + 31,
}


def series_of(folder, orientation, numbering="ascending", is_enhanced=False, **values) -> Series:
    planes = phantom.stack(orientation=tuple(map(float, orientation)), size=(14, 16))
    planes = [replace(plane, number=NUMBERINGS[numbering](plane.number)) for plane in planes]
    if is_enhanced:
        return phantom.read([phantom.enhanced(planes, **values)], folder)
    return phantom.read(phantom.classic(planes, **values), folder)


def scene_of(series: Series) -> Scene:
    volume = series.volume()
    mask = np.zeros(volume.array.shape, bool)
    mask[3:9, 4:10, 5:11] = True
    segment = Segment(volume.with_array(mask), codes.HIPPOCAMPUS, "Block")
    return Scene.of(series, [segment], slices_of(series))


@pytest.mark.parametrize("is_enhanced", [False, True])
@pytest.mark.parametrize("numbering", NUMBERINGS)
@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_the_image_named_holds_what_is_shown(tmp_path, orientation, numbering, is_enhanced):
    """The voxels of the phantom tell where they lie: no other image has the same."""
    series = series_of(tmp_path, orientation, numbering, is_enhanced)
    scene = scene_of(series)
    pixels = {frame.name: _pixels(frame) for frame in series.frames}
    assert len(pixels) == scene.volume.shape[scene.sliced]
    for index in range(len(pixels)):
        place = scene.place(scene.sliced, index)
        shown = np.take(scene.volume.array, index, scene.sliced)
        assert np.array_equal(np.sort(shown, None), np.sort(pixels[place.words], None))
        assert place.is_source
    words = "image 1, frame 3" if is_enhanced else f"image {NUMBERINGS[numbering](3)}"
    assert words in pixels


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL])
def test_a_plane_across_the_slices_tells_its_position(tmp_path, orientation):
    scene = scene_of(series_of(tmp_path, orientation))
    for axis in {0, 1, 2} - {scene.sliced}:
        for index in (0, scene.volume.shape[axis] - 1):
            place = scene.place(axis, index)
            corner = np.zeros(4)
            corner[axis], corner[3] = index, 1
            name, _, mm = place.mark.partition(" = ")
            position = (scene.volume.affine @ corner)["xyz".index(name)]
            assert float(mm.replace("\N{MINUS SIGN}", "-")) == pytest.approx(position, abs=0.051)
            assert place.words == f"{place.mark} mm"
            # feet, back and left: the axis of the view is the one that is named
            assert name == {0: "z", 1: "y", 2: "x"}[axis]


@pytest.mark.parametrize(
    "number", [None, 7], ids=["images without a number", "images of one number"]
)
def test_numbers_that_lead_nowhere_are_not_shown(tmp_path, number):
    series = series_of(tmp_path, AXIAL, InstanceNumber=number)
    scene = scene_of(series)
    assert slices_of(series) == ()
    assert scene.place(scene.sliced, 2).words.startswith("z = ")


def test_a_series_among_several_is_named(tmp_path):
    one = series_of(tmp_path / "1", AXIAL)
    two = series_of(tmp_path / "2", AXIAL, SeriesNumber=2, SeriesDescription="FLAIR")
    twin = series_of(tmp_path / "3", AXIAL, SeriesNumber=2, SeriesDescription="T2")
    assert slices_of(one, [one])[0].words == "image 7"
    assert slices_of(two, [one, two])[0].words == "series 2, image 7"
    assert slices_of(twin, [one, two, twin])[0].words == "T2, image 7"
    assert slices_of(twin, [one, two, twin])[0].mark == "7"


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ((codes.LEFT, codes.LEFT), "Sagittal slices through the structure on the left side"),
        ((codes.RIGHT, codes.RIGHT), "Sagittal slices through the structure on the right side"),
        ((codes.LEFT, codes.RIGHT), "Sagittal slices through the structure;"),
        ((codes.LEFT, None), "Sagittal slices through the structure;"),
        ((None, None), "Sagittal slices through the structure;"),
    ],
)
def test_a_caption_has_a_side_only_if_every_view_has_it(tmp_path, sides, words):
    """The strip runs from one block into the other."""
    series = series_of(tmp_path, AXIAL)
    volume = series.volume()
    found = []
    for side, columns in zip(sides, (slice(8, 16), slice(0, 8)), strict=True):
        mask = np.zeros(volume.array.shape, bool)
        mask[4:7, 5:8, columns] = True
        found.append(Segment(volume.with_array(mask), codes.HIPPOCAMPUS, "Block", side=side))
    views = Views.of(series, found)
    assert views.caption.startswith(words)
    assert views.caption.endswith(LEGEND)
    assert [view.side for view in views.strip] == [sides[1]] * 4 + [sides[0]] * 4
    for view in (*views.planes, *views.strip):
        named = view.name.removeprefix("Sagittal").removeprefix(", ")
        assert view.plane == "Sagittal" or view.name == view.plane
        assert named in ("Axial", "Coronal", "", "left", "right")


def test_a_volume_without_a_structure_says_so(tmp_path):
    caption = Views.of(series_of(tmp_path, CORONAL), []).caption
    assert caption.startswith("Sagittal slices through the volume;")


def _pixels(frame):
    return frame.instance.dataset().pixel_array.reshape(-1, 14, 16)[
        frame.number - 1 if frame.instance.is_multi_frame else 0
    ]


@pytest.mark.parametrize("grey", [0, 150, 255])
def test_the_mark_of_a_small_picture_stands_on_black(tmp_path, grey):
    """An outline alone is hardly legible on bright tissue, at the few mm that a picture has."""
    view = Views.of(series_of(tmp_path, AXIAL), ()).strip[0]
    red = np.array((255, 0, 0))
    plain = Image.new("RGB", view.image.size, (grey, grey, grey))
    plain.paste(tuple(red), (0, 0, plain.width, 2))  # to find it again
    plane = Plane(plain, view.name, "y = \N{MINUS SIGN}12.5", view.letters, (20.0, "5 mm"))
    (picture,) = drawn("Title", [Sheet("", (), (Cuts((), ((plane,),), ""),), (), ())])
    pixels = np.asarray(picture)
    rows, columns = np.nonzero((pixels == red).all(-1))
    top, left = rows.max() + 1, columns.min()
    drawn_on = pixels[top : top + plain.height - 2, left : left + plain.width, 0]
    rows, columns = np.nonzero(drawn_on > 200 if grey < 200 else drawn_on < 200)
    box = drawn_on[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert not grey or (box == grey).sum() < 5  # nothing of the tissue between the letters
    assert (box > 200).mean() > 0.05
    assert (box < 50).mean() > 0.4
