"""Ask archives whether they have a study: all at once, and each answer is told as it comes."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from hilum.config.ends import End
from hilum.config.site import Site
from hilum.errors import HilumError, where
from hilum.kinds import DESTINATIONS, SOURCES, Kinds
from hilum.retrieving import ListingArchive, RetrievableArchive, SendingArchive
from hilum.searching import SearchedArchive, StudySearch
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.wording import counted

ALTOGETHER = 5.0  # seconds for all archives together
MARGIN = 1.0  # s before that end at which an archive is given up: some take long to hang up
ASKING = "asking"  # begins the names of the threads


@dataclass(frozen=True)
class Archive:
    """One source or destination that can be asked."""

    name: str
    group: Kinds
    settings: End

    @property
    def can_be_fetched_from(self) -> bool:
        """Whether one study can be fetched from it."""
        kind = self.group.load(self.settings.kind)
        return issubclass(kind, ListingArchive | SendingArchive | RetrievableArchive)

    @contextmanager
    def opened(self, patience: float | None = None) -> Iterator[Any]:
        """It, as its kind is; it answers within `patience` seconds, or those of its settings."""
        changed = {} if patience is None else {"timeout_seconds": patience}
        kind = self.group.load(self.settings.kind)
        archive = kind(self.settings.model_copy(update=changed))
        try:
            yield archive
        finally:
            if self.group is SOURCES:  # a destination holds nothing open
                archive.close()


class Holding(StrEnum):
    """Whether an archive has what is looked for."""

    HAS = "has it"
    LACKS = "does not have it"
    REFUSES = "cannot be asked"  # or gave an answer that cannot be used
    SILENT = "no answer in time"


@dataclass(frozen=True)
class ArchiveAnswer:
    """What one archive says of a study; nothing of it holds patient data."""

    archive: str
    holding: Holding
    text: str
    study_uids: tuple[str, ...] = ()  # of what it has
    can_be_fetched: bool = False  # from it, by us

    def __str__(self) -> str:
        return f"{self.archive} {self.text}."


Answers: TypeAlias = "queue.SimpleQueue[ArchiveAnswer]"


def archives_of(site: Site) -> list[Archive]:
    """Every source and destination that can be asked for studies."""
    ends: list[tuple[Kinds, End]] = [(DESTINATIONS, end) for end in site.destination]
    ends += [(SOURCES, end) for end in site.source]
    return [
        Archive(end.name, group, end)
        for group, end in ends
        if issubclass(group.load(end.kind), SearchedArchive)
    ]


def ask_archives(
    archives: Iterable[Archive], wanted: StudySearch, altogether: float = ALTOGETHER
) -> Iterator[ArchiveAnswer]:
    """The answers of `archives`, as they come.

    Those that have none after `altogether` seconds are told as silent; nobody waits for them.
    """
    until = time.monotonic() + altogether
    answers: Answers = queue.SimpleQueue()
    missing = []
    for archive in archives:
        missing.append(archive.name)
        words = (archive, wanted, until, answers)
        name = f"{ASKING} {archive.name}"
        threading.Thread(target=_ask, args=words, name=name, daemon=True).start()
    while missing:
        try:
            answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        missing.remove(answer.archive)
        yield answer
    for name in missing:
        text = f"has not answered within {altogether:.0f} s"
        yield ArchiveAnswer(name, Holding.SILENT, text)


def _ask(archive: Archive, wanted: StudySearch, until: float, answers: Answers) -> None:
    """Have one archive answer, whatever comes of it."""
    try:
        answers.put(_answer(archive, wanted, until))
    except HilumError as error:
        answers.put(_refusing(archive.name, str(error)))
    except Exception as error:  # noqa: BLE001 - around one archive: the others are asked as well
        answers.put(_refusing(archive.name, f"its answer cannot be used ({where(error)})"))


def _answer(archive: Archive, wanted: StudySearch, until: float) -> ArchiveAnswer:
    name = archive.name
    if not wanted.keys:
        return _refusing(name, "it can be asked for nothing that holds *, ? or a backslash")
    left = until - time.monotonic() - MARGIN
    patience = min(archive.settings.timeout_seconds, max(MARGIN, left))
    with archive.opened(patience) as opened:
        found = set(opened.search(wanted))
    if not found:
        return ArchiveAnswer(name, Holding.LACKS, "does not have it")
    asked = len(wanted.study_uids)
    number = f"{len(found)} of " if asked > 1 else ""
    studies = f"{number}{counted(max(asked, len(found)), 'study')}"
    text = "has it" if len(found) == 1 and asked <= 1 else f"has {studies}"
    return ArchiveAnswer(name, Holding.HAS, text, tuple(sorted(found)), archive.can_be_fetched_from)


def _refusing(name: str, why: str) -> ArchiveAnswer:
    said = why.removeprefix(f"{name}: ").removesuffix(".")
    return ArchiveAnswer(name, Holding.REFUSES, f"cannot be asked: {said}")


def with_answer(explanation: Explanation, answer: ArchiveAnswer, site: Site) -> Explanation:
    """What is to be said now that an archive has answered."""
    name = answer.archive
    if explanation.cause is Cause.NEVER_ARRIVED and answer.holding is Holding.HAS:
        receiver = site.receiver
        text = f"have {name} send it to {receiver.ae_title}, port {receiver.port}"
        here = explanation.sentence.replace(
            "has arrived", f"has arrived here, but {name} has it", 1
        )
        cures = [Cure(CureKind.SEND, text)]
        if answer.can_be_fetched and len(answer.study_uids) == 1:
            command = f"hilum fetch {answer.study_uids[0]} --from {name}"
            cures = [Cure(CureKind.FETCH, f"fetch it from {name}", command), *cures]
        return replace(explanation, sentence=here, cures=(*cures, *explanation.cures[:-1]))
    arrived = {**explanation.shown_in, **explanation.accepted_by}
    is_gone = name in arrived and answer.holding is Holding.LACKS
    if explanation.cause is Cause.SHOWN and is_gone:
        since = time.strftime("%FT%T", time.localtime(arrived[name]))
        command = f"hilum resend --to {name} --since {since}"
        text = f"see what {name} has lost; then ask it for its results, and send what it lacks"
        return replace(
            explanation,
            cause=Cause.NO_LONGER_SHOWN,
            sentence=f"{name} has shown the result and does not have the study any more.",
            cures=(Cure(CureKind.RESEND, text, command),),
            evidence=(explanation.sentence, *explanation.evidence),
        )
    return explanation
