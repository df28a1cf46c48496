"""What a C-STORE status or a STOW-RS failure reason means for a delivery (PS3.4 B.2.3)."""

from collections.abc import Iterable
from enum import Enum

from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.wording import counted


class Verdict(Enum):
    """What to do next with an instance that was sent."""

    TAKEN = "taken"
    LATER = "later"
    NEVER = "never"


# First match wins: (lowest, highest, verdict, what happened and what to do).
_MEANINGS = (
    (0x0000, 0x0000, Verdict.TAKEN, "success"),
    (0x0001, 0x0001, Verdict.TAKEN, "success, optional attributes not kept"),
    (0xB000, 0xBFFF, Verdict.TAKEN, "taken with a warning"),
    (0x0111, 0x0111, Verdict.TAKEN, "the archive holds this SOP Instance UID already"),
    (0x0110, 0x0110, Verdict.LATER, "processing failure in the archive"),
    (0x0213, 0x0213, Verdict.LATER, "the archive is out of resources"),
    (0xA700, 0xA7FF, Verdict.LATER, "the archive is out of resources, look at its disk"),
    (
        0x0122,
        0x0122,
        Verdict.NEVER,
        "the archive does not store this SOP class: enable it there, or send another kind of "
        "result to it (setting objects of the destination)",
    ),
    (
        0x0124,
        0x0124,
        Verdict.NEVER,
        "the archive does not let us store: allow our calling AE title or user there",
    ),
    (
        0xA900,
        0xA9FF,
        Verdict.NEVER,
        "the archive says the data set does not match its SOP class: validate the file, its "
        "log names the attribute",
    ),
    (
        0xC122,
        0xC122,
        Verdict.NEVER,
        "the archive does not take this transfer syntax: enable it there",
    ),
    (
        0xC000,
        0xCFFF,
        Verdict.NEVER,
        "the archive cannot understand the object: validate the file, its log names the cause",
    ),
)


def verdict(status: int) -> tuple[Verdict, str]:
    """What `status` means, and in plain words with the cure."""
    for lowest, highest, meaning, text in _MEANINGS:
        if lowest <= status <= highest:
            return meaning, f"{text} (0x{status:04X})"
    return Verdict.NEVER, f"status 0x{status:04X}: look into the log of the archive"


def raise_for(statuses: Iterable[int], who: str) -> None:
    """Raise unless every instance was taken.

    What can still go through is repeated first: a refusal is final and would hide the rest.
    """
    verdicts = [verdict(status) for status in statuses]
    for kind, error in ((Verdict.LATER, DeliveryDelayed), (Verdict.NEVER, DeliveryRefused)):
        texts = [text for meaning, text in verdicts if meaning is kind]
        if texts:
            raise error(f"{who}: {len(texts)} of {counted(len(verdicts), 'instance')}: {texts[0]}")
