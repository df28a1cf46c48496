"""The open studies: what came in and is not settled. Hints are quick, sweeps miss nothing."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import assert_never

from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.errors import UnreadableError
from hilum.inbox import Inbox
from hilum.inbox.removed import Removed
from hilum.inbox.starts import Starts
from hilum.processes.hints import (
    Aborted,
    Arriving,
    Counted,
    Duplicate,
    Quarantined,
    Released,
    Stored,
)
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.patients import Decision
from hilum.records.models.studies import Study
from hilum.records.states import EventKind
from hilum.study.arrival import Arrival
from hilum.study.identifying import identifiers_of, representatives
from hilum.wording import WHOLE_AGAIN, counted

MOST_COUNTS = 1000  # studies
REVIEW_SECONDS = 0.2  # a study in full flow is looked at this often, not at every image
REVIEW_SHARE = 0.005  # of one core, that looking at a study in flow may cost
LONGEST_FLOW = 5.0  # seconds of flow without a look, whatever it costs
PAUSE_SECONDS = 0.25  # without an image: then the flow has stopped, and a look is due

log = logging.getLogger(__name__)


class Arrivals:
    """Studies with images that are not decided on yet, by Study Instance UID.

    Everything here can be rebuilt from the inbox: `sweep` finds what no hint told of, also after a
    crash. Times are those of the files, so a restart does not make old images young. `clock` gives
    the time in s since 1970.
    """

    def __init__(
        self,
        inbox: Inbox,
        records: Records,
        own: OwnResults,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._inbox = inbox
        self._own = own
        self._records = records
        self._starts = Starts(inbox.incoming.parent)
        self._open: dict[str, Arrival] = {}
        self._counts: dict[str, dict[str, int]] = {}  # of studies that are not open yet

    def is_open(self, study_uid: str) -> bool:
        """Whether the study holds images that are not decided on yet."""
        return study_uid in self._open

    def due(self, now: float) -> list[Arrival]:
        """The open studies with news, or whose waiting time is over."""
        for arrival in self._open.values():
            arrival.meet_clock(now)
        return [arrival for arrival in self._open.values() if due_at(arrival) <= now]

    @property
    def next_due(self) -> float:
        """When the first look at an open study is due, in s since 1970; infinite if none is."""
        return min(map(due_at, self._open.values()), default=inf)

    def take(self, hint: Arriving) -> None:
        """Follow one hint of the receiver or of a source."""
        match hint:
            case Stored():
                self.add(hint.path, hint.association, hint.caller, hint.late)
                self._note_put_right(hint)
            case Duplicate():
                self._again(hint.path, hint.association)
            case Counted():
                self._count(hint.study, hint.series, hint.images)
            case Released() | Aborted():
                for arrival in self._open.values():
                    if hint.association in arrival.associations:
                        self._end(arrival, hint)
            case Quarantined():
                if hint.study:
                    self._records.events.add(hint.study, EventKind.QUARANTINED, hint.reason)
            case _:
                assert_never(hint)

    def _note_put_right(self, hint: Stored) -> None:
        """Note once for a study what was put right in its files before they were stored."""
        arrival = self._open.get(hint.study)
        if arrival and hint.reason and hint.reason not in arrival.put_right:
            arrival.put_right.add(hint.reason)
            text = f"a file was put right: {hint.reason}"
            self._records.events.add(arrival.study_uid, EventKind.RECEIVING, text)

    def add(self, path: Path, association: str = "", caller: str = "", late: bool = False) -> None:
        """Take in one file of the inbox, opening (or reopening) its study."""
        instance = self._read(path)
        if instance is None:
            return
        arrival = self._open.get(instance.study_uid)
        if arrival is None and instance.is_own_result:
            return  # sent back to us by the PACS; the next sweep counts it
        if arrival is None:
            arrival = self._open_study(instance.study_uid, path.parent, caller)
        # that of a share may be stamped by a clock ahead of ours
        at = min(path.stat().st_mtime, self._clock())
        late = late or self._starts.lie_between(arrival.last, at)
        arrival.add(instance, at, association, late)

    def _again(self, path: Path, association: str) -> None:
        """Note that an image came again: the sender repeats what broke off.

        In a study that is neither open nor held it is no news.
        """
        folder = path.parent
        is_open = folder in map(self._inbox.study_folder, self._open)
        if not is_open and not self._records.workitems.is_held(folder.name):
            return
        instance = self._read(path)
        if instance is None or instance.is_own_result:
            return
        arrival = self._open.get(instance.study_uid) or self._open_study(
            instance.study_uid, folder, ""
        )
        arrival.add(instance, self._clock(), association, late=True)

    def reviewed(self, arrival: Arrival, wait: float | None, cost: float) -> None:
        """Note that the rules have looked: come back after `wait` seconds, or never if all decided.

        `cost` is how many seconds the look took.
        """
        now = self._clock()
        arrival.changed = False
        arrival.last_review = now
        arrival.review_seconds = cost
        settled = len(arrival.instances) if wait is None else 0
        said = _identifiers(arrival, is_settled=wait is None)
        self._records.studies.reviewed(
            arrival.study_uid,
            arrival.images,
            arrival.last,
            settled,
            said,
            arrival.reason,
            arrival.patience,
        )
        if wait is not None:
            arrival.next_review = now + wait
            return
        del self._open[arrival.study_uid]
        if arrival.removed:
            came = arrival.images - len(arrival.removed)
            all_of_it = counted(arrival.images, "image")
            text = f"{came} of {all_of_it} are here, the others were removed before"
            text = f"{text}: {WHOLE_AGAIN}"
            self._records.events.add(arrival.study_uid, EventKind.LATE, text)
        else:
            self._records.studies.forget_removal(arrival.study_uid)

    def reopen(self, study_uid: str) -> Arrival:
        """Open a settled study, so that it is looked at anew."""
        arrival = self._open.get(study_uid)
        if arrival is None:
            folder = self._inbox.study_folder(study_uid)
            arrival = self._open_study(study_uid, folder, "")
            arrival.last = max(arrival.last_of_series.values())
        arrival.changed = True
        return arrival

    def is_here(self, study_uid: str) -> bool:
        """Whether any image of a study is here; none is read."""
        return study_uid in self._open or any(self._inbox.study_folder(study_uid).glob("*.dcm"))

    def as_it_is(self, study_uid: str) -> Arrival | None:
        """A study as it is here, without opening it; None if none of its images is here."""
        if study_uid in self._open:
            return self._open[study_uid]
        if not self.is_here(study_uid):
            return None
        arrival = self.reopen(study_uid)
        del self._open[study_uid]
        return arrival

    def decide(self, study_uid: str, identity: str, at: float, why: str) -> None:
        """Look at a study anew, of whose images those with `identity` count since `at`.

        The line of the trace that says `why` divides what ended before from what is made since.
        """
        self._records.events.add(study_uid, EventKind.DECIDED, why)
        self._open.pop(study_uid, None)  # its files may have been exchanged
        arrival = self.reopen(study_uid)
        self._records.corrections.decide(Decision(study_uid, identity, at))
        arrival.decided = identity

    def sweep(self) -> None:
        """Take in every file of studies that hold more files than were decided on."""
        settled = self._records.studies.settled_images()
        loaded = {i.path for a in self._open.values() for i in a.instances.values()}
        known = Counter(path.parent for path in loaded)
        for folder in self._folders():
            files = [path for path in folder.glob("*.dcm") if path not in loaded]
            if files and len(files) + known[folder] > settled.get(folder.name, 0):
                self._take_in(folder, files)

    def _take_in(self, folder: Path, files: Sequence[Path]) -> None:
        """Take in files of one study; settle it if they are our own results and nothing else."""
        for path in sorted(files, key=lambda p: p.stat().st_mtime):
            self.add(path)
        if folder not in map(self._inbox.study_folder, self._open):
            here = sum(path.exists() for path in files)
            self._records.studies.settle(folder.name, here)

    def catch_up(self, arrival: Arrival, association: str = "") -> bool:
        """Take in the images of an open study that no hint told of; whether there were any.

        The kernel drops hints that come while we are busy; a sweep would find the images later.
        """
        before = len(arrival.instances)
        known = {instance.path for instance in arrival.instances.values()}
        folder = self._inbox.study_folder(arrival.study_uid)
        for path in sorted(set(folder.glob("*.dcm")) - known, key=lambda p: p.stat().st_mtime):
            self.add(path, association, late=True)
        return len(arrival.instances) > before

    def _end(self, arrival: Arrival, hint: Released | Aborted) -> None:
        """Note that an association of a study has ended, and find images that no hint told of."""
        association = hint.association
        self.catch_up(arrival, association if arrival.associations == {association} else "")
        if isinstance(hint, Released):
            arrival.released(association)
            event, sign = EventKind.RELEASED, hint.sign
        else:
            arrival.aborted(association)
            event, sign = EventKind.ABORTED, "aborted the association"
            sign += f" ({hint.reason})" if hint.reason else ""
        images = counted(len(arrival.instances), "image")
        text = f"{hint.caller} {sign}, {images} of this study so far"
        self._records.events.add(arrival.study_uid, event, text)

    def _count(self, study_uid: str, series_uid: str, images: int) -> None:
        """Note how many images an archive has of a series; often before the first one is here."""
        if study_uid in self._open:
            self._open[study_uid].count(series_uid, images)
            return
        self._counts.setdefault(study_uid, {})[series_uid] = images
        if len(self._counts) > MOST_COUNTS:
            del self._counts[next(iter(self._counts))]

    def _folders(self) -> Iterator[Path]:
        return (path for path in self._inbox.incoming.iterdir() if path.is_dir())

    def _open_study(self, study_uid: str, folder: Path, caller: str) -> Arrival:
        """Start to follow a study; one that was settled before brings its earlier images along."""
        now = self._clock()
        first = min((path.stat().st_mtime for path in folder.glob("*.dcm")), default=now)
        is_new = self._records.studies.add(Study(study_uid, folder.name, 0, 0, first, now))
        arrival = self._open[study_uid] = Arrival(study_uid)
        if decision := self._records.corrections.decision(study_uid):
            arrival.decided = decision.identity
        arrival.counted.update(self._counts.pop(study_uid, {}))
        for held in self._records.workitems.held(study_uid):
            arrival.short |= {v.series_uid: v.lacks for v in held.verdicts if v.lacks}
        if is_new:
            text = f"first image received from {caller}" if caller else "images found on disk"
            self._records.events.add(study_uid, EventKind.RECEIVING, text)
        else:
            for path in sorted(folder.glob("*.dcm"), key=lambda p: p.stat().st_mtime):
                if instance := self._read(path):
                    arrival.instances[instance.sop_instance_uid] = instance
                    if announced := instance.announced_images:
                        arrival.expected[instance.series_uid] = announced
                    arrival.last_of_series[instance.series_uid] = path.stat().st_mtime
        self._note_removed(arrival, folder)
        return arrival

    def _note_removed(self, arrival: Arrival, folder: Path) -> None:
        """Read which images of an opened study a rule has removed, and end a removal under way."""
        removed = Removed.read(folder)
        if removed.begun is not None:
            replace(removed, begun=None).write(folder)
        arrival.removed = removed.absent(i.path for i in arrival.instances.values())
        if arrival.removed:
            text = f"images come again, {len(arrival.removed)} of this study were removed before"
            self._records.events.add(arrival.study_uid, EventKind.RECEIVING, text)

    def _read(self, path: Path) -> Instance | None:
        """The image at `path`; what is no DICOM object is quarantined."""
        try:
            return Instance.read(path, self._own)
        except OSError as error:  # gone, or out of reach: the next sweep looks
            log.warning("an accepted image cannot be read now: %s", error.strerror)
            return None
        except UnreadableError as error:
            self._inbox.quarantine(path.read_bytes(), str(error))
            path.unlink()
            return None


def _identifiers(arrival: Arrival, is_settled: bool) -> StudyIdentifiers | None:
    """What the images say about the study where that may be news: series came, or it is settled."""
    images = [image for image in arrival.instances.values() if not image.is_own_result]
    series = {image.series_uid: image for image in reversed(images)}
    if not is_settled and arrival.identified == frozenset(series):
        return None
    arrival.identified = frozenset(series)
    some = representatives(images) if is_settled else list(series.values())
    return identifiers_of(some, arrival.decided)


def due_at(arrival: Arrival) -> float:
    """When a look at the study may decide something, and is worth what it costs."""
    if not arrival.last:
        return inf
    if not arrival.changed:
        return arrival.next_review
    pause = min(max(REVIEW_SECONDS, arrival.review_seconds / REVIEW_SHARE), LONGEST_FLOW)
    in_flow = arrival.last_review + pause
    stopped = arrival.last + PAUSE_SECONDS
    return min(in_flow, stopped) if stopped > arrival.last_review else in_flow
