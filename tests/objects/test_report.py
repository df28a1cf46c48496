"""What a clinician reads: the grid, how far to trust it, what has changed, and the plot of that."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom.sr.coding import Code
from pypdf import PdfReader

from hilum.dicom import codes
from hilum.findings import Change, Earlier, Findings, Measurement, Note, Refusal, Segment
from hilum.objects import write_objects
from hilum.objects.report import NO_WARNING, Report
from hilum.objects.report.course import Course, Dot, Stroke, Words, change_row
from hilum.objects.report.films import Tone
from hilum.objects.report.rows import BEYOND, DEFINITION, WITHIN, Grid, row_of
from hilum.objects.sheet.blocks import Numbers, Remarks
from hilum.objects.sheet.story import sheets
from hilum.objects.sheet.theme import SCREEN
from hilum.objects.sheet.typeset import pictures
from hilum.printing import MINUS

from . import exams, validators
from .trees import child

CAUTION = Note("the region found falls into pieces", caution=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return exams.write_exam(tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="module")
def crop(study):
    return exams.analysis_of(study, study.series[0])


@pytest.fixture(scope="module")
def head(study):
    series = study.series[0]
    both = Measurement(codes.VOLUME_OF_BOTH, 4.0, codes.MILLILITRE, uncertainty=0.1)
    asymmetry = Measurement(codes.ASYMMETRY, -6.2, codes.PERCENT, uncertainty=5.0)
    return exams.result_of(study, series, exams.pair(series), both, asymmetry)


def test_a_head_is_a_grid_of_left_and_right(head):
    report = Report(head)
    grid = report.grid
    assert grid.columns == ("Left", "Right")
    names = [(line.name, line.is_part) for line in grid.lines]
    assert names == [("Hippocampus", False), ("anterior", True), ("posterior", True)]
    volumes = {s.label: f"{s.volume_ml:.2f}" for s in head.findings.segments}
    assert [cell.value for cell in grid.lines[1].cells] == [
        volumes["Left hippocampus, anterior"],
        volumes["Right hippocampus, anterior"],
    ]
    assert [row.label for row in report.rows] == ["Volume of left and right", "Asymmetry"]


def test_a_crop_is_a_grid_without_sides(crop):
    report = Report(crop)
    assert report.grid.columns == ("",)
    assert [line.name for line in report.grid.lines] == ["Hippocampus", "anterior", "posterior"]
    assert report.rows == ()


@pytest.mark.parametrize(
    ("change", "fitting"),
    [
        (lambda found: found[:1], 0),  # alone
        (lambda found: (*found, replace(found[2], label="Another")), 0),  # two of one place
        (lambda found: (*found[:2], replace(found[2], side=codes.LEFT)), 0),  # one has a side
        (lambda found: found[:2], 2),  # parts without a whole
    ],
)
def test_what_does_not_fit_the_grid_stays_a_row(study, crop, change, fitting):
    found = change(crop.findings.segments)
    report = Report(exams.result_of(study, study.series[0], found))
    in_grid = report.grid.segments if report.grid else ()
    assert len(in_grid) == fitting
    assert len(report.rows) == len(found) - fitting
    if report.grid:
        names = [line.name for line in report.grid.lines]
        assert names == ["Hippocampus, anterior", "Hippocampus, posterior"]


def test_structures_without_parts_share_a_grid(study):
    series = study.series[0]
    wholes = [s for s in exams.pair(series) if not s.modifier]
    lungs = [replace(s, code=codes.LUNG) for s in wholes]
    report = Report(exams.result_of(study, series, [*wholes, *lungs]))
    assert [line.name for line in report.grid.lines] == ["Hippocampus", "Lung"]
    assert all(len(line.cells) == 2 for line in report.grid.lines)


@pytest.mark.parametrize(
    ("value", "words", "remark"),
    [
        (-6.2, "left smaller by 6 %", WITHIN),
        (14.0, "left larger by 14 %", BEYOND),
        (-0.2, "0 %", WITHIN),
    ],
)
def test_asymmetry_tells_its_direction(value, words, remark):
    row = row_of(Measurement(codes.ASYMMETRY, value, codes.PERCENT, uncertainty=5.0))
    assert (row.value, row.remark) == (words, remark)
    assert row.rest == "± 5 %"


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (14, codes.NO_UNITS, "14"),
        (0.5, codes.NO_UNITS, "0.50"),
        (1482.31, codes.MILLILITRE, "1482.3"),
    ],
)
def test_numbers_are_as_exact_as_they_deserve(value, unit, printed):
    assert row_of(Measurement(codes.VOLUME, value, unit)).value == printed


def test_confidence_stands_first(crop):
    assert Report(crop).confidence.words == NO_WARNING
    assert Report(replace(crop, incomplete="2 slices")).confidence is None
    low = Report(_with(crop, CAUTION, CAUTION))
    assert low.confidence.tone is Tone.ABSTAINED
    assert low.confidence.detail == "The region found falls into pieces."
    assert CAUTION.sentence not in low.remarks
    assert CAUTION.sentence in low.comments
    refused = Report(replace(crop, findings=Findings((Refusal("x", "It is a leg."),))))
    assert refused.confidence.tone is Tone.REFUSED


def test_the_page_says_it_all(head):
    text = _text(_with(exams.with_changes(head), CAUTION))
    for words in (
        "LOW CONFIDENCE The region found falls into pieces.",
        "Left Right Hippocampus",
        "left smaller by 6 % ± 5 % within measurement error",
        "± is one standard deviation",
        DEFINITION,
        "since 2024-03-04",
        BEYOND,
        "Left hippocampus",
    ):
        assert words in text
    assert NO_WARNING not in text


def test_a_change_is_weighed_against_its_uncertainty():
    row = change_row(_change((date(2024, 3, 4), 3.1)))
    (step,) = row.steps
    assert step.cells == (
        "since 2024-03-04",
        f"{MINUS}0.10",
        "± 0.21 mL",
        f"{MINUS}1.6 ± 3.4 % per year",
        WITHIN,
    )
    assert row.sentences == (
        "Volume: -0.10 +/- 0.21 mL since 2024-03-04 (-1.6 +/- 3.4 % per year), "
        "within measurement error.",
    )
    assert change_row(_change((date(2024, 3, 4), 3.9))).steps[0].verdict == BEYOND


def test_several_exams_are_compared_with_the_latest_and_the_first():
    row = change_row(
        _change((date(2020, 3, 4), 3.6), (date(2022, 3, 4), 3.3), (date(2025, 3, 4), 3.1))
    )
    assert [step.since for step in row.steps] == ["2025-03-04", "2020-03-04"]
    assert [step.is_telling for step in row.steps] == [False, True]


def test_close_exams_have_no_rate():
    (step,) = change_row(_change((date(2026, 2, 1), 3.1))).steps
    assert step.per_year == ""


@pytest.mark.parametrize("days", [(date(2026, 3, 1),), (date(2015, 1, 1), date(2021, 7, 1))])
def test_the_plot_shows_every_exam_within_its_frame(head, days):
    changed = exams.with_changes(head, *((day, 1.1) for day in days))
    marks = list(Course.of(changed.findings.changes).marks(400, 200, 16))
    dots = [mark for mark in marks if isinstance(mark, Dot)]
    assert len(dots) == 2 * (len(days) + 1)
    places = [p for mark in marks if isinstance(mark, Stroke) for p in mark.points]
    places += [dot.at for dot in dots]
    assert all(0 <= x <= 400 and 0 <= y <= 200 for x, y in places)
    words = [mark for mark in marks if isinstance(mark, Words)]
    labels = sorted(mark.at[1] for mark in words if mark.text.endswith("hippocampus"))
    assert labels[1] - labels[0] >= 16
    assert "mL" in {mark.text for mark in words}
    assert {"2016", "2020"} <= {mark.text for mark in words} or len(days) == 1


def test_picture_and_page_have_the_plot(head):
    changed = exams.with_changes(head, (date(2024, 3, 4), 1.2))
    before, after = (_picture(each) for each in (head, changed))
    assert after.height > before.height
    colour = np.array(head.findings.segments[2].colour)
    assert _pixels(after, colour) > _pixels(before, colour) + 300
    lines = [_strokes(each, colour) for each in (head, changed)]
    assert lines == [0, 2 * (1 + 2)]  # on either side from exam to exam, and the error of each


def test_the_report_codes_changes_and_names_the_earlier_reports(head, tmp_path):
    changed = exams.with_changes(head, (date(2022, 3, 4), 1.5), (date(2024, 3, 4), 1.25))
    report = _objects(changed, "sr")["sr"]
    groups = child(report, codes.IMAGING_MEASUREMENTS).ContentSequence
    whole = changed.findings.segments[2]
    difference = child(groups[2], codes.CHANGE).MeasuredValueSequence[0]
    assert float(difference.NumericValue) == pytest.approx(-0.25 * whole.volume_mm3, rel=1e-3)
    assert difference.MeasurementUnitsCodeSequence[0].CodeValue == "mm3"
    rate = child(groups[2], codes.CHANGE_PER_YEAR).MeasuredValueSequence[0]
    assert float(rate.NumericValue) == pytest.approx(-10, rel=1e-2)
    assert rate.MeasurementUnitsCodeSequence[0].CodeValue == "%/a"
    for name in (codes.VOLUME, codes.CHANGE, codes.CHANGE_PER_YEAR):
        assert child(child(groups[2], name), codes.MEASUREMENT_UNCERTAINTY)
    assert codes.CHANGE.value not in [
        item.ConceptNameCodeSequence[0].CodeValue for item in groups[0].ContentSequence
    ]
    referenced = {
        (study.StudyInstanceUID, series.SeriesInstanceUID, item.ReferencedSOPInstanceUID)
        for study in report.PertinentOtherEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert referenced == {("1.2.0", "1.3.0", "1.4.0"), ("1.2.1", "1.3.1", "1.4.1")}
    path = tmp_path / "sr.dcm"
    report.save_as(path, enforce_file_format=True)
    assert validators.dciodvfy(path) == []
    assert validators.dsrdump_complaints(path) == []
    assert "since 2024-03-04" in validators.dsrdump(path)


def test_a_pair_is_shown_in_wide_slices_and_the_side_is_named(head, crop):
    views = Report(head).views
    assert views.planes[2].name in ("Sagittal, left", "Sagittal, right")
    assert Report(crop).views.planes[2].name == "Sagittal"
    for each in (views, Report(crop).views):
        widths = {sum(view.image.width for view in row) + 8 * (len(row) - 1) for row in each.rows}
        assert max(widths) <= 1208


def test_long_words_are_wrapped_and_never_cut(study, crop):
    words = "An extraordinarily long name, as other modules may well have"
    found = [Segment(s.mask, s.code, f"{words} {n}") for n, s in enumerate(crop.findings.segments)]
    analysis = exams.result_of(study, study.series[0], found)
    assert f"{words} 2" in _text(analysis)
    assert _picture(analysis).width == 1280


def test_many_structures_go_on_over_the_pages(study):
    series = study.series[0]
    wholes = [s for s in exams.pair(series) if not s.modifier]
    found = [
        replace(s, code=Code(str(n), "99X", f"Structure {n}"), label=f"{s.side.meaning} one {n}")
        for n in range(20)
        for s in wholes
    ]
    share = Measurement(codes.EVIDENCE_IN_LUNGS, 3.0, codes.PERCENT)
    analysis = exams.result_of(study, series, found, *[share] * 20)
    before = ((date(2020, 1, 1), 1.2), (date(2022, 1, 1), 1.1))
    text = _text(exams.with_changes(analysis, *before))
    assert all(f"Structure {n}" in text and f"Right one {n}" in text for n in range(20))


def test_a_picture_ends_and_says_what_it_leaves_to_the_report(study):
    """The page shows all; the picture says how much more there is."""
    series = study.series[0]
    (segment, *_) = exams.segments(series)
    nothing = segment.mask.with_array(np.zeros_like(segment.mask.array))
    found = [
        replace(segment, mask=nothing, code=Code(str(n), "99X", "One"), label=f"Structure {n}")
        for n in range(260)
    ]
    remarks = [Note(f"Remark {n}: {'it is long. ' * 100}") for n in range(40)]
    report = Report(exams.result_of(study, series, found, *remarks))
    (sheet,) = sheets(report, SCREEN)
    numbers = next(block for block in sheet.blocks if isinstance(block, Numbers))
    notes = next(block for block in sheet.blocks if isinstance(block, Remarks))
    assert numbers.across == 3 and len(numbers.rows) == 3 * 80
    assert numbers.more == "20 more results are in the measurement report."
    assert notes.notes[-1] == "36 more notes are in the measurement report."
    assert _picture(report.analysis).height < 8000
    text = _text(report.analysis)
    assert (
        "Structure 259" in text and "Remark 39" in text and "in the measurement report" not in text
    )


def test_text_of_a_header_or_module_is_never_markup(tmp_path):
    words = "#panic[no] *bold* _slanted_ $x$ @cited <label> \\u{41} `raw` //"

    def change(image):
        image.StudyDescription = "#pagebreak()"

    study = exams.write_exam(tmp_path, change, shape=(4, 12, 12))
    text = _text(exams.analysis_of(study, study.series[0], Note(words)))
    assert words in text and "#pagebreak()" in text


def test_another_process_draws_the_same(tmp_path):
    """A result that is made again under its UID, by another worker, has the same bytes."""
    program = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from hashlib import sha256; from pathlib import Path\n"
        "from hilum.objects import write_objects; from objects import exams\n"
        "study = exams.read_study(Path(sys.argv[2]))\n"
        "made = write_objects(exams.analysis_of(study, study.series[0]), ('sc', 'pdf'))\n"
        "print(sha256(made[0][1].PixelData + made[1][1].EncapsulatedDocument).hexdigest())\n"
    )
    exams.write_exam(tmp_path, shape=(4, 12, 12))
    command = [sys.executable, "-c", program, str(Path(__file__).parents[1]), str(tmp_path)]
    said = {
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and len(said.pop()) == 65


def test_grid_of_nothing_is_none():
    assert Grid.of({}) is None


def _change(*before):
    volume = Measurement(codes.VOLUME, 3.0, codes.MILLILITRE, uncertainty=0.15)
    earlier = tuple(Earlier(day, value, 0.15, "1.2", "1.3", "1.4") for day, value in before)
    return Change(volume, date(2026, 3, 4), earlier)


def _with(analysis, *more):
    return replace(analysis, findings=Findings((*analysis.findings.items, *more)))


def _objects(analysis, *kinds):
    return dict(write_objects(analysis, kinds))


def _text(analysis):
    pages = PdfReader(BytesIO(_objects(analysis, "pdf")["pdf"].EncapsulatedDocument)).pages
    return " ".join("\n".join(page.extract_text() for page in pages).split())


def _picture(analysis):
    ((image, _),) = pictures(Report(analysis))
    return image


def _strokes(analysis, colour):
    """How many lines of the first page are drawn in `colour`."""
    document = BytesIO(_objects(analysis, "pdf")["pdf"].EncapsulatedDocument)
    content = PdfReader(document).pages[0].get_contents().get_data().decode("latin-1")
    wanted = [pytest.approx(value / 255, abs=1e-3) for value in colour]
    drawn = re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) SCN", content)
    return sum([float(value) for value in each] == wanted for each in drawn)


def _pixels(image, colour):
    return int((np.abs(np.asarray(image).astype(int) - colour).sum(-1) < 12).sum())
