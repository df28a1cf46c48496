"""What the hospital says of its patients: kept before it is accepted, and offered, never done."""

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom.dataset import Dataset

from factory import mr_slices
from hilum.acts.requests import obey
from hilum.config.updates import PatientUpdates
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.restating import restated
from hilum.errors import MessageError
from hilum.hl7.adt import PatientUpdate
from hilum.hl7.er7 import ReceivedMessage, encoded, header, segment
from hilum.inbox.updates import FOLDER, keep, updates_in
from hilum.patients.patient_updates import AHEAD, DAY, SENDER, SEVERAL, PatientUpdatesTaken
from hilum.processes.hints import HintSender
from hilum.records.models.patients import Correction
from hilum.records.states import EventKind, WorkitemState
from hilum.service.mllp_server import MllpServer
from hilum.service.updates import NOT_KEPT, UpdatesListener
from hilum.study.flow import Flow
from tests.certificates import SelfSigned
from tests.core.test_order_of_arrival import HELD, Gateway, contents, gateway
from tests.patience import PATIENCE

UID = str(mr_slices(study="one")[0].StudyInstanceUID)
NEW = ("new-id", "", "", "HOSP")
OLD = ("marker-id", "", "", "HOSP")


def adt(
    event: str, *patients: dict[int, Any], at: str = "20260304101500", merged: Any = None
) -> bytes:
    fields = {3: "HIS", 7: at, 9: ("ADT", event), 10: "c-1", 11: "P", 12: "2.5.1"}
    lines = [header({**fields, 18: "UNICODE UTF-8"}), segment("EVN", {1: event, 2: at})]
    for patient in patients:
        lines.append(segment("PID", patient))
        if merged:
            lines.append(segment("MRG", {1: merged}))
    return encoded(lines)


# What is said -------------------------------------------------------------------------------------


def listener(folder: Path) -> UpdatesListener:
    return UpdatesListener(folder, HintSender(folder / "nobody"))


def answered(answer: bytes) -> tuple[str, str, str]:
    """MSA-1, MSA-2 and MSA-3, by another program."""
    said = hl7.parse(answer.decode()).segment("MSA")
    return tuple(str(said(place)) if len(said) > place else "" for place in (1, 2, 3))  # type: ignore[return-value]


def test_a_message_is_on_disk_before_it_is_accepted(tmp_path: Path) -> None:
    sent = adt("A08", {3: [OLD], 5: ("Roe", "Jane")})
    assert answered(listener(tmp_path).answer(sent)) == ("AA", "c-1", "")
    [kept] = updates_in(tmp_path)
    assert kept.read_bytes() == sent
    assert kept.parent.stat().st_mode & 0o077 == 0, "it holds patient data"


@pytest.mark.parametrize(
    ("sent", "verdict", "words"),
    [
        (b"GET / HTTP/1.1", "AR", "begins with the segment MSH"),
        (adt("A01", {3: [OLD]}), "AR", "only ADT with the events A08, A40, A24, A37, A47"),
        (adt("A08").replace(b"ADT", b"ORM"), "AR", "only ADT"),
        (adt("A08", {5: ("Roe", "Jane")}), "AE", "PID-3 holds no patient ID"),
        (adt("A08"), "AE", "PID-3 holds no patient ID"),
        (adt("A40", {3: [NEW]}), "AE", "MRG-1 holds no patient ID"),
        (adt("A08", {3: [OLD]}, at="soon"), "AE", "neither EVN-2 nor MSH-7"),
        (adt("A08", {3: [OLD]}, at="20261399"), "AE", "not a date and time"),
    ],
)
def test_what_cannot_be_used_is_answered_with_the_reason(
    tmp_path: Path, sent: bytes, verdict: str, words: str
) -> None:
    given, _, said = answered(listener(tmp_path).answer(sent))
    assert given == verdict and words in said
    assert updates_in(tmp_path) == []


def test_what_cannot_be_kept_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "patient-updates").write_text("in the way")
    given, _, said = answered(listener(tmp_path).answer(adt("A08", {3: [OLD]})))
    assert (given, said) == ("AE", NOT_KEPT)


@given(st.binary(max_size=120), st.sampled_from(["A08", "A40", "A24"]))
def test_no_message_ends_the_listener(content: bytes, event: str) -> None:
    sent = adt(event, {3: [OLD]}, merged=[NEW])
    for one in (content, sent + content, sent.replace(b"PID", content[:3] or b"X")):
        try:
            PatientUpdate.read(ReceivedMessage.of(one))
        except MessageError:
            continue


ROE, BORN = ("Roe", "Jane"), ("Born", "Jane")
KANJI = ("\u5c71\u7530", "\u592a\u90ce")  # Yamada Tarou


def called(name: tuple[str, ...], kind: str, group: str = "") -> tuple[str, ...]:
    """A repetition of PID-5 with its type (XPN-7) and group (XPN-8)."""
    return (*name, "", "", "", "", kind, group)


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ([called(BORN, "M"), called(ROE, "L")], "Roe^Jane"),
        ([called(BORN, "B"), called(ROE, "")], "Roe^Jane"),
        ([called(BORN, "D"), called(ROE, "L")], "Roe^Jane"),
        ([called(BORN, "L"), called(ROE, "L")], "Born^Jane"),
        ([called(ROE, "l"), called(BORN, "a")], "Roe^Jane"),
        (["", called(BORN, "A")], ""),
        ([called(BORN, "N"), called(BORN, "P"), called(BORN, "S"), called(BORN, "X9")], ""),
        ([called(KANJI, "A", "I"), called(ROE, "L", "A"), called(KANJI, "L", "I")], None),
        ([called(("Ro\x0be\n", "Jane"), "L")], "Ro e^Jane"),
    ],
)
def test_the_name_is_the_one_that_the_patient_has_now(stated: list[Any], name: str | None) -> None:
    [said] = PatientUpdate.read(ReceivedMessage.of(adt("A08", {3: [OLD], 5: stated}))).patients
    assert said.name == (f"Roe^Jane={'^'.join(KANJI)}" if name is None else name)


def typed(number: str, kind: str) -> tuple[Any, ...]:
    """A repetition of PID-3 or MRG-1 with its type (CX-5)."""
    return (number, "", "", ("HOSP", "", ""), kind)


# What follows -------------------------------------------------------------------------------------


@contextmanager
def hall(**settings: Any) -> Iterator[tuple[Gateway, PatientUpdatesTaken]]:
    """A gateway with a finished result on study "one", whose images state no issuer."""
    own = {"patient_updates": {"issuer": "HOSP"}, **settings}
    with gateway(rule=(HELD,), **own) as made:
        for image in contents("one"):
            made.receive(image, "a")
        made.wait(30)
        made.analyse(9)
        yield made, PatientUpdatesTaken(made.flow)


def hear(made: Gateway, taken: PatientUpdatesTaken, *messages: bytes) -> None:
    for message in messages:
        keep(made.flow.site.data, message)
    taken.turn()
    assert updates_in(made.flow.site.data) == []


def offered(made: Gateway) -> list[Instance]:
    """One image for each version that waits for a decision."""
    waiting = [one for one in made.records.corrections.of_study(UID) if one.is_open]
    found = [made.flow.corrections.versions.of(UID, one.identity) for one in waiting]
    assert all(made.flow.corrections.missing(UID, one.identity) == 0 for one in waiting)
    return [Instance.read(files[0]) for files in found]


def corrected(made: Gateway) -> list[str]:
    return [one.text for one in made.records.events.of_kind(UID, EventKind.CORRECTED)]


def test_changed_data_are_offered_and_nothing_is_done() -> None:
    with hall() as (made, taken):
        sent = adt("A08", {3: [("x", "", "", "LAB"), OLD], 5: ("Roe", "Jane"), 7: "19600102"})
        hear(made, taken, sent, sent)
        [image] = offered(made)
        assert image.header.text("PatientName", 64) == "Roe^Jane"
        assert image.header.text("PatientBirthDate", 8) == "19600102"
        assert image.header.text("PatientID", 64) == "marker-id"
        [said] = corrected(made)
        assert "A08" in said and "PatientName, PatientBirthDate" in said and "hilum decide" in said
        assert "Roe" not in said
        [item] = made.items("one")
        assert item.state is WorkitemState.COMPLETED, "a person decides"


def test_a_merge_is_offered_under_the_surviving_id_of_the_same_issuer() -> None:
    with hall() as (made, taken):
        elsewhere = adt("A40", {3: [("new-id", "", "", "LAB")]}, merged=[OLD])
        nobody = adt("A40", {3: [NEW]}, merged=[("marker-id", "", "", "LAB")])
        hear(made, taken, elsewhere, nobody)
        assert offered(made) == [] == corrected(made)
        hear(made, taken, adt("A40", {3: [NEW], 5: ("Marker", "Patient")}, merged=[OLD]))
        [image] = offered(made)
        assert image.header.text("PatientID", 64) == "new-id"
        assert image.header.text("PatientName", 64) == "Marker^Patient"


def test_a_number_of_something_else_is_no_patient_id() -> None:
    """An account may have the number that is the patient ID of somebody else."""
    other = {3: [typed("77", "MR"), typed("marker-id", "AN")], 5: ("Roe", "Jane")}
    with hall() as (made, taken):
        hear(made, taken, adt("A08", other), adt("A40", other, merged=[typed("76", "MR")]))
        assert offered(made) == [] == corrected(made)
    with pytest.raises(MessageError, match="MRG-1 holds no patient ID"):
        PatientUpdate.read(
            ReceivedMessage.of(adt("A40", {3: [NEW]}, merged=[typed("marker-id", "VN")]))
        )


@pytest.mark.parametrize(
    ("surviving", "number"),
    [
        ([typed("new-id", "MR"), typed("acct-9", "AN")], "new-id"),
        ([typed("marker-id", "MR"), typed("new-id", "MR")], "new-id"),
        ([typed("social-9", "SS"), typed("new-id", "MR")], "new-id"),
        ([typed("new-id", "PI")], "new-id"),
        ([typed("new-id", "MR"), typed("new-id", "MR")], "new-id"),
        ([typed("new-id", "MR"), typed("newer-id", "MR")], None),
    ],
)
def test_a_merge_leads_to_one_id_or_is_only_told(surviving: list[Any], number: str | None) -> None:
    with hall() as (made, taken):
        hear(made, taken, adt("A40", {3: surviving}, merged=[typed("marker-id", "MR")]))
        ids = [image.header.text("PatientID", 64) for image in offered(made)]
        assert ids == ([number] if number else [])
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert told == ([] if number else [SEVERAL])


def test_an_age_goes_with_the_birth_date() -> None:
    image = mr_slices(study="one")[0]
    image.PatientAge = "056Y"
    said = Dataset()
    said.PatientName, said.PatientBirthDate = "Roe^Jane", str(image.PatientBirthDate)
    assert restated(as_file(image), said).PatientAge == "056Y"
    said.PatientBirthDate = "19801231"
    assert "PatientAge" not in restated(as_file(image), said)
    said.PatientAge = "045Y"
    assert restated(as_file(image), said).PatientAge == "045Y"


def test_what_a_person_takes_is_done_and_a_late_message_does_not_restore_what_was_left() -> None:
    with hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="20260304101500"))
        [image] = offered(made)
        [sent] = made.records.corrections.of_study(UID)
        labels = made.flow.corrections.labels_of(UID, sent.identity)
        made.flow.corrections.take(UID, sent.identity, labels)
        file = made.flow.inbox.path_of(UID, image.sop_instance_uid)
        assert Instance.read(file).header.text("PatientName", 64) == "Roe^Jane"
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Marker", "Patient")}, at="20260304101400"))
        assert offered(made) == []
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert told == ["an older message about its patient (A08) came late and was left out"]
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Marker", "Patient")}, at="20260304101600"))
        assert len(offered(made)) == 1, "a newer one counts"


def test_a_message_that_is_dated_ahead_silences_no_later_one() -> None:
    with hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="29990304101500"))
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Doe", "Jane")}, at="29990304101400"))
        names = {image.header.text("PatientName", 64) for image in offered(made)}
        assert names == {"Roe^Jane", "Doe^Jane"}
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert told == [f"{AHEAD} (A08)"]
        now = f"{datetime.now().astimezone():%Y%m%d%H%M%S.%f}"[:19]
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Poe", "Jane")}, at=now))
        assert len(offered(made)) == 3, "it came later, and is dated right"


def test_what_agrees_makes_older_messages_late() -> None:
    with hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("MARKER", "patient")}, at="20260304101500"))
        assert corrected(made) == []
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="20260304"))
        assert corrected(made) == [] and offered(made) == []


def test_one_that_fails_holds_up_no_other_and_is_tried_again() -> None:
    with hall() as (made, taken):
        data = made.flow.site.data
        broken = keep(data, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="20260304101400"))
        content = broken.read_bytes()
        broken.unlink()
        broken.mkdir()  # it cannot be read just now
        keep(data, adt("A08", {3: [OLD], 5: ("Doe", "Jane")}, at="20260304101500"))
        taken.turn()
        [image] = offered(made)
        assert image.header.text("PatientName", 64) == "Doe^Jane"
        assert updates_in(data) == [broken]
        broken.rmdir()
        broken.write_bytes(content)
        taken.turn()
        assert updates_in(data) == [] and len(offered(made)) == 1, "it is older"


@pytest.mark.parametrize("event", ["A24", "A37", "A47"])
def test_some_events_are_only_told(event: str) -> None:
    with hall() as (made, taken):
        sent = adt(event, {3: [NEW]}, merged=[OLD])
        hear(made, taken, sent, sent)
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert len(told) == 1 and f"({event})" in told[0] and "nothing was changed" in told[0]
        assert offered(made) == []


def test_ids_without_an_issuer_are_nobodys_unless_the_site_says_whose() -> None:
    with hall(patient_updates={}) as (made, taken):
        hear(made, taken, adt("A08", {3: [("marker-id",)], 5: ("Roe", "Jane")}))
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        assert offered(made) == []
    with hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [("marker-id",)], 5: ("Roe", "Jane")}))
        assert len(offered(made)) == 1


def test_it_is_followed_where_the_settings_say_so() -> None:
    with hall(corrections={"mode": "follow", "senders": [SENDER]}) as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        assert made.flow.corrections.turn(), "the gateway is asked to take it"


@pytest.mark.parametrize("later", ["Doe", "Poe", "Loe", "Noe"])  # their keys come in any order
def test_of_several_that_are_to_be_followed_the_newest_is(later: str) -> None:
    with hall(corrections={"mode": "follow", "senders": [SENDER]}) as (made, taken):
        older = adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="20260304101500")
        hear(made, taken, older, adt("A08", {3: [OLD], 5: (later, "Jane")}, at="20260304101530"))
        assert made.flow.corrections.turn()
        obey(made.flow)
        [file, *_] = made.flow.inbox.study_folder(UID).glob("*.dcm")
        assert Instance.read(file).header.text("PatientName", 64) == f"{later}^Jane"
        assert offered(made) == []


def test_what_is_followed_puts_nothing_newer_of_others_aside() -> None:
    with hall(corrections={"mode": "follow", "senders": [SENDER]}) as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        said = Correction(UID, "another", time.time(), ("CT1",), is_open=True)
        made.records.corrections.note(said)
        assert not made.flow.corrections.turn(), "a person decides between them"
        assert len([one for one in made.records.corrections.of_study(UID) if one.is_open]) == 2


# Before the study is here ------------------------------------------------------------------------


def come(made: Gateway, study: str = "one") -> None:
    """The study comes, and is decided on."""
    for image in contents(study):
        made.receive(image, "a")
    made.wait(30)


@contextmanager
def empty_hall(**settings: Any) -> Iterator[tuple[Gateway, PatientUpdatesTaken]]:
    own = {"patient_updates": {"issuer": "HOSP", **settings}}
    with gateway(rule=(HELD,), **own) as made:
        yield made, PatientUpdatesTaken(made.flow)


def test_a_study_that_comes_later_is_offered_under_what_was_heard_before() -> None:
    with empty_hall() as (made, taken):
        old = adt("A08", {3: [OLD], 5: ("Poe", "Jane")}, at="20260304101400")
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}, at="20260304101500"), old)
        assert offered(made) == []
        come(made)
        taken.turn()
        [image] = offered(made)
        assert image.header.text("PatientName", 64) == "Roe^Jane", "the newest counts"
        [said] = corrected(made)
        assert "A08" in said and "hilum decide" in said
        PatientUpdatesTaken(made.flow).turn()  # after a restart
        assert len(offered(made)) == 1 == len(corrected(made))


def test_what_was_heard_before_is_not_offered_again_after_a_person_has_decided() -> None:
    with empty_hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        come(made)
        taken.turn()
        made.records.corrections.dismiss(UID)
        PatientUpdatesTaken(made.flow).turn()
        assert offered(made) == [] and len(corrected(made)) == 1


def test_a_merge_and_a_link_that_were_heard_before_count_for_a_study_that_comes_later() -> None:
    with empty_hall() as (made, taken):
        changed = adt("A08", {3: [OLD], 5: ("Roe", "Jane")})
        hear(made, taken, adt("A40", {3: [NEW]}, merged=[OLD]), changed, adt("A24", {3: [OLD]}))
        come(made)
        taken.turn()
        images = offered(made)
        assert {image.header.text("PatientID", 64) for image in images} == {"new-id", "marker-id"}
        assert len(images) == 2, "both were said in the same second"
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert len(told) == 1 and "(A24)" in told[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep_days": 0}, adt("A08", {3: [OLD], 5: ("Roe", "Jane")})),
        ({}, adt("A08", {3: [("marker-id", "", "", "LAB")], 5: ("Roe", "Jane")})),
        ({}, adt("A08", {3: [("other-id", "", "", "HOSP")], 5: ("Roe", "Jane")})),
        ({}, adt("A08", {3: [OLD], 5: ("MARKER", "patient")})),
    ],
    ids=["nothing is kept", "another issuer", "another patient", "it agrees"],
)
def test_nothing_is_offered_of_a_study_that_comes_later(
    settings: dict[str, Any], message: bytes
) -> None:
    with empty_hall(**settings) as (made, taken):
        hear(made, taken, message)
        come(made)
        taken.turn()
        assert offered(made) == [] == corrected(made)


def test_what_was_heard_is_kept_for_its_owner_alone_and_for_so_many_days() -> None:
    with empty_hall(keep_days=3) as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        data = made.flow.site.data
        [file] = (data / FOLDER).rglob("*.json")
        assert "marker" not in str(file), "file names hold no patient data"
        assert file.parent.stat().st_mode & 0o077 == 0, "it holds patient data"
        PatientUpdatesTaken(made.flow, lambda: time.time() + 2.9 * DAY).turn()
        assert file.exists()
        PatientUpdatesTaken(made.flow, lambda: time.time() + 3.1 * DAY).turn()
        assert list((data / FOLDER).rglob("*")) == [data / FOLDER / "kept"]


def test_what_cannot_be_read_of_what_was_heard_stops_nothing() -> None:
    with empty_hall() as (made, taken):
        sent = adt("A08", {3: [OLD], 5: ("Roe", "Jane")})
        hear(made, taken, sent)
        [file] = (made.flow.site.data / FOLDER).rglob("*.json")
        file.write_text("{")
        come(made)
        taken.turn()
        assert offered(made) == []
        hear(made, taken, sent)
        assert len(offered(made)) == 1


def test_a_study_that_cannot_be_read_holds_up_none_that_comes_later() -> None:
    with empty_hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        come(made)
        in_the_way = made.inbox.study_folder(UID) / "0.dcm"
        in_the_way.mkdir()  # one of its images cannot be read just now
        come(made, "two")
        taken.turn()
        other = str(mr_slices(study="two")[0].StudyInstanceUID)
        assert offered(made) == []
        assert len(made.records.corrections.of_study(other)) == 1
        in_the_way.rmdir()
        taken.turn()
        assert len(offered(made)) == 1


def _all_but(uid: str, found: Any, at: float) -> Any:
    return [one for one in found(at) if one[0] != uid]


def test_one_that_was_made_first_and_is_on_record_last_is_offered_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with empty_hall() as (made, taken):
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        come(made)
        made.now += 1
        come(made, "two")
        on_record = made.records.identifiers.decided_after
        with monkeypatch.context() as patched:
            without_it = partial(_all_but, UID, on_record)
            patched.setattr(made.records.identifiers, "decided_after", without_it)
            taken.turn()
        assert offered(made) == []
        taken.turn()
        assert len(offered(made)) == 1


def test_a_study_that_cannot_be_read_holds_up_no_other_of_that_patient() -> None:
    with hall() as (made, taken):
        come(made, "two")
        taken.turn()  # both are known
        first, second = sorted((UID, str(mr_slices(study="two")[0].StudyInstanceUID)))
        in_the_way = made.inbox.study_folder(first) / "0.dcm"
        in_the_way.mkdir()  # one of its images cannot be read just now
        keep(made.flow.site.data, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        sent = made.records.corrections.of_study
        taken.turn()
        assert [len(sent(first)), len(sent(second))] == [0, 1]
        assert len(updates_in(made.flow.site.data)) == 1, "it is tried again"
        in_the_way.rmdir()
        taken.turn()
        assert [len(sent(first)), len(sent(second))] == [1, 1]
        assert updates_in(made.flow.site.data) == []


def test_what_is_no_image_says_nothing_of_a_patient() -> None:
    with hall() as (made, taken):
        (made.inbox.study_folder(UID) / "0.dcm").write_bytes(b"nothing")
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        told = [one.text for one in made.records.events.of_kind(UID, EventKind.IDENTITY)]
        assert "cannot be offered" in "".join(told)


def test_what_one_study_states_of_a_name_is_not_said_of_another_one() -> None:
    uids = {str(mr_slices(study=name)[0].StudyInstanceUID): name for name in ("one", "two")}
    first, second = sorted(uids)  # in this order they are looked at
    with empty_hall() as (made, taken):
        for uid, name in ((first, "Marker^Patient=山田^太郎"), (second, "Marker^Patient")):
            for image in mr_slices(uids[uid], uids[uid], 6, (4, 4), patient=name):
                image.SpecificCharacterSet = "ISO_IR 192"
                made.receive(as_file(image), uid)
            made.wait(60)
        hear(made, taken, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        offered_files = [made.flow.corrections.versions.all_of(uid)[0] for uid in (first, second)]
        names = [str(Instance.read(file).header.PatientName) for file in offered_files]
        assert names == ["Roe^Jane=山田^太郎", "Roe^Jane"]


# The listener -------------------------------------------------------------------------------------


@contextmanager
def serving(answer: Any, seconds: float = 5.0, **settings: Any) -> Iterator[int]:
    values = {"enabled": True, "port": 0, "allowed_hosts": ["127.0.0.0/8"], **settings}
    server = MllpServer(PatientUpdates(**values), answer, seconds)
    stop, stopped = os.pipe()
    thread = threading.Thread(target=server.serve_until, args=(stop,))
    thread.start()
    try:
        yield server.port
    finally:
        os.write(stopped, b".")
        thread.join()
        os.close(stop)
        os.close(stopped)


def calling(port: int) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", port)))


def ask(connection: socket.socket, message: bytes) -> bytes:
    connection.sendall(b"\x0b" + message + b"\x1c\r")
    connection.settimeout(PATIENCE)
    heard = b""
    while not heard.endswith(b"\x1c\r"):
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError
        heard += piece
    return heard[1:-2]


def is_ended(connection: socket.socket) -> bool:
    if not select.select([connection], [], [], PATIENCE)[0]:
        return False
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_messages_follow_each_other_on_one_connection() -> None:
    with serving(lambda message: b"to " + message) as port, calling(port) as connection:
        assert [ask(connection, one) for one in (b"1", b"2")] == [b"to 1", b"to 2"]
        connection.sendall(b"\x0bhalf of")
        assert ask(connection, b"") == b"to half of\x0b"


def test_connections_are_bounded() -> None:
    with serving(lambda message: message, 0.3, max_connections=2) as port:
        made = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        for connection in made:
            assert ask(connection, b"x") == b"x"
        third = socket.create_connection(("127.0.0.1", port))
        assert ask(third, b"x") == b"x"
        assert is_ended(made[0]), "the one that was quiet for longest"
        third.sendall(b"\x0bhalf of a message")
        assert is_ended(third), "nobody waits for the rest without end"
        assert ask(made[1], b"x") == b"x", "one between two messages is left alone"
        made[1].sendall(b"\x0b" + b"x" * (2 << 20))
        assert is_ended(made[1]), "nobody fills the memory"
        for connection in (*made, third):
            connection.close()


def test_only_addresses_on_the_list_are_heard() -> None:
    far = ["10.0.0.0/8"]
    with serving(lambda message: message, allowed_hosts=far) as port, calling(port) as connection:
        assert is_ended(connection)


@pytest.mark.parametrize(("allowed", "is_heard"), [("127.0.0.1", True), ("HIS", False)])
def test_only_certificates_on_the_list_are_heard(
    tmp_path: Path, allowed: str, is_heard: bool
) -> None:
    ours = SelfSigned.make(tmp_path)
    tls = {"ca_file": ours.certificate, "certificate_file": ours.certificate, "key_file": ours.key}
    context = ssl.create_default_context(cafile=ours.certificate)
    context.load_cert_chain(ours.certificate, ours.key)
    settings = {"allowed_hosts": [], "tls": tls, "allowed_certificates": [allowed]}
    with serving(lambda message: message, **settings) as port:
        plain = socket.create_connection(("127.0.0.1", port))
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            assert (ask(connection, b"x") == b"x") if is_heard else is_ended(connection)


def test_it_is_off_and_then_takes_a_list() -> None:
    assert not PatientUpdates().enabled
    with pytest.raises(ValidationError, match="name who may send"):
        PatientUpdates(enabled=True)
    with pytest.raises(ValidationError, match=r"needs tls\.ca_file"):
        PatientUpdates(enabled=True, allowed_certificates=("HIS",))


class OneTurn(PatientUpdatesTaken):
    """Works on nothing after its first turn: by then the test may have removed everything."""

    def __init__(self, flow: Flow) -> None:
        super().__init__(flow)
        self.is_over = threading.Event()

    def turn(self) -> None:
        if not self.is_over.is_set():
            super().turn()
            self.is_over.set()


def test_a_message_that_was_kept_before_a_crash_is_seen_to_at_the_start() -> None:
    with hall() as (made, _):
        keep(made.flow.site.data, adt("A08", {3: [OLD], 5: ("Roe", "Jane")}))
        started = OneTurn(made.flow)
        started.start()
        assert started.is_over.wait(PATIENCE)
        assert offered(made)
        assert updates_in(made.flow.site.data) == []


def test_certificates_that_are_just_being_renewed_cut_off_nobody(tmp_path: Path) -> None:
    ours = SelfSigned.make(tmp_path)
    tls = {"certificate_file": ours.certificate, "key_file": ours.key}
    context = ssl.create_default_context(cafile=ours.certificate)
    with serving(lambda message: message, tls=tls) as port:
        Path(ours.key).write_text("half of")
        plain = socket.create_connection(("127.0.0.1", port))
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            assert ask(connection, b"x") == b"x"
