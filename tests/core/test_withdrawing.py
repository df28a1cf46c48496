"""Results that are no DICOM objects: each variant is kept, and what can be is taken back."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from factory import a_delivery, put
from hilum.answers import Acceptance
from hilum.assessing import put_on_record
from hilum.deciding import _end
from hilum.decision import AssessmentDecision
from hilum.engine import exchange
from hilum.findings import Findings, Note
from hilum.kinds import OBJECTS
from hilum.pseudonyms import Pseudonyms, site_key
from hilum.records import tables
from hilum.records.assessed import Assessment
from hilum.records.models.deliveries import DeliveryReceipt
from hilum.records.models.workitems import Workitem
from hilum.records.states import DeliveryState, EventKind, WorkitemState
from hilum.requests import obey
from hilum.withdrawing import RejectionNote, take_back
from hilum_lab.package import write_package
from tests.core.test_order_of_arrival import HELD, Gateway, contents, gateway

SAID = RejectionNote(1e9 + 1000, "Of another structure.")
NUMBERS = """
class Numbers:
    media_type, refers_to = "text/plain", ()

    def write(self, writing):
        return [writing.regions.encode()]

    def write_withdrawal(self, writing, identities, reason):
        return " ".join(identities).encode()
"""

MUTE = NUMBERS.partition("    def write_withdrawal")[0].replace("Numbers", "Mute")
BREAK = {
    "cannot be loaded": lambda text: "raise RuntimeError('no licence')",
    "cannot be made": lambda text: f"{text}\n    def __init__(self):\n        raise OSError\n",
    "raises": lambda text: text.replace('return " "', "raise KeyError('Marker^Patient')  #"),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a package with a kind of result object, for this test."""

    def installed(name: str, source: str) -> None:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        write_package(folder, name, {name: f"{name}:{name.title()}"}, OBJECTS.group)
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return installed


@contextmanager
def written(
    assessment: Mapping[str, Any] | None = None, **destinations: Mapping[str, Any]
) -> Iterator[tuple[Gateway, Workitem]]:
    """A gateway in which a result was written for `destinations` with these settings.

    They are folders, unless the settings say otherwise. `assessment` are those of the section.
    """
    ends = [
        {"name": name, **settings}
        if "kind" in settings
        else {"name": name, "kind": "folder", "folder": f"/nowhere/{name}", **settings}
        for name, settings in destinations.items()
    ]
    rule = HELD.model_copy(update={"send_to": tuple(destinations)})
    with gateway(rule=(rule,), destination=ends, assessment=assessment or {}) as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(150)
        hall.analyse(1)
        [item] = hall.items("one")
        assert item.state is WorkitemState.RUNNING
        found = Findings((Note("Something was found."),))
        exchange.save(found, hall.flow.workitems.result_folder(item.id))
        hall.flow.write(item.id)
        yield hall, hall.records.workitems.one(item.id)


def send(hall: Gateway, item: Workitem, destination: str, **became: Acceptance) -> None:
    """Everything of a result is sent to a destination, and taken, but for what `became` otherwise.

    That is given by the kind of object.
    """
    delivery = hall.records.deliveries.one(item.id, destination)
    results = hall.flow.workitems.results_for(delivery)
    assert hall.records.receipts.begin(delivery, [one.identity for one in results], hall.now)
    of = (item.id, destination)
    answers = [
        DeliveryReceipt(*of, one.identity, hall.now, 1, became.get(one.kind, Acceptance.TAKEN))
        for one in results
    ]
    hall.records.receipts.note(delivery, answers)


def files_for(hall: Gateway, workitem_id: str, kind: str) -> dict[str, tuple[str, bytes]]:
    """Identity and content of what each destination receives of one kind."""
    found = {}
    for delivery in hall.records.deliveries.of_workitem(workitem_id):
        results = hall.flow.workitems.results_for(delivery)
        [one] = [result for result in results if result.kind == kind]
        found[delivery.destination] = (one.identity, one.path.read_bytes())
    return found


def test_files_of_two_variants_do_not_replace_each_other(install) -> None:
    install("numbers", NUMBERS)
    kinds = ("seg", "numbers")
    people, machines = {"objects": kinds}, {"objects": kinds, "regions": "segments"}
    with written(people=people, machines=machines) as (hall, item):
        received = files_for(hall, item.id, "numbers")
        assert {name: content for name, (_, content) in received.items()} == {
            "people": b"outlines",
            "machines": b"segments",
        }
        for destination in ("people", "machines"):
            send(hall, item, destination)
        take_back(hall.flow, item, SAID)
        [note] = [i for i in hall.records.workitems.of_study(item.study_uid) if i.id != item.id]
        taken_back = files_for(hall, note.id, "numbers")
        assert {name: content.decode() for name, (_, content) in taken_back.items()} == {
            name: identity for name, (identity, _) in received.items()
        }
        assert len({identity for identity, _ in (*received.values(), *taken_back.values())}) == 4


@pytest.mark.parametrize("how", BREAK)
def test_a_broken_kind_does_not_keep_the_others_from_being_taken_back(install, how: str) -> None:
    install("numbers", NUMBERS)
    with written(out={"objects": ("sr", "numbers")}) as (hall, item):
        send(hall, item, "out")
        install("numbers", BREAK[how](NUMBERS))
        for _ in range(2):  # asking again tells the same
            done, text, _rest = take_back(hall.flow, item, SAID)
            assert done
            assert text == (
                "withdrawn; a note goes to out; its numbers at out cannot be taken back by Hilum: "
                "tell whoever reads results there"
            )
            item = hall.records.workitems.one(item.id)
        assert item.state is WorkitemState.WITHDRAWN
        [note] = [i for i in hall.records.workitems.of_study(item.study_uid) if i.id != item.id]
        assert [result.kind for result in hall.records.results.of_workitem(note.id)] == ["ko"]
        events = [event.text for event in hall.records.events.of_study(item.study_uid)]
        [failed] = [text for text in events if text.startswith("numbers could not be taken back")]
        assert "Marker" not in failed


def test_what_cannot_be_taken_back_is_told_for_each_destination(install) -> None:
    install("mute", MUTE)
    both, report, mute = {"objects": ("sr", "mute")}, {"objects": ("sr",)}, {"objects": ("mute",)}
    with written(both=both, report=report, mute=mute) as (hall, item):
        for destination in ("both", "report", "mute"):
            send(hall, item, destination)
        cure = "cannot be taken back by Hilum: tell whoever reads results there"
        rest = f"its mute at both {cure}; its mute at mute {cure}"
        told = _end(hall.flow, item, {}, SAID)  # as `hilum decide` does
        assert told == f"result {item.id[-8:]}: {rest}"
        lines = hall.records.events.of_kind(item.study_uid, EventKind.FAILED)
        assert [line.text for line in lines] == [rest], (
            "nobody waits for what is followed by itself"
        )
        item = hall.records.workitems.one(item.id)
        text = f"withdrawn; a note goes to both, report; {rest}"
        assert take_back(hall.flow, item, SAID) == (True, text, rest)


def test_what_stays_of_a_result_that_a_reader_rejects_is_told_in_the_trace(install) -> None:
    install("mute", MUTE)
    rejects = {"withdraw_rejected": True}
    with written(assessment=rejects, mute={"objects": ("mute",)}) as (hall, item):
        send(hall, item, "mute")
        said = Assessment(item.id, 0, hall.now, "anna", "a", AssessmentDecision.REJECTED, "wrong")
        assert put_on_record(hall.flow.site, hall.records, said)
        obey(hall.flow)
        assert hall.records.workitems.one(item.id).state is WorkitemState.WITHDRAWN
        lines = hall.records.events.of_kind(item.study_uid, EventKind.FAILED)
        assert [line.text for line in lines] == [
            "withdraw rejected: its mute at mute cannot be taken back by Hilum: "
            "tell whoever reads results there"
        ]


def test_a_note_names_only_what_an_archive_may_have() -> None:
    kinds = {"objects": ("sr", "seg", "pdf")}
    with written(all=kinds, twin=kinds, some=kinds, none=kinds, waits=kinds) as (hall, item):
        refused, unknown = Acceptance.NEVER, Acceptance.UNKNOWN
        send(hall, item, "all")
        send(hall, item, "twin")
        send(hall, item, "some", pdf=refused, sr=unknown)
        send(hall, item, "none", pdf=refused, sr=refused, seg=Acceptance.LATER)
        for _ in range(2):  # asking again tells the same
            answer = take_back(hall.flow, item, SAID)
            assert answer == (True, "withdrawn; a note goes to all, some, twin", "")
            item = hall.records.workitems.one(item.id)
        [note] = [i for i in hall.records.workitems.of_study(item.study_uid) if i.id != item.id]
        named = {}
        for delivery in hall.records.deliveries.of_workitem(note.id):
            [document] = hall.flow.workitems.results_for(delivery)
            content = dcmread(document.path)
            [evidence] = content.CurrentRequestedProcedureEvidenceSequence
            named[delivery.destination] = {
                one.ReferencedSOPInstanceUID
                for series in evidence.ReferencedSeriesSequence
                for one in series.ReferencedSOPSequence
            }
        kind_of = {one.identity: one.kind for one in hall.records.results.of_workitem(item.id)}
        named_kinds = {place: {kind_of[uid] for uid in uids} for place, uids in named.items()}
        everything = set(kind_of.values())
        assert {"sr", "pdf"} <= everything
        assert named_kinds == {
            "all": everything,
            "twin": everything,
            "some": everything - {"pdf"},
        }
        assert named["all"] == named["twin"]
        states = {d.destination: d.state for d in hall.records.deliveries.of_workitem(item.id)}
        assert states["waits"] is DeliveryState.CANCELLED


def test_what_was_sent_nowhere_is_withdrawn_without_a_note() -> None:
    with written(out={}) as (hall, item):
        for _ in range(2):
            answer = take_back(hall.flow, item, SAID)
            told = "withdrawn; none of it was sent, so no archive needs a note"
            assert answer == (True, told, "")
            item = hall.records.workitems.one(item.id)
        assert item.state is WorkitemState.WITHDRAWN
        assert hall.records.workitems.of_study(item.study_uid) == [item]
        assert hall.records.deliveries.owed() == []


def test_what_is_withdrawn_without_a_note_is_no_longer_sent_or_listed_as_refused() -> None:
    with written(refuses={}, waits={}) as (hall, item):
        deliveries = hall.records.deliveries
        [refused] = [d for d in deliveries.of_workitem(item.id) if d.destination == "refuses"]
        deliveries.park(refused, DeliveryState.REFUSED, "unknown caller")
        hall.flow.outbox.settle(item.id)
        assert deliveries.parked() == [item.id]
        for image in hall.flow.workitems.images(item):
            image.unlink()
        assert "no longer here for a note" in _end(hall.flow, item, {}, SAID)
        assert hall.records.workitems.one(item.id).state is WorkitemState.WITHDRAWN
        assert {d.state for d in deliveries.of_workitem(item.id)} == {DeliveryState.CANCELLED}
        assert deliveries.parked() == []


def supersede(hall: Gateway, item: Workitem, destination: str) -> None:
    """A newer result of the same study takes the place of `item`, and is owed to a destination."""
    newer = replace(item, id="newer", predecessor=item.id)
    put(hall.records, newer)
    put(hall.records, a_delivery("newer", destination, state=DeliveryState.WAITING))
    change = tables.workitem.update().where(tables.workitem.c.id == item.id)
    hall.records.database.transact(lambda c: c.execute(change.values(superseded_by="newer")))


@pytest.mark.parametrize("newer_goes_to", ["out", "elsewhere"])
def test_a_replaced_message_is_taken_back_only_where_nothing_replaces_it(
    newer_goes_to: str,
) -> None:
    with written(out={"kind": "mllp"}) as (hall, item):
        send(hall, item, "out")
        supersede(hall, item, newer_goes_to)
        answer = take_back(hall.flow, hall.records.workitems.one(item.id), SAID)
        assert answer.done
        assert answer.text.endswith("a note goes to out") == (newer_goes_to == "elsewhere")


def test_each_receiver_gets_its_messages_and_withdrawals_as_it_wants_them() -> None:
    german = {"kind": "mllp", "language": "de", "withdrawn": "D"}
    french = {"kind": "mllp", "language": "fr"}
    with written(german=german, french=french) as (hall, item):
        results = {name: files_for(hall, item.id, "oru") for name in ("german", "french")}
        assert "nicht ärztlich" in results["german"]["german"][1].decode()
        assert "aucun médecin" in results["french"]["french"][1].decode()
        for destination in ("german", "french"):
            send(hall, item, destination)
        take_back(hall.flow, item, SAID)
        [note] = [i for i in hall.records.workitems.of_study(item.study_uid) if i.id != item.id]
        taken_back = {
            name: content for name, (_, content) in files_for(hall, note.id, "oru").items()
        }
        assert "zurückgezogen" in taken_back["german"].decode()
        assert b"||||||D|||" in taken_back["german"] and b"||||||W|||" not in taken_back["german"]
        assert "a été retiré" in taken_back["french"].decode()
        assert b"||||||W|||" in taken_back["french"]


def test_a_program_is_told_by_pseudonyms_what_was_made_and_what_is_taken_back() -> None:
    lake = {"kind": "webhook", "url": "https://lake.hospital/in", "secret_files": ["of.lake"]}
    with written(lake=lake, named={**lake, "identified": True}) as (hall, item):
        made = files_for(hall, item.id, "json")
        for destination in ("lake", "named"):
            send(hall, item, destination)
        take_back(hall.flow, item, SAID)
        [note] = [i for i in hall.records.workitems.of_study(item.study_uid) if i.id != item.id]
        for destination, (_, content) in files_for(hall, note.id, "json").items():
            identity, before = made[destination]
            said, first = json.loads(content), json.loads(before)
            assert (first["type"], said["type"]) == ("result.made", "result.withdrawn")
            assert said["takes_back"] == [identity]
            assert said["data"]["result"] == first["data"]["result"] is not None
            is_named = destination == "named"
            assert (item.study_uid in content.decode()) is is_named
            assert (said["reason"] == SAID.reason) is is_named
        pseudonyms = Pseudonyms(site_key(hall.flow.site.data))
        assert first["data"]["patient"] == hall.flow.workitems.patient_and_study(item).PatientID
        hidden = json.loads(made["lake"][1])["data"]
        assert hidden["study"] == pseudonyms.of("study", item.study_uid)
