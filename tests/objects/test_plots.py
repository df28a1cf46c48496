"""Numbers over numbers: made, stored, drawn in the picture, the PDF and the console, and told."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from hilum.engine import exchange
from hilum.errors import FindingError
from hilum.findings import Curve, Findings, Plot
from hilum.objects import write_objects
from hilum.objects.report.course import Stroke, Words
from hilum.objects.report.graph import Graph

from . import exams, validators
from .test_shapes import assert_valid

LEFT = Curve("Left", (0, 10, 20), (1, 4, 2))
RIGHT = Curve("Right", np.array([0, 20]), np.array([1.5, 1.5]), (1, 2, 3))
PLOT = Plot("Wash-in", "time in s", "signal", (LEFT, RIGHT))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Curve("x", (1,), (1,)), "2 to 200"),
        (lambda: Curve("x", (1, 2), (1,)), "as many x as y"),
        (lambda: Curve("x", (1, 2), (1, float("nan"))), "not a finite number"),
        (lambda: Plot("x", "a", "b", ()), "0 curves; 1 to 8"),
        (lambda: Plot("x", "a", "b", ("no curve",)), "not a tuple of Curve"),
    ],
)
def test_what_cannot_be_one_is_refused_where_it_is_made(make, said: str) -> None:
    with pytest.raises(FindingError, match=said):
        make()


def test_its_lines_lie_where_the_numbers_say() -> None:
    marks = list(Graph(PLOT).marks(40, 20))
    left, right = (
        mark.points
        for mark in marks
        if isinstance(mark, Stroke)
        and mark.colour
        and len(mark.points) in (2, 3)
        and mark.points[0][0] < 10
    )
    assert [x for x, _ in left] == pytest.approx([3.5, 16.75, 30])
    assert left[1][1] < left[2][1] < left[0][1], "upwards is more"
    assert right[0][1] == right[1][1]
    words = {mark.text for mark in marks if isinstance(mark, Words)}
    assert {"Left", "Right", "time in s", "signal"} < words
    flat = Plot("Flat", "a", "b", (Curve("One", (5, 5), (2, 2)),))
    assert all(
        np.isfinite(p)
        for m in Graph(flat).marks(40, 20)
        if isinstance(m, Stroke)
        for q in m.points
        for p in q
    )


def test_it_is_drawn_and_told(tmp_path: Path, judge: validators.Judge) -> None:
    exchange.save(Findings((PLOT,)), tmp_path / "out")
    assert exchange.load(tmp_path / "out").items == (PLOT,)
    [summary] = exchange.summary(Findings((PLOT,)))
    assert summary.in_words() == "Wash-in: a plot of signal over time in s"
    assert summary.lines(300, 100)[0][1] == "0.0,100.0 150.0,0.0 300.0,66.7"  # type: ignore[union-attr]
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    analysis = exams.analysis_of(study, study.series[0], PLOT)
    written = dict(write_objects(analysis, ("sr", "sc", "pdf")))
    pages = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages
    page = " ".join(" ".join(p.extract_text() for p in pages).split())
    for words in ("Wash-in", "time in s", "signal", "Left", "Right"):
        assert words in page, words
    told = [e.value for e in written["sr"].iterall() if e.keyword == "TextValue"]
    assert "Wash-in - Left, signal over time in s: 1 at 0; 4 at 10; 2 at 20." in told
    assert_valid(written["sr"], tmp_path, judge)
    plain = dict(write_objects(replace(analysis, findings=Findings()), ("sc",)))["sc"]
    assert written["sc"].Rows > plain.Rows + 200
