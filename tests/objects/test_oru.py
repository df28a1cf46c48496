"""HL7 result messages: the numbers of the report, as other programs read them, text and urgency."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path

import hl7
import numpy as np
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from hilum.acts.rerunning import AFTER_NOTE
from hilum.assessments.decision import AssessmentDecision
from hilum.config.hl7 import Dialect, Language
from hilum.dicom import codes
from hilum.findings import (
    Angle,
    Classification,
    Draft,
    Findings,
    Length,
    Measurement,
    Note,
    Refusal,
    Score,
    Segment,
    Table,
    Urgency,
)
from hilum.hl7.er7 import MessageSegment, ReceivedMessage
from hilum.objects import Analysis, ReaderWord
from hilum.objects.analysis import WrittenFile
from hilum.objects.iod import sr
from hilum.objects.kinds import Writing
from hilum.objects.oru import ResultMessages
from hilum.objects.oru.words import BY_LANGUAGE
from hilum.objects.report import Report
from hilum.objects.telling import in_known_kinds
from hilum.results import WithdrawalReason

from . import exams, films


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    study = exams.write_exam(tmp_path_factory.mktemp("brain"), shape=(6, 12, 12))
    return exams.analysis_of(study, study.series[0])


@pytest.fixture(scope="module")
def lent(brain: Analysis) -> Callable[[], Analysis]:
    """The same; Hypothesis would print all of it."""
    return lambda: brain


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return films.one_film(tmp_path_factory.mktemp("chest"))


def with_findings(analysis: Analysis, *more: object) -> Analysis:
    items = (*analysis.findings.items, *more)
    return replace(analysis, findings=Findings(items))  # type: ignore[arg-type]


def sent(analysis: Analysis, **wishes: object) -> list[bytes]:
    return ResultMessages().write(Writing(analysis, wishes=wishes))  # type: ignore[arg-type]


def observations(content: bytes, kind: str = "") -> list[MessageSegment]:
    found = [one for one in ReceivedMessage.of(content).segments if one.name == "OBX"]
    return [one for one in found if kind in ("", one.text(2))]


def text_of(content: bytes) -> str:
    return "\n".join(one.text(5) for one in observations(content, "TX"))


def numbers_in_report(analysis: Analysis) -> Counter[tuple[str, str, float]]:
    """Code, unit and value of every number of the measurement report, uncertainties too."""
    found: Counter[tuple[str, str, float]] = Counter()

    def walk(item: Dataset) -> None:
        if item.get("ValueType") == "NUM":
            [name], [measured] = item.ConceptNameCodeSequence, item.MeasuredValueSequence
            [unit] = measured.MeasurementUnitsCodeSequence
            found[name.CodeValue, unit.CodeValue, float(str(measured.NumericValue))] += 1
        for child in item.get("ContentSequence", ()):
            walk(child)

    walk(sr.write(Report(analysis), None, "outlines"))
    return found


def numbers_in_message(content: bytes) -> Counter[tuple[str, str, float]]:
    """The same of a message, by another program."""
    parsed = hl7.parse(content.decode())
    found: Counter[tuple[str, str, float]] = Counter()
    for one in parsed.segments("OBX"):
        if str(one(2)) == "NM":
            assert re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+", str(one(5))), "NM has no exponent"
            assert str(one(6)[0][2]) == "UCUM" and str(one(11)) == "P"
            found[str(one(3)[0][0]), str(one(6)[0][0]), float(str(one(5)))] += 1
    return found


VALUES = st.floats(allow_nan=False, allow_infinity=False, width=32)
COUNTED = st.builds(
    lambda value, error: Measurement(codes.VOLUME_OF_BOTH, value, codes.MILLILITRE, None, error),
    VALUES,
    st.none() | st.floats(0, 1e6),
)
SCORED = Classification(
    (Score(codes.BRAIN, "one", 0.375), Score(codes.HIPPOCAMPUS, "other", 0.625)), None, "A guess."
)
TOLD = st.one_of(
    COUNTED,
    st.just(SCORED),
    st.just("a structure that was not found"),
    st.builds(lambda value: Length(((0, 0, 0), (value, 0, 0)), "a line"), st.floats(0.001, 300)),
    st.builds(Note, st.sampled_from(["one\ntwo", "a | b ^ c ~ d \\ e & f", "Äpfel 山田"])),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(more=st.lists(TOLD, max_size=4), times=st.floats(0.1, 3))
def test_the_numbers_are_those_of_the_report(
    lent: Callable[[], Analysis], more: list[object], times: float
) -> None:
    series = lent().series
    assert series is not None
    nothing = series.volume().with_array(np.zeros(series.volume().array.shape, bool))
    found = [Segment(nothing, codes.BRAIN, "gone") if isinstance(m, str) else m for m in more]
    followed = exams.with_changes(lent(), (date(2024, 3, 4), times))
    analysis = with_findings(followed, *found)
    [content] = sent(analysis)
    assert numbers_in_message(content) == numbers_in_report(analysis)


def test_the_numbers_of_films_and_scores_are_those_of_the_report(chest: Analysis) -> None:
    [content] = sent(chest)
    found = numbers_in_message(content)
    assert found == numbers_in_report(chest)
    assert codes.CERTAINTY_OF_FINDING.value in {code for code, *_ in found}


@pytest.mark.parametrize("status", ["P", "W", "D"])
def test_another_program_finds_every_message_well_formed(
    brain: Analysis, chest: Analysis, status: str
) -> None:
    strict = partial(parse_message, validation_level=VALIDATION_LEVEL.TOLERANT)
    for analysis in (brain, chest):
        urgent = with_findings(analysis, Urgency("Look at once."))
        wishes = {"urgency": "order", "link": "https://viewer/?a=1&StudyInstanceUIDs={study_uid}"}
        messages = sent(urgent, **wishes)
        if status != "P":
            writing = Writing(urgent, wishes={**wishes, "withdrawn": status})
            messages = [ResultMessages().write_withdrawal(writing, ["1.2.3"], "Of another.")]
        for content in messages:
            parsed = strict(content.decode(), find_groups=True)
            assert parsed.validate(), "its segments, groups and fields are those of HL7 2.5.1"
        result = strict(messages[0].decode(), find_groups=False)
        found = {one.obx_11.value for one in result.children if one.name == "OBX"}
        assert found == {status, "P"}


@pytest.mark.parametrize("language", BY_LANGUAGE)
@pytest.mark.parametrize("decision", AssessmentDecision)
def test_another_program_finds_what_a_reader_said_well_formed(
    brain: Analysis, language: Language, decision: AssessmentDecision
) -> None:
    wishes: dict[str, object] = {"language": language}
    urgent = with_findings(brain, Urgency("Look at once."))
    result = sent(urgent, urgency="order", **wishes)
    files = [WrittenFile("oru", str(number), one) for number, one in enumerate(result)]
    at = datetime.fromtimestamp(1e9).astimezone()
    word = ReaderWord(decision, "Anna|Roe^", "key", "a|b\nc", at, (AssessmentDecision.ACCEPTED, at))
    note = replace(brain, workitem_id="n", created=at, replaced=tuple(files))
    content = ResultMessages().write_assessment(Writing(note, wishes=wishes), ["1", "0"], word)  # type: ignore[arg-type]
    files.append(WrittenFile("oru", "2", content))
    taken_back = replace(brain, replaced=tuple(files))
    back = ResultMessages().write_withdrawal(
        Writing(taken_back, wishes=wishes),
        [one.identity for one in files],
        "Wrong.",  # type: ignore[arg-type]
    )
    for message in (content, back):
        tolerant = VALIDATION_LEVEL.TOLERANT
        parsed = parse_message(message.decode(), validation_level=tolerant, find_groups=True)
        assert parsed.validate()
    told = [ReceivedMessage.of(one) for one in (content, result[0])]
    assert told[0].first("PID") == told[1].first("PID")
    first, second, *_ = observations(content)
    assert (first.text(5), first.text(16, 2)) == (str(decision), "Anna|Roe^")
    assert second.text(5) == told[1].control_id, "of just this message"
    texts = [one.text(5) for one in observations(content, "TX")]
    assert len(texts) == 4 and texts[1:3] == ["a|b", "c"]
    assert BY_LANGUAGE[language].decisions[decision] in texts[0]
    marks = {one.text(11) for one in observations(back)[-len(observations(content)) :]}
    assert marks == {"W"}


def test_whose_it_is_and_of_which_order(brain: Analysis) -> None:
    [content] = sent(brain, patient_id_issuer="HOSP", receiving_application="RIS")
    message = ReceivedMessage.of(content)
    pid, obr = message.first("PID"), message.first("OBR")
    assert pid and obr
    assert (pid.text(3), pid.text(3, 4)) == ("4711", "HOSP")
    assert (pid.text(5, 1), pid.text(5, 2), pid.text(7), pid.text(8)) == (
        "Roe",
        "Jane",
        "19600102",
        "F",
    )
    assert (obr.text(2), obr.text(18), obr.text(25), obr.text(7)) == (
        "A1",
        "A1",
        "P",
        "20260304101112",
    )
    assert message.header.text(5) == "RIS" and len(message.control_id) == 20


def test_the_receiver_is_asked_for_the_acknowledgements_that_it_gives(brain: Analysis) -> None:
    for enhanced, asked in ((True, ("AL", "NE")), (False, ("", ""))):
        said = ReceivedMessage.of(sent(brain, enhanced=enhanced)[0]).header
        assert (said.text(15), said.text(16)) == asked


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hostile", ["A|1^2&3~4", "MSH|^~", "\x0b\x1c\r PID|1", ""])
def test_no_text_of_an_image_breaks_a_message(tmp_path: Path, hostile: str) -> None:
    def change(image: Dataset) -> None:
        for keyword in ("PatientID", "AccessionNumber", "StudyID", "IssuerOfPatientID"):
            image.add_new(keyword, "LO", hostile)
        image.PatientName, image.PatientSex, image.StudyDate = hostile, "X", "yesterday"

    study = exams.write_exam(tmp_path, change, shape=(2, 6, 6))
    analysis = exams.result_of(study, study.series[0], ())
    result, *orders = sent(analysis, urgency="order", every_urgent=True)
    assert len(orders) == bool(hostile), "an order without a number cannot be found there"
    names = [str(one[0]) for one in hl7.parse(result.decode())]
    assert names[:4] == ["MSH", "PID", "ORC", "OBR"] and set(names[4:]) == {"OBX"}
    assert not [one for one in (result, *orders) if b"\x0b" in one or b"\x1c" in one]
    pid = ReceivedMessage.of(result).first("PID")
    assert pid is not None and pid.text(3) == hostile.strip()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("language", sorted(exams.NAMES))
def test_names_arrive_in_every_script(tmp_path: Path, language: str) -> None:
    character_set, name = exams.NAMES[language]

    def change(image: Dataset) -> None:
        image.SpecificCharacterSet, image.PatientName = character_set, name

    study = exams.write_exam(tmp_path, change, shape=(2, 6, 6))
    [content] = sent(exams.result_of(study, study.series[0], ()))
    pid = ReceivedMessage.of(content).first("PID")
    assert pid is not None
    groups = name.split("=")
    for components, group in zip(pid.repetitions(5), groups, strict=True):
        assert components[:2] == tuple(group.split("^"))
    assert [components[7] for components in pid.repetitions(5)] == list("AIP"[: len(groups)])


def test_the_text_is_a_draft_in_the_language_of_the_site(brain: Analysis) -> None:
    study = brain.study
    analysis = exams.with_changes(
        exams.result_of(study, study.series[0], exams.pair(study.series[0]))
    )
    texts = {
        language: text_of(sent(analysis, language=language)[0]) for language in ("en", "de", "fr")
    }
    assert (
        texts["en"].splitlines()[0] == "Result of a program, a draft: no physician has checked it."
    )
    assert "nicht ärztlich geprüft" in texts["de"].splitlines()[0]
    assert "aucun médecin ne l'a vérifié" in texts["fr"].splitlines()[0]
    [english] = re.findall(r"^Left hippocampus: ([0-9.]+) ± [0-9.]+ mL$", texts["en"], re.MULTILINE)
    [german] = re.findall(
        r"^Linker Hippocampus: ([0-9,]+) ± [0-9,]+ mL$", texts["de"], re.MULTILINE
    )
    assert german.replace(",", ".") == english
    assert "since 2024-03-04, beyond measurement error" in texts["en"]
    assert "seit 2024-03-04, jenseits des Messfehlers" in texts["de"]
    assert "depuis le 2024-03-04, au-delà de l'erreur de mesure" in texts["fr"]


@pytest.mark.parametrize("language", ["de", "fr"])
def test_a_language_has_its_own_words_for_all_that_hilum_says(language: Language) -> None:
    told = vars(BY_LANGUAGE[language])
    same = {name for name, text in vars(BY_LANGUAGE["en"]).items() if told[name] == text}
    assert same <= {"colon", "urgent"}, "Urgent is French, too"
    reasons = BY_LANGUAGE[language].reasons
    assert set(reasons) == set(WithdrawalReason)
    assert not set(reasons.values()) & set(WithdrawalReason)


def test_why_hilum_withdraws_is_translated_and_what_a_person_says_is_not(brain: Analysis) -> None:
    def why(reason: str) -> str:
        writing = Writing(brain, wishes={"language": "de"})
        return text_of(ResultMessages().write_withdrawal(writing, ["1"], reason)).splitlines()[0]

    begins = "Dieses Ergebnis wurde zurückgezogen: "
    ours = WithdrawalReason.CORRECTED
    assert why(ours) == f"{begins}Die Patienten- oder Studiendaten dieser Bilder wurden berichtigt."
    assert why(str(ours.value)) == f"{begins}{ours}", "somebody has typed it"
    assert why("Of another structure.") == f"{begins}Of another structure."


def test_every_kind_of_finding_is_in_the_text(brain: Analysis, chest: Analysis) -> None:
    more = (
        Length(((0, 0, 0), (30, 0, 0)), "Long axis"),
        Angle(((0, 0, 0), (1, 0, 0), (1, 1, 0)), "Bend"),
        Table("Doses", ("Day", "mGy"), (("Monday", "3"),)),
        Draft("The left one is small.", "Impression"),
        Note("the image is blurred", caution=True),
        Note("x" * 2500),
    )
    analysis = with_findings(brain, *more)
    told = replace(analysis, findings=in_known_kinds(analysis.findings))
    [content] = sent(told, language="de")
    text = text_of(content)
    for words in ("Long axis: 30,0 mm", "Bend: 90,0 °", "Monday", "ENTWURF", "Wenig verlässlich: "):
        assert words in text, words
    assert max(map(len, text.splitlines())) <= 900 and text.count("x" * 700) == 3
    assert "Most similar group: " in text_of(sent(chest)[0])


def test_a_refusal_says_why_in_words(brain: Analysis) -> None:
    refused = replace(brain, findings=Findings((Refusal("no", "the images are blurred"),)))
    [content] = sent(refused, urgency="flag", every_urgent=True, language="de")
    assert "Konnte nicht ausgewertet werden: the images are blurred." in text_of(content)
    ours = Refusal("thick", "the slices are 3 mm thick; the model takes at most 1.5 mm.")
    [of_ours] = sent(replace(brain, findings=Findings((ours,))), language="de")
    said = "Konnte nicht ausgewertet werden: die Schichten sind 3 mm dick; das Modell nimmt"
    assert f"{said} höchstens 1,5 mm." in text_of(of_ours)
    assert not observations(content, "NM")
    assert not [one for one in observations(content) if one.text(8)]


def test_a_link_leads_to_the_study(brain: Analysis) -> None:
    [content] = sent(brain, link="https://viewer/?a=1&StudyInstanceUIDs={study_uid}")
    [link] = observations(content, "RP")
    assert link.text(5) == f"https://viewer/?a=1&StudyInstanceUIDs={brain.study.uid}"
    assert not observations(sent(brain)[0], "RP")
    with pytest.raises(ValueError, match=r"such as http:.*{study_uid}"):
        Dialect(link="https://viewer/")


def test_urgency_is_told_as_the_receiver_takes_it(brain: Analysis) -> None:
    urgent = with_findings(brain, Urgency("Bleeding"))
    assert [
        one.text(5) for one in observations(sent(urgent, urgency="flag")[0]) if one.text(8)
    ] == ["Urgent: bleeding."]
    assert not [one for one in observations(sent(urgent)[0]) if one.text(8)]
    result, order = sent(urgent, urgency="order")
    assert [one.text(9) for one in ReceivedMessage.of(order).segments if one.name == "TQ1"] == ["S"]
    changed = ReceivedMessage.of(order).first("ORC")
    assert changed and (changed.text(1), changed.text(2)) == ("XO", "A1")
    assert len(sent(brain, urgency="order")) == 1, "nobody says that it is urgent"
    assert len(sent(brain, urgency="order", every_urgent=True)) == 2
    assert sent(urgent, urgency="order") == [result, order], "a repeat has the same bytes"


def test_a_later_result_takes_the_place_of_an_earlier_one(brain: Analysis, chest: Analysis) -> None:
    later = replace(brain, workitem_id="w-2")
    first, second = (ReceivedMessage.of(sent(one)[0]) for one in (brain, later))
    withdrawn = ReceivedMessage.of(
        ResultMessages().write_withdrawal(Writing(replace(brain, workitem_id="n")), ["1.2"], "No.")
    )
    numbers = {one.first("OBR").text(3) for one in (first, second, withdrawn)}  # type: ignore[union-attr]
    assert len(numbers) == 1
    assert len({one.control_id for one in (first, second, withdrawn)}) == 3
    assert numbers != {ReceivedMessage.of(sent(chest)[0]).first("OBR").text(3)}  # type: ignore[union-attr]


def test_what_is_made_a_millisecond_later_has_a_later_time(brain: Analysis) -> None:
    before = replace(brain, created=datetime.fromtimestamp(1e9).astimezone())
    after = replace(brain, created=datetime.fromtimestamp(1e9 + AFTER_NOTE).astimezone())
    times = [ReceivedMessage.of(sent(one)[0]).first("MSH").text(7) for one in (before, after)]  # type: ignore[union-attr]
    assert times[0] < times[1]
    assert all(re.fullmatch(r"\d{14}\.\d{4}[+-]\d{4}", at) for at in times)


def test_a_withdrawal_marks_everything_and_says_why(brain: Analysis) -> None:
    content = ResultMessages().write_withdrawal(Writing(brain), ["1.2.3"], "Of another structure.")
    marks = [one.text(11) for one in observations(content)]
    assert marks == ["P", *["W"] * (len(marks) - 1)]
    assert text_of(content).startswith("This result was withdrawn: Of another structure.")
    notes = [one.text(3) for one in ReceivedMessage.of(content).segments if one.name == "NTE"]
    assert notes == ["This result was withdrawn: Of another structure.", "1.2.3"]
