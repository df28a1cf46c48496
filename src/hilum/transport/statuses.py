"""What a C-STORE status or a STOW-RS failure reason means for a delivery (PS3.4 B.2.3)."""

from hilum.answers import Acceptance, Answer
from hilum.results import Result

# First match wins: (lowest, highest, acceptance, what happened and what to do).
_MEANINGS = (
    (0x0000, 0x0000, Acceptance.TAKEN, "success"),
    (0x0001, 0x0001, Acceptance.TAKEN, "success, optional attributes not kept"),
    (0xB000, 0xBFFF, Acceptance.TAKEN, "taken with a warning"),
    (0x0111, 0x0111, Acceptance.TAKEN, "the archive holds this SOP Instance UID already"),
    (0x0110, 0x0110, Acceptance.LATER, "processing failure in the archive"),
    (0x0213, 0x0213, Acceptance.LATER, "the archive is out of resources"),
    (0xA700, 0xA7FF, Acceptance.LATER, "the archive is out of resources: look at its disk"),
    (
        0x0122,
        0x0122,
        Acceptance.NEVER,
        "the archive does not store this SOP class: enable it there, or send another kind of "
        "result to it (setting objects of the destination)",
    ),
    (
        0x0124,
        0x0124,
        Acceptance.NEVER,
        "the archive does not let us store: allow our calling AE title or user there",
    ),
    (
        0xA900,
        0xA9FF,
        Acceptance.NEVER,
        "the archive says that the data set does not match its SOP class: validate the file; "
        "the log of the archive names the attribute",
    ),
    (
        0xC122,
        0xC122,
        Acceptance.NEVER,
        "the archive does not take this transfer syntax: enable it there",
    ),
    (
        0xC000,
        0xCFFF,
        Acceptance.NEVER,
        "the archive cannot understand the object: validate the file; the log of the archive "
        "names the cause",
    ),
)


def meaning_of(status: int) -> tuple[Acceptance, str]:
    """Whether an instance with this `status` was accepted, and what it means with the cure."""
    for lowest, highest, acceptance, text in _MEANINGS:
        if lowest <= status <= highest:
            return acceptance, f"{text} (0x{status:04X})"
    return Acceptance.NEVER, f"status 0x{status:04X}: look into the log of the archive"


def answer_of(result: Result, status: int, comment: str = "") -> Answer:
    """The answer to one object, from its status and what the archive itself said."""
    acceptance, text = meaning_of(status)
    return Answer(result, acceptance, status, text if status else "", comment)
