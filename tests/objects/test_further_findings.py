"""Tables, key images, drafts and urgency: made, stored, and told in every object."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pypdf import PdfReader

from hilum.engine import exchange
from hilum.errors import FindingError
from hilum.findings import Draft, Drawing, Findings, KeyImage, Table, Urgency
from hilum.module import ModuleFacts
from hilum.objects import write_objects
from hilum.objects.report import Report

from . import exams, films
from .test_shapes import assert_valid

TABLE = Table("Nodules", ("lobe", "size"), (("upper left", "4 mm"), ("lower right", "")))
DRAFT = Draft("No fracture is seen.", "Impression")
URGENCY = Urgency("The program sees free air.")


def all_of(uid):
    return TABLE, KeyImage(uid, "largest nodule"), DRAFT, URGENCY


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Table("t", ("a", "b"), (("1",),)), "do not all have 2 cells"),
        (lambda: Table("t", ("a",), ()), "1 to 8 columns and 1 to 200 rows"),
        (lambda: Table("t", ("a",), (("x" * 65,),)), "a cell of the table 't' has 65 characters"),
        (lambda: KeyImage(None, "x"), "is not given"),
        (lambda: KeyImage("x", "x"), "no SOP Instance UID"),
        (lambda: Draft(" "), "the text of a draft is empty"),
        (lambda: Drawing(np.zeros((4, 4)), "x"), "are no uint8"),
        (lambda: Drawing(np.zeros((4, 4, 4), np.uint8), "x"), "are no uint8"),
        (lambda: Drawing(np.zeros((1, 5000), np.uint8), "x"), "longer than 4096"),
        (lambda: Urgency(""), "the text of an urgency is empty"),
    ],
)
def test_what_cannot_be_one_is_refused_where_it_is_made(make, said):
    with pytest.raises(FindingError, match=said):
        make()


def test_they_are_stored_and_said_in_words(tmp_path):
    given = Findings(all_of("1.2.3"))
    exchange.save(given, tmp_path)
    assert exchange.load(tmp_path) == given
    assert [f.summary().in_words() for f in given.items] == [
        "Nodules: a table of 2 rows",
        "Image to look at: largest nodule",
        "Draft, not checked by anybody: No fracture is seen.",
        "Urgent: the program sees free air.",
    ]


def test_every_object_on_a_volume_tells_them(tmp_path, judge):
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    series = study.series[0]
    uid = series.instances[2].sop_instance_uid
    analysis = exams.analysis_of(study, series, *all_of(uid))
    analysis = replace(analysis, pictures={uid: np.zeros((12, 12), np.uint8)})
    (shown,) = Report(analysis).key_images
    assert (shown.label, shown.place) == ("largest nodule", "image 3")
    assert not Report(analysis).films
    written = dict(write_objects(analysis))
    assert_told(written, tmp_path, judge)
    assert uid in str(written["sr"])


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_a_picture_of_the_modules_own_is_shown_and_named(tmp_path, shape):
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    picture = Drawing(np.full(shape, 200, np.uint8), "Flow chart")
    exchange.save(Findings((picture,)), tmp_path / "out")
    (back,) = exchange.load(tmp_path / "out").of(Drawing)
    assert back.pixels.shape == shape and (back.pixels == 200).all()
    analysis = exams.analysis_of(study, study.series[0], picture)
    (shown,) = Report(analysis).drawn
    assert shown.image.size == (30, 20)
    written = dict(write_objects(analysis))
    report = " ".join(str(e.value) for e in written["sr"].iterall() if e.keyword == "TextValue")
    assert "Drawn by the module itself: Flow chart." in report
    pages = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages
    assert "Flow chart" in " ".join(page.extract_text() for page in pages)


def test_every_object_on_a_film_tells_them(tmp_path, judge):
    study = films.write_films(tmp_path, [films.drawn()])
    uid = films.instances(study)[0].sop_instance_uid
    written = dict(write_objects(films.analysis_of(study, *all_of(uid))))
    assert_told(written, tmp_path, judge)


def assert_told(written, folder, judge):
    pages = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages
    page = " ".join(" ".join(p.extract_text() for p in pages).split())
    for words in ("URGENT", "free air", "Nodules", "upper left", "4 mm", "largest nodule"):
        assert words in page, words
    assert "DRAFT, not checked by anybody (Impression): No fracture is seen." in page
    report = " ".join(str(e.value) for e in written["sr"].iterall() if e.keyword == "TextValue")
    assert "Urgent: the program sees free air." in report
    assert "Nodules - lobe: upper left, size: 4 mm." in report
    assert "DRAFT, not checked by anybody (Impression)" in report
    assert_valid(written["sr"], folder, judge)


def test_every_object_names_the_module_whose_findings_were_used(tmp_path, judge):
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    other = ModuleFacts("other", "3", "Other module", "a" * 64)
    plain = exams.analysis_of(study, study.series[0])
    written = dict(write_objects(replace(plain, used={"part": other})))
    for kind in ("sr", "sc", "pdf"):
        made = written[kind].ContributingEquipmentSequence
        assert [one.ManufacturerModelName for one in made] == [plain.module.name, "other"]
    told = [e.value for e in written["sr"].iterall() if e.keyword == "TextValue"]
    assert "part = the findings of other 3" in told
    pages = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages
    assert "the findings of other 3" in " ".join(page.extract_text() for page in pages)
    assert_valid(written["sr"], tmp_path, judge)
