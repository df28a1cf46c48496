"""A result as FHIR resources says what the measurement report says, in the same numbers and codes.

Every resource must fit the R4B models of `fhir.resources`, in which ours are as in R4.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pypdf import PdfReader

from hilum.decision import AssessmentDecision
from hilum.dicom import codes
from hilum.dicom.part10 import as_file
from hilum.findings import Angle, Draft, Finding, Length, Measurement, Note, Refusal, Urgency
from hilum.objects import Analysis, write_objects
from hilum.objects.analysis import WrittenFile
from hilum.objects.assessed import ReaderWord
from hilum.objects.fhir.bundle import FhirResult
from hilum.objects.fhir.datatypes import system_of
from hilum.objects.kinds import Writing

from . import exams, films
from .test_any_text import LONG, ODD, TEXTS, with_text
from .test_oru import SCORED

Resource = dict[str, Any]
NUMBERS = st.floats(-1e12, 1e12, allow_nan=False).map(lambda number: round(number, 9))
UNITS = (
    codes.MILLIMETRE,
    codes.MILLILITRE,
    codes.PERCENT,
    codes.NO_UNITS,
    Code("[degF]", "UCUM", "degree Fahrenheit"),
)
WHATS = (codes.VOLUME, codes.LENGTH, codes.ASYMMETRY, Code(" 7  x", "99SITE", 'Own "code"'))


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    study = exams.write_exam(tmp_path_factory.mktemp("brain"), shape=(5, 12, 12))
    series = study.series[0]
    return exams.with_changes(exams.result_of(study, series, exams.pair(series)))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return films.one_film(tmp_path_factory.mktemp("film"))


def written(analysis: Analysis) -> list[Resource]:
    """The resources of a result; they fit the models."""
    [content] = FhirResult().write(Writing(analysis))
    return resources_in(content)


def resources_in(content: bytes) -> list[Resource]:
    bundle = json.loads(content)
    get_fhir_model_class("Bundle").model_validate(bundle)
    return [entry["resource"] for entry in bundle["entry"]]


def of(kind: str, resources: Sequence[Resource]) -> list[Resource]:
    return [one for one in resources if one["resourceType"] == kind]


def without_pages(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> list[Resource]:
    """Written without the printed pages, which take nine tenths of the time."""
    with monkeypatch.context() as patch:
        patch.setattr("hilum.objects.fhir.bundle._Transaction._printed", lambda _self: PAGES)
        return written(analysis)


PAGES = {"contentType": "application/pdf"}


def numbers_in_report(analysis: Analysis) -> Counter[tuple[str, str, str, float]]:
    """Every number of the measurement report, read from its file: what, unit and value."""
    [(_, report)] = write_objects(analysis, ("sr",))
    assert isinstance(report, Dataset)
    read = dcmread(BytesIO(as_file(report)))
    return Counter(
        (*_coded(item.ConceptNameCodeSequence), _unit(item), _number(item))
        for item in _items(read)
        if item.ValueType == "NUM"
    )


def _number(item: Dataset) -> float:
    return float(str(item.MeasuredValueSequence[0].NumericValue))


def _items(item: Dataset) -> Iterator[Dataset]:
    for below in item.get("ContentSequence", ()):
        yield below
        yield from _items(below)


def _coded(sequence: Sequence[Dataset]) -> tuple[str, str]:
    scheme = sequence[0].CodingSchemeDesignator
    return system_of(scheme), " ".join(sequence[0].CodeValue.split())


def _unit(item: Dataset) -> str:
    return str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue)


def numbers_in(resources: Sequence[Resource]) -> Counter[tuple[str, str, str, float]]:
    """The same of Observations and their components."""
    observations = of("Observation", resources)
    stated = [part for one in observations for part in (one, *one.get("component", ()))]
    return Counter(
        (
            part["code"]["coding"][0]["system"],
            part["code"]["coding"][0]["code"],
            part["valueQuantity"]["code"],
            part["valueQuantity"]["value"],
        )
        for part in stated
        if "valueQuantity" in part
    )


MEASUREMENTS = st.builds(
    Measurement,
    code=st.sampled_from(WHATS),
    value=NUMBERS,
    unit=st.sampled_from(UNITS),
    uncertainty=st.none() | st.floats(0, 1e6),
)
SHAPES = st.one_of(
    st.just(SCORED),
    st.builds(Length, points=st.just(((0.0, 0.0, 0.0), (3.0, 4.0, 0.0))), label=st.just("a line")),
    st.builds(Angle, points=st.just(((0.0, 1, 0), (0.0, 0, 0), (1.0, 0, 0))), label=st.just("x")),
)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(found=st.lists(MEASUREMENTS | SHAPES, max_size=6), with_segments=st.booleans())
def test_both_say_the_same_numbers(
    brain: Analysis,
    monkeypatch: pytest.MonkeyPatch,
    found: list[Finding],
    with_segments: bool,
) -> None:
    whole = next(one for one in brain.findings.segments if one.label == "Left hippocampus")
    kept = [one for one in brain.findings.items if whole in (one, getattr(one, "of", None))]
    kept = kept if with_segments else []
    analysis = replace(brain, findings=replace(brain.findings, items=(*kept, *found)))
    assert numbers_in(without_pages(analysis, monkeypatch)) == numbers_in_report(analysis)


def test_a_volume_says_where_it_was_measured(brain: Analysis) -> None:
    resources = written(brain)
    observations = of("Observation", resources)
    groups = [one for one in observations if one["code"]["coding"][0]["code"] == "125007"]
    assert [one["code"]["text"] for one in groups][:2] == [
        "Left hippocampus, anterior",
        "Left hippocampus, posterior",
    ]
    left = next(one for one in groups if one["code"]["text"] == "Left hippocampus")
    assert left["bodySite"]["text"] == "Hippocampus, left"
    assert [one["code"] for one in left["bodySite"]["coding"]] == [
        "5366008",
        "5366008:272741003=7771000",
    ]
    assert left["valueCodeableConcept"]["coding"][0]["system"] == "http://snomed.info/sct"
    members = {one["reference"] for one in left["hasMember"]}
    assert len(members) == 3, "its volume, the change, and the change per year"
    assert {one["status"] for one in observations} == {"preliminary"}
    [report] = of("DiagnosticReport", resources)
    assert report["status"] == "preliminary"
    assert report["code"]["coding"][0]["code"] == "25056-3"
    assert "not for diagnosis" in report["conclusion"]
    study = report["imagingStudy"][0]["identifier"]
    assert study["value"] == f"urn:oid:{brain.study.uid}"
    assert observations[0]["derivedFrom"][0]["identifier"] == study
    [device] = of("Device", resources)
    assert brain.module.weights_sha256 in [one["value"] for one in device["version"]]
    [printed] = report["presentedForm"]
    pages = PdfReader(BytesIO(base64.b64decode(printed["data"])))
    assert "Hippocampal volume" in pages.pages[0].extract_text()


def test_a_film_says_to_what_it_is_similar(film: Analysis) -> None:
    observations = of("Observation", written(film))
    similar = [
        one["valueCodeableConcept"]["text"]
        for one in observations
        if one["code"]["coding"][0]["code"] == "similar-group"
    ]
    assert similar == ["COVID-19"]
    scores = {
        one["code"]["text"]: one["valueQuantity"]["value"]
        for one in observations
        if one["code"]["coding"][0]["code"] == "111012"
    }
    assert sorted(scores.values()) == [11, 27, 62]
    assert numbers_in(observations) == numbers_in_report(film)


def test_a_refusal_is_said_in_words_and_as_a_code(brain: Analysis) -> None:
    refused = replace(
        brain, inputs={}, findings=replace(brain.findings, items=(Refusal("no", "it is thick"),))
    )
    resources = written(refused)
    [report] = of("DiagnosticReport", resources)
    assert "Could not be analysed, because it is thick." in report["conclusion"]
    [observation] = of("Observation", resources)
    assert observation["valueCodeableConcept"]["coding"][0]["code"] == "111245"


def test_what_other_kinds_of_findings_say_is_in_the_report(brain: Analysis) -> None:
    said = (Urgency("There is air."), Draft("No fracture."), Note("It moved."))
    items = (*brain.findings.items, *said)
    analysis = replace(brain, findings=replace(brain.findings, items=items))
    [(_, content)] = write_objects(analysis, ("fhir",))
    assert isinstance(content, bytes)
    [report] = of("DiagnosticReport", resources_in(content))
    for finding in said:
        assert finding.sentence in report["conclusion"]


def test_two_results_share_no_identifier_but_what_they_follow(brain: Analysis) -> None:
    def named(analysis: Analysis) -> set[str]:
        resources = written(analysis)
        made = of("Observation", resources) + of("DiagnosticReport", resources)
        return {str(one["identifier"][0]["value"]) for one in made}

    assert not named(brain) & named(replace(brain, workitem_id="1.2.3.99"))


def set_to(keyword: str, text: str) -> Callable[[Dataset], None]:
    change = with_text(keyword, text)

    def changed(image: Dataset) -> None:
        image.IssuerOfPatientID = "HOSP"
        change(image)

    return changed


KEYWORDS = ("PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDate", "PatientName")


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KEYWORDS), TEXTS)
@example("PatientID", ODD[0])
@example("PatientID", "\x85")  # white space that FHIR has not
@example("IssuerOfPatientID", "\x85")
@example("AccessionNumber", LONG[2])
def test_any_text_of_the_header_fits(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    keyword: str,
    text: str,
) -> None:
    folder = tmp_path_factory.mktemp("text")
    study = exams.write_exam(folder, set_to(keyword, text), shape=(2, 8, 8))
    without_pages(exams.analysis_of(study, study.series[0]), monkeypatch)


@pytest.mark.parametrize("text", [*LONG, *ODD, "form\ffeed", "\u2028line", '{"a": 1}'])
def test_any_text_of_a_module_fits(
    brain: Analysis, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    try:
        said = Note(text)
    except ValueError:
        return  # the module is told
    analysis = replace(brain, findings=replace(brain.findings, items=(said,)))
    [report] = of("DiagnosticReport", without_pages(analysis, monkeypatch))
    assert text.replace("\f", " ").strip() in report["conclusion"]


def test_images_may_name_nobody(tmp_path: Path) -> None:
    def change(image: Dataset) -> None:
        image.PatientID = image.AccessionNumber = ""
        image.StudyDate = ""

    study = exams.write_exam(tmp_path, change, shape=(2, 8, 8))
    [report] = of("DiagnosticReport", written(exams.analysis_of(study, study.series[0])))
    assert not {"subject", "basedOn", "effectiveDateTime"} & set(report)


def test_what_a_reader_said_is_one_observation_about_the_report(brain: Analysis) -> None:
    [content] = FhirResult().write(Writing(brain))
    [report] = of("DiagnosticReport", resources_in(content))
    of_run = replace(brain, replaced=(WrittenFile("fhir", "1.2.3", content),))
    at = brain.created
    said: dict[str, Resource] = {}
    for who, decision, before in (
        ("anna", AssessmentDecision.ACCEPTED, None),
        ("bob", AssessmentDecision.SUPPLEMENTED, (AssessmentDecision.REJECTED, at)),
    ):
        word = ReaderWord(decision, who, f"2.25.{len(who)}", f"{who} says\x07 so", at, before)
        note = FhirResult().write_assessment(Writing(of_run), ["1.2.3"], word)
        [said[who]] = resources_in(note)
    for who, one in said.items():
        assert (one["resourceType"], one["status"]) == ("Observation", "preliminary")
        assert one["focus"][0]["identifier"] == report["identifier"][0]
        assert one["subject"] == report["subject"]
        assert one["performer"] == [{"type": "Practitioner", "display": who}]
        assert one["note"] == [{"text": f"{who} says  so"}]
        version, made = one["component"][:2]
        assert version["valueString"] == "urn:oid:1.2.3"
        assert made["valueDateTime"] == report["issued"]
    assert said["anna"]["valueCodeableConcept"]["coding"][0]["code"] == "accepted"
    assert [len(one["component"]) for one in said.values()] == [2, 3]
    assert said["bob"]["component"][2]["valueCodeableConcept"]["coding"][0]["code"] == "rejected"
    assert said["anna"]["identifier"] != said["bob"]["identifier"]
