"""Points, boxes, lengths and angles: made, stored, checked, told in every object."""

import numpy as np
import pytest

from hilum.dicom import codes
from hilum.engine import checking, exchange
from hilum.errors import FindingError
from hilum.findings import Angle, Box, Findings, Length, Point
from hilum.objects import write_objects
from hilum.objects.report import Report
from hilum.objects.report.window import MOST_VALUES, PERCENTILES, window_of

from . import exams, films, validators


def at(series, *index):
    """(x, y, z) of the centre of a voxel (slice, row, column)."""
    return tuple((series.affine @ [*index, 1])[:3].tolist())


def shapes_of(series):
    return (
        Point(at(series, 3, 5, 6), codes.LESION, "Seed"),
        Box((at(series, 1, 2, 3), at(series, 4, 8, 9)), codes.NODULE, "Nodule"),
        Length((at(series, 2, 3, 2), at(series, 2, 3, 8)), "Across"),
        Length((at(series, 0, 3, 2), at(series, 5, 3, 8)), "Through"),
        Angle((at(series, 2, 3, 2), at(series, 2, 3, 8), at(series, 2, 9, 8)), "Corner"),
        Angle(tuple(at(series, 2, r, c) for r, c in ((1, 1), (1, 9), (8, 1), (2, 9))), "Cobb"),
    )


def test_their_numbers_follow_from_their_points(tmp_path):
    series = exams.write_exam(tmp_path, shape=(6, 12, 12)).series[0]
    _, _, across, through, corner, _ = shapes_of(series)
    assert across.value == pytest.approx(6.0)
    assert through.value == pytest.approx(np.hypot(6.0, 5 * 1.5))
    assert corner.value == pytest.approx(90)
    assert Angle(((0, 0), (4, 0), (4, 4)), "x", image="1.2").value == pytest.approx(90)
    assert Length(((0, 0), (4, 0)), "x", 12, image="1.2").value == 12
    assert corner.summary().in_words() == "Corner: 90.0 \N{DEGREE SIGN}"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Point((1.0, 2.0), codes.LESION, "x"), "are not all .x, y, z. in mm"),
        (lambda: Point((1.0, 2.0, 3.0), codes.LESION, "x", "1.2"), "not all .column, row."),
        (lambda: Point(3.0, codes.LESION, "x"), "no sequence of positions"),
        (lambda: Box(((1, 2, 3), (1, 2, 3)), codes.LESION, "x"), "two positions are the same"),
        (lambda: Length(((1, 2, 3),), "x"), "are 1 positions; 2 are needed"),
        (lambda: Length(((1, 2), (3, 4)), "x", image="1.2"), "millimetres .* are not given"),
        (lambda: Length(((1, 2, 3), (1, 2, np.nan)), "x"), "not a finite number"),
        (lambda: Angle(((1, 2, 3), (1, 2, 4)), "x"), "are 2 positions; 3 or 4 are needed"),
    ],
)
def test_what_cannot_be_one_is_refused_where_it_is_made(make, said):
    with pytest.raises(FindingError, match=said):
        make()


def test_they_lie_within_the_images(tmp_path):
    series = exams.write_exam(tmp_path, shape=(6, 12, 12)).series[0]
    for shape in shapes_of(series):
        checking.check(shape, [], [series])
    for outside in (at(series, 5.7, 1, 1), at(series, 1, -0.7, 1)):
        with pytest.raises(FindingError, match="the point 'x' lies outside the images"):
            checking.check(Point(outside, codes.LESION, "x"), [], [series])
    uid = series.instances[0].sop_instance_uid
    checking.check(Point((11.4, 11.4), codes.LESION, "x", uid), [], [series])
    with pytest.raises(FindingError, match="lies outside"):
        checking.check(Point((11.6, 3), codes.LESION, "x", uid), [], [series])


def test_they_are_stored_and_read(tmp_path):
    series = exams.write_exam(tmp_path, shape=(6, 12, 12)).series[0]
    given = Findings(shapes_of(series))
    exchange.save(given, tmp_path / "out")
    assert exchange.load(tmp_path / "out") == given


@pytest.mark.parametrize("with_segments", [False, True])
def test_the_report_on_a_volume_tells_where_they_lie(tmp_path, with_segments, judge):
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    series = study.series[0]
    segments = exams.segments(series) if with_segments else ()
    analysis = exams.analysis_of(study, series, *segments, *shapes_of(series))
    report = dict(write_objects(analysis))["sr"]
    found = {name: items for name, items in places(report)}
    assert [item.GraphicType for item in found["Seed"]] == ["POINT"]
    assert found["Seed"][0].GraphicData == pytest.approx([6.5, 5.5], abs=1e-3)
    assert len(found["Nodule"]) == 4
    assert [item.ValueType for item in found["Across"]] == ["SCOORD"]
    assert found["Across"][0].GraphicData == pytest.approx([2.5, 3.5, 8.5, 3.5], abs=1e-3)
    (through,) = found["Through"]
    assert through.ValueType == "SCOORD3D"
    assert through.ReferencedFrameOfReferenceUID == series.frames[0].frame_of_reference
    assert len(found["Cobb"]) == 2
    assert_valid(report, tmp_path, judge)


def _forget(image):
    if image.InstanceNumber < 3:
        del image.FrameOfReferenceUID


@pytest.mark.parametrize(
    "change",
    [
        _forget,
        lambda image: image.__delattr__("FrameOfReferenceUID"),
    ],
    ids=["some images state none", "no image states one"],
)
def test_report_and_segments_lie_in_one_frame_of_reference(tmp_path, change, judge):
    study = exams.write_exam(tmp_path, change, shape=(6, 12, 12))
    [series] = study.series[0].candidates
    analysis = exams.analysis_of(study, series, *shapes_of(series))
    made = dict(write_objects(analysis, ["seg", "sr"]))
    (through,) = dict(places(made["sr"]))["Through"]
    assert through.ReferencedFrameOfReferenceUID == made["seg"].FrameOfReferenceUID
    stated = {frame.frame_of_reference for frame in series.frames}
    assert change is not _forget or through.ReferencedFrameOfReferenceUID in stated
    assert_valid(made["sr"], tmp_path, judge)


def test_the_report_on_a_film_tells_where_they_lie(tmp_path, judge):
    study = films.write_films(tmp_path, [films.drawn()])
    uid = films.instances(study)[0].sop_instance_uid
    shapes = (
        Point((3, 4), codes.LESION, "Seed", uid),
        Box(((3, 4), (13, 24)), codes.NODULE, "Nodule", uid),
        Length(((3, 4), (13, 24)), "Across", 12.5, image=uid),
    )
    report = dict(write_objects(films.analysis_of(study, *shapes)))["sr"]
    found = dict(places(report))
    assert list(found["Nodule"][0].GraphicData) == [3, 4, 14, 4, 14, 25, 3, 25, 3, 4]
    assert_valid(report, tmp_path, judge)


def test_the_picture_of_a_volume_has_a_slice_for_each(tmp_path):
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    report = Report(exams.analysis_of(study, study.series[0], *shapes_of(study.series[0])))
    assert [(m.label, m.value, m.place) for m in report.marked[:4]] == [
        ("Seed", "", "image 4"),
        ("Nodule", "", "image 4 and others"),
        ("Across", "6.0 mm", "image 3"),
        ("Through", "9.6 mm", "image 4 and others"),
    ]
    yellow = (np.array(report.marked[0].image) == (255, 200, 0)).all(-1)
    rows, columns = np.nonzero(yellow)
    middle = rows.mean() / yellow.shape[0] * 12, columns.mean() / yellow.shape[1] * 12
    assert middle == pytest.approx((5.5, 6.5), abs=0.1)
    assert [row.label for row in report.rows if row.unit == "mm"] == ["Across", "Through"]


def test_the_picture_of_a_film_has_them_drawn_upon_it(tmp_path):
    study = films.write_films(tmp_path, [films.drawn()])
    uid = films.instances(study)[0].sop_instance_uid
    box = Box(((30, 40), (130, 240)), codes.NODULE, "Nodule", uid, colour=(255, 0, 0))
    (film,) = Report(films.analysis_of(study, box)).films
    red = (np.array(film.marked) == (255, 0, 0)).all(-1)
    rows, columns = np.nonzero(red)
    height, width = film.film.instance.size
    scale = film.marked.width / width, film.marked.height / height
    assert columns.min() / scale[0] == pytest.approx(30, abs=2)
    assert rows.max() / scale[1] == pytest.approx(241, abs=2)


@pytest.mark.parametrize(
    ("modality", "stated", "window"),
    [
        ("CT", {"WindowCenter": 500, "WindowWidth": 400}, (300, 700)),
        ("CT", {"WindowCenter": [500, 40], "WindowWidth": [200, 80]}, (400, 600)),
        ("CT", {"WindowCenter": 9000, "WindowWidth": 10}, None),  # would show nothing
        ("MR", {"WindowCenter": 500, "WindowWidth": 400}, None),
    ],
)
def test_a_ct_is_shown_in_the_window_of_its_header(tmp_path, modality, stated, window):
    def change(image):
        image.Modality = modality
        image.update(stated)

    series = exams.write_exam(tmp_path, change, shape=(6, 12, 12)).series[0]
    found = window_of(series, series.volume().array)
    assert found == (window or pytest.approx((100, 900), abs=20))


@pytest.mark.parametrize("shape", [(3, 1024, 1024), (80, 256, 256), (60, 192, 256), (40, 320, 260)])
@pytest.mark.parametrize("along", range(3))
def test_the_window_of_a_large_volume_is_that_of_all_its_values(tmp_path, shape, along):
    """Whichever way its values change: no slice, row or column is left out as a whole."""
    series = exams.write_exam(tmp_path, shape=(6, 12, 12)).series[0]
    ramp = np.linspace(0, 1000, shape[along], dtype=np.float32)
    values = np.broadcast_to(np.expand_dims(ramp, [a for a in range(3) if a != along]), shape)
    exact = np.percentile(values, PERCENTILES)
    assert values.size > MOST_VALUES
    assert window_of(series, values) == pytest.approx(tuple(exact), abs=1000 / shape[along] + 1)


def places(report):
    """The coordinates of each measurement group, by its label."""
    for section in report.ContentSequence:
        for group in section.get("ContentSequence", []):
            items = group.get("ContentSequence", [])
            names = [i.TextValue for i in items if i.ValueType == "TEXT"]
            nested = [inner for i in items for inner in i.get("ContentSequence", [])]
            yield (
                names[0] if names else "",
                [i for i in (*items, *nested) if i.ValueType.startswith("SCOORD")],
            )


def assert_valid(report, folder, judge):
    path = folder / "report.dcm"
    report.save_as(path, enforce_file_format=True)
    assert validators.dciodvfy(path) == []
    assert validators.dsrdump_complaints(path) == []
    assert judge.complaints(path) == []
