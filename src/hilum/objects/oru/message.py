"""ORU^R01 of HL7 2.5.1 (7.3.1), and the order update that says that a study is urgent (4.4.12).

The same analysis gives the same bytes: MSH-7 is when it was made, and MSH-10 follows from the rest.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from pydicom.sr.coding import Code

from hilum.config.fields import STUDY
from hilum.config.hl7 import Dialect
from hilum.dicom import codes
from hilum.dicom.header import text_of
from hilum.dicom.identity import Identity, qualifiers_of
from hilum.dicom.uids import derived_uid
from hilum.hl7.er7 import UTF_8, Components, Value, encoded, header, segment
from hilum.objects.analysis import Analysis
from hilum.objects.iod import sr
from hilum.objects.oru.text import in_parts, lines_of
from hilum.objects.oru.words import BY_LANGUAGE
from hilum.objects.report import Report
from hilum.objects.stated import StatedGroup, StatedReport, as_decimal

VERSION = "2.5.1"
ORU: Components = ("ORU", "R01", "ORU_R01")
TEXT, LINK = ("RPT", "Text", "L"), ("LINK", "Link", "L")  # OBX-3 of ours
CRITICAL = "AA"  # OBX-8 (table 0078): critically abnormal
NO_NAME = "U"  # XPN-7 (table 0200): unspecified; PID-5 must not be empty
STAT = "S"  # TQ1-9 (table 0485)

Status = Literal["P", "W", "D"]  # OBX-11 (table 0085)


@dataclass(frozen=True)
class ResultMessage:
    """What is to be said of one analysis, and how; `status` is that of every observation."""

    report: Report
    dialect: Dialect
    status: Status = "P"

    @property
    def analysis(self) -> Analysis:
        return self.report.analysis

    @property
    def at(self) -> str:
        """When it was made, to a tenth of a millisecond: a note and its successor are in order."""
        made = self.analysis.created
        return f"{made:%Y%m%d%H%M%S}.{made.microsecond // 100:04}{made:%z}"

    @property
    def is_urgent(self) -> bool:
        """Whether the receiver is to be told that somebody should look at once.

        An order can be updated only if the images state its number.
        """
        way = self.dialect.urgency
        if way == "none" or self.analysis.findings.refusal or (way == "order" and not self.placer):
            return False
        return self.dialect.every_urgent or bool(self.report.urgencies)

    @property
    def filler(self) -> str:
        """Our number of the order (OBR-3): the same for all results of a module on a study.

        So a later one takes the place of an earlier one, but never under another patient.
        """
        whose = Identity.of(self.analysis.patient_and_study).key
        number = derived_uid("filler", self.analysis.study.uid, self.analysis.module.name, whose)
        return f"H{short(number, 14)}"

    @property
    def placer(self) -> str:
        """The number of the order that is reported on (OBR-2): the accession number."""
        return text_of(self.analysis.patient_and_study, "AccessionNumber")


def result_message(message: ResultMessage) -> bytes:
    """The numbers, the text and the link of a result."""
    segments = [patient_segment(message), _order(message), _request(message)]
    return whole_message(message, ORU, [*segments, *_observations(message)])


def withdrawal_message(
    message: ResultMessage,
    identities: Sequence[str],
    reason: str,
    more: Iterable[str] = (),
) -> bytes:
    """The same result, marked as withdrawn; `identities` name the messages that are taken back.

    `more` are the segments of further orders that are taken back with it.
    """
    said = BY_LANGUAGE[message.dialect.language]
    sentence = f"{said.withdrawn}{said.colon} {said.reason(reason)}"
    notes = [
        segment("NTE", {1: str(number), 2: "L", 3: text})
        for number, text in enumerate((*in_parts(sentence), *identities), start=1)
    ]
    segments = [patient_segment(message), _order(message), _request(message), *notes]
    notice = [_Observation("TX", TEXT, part, "0", status="P") for part in in_parts(sentence)[:1]]
    return whole_message(message, ORU, [*segments, *_observations(message, notice), *more])


def urgency_message(message: ResultMessage) -> bytes:
    """An update of the order: it is urgent now."""
    study = (message.analysis.study.uid, message.dialect.sending_application)
    order = (message.placer,)
    segments = [
        patient_segment(message),
        segment("ORC", {1: "XO", 2: order}),
        segment("TQ1", {1: "1", 9: (STAT,)}),
        segment("OBR", {1: "1", 2: order, 4: _procedure(message), 18: message.placer}),
        segment("IPC", {1: order, 2: order, 3: study, 4: order}),
    ]
    return whole_message(message, ("OMI", "O23", "OMI_O23"), segments)


def number_text(value: float) -> str:
    """A number as NM (2.A.47): as the measurement report writes it, and never with an exponent."""
    text = as_decimal(value)
    return format(Decimal(text), "f") if "e" in text.lower() else text


def whole_message(message: ResultMessage, kind: Components, segments: Sequence[str]) -> bytes:
    dialect = message.dialect
    fields: dict[int, Value] = {
        3: dialect.sending_application,
        4: dialect.sending_facility,
        5: dialect.receiving_application,
        6: dialect.receiving_facility,
        7: message.at,
        9: kind,
        11: dialect.processing_id,
        12: VERSION,
        15: "AL" if dialect.enhanced else "",
        16: "NE" if dialect.enhanced else "",
        18: UTF_8,
    }
    whose = message.analysis.workitem_id  # two results may say the same
    content = encoded([header(fields), whose, *segments]).decode()
    return encoded([header({**fields, 10: f"H{short(content, 19)}"}), *segments])


def short(text: str, length: int) -> str:
    """Capital letters and digits that stand for `text`; MSH-10 has 20 characters at most."""
    return base64.b32encode(sha256(text.encode()).digest()).decode()[:length]


def patient_segment(message: ResultMessage) -> str:
    stated = message.analysis.patient_and_study
    issuer = text_of(stated, "IssuerOfPatientID")
    authority = (issuer, *qualifiers_of(stated))
    if not any(authority):
        authority = (message.dialect.patient_id_issuer, "", "")
    sex = text_of(stated, "PatientSex")
    fields: dict[int, Value] = {
        1: "1",
        3: (text_of(stated, "PatientID"), "", "", authority),
        5: _names(text_of(stated, "PatientName")),
        7: _digits(text_of(stated, "PatientBirthDate"), 8),
        8: sex if sex in ("M", "F", "O") else "",
    }
    return segment("PID", fields)


def _names(name: str) -> list[str | Components]:
    """PID-5: the groups of a DICOM name, alphabetic, ideographic and phonetic (XPN-8)."""
    found: list[str | Components] = []
    for group, code in zip(name.split("="), "AIP", strict=False):
        family, given, middle, prefix, suffix, *_ = [*group.split("^"), "", "", "", "", ""]
        if group.strip("^ "):
            found.append((family, given, middle, suffix, prefix, "", "L", code))
    return found or [("", "", "", "", "", "", NO_NAME)]


def _order(message: ResultMessage) -> str:
    return segment("ORC", {1: "RE", 2: (message.placer,), 3: _filler(message)})


def _procedure(message: ResultMessage) -> Components:
    """As in the measurement report."""
    return coded(sr.procedure(message.analysis))


def _filler(message: ResultMessage) -> Components:
    return message.filler, message.dialect.sending_application


def _request(message: ResultMessage) -> str:
    stated = message.analysis.patient_and_study
    date = _digits(text_of(stated, "StudyDate"), 8)
    time = _digits(text_of(stated, "StudyTime").partition(".")[0], 6)
    fields: dict[int, Value] = {
        1: "1",
        2: (message.placer,),
        3: _filler(message),
        4: _procedure(message),
        7: f"{date}{time}" if date else "",
        18: message.placer,
        22: message.at,
        24: "RAD",
        25: "P",
    }
    return segment("OBR", fields)


def _digits(text: str, length: int) -> str:
    return text if re.fullmatch(rf"[0-9]{{{length}}}", text) else ""


@dataclass(frozen=True)
class _Observation:
    """One OBX: its value of type `kind`, and which of equal ones it is (`number`, OBX-4)."""

    kind: str
    what: Components
    value: Value
    number: str
    unit: Components = ()
    flag: str = ""
    status: Status | None = None


def _observations(message: ResultMessage, first: Sequence[_Observation] = ()) -> Iterator[str]:
    observed = [*first, *_about(message), *_numbers(message.report), *_texts(message)]
    for number, one in enumerate(observed, start=1):
        module, dialect = message.analysis.module, message.dialect
        device = f"{module.name} {module.version}", dialect.sending_application
        fields: dict[int, Value] = {
            1: str(number),
            2: one.kind,
            3: one.what,
            4: one.number,
            5: one.value,
            6: one.unit,
            8: one.flag,
            11: one.status or message.status,
            14: message.at,
            17: coded(codes.ARTIFICIAL_INTELLIGENCE),
            18: (*device, module.device_uid, "ISO"),
        }
        yield segment("OBX", fields)


def _about(message: ResultMessage) -> Iterator[_Observation]:
    """What made the result, and where to see it."""
    module = message.analysis.module
    yield _Observation("ST", coded(codes.ALGORITHM_NAME), module.name, "0")
    yield _Observation("ST", coded(codes.ALGORITHM_VERSION), module.version, "0")
    weights = coded(codes.DEVICE_OBSERVER_SERIAL_NUMBER)
    yield _Observation("ST", weights, module.weights_sha256, "0")
    if message.dialect.link:
        address = message.dialect.link.replace(STUDY, message.analysis.study.uid)
        pointer = (address, message.dialect.sending_application, "TEXT", "HTML")
        yield _Observation("RP", LINK, pointer, "0")


def _numbers(report: Report) -> Iterator[_Observation]:
    """Each group has a number of its own in OBX-4, and so has each number in it."""
    for place, group in enumerate(StatedReport.of(report).numbered, start=1):
        yield from _of_group(group, str(place))
        for order, number in enumerate(group.numbers, start=1):
            for one in (number, *number.properties):
                unit, value = coded(one.unit), number_text(one.value)
                yield _Observation("NM", coded(one.code), value, f"{place}.{order}", unit)


def _of_group(group: StatedGroup, place: str) -> Iterator[_Observation]:
    yield _Observation("ST", coded(codes.TRACKING_IDENTIFIER), group.label, place)
    if group.image:
        yield _Observation("ST", coded(codes.SOURCE_OF_MEASUREMENT), group.image, place)
    site = group.site
    said = (
        (codes.FINDING, group.finding),
        (codes.FINDING_SITE, site and site.structure),
        (codes.LATERALITY, site and site.side),
        (codes.TOPOGRAPHICAL_MODIFIER, site and site.modifier),
    )
    for name, code in said:
        if code:
            yield _Observation("CWE", coded(name), coded(code), place)


def _texts(message: ResultMessage) -> Iterator[_Observation]:
    """The text for the report, line by line; the lines that say that it is urgent are flagged."""
    said = BY_LANGUAGE[message.dialect.language]
    flags = message.is_urgent and message.dialect.urgency == "flag"
    begins = f"{said.urgent}{said.colon}"
    lines = lines_of(message.report, said)
    flagged = [line for line in lines if line.startswith(begins)] or lines[:1]
    for number, line in enumerate(lines, start=1):
        flag = CRITICAL if flags and line in flagged else ""
        yield _Observation("TX", TEXT, line, str(number), flag=flag)


def coded(code: Code) -> Components:
    return code.value, code.meaning, code.scheme_designator
