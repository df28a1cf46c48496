"""Results as JSON: the numbers of the report, the published schema, and nothing that names anybody.

The schema is tried by another program than the one that makes it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydicom.valuerep import DSfloat

from hilum.assessments.decision import AssessmentDecision
from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.findings import Findings, Note, Refusal, Urgency
from hilum.objects import Analysis, ReaderWord
from hilum.objects.analysis import WrittenFile
from hilum.objects.event import JsonResult
from hilum.objects.kinds import Writing
from hilum.pseudonyms import Pseudonyms
from hilum.result_event import schema

from . import exams, films
from .test_oru import numbers_in_report

SCHEMA = Path(__file__).parents[2] / "docs/reference/result.schema.json"
SITE = Pseudonyms("of this site")
OF_BRAIN = ("4711", "Roe", "Jane", "19600102", "20260304", "A1", "T1 sag", "Doe")
OF_CHEST = ("4712", "Roe", "Richard", "19610203")


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    study = exams.write_exam(tmp_path_factory.mktemp("brain"), shape=(6, 12, 12))
    return replace(exams.analysis_of(study, study.series[0]), pseudonyms=lambda: SITE)


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return replace(films.one_film(tmp_path_factory.mktemp("chest")), pseudonyms=lambda: SITE)


def told(analysis: Analysis, **wishes: Any) -> dict[str, Any]:
    [content] = JsonResult().write(Writing(analysis, wishes=wishes))
    return checked(content)


def checked(content: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(content)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(said)
    return said


def numbers_in(said: dict[str, Any]) -> Counter[tuple[str, str, float]]:
    found: Counter[tuple[str, str, float]] = Counter()
    for group in said["data"]["groups"]:
        for number in group["numbers"]:
            found[number["what"]["code"], number["unit"], as_in_dicom(number["value"])] += 1
            if number["uncertainty"] is not None:
                error = as_in_dicom(number["uncertainty"])
                found[codes.MEASUREMENT_UNCERTAINTY.value, number["unit"], error] += 1
    return found


def as_in_dicom(value: float) -> float:
    """What is left of a number in a decimal string, which has 16 characters."""
    return float(str(DSfloat(value, auto_format=True)))


def with_findings(analysis: Analysis, *more: Any) -> Analysis:
    return replace(analysis, findings=Findings((*analysis.findings.items, *more)))


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)
    else:
        yield str(value)


def test_the_published_schema_is_that_of_today() -> None:
    Draft202012Validator.check_schema(schema())
    assert json.loads(SCHEMA.read_text()) == schema(), (
        "run `python -m hilum.result_event > docs/reference/result.schema.json`"
    )


def test_what_the_schema_does_not_have_is_refused(brain: Analysis) -> None:
    said = told(brain)
    said["data"]["groups"][0]["numbers"][0]["value"] = "much"
    assert not Draft202012Validator(json.loads(SCHEMA.read_text())).is_valid(said)


@pytest.mark.parametrize("identified", [False, True])
@pytest.mark.parametrize("which", ["brain", "chest"])
def test_the_numbers_are_those_of_the_report(
    request: pytest.FixtureRequest, which: str, identified: bool
) -> None:
    analysis: Analysis = request.getfixturevalue(which)
    said = told(analysis, identified=identified)
    report = numbers_in_report(analysis)
    assert report and numbers_in(said) == report
    module = said["data"]["module"]
    assert module["weights_sha256"] == analysis.module.weights_sha256
    assert module["device_uid"] == analysis.module.device_uid


def test_nothing_names_anybody_unless_the_receiver_is_told(
    brain: Analysis, chest: Analysis
) -> None:
    secret = "Jane Roe was here before"
    for analysis, names in ((brain, OF_BRAIN), (chest, OF_CHEST)):
        said = with_findings(
            analysis, Note(secret, caution=True), Urgency(secret), Refusal("odd", secret)
        )
        uids = {analysis.study.uid, *(one.uid for one in analysis.study.series), *analysis.by_uid}
        hidden = told(said)
        everything = list(texts_in(hidden))
        assert not [t for t in everything if t in uids or t in names or secret in t or "Roe" in t]
        assert hidden["data"]["urgent"] and hidden["data"]["low_confidence"]
        assert hidden["data"]["refusal"] == {"code": "odd", "text": None}
        open_ = list(texts_in(told(said, identified=True)))
        assert analysis.study.uid in open_ and names[0] in open_ and secret in open_


def test_the_pseudonyms_are_those_of_an_export(brain: Analysis) -> None:
    data = told(brain)["data"]
    assert data["patient"] == SITE.of("patient", "4711", "")
    assert data["study"] == SITE.of("study", brain.study.uid)
    assert data["series"][0]["series"] == SITE.of("series", brain.study.series[0].uid)
    nowhere = told(replace(brain, pseudonyms=None))["data"]
    assert nowhere["patient"] is nowhere["study"] is nowhere["result"] is None


def test_a_later_version_has_the_same_name_and_says_that_it_replaces(brain: Analysis) -> None:
    first = told(brain)["data"]
    later = told(replace(brain, workitem_id=derived_uid("later"), predecessor=(("1.2", "1.3"),)))
    assert later["data"]["result"] == first["result"]
    assert (first["replaces_earlier"], later["data"]["replaces_earlier"]) == (False, True)


@pytest.mark.parametrize("identified", [False, True])
def test_what_takes_back_names_what_it_takes_back(brain: Analysis, identified: bool) -> None:
    writing = Writing(brain, wishes={"identified": identified})
    said = checked(JsonResult().write_withdrawal(writing, ["2.25.7"], "That is Jane Roe's."))
    assert (said["type"], said["takes_back"]) == ("result.withdrawn", ["2.25.7"])
    assert said["reason"] == ("That is Jane Roe's." if identified else None)
    assert said["data"]["result"] == told(brain, identified=identified)["data"]["result"]


def test_an_outcome_is_told_with_its_code(chest: Analysis) -> None:
    data = told(chest)["data"]
    [outcome] = data["outcomes"]
    [classification] = chest.findings.classifications
    assert classification.outcome is not None
    assert outcome["code"]["code"] == classification.outcome.code.value
    scores = {g["finding"]["code"]: g["numbers"][0] for g in data["groups"] if g["finding"]}
    score = scores[classification.outcome.code.value]
    assert score["value"] == classification.outcome.value * 100 and score["unit"] == "%"


@pytest.mark.parametrize("identified", [False, True])
def test_what_a_reader_said_tells_what_it_is_about(brain: Analysis, identified: bool) -> None:
    wishes = {"identified": identified}
    [content] = JsonResult().write(Writing(brain, wishes=wishes))
    of_run = replace(brain, workitem_id="9", replaced=(WrittenFile("json", "1.2.3", content),))
    word = ReaderWord(AssessmentDecision.REJECTED, "Marker^Anna", "2.25.7", "so", brain.created)
    said = checked(JsonResult().write_assessment(Writing(of_run, wishes=wishes), ["1.2.3"], word))
    assert (said["type"], said["data"]) == ("result.assessed", checked(content)["data"])
    assert said["assessment"]["of"] == ["1.2.3"]
    named = (said["assessment"]["reader"] == "Marker^Anna", said["reason"] == "so")
    assert named == (identified, identified)
    assert identified or said["assessment"]["reader"] == SITE.of("reader", "2.25.7")
    assert checked(content)["assessment"] is None
