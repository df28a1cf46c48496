"""What `hilum run` says of one study of a folder."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hilum.offline.reading import Remark
from hilum.summary import Summary


class ReportState(StrEnum):
    """What happened to a study of the folder."""

    ANALYSED = "analysed"
    REFUSED = "refused"  # by the module, with the reason as its result
    HELD = "held"
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"
    PASSED_OVER = "passed over"  # files that belong to no study with images


@dataclass(frozen=True)
class ResultFile:
    """One result object on the disk."""

    kind: str
    media_type: str
    identity: str  # SOP Instance UID, or a derived UID of what is no DICOM object
    path: Path


@dataclass(frozen=True)
class StudyReport:
    """One study; its fields are those of `hilum run --json`.

    `verdicts` say what was decided about each series, the chosen ones first. `problem` says what
    went wrong, `seconds` how long the analysis took.
    """

    study_uid: str
    module: str
    version: str
    weights_sha256: str
    state: ReportState = ReportState.PASSED_OVER
    reason: str = ""
    verdicts: tuple[str, ...] = ()
    caution: str = ""
    findings: tuple[Summary, ...] = ()
    results: tuple[ResultFile, ...] = ()
    files: tuple[Remark, ...] = ()
    problem: str = ""
    seconds: float | None = None
