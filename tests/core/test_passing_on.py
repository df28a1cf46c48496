"""What readers say of a result goes out: once, after the result, and as each destination wants."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from hilum.acts.releasing import release
from hilum.acts.requests import obey
from hilum.acts.resending import lacks
from hilum.acts.withdrawing import RejectionNote, take_back
from hilum.assessments.assessing import put_on_record
from hilum.assessments.decision import AssessmentDecision
from hilum.assessments.passing_on import WAITS
from hilum.config import parse
from hilum.errors import ConfigurationError
from hilum.hl7.er7 import ReceivedMessage
from hilum.records.assessed import Assessment
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    PARKED,
    DeliveryState,
    EventKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.records.views import trace
from hilum.result_event import decoded
from hilum.study.runs import assessment_uid, withdrawal_uid
from hilum.why.explanation import Cause, Explanation
from hilum.why.items import of_item
from hilum.why.known import Known
from tests.core.test_order_of_arrival import Gateway
from tests.core.test_taking_places import Record, in_record
from tests.core.test_withdrawing import files_for, send, written
from tests.fhir_server import WELL, FhirBehaviour
from tests.mllp_receiver import Receiver, receiving

ACCEPTED, REJECTED, SUPPLEMENTED = AssessmentDecision
AT = 1e9 + 1000
LAKE = {"kind": "webhook", "url": "https://lake.hospital/in", "secret_files": ["of.lake"]}


def say(
    hall: Gateway,
    item: Workitem,
    decision: AssessmentDecision = REJECTED,
    who: str = "anna",
    at: float = AT,
    **values: Any,
) -> Assessment:
    reason = "" if decision is ACCEPTED else f"{who} says why"
    said = Assessment(item.id, 0, at, who, f"account {who}", decision, reason, **values)
    made = put_on_record(hall.flow.site, hall.records, said)
    assert made
    return made


def notes(hall: Gateway, item: Workitem) -> list[Workitem]:
    items = hall.records.workitems.of_study(item.study_uid)
    return [one for one in items if one.kind is WorkitemKind.ASSESSMENT]


def answers(hall: Gateway) -> list[str]:
    """What the gateway answers to all that it is asked now."""
    asked = hall.records.requests.waiting()
    obey(hall.flow)
    return [hall.records.requests.one(one.id).answer or "" for one in asked]


@contextmanager
def to_folders(**destinations: Mapping[str, Any]) -> Iterator[tuple[Gateway, Workitem, Path]]:
    """A result that goes to real folders, one for each destination; nothing is sent yet."""
    with TemporaryDirectory() as folder:
        ends = {
            name: {"folder": f"{folder}/{name}", "objects": ["sr", "sc"], **settings}
            for name, settings in destinations.items()
        }
        with written(**ends) as (hall, item):
            hall.flow.outbox._clock = hall.clock
            yield hall, item, Path(folder)


def deliver(hall: Gateway, name: str, most: int = 5) -> None:
    """As many deliveries to a destination as are due, `most` at most."""
    [settings] = [one for one in hall.flow.site.destination if one.name == name]
    for _ in range(most):
        hall.flow.outbox.deliver_next(settings)


def objects_in(folder: Path) -> list[Dataset]:
    return [dcmread(file) for file in sorted(folder.rglob("*.dcm"))]


def notes_in(folder: Path) -> list[Dataset]:
    found = [one for one in objects_in(folder) if one.Modality == "KO"]
    return sorted(found, key=lambda one: str(one.ContentTime))


def test_an_archive_that_wants_it_is_told_after_the_result() -> None:
    with to_folders(pacs={"assessments": True}, quiet={}) as (hall, item, folder):
        made = say(hall, item)
        assert answers(hall) == ["what a reader said of the result goes to pacs"]
        [note] = notes(hall, item)
        assert (note.about, note.superseded_by, note.state) == (item.id, None, "delivering")
        deliver(hall, "pacs", most=1)
        assert {one.Modality for one in objects_in(folder / "pacs")} == {"SR", "OT"}
        assert not notes_in(folder / "pacs")
        deliver(hall, "pacs")
        deliver(hall, "quiet")
        [told] = notes_in(folder / "pacs")
        assert notes_in(folder / "quiet") == []
        assert told.ConceptNameCodeSequence[0].CodeMeaning == "Result rejected by a reader"
        named = {one.SOPInstanceUID for one in objects_in(folder / "pacs")} - {told.SOPInstanceUID}
        study = told.CurrentRequestedProcedureEvidenceSequence[0]
        assert named == {
            one.ReferencedSOPInstanceUID
            for series in study.ReferencedSeriesSequence
            for one in series.ReferencedSOPSequence
        }
        values = [one.get("PersonName") or one.get("TextValue") for one in told.ContentSequence]
        assert [value for value in values if value] == ["anna^", "anna says why"]
        assert hall.records.workitems.one(note.id).state is WorkitemState.COMPLETED
        assert "verified in pacs" in hall.records.workitems.one(note.id).reason
        report = next(one for one in objects_in(folder / "pacs") if one.Modality == "SR")
        assert report.VerificationFlag == "UNVERIFIED"
        lines = [one.text for one in hall.records.events.of_study(item.study_uid)]
        assert "what a reader said of the result goes to pacs" in lines
        assert not any("anna" in line for line in lines)
        assert put_on_record(hall.flow.site, hall.records, made) == made  # said a second time
        assert hall.records.requests.waiting() == []


def test_who_says_otherwise_takes_back_what_they_said_and_others_do_not() -> None:
    with to_folders(pacs={"assessments": True}) as (hall, item, folder):
        for who, decision, at in (
            ("anna", ACCEPTED, 0),
            ("bob", REJECTED, 60),
            ("anna", REJECTED, 120),
        ):
            say(hall, item, decision, who, AT + at)
            assert answers(hall) == ["what a reader said of the result goes to pacs"]
        first, bobs, second = notes(hall, item)
        assert [first.superseded_by, bobs.superseded_by] == [second.id, None]
        deliver(hall, "pacs")
        titles = [one.ConceptNameCodeSequence[0].CodeValue for one in notes_in(folder / "pacs")]
        assert titles == ["accepted", "rejected", "rejected"]
        texts = [
            next((one.TextValue for one in told.ContentSequence if "TextValue" in one), "")
            for told in notes_in(folder / "pacs")
        ]
        assert [text.partition("\n")[2][:12] for text in texts] == ["", "", "Said before,"]
        assert texts[2].endswith(": accepted.")


def test_of_two_words_of_one_reader_only_the_last_is_told() -> None:
    with to_folders(pacs={"assessments": True}) as (hall, item, _folder):
        say(hall, item, ACCEPTED)
        say(hall, item, REJECTED, at=AT + 1)
        late = say(hall, item, SUPPLEMENTED, at=AT - 5, object_uid="1.2.3", sender="VIEWER")
        assert late.number == 3
        since = "not passed on: the reader has said otherwise since then"
        gone = "what a reader said of the result goes to pacs"
        assert answers(hall) == [since, gone, since]
        assert len(notes(hall, item)) == 1


@pytest.mark.parametrize("ended", ["cancelled", "replaced"])
def test_nothing_is_told_of_a_result_that_did_not_arrive(ended: str) -> None:
    with to_folders(pacs={"assessments": True}) as (hall, item, folder):
        (folder / "pacs").touch()  # a file is where its folder should be
        say(hall, item)
        answers(hall)
        [note] = notes(hall, item)
        deliver(hall, "pacs")
        owed = hall.records.deliveries.one(note.id, "pacs")
        assert (owed.state, owed.attempts, owed.reason) == (DeliveryState.WAITING, 0, WAITS)
        if ended == "cancelled":
            hall.records.deliveries.cancel(item, "a person cancelled it")
        else:
            of_result = hall.records.deliveries.one(item.id, "pacs")
            hall.records.deliveries.park(of_result, DeliveryState.REFUSED, "never")
            deliver(hall, "pacs")
            assert hall.records.deliveries.one(note.id, "pacs") == owed  # it may be released
            newer = replace(item, id="newer", predecessor=item.id, created=AT + 1)
            assert hall.records.workitems.schedule(newer, ())
        deliver(hall, "pacs")
        told = hall.records.deliveries.one(note.id, "pacs")
        assert (told.state, told.attempts) == (DeliveryState.CANCELLED, 0)
        assert told.reason == "not sent, because the result that it is about did not arrive there"
        done = hall.records.workitems.one(note.id)
        assert (done.state, "cancelled" in done.reason) == (WorkitemState.COMPLETED, True)


def test_a_note_that_waits_for_its_result_holds_up_no_other_result() -> None:
    with written(lake={**LAKE, "assessments": True}) as (hall, item):
        deliveries = hall.records.deliveries
        say(hall, item)
        answers(hall)
        [note] = notes(hall, item)
        deliveries.park(deliveries.one(item.id, "lake"), DeliveryState.REFUSED, "a person has to")
        hall.now += 60
        other = replace(item, id="other", module="other", state=WorkitemState.RUNNING)
        assert hall.records.workitems.schedule(other, ())
        owed = replace(deliveries.one(item.id, "lake"), workitem_id="other", owed_at=hall.now + 1e9)
        owed = replace(owed, state=DeliveryState.WAITING)
        assert hall.records.moves.deliver("other", "", [owed])
        first = deliveries.first_due("lake", hall.now + 2e9, in_order=True)
        assert first and first.workitem_id == "other"
        of_result = deliveries.one(item.id, "lake")
        deliveries.arrive(of_result, DeliveryState.ACCEPTED, "released", hall.now)
        first = deliveries.first_due("lake", hall.now + 2e9, in_order=True)
        assert first and first.workitem_id == note.id, "now it comes in its turn"


def test_what_a_note_waits_for_is_told_as_it_is() -> None:
    with written(lake={**LAKE, "assessments": True}) as (hall, item):
        deliveries = hall.records.deliveries
        say(hall, item)
        answers(hall)
        [note] = notes(hall, item)
        until = "lake gets it once the result that it is about has arrived there"
        assert told_of(hall, note).sentence.endswith(f"is on its way: {until}.")
        assert next_of(hall, note) == until
        deliveries.park(deliveries.one(item.id, "lake"), DeliveryState.REFUSED, "a person has to")
        said = told_of(hall, note)
        assert (said.cause, said.cures[0].command) == (
            Cause.PARKED,
            f"hilum release {item.id[-8:]}",
        )
        assert said.sentence.endswith("because the result that it is about is parked at lake.")
        assert next_of(hall, note) == f"{until}, and it is parked"
        hall.now += 60
        other = replace(item, id="other", module="other", state=WorkitemState.RUNNING)
        assert hall.records.workitems.schedule(other, ())
        owed = replace(deliveries.one(item.id, "lake"), workitem_id="other", owed_at=hall.now + 1e9)
        assert hall.records.moves.deliver("other", "", [replace(owed, state=DeliveryState.WAITING)])
        other = hall.records.workitems.one("other")
        assert told_of(hall, other).sentence.endswith("is on its way: lake gets it now.")
        assert next_of(hall, other) == "attempt 1 at lake"


def told_of(hall: Gateway, item: Workitem) -> Explanation:
    return of_item(Known.of(hall.flow.site, hall.records, item.study_uid, hall.now), item)


def next_of(hall: Gateway, item: Workitem) -> str:
    """What the trace says of the next attempt to deliver something of a workitem."""
    lines = trace(hall.records, item.study_uid, hall.flow.site.in_order)
    [text] = [one.text for one in lines if (one.kind, one.workitem) == (EventKind.NEXT, item.id)]
    return text


def test_what_was_taken_back_before_it_was_told_is_not_told() -> None:
    with to_folders(pacs={"assessments": True}) as (hall, item, _folder):
        say(hall, item)
        take_back(hall.flow, item, RejectionNote(AT, "wrong"))
        assert answers(hall) == ["not passed on: the result is withdrawn"]
        assert notes(hall, item) == []


def test_what_came_as_an_object_is_told_to_programs_and_not_to_archives() -> None:
    both = {"pacs": {"assessments": True}, "lake": {**LAKE, "assessments": True}}
    with written(**both) as (hall, item):
        say(hall, item, object_uid="1.2.3", sender="VIEWER")
        assert answers(hall) == ["what a reader said of the result goes to lake"]


def test_a_program_is_told_as_it_may_know() -> None:
    ends = {"lake": {**LAKE, "assessments": True}}
    ends["named"] = {**ends["lake"], "identified": True}
    with written(**ends, deaf=LAKE) as (hall, item):
        made = files_for(hall, item.id, "json")
        say(hall, item, ACCEPTED)
        answers(hall)
        say(hall, item, REJECTED, at=AT + 60)
        answers(hall)
        first, second = notes(hall, item)
        told = {**files_for(hall, second.id, "json")}
        assert set(told) == {"lake", "named"}
        for name, (identity, content) in told.items():
            event, before = decoded(content), decoded(made[name][1])
            assert event.type == "result.assessed" and identity != made[name][0]
            assert event.data == before.data
            assert event.assessment and event.assessment.of == (made[name][0],)
            assert (event.assessment.decision, event.assessment.before) == (REJECTED, ACCEPTED)
            assert (event.timestamp.timestamp(), event.takes_back) == (AT + 60, ())
            reader, is_named = event.assessment.reader, name == "named"
            assert (reader == "anna", event.reason == "anna says why") == (is_named, is_named)
            assert (b"anna" in content) is is_named
            earlier = decoded(files_for(hall, first.id, "json")[name][1]).assessment
            assert earlier and earlier.reader == reader


def test_a_record_has_one_observation_for_each_reader() -> None:
    with in_record(("record",)) as record:
        want_assessments(record)
        item = record.result(1.5)
        for who, decision, reason in (
            ("anna", ACCEPTED, ""),
            ("bob", REJECTED, ""),
            ("anna", REJECTED, "first"),
            ("anna", REJECTED, "second"),
        ):
            record.hall.now += 60
            word = (item.id, 0, record.hall.now, who, f"account {who}", decision, reason)
            assert put_on_record(record.hall.flow.site, record.hall.records, Assessment(*word))
            assert answers(record.hall)
        record.deliver()
        assert [note.state for note in notes(record.hall, item)] == [WorkitemState.COMPLETED] * 4
        said = assessments(record)
        assert {reader: versions[-1] for reader, versions in said.items()} == {
            "anna": ("rejected", "second", "preliminary"),
            "bob": ("rejected", "", "preliminary"),
        }
        assert [len(said["anna"]), len(said["bob"])] == [3, 1]
        assert record.report() == ["preliminary"]
        record.result(2.5)  # replaces it: what was said stays, of the version it was said of
        record.deliver()
        assert assessments(record) == said


def orders_in(message: bytes) -> list[tuple[str, str, str, set[str], list[str]]]:
    """Of each OBR: its number, code and parent, the statuses of its observations, and the texts."""
    found: list[tuple[str, str, str, set[str], list[str]]] = []
    for one in ReceivedMessage.of(message).segments:
        if one.name == "OBR":
            found.append((one.text(3), one.text(4), one.text(29, 2), set(), []))
        elif one.name == "OBX":
            found[-1][3].add(one.text(11))
            if one.text(2) == "TX":
                found[-1][4].append(one.text(5))
    return found


def test_a_report_system_has_one_order_for_each_reader_beside_the_result() -> None:
    with receiving(Receiver()) as receiver:
        ris = {"kind": "mllp", "port": receiver.port, "assessments": True}
        with written(ris=ris) as (hall, item):
            hall.flow.outbox._clock = hall.clock
            deliver(hall, "ris")
            for who, decision in (("anna", ACCEPTED), ("bob", ACCEPTED), ("anna", REJECTED)):
                hall.now += 60
                say(hall, item, decision, who, hall.now)
                assert answers(hall) == ["what a reader said of the result goes to ris"]
                deliver(hall, "ris")
            hall.now += 60
            take_back(
                hall.flow,
                hall.records.workitems.one(item.id),
                RejectionNote(hall.now, "Another structure."),
            )
            deliver(hall, "ris")
        result, *told, back = receiver.came
        [(filler, _code, parent, status, _texts)] = orders_in(result)
        assert (parent, status) == ("", {"P"})
        [anna, bob, again] = [orders_in(one)[0] for one in told]
        assert [len(orders_in(one)) for one in told] == [1, 1, 1]
        assert len({filler, anna[0], bob[0]}) == 3, "none takes the place of another"
        assert anna[0] == again[0], "but for what the same reader said"
        assert {(one[1], one[2]) for one in (anna, bob, again)} == {("assessment", filler)}
        assert {mark for one in (anna, bob, again) for mark in one[3]} == {"P"}, "it is no report"
        assert "rejected. This is not a report." in again[4][0]
        assert again[4][1] == "anna says why" and again[4][2].startswith("Said before, on ")
        whole, *readers = orders_in(back)
        assert (whole[0], whole[3]) == (filler, {"P", "W"})
        assert {one[0]: one[3] for one in readers} == {anna[0]: {"W"}, bob[0]: {"W"}}
        assert "anna says why" in {text for one in readers for text in one[4]}, "the last word"


def want_assessments(record: Record) -> None:
    site = record.hall.flow.site
    [fhir] = [one for one in site.destination if one.name == "record"]
    record.settings = fhir.model_copy(update={"assessments": True})
    record.hall.flow.site = site.model_copy(update={"destination": (record.settings,)})


def say_in(record: Record, item: Workitem, who: str, decision: AssessmentDecision) -> str:
    record.hall.now += 60
    say(record.hall, item, decision, who, record.hall.now)
    [answer] = answers(record.hall)
    return answer


def all_taken_back(record: Record) -> None:
    """Whether no resource that was made of the result stands."""
    kinds = ("DiagnosticReport", "Observation")
    there = [one["status"] for kind in kinds for one in record.server.all(kind)]
    assert set(there) == {"entered-in-error"}
    assert not record.hall.records.deliveries.owed()
    waiting = record.hall.records.deliveries.parked("record")
    assert waiting == []


@pytest.mark.parametrize("replaced", [False, True])
def test_what_readers_said_is_taken_back_with_the_result(replaced: bool) -> None:
    with in_record(("record",)) as record:
        want_assessments(record)
        item = record.result(1.5, 3.5)
        record.deliver()
        say_in(record, item, "anna", ACCEPTED)
        say_in(record, item, "bob", REJECTED)
        say_in(record, item, "anna", SUPPLEMENTED)
        record.deliver()
        newer = record.result(2.5) if replaced else item
        record.deliver()
        say_in(record, item, "cora", ACCEPTED)  # of what was replaced, and not sent yet
        assert set(assessments(record)) == {"anna", "bob"}
        record.withdraw(newer)
        record.deliver()
        said = assessments(record)
        assert {who: versions[-1] for who, versions in said.items()} == {
            "anna": ("supplemented", "anna says why", "entered-in-error"),
            "bob": ("rejected", "bob says why", "entered-in-error"),
            "cora": ("accepted", "", "entered-in-error"),
        }
        all_taken_back(record)
        found = lacks(record.hall.flow.site, record.hall.records, "record", (0, inf))
        assert not list(found), "nothing of it is to be sent again"
        [report] = record.server.all("DiagnosticReport")
        own = [one["value"] for one in report["identifier"]]
        made = record.hall.records.results.of_workitem(newer.id)
        told = {one.identity for note in notes(record.hall, item) for one in results(record, note)}
        assert f"urn:oid:{made[0].identity}" in own
        assert not {f"urn:oid:{one}" for one in told} & set(own), "these are others'"


def results(record: Record, item: Workitem) -> list[WrittenResult]:
    return record.hall.records.results.of_workitem(item.id)


@pytest.mark.parametrize("first", ["the earlier one", "the later one"])
def test_both_results_of_a_patient_who_was_wrong_are_taken_back(first: str) -> None:
    with in_record(("record",)) as record:
        want_assessments(record)
        old = record.result(1.5)
        record.deliver()
        say_in(record, old, "anna", ACCEPTED)
        new = record.result(2.5)
        record.deliver()
        both = [old, new] if first == "the earlier one" else [new, old]
        for item in both:
            record.withdraw(item)
        record.deliver()
        assert assessments(record)["anna"][-1][2] == "entered-in-error"
        all_taken_back(record)


def test_what_is_parked_is_settled_when_the_result_is_taken_back() -> None:
    with in_record(("record",)) as record:
        want_assessments(record)
        item = record.result(1.5)
        record.deliver()
        record.server.behaviour = FhirBehaviour(status=422)
        say_in(record, item, "anna", ACCEPTED)
        record.deliver()
        [note] = notes(record.hall, item)
        assert note.state is WorkitemState.PARKED
        record.server.behaviour = WELL
        record.withdraw(item)
        note = record.again(note)
        assert (note.state, "cancelled" in note.reason) == (WorkitemState.COMPLETED, True)
        assert not record.hall.records.deliveries.parked("record")
        asked = Request(1, record.hall.now, RequestAction.RELEASE, note.id, "record")
        assert not release(record.hall.flow, note, asked).done
        record.deliver()
        assert assessments(record) == {}
        all_taken_back(record)


@pytest.mark.parametrize("parked", PARKED)
@pytest.mark.parametrize("gone", ["withdrawn here", "cancelled"])
def test_the_sweep_settles_what_is_parked_and_has_no_result_any_more(
    gone: str, parked: DeliveryState
) -> None:
    """The images of a result may be gone, so that no note takes it back; or it was never sent."""
    with written(lake={**LAKE, "assessments": True}) as (hall, item):
        deliveries = hall.records.deliveries
        say(hall, item)
        answers(hall)
        [note] = notes(hall, item)
        deliveries.park(deliveries.one(note.id, "lake"), parked, "a person has to")
        of_result = deliveries.one(item.id, "lake")
        deliveries.park(of_result, DeliveryState.REFUSED, "the settings no longer define it")
        hall.flow.sweep()
        assert hall.records.workitems.one(note.id).state is WorkitemState.PARKED, "both may go on"
        if gone == "cancelled":
            deliveries.cancel(item, "a person cancelled it")
        else:
            hall.records.moves.withdraw_here(item, "its images are no longer here")
        hall.flow.sweep()
        assert hall.records.workitems.one(note.id).state is WorkitemState.COMPLETED
        assert deliveries.one(note.id, "lake").state is DeliveryState.CANCELLED


def test_an_archive_is_told_that_what_readers_said_is_taken_back_too() -> None:
    ends = {"pacs": {"assessments": True}, "quiet": {}}
    with to_folders(**ends) as (hall, item, folder):
        for name in ends:
            deliver(hall, name)
        say(hall, item, ACCEPTED)
        say(hall, item, REJECTED, "bob", AT + 60)
        answers(hall)
        deliver(hall, "pacs")
        say(hall, item, REJECTED, "cora", AT + 120)
        answers(hall)  # this one is not sent any more
        hall.now += 200
        take_back(hall.flow, hall.records.workitems.one(item.id), RejectionNote(AT + 200, "wrong"))
        there = {name: objects_in(folder / name) for name in ends}
        for name in ends:
            deliver(hall, name)
            [note] = [one for one in objects_in(folder / name) if one not in there[name]]
            study = note.CurrentRequestedProcedureEvidenceSequence[0]
            named = {
                one.ReferencedSOPInstanceUID
                for series in study.ReferencedSeriesSequence
                for one in series.ReferencedSOPSequence
            }
            assert named == {one.SOPInstanceUID for one in there[name]}
        assert [len(there[name]) for name in ends] == [4, 2]


def test_a_program_is_told_that_what_readers_said_is_taken_back_too() -> None:
    with written(lake={**LAKE, "assessments": True}, deaf=LAKE) as (hall, item):
        made = files_for(hall, item.id, "json")
        say(hall, item, ACCEPTED)
        answers(hall)
        [note] = notes(hall, item)
        told = files_for(hall, note.id, "json")
        for of in (item, note):
            for owed in hall.records.deliveries.of_workitem(of.id):
                hall.records.deliveries.arrive(owed, DeliveryState.ACCEPTED, "", AT)
        take_back(hall.flow, hall.records.workitems.one(item.id), RejectionNote(AT, "wrong"))
        back = files_for(hall, withdrawal_uid(item.id), "json")
        taken = {name: decoded(content).takes_back for name, (_, content) in back.items()}
        assert taken == {"lake": (made["lake"][0], told["lake"][0]), "deaf": (made["deaf"][0],)}


def assessments(record: Record) -> dict[str, list[tuple[str, str, str]]]:
    """By reader, all versions of what they said: decision, reason and status."""
    found = {}
    [report] = record.server.all("DiagnosticReport")
    for place, versions in record.server.history.items():
        if "Observation" not in place or "focus" not in versions[0]:
            continue
        for one in versions:
            assert one["focus"][0]["identifier"]["value"] == report["identifier"][0]["value"]
            assert one["subject"]["reference"] == report["subject"]["reference"]
        reader = versions[0]["performer"][0]["display"]
        found[reader] = [
            (
                one["valueCodeableConcept"]["coding"][0]["code"],
                one.get("note", [{"text": ""}])[0]["text"],
                one["status"],
            )
            for one in versions
        ]
    return found


def test_a_disk_that_is_full_only_delays_it() -> None:
    with written(pacs={"assessments": True}) as (hall, item):
        made = say(hall, item)
        in_the_way = hall.flow.workitems.result_folder(assessment_uid(item.id, made.number))
        in_the_way.touch()  # no note can be written
        assert answers(hall) == [""]
        assert notes(hall, item) == []
        in_the_way.unlink()
        assert answers(hall) == ["what a reader said of the result goes to pacs"]
        assert len(notes(hall, item)) == 1


def test_a_disk_that_is_full_only_delays_that_a_rejected_result_is_taken_back() -> None:
    with written(assessment={"withdraw_rejected": True}, out={}) as (hall, item):
        send(hall, item, "out")
        say(hall, item)
        in_the_way = hall.flow.workitems.result_folder(withdrawal_uid(item.id))
        in_the_way.touch()  # no note can be written
        assert answers(hall) == [""]
        in_the_way.unlink()
        assert answers(hall) == ["withdrawn; a note goes to out"]
        assert hall.records.workitems.one(item.id).state is WorkitemState.WITHDRAWN


def test_a_rejected_result_that_cannot_be_taken_back_is_told_of_in_the_trace() -> None:
    with written(assessment={"withdraw_rejected": True}, out={}) as (hall, item):
        send(hall, item, "out")
        say(hall, item)
        for file in hall.inbox.study_folder(item.study_uid).glob("*.dcm"):
            file.unlink()
        [answer] = answers(hall)
        lines = hall.records.events.of_kind(item.study_uid, EventKind.FAILED)
        assert [line.text for line in lines] == [f"withdraw rejected: {answer}"]


def test_images_that_were_removed_are_told_in_the_trace() -> None:
    with written(pacs={"assessments": True}) as (hall, item):
        say(hall, item)
        for file in hall.inbox.study_folder(item.study_uid).glob("*.dcm"):
            file.unlink()
        [answer] = answers(hall)
        assert "no longer here" in answer
        lines = hall.records.events.of_kind(item.study_uid, EventKind.FAILED)
        assert [line.text for line in lines] == [f"pass on: {answer}"]


def test_the_gateway_may_die_after_it_has_told() -> None:
    with written(pacs={"assessments": True}) as (hall, item):
        say(hall, item)
        [asked] = hall.records.requests.waiting()
        answers(hall)
        again = (asked.action, asked.workitem_id, asked.reason, asked.study_uid)
        assert asked.action is RequestAction.PASS_ON
        hall.records.requests.add(*again)
        assert answers(hall) == ["what a reader said of the result goes to pacs"]
        assert len(notes(hall, item)) == 1


def test_a_destination_without_a_form_for_it_is_refused() -> None:
    with written() as (hall, _item):
        data = hall.flow.site.data
        given = {"name": "files", "kind": "folder", "folder": str(data), "assessments": True}
        [files] = parse({"data": str(data), "destination": [given]}).destination
        files = files.model_copy(update={"objects": ()})
        with pytest.raises(ConfigurationError, match="none of its objects can tell what readers"):
            files.check()
