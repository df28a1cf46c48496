"""What a C-STORE status or a STOW-RS failure reason means for a delivery (PS3.4 B.2.3).

General statuses are those of PS3.7 annex C, 0xA770 to 0xA779 those of dcm4chee. And what an HTTP
status means for all that one request was to deliver.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

from hilum.answers import Acceptance, Answer
from hilum.errors import DeliveryDelayed
from hilum.results import Result
from hilum.transport.web import BUSY, HttpClient, Response

TAKEN, LATER, NEVER = Acceptance.TAKEN, Acceptance.LATER, Acceptance.NEVER
NEEDLESS = Acceptance.NEEDLESS
NOT_TAKEN = (*BUSY, HTTPStatus.SERVICE_UNAVAILABLE)  # it says itself that it did nothing
VALIDATE = "validate the file; the log of the archive names the attribute"
CORRECT_PATIENT = "correct the patient data there or here, then `hilum release`"
REJECTED_BEFORE = (
    "such an object was rejected there before: delete the rejected one there for good, or have the "
    "images analysed anew with `hilum retry`"
)


class Meaning(NamedTuple):
    """What the statuses from `lowest` to `highest` mean, and what to do."""

    lowest: int
    highest: int
    acceptance: Acceptance
    text: str


def _one(status: int, acceptance: Acceptance, text: str) -> Meaning:
    return Meaning(status, status, acceptance, text)


MEANINGS = (  # the first one that fits
    _one(0x0000, TAKEN, "success"),
    _one(0x0001, TAKEN, "success, optional attributes not kept"),
    _one(0xB000, TAKEN, "taken, and the archive has changed attributes of it"),
    _one(0xB006, TAKEN, "taken, and the archive has left out attributes of it"),
    _one(0xB007, TAKEN, "taken, although the archive says that it does not match its SOP class"),
    Meaning(0xB000, 0xBFFF, TAKEN, "taken with a warning"),
    _one(0x0111, TAKEN, "the archive holds this SOP Instance UID already"),
    _one(0x0107, TAKEN, "taken, although the archive does not know some attributes"),
    _one(0x0116, TAKEN, "taken, although a value is out of its range"),
    _one(0x0110, LATER, "processing failure in the archive"),
    _one(0x0213, LATER, "the archive is out of resources"),
    _one(0x0112, NEVER, "the archive does not have the object: look for it there"),
    _one(0x0119, NEVER, "the archive has the UID under another SOP class: delete that there"),
    _one(
        0x0131,
        NEVER,
        "the archive was asked with this Transaction UID before: `hilum release` asks with another "
        "one",
    ),
    _one(
        0x0122,
        NEVER,
        "the archive does not store this SOP class: enable it there, or send another kind of "
        "result to it (setting objects of the destination)",
    ),
    _one(
        0x0124,
        NEVER,
        "the archive does not let us store: allow our calling AE title or user there",
    ),
    Meaning(0x0105, 0x0106, NEVER, f"the archive says that an attribute is wrong: {VALIDATE}"),
    Meaning(0x0117, 0x0121, NEVER, f"the archive says that the object is wrong: {VALIDATE}"),
    _one(0xA770, NEEDLESS, "the archive has this rejection note already: nothing is left to do"),
    _one(0xA771, NEVER, REJECTED_BEFORE),
    _one(
        0xA772,
        NEVER,
        "the note names an object that the archive does not have, so all of it is refused: reject "
        "in the archive itself what it has of that result",
    ),
    _one(
        0xA773,
        NEVER,
        "the note names an object by another SOP class than the archive has: reject the object "
        "in the archive itself",
    ),
    _one(0xA774, NEEDLESS, "the archive has rejected that object already: nothing is left to do"),
    _one(
        0xA775,
        NEVER,
        "the retention of the archive does not allow a rejection: allow it there, or reject the "
        "result in the archive itself",
    ),
    _one(
        0xA776,
        NEVER,
        "the retention of the archive has not ended yet: wait for that, then `hilum release`",
    ),
    _one(0xA777, NEVER, f"the archive wants a Patient ID, and there is none: {CORRECT_PATIENT}"),
    _one(
        0xA778,
        NEVER,
        f"the archive has the study under another Patient ID: {CORRECT_PATIENT}",
    ),
    _one(
        0xA779,
        NEVER,
        f"the archive has the study with other data of the patient: {CORRECT_PATIENT}",
    ),
    Meaning(
        0xA700,
        0xA7FF,
        LATER,
        "the archive is out of resources: look at its disk; or a rule there rejects the object: "
        "look into its log",
    ),
    Meaning(
        0xA900,
        0xA9FF,
        NEVER,
        f"the archive says that the data set does not match its SOP class: {VALIDATE}",
    ),
    _one(0xC122, NEVER, "the archive does not take this transfer syntax: enable it there"),
    Meaning(
        0xC000,
        0xCFFF,
        NEVER,
        "the archive cannot understand the object: validate the file; the log of the archive "
        "names the cause",
    ),
)


def meaning_of(status: int) -> tuple[Acceptance, str]:
    """Whether an instance with this `status` was accepted, and what it means with the cure."""
    for meaning in MEANINGS:
        if meaning.lowest <= status <= meaning.highest:
            return meaning.acceptance, f"{meaning.text} (0x{status:04X})"
    return NEVER, f"status 0x{status:04X}: look into the log of the archive"


def answer_of(result: Result, status: int, comment: str = "") -> Answer:
    """The answer to one object, from its status and what the archive itself said."""
    acceptance, text = meaning_of(status)
    return Answer(result, acceptance, status, text if status else "", comment)


def refused(
    peer: HttpClient, answer: Response, sent: Sequence[Result], comment: str
) -> Iterator[Answer]:
    """The answers to a request that was not done as a whole; then the error for it is raised."""
    error = peer.failure(answer)
    acceptance = NEVER
    if isinstance(error, DeliveryDelayed):
        acceptance = LATER if answer.status in NOT_TAKEN else Acceptance.UNKNOWN
    for result in sent:
        yield Answer(result, acceptance, text=str(error), comment=comment)
    raise error
