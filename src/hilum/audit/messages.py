"""An entry as an audit message of DICOM (PS3.15 A.5, Audit Trail Message Format Profile).

Which event of the standard an act is, is the table `EVENTS`. Each message also carries our own word
for the act, as a code of the scheme 99HILUM.
"""

import base64
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from hilum.audit.entry import AuditedAct, AuditEntry, AuditOutcome, ObjectType, Origin

DCM, RFC_3881, OURS = "DCM", "RFC-3881", "99HILUM"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MACHINE_NAME, IP_ADDRESS = "1", "2"


@dataclass(frozen=True)
class Coded:
    """A coded value: code, scheme, meaning."""

    code: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class AuditEvent:
    """What PS3.15 calls an act: the event, its action code (C, R, U, D or E), its type."""

    event: Coded
    action: str
    type: Coded | None = None


APPLICATION = Coded("110150", DCM, "Application")
SOURCE_ROLE = Coded("110153", DCM, "Source Role ID")
DESTINATION_ROLE = Coded("110152", DCM, "Destination Role ID")
SOURCE_MEDIA = Coded("110155", DCM, "Source Media")
DESTINATION_MEDIA = Coded("110154", DCM, "Destination Media")
URI_MEDIA = Coded("110037", DCM, "URI")
STUDY_INSTANCE_UID = Coded("110180", DCM, "Study Instance UID")
PATIENT_NUMBER = Coded("2", RFC_3881, "Patient Number")
SEARCH_CRITERIA = Coded("10", RFC_3881, "Search Criteria")
USER_IDENTIFIER = Coded("11", RFC_3881, "User Identifier")
URI = Coded("12", RFC_3881, "URI")

_LOG_USED = Coded("110101", DCM, "Audit Log Used")
_ACCESSED = Coded("110103", DCM, "DICOM Instances Accessed")
_EXPORT = Coded("110106", DCM, "Export")
_IMPORT = Coded("110107", DCM, "Import")
_QUERY = Coded("110112", DCM, "Query")
_ALERT = Coded("110113", DCM, "Security Alert")
_AUTHENTICATION = Coded("110114", DCM, "User Authentication")

# A.5.3.2 Audit Log Used, A.5.3.4 DICOM Instances Accessed, A.5.3.7 Export, A.5.3.8 Import,
# A.5.3.10 Query, A.5.3.11 Security Alert, A.5.3.12 User Authentication
EVENTS: Mapping[AuditedAct, AuditEvent] = {
    AuditedAct.OPENED: AuditEvent(_ACCESSED, "R"),
    AuditedAct.SEARCHED: AuditEvent(_QUERY, "E"),
    AuditedAct.RERUN: AuditEvent(_ACCESSED, "C"),
    AuditedAct.RETRY: AuditEvent(_ACCESSED, "C"),
    AuditedAct.ANALYSE: AuditEvent(_ACCESSED, "C"),
    AuditedAct.ANALYSE_SHORT: AuditEvent(_ACCESSED, "C"),
    AuditedAct.SEND_ON: AuditEvent(_EXPORT, "R"),
    AuditedAct.BEGIN: AuditEvent(_ACCESSED, "U"),
    AuditedAct.CANCEL: AuditEvent(_ACCESSED, "D"),
    AuditedAct.RELEASE: AuditEvent(_ACCESSED, "R"),
    AuditedAct.WITHDRAW: AuditEvent(_ACCESSED, "D"),
    AuditedAct.RESEND: AuditEvent(_ACCESSED, "R"),
    AuditedAct.DECIDE: AuditEvent(_ACCESSED, "U"),
    AuditedAct.ASSESS: AuditEvent(_ACCESSED, "U"),
    AuditedAct.FETCH: AuditEvent(_IMPORT, "C"),
    AuditedAct.UPLOADED: AuditEvent(_IMPORT, "C"),
    AuditedAct.EXPORTED: AuditEvent(_EXPORT, "R"),
    AuditedAct.SENT_TO_SERVER: AuditEvent(_EXPORT, "R"),  # no DICOM node takes them
    AuditedAct.RECOVERED: AuditEvent(_ALERT, "E", Coded("110131", DCM, "Software Configuration")),
    AuditedAct.PAUSED: AuditEvent(_ALERT, "E", Coded("110131", DCM, "Software Configuration")),
    AuditedAct.RESUMED: AuditEvent(_ALERT, "E", Coded("110131", DCM, "Software Configuration")),
    AuditedAct.SETTINGS_CHANGED: AuditEvent(
        _ALERT, "E", Coded("110131", DCM, "Software Configuration")
    ),
    AuditedAct.PEOPLE_CHANGED: AuditEvent(
        _ALERT, "E", Coded("110137", DCM, "User Security Attributes Changed")
    ),
    AuditedAct.LOGIN: AuditEvent(_AUTHENTICATION, "E", Coded("110122", DCM, "Login")),
    AuditedAct.LOGOUT: AuditEvent(_AUTHENTICATION, "E", Coded("110123", DCM, "Logout")),
    AuditedAct.AUDIT_READ: AuditEvent(_LOG_USED, "R"),
    AuditedAct.AUDIT_PURGED: AuditEvent(_LOG_USED, "R"),
    AuditedAct.AUDIT_GAP: AuditEvent(_ALERT, "E", Coded("110133", DCM, "Audit Recording Stopped")),
}


@dataclass(frozen=True)
class DataWay:
    """In which roles take part who moves data, and where the data go or come from."""

    role: Coded
    media: Coded


WAYS: Mapping[Coded, DataWay] = {
    _EXPORT: DataWay(SOURCE_ROLE, DESTINATION_MEDIA),
    _IMPORT: DataWay(DESTINATION_ROLE, SOURCE_MEDIA),
}
OUTCOMES: Mapping[AuditOutcome, str] = {
    AuditOutcome.DONE: "0",
    AuditOutcome.ASKED: "0",
    AuditOutcome.FAILED: "4",  # minor failure: it may be tried again
    AuditOutcome.DENIED: "8",  # serious failure: the act was ended
}


@dataclass(frozen=True)
class Participant:
    """How a kind of object takes part: what its ID is, of what type it is, in which role.

    `type` is 1 person, 2 system object; `role` as in PS3.15 A.5.1.2.2.
    """

    id_type: Coded
    type: str
    role: str


_JOB = Participant(Coded("workitem", OURS, "Workitem"), "2", "20")
_RESOURCE = Participant(URI, "2", "13")  # security resource
PARTICIPANTS: Mapping[ObjectType, Participant] = {
    ObjectType.WORKITEM: _JOB,
    ObjectType.SEARCH: Participant(SEARCH_CRITERIA, "2", "24"),
    ObjectType.FILTER: Participant(SEARCH_CRITERIA, "2", "24"),
    ObjectType.RULE: Participant(URI, "2", "23"),  # routing criteria
    ObjectType.MODULE: Participant(URI, "2", "26"),  # processing element
    ObjectType.SOURCE: Participant(URI, "2", "25"),
    ObjectType.WORKLIST: Participant(URI, "2", "25"),
    ObjectType.DESTINATION: Participant(URI, "2", "16"),
    ObjectType.SERVER: Participant(URI, "2", "16"),
    ObjectType.SETTINGS: _RESOURCE,
    ObjectType.RECORDS: _RESOURCE,
    ObjectType.BACKUP: Participant(URI, "2", "16"),
    ObjectType.PERSON: Participant(USER_IDENTIFIER, "1", "11"),  # security user entity
    ObjectType.AUDIT_TRAIL: _RESOURCE,
}
AUDIT_LOG_NAME = "Security Audit Log"  # A.5.3.2 wants this name, and a URI
AUDIT_LOG_URI = "audit.db"


@dataclass(frozen=True)
class AuditSource:
    """Who reports: this Hilum, and where it belongs to."""

    id: str
    site: str = ""


def message(entry: AuditEntry, source: AuditSource) -> bytes:
    """An entry as an XML document, in UTF-8 and on one line."""
    root = ET.Element("AuditMessage")
    _event(root, entry)
    way = WAYS.get(EVENTS[entry.act].event)
    for participant in (_person(root, entry), _hilum(root, source)):
        if way:
            _coded(participant, "RoleIDCode", way.role)
    if way:
        media = _participant(root, entry.object or "unnamed", is_requestor=False)
        _coded(media, "RoleIDCode", way.media)
        _coded(ET.SubElement(media, "MediaIdentifier"), "MediaType", URI_MEDIA)
    reported = ET.SubElement(root, "AuditSourceIdentification")
    if source.site:
        reported.set("AuditEnterpriseSiteID", _clean(source.site))
    reported.set("AuditSourceID", _clean(source.id))
    ET.SubElement(reported, "AuditSourceTypeCode", {"csd-code": "4"})  # application server
    _objects(root, entry)
    text: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return text.replace(b"\n", b"")


def _event(root: ET.Element, entry: AuditEntry) -> None:
    known = EVENTS[entry.act]
    at = datetime.fromtimestamp(entry.at, UTC)
    event = ET.SubElement(
        root,
        "EventIdentification",
        {
            "EventActionCode": known.action,
            "EventDateTime": at.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": OUTCOMES[entry.outcome],
        },
    )
    _coded(event, "EventID", known.event)
    if known.type:
        _coded(event, "EventTypeCode", known.type)
    _coded(event, "EventTypeCode", Coded(entry.act.replace(" ", "-"), OURS, entry.act))
    if entry.reason and OUTCOMES[entry.outcome] != "0":
        ET.SubElement(event, "EventOutcomeDescription").text = _clean(entry.reason)


def _person(root: ET.Element, entry: AuditEntry) -> ET.Element:
    person = _participant(root, entry.person, is_requestor=entry.origin is not Origin.SERVICE)
    if entry.account:
        person.set("AlternativeUserID", _clean(entry.account))
    if entry.address:
        person.set("NetworkAccessPointID", _clean(entry.address))
        person.set("NetworkAccessPointTypeCode", _type_of(entry.address))
    if entry.role:
        _coded(person, "RoleIDCode", Coded(entry.role, OURS, entry.role))
    return person


def _type_of(address: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return MACHINE_NAME
    return IP_ADDRESS


def _hilum(root: ET.Element, source: AuditSource) -> ET.Element:
    hilum = _participant(root, source.id, is_requestor=False)
    hilum.set("NetworkAccessPointID", socket.gethostname())
    hilum.set("NetworkAccessPointTypeCode", MACHINE_NAME)
    _coded(hilum, "RoleIDCode", APPLICATION)
    return hilum


def _participant(root: ET.Element, user: str, is_requestor: bool) -> ET.Element:
    values = {"UserID": _clean(user), "UserIsRequestor": str(is_requestor).lower()}
    return ET.SubElement(root, "ActiveParticipant", values)


def _objects(root: ET.Element, entry: AuditEntry) -> None:
    if entry.study_uid:
        study = Participant(STUDY_INSTANCE_UID, "2", "3")  # report, as A.5.3.4 has it
        _object(root, study, entry.study_uid, name="study", reason=entry.reason)
    if known := PARTICIPANTS.get(entry.object_type):
        _object(root, known, *_named(entry), entry.reason)
    if patient_id := _clean(entry.patient_id).strip():
        patient = Participant(PATIENT_NUMBER, "1", "1")
        _object(root, patient, patient_id, name="")  # no name is on record


def _named(entry: AuditEntry) -> tuple[str, str]:
    """ID and name of an object."""
    if entry.object_type is ObjectType.AUDIT_TRAIL:
        return AUDIT_LOG_URI, AUDIT_LOG_NAME
    return _clean(entry.object).strip() or entry.object_type, entry.object_type


def _object(root: ET.Element, known: Participant, id: str, name: str, reason: str = "") -> None:
    values = {
        "ParticipantObjectID": _clean(id),
        "ParticipantObjectTypeCode": known.type,
        "ParticipantObjectTypeCodeRole": known.role,
    }
    made = ET.SubElement(root, "ParticipantObjectIdentification", values)
    _coded(made, "ParticipantObjectIDTypeCode", known.id_type)
    if known.id_type is SEARCH_CRITERIA:
        ET.SubElement(made, "ParticipantObjectQuery").text = _base64(id)
    else:
        ET.SubElement(made, "ParticipantObjectName").text = name
    if reason:
        detail = {"type": "reason", "value": _base64(reason)}
        ET.SubElement(made, "ParticipantObjectDetail", detail)


def _coded(parent: ET.Element, name: str, value: Coded) -> None:
    attributes = {
        "csd-code": _clean(value.code),
        "codeSystemName": value.scheme,
        "displayName": _clean(value.meaning),
        "originalText": _clean(value.meaning),
    }
    ET.SubElement(parent, name, attributes)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _clean(text: str) -> str:
    """On one line, and without the characters that XML cannot hold."""
    return NOT_IN_XML.sub("\ufffd", " ".join(text.splitlines()))
