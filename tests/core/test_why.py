"""Why there is no result: every state of the records has a cause, and the worst one is told."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from factory import a_delivery, a_study, a_workitem, put
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Rule, Site
from hilum.dicom.doubt import CORRECTED, DIFFERENT
from hilum.errors import HilumError
from hilum.inbox import Inbox
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.patients import Correction
from hilum.records.models.standings import DestinationStanding
from hilum.records.models.studies import Removal, Study, UploadedStudy
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    ARRIVED,
    DeliveryState,
    DestinationState,
    EventKind,
    WorkitemKind,
    WorkitemState,
)
from hilum.rejections import Rejection, RejectionKind
from hilum.searching import StudySearch
from hilum.study.verdict import Verdict
from hilum.summary.remarks import RefusalSummary
from hilum.why import archives
from hilum.why.archives import (
    ASKING,
    ArchiveAnswer,
    Holding,
    archives_of,
    ask_archives,
    with_answer,
)
from hilum.why.deliveries import CAUSE_OF
from hilum.why.explanation import Cause, CureKind, Explanation
from hilum.why.items import OF_STATE
from hilum.why.question import explain, search_for
from hilum.wording import WHOLE_AGAIN
from tests.drawn import examples
from tests.patience import NEVER, until

UID = "1.2.840.77"
NOW = 1_000_000.0
RULE = Rule(module="m")
SITE = parse({"data": "/nowhere", "rule": [{"module": "m"}]})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\n[[rule]]\nmodule = "m"\n')
    tmp_path.chmod(0o700)
    Inbox(tmp_path)
    low = {"receiver": {"low_water_mb": 0}}
    return parse({"data": str(tmp_path), "rule": [{"module": "m"}], **low})


@pytest.fixture
def records(site: Site) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as opened:
        yield opened


def an_item(state: WorkitemState, reason: str = "", **values: object) -> Workitem:
    known = {"id": "9.9.123456789", "study_uid": UID, "rule": RULE, "created": NOW - 60}
    return a_workitem(**{**known, "state": state, "reason": reason, **values})


def a_verdict(*reasons: str, **values: object) -> Verdict:
    known = {"input": "series", "series_uid": "1", "description": "T1", "images": 3}
    return Verdict(**{**known, "accepted": False, "reasons": reasons, **values})  # type: ignore[arg-type]


def told(site: Site, records: Records, what: str = UID) -> Explanation:
    return explain(site, records, what, NOW)


def has_come(records: Records, **values: object) -> None:
    put(records, a_study(study_uid=UID, last_at=NOW - 12, **values))
    records.events.add(UID, EventKind.RECEIVING, "first image received from CT1")


def looked_at(records: Records, **values: object) -> None:
    known = {"images": 3, "last_at": NOW - 12, "settled_images": 0}
    records.studies.reviewed(UID, **{**known, **values})  # type: ignore[arg-type]


# Nothing has no cause, and the worst one is told --------------------------------------------------


def test_every_state_of_a_workitem_and_of_a_delivery_has_a_cause() -> None:
    assert set(OF_STATE) == set(WorkitemState)
    assert set(CAUSE_OF) == set(DeliveryState)


WRITTEN = [s for s in WorkitemState if s in (WorkitemState.DELIVERING, WorkitemState.COMPLETED)]
items = st.tuples(
    st.sampled_from(list(WorkitemState)),
    st.lists(st.sampled_from(list(DeliveryState)), max_size=3),
    st.booleans(),  # replaced by another
)


@examples(20, 200)
@given(found=st.lists(items, min_size=1, max_size=4), order=st.randoms())
def test_the_worst_cause_is_told_whatever_comes_first(found: list[object], order: object) -> None:
    causes = []
    for _ in range(2):
        with closing(Records("sqlite://")) as records:
            has_come(records)
            for number, (state, deliveries, is_replaced) in enumerate(found):  # type: ignore[misc]
                name = f"9.9.{number}"
                newer = "9.9.99" if is_replaced else None
                put(records, an_item(state, "why", id=name, superseded_by=newer))
                for place, delivered in enumerate(deliveries):
                    put(records, a_delivery(name, f"p{place}", state=delivered))
            said = told(SITE, records)
        assert said.cause.rank == min(one.cause.rank for one in (said, *said.others))
        assert all(one.sentence.endswith(".") for one in (said, *said.others))
        assert all(one.study_uid == UID for one in (said, *said.others))
        causes.append(said.cause)
        order.shuffle(found)  # type: ignore[attr-defined]
    assert causes[0] is causes[1]


@pytest.mark.parametrize("state", DeliveryState)
def test_a_result_that_one_destination_lacks_is_not_well(
    site: Site, records: Records, state: DeliveryState
) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.DELIVERING))
    put(records, a_delivery("9.9.123456789", "one", state=DeliveryState.VERIFIED, verified_at=NOW))
    put(records, a_delivery("9.9.123456789", "two", state=state, reason="because"))
    said = told(site, records)
    assert said.cause is CAUSE_OF[state] or said.cause.is_well
    assert said.cause.is_well == (CAUSE_OF[state] is Cause.SHOWN)
    assert said.shown_in["one"] == NOW
    assert ("two" in said.accepted_by) == (state is DeliveryState.ACCEPTED)
    assert ("two" in said.shown_in) == (state in ARRIVED and state is not DeliveryState.ACCEPTED)


def test_a_result_that_is_filed_with_other_data_of_the_patient_is_not_called_well(
    site: Site, records: Records
) -> None:
    """As after the hospital has corrected a name, and not in the archive."""
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED))
    put(records, a_delivery("9.9.123456789", "one", state=DeliveryState.VERIFIED, verified_at=NOW))
    assert told(site, records).sentence.startswith("All is well: ")
    caution = "one: it is filed with data that differ: PatientName"
    for name, kind in (("9.9.123456789", EventKind.CAUTION), ("9.9.1", EventKind.CAUTION)):
        records.events.add(UID, kind, caution, name)
        records.events.add(UID, kind, "two: not asked any more", name)
    said = told(site, records)
    assert said.cause is Cause.SHOWN and "one" in said.shown_in
    assert said.sentence.startswith("The result of m is shown in one")
    assert said.sentence.endswith(f" {caution}.") and "two" not in said.sentence
    assert [cure.command for cure in said.cures] == [f"hilum decide {UID}"]


# Each cause, from the records ---------------------------------------------------------------------

LACKS = a_verdict("MR as the module needs", accepted=True, lacks="112 of 120 images")
OTHER = {"is_named": False, "fits_modality": False}
ITEMS = [
    (an_item(WorkitemState.HELD, f"{DIFFERENT} (PatientID): `hilum decide {UID}` shows"),
     Cause.WHOSE, "The study is held, for m: not all images name the same patient (PatientID).",
     [f"hilum decide {UID}"]),
    (an_item(WorkitemState.HELD, f"8 of 120 images are here: {WHOLE_AGAIN}"),
     Cause.REMOVED, "The study is held, for m: 8 of 120 images are here.", [""]),
    (an_item(WorkitemState.HELD, "short", verdicts=(LACKS,)),
     Cause.SHORT, "The study is held, for m: T1: 112 of 120 images.",
     ["", f"hilum analyse --incomplete {UID}"]),
    (an_item(WorkitemState.HELD, "T1: 3 slices missing after 120 s of silence"),
     Cause.GAPS, "The study is held, for m: T1: 3 slices missing after 120 s of silence.", [""]),
    (an_item(WorkitemState.NOT_APPLICABLE, "x", verdicts=(a_verdict("slice spacing 6.5 mm"),)),
     Cause.NOT_APPLICABLE, "Nothing in the study fits m: T1: slice spacing 6.5 mm.", []),
    (an_item(WorkitemState.NOT_APPLICABLE, "x", verdicts=(
        a_verdict("modality is CT, module needs MR", **OTHER),
        a_verdict("SeriesDescription is 'a'", "it is a localizer", is_named=False),
        a_verdict("SeriesDescription is 'crop 1mm', the rule asks for '^crop$'", is_named=False))),
     Cause.NO_RULE, "No rule takes the study; the nearest is that of m: T1: SeriesDescription is "
     "'crop 1mm', the rule asks for '^crop$'.", ["hilum retry 23456789"]),
    (an_item(WorkitemState.NOT_APPLICABLE, "x", verdicts=(
        a_verdict("modality is CT, module needs MR", **OTHER),)),
     Cause.NO_RULE, "No rule takes the study; the nearest is that of m: T1: modality is CT, module "
     "needs MR.", []),
    (an_item(WorkitemState.SCHEDULED),
     Cause.QUEUED, "The analysis by m waits for a worker, and no worker gives a sign of life.",
     ["hilum serve"]),
    (an_item(WorkitemState.SCHEDULED, failure="the server of m answers HTTP 503"),
     Cause.QUEUED, "The analysis by m waits and is tried again by itself: the server of m answers "
     "HTTP 503.", [""]),
    (an_item(WorkitemState.RUNNING),
     Cause.RUNNING, "The analysis by m is running, and no worker gives a sign of life.",
     ["hilum serve"]),
    (an_item(WorkitemState.CANCELLED, "cancelled by a person"),
     Cause.CANCELLED, "The analysis by m was cancelled: cancelled by a person.",
     ["hilum retry 23456789"]),
    (an_item(WorkitemState.WITHDRAWN, "the patient data were corrected"),
     Cause.WITHDRAWN, "The result of m was taken back: the patient data were corrected.", []),
    (an_item(WorkitemState.FAILED, "it died", failure="out of memory"),
     Cause.FAILED, "The analysis by m failed: out of memory.", ["hilum retry 23456789"]),
    (an_item(WorkitemState.COMPLETED, "verified"),
     Cause.NOWHERE, "The result of m lies here, and no destination is to have it.", [""]),
]  # fmt: skip


@pytest.mark.parametrize(("item", "cause", "sentence", "commands"), ITEMS)
def test_a_workitem_gives_its_cause(
    site: Site,
    records: Records,
    item: Workitem,
    cause: Cause,
    sentence: str,
    commands: list[str],
) -> None:
    has_come(records)
    put(records, item)
    said = told(site, records)
    assert (said.cause, said.sentence) == (cause, sentence)
    assert [cure.command for cure in said.cures] == commands
    assert (said.workitem, said.module, said.since) == (item.id, "m", NOW - 60)


def test_what_was_uploaded_to_stay_here_is_no_fault_of_a_rule(site: Site, records: Records) -> None:
    records.uploads.choose(UploadedStudy(UID, NOW, (), images=False), is_here=False)
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED, "verified"))
    said = told(site, records)
    assert said.sentence == (
        "The result of m stays here, as was chosen when the study was uploaded."
    )
    assert said.cause is Cause.NOWHERE
    assert [cure.command for cure in said.cures] == ["hilum send-on 23456789 --to DESTINATION"]


def test_the_nearest_rule_is_told_and_none_where_another_takes_the_study(
    site: Site, records: Records
) -> None:
    has_come(records)
    verdicts = {
        "far": a_verdict("modality is CT, module needs MR", **OTHER),
        "near": a_verdict("SeriesDescription is 'a', the rule asks for 'b'", is_named=False),
        "middle": a_verdict("SeriesDescription is 'a'", "it is a localizer", is_named=False),
    }
    for name, verdict in verdicts.items():
        state = WorkitemState.NOT_APPLICABLE
        put(records, an_item(state, id=f"9.{name}", module=name, verdicts=(verdict,)))
    said = told(site, records)
    assert (said.cause, said.module, said.others) == (Cause.NO_RULE, "near", ())
    put(records, an_item(WorkitemState.CANCELLED))
    said = told(site, records)
    assert (said.cause, said.others) == (Cause.CANCELLED, ())


def test_a_rule_that_has_changed_since_is_told(site: Site, records: Records) -> None:
    has_come(records)
    before = Rule(module="m", series={"SeriesDescription": "^crop$"})
    verdict = a_verdict("SeriesDescription is 'crop 1mm'", is_named=False)
    put(records, an_item(WorkitemState.NOT_APPLICABLE, "x", rule=before, verdicts=(verdict,)))
    (cure,) = told(site, records).cures
    assert str(cure) == "the rules have changed since: judge it anew: `hilum retry 23456789`"


DELIVERIES = [
    (DeliveryState.WAITING, Cause.DELIVERING, "The result of m is on its way: pacs gets it now."),
    (DeliveryState.DELAYED, Cause.DELIVERING, "The result of m is on its way: pacs: attempt 3."),
    (DeliveryState.ASKED, Cause.DELIVERING, "The result of m is on its way: pacs: attempt 3."),
    (DeliveryState.REFUSED, Cause.PARKED, "The result of m is parked: pacs: attempt 3."),
    (DeliveryState.NOT_SHOWN, Cause.NOT_SHOWN, "The result of m is not shown: pacs: attempt 3."),
    (DeliveryState.MISFILED, Cause.MISFILED,
     "The result of m is filed under another patient: pacs: attempt 3."),
    (DeliveryState.VERIFIED, Cause.SHOWN, "All is well: the result of m is shown in pacs (since "),
    (DeliveryState.COMMITTED, Cause.SHOWN, "All is well: the result of m is kept by pacs (since "),
    (DeliveryState.ACCEPTED, Cause.SHOWN, "All is well: the result of m was accepted by pacs "),
    (DeliveryState.CANCELLED, Cause.CANCELLED, "The result of m is not sent: pacs: attempt 3."),
]  # fmt: skip


@pytest.mark.parametrize(("state", "cause", "sentence"), DELIVERIES)
def test_a_delivery_gives_its_cause(
    site: Site, records: Records, state: DeliveryState, cause: Cause, sentence: str
) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.DELIVERING))
    values = {"state": state, "reason": "attempt 3", "verified_at": NOW}
    put(records, a_delivery("9.9.123456789", **values))
    said = told(site, records)
    assert said.cause is cause
    assert said.sentence.startswith(sentence)
    released = [c.command for c in said.cures if c.kind is CureKind.RELEASE]
    assert released == (["hilum release 23456789"] if state in PARKED else [])


PARKED = (DeliveryState.REFUSED, DeliveryState.NOT_SHOWN, DeliveryState.MISFILED)


def test_a_destination_that_does_not_answer_is_named(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.DELIVERING), a_delivery("9.9.123456789"))
    away = DestinationStanding("pacs", DestinationState.UNREACHABLE, NOW - 60, "cannot be reached")
    records.destinations.note(away)
    said = told(site, records)
    assert "pacs has not answered since " in said.sentence
    assert "(cannot be reached); it is sent as soon as pacs does." in said.sentence
    assert [cure.command for cure in said.cures] == ["hilum destinations"]


def test_a_refusal_of_the_module_is_told_with_where_it_lies(site: Site, records: Records) -> None:
    has_come(records)
    refusal = RefusalSummary("view", "This is a lateral film.")
    put(records, an_item(WorkitemState.COMPLETED, findings=(refusal,)))
    shown = {"state": DeliveryState.VERIFIED, "verified_at": NOW}
    put(records, a_delivery("9.9.123456789", **shown))
    said = told(site, records)
    assert said.cause is Cause.MODULE_REFUSED
    assert said.sentence == "The images were refused by m: This is a lateral film."
    assert said.evidence[0].startswith("The refusal of m is shown in pacs (since ")


def test_a_refusal_that_is_parked_is_parked(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.PARKED, failure="out of memory"))
    put(records, a_delivery("9.9.123456789", state=DeliveryState.REFUSED, reason="no room"))
    said = told(site, records)
    assert said.cause is Cause.PARKED
    assert said.evidence == ("The analysis by m failed: out of memory.",)
    assert [cure.kind for cure in said.cures] == [CureKind.RELEASE, CureKind.RETRY]


def test_a_note_is_told_until_it_has_arrived(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.WITHDRAWN, "taken back by note 1.2"))
    note = an_item(WorkitemState.PARKED, id="1.2", kind=WorkitemKind.WITHDRAWAL)
    put(records, note, a_delivery("1.2", state=DeliveryState.REFUSED, reason="no KO"))
    said = told(site, records)
    assert said.sentence == "The note that takes back a result of m is parked: pacs: no KO."
    records.moves.set_state("1.2", WorkitemState.COMPLETED)
    said = told(site, records)
    text = "The result of m was taken back; the note in pacs says why."
    assert (said.cause, said.sentence) == (Cause.WITHDRAWN, text)


def test_what_was_replaced_is_told_when_it_is_asked_for(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED, superseded_by="9.9.888888888"))
    put(records, an_item(WorkitemState.COMPLETED, id="9.9.888888888"))
    shown = {"state": DeliveryState.VERIFIED, "verified_at": NOW}
    put(records, a_delivery("9.9.888888888", **shown), a_delivery("9.9.123456789", **shown))
    said = told(site, records)
    assert (said.cause, said.workitem) == (Cause.SHOWN, "9.9.888888888")
    assert [one.cause for one in said.others] == [Cause.SUPERSEDED]
    old = told(site, records, "123456789")
    assert old.cause is Cause.SUPERSEDED
    assert old.sentence.startswith("The run 23456789 of m, made ")
    assert ", was replaced by the run 88888888, made " in old.sentence


# Without a workitem -------------------------------------------------------------------------------


def test_a_study_that_waits_says_for_what_and_how_long_it_is_quiet(
    site: Site, records: Records
) -> None:
    has_come(records, settled_images=0)
    assert told(site, records).sentence.startswith("Images are coming: 3 images so far, the last")
    looked_at(records, reason="118 of 120 images", patience=20.0)
    said = told(site, records)
    assert said.cause is Cause.WAITING
    assert said.sentence == "More images are waited for: 118 of 120 images, silent for 12 of 20 s."
    assert said.since == 1.0
    late = explain(site, records, UID, NOW + 60)
    assert late.sentence.startswith("It has waited for a decision since ")
    assert [cure.command for cure in late.cures] == ["hilum serve"]
    looked_at(records, reason="cannot be judged: TypeError in a.py", patience=0.0)
    said = told(site, records)
    assert said.cause is Cause.UNJUDGED
    assert said.sentence == "The study cannot be judged: TypeError in a.py."


def test_no_rule_and_the_nearest(site: Site, records: Records) -> None:
    has_come(records)
    assert told(site, records).sentence == "No rule takes the study."
    looked_at(records, reason="m: StudyDescription does not match", settled_images=3)
    said = told(site, records)
    assert said.cause is Cause.NO_RULE
    near = "the nearest is that of m: StudyDescription does not match."
    assert said.sentence == f"No rule takes the study; {near}"
    records.studies.remove_images(Removal(UID, NOW, "no news for 30 days", 3, 0, 0), "removed")
    said = told(site, records)
    assert (said.cause, said.since) == (Cause.REMOVED, NOW)
    assert "no news for 30 days; no rule had taken the study." in said.sentence


@pytest.mark.parametrize(
    ("item", "cause"),
    [
        (an_item(WorkitemState.NOT_APPLICABLE, verdicts=(a_verdict("6.5 mm"),)), Cause.REMOVED),
        (an_item(WorkitemState.FAILED, failure="out of memory"), Cause.FAILED),
        (an_item(WorkitemState.CANCELLED), Cause.CANCELLED),
    ],
)
def test_nothing_is_run_again_on_images_that_were_removed(
    site: Site, records: Records, item: Workitem, cause: Cause
) -> None:
    has_come(records)
    put(records, item)
    records.studies.remove_images(Removal(UID, NOW, "no news for 30 days", 3, 0, 0), "removed")
    said = told(site, records)
    assert said.cause is cause
    assert [(cure.kind, cure.command) for cure in said.cures] == [(CureKind.SEND, "")]


def test_corrected_data_wait_for_a_decision_though_the_result_is_shown(
    site: Site, records: Records
) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED))
    put(records, a_delivery("9.9.123456789", state=DeliveryState.VERIFIED, verified_at=NOW))
    records.corrections.note(Correction(UID, "key", 0.0, ("CT1",), is_open=True))
    said = told(site, records)
    assert (said.cause, said.sentence) == (Cause.WHOSE, f"{CORRECTED.capitalize()} for this study.")
    assert [one.cause for one in said.others] == [Cause.SHOWN]


def test_images_in_quarantine_are_the_cause_of_what_is_missing_and_of_nothing_else(
    site: Site, records: Records
) -> None:
    inbox = Inbox(site.data)
    inbox.quarantine(b"no image", "it has no pixel data", "CT1", UID)
    records.events.add(UID, EventKind.QUARANTINED, "it has no pixel data")
    said = told(site, records)
    assert said.cause is Cause.NOT_TAKEN_IN
    assert said.sentence == "1 image of the study was not taken in: it has no pixel data."
    assert [cure.command for cure in said.cures] == ["hilum quarantine"]
    has_come(records)
    put(records, an_item(WorkitemState.HELD, "T1: 3 slices missing"))
    said = told(site, records)
    assert [said.cause, *(one.cause for one in said.others)] == [Cause.NOT_TAKEN_IN, Cause.GAPS]
    put(records, an_item(WorkitemState.COMPLETED, id="1.9"))
    put(records, a_delivery("1.9", state=DeliveryState.VERIFIED, verified_at=NOW))
    records.workitems.remove("9.9.123456789")
    assert told(site, records).cause is Cause.SHOWN
    for file in inbox.quarantine_folder.iterdir():
        file.unlink()  # by its retention
    records.workitems.remove("1.9")
    assert [cure.text for cure in told(site, records).cures] == ["have it sent again"]


def test_what_is_missing_may_be_what_could_not_be_read(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.HELD, "T1: 3 slices missing"))
    assert len(told(site, records).cures) == 1
    Inbox(site.data).quarantine(b"cut off", "not a readable DICOM object", "CT1")
    said = told(site, records)
    assert said.cause is Cause.GAPS
    assert said.evidence[0].startswith("Meanwhile, 1 object came that cannot be read, so nobody")
    assert ": not a readable DICOM object." in said.evidence[0]
    assert said.cures[1].command == "hilum quarantine"


def test_what_never_arrived_names_who_was_refused_meanwhile(site: Site, records: Records) -> None:
    said = told(site, records)
    assert (said.cause, said.sentence) == (Cause.NEVER_ARRIVED, "Nothing of it has arrived.")
    assert said.cures[-1].text == "have it sent to HIPPOAI, port 11112"
    reason = "calling AE title BADAE is not among receiver.allowed_callers: correct the sender"
    row = (NOW - 60, RejectionKind.CALLER, "10.0.0.1", "BADAE", "HIPPOAI", reason)
    records.rejections.note([Rejection.at(*row)] * 3)
    Inbox(site.data).quarantine(b"nothing", "no DICOM", "CT1")
    said = told(site, records)
    assert said.sentence == (
        "Nothing of it has arrived; refused meanwhile: BADAE (10.0.0.1); a refused association "
        "names no patient, so it may be one of these."
    )
    assert said.cures[0].kind is CureKind.CONFIGURE
    assert said.cures[0].text.startswith("BADAE (10.0.0.1) (3 times, the last one ")
    assert said.cures[0].text.endswith("receiver.allowed_callers: correct the sender")
    assert any("whose study cannot be read" in line for line in said.evidence)


# What is asked for --------------------------------------------------------------------------------


def test_a_study_is_meant_by_its_uid_or_the_end_of_it(site: Site, records: Records) -> None:
    has_come(records)
    put(records, a_study(study_uid="1.3.840.77", folder="other"))
    records.events.add("1.3.840.77", EventKind.RECEIVING, "first")
    assert told(site, records, f" {UID}\n").study_uid == UID
    assert told(site, records, "2.840.77").study_uid == UID
    with pytest.raises(HilumError, match="several studies end so"):
        told(site, records, ".840.77")
    assert told(site, records, "77").cause is Cause.NEVER_ARRIVED  # an accession number, perhaps
    for nothing in ("  ", "1" * 65):
        with pytest.raises(HilumError):
            told(site, records, nothing)


def test_studies_are_meant_by_accession_number_patient_id_and_address(
    site: Site, records: Records
) -> None:
    for number in range(3):
        uid = f"{UID}.{number}"
        new = Study(uid, str(number), 3, 3, first_at=NOW, last_at=NOW + number)
        records.studies.add(new)
        who = StudyIdentifiers(patient_id="Marker-7", accession_number=f"A{number}")
        records.studies.reviewed(uid, 3, NOW + number, 3, who)
    assert told(site, records, "a1").study_uid == f"{UID}.1"
    (address,) = records.identifiers.addresses([f"{UID}.2"]).values()
    assert told(site, records, address).study_uid == f"{UID}.2"
    said = told(site, records, "marker-7")
    assert [one.study_uid for one in (said, *said.others)] == [f"{UID}.{n}" for n in (2, 1, 0)]
    assert search_for(records, "Marker-7").study_uids == (f"{UID}.2", f"{UID}.1", f"{UID}.0")
    assert told(site, records, "Marker-*").cause is Cause.NEVER_ARRIVED
    assert "arker" not in repr(said)


def test_archives_are_asked_by_uid_where_the_study_is_known(records: Records) -> None:
    has_come(records)
    assert search_for(records, UID).keys == (("StudyInstanceUID", UID),)
    assert search_for(records, "A77").keys == (("AccessionNumber", "A77"), ("PatientID", "A77"))
    assert [key for key, _ in search_for(records, "1.2.3").keys] == [
        "StudyInstanceUID",
        "AccessionNumber",
        "PatientID",
    ]
    assert search_for(records, "long" * 5).keys == (("PatientID", "long" * 5),)
    assert search_for(records, "A*").keys == ()
    assert "A77" not in repr(search_for(records, "A77"))


# What archives answer -----------------------------------------------------------------------------


def still_asked() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(ASKING)]


def test_archives_that_do_not_answer_cost_no_more_than_the_time_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "MARGIN", NEVER)  # each is given up so late
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        ends: list[dict[str, object]]
        ends = [{"name": f"d{n}", "kind": "dimse", "port": port} for n in range(3)]
        ends.append({"name": "web", "kind": "dicomweb", "url": f"http://127.0.0.1:{port}"})
        ends = [{**end, "timeout_seconds": NEVER} for end in ends]
        ends.append({"name": "out", "kind": "folder", "folder": "out"})
        site = parse({"data": "/nowhere", "destination": ends})
        answers = list(ask_archives(archives_of(site), StudySearch(("1.2.3",)), altogether=1.0))
        assert len(still_asked()) == 4, "nobody waits for them"
    until(lambda: not still_asked(), "the end of the threads, since the archive has gone")
    assert {one.archive for one in answers} == {"d0", "d1", "d2", "web"}
    assert {one.holding for one in answers} == {Holding.SILENT}
    assert "d0 has not answered within 1 s." in map(str, answers)


def test_an_archive_that_has_it_is_told_to_send_it(site: Site, records: Records) -> None:
    never = told(site, records)
    lacks = ArchiveAnswer("pacs", Holding.LACKS, "does not have it")
    assert with_answer(never, lacks, site) == never
    said = with_answer(never, ArchiveAnswer("pacs", Holding.HAS, "has it"), site)
    assert said.sentence == "Nothing of it has arrived here, but pacs has it."
    assert said.cures[0].text == "have pacs send it to HIPPOAI, port 11112"
    assert said.cause is Cause.NEVER_ARRIVED


def test_an_archive_that_has_lost_a_result_is_asked_for_it(site: Site, records: Records) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED))
    for name in ("one", "two"):
        shown = {"state": DeliveryState.VERIFIED, "verified_at": NOW}
        put(records, a_delivery("9.9.123456789", name, **shown))
    well = told(site, records)
    elsewhere = ArchiveAnswer("three", Holding.LACKS, "does not have it")
    for same in (elsewhere, ArchiveAnswer("two", Holding.SILENT, "has not answered")):
        assert with_answer(well, same, site) == well
    said = with_answer(well, ArchiveAnswer("two", Holding.LACKS, "does not have it"), site)
    assert said.cause is Cause.NO_LONGER_SHOWN
    assert said.sentence == "two has shown the result and does not have the study any more."
    since = time.strftime("%FT%T", time.localtime(NOW))
    assert [c.command for c in said.cures] == [f"hilum resend --to two --since {since}"]


# The command --------------------------------------------------------------------------------------


def typed(site: Site, *words: str, text: str = "") -> Result:
    arguments = ["why", *words, "--config", str(site.data / "hilum.toml")]
    return CliRunner().invoke(app, arguments, input=text, env={"COLUMNS": "999"})


def test_the_command_says_it_and_its_exit_status_whether_all_is_well(
    site: Site, records: Records
) -> None:
    has_come(records)
    put(records, an_item(WorkitemState.COMPLETED))
    shown = {"state": DeliveryState.VERIFIED, "verified_at": NOW}
    put(records, a_delivery("9.9.123456789", **shown))
    done = typed(site, UID)
    assert (done.exit_code, done.stdout.splitlines()[0][:11]) == (0, "All is well")
    put(records, an_item(WorkitemState.PARKED, id="1.9.87654321"))
    put(records, a_delivery("1.9.87654321", state=DeliveryState.REFUSED, reason="no SEG"))
    done = typed(site, "-", text=f"{UID}\n")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "The result of m is parked: pacs: no SEG."
    assert lines[1].endswith(f", study {UID}")
    to_do = "Do what is said of pacs, then send it again: `hilum release 87654321`."
    assert lines[2] == f"  What to do: {to_do}"
    assert lines[3].startswith("  Besides: All is well")
    said = json.loads(typed(site, UID, "--json", "--records-only").stdout)
    assert said["cause"] == "parked"
    assert said["cures"][0]["command"] == "hilum release 87654321"
    assert [one["cause"] for one in said["others"]] == ["shown"]
    assert said["archives"] == []
