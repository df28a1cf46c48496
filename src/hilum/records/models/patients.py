"""Whose the images of a study are, as it was sent and decided."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """A person has decided that the images of a study with this identity are the right ones."""

    study_uid: str
    identity: str
    at: float


@dataclass(frozen=True)
class Correction:
    """Patient data that were sent for images which are here under others."""

    study_uid: str
    identity: str
    at: float
    senders: tuple[str, ...]
    is_open: bool  # nobody has decided on it yet


@dataclass(frozen=True)
class FormerLabel:
    """What images of a study were called before a correction."""

    study_uid: str
    label: str
    at: float
