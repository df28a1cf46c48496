"""Studies: what came of them, and what happened."""

from dataclasses import dataclass

from hilum.records.states import EventKind, StudyWait
from hilum.wording import NOT_JUDGED, NOT_JUDGED_NOW, NOT_JUDGED_YET

# How a reason begins that is none of images; the first that fits is meant.
BEGINNINGS = {
    NOT_JUDGED_YET: StudyWait.MODULE,
    NOT_JUDGED_NOW: StudyWait.MACHINE,
    NOT_JUDGED: StudyWait.MISTAKE,
}


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
    def waits_for(self) -> StudyWait | None:
        """What keeps it from being decided on; None if all its images are."""
        return None if self.settled_images else wait_of(self.reason)

    @property
    def obstacle(self) -> str:
        """Why a rule cannot look at it; "" where all could, or more images may come."""
        waits_for = self.waits_for
        is_plain = waits_for is None or waits_for.is_for_images
        return "" if is_plain else self.reason.partition(": ")[2]

    @property
    def decided_images(self) -> int:
        """Those on which every rule has decided whose module can be used."""
        return self.images if self.waits_for is StudyWait.MODULE else self.settled_images


def wait_of(reason: str) -> StudyWait:
    """What an open study waits for, of which this is the reason."""
    kinds = (wait for beginning, wait in BEGINNINGS.items() if reason.startswith(beginning))
    return next(kinds, StudyWait.IMAGES)


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
