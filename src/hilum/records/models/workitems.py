"""What is to be done on studies, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilum.config.site import Rule
from hilum.records.states import WorkitemKind, WorkitemState
from hilum.study.given_exam import EarlierExam
from hilum.study.verdict import Verdict
from hilum.summary import Summary


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
    at_once: bool = False  # it is urgent, or a person wants it now: first, and at any hour
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
class WaitingAnalyses:
    """The analyses of a rule that have not begun, and when the oldest was made (s since 1970).

    `hours` are those of the rule as it was recorded; both are empty of what waits for no hours.
    `for_findings`: they are to be given those of a run that has not ended.
    """

    rule_key: str
    hours: str
    oldest: float
    number: int
    for_findings: bool = False


@dataclass(frozen=True)
class PutBack:
    """What an alarm says of a workitem that waits for a server: nothing of its images."""

    study_uid: str
    module: str
    created: float
    failure: str  # why the server is away


@dataclass(frozen=True)
class Subject:
    """One image of a workitem, by the name of its file: so it is known again in another study."""

    workitem_id: str
    image: str
    study_uid: str
    label: str
