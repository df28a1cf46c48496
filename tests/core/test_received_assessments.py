"""What readers say in objects that arrive is on record once, with its origin."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from hilum.acts.requests import obey
from hilum.acts.withdrawing import RejectionNote, take_back
from hilum.assessments.decision import AssessmentDecision
from hilum.assessments.received_assessments import DIFFERS, LEFT_OUT, UNNAMED, read_assessments
from hilum.audit import AuditedAct, AuditEntry, AuditOutcome, AuditStore, audit_file
from hilum.config import parse
from hilum.config.kinds import Regions
from hilum.dicom import codes
from hilum.dicom.header import HOSTILE
from hilum.dicom.part10 import as_file
from hilum.errors import ConfigurationError
from hilum.findings import Length
from hilum.inbox import Intake
from hilum.inbox.assessments import FOLDER, Slip, keep, slips_in
from hilum.objects import write_objects
from hilum.objects.iod.stated_assessment import StatedAssessment, says_the_same, stated_in
from hilum.records.assessed import Assessment, last_of_each
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, RequestAction, WorkitemState
from tests.core.test_order_of_arrival import Gateway
from tests.core.test_passing_on import say
from tests.core.test_withdrawing import written
from tests.factory import mr_slices
from tests.objects import exams

ACCEPTED, REJECTED, SUPPLEMENTED = AssessmentDecision
OF_INTEREST = Code("113000", "DCM", "Of Interest")
AT = datetime(2001, 9, 9, 2, 0, 0)
OUT = {"out": {}}


def results_of(hall: Gateway, item: Workitem) -> list[Dataset]:
    found = hall.records.results.of_workitem(item.id)
    return [dcmread(hall.flow.site.data / one.path) for one in found]


def selection(
    named: Sequence[Dataset],
    title: Code = codes.REJECTED_BY_READER,
    reader: str = "Doe^Jane",
    description: str | None = "the left one is the amygdala",
    at: datetime = AT,
    **values: Any,
) -> Dataset:
    """A Key Object Selection as another program writes it, with highdicom."""
    person = hd.sr.ObserverContext(
        codes.PERSON, hd.sr.PersonObserverIdentifyingAttributes(reader or "^")
    )
    content = hd.ko.KeyObjectSelection(
        title, named, person if reader else None, description=description
    )
    document = hd.ko.KeyObjectSelectionDocument(
        named, content, generate_uid(), 7, generate_uid(), 1, manufacturer="Other"
    )
    document.ContentDate, document.ContentTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    for keyword, value in values.items():
        setattr(document, keyword, value)
    return document


def encoded(document: Dataset) -> bytes:
    with BytesIO() as buffer:
        document.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()


def arrives(hall: Gateway, document: Dataset, caller: str = "VIEWER") -> None:
    """The receiver keeps an object, and the slip; the gateway reads it."""
    stored = hall.inbox.store(encoded(document))
    assert stored.outcome is not Intake.QUARANTINED
    keep(
        hall.flow.site.data, Slip(stored.path.relative_to(hall.flow.site.data), caller, "10.0.0.9")
    )
    read_assessments(hall.flow)


def said_of(hall: Gateway, item: Workitem) -> list[Assessment]:
    return hall.records.assessments.of_workitem(item.id)


def lines(hall: Gateway, item: Workitem) -> list[str]:
    return [line.text for line in hall.records.events.of_kind(item.study_uid, EventKind.ASSESSED)]


def entries(hall: Gateway) -> list[AuditEntry]:
    with closing(AuditStore(audit_file(hall.flow.site.data))) as store:
        return store.after(0, 1000)


TITLES = {
    codes.ACCEPTED_BY_READER: ACCEPTED,
    codes.REJECTED_BY_READER: REJECTED,
    codes.SUPPLEMENTED_BY_READER: SUPPLEMENTED,
    codes.QUALITY_ISSUE: REJECTED,
    codes.REJECTED_FOR_PATIENT_SAFETY: REJECTED,
    OF_INTEREST: ACCEPTED,  # as the site has it
}


def test_a_key_object_selection_is_on_record_once() -> None:
    with written(assessment={"titles": {"113000^DCM": "accepted"}}, **OUT) as (hall, item):
        named = results_of(hall, item)
        documents = {title: selection(named, title, f"{title.value}^Jane") for title in TITLES}
        for document in (*documents.values(), *documents.values()):  # or again, after a crash
            arrives(hall, document)
        reason = "the left one is the amygdala"
        assert said_of(hall, item) == [
            Assessment(
                item.id,
                number,
                AT.timestamp(),
                f"{title.value} Jane",
                f"DICOM VIEWER {title.value} jane",
                TITLES[title],
                reason,
                "VIEWER",
                document.SOPInstanceUID,
            )
            for number, (title, document) in enumerate(documents.items(), start=1)
        ]
        assert lines(hall, item) == [
            f"m 1 is {decision} by a reader, in an object from VIEWER"
            for decision in TITLES.values()
        ]
        first, *others = entries(hall)
        assert len(others) == len(TITLES) - 1
        done = (AuditedAct.ASSESS, AuditOutcome.ASKED, "DICOM")
        assert (first.act, first.outcome, first.origin) == done
        who = ("accepted Jane", "DICOM VIEWER accepted jane", "10.0.0.9")
        assert (first.person, first.account, first.address) == who
        assert (first.reason, first.object) == ("accepted", item.id)
        assert list(slips_in(hall.flow.site.data)) == []


def test_readers_who_disagree_are_both_kept_and_the_last_word_of_each_counts() -> None:
    with written(**OUT) as (hall, item):
        named = results_of(hall, item)
        for reader, title, minutes in (
            ("Doe^Jane", codes.ACCEPTED_BY_READER, 10),
            ("Roe^Max", codes.REJECTED_BY_READER, 11),
            ("DOE^JANE", codes.REJECTED_BY_READER, 12),
            ("Doe^Jane", codes.SUPPLEMENTED_BY_READER, 5),  # it was late on its way
            ("", codes.ACCEPTED_BY_READER, 13),
            ("", codes.REJECTED_BY_READER, 14),
        ):
            arrives(hall, selection(named, title, reader, at=AT + timedelta(minutes=minutes)))
        say(hall, item, ACCEPTED, "Doe Jane")  # here: nobody knows whether it is the same person
        said = said_of(hall, item)
        assert len(said) == 7
        last = [(one.reader, one.decision) for one in last_of_each(said)]
        assert sorted(last) == [
            ("DOE JANE", REJECTED),
            ("Doe Jane", ACCEPTED),
            ("Roe Max", REJECTED),
            (UNNAMED, ACCEPTED),
            (UNNAMED, REJECTED),
        ]


CROOKED: dict[str, dict[str, Any]] = {
    "it names no result of ours": {},
    "its title (113000^DCM) says nothing of a result; `titles` in [assessment] may name it": {
        "ConceptNameCodeSequence": [codes.item(OF_INTEREST)]
    },
    "it names no object": {"ContentSequence": []},
    "it cannot be read": {"ConceptNameCodeSequence": []},
}


def test_an_object_that_says_nothing_of_ours_is_an_ordinary_one() -> None:
    with written(**OUT) as (hall, item):
        others = [dcmread(path) for path in hall.flow.workitems.images(item)]
        documents = [selection(others, **changed) for changed in CROOKED.values()]
        for document in (*documents, *documents):
            arrives(hall, document)
            assert hall.inbox.path_of(item.study_uid, document.SOPInstanceUID).exists()
        assert said_of(hall, item) == entries(hall) == []
        text = "a Key Object Selection from VIEWER is kept like any other object: "
        assert lines(hall, item) == [text + words for words in CROOKED]


def test_what_we_sent_ourselves_says_nothing_new_when_it_comes_back() -> None:
    with written(pacs={"assessments": True}) as (hall, item):
        say(hall, item)
        obey(hall.flow)
        [note] = [one for one in hall.records.workitems.of_study(item.study_uid) if one.about]
        [sent] = results_of(hall, note)
        for one in (sent, *results_of(hall, item)):
            arrives(hall, one, "PACS")
        assert [one.sender for one in said_of(hall, item)] == [""]
        assert len(lines(hall, item)) == 1
        assert hall.records.requests.waiting() == []


def test_a_reason_that_names_the_patient_stays_in_the_object() -> None:
    with written(**OUT) as (hall, item):
        named = results_of(hall, item)
        patient = str(named[0].PatientID)
        arrives(hall, selection(named, description=f"it is {patient}"))
        arrives(hall, selection(named, description="x" * 900, at=AT + timedelta(1)))
        arrives(hall, selection(named, description=None, at=AT + timedelta(2)))
        assert [one.reason for one in said_of(hall, item)] == [
            LEFT_OUT,
            "x" * 500,
            "Result rejected by a reader",
        ]


def test_texts_are_taken_without_what_cannot_be_printed() -> None:
    with written(**OUT) as (hall, item):
        document = selection(results_of(hall, item), reader="Doe^J\x07ane")
        document.ContentSequence[-len(results_of(hall, item)) - 1].TextValue = "le\0ft\x08"
        arrives(hall, document)
        [said] = said_of(hall, item)
        assert (said.reader, said.reason) == ("Doe J ane", "le ft")


def test_nothing_is_said_before_there_is_a_result() -> None:
    with written(**OUT) as (hall, item):
        first = {"ContentDate": "00010101", "ContentTime": "000000"}  # no program can show it
        arrives(hall, selection(results_of(hall, item), TimezoneOffsetFromUTC="+1400", **first))
        assert [one.at for one in said_of(hall, item)] == [item.created]


def test_a_rejected_result_is_taken_back_where_the_site_wishes_so() -> None:
    with written(assessment={"withdraw_rejected": True}, **OUT) as (hall, item):
        arrives(hall, selection(results_of(hall, item), codes.ACCEPTED_BY_READER))
        arrives(hall, selection(results_of(hall, item), at=AT + timedelta(1)))
        asked = [(one.action, one.workitem_id) for one in hall.records.requests.waiting()]
        assert asked == [(RequestAction.WITHDRAW_REJECTED, item.id)]
        acts = [entry.act for entry in entries(hall)]
        assert acts == [AuditedAct.ASSESS, AuditedAct.ASSESS, AuditedAct.WITHDRAW]
        read_assessments(hall.flow)
        obey(hall.flow)
        assert hall.records.workitems.one(item.id).state is WorkitemState.WITHDRAWN


def test_what_was_taken_back_is_not_assessed_any_more() -> None:
    with written(**OUT) as (hall, item):
        document = selection(results_of(hall, item))
        take_back(hall.flow, item, RejectionNote(1e9, "wrong"))
        for _ in range(2):
            arrives(hall, document)
        assert said_of(hall, item) == []
        assert lines(hall, item) == [
            "what an object from VIEWER says of m 1 does not count: it was taken back: a result "
            "that no longer stands is not assessed"
        ]


def verified(report: Dataset) -> Dataset:
    """The report as a person verifies it: PS3.3 C.17.2, Predecessor Documents Sequence."""
    document = dcmread(BytesIO(encoded(report)))
    before = Dataset()
    before.ReferencedSOPClassUID = report.SOPClassUID
    before.ReferencedSOPInstanceUID = report.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = report.SeriesInstanceUID, [before]
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = report.StudyInstanceUID, [series]
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = "Doe^Jane", "Hospital"
    observer.VerificationDateTime = "20010909020000.5+0000"
    document.VerificationFlag = "VERIFIED"
    document.VerifyingObserverSequence = [observer]
    document.PredecessorDocumentsSequence = [study]
    document.SOPInstanceUID = document.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    document.SeriesInstanceUID = generate_uid()
    return document


def test_a_report_that_a_person_verifies_is_accepted_or_supplemented() -> None:
    with written(**OUT) as (hall, item):
        [report] = [one for one in results_of(hall, item) if one.Modality == "SR"]
        unverified = verified(report)
        unverified.VerificationFlag = "UNVERIFIED"
        arrives(hall, unverified)
        assert said_of(hall, item) == []
        assert lines(hall, item) == []  # a report need not be about ours
        same, changed = verified(report), verified(report)
        arrives(hall, same)
        comment = Dataset()
        comment.update(changed.ContentSequence[0])
        comment.RelationshipType, comment.ValueType = "CONTAINS", "TEXT"
        comment.TextValue = "and a cyst"
        changed.ContentSequence.append(comment)
        arrives(hall, changed)
        assert [(one.decision, one.reason) for one in said_of(hall, item)] == [
            (ACCEPTED, ""),
            (SUPPLEMENTED, DIFFERS),
        ]
        assert {one.reader for one in said_of(hall, item)} == {"Doe Jane"}
        stored = dcmread(
            hall.flow.site.data
            / next(r.path for r in hall.records.results.of_workitem(item.id) if r.kind == "sr")
        )
        assert stored.VerificationFlag == "UNVERIFIED"
        assert says_the_same(stored, same) and not says_the_same(stored, changed)


def test_a_verified_report_cannot_be_judged_when_ours_is_gone() -> None:
    with written(**OUT) as (hall, item):
        [report] = [one for one in results_of(hall, item) if one.Modality == "SR"]
        for result in hall.records.results.of_workitem(item.id):
            (hall.flow.site.data / result.path).unlink()
        arrives(hall, verified(report))
        assert said_of(hall, item) == []
        [line] = lines(hall, item)
        assert line.endswith(
            "our report is no longer here, so nobody can tell whether it says the same"
        )


def test_what_cannot_be_audited_waits_until_it_can() -> None:
    with written(**OUT) as (hall, item):
        in_the_way = audit_file(hall.flow.site.data)
        in_the_way.mkdir()
        arrives(hall, selection(results_of(hall, item)))
        assert said_of(hall, item) == []
        assert len(list(slips_in(hall.flow.site.data))) == 1
        in_the_way.rmdir()
        read_assessments(hall.flow)
        assert len(said_of(hall, item)) == len(entries(hall)) == 1
        assert list(slips_in(hall.flow.site.data)) == []


def test_a_slip_that_cannot_be_read_now_holds_up_no_other() -> None:
    with written(**OUT) as (hall, item):
        in_the_way = hall.flow.site.data / FOLDER / "0.json"
        in_the_way.mkdir(parents=True)
        arrives(hall, selection(results_of(hall, item)))
        assert len(said_of(hall, item)) == 1
        assert list(slips_in(hall.flow.site.data)) == []


@pytest.fixture(scope="module")
def a_selection() -> bytes:
    return encoded(selection(mr_slices(count=1, shape=(4, 4))))


@given(data=st.data())
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore")  # as the gateway does
def test_nothing_that_is_crooked_does_harm(a_selection: bytes, data: st.DataObject) -> None:
    start = len(a_selection) - 400  # title and content are at the end
    places = st.lists(st.integers(start, len(a_selection) - 1), min_size=1, max_size=6)
    content = bytearray(a_selection)
    for place in data.draw(places):
        content[place] = data.draw(st.integers(0, 255))
    try:
        document = dcmread(BytesIO(bytes(content)))
    except HOSTILE:
        return  # the inbox takes no such file
    assert isinstance(stated_in(document, {}), str | StatedAssessment)
    says_the_same(document, document)


def test_who_may_assess_has_to_be_let_in() -> None:
    receiver = {"assessments_from": ["VIEWER"], "allowed_callers": ["MR1"]}
    with pytest.raises(ConfigurationError, match="names VIEWER, whom allowed_callers does not let"):
        parse({"receiver": receiver})
    receiver["allowed_callers"].append("VIEWER")
    assert parse({"receiver": receiver}).receiver.assessments_from == ("VIEWER",)
    assert parse({"receiver": {"assessments_from": ["VIEWER"]}})


SAYING = {  # attributes of a report by which a reader changes what it says, and another value
    "TextValue": "another",
    "UID": "1.2.3",
    "PersonName": "Roe^Jane",
    "CodeValue": "another",
    "CodingSchemeDesignator": "99X",
    "NumericValue": "4711",
    "GraphicType": "MULTIPOINT",
    "GraphicData": [1.0, 2.0, 3.0],
    "ReferencedFrameOfReferenceUID": "1.2.3",
    "ReferencedSOPInstanceUID": "1.2.3",
    "ReferencedFrameNumber": 4711,
    "ReferencedSegmentNumber": 4711,
}


def items_of(dataset: Dataset) -> Iterator[Dataset]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from items_of(item)


@pytest.mark.parametrize("regions", ["outlines", "segments"])
def test_whatever_a_reader_changes_in_a_report_is_seen(tmp_path: Path, regions: Regions) -> None:
    study = exams.write_exam(tmp_path, shape=(5, 12, 12))
    series = study.series[0]
    line = Length(((1.0, 1.0, 0.0), (4.0, 5.0, 6.0)), "Through")
    analysis = exams.analysis_of(study, series, line)
    report = dict(write_objects(analysis, ("seg", "sr"), regions=regions))["sr"]
    assert isinstance(report, Dataset)
    ours, theirs = (dcmread(BytesIO(as_file(report))) for _ in range(2))
    assert says_the_same(ours, theirs)
    changed = set()
    for item in [one for top in theirs.ContentSequence for one in (top, *items_of(top))]:
        for keyword, value in SAYING.items():
            if keyword in item and keyword not in changed:
                before = item[keyword].value
                setattr(item, keyword, value)
                assert not says_the_same(ours, theirs), f"{keyword} of {item}"
                setattr(item, keyword, before)
                changed.add(keyword)
    assert len(changed) >= 10
    del theirs.ContentSequence[-1]
    assert not says_the_same(ours, theirs)
