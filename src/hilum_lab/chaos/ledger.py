"""Counting without Hilum: from what the scanner was told and what the archives hold.

Hilum's own records are asked for two things only: how often a module ran, and whether Hilum itself
believes that it is done.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydicom.dataset import Dataset

from hilum.inbox import Inbox
from hilum.records.states import EventKind
from hilum_lab.chaos.exams import SentStudy
from hilum_lab.chaos.gateway import RunningHilum
from hilum_lab.chaos.network import ClinicalNetwork
from hilum_lab.network.orthanc import ANSWER_SECONDS


@dataclass(frozen=True)
class ArchivedResult:
    """One result object in an archive."""

    sop_instance_uid: str
    sop_class_uid: str
    number: str  # Instance Number: a run may give several pictures
    images: frozenset[str]  # the images of the study that it names
    replaces: frozenset[str]  # the other results that it names


@dataclass(frozen=True)
class Count:
    """What was counted for some studies."""

    accepted: int = 0  # images that the sender was told are safe
    lost: int = 0  # of these: not on Hilum's disk, or named by no result though they should be
    twice: int = 0  # results beyond the first of a kind for the same images, in either archive
    sent_again: int = 0  # sendings of a result to an archive that had taken it before
    inferences: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


class Ledger:
    """Counts in one network."""

    def __init__(self, network: ClinicalNetwork) -> None:
        self._network = network
        self._read: dict[str, ArchivedResult] = {}  # by Orthanc's identifier
        self._on_disk: dict[Path, str] = {}  # SOP Instance UIDs of files in Hilum's inbox

    def in_pacs(self, study: SentStudy) -> list[ArchivedResult]:
        """The results that the PACS holds, asked by its REST API."""
        known = set(study.uid_of.values())
        pacs = self._network.pacs.url
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study.uid}}
        results = []
        for key in httpx.post(f"{pacs}/tools/find", json=query, timeout=ANSWER_SECONDS).json():
            for held in httpx.get(f"{pacs}/studies/{key}/instances", timeout=ANSWER_SECONDS).json():
                if held["MainDicomTags"]["SOPInstanceUID"] in known:
                    continue
                if held["ID"] not in self._read:
                    url = f"{pacs}/instances/{held['ID']}/tags?simplify"
                    tags = httpx.get(url, timeout=ANSWER_SECONDS).json()
                    self._read[held["ID"]] = _result(tags.get, _named_in_json(tags), known)
                results.append(self._read[held["ID"]])
        return results

    def in_archive(self, study: SentStudy) -> list[ArchivedResult]:
        """The results that the second archive holds."""
        known = set(study.uid_of.values())
        holds = list(self._network.archive.holds.values())
        return [
            _result(header.get, _named_in(header), known)
            for header in holds
            if header.StudyInstanceUID == study.uid and header.SOPInstanceUID not in known
        ]

    def count(self, studies: Iterable[SentStudy], answered: bool = True) -> Count:
        """Count for `studies`; unless `answered`, no result has to name their images."""
        studies = list(studies)
        on_disk = self._uids_on_disk()
        return sum((self._of(study, on_disk, answered) for study in studies), Count())

    def _uids_on_disk(self) -> set[str]:
        incoming = self._network.hilum.site.data / "incoming"
        there = set(incoming.glob("*/*.dcm"))
        for path in there - self._on_disk.keys():
            header = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"])
            self._on_disk[path] = str(header.SOPInstanceUID)
        return {uid for path, uid in self._on_disk.items() if path in there}

    def _of(self, study: SentStudy, on_disk: set[str], answered: bool) -> Count:
        in_pacs, in_archive = self.in_pacs(study), self.in_archive(study)
        named = frozenset[str]().union(*(result.images for result in in_pacs))
        lost = study.accepted - on_disk
        if answered:
            lost |= study.analysable - named
        taken = Counter(s.sop_instance_uid for s in self._network.gate.sendings if s.taken)
        came_again = self._network.archive.again
        again = sum(max(0, taken[result.sop_instance_uid] - 1) for result in in_pacs)
        again += sum(came_again[result.sop_instance_uid] for result in in_archive)
        return Count(
            len(study.accepted),
            len(lost),
            _twice(in_pacs) + _twice(in_archive),
            again,
            inferences(self._network.hilum, study),
        )


def believed_done(hilum: RunningHilum, study: SentStudy) -> bool:
    """Whether Hilum thinks that all work on `study` is settled."""
    items = hilum.records.workitems.of_study(study.uid)
    return bool(items) and all(item.state.settled for item in items)


def inferences(hilum: RunningHilum, study: SentStudy) -> int:
    """How often a module was started on `study`, by Hilum's own trace."""
    return len(hilum.records.events.of_kind(study.uid, EventKind.RUNNING))


def files_of(hilum: RunningHilum, study: SentStudy) -> list[Path]:
    """The files of one study in Hilum's inbox."""
    return list(Inbox(hilum.site.data).study_folder(study.uid).glob("*.dcm"))


def _twice(results: list[ArchivedResult]) -> int:
    """How many results there are beyond one of a kind for the same images."""
    kinds = Counter((result.sop_class_uid, result.number, result.images) for result in results)
    return sum(number - 1 for number in kinds.values())


def _result(get: Callable[[str], Any], named: Iterable[str], images: set[str]) -> ArchivedResult:
    named = set(named)
    return ArchivedResult(
        str(get("SOPInstanceUID")),
        str(get("SOPClassUID")),
        str(get("InstanceNumber")),
        frozenset(named & images),
        frozenset(named - images),
    )


def _named_in_json(value: Any) -> Iterator[str]:
    """Every Referenced SOP Instance UID below `value`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "ReferencedSOPInstanceUID":
                yield str(inner)
            else:
                yield from _named_in_json(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named_in_json(inner)


def _named_in(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)


def _values(count: Count) -> tuple[int, ...]:
    return (count.accepted, count.lost, count.twice, count.sent_again, count.inferences)
