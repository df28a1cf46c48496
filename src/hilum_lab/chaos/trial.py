"""One fault, injected and judged."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.uid import SegmentationStorage

from hilum.errors import DeliveryError, HilumError
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, WorkitemState
from hilum.transport.scu import Peer, Sent, store
from hilum_lab.chaos.exams import SentStudy
from hilum_lab.chaos.ledger import ArchivedResult, Count, Ledger, believed_done, files_of
from hilum_lab.chaos.network import LISTENER, USUAL, ClinicalNetwork, Plan
from hilum_lab.network.processes import LOOPBACK

STEP_SECONDS = 60.0  # longest wait for a step that the fault is to be injected at
POLL_SECONDS = 0.05  # what is asked for may be a question to an archive
COUNT_SECONDS = 0.005  # the last images of a study come within a tenth of a second
NOTHING = Count()


@dataclass(frozen=True)
class Fault:
    """What can go wrong: its function injects it and says when it is over."""

    name: str
    sentence: str
    inject: Callable[["Trial"], None]
    plan: Plan = USUAL
    quick: bool = False  # among those that every run of the test suite injects
    limit: float = 120.0  # seconds in which everything has to be well again
    released: bool = False  # a person has sent again what was accepted and is not shown
    skip: Callable[[], str] = lambda: ""  # why it cannot be injected on this machine


@dataclass
class TrialResult:
    """The result of one fault."""

    fault: Fault
    count: Count = NOTHING
    recovery: float | None = None  # seconds from the end of the fault to the last result
    problems: list[str] = field(default_factory=list)
    skipped: str = ""
    was_sent_late: bool = False  # something came a second time, after all had come right

    @property
    def good(self) -> bool:
        """Whether nothing was lost or sent twice and all came right by itself."""
        return not self.problems


@dataclass
class Expectation:
    """What the results of a study must be."""

    study: SentStudy
    results: bool = True  # a result, or a refusal, that names its images is in both archives
    refusal: bool | None = False  # it is a refusal; None: it may be
    images: set[str] | None = None  # that the result names; by default all of the target series
    state: str = ""  # of the newest workitem, where it matters


class Trial:
    """What a fault can do: send, wait for a step, kill, and say what to expect."""

    def __init__(self, fault: Fault, network: ClinicalNetwork, ledger: Ledger) -> None:
        self.fault = fault
        self.network = network
        self.ledger = ledger
        self.hilum = network.hilum
        self.expected: list[Expectation] = []
        self.problems: list[str] = []
        self.most_inferences = 1  # on the same images
        self.since = time.monotonic()
        self._owner: dict[Path, SentStudy] = {}

    # What a fault does ----------------------------------------------------------------------------

    def study(self, mood: str = "", **expected: Any) -> SentStudy:
        """A fresh study, and what it must come to: see `Expectation`."""
        study = self.network.exams.fresh(mood)
        self.expected.append(Expectation(study, **expected))
        self._owner |= dict.fromkeys(study.files, study)
        return study

    def send(self, *studies: SentStudy, to: str = "pacs") -> SentStudy:
        """Send every image of `studies` (a fresh one by default); return the first of them."""
        studies = studies or (self.study(),)
        self.send_files([path for study in studies for path in study.files], to)
        return studies[0]

    def send_files(self, files: Sequence[Path], to: str = "pacs") -> None:
        """Send `files` to the "pacs", or straight to "hilum".

        What is not accepted is sent again until it is, as scanners do.
        """
        rest = list(files)
        deadline = time.monotonic() + STEP_SECONDS
        while rest:
            try:
                for _ in self.association(rest, to):
                    pass
            except DeliveryError:
                time.sleep(0.2)  # down, or cut off
            rest = [path for path in rest if not self._is_accepted(path)]
            if rest and time.monotonic() > deadline:
                raise HilumError(f"{len(rest)} images were never accepted")

    def association(self, files: Sequence[Path], to: str) -> Generator[Sent, None, None]:
        """Send `files` once, noting what is accepted; raise `DeliveryError` as `scu.store` does.

        Throw a `DeliveryError` into it to have the association aborted.
        """
        pacs = Peer("ORTHANC", LOOPBACK, self.network.pacs.dicom_port, "SCANNER")
        hilum = Peer(LISTENER, LOOPBACK, self.hilum.site.receiver.port, "SCANNER")
        sending = store(files, pacs if to == "pacs" else hilum)
        try:
            for sent in sending:
                if sent.status == 0:
                    study = self._owner[sent.path]
                    study.accepted.add(study.uid_of[sent.path])
                yield sent
        except DeliveryError as error:
            sending.throw(error)

    def _is_accepted(self, path: Path) -> bool:
        study = self._owner[path]
        return study.uid_of[path] in study.accepted

    @contextmanager
    def meanwhile(self, work: Callable[[], Any]) -> Iterator[None]:
        """Do `work` in a thread; leaving the block waits for it, and raises what it raised."""
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(work)
            yield
            future.result()

    def is_done(self, study: SentStudy) -> bool:
        """Whether Hilum thinks that all work on `study` is settled."""
        return believed_done(self.hilum, study)

    def wait_for(self, study: SentStudy, kind: str, text: str = "") -> None:
        """Return at once when the trace of `study` has an event of `kind` (with `text` in it)."""
        self.until(
            lambda: any(
                text in event.text
                for event in self.hilum.records.events.of_kind(study.uid, EventKind(kind))
            ),
            f"event {kind!r}",
        )

    def wait_for_files(self, study: SentStudy, number: int) -> None:
        """Return at once when Hilum has `number` files of `study` on its disk."""
        self.until(
            lambda: len(files_of(self.hilum, study)) >= number,
            f"{number} files",
            pause=COUNT_SECONDS,
        )

    def until(
        self,
        condition: Callable[[], Any],
        what: str,
        seconds: float = STEP_SECONDS,
        pause: float = POLL_SECONDS,
    ) -> None:
        """Return at once when `condition` holds; `HilumError` if it does not come to that."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise HilumError(f"waited {seconds:.0f} s for {what}")
            time.sleep(pause)

    def kill(self, role: str) -> None:
        """kill -9 of every process of `role`; the clock of the recovery starts."""
        if not self.hilum.kill(role):
            self.complain(f"there was no {role} to kill")
        self.lifted()

    def lifted(self) -> None:
        """Note that the fault is over."""
        self.since = time.monotonic()

    def complain(self, problem: str) -> None:
        """Note a problem: something is not as it has to be."""
        self.problems.append(problem)

    def require(self, condition: object, problem: str) -> None:
        """Complain unless `condition` holds."""
        if not condition:
            self.complain(problem)

    def workitem(self, study: SentStudy) -> Workitem:
        """The newest workitem of `study` in Hilum's records."""
        items = self.hilum.records.workitems.of_study(study.uid)
        if not items:
            raise HilumError("there is no workitem")
        return items[-1]

    def state(self, study: SentStudy) -> WorkitemState | None:
        """Of its newest workitem; None if it has none yet."""
        items = self.hilum.records.workitems.of_study(study.uid)
        return items[-1].state if items else None

    # How it is judged -----------------------------------------------------------------------------

    def settle(self, limit: float) -> float | None:
        """Seconds from the end of the fault until all came right, None if it never did."""
        while time.monotonic() - self.since < limit:
            if not (open_points := self.open_points()):
                return time.monotonic() - self.since
            time.sleep(0.1)
        self.problems += open_points
        return None

    def open_points(self) -> list[str]:
        """What is still to come, in words; nothing once all is as expected."""
        return [point for expected in self.expected if (point := self._open_point(expected))]

    def _open_point(self, expected: Expectation) -> str:
        study = expected.study
        if not believed_done(self.hilum, study):
            return "Hilum is not done with a study"
        if expected.state and (state := self.state(study)) != expected.state:
            return f"a study is {state}, not {expected.state}"
        if not expected.results:
            held = [*self.ledger.in_pacs(study), *self.ledger.in_archive(study)]
            return "a result came that should not" if held else ""
        images = study.target if expected.images is None else expected.images
        for place, results in (
            ("the PACS", self.ledger.in_pacs(study)),
            ("the archive", self.ledger.in_archive(study)),
        ):
            outcomes = (False, True) if expected.refusal is None else (expected.refusal,)
            if not any(_is_answered(results, images, refusal) for refusal in outcomes):
                return f"a result on all {len(images)} images is not in {place}"
        return ""

    def count(self) -> Count:
        """What the ledger says, studies without results apart."""
        asked = [e.study for e in self.expected if e.results and e.images is None]
        others = [e.study for e in self.expected if e.study not in asked]
        return self.ledger.count(asked) + self.ledger.count(others, answered=False)

    def most_runs(self) -> int:
        """Inferences of the workitem that had most; more images make a workitem of their own."""
        runs = Counter(
            event.workitem_id
            for expected in self.expected
            for event in self.hilum.records.events.of_kind(expected.study.uid, EventKind.RUNNING)
        )
        return max(runs.values(), default=0)


def _is_answered(results: list[ArchivedResult], images: set[str], refusal: bool) -> bool:
    """Whether a report, a picture, a PDF and, for a result, a segmentation name all `images`."""
    kinds = {result.sop_class_uid for result in results if result.images >= images}
    return len(kinds) == (3 if refusal else 4) and (SegmentationStorage in kinds) is not refusal
