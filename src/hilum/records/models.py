"""The rows of our records as values: one frozen dataclass a table (tables.py).

Times are seconds since 1970. Identities and labels are hashes (hilum.dicom.identity). Nothing here
holds a name, a birth date or a patient ID: those stand in `listing` alone (listed.py). What the
receiver rejected is a `hilum.rejections.Rejection`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilum.answers import Acceptance
from hilum.config.site import Rule
from hilum.given_exam import EarlierExam
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    EventKind,
    PausedKind,
    RequestAction,
    SourceState,
    StepState,
    WorkitemKind,
    WorkitemState,
    WorklistState,
)
from hilum.severity import AlarmChange, Severity
from hilum.summary import Summary
from hilum.verdict import Verdict


def _known_settings(rule: Any) -> Any:
    """A rule that was recorded by another version, without settings that this one does not know.

    Settings that the other version did not know have their defaults: so it behaved.
    """
    if not isinstance(rule, dict):
        return rule
    return {name: value for name, value in rule.items() if name in Rule.model_fields}


RecordedRule = Annotated[Rule, BeforeValidator(_known_settings)]


@dataclass(frozen=True)
class Workitem:
    """One module on one study, or why it was not run, or a note about a result.

    `inputs` are the analysed files in the study's folder, and which of their frames, by the name of
    the input; only a run has any. `siblings` are one file of every series and patient of the study.
    `used` are the runs of other modules whose findings it is given, `priors` the earlier exams of
    the patient, the latest first, by the name of the input.
    """

    id: str
    kind: WorkitemKind
    study_uid: str
    module: str
    version: str
    title: str
    weights_sha256: str
    rule: RecordedRule
    rule_key: str
    state: WorkitemState
    reason: str
    created: float
    inputs: Mapping[str, tuple[str, ...]]
    siblings: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    launch: int = 0  # how often the engine was given it
    runs: int = 0  # how often its analysis was begun
    incomplete: str | None = None  # what is missing, if a part was analysed
    failure: str | None = None  # why the module gave nothing
    predecessor: str | None = None
    superseded_by: str | None = None
    findings: tuple[Summary, ...] | None = None  # None until there are any
    asked: bool = False  # a person chose its module and destinations, no rule did
    used: Mapping[str, str] = field(default_factory=dict)
    priors: Mapping[str, tuple[EarlierExam, ...]] = field(default_factory=dict)
    about: str | None = None  # of a note: the run whose result it is about

    @property
    def is_run(self) -> bool:
        """Whether its module has run or will run."""
        return self.kind is WorkitemKind.RUN

    @property
    def earlier_exams(self) -> tuple[EarlierExam, ...]:
        """Those of all its inputs; one that two inputs are given is there twice."""
        return tuple(exam for of_input in self.priors.values() for exam in of_input)


@dataclass(frozen=True)
class WorkitemOutline:
    """What a list shows of a workitem: the fields of it that are neither files nor settings."""

    id: str
    kind: WorkitemKind
    study_uid: str
    module: str
    version: str
    weights_sha256: str
    state: WorkitemState
    reason: str
    verdicts: tuple[Verdict, ...]
    incomplete: str | None
    predecessor: str | None
    superseded_by: str | None
    findings: tuple[Summary, ...] | None
    failure: str | None
    asked: bool


@dataclass(frozen=True)
class PutBack:
    """What an alarm says of a workitem that waits for a server: nothing of its images."""

    study_uid: str
    module: str
    created: float
    failure: str  # why the server is away


@dataclass(frozen=True)
class WrittenResult:
    """One result object, written for the destinations of one variant.

    `variant` is that of `DestinationSettings`; `identity` is a SOP Instance UID, or a derived UID
    of what is no DICOM object. `path` is that of its file, below the data folder.
    """

    identity: str
    variant: str
    workitem_id: str
    kind: str  # of the group `hilum.objects`, or "ko" for a note about a result
    media_type: str
    sop_class_uid: str  # "" of what is no DICOM object
    path: Path


@dataclass(frozen=True)
class Delivery:
    """The results of one workitem on their way to one destination."""

    workitem_id: str
    destination: str
    variant: str  # of the results it is to receive
    images: bool  # whether the analysed images go along
    state: DeliveryState
    owed_at: float
    attempts: int = 0
    reason: str = ""
    next_attempt: float = 0.0
    verified_at: float | None = None
    asks: int = 0  # since all of it was taken
    accepted_at: float | None = None  # when the last of it was taken
    resend: bool = False  # a person allowed to send again what was taken and is not shown
    filed_as: str = ""  # the number of the patient under whom the destination files the study
    urgent: bool = False  # the module says that somebody should look at once


@dataclass(frozen=True)
class DeliveryReceipt:
    """When an object was last sent to a destination, how often, and what was answered."""

    workitem_id: str
    destination: str
    identity: str
    sent_at: float
    times: int
    acceptance: Acceptance
    status: int | None = None


@dataclass(frozen=True)
class CommitmentRequest:
    """A destination was asked to commit itself to the results of a workitem."""

    transaction_uid: str
    workitem_id: str
    destination: str
    asked_at: float


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
class DestinationStanding:
    """Whether a destination answers, since when, and why not."""

    name: str
    state: DestinationState
    since: float
    problem: str = ""
    lag_seconds: float = 0.0  # the longest time from taking a result to showing it


@dataclass(frozen=True)
class WorklistStanding:
    """Whether a worklist can be worked from, since when, and why not."""

    name: str
    state: WorklistState
    since: float
    problem: str = ""


@dataclass(frozen=True)
class SourceStanding:
    """How the watch of an archive stands; the cursor is "" before the first use."""

    name: str
    state: SourceState
    since: float
    cursor: str = ""
    problem: str = ""  # the last one, in plain words
    problem_at: float | None = None
    seen_at: float | None = None  # last answer, give or take a few seconds
    behind: int = 0  # of what the archive lists
    fetched: int = 0  # instances, ever
    fetched_at: float | None = None


@dataclass(frozen=True)
class NotedPause:
    """A person has paused a destination, a source, a worklist or a module.

    `ended_at` is None while it lasts. People who see no patients read the reason.
    """

    kind: PausedKind
    name: str
    since: float
    person: str
    reason: str
    ended_at: float | None = None


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


@dataclass(frozen=True)
class Subject:
    """One image of a workitem, by the name of its file: so it is known again in another study."""

    workitem_id: str
    image: str
    study_uid: str
    label: str


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


@dataclass(frozen=True)
class WorklistStep:
    """A step of a worklist that asks for a module on a study.

    `fetch` and `analysis` are the requests that were made for it. The Transaction UID shows that it
    is ours: nobody else is told it.
    """

    worklist: str
    uid: str  # SOP Instance UID of the step
    study_uid: str
    module: str
    code: tuple[str, str, str]  # value, scheme and meaning of what is asked for
    state: StepState
    since: float
    transaction_uid: str = ""  # "" before it is claimed
    began_at: float | None = None  # when it became ours
    fetch: int | None = None
    analysis: int | None = None
    workitem_id: str = ""
    told: str = ""  # what the worklist was last told of its progress
    reason: str = ""  # why it ends without a result
    cancel_asked: bool = False  # somebody wants it canceled, and we have not heeded that yet
    problem: str = ""  # why the worklist does not take what it is told


@dataclass(frozen=True)
class BegunAlarm:
    """Since when something is wrong, and what was said of it when it was last told."""

    name: str
    severity: Severity
    since: float
    told_at: float
    text: str
    cure: str
    studies: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """That an alarm has begun, still stands or has ended, as a notifier is to tell it.

    It is part of a `message` from the first attempt on, and "" before: what is told again is the
    same message.
    """

    notifier: str
    id: str
    alarm: str
    severity: Severity
    change: AlarmChange
    at: float
    since: float
    text: str
    cure: str
    studies: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True)
class NotifierStanding:
    """How a notifier stands: when it last told something, and since when it fails."""

    name: str
    sent_at: float = 0.0
    attempts: int = 0
    next_attempt: float = 0.0
    failing_since: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Executor:
    """A process that works for the engine; `started` is the kernel's start time of its pid."""

    id: str
    role: str
    host: str
    pid: int
    started: str
    beat_at: float


@dataclass(frozen=True)
class Wish:
    """What a person chooses with what is asked for; "" and () where nothing is to be chosen."""

    module: str = ""
    destinations: tuple[str, ...] = ()
    images: bool = False  # whether the analysed images go along
    archive: str = ""  # where it is fetched from

    def __str__(self) -> str:
        """What was chosen, in words."""
        places = f"to {', '.join(self.destinations)}" if self.destinations else ""
        images = "with the images" if self.images else ""
        source = f"from {self.archive}" if self.archive else ""
        return "; ".join(filter(None, (self.module, places, images, source)))


@dataclass(frozen=True)
class Request:
    """What a person asked for; `answer` is None until the gateway has seen to it.

    It is about a workitem, or about a study where `workitem_id` is "".
    """

    id: int
    at: float
    action: RequestAction
    workitem_id: str
    reason: str
    answer: str | None = None
    done: bool = False
    study_uid: str = ""
    wish: Wish = Wish()
    progress: str = ""  # how far it is, where it takes its time
