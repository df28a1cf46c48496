"""What a reader said of a result, as an ORU^R01 of its own beside the one of the result.

It is never said by a status: *final* would claim a signed report, and *wrong* that the result was
taken back. So it is an order of its own that names the one of the result as its parent (OBR-29),
one for each reader: a receiver that replaces what has the same OBR-3 keeps the result as it is.
"""

from collections.abc import Iterable, Iterator, Sequence

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.hl7.er7 import END, FIELD, ReceivedMessage, Value, segment
from hilum.objects.assessed import ReaderWord
from hilum.objects.iod.assessment import TITLES
from hilum.objects.oru.message import (
    ORU,
    TEXT,
    ResultMessage,
    coded,
    patient_segment,
    short,
    whole_message,
)
from hilum.objects.oru.text import in_parts
from hilum.objects.oru.words import BY_LANGUAGE

STATUS = 11  # of an OBX
OF_ORDER = ("ORC", "OBR", "OBX")
PRELIMINARY = "P"


def assessment_message(
    message: ResultMessage, contents: Sequence[bytes], word: ReaderWord
) -> bytes:
    """`word` on a result that was told by the messages `contents`, an ORU^R01 among them."""
    read = map(ReceivedMessage.of, contents)
    told = next(one.control_id for one in read if one.header.text(9) == ORU[0])
    segments = [
        patient_segment(message),
        *_order(message, word),
        *_observations(message, told, word),
    ]
    return whole_message(message, ORU, segments)


def taken_back(contents: Iterable[bytes], status: str) -> Iterator[str]:
    """The segments that take back what readers said by messages that are among `contents`.

    They are further orders of a message with one: of each reader what was said last.
    """
    last: dict[str, bytes] = {}
    for content in sorted(contents, key=lambda one: ReceivedMessage.of(one).header.text(7)):
        request = ReceivedMessage.of(content).first("OBR")
        if request and (request.text(4), request.text(4, 3)) == codes.ASSESSMENT_OF_RESULT[:2]:
            last[request.text(3)] = content
    for number, content in enumerate(last.values(), start=2):
        for line in content.decode().split(END):
            name, *fields = line.split(FIELD)
            if name == "OBR":
                fields[0] = str(number)
            elif name == "OBX":
                fields[STATUS - 1] = status
            if name in OF_ORDER:
                yield FIELD.join([name, *fields])


def _order(message: ResultMessage, word: ReaderWord) -> Iterator[str]:
    application = message.dialect.sending_application
    number = derived_uid("filler", message.filler, "assessment", word.key)
    own = f"H{short(number, 14)}", application
    yield segment("ORC", {1: "RE", 2: (message.placer,), 3: own})
    fields: dict[int, Value] = {
        1: "1",
        2: (message.placer,),
        3: own,
        4: coded(codes.ASSESSMENT_OF_RESULT),
        7: f"{word.at:%Y%m%d%H%M%S%z}",
        18: message.placer,
        22: message.at,
        24: "RAD",
        25: PRELIMINARY,
        29: ((message.placer,), (message.filler, application)),
    }
    yield segment("OBR", fields)


def _observations(message: ResultMessage, told: str, word: ReaderWord) -> Iterator[str]:
    """The decision as a code, the MSH-10 of what it is about, and the same in words."""
    observed: list[tuple[str, Value, Value, str]] = [
        ("CWE", coded(codes.ASSESSMENT_OF_RESULT), coded(TITLES[word.decision]), "0"),
        ("ST", coded(codes.ASSESSED_RESULT), told, "0"),
    ]
    lines = enumerate(_lines(message, word), start=1)
    observed += [("TX", TEXT, line, str(number)) for number, line in lines]
    for number, (kind, what, value, place) in enumerate(observed, start=1):
        fields: dict[int, Value] = {
            1: str(number),
            2: kind,
            3: what,
            4: place,
            5: value,
            STATUS: PRELIMINARY,
            14: f"{word.at:%Y%m%d%H%M%S%z}",
            16: ("", word.reader),
        }
        yield segment("OBX", fields)


def _lines(message: ResultMessage, word: ReaderWord) -> Iterator[str]:
    said = BY_LANGUAGE[message.dialect.language]
    module = message.analysis.module
    decision = said.decisions[word.decision]
    yield from in_parts(
        said.assessed.format(title=module.title, version=module.version, decision=decision)
    )
    yield from in_parts(word.reason)
    if word.before:
        before, at = word.before
        yield said.before.format(at=f"{at:%Y-%m-%d %H:%M}", decision=said.decisions[before])
