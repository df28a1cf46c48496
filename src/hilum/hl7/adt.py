"""ADT messages (2.5.1, chapter 3): what the hospital says of its patients, as far as we use it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

from hilum.errors import MessageError
from hilum.hl7.er7 import MessageSegment, ReceivedMessage

CLOCKS_DIFFER = 300.0  # s by which the clocks of two machines of a hospital may differ
NOT_OF_A_PATIENT = frozenset(  # CX-5 (table 0203): numbers of an account, a visit, another person
    ("AN", "ANC", "AND", "ANT", "VN", "GI", "GN", "SN", "MB", "EI", "EN")
)
NAMES = ("L", "", "U", "D")  # XPN-7 (table 0200), best first; others are no name of today
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,4}))?([+-]\d{4})?")


class PatientEvent(StrEnum):
    """The events that are taken; of those after MERGED it is only told."""

    UPDATED = "A08"
    MERGED = "A40"
    LINKED = "A24"
    UNLINKED = "A37"
    RENAMED = "A47"


class EventNotTaken(MessageError):  # noqa: N818 - it says what happened
    """It is no ADT message, or of an event that is not taken."""


@dataclass(frozen=True)
class PatientIdentifier:
    """A patient ID and who issued it: local name, universal ID and its type (CX-4).

    `kind` is its type (CX-5), "" where it is not stated.
    """

    id: str
    authority: tuple[str, str, str]
    kind: str = ""


@dataclass(frozen=True)
class StatedPatient:
    """A patient as a message states one; "" and () are what it does not state.

    `former` are IDs that are no longer this patient's (MRG-1). `name` is as DICOM writes it.
    """

    identifiers: tuple[PatientIdentifier, ...]
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    former: tuple[PatientIdentifier, ...] = ()


@dataclass(frozen=True)
class PatientUpdate:
    """What one message says; `at` is when it happened in the hospital (s since 1970).

    `is_ahead`: the hospital states a time at which the message had come already.
    """

    event: PatientEvent
    at: float
    patients: tuple[StatedPatient, ...]
    is_ahead: bool = False

    @classmethod
    def read(cls, message: ReceivedMessage) -> "PatientUpdate":
        """What a message says.

        Raises
        ------
        EventNotTaken
            Of something else.
        MessageError
            What is needed is missing; the text says what.
        """
        kind, trigger = message.header.text(9), message.header.text(9, 2)
        events = {event.value: event for event in PatientEvent}
        if kind != "ADT" or trigger not in events:
            taken = ", ".join(events)
            raise EventNotTaken(f"only ADT with the events {taken} is taken: send no others here")
        event = events[trigger]
        patients = tuple(_patients(message))
        if not patients or not all(one.identifiers for one in patients):
            raise MessageError("PID-3 holds no patient ID")
        has_former = event in (PatientEvent.MERGED, PatientEvent.RENAMED)
        if has_former and not all(one.former for one in patients):
            raise MessageError("MRG-1 holds no patient ID")
        return cls(event, _when(message), patients)

    def that_came(self, at: float) -> "PatientUpdate":
        """The same, of no later time than that at which it came: else none after it would count."""
        if self.at <= at:
            return self
        return replace(self, at=at, is_ahead=self.at - at > CLOCKS_DIFFER)


def _when(message: ReceivedMessage) -> float:
    """EVN-2, else MSH-7."""
    said = message.first("EVN")
    stated = (said.text(2) if said else "") or message.header.text(7)
    found = MOMENT.fullmatch(stated)
    if not found:
        raise MessageError("neither EVN-2 nor MSH-7 says when it happened")
    year, month, day, hour, minute, second, part, zone = found.groups()
    try:
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((part or "0").ljust(6, "0")),
        )
        return (moment.replace(tzinfo=_zone(zone)) if zone else moment.astimezone()).timestamp()
    except (ValueError, OverflowError) as error:
        raise MessageError("EVN-2 or MSH-7 is not a date and time") from error


def _zone(text: str) -> timezone:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-offset if text[0] == "-" else offset) if offset else UTC


def _patients(message: ReceivedMessage) -> Iterator[StatedPatient]:
    """Each PID with the MRG that follows it, before the next PID."""
    pid: MessageSegment | None = None
    former: list[PatientIdentifier] = []
    for segment in message.segments:
        if segment.name == "PID":
            if pid:
                yield _patient(pid, former)
            pid, former = segment, []
        elif segment.name == "MRG":
            former += _identifiers(segment, 1)
    if pid:
        yield _patient(pid, former)


def _patient(pid: MessageSegment, former: list[PatientIdentifier]) -> StatedPatient:
    sex, birth_date = pid.text(8).upper(), pid.text(7)[:8]
    return StatedPatient(
        tuple(_identifiers(pid, 3)),
        _name(pid),
        birth_date if re.fullmatch(r"\d{8}", birth_date) else "",
        sex if sex in ("M", "F", "O") else "",
        tuple(former),
    )


def _identifiers(segment: MessageSegment, field: int) -> Iterator[PatientIdentifier]:
    for components in segment.repetitions(field):
        one, two, three = (segment.part(components, 4, part) for part in (1, 2, 3))
        number, kind = segment.part(components, 1), segment.part(components, 5).upper()
        if number and kind not in NOT_OF_A_PATIENT:
            yield PatientIdentifier(number, (one, two, three), kind)


def _name(pid: MessageSegment) -> str:
    """PID-5 as DICOM writes it: the alphabetic, ideographic and phonetic group (XPN-8).

    Of several names the one that the patient has now, such as the legal one.
    """
    groups = {"A": "", "I": "", "P": ""}
    stated = [one for one in pid.repetitions(5) if pid.part(one, 7).upper() in NAMES]
    for components in sorted(stated, key=lambda one: NAMES.index(pid.part(one, 7).upper())):
        group = pid.part(components, 8).upper() or "A"
        order = (1, 2, 3, 5, 4)  # suffix and prefix change places
        parts = [pid.part(components, place).replace("^", " ") for place in order]
        name = "^".join(parts).rstrip("^").replace("=", " ").replace("\\", " ")
        if group in groups and not groups[group]:
            groups[group] = CONTROL.sub(" ", name).strip()
    return "=".join(groups.values()).rstrip("=")
