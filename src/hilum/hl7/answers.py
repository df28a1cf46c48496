"""What a receiver of an HL7 message answers (2.5.1, 2.9): MSA and ERR, read and written."""

from dataclasses import dataclass
from enum import StrEnum

from hilum.hl7.er7 import UTF_8, ReceivedMessage, encoded, header, segment


class Acknowledgement(StrEnum):
    """MSA-1 (table 0008)."""

    AA = "AA"  # accepted by the application
    AE = "AE"  # the application has met an error
    AR = "AR"  # the application rejects it
    CA = "CA"  # enhanced mode: taken and kept, before the application has looked at it
    CE = "CE"
    CR = "CR"


KNOWN = frozenset(verdict.value for verdict in Acknowledgement)
TAKEN = (Acknowledgement.AA, Acknowledgement.CA)
ERROR = (Acknowledgement.AE, Acknowledgement.CE)


# ERR-3, what is wrong with a message (table 0357)
SEGMENT_MISSING = "100"
FIELD_MISSING = "101"
MESSAGE_TYPE = "200"
EVENT = "201"
INTERNAL = "207"
MEANINGS = {
    SEGMENT_MISSING: "a segment is missing or in the wrong place",
    FIELD_MISSING: "a field that it needs is missing",
    "102": "a field does not have the form that it expects",
    "103": "a code is not in its tables",
    MESSAGE_TYPE: "it does not take messages of this type",
    EVENT: "it does not take this event",
    "202": "it does not take this processing ID (processing_id)",
    "203": "it does not take this version of HL7",
    "204": "it does not know this patient, order or other key",
    "205": "it has this key already",
    "206": "what it needs is locked",
    INTERNAL: "it has an error of its own",
}


@dataclass(frozen=True)
class MessageAnswer:
    """An answer as it was received.

    `of` is the MSH-10 that it names (MSA-2), "" where it names none, against 2.5.1, 2.15.8.
    `problem` is a key of `MEANINGS`, or "". `place` is where in the message the error is (ERR-2),
    such as "PID-3". `comment` is what the receiver says in words; it may hold patient data.
    """

    verdict: Acknowledgement
    of: str
    problem: str = ""
    place: str = ""
    comment: str = ""

    def is_about(self, control_id: str) -> bool:
        """Whether it names the message with that MSH-10; ours never differ in case alone."""
        return self.of.upper() == control_id.upper()

    @classmethod
    def read(cls, message: ReceivedMessage) -> "MessageAnswer | None":
        """The answer in `message`; None if it is no answer."""
        said = message.first("MSA")
        if said is None or said.text(1).upper() not in KNOWN:
            return None
        error = message.first("ERR")
        number = (error.text(3) or error.text(1, 4)) if error else ""
        words = [said.text(3)]
        if error:
            words += [error.text(8), error.text(7), error.text(3, 2), error.text(1, 4, 2)]
        return cls(
            Acknowledgement(said.text(1).upper()),
            said.text(2),
            number if number in MEANINGS else "",
            _place(error.text(2), error.text(2, 3)) if error else "",
            "; ".join(dict.fromkeys(word for word in words if word)),
        )


def _place(name: str, field: str) -> str:
    """Where in the message; only what can be no patient data."""
    is_name = len(name) == 3 and name.isascii() and name.isalnum()
    if not is_name:
        return ""
    return f"{name}-{field}" if field.isascii() and field.isdigit() and len(field) < 3 else name


def write_answer(
    message: ReceivedMessage | None,
    verdict: Acknowledgement,
    at: str,
    control_id: str,
    problem: str = "",
    words: str = "",
    place: tuple[str, str, str] | None = None,
) -> bytes:
    """The answer to `message`, None where it cannot be read; `at` is MSH-7, `control_id` MSH-10.

    `place` is the segment, its number and the field (ERR-2).
    """
    asked = message.header if message else None
    names = {target: asked.text(source) for target, source in NAMES.items()} if asked else {}
    event = asked.text(9, 2) if asked else ""
    type_of = ("ACK", event, "ACK") if event else ("ACK",)
    first = {
        **names,
        7: at,
        9: type_of,
        10: control_id,
        11: (asked.text(11) if asked else "") or "P",
        12: (asked.text(12) if asked else "") or "2.5.1",
        18: UTF_8,
    }
    of = message.control_id if message else ""
    segments = [header(first), segment("MSA", {1: verdict, 2: of, 3: words})]
    if problem:
        said = (problem, MEANINGS[problem], "HL70357")
        segments.append(segment("ERR", {2: place or "", 3: said, 4: "E", 8: words}))
    return encoded(segments)


NAMES = {3: 5, 4: 6, 5: 3, 6: 4}  # who is addressed by a message answers it
