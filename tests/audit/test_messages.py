"""An entry as a message of PS3.15 A.5: valid, and with the codes of the standard."""

import itertools
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr._concepts_dict import concepts

from hilum.audit import (
    AuditedAct,
    AuditedObject,
    AuditEntry,
    AuditOutcome,
    ObjectType,
    Origin,
)
from hilum.audit import messages as ours
from hilum.audit.messages import EVENTS, AuditSource, Coded, message

from .schema_of_messages import SCHEMA, decoded, faults
from .trails import a_note

SOURCE = AuditSource("hilum-1", "hospital")


def an_entry(**values: object) -> AuditEntry:
    return AuditEntry(**vars(a_note(**values)), number=1, previous="", hash="")


def document(**values: object) -> ET.Element:
    text = message(an_entry(**values), SOURCE)
    assert b"\n" not in text
    root = ET.fromstring(text)
    assert list(faults(root)) == []
    return root


def code(element: ET.Element | None) -> str:
    assert element is not None
    return element.attrib["csd-code"]


@pytest.mark.parametrize("act", AuditedAct)
def test_every_act_gives_a_valid_message(act: AuditedAct) -> None:
    for type, outcome in itertools.product(ObjectType, AuditOutcome):
        document(act=act, object_type=type, outcome=outcome)
        document(act=act, object_type=type, outcome=outcome, object="", study_uid="", patient_id="")


@given(st.text(), st.text(), st.text(), st.text(max_size=5))
def test_whatever_is_written_the_message_is_valid(
    person: str, reason: str, id: str, patient_id: str
) -> None:
    values = {"object_type": ObjectType.SEARCH, "object": id, "patient_id": patient_id}
    root = document(person=person, reason=reason, outcome=AuditOutcome.FAILED, **values)
    assert len(root.findall("ActiveParticipant")) == 2


def test_the_check_of_the_schema_finds_what_is_wrong() -> None:
    root = document()
    root[0].attrib["EventOutcomeIndicator"] = "1"
    del root[1].attrib["UserID"]
    root[1].attrib["Extra"] = ""
    root.append(ET.Element("Unknown"))
    assert list(faults(root)) == [
        "AuditMessage holds EventIdentification,ActiveParticipant,ActiveParticipant,"
        "AuditSourceIdentification,ParticipantObjectIdentification,"
        "ParticipantObjectIdentification,Unknown,",
        "EventIdentification EventOutcomeIndicator is 1",
        "ActiveParticipant has Extra",
        "ActiveParticipant lacks UserID",
        "there is no Unknown",
    ]
    assert SCHEMA["AuditMessage"].attributes == {}


def test_codes_and_meanings_are_those_of_the_standard() -> None:
    """As pydicom has them from PS3.16, annex D."""
    meanings = {c: m for found in concepts["DCM"].values() for c, (m, *_) in found.items()}
    events = [coded for e in EVENTS.values() for coded in (e.event, e.type) if coded]
    named = [value for value in vars(ours).values() if isinstance(value, Coded)]
    of_dicom = {coded for coded in (*events, *named) if coded.scheme == "DCM"}
    assert {c.code: c.meaning for c in of_dicom} == {c.code: meanings[c.code] for c in of_dicom}
    assert len(of_dicom) > 15


def test_a_look_names_the_study_and_the_patient() -> None:
    """PS3.15 A.5.3.4, DICOM Instances Accessed."""
    root = document(act=AuditedAct.OPENED, address="10.1.2.3", account="local:alice")
    event = root.find("EventIdentification")
    assert event is not None
    assert (code(event.find("EventID")), event.attrib["EventActionCode"]) == ("110103", "R")
    person, hilum = root.findall("ActiveParticipant")
    assert person.attrib == {
        "UserID": "alice",
        "AlternativeUserID": "local:alice",
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "10.1.2.3",
        "NetworkAccessPointTypeCode": "2",
    }
    assert code(person.find("RoleIDCode")) == "operator"
    assert (code(hilum.find("RoleIDCode")), hilum.attrib["UserID"]) == ("110150", "hilum-1")
    study, patient = [
        (
            o.attrib["ParticipantObjectTypeCode"],
            o.attrib["ParticipantObjectTypeCodeRole"],
            code(o.find("ParticipantObjectIDTypeCode")),
            o.attrib["ParticipantObjectID"],
        )
        for o in root.findall("ParticipantObjectIdentification")
        if o.find("ParticipantObjectName") is not None
    ]
    assert study == ("2", "3", "110180", "1.2.3")
    assert patient == ("1", "1", "2", "P1")


def test_an_address_that_is_not_known_is_left_out() -> None:
    person, hilum = document(address="").findall("ActiveParticipant")
    assert "NetworkAccessPointID" not in person.attrib
    assert hilum.attrib["NetworkAccessPointTypeCode"] == "1"


def test_a_login_that_failed() -> None:
    """PS3.15 A.5.3.12, User Authentication."""
    nothing = AuditedObject()
    root = document(
        act=AuditedAct.LOGIN,
        outcome=AuditOutcome.FAILED,
        reason="wrong password",
        object_type=nothing.type,
        object="",
        study_uid="",
        patient_id="",
    )
    event = root.find("EventIdentification")
    assert event is not None
    codes = [code(found) for found in (event.find("EventID"), event.find("EventTypeCode"))]
    assert codes == ["110114", "110122"]
    assert event.attrib["EventOutcomeIndicator"] == "4"
    assert event.findtext("EventOutcomeDescription") == "wrong password"
    assert root.find("ParticipantObjectIdentification") is None


def test_an_export_names_its_media() -> None:
    """PS3.15 A.5.3.7, Export."""
    root = document(act=AuditedAct.EXPORTED, object_type=ObjectType.AUDIT_TRAIL, object="/x/out")
    roles = [
        [code(role) for role in participant.findall("RoleIDCode")]
        for participant in root.findall("ActiveParticipant")
    ]
    assert roles == [["operator", "110153"], ["110150", "110153"], ["110154"]]
    assert code(root.find("ActiveParticipant/MediaIdentifier/MediaType")) == "110037"


def test_a_search_tells_what_was_asked() -> None:
    root = document(
        act=AuditedAct.SEARCHED, object_type=ObjectType.SEARCH, object="name", study_uid=""
    )
    assert decoded(root.findtext(".//ParticipantObjectQuery") or "") == "name"


def test_reading_the_trail_names_the_log() -> None:
    """PS3.15 A.5.3.2, Audit Log Used."""
    root = document(
        act=AuditedAct.AUDIT_READ, object_type=ObjectType.AUDIT_TRAIL, study_uid="", patient_id=""
    )
    (log,) = root.findall("ParticipantObjectIdentification")
    assert log.findtext("ParticipantObjectName") == "Security Audit Log"
    assert code(log.find("ParticipantObjectIDTypeCode")) == "12"


def test_what_hilum_does_itself_has_no_requestor() -> None:
    entry = replace(an_entry(), origin=Origin.SERVICE, person="hilum", role="", address="host")
    root = ET.fromstring(message(entry, AuditSource("hilum")))
    assert {p.attrib["UserIsRequestor"] for p in root.findall("ActiveParticipant")} == {"false"}
    assert root[1].attrib["NetworkAccessPointTypeCode"] == "1"


def test_the_reason_of_an_act_is_a_detail_of_what_it_was_done_to() -> None:
    root = document(act=AuditedAct.WITHDRAW, reason="wrong side\nof the head")
    details = root.findall(".//ParticipantObjectDetail")
    assert {decoded(detail.attrib["value"]) for detail in details} == {"wrong side\nof the head"}
    assert root.find(".//EventOutcomeDescription") is None
