"""The objects of radiographs: one result per film and one summary, judged by other programs too."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pypdf import PdfReader

from hilum.dicom import codes
from hilum.dicom.film import Film
from hilum.findings import Classification, Findings, HeatMap, Measurement, Note, Refusal, Score
from hilum.objects import write_objects
from hilum.objects.iod.common import series_instance_uid
from hilum.objects.report import Report
from hilum.objects.report.evidence import with_evidence
from hilum.objects.report.films import Tone
from hilum.objects.sheet.story import sheets
from hilum.objects.sheet.theme import SCREEN
from tests.drawn import half_of_the_pairs, some

from . import exams, films, validators
from .films import Shot
from .trees import child

LATERAL = "This is not a frontal view of the chest."
CHILD = "The patient is 9 years old; the program was made for adults."


@pytest.fixture
def one(tmp_path):
    """A study of one film with its result."""
    return films.one_film(tmp_path)


@pytest.fixture
def three(tmp_path):
    """A study of three films in two series: two that disagree, and one refused."""
    shots = [Shot(), Shot("CR", 10, inverted=True, series=2, view="AP"), Shot(view="LL")]
    study = films.write_films(tmp_path, [films.drawn()] * 3, shots)
    first, second, third = uids(study)
    shape = films.shape_of(study)
    return films.analysis_of(
        study,
        *films.findings_of(first, shape),
        *films.findings_of(second, shape, (0.1, 0.15, 0.75)),
        Refusal("lateral", LATERAL, third),
        Note(CHILD),
    )


def test_one_film_gives_one_object_of_each_kind(one, tmp_path):
    objects = write_objects(one)
    assert [kind for kind, _ in objects] == ["sr", "sc", "pdf"]
    assert_valid(objects, tmp_path)
    text = pages(objects)[0]
    for words in ("Most similar to: COVID-19 group", "62 %", films.BASIS, "71 %", "50 %"):
        assert words in text
    assert "NOT FOR DIAGNOSIS" in text


def test_several_films_give_a_summary_and_one_picture_each(three, tmp_path):
    objects = write_objects(three)
    assert [kind for kind, _ in objects] == ["sr", "sc", "sc", "sc", "sc", "pdf"]
    assert_valid(objects, tmp_path)
    pictures = [dataset for kind, dataset in objects if kind == "sc"]
    assert [int(picture.InstanceNumber) for picture in pictures] == [1, 2, 3, 4]
    assert len({picture.SeriesInstanceUID for picture in pictures}) == 1
    assert len({picture.SOPInstanceUID for picture in pictures}) == 4
    sources = [
        [item.ReferencedSOPInstanceUID for item in picture.SourceImageSequence]
        for picture in pictures
    ]
    in_order = uids(three.study)
    assert sorted(sources[0]) == sorted(in_order)
    assert sources[1:] == [[uid] for uid in in_order]


def test_the_pdf_has_the_summary_and_a_page_for_each_film(three):
    summary, first, second, third = pages(write_objects(three, kinds=("pdf",)))
    assert "FILMS DISAGREE" in summary
    assert "Film 1 COVID-19, Film 2 Normal" in summary
    assert "Most similar to: COVID-19 group" in first
    assert "Most similar to: Normal group" in second
    assert "NO RESULT" in third
    assert "because this is not a frontal view of the chest" in third
    assert all(CHILD in page and "Roe, Richard" in page for page in (summary, first, third))


def test_the_report_has_a_group_for_each_film_and_score(three):
    report = dict(write_objects(three, kinds=("sr",)))["sr"]
    library = child(child(report, codes.IMAGE_LIBRARY), codes.IMAGE_LIBRARY_GROUP)
    images = [image.ReferencedSOPSequence[0] for image in library.ContentSequence]
    assert [image.ReferencedSOPInstanceUID for image in images] == uids(three.study)
    groups = child(report, codes.IMAGING_MEASUREMENTS).ContentSequence
    labels = [child(group, codes.TRACKING_IDENTIFIER).TextValue for group in groups]
    scores = [f"Film {film}: {name}" for film, name in ((1, "COVID-19"), (2, "Normal"))]
    assert len(labels) == 3 + 2 * 3
    assert set(labels) >= {"Film 1", "Film 2", "Film 3", *scores}
    by_label = dict(zip(labels, groups, strict=True))
    score = by_label["Film 2: Normal"]
    assert child(score, codes.FINDING).ConceptCodeSequence[0].CodeValue == codes.NORMAL.value
    certainty = child(score, codes.CERTAINTY_OF_FINDING)
    assert certainty.MeasuredValueSequence[0].NumericValue == 75
    assert child(certainty, codes.ALGORITHM_NAME).TextValue == films.MODULE.name
    for film, uid in enumerate(uids(three.study), start=1):
        source = child(by_label[f"Film {film}"], codes.SOURCE_OF_MEASUREMENT)
        assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid
    assert group_outcome(by_label["Film 1"]) == codes.COVID_19.value
    refused = child(by_label["Film 3"], codes.PROCESSING_SUMMARY).ConceptCodeSequence[0]
    assert refused.CodeValue == codes.NO_ALGORITHMS_SUCCEEDED.value
    declared = report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator
    assert declared == codes.EVIDENCE_IN_LUNGS.scheme_designator


def test_abstention_is_indeterminate_everywhere(tmp_path):
    study = films.write_films(tmp_path, [films.drawn()])
    found = films.findings_of(uids(study)[0], films.shape_of(study), (0.44, 0.36, 0.2), True)
    objects = write_objects(films.analysis_of(study, *found))
    assert_valid(objects, tmp_path)
    assert "INDETERMINATE" in pages(objects)[0]
    group = child(dict(objects)["sr"], codes.IMAGING_MEASUREMENTS).ContentSequence[0]
    assert group_outcome(group) == codes.INDETERMINATE.value


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ((0, 0), "Most similar to: COVID-19 group"),
        ((0, 1), "FILMS DISAGREE"),
        ((0, None), "INDETERMINATE"),
        ((None, None), "INDETERMINATE"),
        (("refused", 1), "Most similar to: Normal group"),
        (("refused", "refused"), "NO RESULT"),
    ],
)
def test_a_study_says_only_what_its_films_agree_on(tmp_path, outcomes, said):
    study = films.write_films(tmp_path, [films.drawn()] * 2)
    scores = (Score(codes.COVID_19, "COVID-19", 0.6), Score(codes.NORMAL, "Normal", 0.4))
    found = [
        Refusal("lateral", LATERAL, uid)
        if outcome == "refused"
        else Classification(scores, None if outcome is None else scores[outcome], "x", uid)
        for uid, outcome in zip(uids(study), outcomes, strict=True)
    ]
    conclusion = Report(films.analysis_of(study, *found)).conclusion
    assert conclusion is not None
    assert conclusion.words == said


def test_the_headline_follows_a_caution(tmp_path):
    study = films.write_films(tmp_path, [films.drawn()] * 2)
    first, second = uids(study)
    scores = (Score(codes.PNEUMONIA, "Pneumonia", 0.76), Score(codes.NORMAL, "Normal", 0.24))
    answers = [Classification(scores, scores[0], "x", uid) for uid in (first, second)]
    doubt = Note("only 47 % of the evidence lies inside the lungs", first, caution=True)
    report = Report(films.analysis_of(study, *answers, doubt))
    doubted, sure = (film.outcome for film in report.films)
    assert (doubted.words, doubted.tone) == ("LOW CONFIDENCE", Tone.DOUBTED)
    assert doubted.detail == (
        "Only 47 % of the evidence lies inside the lungs. The scores alone:"
        " Most similar to: Pneumonia group."
    )
    assert (sure.words, sure.tone) == ("Most similar to: Pneumonia group", Tone.RESULT)
    assert report.conclusion.words == "LOW CONFIDENCE"
    headline, _film, bars = sheets(report, SCREEN)[1].blocks[:3]
    assert headline.words == "LOW CONFIDENCE"
    assert not any(bar.is_chosen for bar in bars.groups[0].bars)


def test_a_place_outside_the_lungs_is_never_the_loudest():
    values = np.zeros((40, 40), np.float32)
    values[5:9, 5:9], values[25:29, 25:29] = 1.0, 0.6
    region = np.zeros((40, 40), bool)
    region[20:, 20:] = True
    grey = Image.fromarray(np.full((400, 400), 90, np.uint8))
    shown = np.asarray(with_evidence(grey, HeatMap(values, "x", "1.2", region)), np.float32)
    away = np.abs(shown - 90).sum(axis=-1)
    assert away[250:290, 250:290].max() >= away[50:90, 50:90].max() > 0
    plain = np.asarray(with_evidence(grey, HeatMap(values, "x", "1.2")), np.float32)
    assert np.abs(plain - 90).sum(axis=-1)[50:90, 50:90].max() > away[50:90, 50:90].max()


def test_the_modules_word_on_the_study_leads_but_hides_no_contradiction(three):
    scores = (Score(codes.COVID_19, "COVID-19", 0.6),)
    whole = Classification(scores, scores[0], films.BASIS)
    stated = replace(three, findings=Findings((*three.findings.items, whole)))
    conclusion = Report(stated).conclusion
    assert conclusion is not None
    assert conclusion.words == "Most similar to: COVID-19 group"
    assert "They do not say the same" in conclusion.detail


def test_a_failed_module_shows_the_film_it_failed_on(tmp_path):
    study = films.write_films(tmp_path, [films.drawn()])
    refusal = Refusal("module-failed", "The analysis failed for a technical reason.")
    objects = write_objects(films.analysis_of(study, refusal))
    assert_valid(objects, tmp_path)
    picture = dict(objects)["sc"].pixel_array
    assert (picture[300:800].min(axis=-1) > 150).mean() > 0.1  # the bright film
    assert "for a technical reason" in pages(objects)[0]


def test_an_unreadable_film_is_refused_in_words(tmp_path):
    def spoil(image: Dataset) -> None:
        image.PixelData = image.PixelData[:1000]

    study = films.write_films(tmp_path, [films.drawn()], change=spoil)
    refusal = Refusal("unreadable", "The pixels cannot be read.", uids(study)[0])
    objects = write_objects(films.analysis_of(study, refusal))
    assert_valid(objects, tmp_path)
    assert "The film itself cannot be shown" in pages(objects)[0]


def test_a_run_that_died_before_it_drew_its_film_still_has_results(one, tmp_path):
    objects = write_objects(replace(one, pictures={}))
    assert_valid(objects, tmp_path)
    assert "The film itself cannot be shown" in pages(objects)[0]
    assert "Most similar to: COVID-19 group" in pages(objects)[0]


def test_repeated_run_writes_identical_bytes(three):
    first, again = (part10(write_objects(three)) for _ in range(2))
    assert first == again


def test_other_run_gets_other_uids_and_names_its_predecessor(three):
    before = write_objects(three)
    named = tuple((d.SOPClassUID, d.SOPInstanceUID) for _, d in before)
    after = write_objects(replace(three, workitem_id="w-3", predecessor=named))
    assert not {d.SOPInstanceUID for _, d in before} & {d.SOPInstanceUID for _, d in after}
    old, new = dict(before), dict(after)
    series = new["sr"].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == series_instance_uid(old["sr"].SOPInstanceUID)
    replaced = {item.ReferencedSOPInstanceUID for item in new["sc"].ReferencedInstanceSequence}
    assert replaced == {d.SOPInstanceUID for kind, d in before if kind == "sc"}


def test_no_picture_tells_who_the_patient_is(tmp_path):
    def rename(image: Dataset) -> None:
        image.PatientName, image.PatientID = "Someone^Else", "0815"
        image.PatientBirthDate = "19990909"

    pictures = []
    for name, change in (("a", lambda _: None), ("b", rename)):
        (tmp_path / name).mkdir()
        study = films.write_films(tmp_path / name, [films.drawn()], change=change)
        found = films.findings_of(uids(study)[0], films.shape_of(study))
        pictures.append(
            dict(write_objects(films.analysis_of(study, *found), kinds=("sc",)))["sc"].PixelData
        )
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("script", some(exams.NAMES, every=3))
def test_names_stay_right_in_every_script(tmp_path, script):
    character_set, name = exams.NAMES[script]

    def change(image: Dataset) -> None:
        image.SpecificCharacterSet = character_set
        image.PatientName = name

    study = films.write_films(tmp_path, [films.drawn(120)] * 2, change=change)
    found = [films.findings_of(uid, films.shape_of(study)) for uid in uids(study)]
    objects = write_objects(films.analysis_of(study, *found[0], *found[1]))
    for path in assert_valid(objects, tmp_path):
        stored = pydicom.dcmread(path)
        assert str(stored.PatientName) == name
        assert stored.SpecificCharacterSet == character_set


def no_type_2(image: Dataset) -> None:
    for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "ReferringPhysicianName"):
        del image[keyword]
    del image.BodyPartExamined, image.ViewPosition, image.AcquisitionDate, image.SeriesDescription


def long_uids(image: Dataset) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        image[keyword].value = f"1.2.{'3' * 60}"
    image.SOPInstanceUID = f"1.2.{image.InstanceNumber}.{'4' * 58}"


def hand(image: Dataset) -> None:
    image.BodyPartExamined, image.Laterality = "HAND", "R"
    image.PatientAge, image.StudyTime, image.PatientSex = "nine", "half past ten", "female"


def odd_spacing(image: Dataset) -> None:
    image.ImagerPixelSpacing = [0, 0]
    image.PatientOrientation = None
    image.SeriesNumber = None


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize(
    ("change", "modality"),
    half_of_the_pairs([no_type_2, long_uids, hand, odd_spacing], ["CR", "DX"]),
)
def test_odd_headers_give_valid_objects(tmp_path, change, modality):
    shots = [Shot(modality), Shot(modality)]
    study = films.write_films(tmp_path, [films.drawn(120)] * 2, shots, change)
    first, second = uids(study)
    found = films.findings_of(first, films.shape_of(study))
    objects = write_objects(films.analysis_of(study, *found, Refusal("odd", LATERAL, second)))
    assert_valid(objects, tmp_path)
    picture = next(dataset for kind, dataset in objects if kind == "sc")
    assert picture.BodyPartExamined == ("HAND" if change is hand else "CHEST")
    assert all(len(dataset.SOPInstanceUID) <= 64 for _, dataset in objects)


@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_film_looks_the_same_however_it_is_stored(tmp_path, bits, inverted):
    drawn = films.drawn()
    study = films.write_films(tmp_path, [drawn], [Shot("CR", bits, inverted)])
    shown = Film(films.instances(study)[0]).picture
    assert shown is not None
    assert shown.shape == (900, 810)
    assert np.corrcoef(shown[1::3, 1::3].ravel(), drawn.ravel())[0, 1] > 0.96


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "PixelSpacing", "PixelAspectRatio"])
def test_oblong_pixels_keep_their_shape(tmp_path, keyword):
    def change(image: Dataset) -> None:
        image.pop("ImagerPixelSpacing")
        setattr(image, keyword, [2, 1])

    study = films.write_films(tmp_path, [films.drawn(100)], change=change)
    shown = Film(films.instances(study)[0]).picture
    assert shown is not None
    assert shown.shape[0] / shown.shape[1] == pytest.approx(200 / 90, rel=0.01)


def test_a_film_that_was_only_measured_has_no_outcome(tmp_path):
    study = films.write_films(tmp_path, [films.drawn(120)])
    ratio = Measurement(codes.EVIDENCE_IN_LUNGS, 48.6, codes.PERCENT, image=uids(study)[0])
    objects = write_objects(films.analysis_of(study, ratio))
    assert_valid(objects, tmp_path)
    assert "49 %" in pages(objects)[0]


@pytest.mark.skipif(not films.CHEST.exists(), reason="the real films are not here")
def test_real_films(tmp_path):
    names = ("images/nih_normal_0001.jpg", "images/nih_normal_0003.jpg", "odd/lateral_001.jpg")
    shots = [
        Shot("CR", 8),
        Shot("DX", 16, inverted=True, side=2500, series=2),
        Shot("DX", 12, series=3, view="LL"),
    ]
    study = films.write_films(tmp_path, [films.real(name) for name in names], shots)
    first, second, third = uids(study)
    objects = write_objects(
        films.analysis_of(
            study,
            *films.findings_of(first, films.shape_of(study)),
            *films.findings_of(second, films.shape_of(study, 1)),
            Refusal("lateral", LATERAL, third),
        )
    )
    saved = assert_valid(objects, tmp_path)
    assert validators.dcentvfy(*saved, *sorted(tmp_path.glob("[0-9].dcm"))) == []
    assert len(pages(objects)) == 4


@pytest.mark.slow
def test_report_obeys_tid_1500(three, tmp_path, judge):
    path = tmp_path / "report.dcm"
    dict(write_objects(three, kinds=("sr",)))["sr"].save_as(path, enforce_file_format=True)
    assert judge.complaints(path) == []


def uids(study):
    return [instance.sop_instance_uid for instance in films.instances(study)]


def assert_valid(objects, folder):
    """Save `objects` and let the other programs judge them."""
    saved = []
    for kind, dataset in objects:
        path = folder / f"result-{kind}-{dataset.InstanceNumber}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        saved.append(path)
        assert validators.dciodvfy(path) == []
        assert validators.dcmpschk(path) == []
        assert validators.dcmftest(path)
        if kind == "sr":
            assert validators.dsrdump_complaints(path) == []
    return saved


def part10(objects):
    written = []
    for _, dataset in objects:
        file = BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        written.append(file.getvalue())
    return written


def pages(objects):
    """The text of each page of the PDF."""
    reader = PdfReader(BytesIO(dict(objects)["pdf"].EncapsulatedDocument))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def group_outcome(group):
    return child(group, codes.MOST_SIMILAR_GROUP).ConceptCodeSequence[0].CodeValue
