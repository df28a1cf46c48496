"""Studies: what came of them, and what happened."""

from dataclasses import dataclass

from hilum.records.states import EventKind
from hilum.wording import NOT_JUDGED_YET


@dataclass(frozen=True)
class Study:
    """A study of which images came; `settled_images` are those decided on, 0 while it is open.

    `reason` is what it waits for, or why no rule applies; `patience` are the seconds of silence
    after which it is decided on, 0 where it does not wait.
    """

    study_uid: str
    folder: str
    images: int
    settled_images: int
    first_at: float
    last_at: float
    reason: str = ""
    patience: float = 0.0

    @property
    def decided_images(self) -> int:
        """Those on which every rule has decided whose module can be used."""
        return self.images if self.reason.startswith(NOT_JUDGED_YET) else self.settled_images


@dataclass(frozen=True)
class StudyAddress:
    """What a study is called in URLs; it tells nothing about the study."""

    study_uid: str
    address: str


@dataclass(frozen=True)
class Event:
    """One line in the trace of a study; `workitem_id` is "" where it is about the whole study."""

    id: int
    at: float
    study_uid: str
    workitem_id: str
    kind: EventKind
    text: str


@dataclass(frozen=True)
class Removal:
    """The images of a study were removed by a rule; gone when they come again."""

    study_uid: str
    at: float
    reason: str
    images: int
    bytes: int
    results: int  # workitems whose files are gone, too


@dataclass(frozen=True)
class UploadedStudy:
    """A person has uploaded a study: its results go to these destinations, or stay here.

    `images` says that the analysed images go along.
    """

    study_uid: str
    at: float
    destinations: tuple[str, ...]
    images: bool

    def __str__(self) -> str:
        along = ", with the images" if self.images else ""
        where = f"go to {', '.join(self.destinations)}{along}" if self.destinations else "stay here"
        return f"uploaded in the console: its results {where}"
